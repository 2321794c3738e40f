"""`registry.compile`: what it serves, what it refuses, and that it says where."""

import sys
import threading
from collections import namedtuple

import numpy as np
import pytest

import registry
from registry import (
    CompileError,
    Function,
    HigherOrderError,
    Variable,
    grad,
    hessian,
    hvp,
    jacobian,
    ops,
    value_and_grad,
)
from registry import compile as compiled

SCALE = 1.0
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _strict(request):
    falls_back = request.cls is TestErrors or "counted" in request.node.name
    if not falls_back and "share_memory_is_refused" not in request.node.name:
        request.getfixturevalue("plans_do_not_fail")


def agrees(f, *calls):
    """Compare a compiled function with the plain one, on each tuple of arguments; give it."""
    c = compiled(f)
    for args in calls:
        for _ in range(2):  # the first call traces, the second replays
            same(c(*args), f(*args))
    return c


def same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        same(list(found.values()), list(expected.values()))
    elif isinstance(expected, Variable):
        same(found.data, expected.data)
        assert found.creator is None
    elif isinstance(expected, np.ndarray | np.generic):
        assert (found.dtype, found.strides) == (expected.dtype, expected.strides)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    else:
        assert found == expected


def traced_once(f):
    """Count how often Python runs a function."""
    runs = []

    def counted(*args):
        runs.append(None)
        return f(*args)

    return counted, runs


