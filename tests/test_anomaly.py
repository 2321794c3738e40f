"""`registry.detect_anomaly`: the first NaN or infinity, and where it came from."""

import re
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

import registry
from registry import AnomalyError, Function, Variable, detect_anomaly, ops

HERE = re.escape(str(Path(__file__)))


def error_of(f, **options):
    """Give the message of the anomaly in a call, without NumPy's own warnings."""
    with np.errstate(all="ignore"), detect_anomaly(**options), pytest.raises(AnomalyError) as caught:
        f()
    return str(caught.value)


def passes(f, **options):
    with np.errstate(all="ignore"), detect_anomaly(**options):
        return f()


class TestForward:
    def test_operator_plugin_place_input_and_line_are_named(self):
        x = Variable(np.array([[1.0, 2.0], [3.0, -4.0]]))
        text = error_of(lambda: np.sum(np.log(x) * 2))
        assert re.fullmatch(
            r"output 0 of operator 'log' of plugin ops_builtin \(.*\), float64 \(2, 2\), holds nan "
            r"\(1 of 4 elements, the first at \(1, 1\), where input 0 is -4\.0\), and no input does; "
            rf"called at {HERE}:\d+; keep inputs where .* np\.where on an input, not on the result",
            text,
        )

    def test_an_infinity_is_named_unless_only_nan_is_wanted(self):
        x = Variable(np.array([1.0, 0.0]))
        assert "'log'" in error_of(lambda: np.log(x))
        assert "holds infinity (1 of 2 elements, the first at (1,)" in error_of(lambda: np.log(x))
        assert passes(lambda: np.log(x), infinities=False).data[1] == -np.inf

    def test_a_nan_comes_first_where_both_are_there(self):
        assert "holds nan" in error_of(lambda: np.log(Variable(np.array([0.0, -1.0]))))

    def test_a_nan_that_was_given_is_said_to_be_given(self):
        x = Variable(np.array([np.nan, 1.0]))
        assert "as input 1 did before" in error_of(lambda: np.add(1.0, x))

    def test_an_infinity_that_was_given_is_meant(self):
        scores = Variable(np.array([1.0, 2.0]))
        masked = passes(lambda: np.exp(np.where(np.array([True, False]), scores, -np.inf)))
        assert masked.data.tolist() == [np.e, 0.0]

    def test_what_becomes_nan_of_a_given_infinity_is_named(self):
        x = Variable(np.array([np.inf]))
        assert "'subtract'" in error_of(lambda: x - x)

    def test_complex_single_and_0d_results_are_seen(self):
        assert "complex64 ()" in error_of(lambda: np.log(Variable(np.array(0, np.complex64))))
        assert "float32 (), holds infinity (1 of 1" in error_of(lambda: 1 / Variable(np.array(0, np.float32)))
        assert "float64 ()" in error_of(lambda: np.sqrt(Variable(np.array(-1.0))))

    def test_the_output_of_several_is_told(self):
        class Parts(Function):
            def forward(self, x):
                return x + 0, x / 0

        assert error_of(lambda: Parts()(Variable(np.array([1.0])))).startswith("output 1 of operator ")

    def test_integers_constants_and_finite_results_pass(self):
        assert passes(lambda: np.sum(Variable(np.array([1, 2]))) + 1).data == 4
        assert passes(lambda: np.isnan(Variable(np.array([np.nan])))).all()

    def test_calls_without_recording_are_watched_too(self):
        with registry.no_grad():
            assert "'log'" in error_of(lambda: np.log(Variable(np.array(-1.0))))


