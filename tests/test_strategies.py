"""The strategies, and what holds for every operator and for the differences on what they draw."""

import sys
from importlib import import_module

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ops_builtin import register_operators
from registry import Function, Variable
from registry.errors import OperatorDefinitionError, UnknownOperatorError
from registry.testing import Conformance
from registry.testing.comparison import moved
from registry.testing.differences import STEP, central_slope
from registry.testing.strategies import arrays_in, samples

# The same examples in every run: a change must not fail on a number that has nothing to do with it.
repeatable = settings(max_examples=60, deadline=None, derandomize=True)

ELEMENTWISE = [cls for cls in register_operators() if getattr(cls, "elementwise", False)]
each_elementwise = pytest.mark.parametrize("cls", ELEMENTWISE, ids=lambda cls: cls.__name__)
REALS = st.floats(-10, 10, allow_subnormal=False)


def ends():
    return st.sampled_from([-np.inf, np.inf]) | REALS


def drawn(strategy, count=60):
    """Give what a strategy draws."""
    seen = []

    @settings(repeatable, max_examples=count)
    @given(strategy)
    def keep(value):
        seen.append(value)

    keep()
    return seen


def differentiable(subject, sample):
    """Give Variables for the floating inputs, and the result of calling the operator with them."""
    xs = [Variable(x) if i in sample.floating else x for i, x in enumerate(sample.inputs)]
    return [xs[i] for i in sample.floating], subject.call(sample, xs)[0]


class Log(Function):
    """Logarithm, with everything declared."""

    implements = np.log
    elementwise = True
    domain = (0, np.inf)

    def backward(self, gy):
        return gy / self.xs[0]


class Scaled(Function):
    """factor * x + offset, for two calls only."""

    samples = {"x": (2, 3), "factor": 3.0}, {"x": (4,), "offset": (4,), "factor": 2.0}

    def __init__(self, factor):
        self.factor = factor

    def forward(self, x, offset=None):
        return self.factor * x if offset is None else self.factor * x + offset

    def backward(self, gy):
        return (self.factor * gy, gy)[: len(self.xs)]


class TestArrays:
    @repeatable
    @given(st.data(), ends(), ends(), st.sampled_from([np.float64, np.float32, np.float16]))
    def test_all_numbers_lie_in_the_open_interval(self, data, low, high, dtype):
        assume(low < high and high - low > 0.1)
        x = data.draw(arrays_in((low, high), dtype=dtype))
        assert x.dtype == dtype
        assert np.all(np.isfinite(x))
        assert np.all((x > low) & (x < high))

    def test_shapes_go_from_none_to_three_axes(self):
        assert {x.ndim for x in drawn(arrays_in())} == {0, 1, 2, 3}

    def test_a_shape_is_kept_and_a_strategy_for_shapes_is_drawn_from(self):
        assert {x.shape for x in drawn(arrays_in(shape=(2, 0)))} == {(2, 0)}
        shapes = st.sampled_from([(3,), (1, 2)])
        assert {x.shape for x in drawn(arrays_in(shape=shapes))} == {(3,), (1, 2)}

    def test_margin_and_reach_bound_the_numbers(self):
        x = np.concatenate(drawn(arrays_in((1, np.inf), (4,), margin=0.5, reach=3)))
        assert x.min() == 1.5
        assert 3.5 < x.max() <= 4
        x = np.concatenate(drawn(arrays_in((-np.inf, np.inf), (4,), reach=2)))
        assert -2 <= x.min() < -1.5 < 1.5 < x.max() <= 2

    def test_in_a_narrow_interval_the_margin_is_a_twentieth(self):
        x = np.concatenate(drawn(arrays_in((0, 0.1), (4,))))
        assert x.min() == pytest.approx(0.005)
        assert x.max() == pytest.approx(0.095)

    def test_without_a_margin_the_ends_themselves_stay_out(self):
        x = np.concatenate(drawn(arrays_in((0, 1), (4,), np.float32, margin=0)))
        assert 0 < x.min() < x.max() < 1

    def test_numbers_are_not_subnormal(self):
        x = np.concatenate(drawn(arrays_in(shape=(8,))))
        assert np.all((x == 0) | (np.abs(x) >= np.finfo(np.float64).tiny))

    def test_without_hypothesis_the_message_names_the_extra(self, monkeypatch):
        monkeypatch.delitem(sys.modules, "registry.testing.strategies")
        monkeypatch.setitem(sys.modules, "hypothesis", None)
        with pytest.raises(ImportError) as refused:
            import_module("registry.testing.strategies")
        assert str(refused.value) == (
            'registry.testing.strategies needs hypothesis: pip install "opregistry[test]"'
        )