class TestReplay:
    def test_the_function_itself_is_not_called_again(self):
        f, runs = traced_once(lambda x: np.sum(x**2))
        c = compiled(grad(f))
        c(np.ones(3))
        before = len(runs)
        np.testing.assert_array_equal(c(np.array([1.0, 2.0, 3.0])), [2, 4, 6])
        assert len(runs) == before

    def test_values_are_those_of_the_new_arguments(self):
        agrees(
            grad(lambda x, y: np.sum(np.sin(x) * y)),
            *[(RNG.normal(size=4), RNG.normal(size=4)) for _ in range(3)],
        )

    def test_arrays_of_other_shapes_have_plans_of_their_own(self):
        shapes = (), (1,), (), (1, 1), (2,), (1,)
        agrees(lambda x: x * (2.0 + x.ndim), *[(np.ones(shape),) for shape in shapes])

    @pytest.mark.parametrize("transform", [grad, value_and_grad, jacobian, hessian])
    def test_transforms(self, transform):
        f = lambda x: np.sum(np.exp(x[:-1]) * x[1:] ** 3)  # noqa: E731
        agrees(transform(f), (RNG.normal(size=5),), (RNG.normal(size=5),))

    def test_a_hessian_vector_product(self):
        f = hvp(lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))
        agrees(f, *[(RNG.normal(size=6), RNG.normal(size=6)) for _ in range(2)])

    def test_a_plain_function_and_one_of_helpers(self):
        agrees(lambda x: np.exp(x) + 1, (RNG.normal(size=3),))
        agrees(lambda x: ops.square(x) + 1, (RNG.normal(size=3),))

    def test_variables_made_and_differentiated_inside(self):
        def f(x):
            v = Variable(x)
            y = np.sum(v * v)
            y.backward()
            return y.data, v.grad

        agrees(f, (RNG.normal(size=3),), (RNG.normal(size=3),))

    def test_structures_and_types_of_results(self):
        pair = namedtuple("pair", "a b")
        agrees(
            lambda p: {
                "s": pair(p["w"] * 2, [np.sum(p["w"]), p["n"]]),
                "none": None,
                "text": "t",
                "n": (1, 2.5),
            },
            ({"w": RNG.normal(size=2), "n": 3},),
        )

    def test_guard_mode_and_checkpoints(self):
        f = value_and_grad(lambda x: np.sum(registry.checkpoint(lambda y: np.sin(np.exp(y)))(x)))
        with registry.guard():
            agrees(f, (RNG.normal(size=3),), (RNG.normal(size=3),))

    def test_checkpoints_of_one_number_that_are_run_whole(self):
        def f(x):
            middle = registry.checkpoint(lambda y: np.median(np.real(y)))(x)
            return np.sum(registry.checkpoint(np.kron)(middle, x))

        x = RNG.normal(size=(3, 1))
        agrees(hvp(f), (x, np.ones((3, 1))), (x + 1, x))

    def test_a_table_that_is_interpolated(self):
        f = lambda x: np.sum(np.interp(x, [-3.0, -0.3, 4.0], [0.5, -1.0, 2.0]) ** 2)  # noqa: E731
        x = np.array([-1.0, 0.3, 2.0])
        agrees(value_and_grad(f), (x,), (x + 0.7,), (-x,))
        agrees(hvp(f), (x, x), (-x, x))

    def test_products_with_jacobians(self):
        f = lambda x: np.exp(x) * np.sum(x)  # noqa: E731

        def pulled(x, g):
            value, pull_back = registry.vjp(f, x)
            return value, pull_back(g)

        for g in (pulled, lambda x, t: registry.jvp(f, (x,), (t,))):
            agrees(g, *[(RNG.normal(size=3), RNG.normal(size=3)) for _ in range(2)])

    def test_a_minimisation_by_scipy(self):
        optimize = pytest.importorskip("scipy.optimize")
        f = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)  # noqa: E731
        options = {"jac": compiled(grad(f)), "hessp": compiled(hvp(f)), "method": "Newton-CG", "tol": 1e-9}
        np.testing.assert_allclose(optimize.minimize(compiled(f), np.full(4, 2.0), **options).x, np.ones(4))

    def test_the_likelihood_of_a_gaussian_process(self):
        x, y = np.linspace(0, 1, 12), RNG.normal(size=12)

        def likelihood(theta):
            length, scale, noise = np.exp(theta)
            k = scale * np.exp(-0.5 * ((x[:, None] - x[None, :]) / length) ** 2) + noise * np.eye(12)
            lower = np.linalg.cholesky(k)
            return 0.5 * y @ np.linalg.solve(k, y) + np.sum(np.log(np.diag(lower)))

        agrees(value_and_grad(likelihood), (np.array([-1.0, 0.2, -1.0]),), (np.array([-0.5, 0.1, -2.0]),))

    def test_numbers(self):
        agrees(value_and_grad(lambda x, y: x**2 * y, (0, 1)), (2.0, 3.0), (4.0, 5.0), (np.float32(2), 3.0))

    def test_numbers_of_complex_ones(self):
        f = lambda x: np.real(np.sinh(np.angle(x)))  # noqa: E731
        agrees(value_and_grad(f), (np.array(0.3 + 1j),), (np.array(-0.4 + 2j),))

    def test_numpys_functions_of_python_numbers_give_numpys(self):
        agrees(lambda x: (np.square(x), np.add(x, x), x * x, np.negative(x), 2 * x), (2.0,), (3.0,))

    def test_a_python_float_stays_weak(self):
        c = agrees(lambda x, rate: x * rate, (np.ones(2, np.float32), 0.5), (np.ones(2, np.float32), 0.25))
        assert repr(c) == "<compile(<lambda>): 1 plans>"
        agrees(lambda x, rate: ops.multiply(x, rate), (np.ones(2, np.float32), 0.5))

    def test_an_int_is_a_constant_of_its_plan(self):
        c = agrees(lambda x, n: x[:n], (np.arange(4.0), 2), (np.arange(4.0), 3))
        assert repr(c) == "<compile(<lambda>): 2 plans>"

    def test_each_kind_of_arguments_has_a_plan(self):
        f = value_and_grad(lambda x: np.sum(x * x))
        fortran = np.asfortranarray(RNG.normal(size=(2, 3)))
        kinds = [np.ones(2), np.ones(3), np.ones(2, np.float32), fortran, fortran.copy("C"), fortran[:, ::2]]
        c = agrees(f, *[(x,) for x in kinds])
        assert repr(c) == "<compile(value_and_grad(<lambda>)): 6 plans>"

    def test_keyword_arguments_and_defaults(self):
        c = compiled(lambda x, *, scale=2.0: x * scale)
        for kwargs in ({}, {"scale": 3.0}, {}, {"scale": 4.0}):
            np.testing.assert_array_equal(c(np.ones(2), **kwargs), np.full(2, kwargs.get("scale", 2.0)))

    def test_results_have_the_memory_order_of_the_plain_call(self):
        fortran = np.asfortranarray(RNG.normal(size=(3, 4)))
        agrees(lambda x: (x.copy(), x * 2, x.T, x.astype(float), np.exp(x).copy("K"), x.T.T + x), (fortran,))

    def test_the_result_is_the_callers_own(self):
        c = compiled(lambda x: (x * 1, x + 0 * x, np.ones_like(x), x))
        x = np.array([1.0, 2.0])
        for _ in range(2):
            first, second, ones, itself = c(x)
            first[0] = second[0] = ones[0] = 9
            np.testing.assert_array_equal(x, [1, 2])
            assert itself is x

    def test_equal_results_are_not_one_array(self):
        c = compiled(lambda x: (np.exp(x), np.exp(x)))
        c(np.ones(2))
        a, b = c(np.ones(2))
        assert not np.shares_memory(a, b)

    def test_signature_and_name_are_those_of_the_function(self):
        def named(x):
            """Say what it does."""
            return x

        c = compiled(named)
        assert (c.__name__, c.__doc__) == ("compile(named)", "Say what it does.")

    def test_the_plan_can_be_read(self):
        c = compiled(grad(lambda x: np.sum(np.exp(x) * 2)))
        text = str(c.plan(np.ones(3)))
        assert "exp(args_0)" in text
        assert "float64 (3,)" in text

    def test_no_gradient_mode_has_a_plan_of_its_own(self):
        c = compiled(lambda x: ops.exp(x))
        for _ in range(2):
            with registry.no_grad():
                assert c(np.ones(2)).creator is None
            assert c(np.ones(2)).creator is None

    def test_results_computed_without_recording_are_leaves(self):
        def f(x):
            with registry.no_grad():
                return ops.square(Variable(x))

        c = compiled(f)
        for _ in range(2):
            y = c(np.array([1.0, 2.0]))
            assert (y.creator, y.generation) == (None, 0)
            (y * 3.0).backward()
            np.testing.assert_array_equal(y.grad, [3.0, 3.0])