class TestBackward:
    def test_the_line_of_the_call_is_named_with_what_the_output_held(self):
        x = Variable(np.array([4.0, 0.0]))
        with np.errstate(all="ignore"), detect_anomaly():
            y = np.sqrt(x)
            line = line_above()
            with pytest.raises(AnomalyError) as caught:
                (y * 2).backward()
        assert re.match(
            r"the gradient of input 0 of operator 'sqrt' .* holds infinity \(1 of 2 elements, the first at "
            r"\(1,\), where output 0 is 0\.0\), and no gradient of output does; "
            rf"called at {HERE}:{line};",
            str(caught.value),
        )
        assert x.grad is None

    def test_zero_times_infinity_behind_a_where_is_found_at_its_source(self):
        x = Variable(np.array([4.0, 0.0]))
        text = error_of(lambda: np.where(x.data > 0, np.sqrt(x), 0).backward())
        assert "the gradient of input 0 of operator 'sqrt'" in text
        assert "holds nan" in text

    def test_a_seed_that_is_nan_is_said_to_be_given(self):
        y = Variable(np.array(2.0)) * 3
        y.grad = np.array(np.nan)
        assert "as gradient of output 0 did before; called at a line before the block" in error_of(y.backward)

    def test_gradients_of_constants_do_not_count(self):
        class Power(Function):
            def forward(self, x, n):
                return x**n

            def backward(self, gy):
                x, n = self.xs
                return gy * n * x ** (n - 1), gy * x**n * np.log(x)

        x = Variable(np.array([0.0]))
        passes(lambda: Power()(x, np.array(2.0)).backward())
        assert x.grad.tolist() == [0.0]
        assert "input 1" in error_of(lambda: Power()(x, Variable(np.array(2.0))).backward())

    def test_operators_of_a_recorded_pass_name_whose_backward_they_are_in(self):
        x = Variable(np.array(0.0))
        text = error_of(lambda: np.sqrt(x).backward(create_graph=True))
        assert "output 0 of operator 'divide'" in text
        assert re.search(rf"in backward of operator 'sqrt' .*, which was called at {HERE}:\d+;", text)

    def test_second_derivatives_are_watched(self):
        assert "'power'" in error_of(lambda: registry.grad(registry.grad(lambda x: x**1.5))(0.0))

    def test_a_step_inside_a_step_keeps_both_apart(self):
        def f(x):
            return registry.checkpoint(lambda v: np.sqrt(v) * 2)(x)

        x = Variable(np.array([1.0, 0.0]))
        assert "operator 'sqrt'" in error_of(lambda: f(x).backward())
        x = Variable(np.array([1.0, 4.0]))
        passes(lambda: f(x).backward())
        np.testing.assert_allclose(x.grad, [1.0, 0.5])

    def test_the_innermost_of_recorded_steps_is_named(self):
        x = Variable(np.array(0.0))
        text = error_of(lambda: registry.checkpoint(np.sqrt)(x).backward(create_graph=True))
        assert re.search(r"in backward of operator 'sqrt' of plugin ops_builtin", text)


class TestBlocks:
    def test_nothing_is_watched_before_and_after(self):
        x = Variable(np.array(-1.0))
        with np.errstate(all="ignore"):
            error_of(lambda: np.log(x))
            assert np.isnan(np.log(x).data)
        assert registry.default_registry().observers is None

    def test_a_block_that_begins_in_the_middle_of_a_pass_is_no_harm(self):
        watching = detect_anomaly()

        class Late(Function):
            def forward(self, x):
                return x + 0

            def backward(self, gy):
                watching.__enter__()
                return gy

        x = Variable(np.array(1.0))
        Late()(x * 2).backward()
        watching.__exit__(None, None, None)
        assert x.grad == 2

    def test_guard_inside_works_as_alone(self):
        x = Variable(np.array([1.0, 2.0]))
        with detect_anomaly(), registry.guard():
            y = x * x
            x.data[0] = 5
            with pytest.raises(registry.OverwrittenError):
                y.backward()

    def test_other_threads_are_watched(self):
        found = []

        def work():
            try:
                with np.errstate(all="ignore"):
                    ops.log(Variable(np.array(-1.0)))
            except AnomalyError as error:
                found.append(error)

        with detect_anomaly():
            thread = Thread(target=work)
            thread.start()
            thread.join()
        assert len(found) == 1

    def test_compiling_inside_is_no_harm(self):
        with detect_anomaly():
            f = registry.compile(registry.value_and_grad(lambda x: np.sum(x * x)))
            value, gradient = f(np.array([1.0, 2.0]))
        assert (value, gradient.tolist()) == (5.0, [2.0, 4.0])


def line_above():
    import sys

    return sys._getframe(1).f_lineno - 1