class TestSamples:
    def test_an_elementwise_operators_shapes_are_drawn_and_broadcast(self):
        seen = [[x.shape for x in sample.inputs] for sample in drawn(samples("add"), 100)]
        assert all(np.broadcast_shapes(*shapes) is not None for shapes in seen)
        assert len({tuple(shapes) for shapes in seen}) > 20
        assert any(a != b for a, b in seen)

    def test_other_operators_keep_the_authors_shapes_constants_and_arities(self):
        seen = drawn(samples(Scaled))
        calls = {(tuple(x.shape for x in s.inputs), s.constants["factor"]) for s in seen}
        assert calls == {(((2, 3),), 3.0), (((4,), (4,)), 2.0)}
        assert len({s.inputs[0].tobytes() for s in seen}) > 20

    def test_the_declared_domain_is_kept(self):
        x = np.concatenate([sample.inputs[0].ravel() for sample in drawn(samples(Log))])
        assert x.min() == 0.1

    def test_a_domain_that_is_not_declared_is_guessed(self):
        assert all(np.all(sample.inputs[0] > 0) for sample in drawn(samples("sqrt")))
        assert any(np.any(sample.inputs[0] < 0) for sample in drawn(samples("exp")))

    def test_a_domain_can_be_given_for_each_input(self):
        seen = drawn(samples("divide", domain={"x1": (-2, -1)}))
        assert all(np.all((s.inputs[1] > -2) & (s.inputs[1] < -1)) for s in seen)
        assert any(np.any(s.inputs[0] > 0) for s in seen)

    def test_inputs_that_are_not_floating_are_the_authors_in_the_drawn_shape(self):
        for sample in drawn(samples("where", dtype=np.float32)):
            assert [x.dtype for x in sample.inputs] == [bool, np.float32, np.float32]
            np.broadcast_shapes(*(x.shape for x in sample.inputs))

    def test_a_wrong_domain_and_an_unknown_operator_are_refused_at_once(self):
        with pytest.raises(OperatorDefinitionError, match="expected a pair"):
            samples(Log, domain=(1, 0))
        with pytest.raises(UnknownOperatorError, match="sqare"):
            samples("sqare")


class TestElementwiseOperators:
    @pytest.mark.parametrize(
        "cls",  # copysign(t, t) is smooth, though its derivative by the first argument jumps at 0
        [cls for cls in ELEMENTWISE if cls.__name__ != "Copysign"],
        ids=lambda cls: cls.__name__,
    )
    def test_the_gradient_is_that_of_differences(self, cls):
        subject = Conformance(cls).subject
        smooth = []

        @repeatable
        @given(samples(cls), st.integers(0, 2**32 - 1))
        def gradients_agree(sample, seed):
            assume(all(x is None or x.size for x in sample.inputs))
            leaves, y = differentiable(subject, sample)
            with np.errstate(all="ignore"):  # slopes without end, as that of a cube root at 0
                np.sum(y).backward()
            gradients = [np.zeros(x.shape) if x.grad is None else x.grad for x in leaves]
            assume(all(np.all(np.isfinite(gx)) for gx in gradients))
            rng = np.random.default_rng(seed)
            ways = [rng.normal(size=x.shape) for x in leaves]
            found = sum(np.sum(gx * way) for gx, way in zip(gradients, ways, strict=True))
            slope = central_slope(lambda t: subject.values(moved(sample, ways, t))[0])
            smooth.append(slope.smooth)
            assert not slope.smooth or slope.agrees(found, np.dtype(np.float64)), (found, slope)

        gradients_agree()
        assert not smooth or np.mean(smooth) >= 0.25

    @pytest.mark.parametrize(
        "cls", [cls for cls in ELEMENTWISE if cls.implements], ids=lambda cls: cls.__name__
    )
    def test_results_on_variables_are_numpys_on_arrays(self, cls):
        subject = Conformance(cls).subject
        (function, *_) = subject.operator.implements

        @repeatable
        @given(samples(cls))
        def results_agree(sample):
            found = subject.values(sample)
            expected = subject.numpys_values(function, sample)
            assume(expected)  # np.clip, for one, takes no single bound by position
            for a, b in zip(found, expected, strict=True):
                assert (a.dtype, a.shape) == (b.dtype, b.shape)
                np.testing.assert_array_equal(a, b)

        results_agree()

    @each_elementwise
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_gradients_have_the_inputs_shapes_and_dtypes(self, cls, dtype):
        subject = Conformance(cls).subject

        @settings(repeatable, max_examples=30)
        @given(samples(cls, dtype=dtype))
        def shapes_agree(sample):
            leaves, y = differentiable(subject, sample)
            with np.errstate(all="ignore"):
                np.sum(y).backward()
            for x in [x for x in leaves if x.grad is not None]:
                assert type(x.grad) is np.ndarray
                assert (x.grad.shape, x.grad.dtype) == (x.shape, dtype)

        shapes_agree()


class TestDifferences:
    @repeatable
    @given(st.lists(REALS, min_size=1, max_size=5), REALS)
    def test_the_slope_of_a_polynomial_is_right_within_its_tolerance(self, coefficients, x):
        slope = central_slope(lambda t: np.array([np.polyval(coefficients, x + t)]))
        expected = np.polyval(np.polyder(np.array(coefficients)), x)
        assert slope.agrees(expected, np.dtype(np.float64))
        assert not slope.agrees(expected + 1 + 0.1 * abs(expected), np.dtype(np.float64))

    @repeatable
    @given(st.lists(REALS, min_size=1, max_size=5), st.floats(0.5, 2))
    def test_the_sum_of_several_terms_and_a_scale_are_taken_into_account(self, factors, scale):
        factors = np.array(factors)
        slope = central_slope(lambda t: factors * np.sin(t * scale), scale)
        assert slope.agrees(np.sum(factors), np.dtype(np.float64))
        assert slope.size == pytest.approx(np.sum(np.abs(factors)), rel=1e-6, abs=1e-9)
        assert slope.smooth

    @repeatable
    @given(st.floats(-STEP, STEP), st.floats(0.1, 10), REALS)
    def test_no_wrong_slope_beside_a_kink_is_called_smooth(self, at, bend, slant):
        slope = central_slope(lambda t: np.array([bend * abs(t - at), slant * t]))
        expected = slant - np.sign(at) * bend
        assert not slope.smooth or slope.agrees(expected, np.dtype(np.float64))

    @repeatable
    @given(REALS, st.floats(0.1, 10), st.floats(-STEP * 0.99, STEP * 0.99))
    def test_a_jump_within_the_step_is_never_called_smooth(self, height, jump, at):
        slope = central_slope(lambda t: np.array([height + jump * (t > at)]))
        assert not slope.smooth