class TestSimplification:
    def steps(self, f, *args):
        plan = compiled(f).plan(*args)
        return [step.name for step in plan.program.steps]

    def test_what_nobody_reads_is_left_out(self):
        def f(x):
            np.exp(x)
            return x + 1

        assert self.steps(f, np.ones(3)) == ["add"]

    def test_what_is_equal_is_computed_once(self):
        assert self.steps(lambda x: np.exp(x) * np.exp(x), np.ones(3)) == ["exp", "multiply"]

    def test_the_seed_of_ones_is_folded(self):
        assert self.steps(grad(lambda x: np.sum(np.exp(x))), np.ones(3)) == ["exp"]

    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.int8])
    def test_what_is_folded_keeps_its_dtype(self, dtype):
        three = np.array(3, dtype)
        x = np.ones(3, dtype)
        f = lambda x: (np.ones_like(x) * three, np.add(np.zeros_like(x), three)[:2], x * -np.ones_like(x))  # noqa: E731
        assert self.steps(f, x).count("multiply") < 2
        agrees(f, (x,))

    def test_small_powers_are_products(self):
        assert self.steps(lambda x: x**2 + x**1, np.ones(3)) == ["square", "add"]

    def test_two_products_with_numbers_are_one(self):
        assert self.steps(lambda x: 2 * (x * 0.1) * -3, np.ones(3)) == ["multiply"]
        assert self.steps(lambda x: 1e-200 * (x * 1e-200) * 1e300, np.ones(3)) == ["multiply"] * 3
        agrees(lambda x: (2 * (x * 0.1) * -3, -(x * 2) * 3, -x * -x), (RNG.normal(size=3),))

    def test_changes_of_sign_are_left_to_the_next_step(self):
        assert self.steps(lambda x: np.exp(x) + -np.sin(x), np.ones(3)) == ["exp", "sin", "subtract"]
        assert self.steps(lambda x: -np.exp(x) * 2, np.ones(3)) == ["exp", "multiply"]

    def test_two_transposes_are_none(self):
        assert self.steps(lambda x: x.T.T + 1, np.ones((2, 3))) == ["add"]

    def test_what_is_read_only_is_not_written_into(self):
        x = RNG.normal(size=5000)
        agrees(lambda x: x.imag + 1 + x, (x,))  # the imaginary part of real numbers is

    def test_views_of_a_copy_that_is_left_out_are_not_written_into(self):
        x = RNG.normal(size=(4000, 2))  # arrays of that size are taken again
        before = x.copy()
        agrees(lambda x: np.exp(np.reshape(x * 1, (2, 4000)) + 1), (x,))
        agrees(lambda x: (np.exp(np.reshape(x + 2, (2, 4000)) * 2), np.sin(x + 2)), (x,))
        c = compiled(lambda x: np.reshape(x * 1, (2, 4000)))
        c(x)
        assert not np.shares_memory(c(x), x)
        np.testing.assert_array_equal(x, before)

    def test_constants_that_an_operator_run_whole_passes_on_are_not_written_into(self):
        way = RNG.normal(size=(64, 64))  # large enough for its memory to be taken again, were it not constant
        f = lambda x: np.sum(np.arctan(np.real(np.fft.fft2(x))))  # noqa: E731
        agrees(lambda x: hvp(f)(x, way), *[(RNG.normal(size=(64, 64)),) for _ in range(3)])

    def test_what_is_written_into_is_left_alone(self):
        def f(x):
            y = np.zeros_like(x)
            z = np.zeros_like(x)
            before = np.exp(y)
            y[0] = x[1]
            return y, z, before, np.exp(y)

        agrees(f, (np.ones(3),), (RNG.normal(size=3),))


class TestBranches:
    def test_each_way_has_a_plan(self):
        def f(x):
            if np.sum(x) > 0:
                return np.sum(x**2)
            return np.sum(np.exp(x))

        c = agrees(grad(f), *[(s * np.array([1.0, 2.0]),) for s in (1, -1, 2, -2, 1)])
        assert repr(c) == "<compile(grad(f)): 2 plans>"

    def test_a_loop_until_it_has_converged(self):
        def root(a):
            x = a
            while np.abs(x * x - a) > 1e-12:
                x = (x + a / x) / 2
            return x

        agrees(root, (2.0,), (2.1,), (9.0,))

    def test_too_many_ways_are_refused_with_the_line(self):
        def f(x):
            n = 0
            while n < x:
                n += 1
            return x * n

        c = compiled(f)
        with pytest.raises(CompileError, match=r"(?s)went 8 ways .*while n < x"):
            for n in range(12):
                c(float(n))

    def test_an_assertion_still_fails(self):
        def f(x):
            assert np.all(np.isfinite(x)), "not finite"
            return x * 2

        c = agrees(f, (np.ones(2),))
        with pytest.raises(AssertionError, match="not finite"):
            c(np.array([1.0, np.nan]))


class TestErrors:
    @pytest.mark.parametrize("used", [len, np.sum])
    def test_a_result_of_another_shape_is_that_of_the_function(self, used):
        f = grad(lambda x: np.sum(x * used(x[x > 0])))
        c = compiled(f)
        for x in ([1.0, 2.0, 3.0], [1.0, -2.0, 3.0], [-1.0, -2.0, -3.0]):
            np.testing.assert_allclose(c(np.array(x)), f(np.array(x)))

    def test_an_error_is_that_of_the_function(self):
        c = agrees(np.linalg.inv, (np.eye(2) * 2,))
        with pytest.raises(np.linalg.LinAlgError, match="Singular"):
            c(np.zeros((2, 2)))

    def test_an_error_may_be_caught_inside(self):
        def f(a):
            try:
                return np.sum(np.linalg.cholesky(a))
            except np.linalg.LinAlgError:
                return np.sum(np.linalg.cholesky(a + 10 * np.eye(2)))

        agrees(value_and_grad(f), (np.eye(2),), (-np.eye(2),), (np.eye(2),))

    def test_numpys_error_state_is_that_of_the_call(self):
        c = compiled(lambda x: np.log(x))
        c(np.ones(2))
        with np.errstate(divide="ignore"):
            assert c(np.zeros(2))[0] == -np.inf
        with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
            c(np.zeros(2))

    def test_an_error_state_inside_holds_for_its_steps(self):
        def f(x):
            with np.errstate(divide="ignore"):
                return np.log(x)

        agrees(f, (np.ones(2),), (np.zeros(2),))


def refusal(f, *args):
    with pytest.raises(CompileError) as caught:
        compiled(f)(*args)
    return str(caught.value)


class TestRefused:
    @pytest.mark.parametrize(
        ("f", "what"),
        [
            (lambda x: x * float(x[0]), "a Python number is made"),
            (lambda x: x * x[0].item(), "'.item' is read"),
            (lambda x: sum(x.tolist()), "'.tolist' is read"),
            (lambda x: np.asarray(x) + 1, "a plain array is made"),
            (lambda x: x[x > 0], "elements are taken by a mask"),
            (lambda x: np.unique(x), "the result of np.unique"),
            (lambda x: np.nonzero(x)[0], "the result of np.nonzero"),
            (lambda x: np.arange(3)[int(x[0]) :], "a Python number is made"),
        ],
    )
    def test_what_depends_on_the_data_is_refused_with_the_line(self, f, what):
        message = refusal(f, np.array([0.0, 1.0]))
        assert what in message
        assert f"{__file__}:" in message
        assert "lambda x:" in message

    def test_random_numbers(self):
        rng = np.random.default_rng()
        message = refusal(lambda x: x * rng.normal(), np.ones(2))
        assert "called twice with the same arguments, it computes something else" in message
        assert "rng.normal()" in message

    def test_random_numbers_of_a_fixed_seed_are_right(self):
        agrees(lambda x: x * np.random.default_rng(0).normal(size=2), (np.ones(2),))

    def test_a_random_operator(self, fresh):
        class Dropout(Function):
            def forward(self, x):
                self.mask = np.random.default_rng().random(x.shape) < 0.5
                return x * self.mask

            def backward(self, gy):
                return gy * self.mask

        fresh()
        message = refusal(grad(lambda x: np.sum(Dropout()(x))), np.ones(50))
        assert "computes something else" in message
        assert "Dropout()(x)" in message

    def test_a_counter_outside(self):
        state = {"n": 0}

        def f(x):
            state["n"] += 1
            return x * state["n"]

        assert "what changes outside" in refusal(f, np.ones(2))

    def test_a_variable_from_outside(self):
        w = Variable(np.array(3.0), name="weight")
        message = refusal(grad(lambda x: x * w), 2.0)
        assert "the Variable 'weight' from outside" in message
        assert "pass its array as an argument" in message

    def test_a_result_of_variables_from_outside(self):
        y = Variable(np.array(3.0)) * 2
        assert "was computed outside" in refusal(lambda x: x * y, np.array(2.0))

    def test_a_recorded_result(self):
        assert "its result is a Variable that can be differentiated" in refusal(
            lambda x: Variable(x) * 2, np.ones(2)
        )

    def test_a_variable_as_an_argument(self):
        assert "argument 0 is a Variable" in refusal(np.exp, Variable(np.ones(2)))

    def test_arguments_of_no_numbers(self):
        assert "argument 0 is ndarray of object" in refusal(lambda x: x, np.array([None]))
        assert "argument 0 is matrix of float64" in refusal(
            lambda x: x, np.ma.masked_array([1.0]).view(np.matrix)
        )
        assert "argument 0['a'] is set" in refusal(lambda x: 1.0, {"a": set()})

    def test_a_text_of_the_data(self):
        assert "where the plain call gives" in refusal(lambda x: f"{x}", np.ones(2))

    def test_a_stand_in_that_was_kept(self):
        kept = []

        def f(x):
            kept.append(x)
            return x + kept[-2] if len(kept) > 1 else x + x

        assert "keep nothing outside" in refusal(f, np.ones(2))

    def test_a_stand_in_that_is_used_later(self):
        kept = []

        def f(x):
            kept.append(x)
            return x * 2

        compiled(f)(np.ones(2))
        with pytest.raises(CompileError, match="keep nothing outside"):
            kept[-1] + 1

    def test_plain_arrays_are_not_written_into(self):
        def f(x):
            y = np.zeros(2)
            np.exp(x, out=y)
            return y

        assert "np.zeros_like" in refusal(f, np.ones(2))


class TestOutside:
    def test_a_name_of_the_enclosing_function_that_is_bound_anew(self):
        scale = 2.0

        def inner(x):
            return x * scale

        c = compiled(grad(lambda x: np.sum(inner(x) ** 2)))
        for scale in (2.0, 3.0, 3.0, np.float32(5)):
            np.testing.assert_allclose(c(np.ones(2)), np.full(2, 2 * scale**2))

    def test_a_global_name_that_is_bound_anew(self, monkeypatch):
        c = compiled(lambda x: x * SCALE)
        for scale in (2.0, np.array([3.0, 4.0])):
            monkeypatch.setitem(globals(), "SCALE", scale)
            for _ in range(2):
                np.testing.assert_array_equal(c(np.ones(2)), np.ones(2) * scale)

    def test_attributes_and_entries_that_are_set_anew(self):
        class Model:
            def __init__(self):
                self.scale = 2.0
                self.weights = {"w": np.array([1.0, 2.0]), "more": [3.0]}

            def loss(self, x):
                return self.scaled(x) + self.weights["more"][0]

            def scaled(self, x):
                return x * self.scale * self.weights["w"]

        model = Model()
        for c in (compiled(lambda x: model.loss(x)), compiled(model.loss)):
            for change in (None, {"scale": 3.0}, {"weights": {"w": np.array([5.0, 6.0]), "more": [4.0]}}):
                model.__dict__.update(change or {})
                np.testing.assert_array_equal(c(np.ones(2)), model.loss(np.ones(2)))
                model.weights["w"] = model.weights["w"] + 1
                np.testing.assert_array_equal(c(np.ones(2)), model.loss(np.ones(2)))
                model.weights["more"][0] += 1.0
                np.testing.assert_array_equal(c(np.ones(2)), model.loss(np.ones(2)))

    def test_as_a_method_it_is_compiled_for_each_object(self):
        class Model:
            def __init__(self, scale):
                self.scale = scale

            @compiled
            def scaled(self, x):
                return x * self.scale

        one, two = Model(2.0), Model(3.0)
        for _ in range(2):
            assert one.scaled(np.ones(1)) == 2
            assert two.scaled(np.ones(1)) == 3
        one.scale = 5.0
        assert one.scaled(np.ones(1)) == 5
        assert repr(one.scaled) == "<compile(scaled): 1 plans>"

    def test_the_data_of_a_variable_is_refused(self):
        w = Variable(np.array([1.0, 2.0]), name="weight")
        assert "the data of the Variable 'weight' from outside" in refusal(lambda x: x * w.data, np.ones(2))

    def test_an_array_is_what_it_was_when_the_function_was_traced(self):
        data = np.array([1.0, 2.0])
        c = compiled(lambda x: x * data)
        c(np.ones(2))
        data[:] = 0
        np.testing.assert_array_equal(c(np.ones(2)), [1, 2])

    def test_another_plugin_that_answers(self, fresh):
        class Negated(Function):
            implements = np.exp

            def forward(self, x):
                return -x

            def backward(self, gy):
                return -gy

        c = compiled(lambda x: np.exp(Variable(x)).data)
        assert c(np.zeros(1)) == 1
        assert c(np.zeros(1)) == 1
        fresh()
        registry.operator(Negated)
        registry.prefer("numpy.exp", "session")
        assert c(np.ones(1)) == -1


class TestWriting:
    def test_into_an_argument(self):
        def f(x):
            x[0] += 1
            return x * 2

        c = compiled(f)
        x = np.zeros(2)
        for n in (1, 2, 3):
            np.testing.assert_array_equal(c(x), [2 * n, 0])
        np.testing.assert_array_equal(x, [3, 0])

    def test_into_an_argument_after_a_branch(self):
        def f(x):
            way = 1.0 if x[0] > 0 else 2.0
            x -= 10
            return way

        c = compiled(f)
        assert [c(np.array([first])) for first in (1.0, 1.0, -1.0, -1.0, 1.0)] == [1, 1, 2, 2, 1]

    def test_into_an_argument_that_nothing_reads(self):
        def f(x):
            x[0] += 1

        c = compiled(f)
        x = np.zeros(2)
        for _ in range(3):
            assert c(x) is None
        np.testing.assert_array_equal(x, [3, 0])

    def test_into_an_argument_before_a_branch_is_refused(self):
        def f(x):
            x += 1
            return x if np.sum(x) > 0 else -x

        assert "after an argument was written into" in refusal(f, np.ones(2))

    def test_into_one_of_two_arguments_that_share_memory_is_refused(self):
        def f(x, y):
            x += y
            return x * y

        c = compiled(f)
        c(np.ones(3), np.ones(3))
        x = np.ones(4)
        with pytest.raises(CompileError, match="two that share memory"):
            c(x[1:], x[:-1])

    @pytest.mark.parametrize(
        ("f", "argument"),
        [(lambda d: d.update(w=d["w"] * 2), {"w": np.ones(2)}), (lambda x: x.append(x[0] * 2), [np.ones(2)])],
    )
    def test_into_a_list_or_dict_is_refused(self, f, argument):
        assert "changes a list or dict" in refusal(f, argument)

    def test_into_what_was_made_inside(self):
        def f(x):
            y = np.zeros_like(x)
            y[1:] += x[:-1]
            view = y[::2]
            view *= 3
            np.add.at(y, [0, 0], x[:2])
            np.multiply(y, 2, out=y)
            return y, np.sum(view)

        agrees(f, *[(RNG.normal(size=5),) for _ in range(3)])

    def test_into_an_array_of_one_number(self):
        def f(x):
            y = x.copy()
            y[...] = 2 * x
            y += 1
            return y

        agrees(f, (np.array(3.0),), (np.array(4.0),))


class TestOperatorsRunWhole:
    def test_code_that_takes_plain_arrays(self, fresh):
        class Logarithm(Function):
            def forward(self, x):
                self.size = len(np.asarray(x).tolist())
                return np.array([np.log(float(a)) for a in x])

            def backward(self, gy):
                (x,) = self.xs
                return np.asarray(gy) / np.asarray(x) * (self.size == len(x))

        fresh()
        f = value_and_grad(lambda x: np.sum(Logarithm()(x * 2) ** 2))
        c = agrees(f, (np.array([1.0, 2.0]),), (np.array([3.0, 4.0]),))
        assert "forward of Logarithm" in [s.name for s in c.plan(np.array([1.0, 2.0])).program.steps]

    def test_they_see_whose_gradient_is_wanted(self, fresh):
        class Product(Function):
            def forward(self, a, b):
                return np.asarray(a) * b

            def backward(self, gy):
                assert self.needs_grad == (True, False)
                (_, b), (y,) = self.xs, self.ys
                return np.asarray(gy) * b + 0 * y, None

        fresh()
        agrees(
            grad(lambda a, b: np.sum(Product()(a, b))),
            *[(RNG.normal(size=3), RNG.normal(size=3)) for _ in "ab"],
        )

    def test_what_they_keep_for_backward_is_not_overwritten(self, fresh):
        class Exponential(Function):
            def forward(self, x):
                return np.exp(np.asarray(x))

            def backward(self, gy):
                (x,), (y,) = self.xs, self.ys
                return np.asarray(gy) * y + (x - np.log(y))

        class Square(Function):
            def forward(self, x):
                self.slope = 2 * np.asarray(x)
                return np.asarray(x) ** 2

            def backward(self, gy):
                return self.slope if np.all(np.asarray(gy) == 1) else gy * self.slope

        def pulled_twice(x):
            _, pull_back = registry.vjp(Square(), x)
            (first,) = pull_back(np.ones(5000))
            scaled = first * 2 + 1
            return scaled, pull_back(np.ones(5000))

        fresh()
        x = RNG.normal(size=5000)  # arrays of that size are taken again
        agrees(value_and_grad(lambda x: np.sum(Exponential()(x * 3 + 1) * 2 + 1)), (x,), (x / 2,))
        agrees(pulled_twice, (x,), (x / 2,))

    def test_a_second_derivative_by_what_forward_counted_is_that_of_the_function(self, fresh):
        class Counting(Function):
            def forward(self, x):
                self.count = int(np.sum(np.asarray(x) > 0))
                return x * x * self.count

            def backward(self, gy):
                (x,) = self.xs
                return 2 * x * gy * self.count

        fresh()
        f = grad(lambda x: np.sum(grad(lambda x: np.sum(Counting()(x) ** 2))(x)))
        agrees(f, (np.array([1.0, -2.0, 3.0]),), (np.array([1.0, 2.0, 3.0]),), (np.array([-1.0, 2.0, -3.0]),))

    def test_a_random_one_is_refused(self, fresh):
        class Noise(Function):
            def forward(self, x):
                return np.asarray(x) + np.random.default_rng().normal(size=x.shape)

            def backward(self, gy):
                return gy

        fresh()
        assert "computes something else" in refusal(grad(lambda x: np.sum(Noise()(x) ** 2)), np.ones(3))


class TestRecordedPasses:
    """The backward that is being recorded must not read `.data`, whatever else goes on."""

    @pytest.fixture
    def twice(self, fresh):
        class Cube(Function):
            def forward(self, x):
                return x**3

            def backward(self, gy):
                (x,) = self.xs
                return gy * 3 * (x.data if isinstance(x, Variable) else x) ** 2

        fresh()
        return grad(grad(lambda x: np.sum(Cube()(x))))

    @pytest.mark.parametrize("watching", ["trace", "profile", "guard", "detect_anomaly"])
    def test_one_that_is_watched_knows_whose_it_is(self, twice, watching, capsys):
        with getattr(registry, watching)(), pytest.raises(HigherOrderError, match=r"Cube.*reads '\.data'"):
            twice(np.array(2.0))

    @pytest.mark.parametrize("by_helper", [False, True])
    @pytest.mark.parametrize("whole", [False, True])
    def test_one_that_is_traced_knows_it_too(self, fresh, whole, by_helper):
        """In an operator whose code is traced, and in one that is run whole."""

        class Cube(Function):
            def forward(self, x):
                return (np.asarray(x) if whole else x) ** 3

            def backward(self, gy):
                (x,) = self.xs
                return gy * 3 * (x.data if isinstance(x, Variable) else x) ** 2

        def f(x):
            try:
                return grad(grad(lambda x: np.sum((ops.cube(x) if by_helper else Cube()(x)) ** 2)))(x)
            except HigherOrderError:
                return x * 2

        fresh()
        registry.operator(Cube)
        c = compiled(f)
        for x in (np.array(2.0), np.array(2.0), np.array(3.0)):
            assert c(x) == 2 * x


class TestThreads:
    def test_plans_run_in_several_threads_at_once(self):
        c = compiled(value_and_grad(lambda x: np.sum(np.tanh(x) * np.exp(-(x**2)))))
        arrays = [RNG.normal(size=s) for s in (3, 4, 200_000, 200_001) for _ in range(2)]
        expected = [value_and_grad(c.__wrapped__.__wrapped__)(x) for x in arrays]
        wrong = []

        def work():
            for x, e in list(zip(arrays, expected, strict=True)) * 5:
                value, gradient = c(x)
                if not (np.isclose(value, e[0], rtol=1e-12) and np.allclose(gradient, e[1], rtol=1e-12)):
                    wrong.append(x.shape)

        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(before)
        assert not wrong

    def test_it_calls_itself(self):
        inner = compiled(lambda x: np.exp(x))
        agrees(lambda x: inner(x) * 2, (np.ones(2),), (np.zeros(2),))


def test_the_core_does_not_import_the_compiler():
    import subprocess

    code = "import registry, sys; assert 'registry.compiler' not in sys.modules; registry.compile"
    subprocess.run([sys.executable, "-c", code], check=True)
