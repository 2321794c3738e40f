"""Differential equations and fixed points with known solutions, and what is refused."""

import numpy as np
import pytest
from opregistry_special.fixed_points import fixed_point
from opregistry_special.integration import odeint
from scipy import linalg

from registry import GradientError, Variable, grad, hessian, jacobian, no_grad, ops, stop_gradient

EXACT = {"rtol": 1e-11, "atol": 1e-11}
TIMES = np.array([0.2, 0.5, 0.9])


def logistic(y, t, rate, limit):
    return rate * y * (1 - y / limit)


def grown(y0, t, rate, limit):
    """Give the solution of the logistic equation."""
    return limit / (1 + (limit / y0 - 1) * np.exp(-rate * (t - t[0])))


def integrated(y0, t, rate, limit):
    return odeint(logistic, y0, t, (rate, limit), **EXACT)[:, 0]


ARGUMENTS = (np.array(0.3), TIMES, np.array(1.7), np.array(2.0))


@pytest.mark.parametrize("i", range(4), ids=["y0", "t", "rate", "limit"])
def test_all_derivatives_are_those_of_the_solution(i):
    np.testing.assert_allclose(integrated(*ARGUMENTS).data, grown(*ARGUMENTS), rtol=1e-9)
    np.testing.assert_allclose(
        jacobian(integrated, i)(*ARGUMENTS), jacobian(grown, i)(*ARGUMENTS), rtol=1e-7, atol=1e-9
    )
    own, known = (lambda *x, f=f: np.sum(f(*x)[1:] ** 2) for f in (integrated, grown))
    np.testing.assert_allclose(
        hessian(own, i)(*ARGUMENTS), hessian(known, i)(*ARGUMENTS), rtol=1e-6, atol=1e-8
    )


def test_mixed_second_derivatives_are_those_of_the_solution():
    def mixed(f):
        return grad(lambda y0, rate: grad(lambda y, r: np.sum(f(y, TIMES, r, 2.0)))(y0, rate), 1)(0.3, 1.7)

    assert mixed(integrated) == pytest.approx(mixed(grown), rel=1e-7)


def linear(y, t, a):
    return a @ y


def test_a_linear_system_is_solved_backwards_in_time_with_the_derivatives_of_the_exponential():
    a, y0 = np.array([[-0.5, 2.0], [-1.0, 0.1]]), np.array([1.0, -0.4])
    t = np.array([1.0, 0.4, -0.3])
    found = odeint(linear, y0, t, (a,), **EXACT).data
    np.testing.assert_allclose(found, [linalg.expm(a * (u - 1)) @ y0 for u in t], rtol=1e-9)
    by_y0 = jacobian(lambda y0: odeint(linear, y0, t, (a,), **EXACT)[-1])(y0)
    np.testing.assert_allclose(by_y0, linalg.expm(-1.3 * a), rtol=1e-8)
    w = np.array([0.7, -1.1])
    by_a = grad(lambda a: np.sum(w * odeint(linear, y0, t, [a], **EXACT)[-1]))(a)
    expected = linalg.expm_frechet(-1.3 * a.T, -1.3 * np.outer(w, y0), compute_expm=False)
    np.testing.assert_allclose(by_a, expected, rtol=1e-7)


def test_a_function_of_time_alone_has_its_integral():
    y = odeint(lambda y, t: np.cos(t) + 0 * y, 0.0, np.array([0.0, 1.0, 2.0]), **EXACT)
    np.testing.assert_allclose(y.data[:, 0], np.sin([0, 1, 2]), atol=1e-9)
    by_t = jacobian(lambda t: odeint(lambda y, t: np.cos(t) + 0 * y, 0.0, t, **EXACT)[1, 0])(
        np.array([0.5, 1.0])
    )
    np.testing.assert_allclose(by_t, [-np.cos(0.5), np.cos(1.0)], rtol=1e-8)


def test_lists_operators_and_repeated_times_are_taken():
    y0, t = np.array([1.0, 0.0]), np.array([0.0, 0.0, 0.5, 0.5])
    for function in (lambda y, t: [y[1], -y[0]], lambda y, t: ops.stack(y[1], ops.negative(y[0]))):
        y = odeint(function, y0, t, **EXACT)
        np.testing.assert_allclose(y.data[:, 0], np.cos(t), rtol=1e-9)
        slope = grad(lambda y0, f=function: odeint(f, y0, t, **EXACT)[-1, 0])(y0)
        np.testing.assert_allclose(slope, [np.cos(0.5), np.sin(0.5)], rtol=1e-8)


def test_float32_stays_float32():
    x = [Variable(np.asarray(v, np.float32)) for v in (0.3, TIMES, 1.7, 2.0)]
    y = integrated(*x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.data, grown(*ARGUMENTS), rtol=1e-6)


@pytest.mark.filterwarnings("ignore::scipy.integrate.ODEintWarning", "ignore:overflow", "ignore:divide")
@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (lambda y, t: y * y, {}, r"odeint failed between t = 0 and 2: "),
        (lambda y, t: np.nan * y, {}, r"odeint failed between t = 0 and 2: "),
        (lambda y, t: np.cos(1e4 * t) + 0 * y, {"mxstep": 10}, "Excess work done .* larger mxstep"),
    ],
)
def test_a_failure_of_the_integration_is_an_error(function, options, message):
    with pytest.raises(RuntimeError, match=message):
        odeint(function, 1.0, np.array([0.0, 2.0]), **options)


def test_a_gradient_whose_adjoint_does_not_find_back_is_refused_and_more_times_help():
    def end(rate, times):
        return odeint(lambda y, t, rate: -rate * (y - np.cos(t)), 0.0, times, (rate,))[-1, 0]

    def known(rate):
        return (rate * np.cos(1) + np.sin(1) - rate * np.exp(-rate)) * rate / (1 + rate**2)

    assert end(30.0, np.array([0.0, 1.0])).item() == pytest.approx(known(30.0), rel=1e-6)
    with pytest.raises(GradientError, match=r"does not come back to what it was.*give more times t"):
        grad(end)(30.0, np.array([0.0, 1.0]))
    assert grad(end)(30.0, np.linspace(0, 1, 21)) == pytest.approx(grad(known)(30.0), rel=1e-4)


def test_complex_numbers_are_refused():
    with pytest.raises(TypeError, match="odeint takes real numbers"):
        odeint(lambda y, t: y, np.array([1j]), np.array([0.0, 1.0]))


@pytest.mark.parametrize("solve", [
    lambda f: odeint(lambda y, t: f(y), 1.0, np.array([0.0, 1.0])),
    lambda f: fixed_point(f, 1.0),
])  # fmt: skip
def test_a_variable_that_is_no_argument_is_refused(solve):
    w = Variable(np.array(0.5))
    with pytest.raises(GradientError, match="depends on a Variable that is no argument of it"):
        solve(lambda x: np.cos(w * x))
    with pytest.raises(GradientError, match="give it in args"):
        grad(lambda v: np.sum(solve(lambda x: np.cos(v * x))))(0.5)
    constant = solve(lambda x: np.cos(stop_gradient(w) * x)).data
    np.testing.assert_array_equal(constant, solve(lambda x: np.cos(0.5 * x)).data)


def heron(x, a):
    return (x + a / x) / 2


@pytest.mark.parametrize("a", [1e-4, 2.0, 1e6])
def test_derivatives_of_a_root_by_iteration_are_those_of_the_root(a):
    def root(a):
        return fixed_point(heron, 1.0, (a,))

    assert root(a).item() == pytest.approx(a**0.5, rel=1e-12)
    assert grad(root)(a) == pytest.approx(0.5 * a**-0.5, rel=1e-12)
    assert grad(grad(root))(a) == pytest.approx(-0.25 * a**-1.5, rel=1e-12)
    assert grad(grad(grad(root)))(a) == pytest.approx(0.375 * a**-2.5, rel=1e-12)


def test_derivatives_do_not_depend_on_how_fast_the_iteration_converges():
    def slow(x, a):
        return x - 0.01 * (x * x - a)

    def root(a):
        return fixed_point(slow, 1.0, a, xtol=1e-14, maxiter=5000, method="iteration")

    assert grad(root)(2.0) == pytest.approx(0.5 * 2**-0.5, rel=1e-9)
    assert grad(grad(root))(2.0) == pytest.approx(-0.25 * 2**-1.5, rel=1e-9)


def test_a_linear_fixed_point_has_the_derivatives_of_the_linear_system():
    w, b = np.array([[0.3, -0.2], [0.1, 0.4]]), np.array([1.0, -2.0])

    def own(w, b):
        return np.sum(
            fixed_point(lambda x, w, b: w @ x + b, np.zeros(2), (w, b), xtol=1e-14, method="iteration") ** 3
        )

    def known(w, b):
        return np.sum(np.linalg.solve(np.eye(2) - w, b) ** 3)

    for i in range(2):
        np.testing.assert_allclose(grad(own, i)(w, b), grad(known, i)(w, b), rtol=1e-11)
        np.testing.assert_allclose(hessian(own, i)(w, b), hessian(known, i)(w, b), rtol=1e-10, atol=1e-10)


def test_the_start_has_no_gradient_and_complex_numbers_converge():
    x0 = Variable(np.array(1.0))
    assert grad(lambda x0: fixed_point(heron, x0, 2.0))(1.0) == 0
    assert fixed_point(np.cos, x0).item() == pytest.approx(0.7390851332151607, rel=1e-12)
    assert grad(lambda a: fixed_point(heron, 1.0 + 0.1j, a))(2j) == pytest.approx(
        0.5 * (2j) ** -0.5, rel=1e-12
    )


def test_float32_converges_and_stays_float32():
    a = Variable(np.array([2.0, 3.0], np.float32))
    y = fixed_point(heron, np.ones(2, np.float32), a)
    y.backward()
    assert y.dtype == a.grad.dtype == np.float32
    np.testing.assert_allclose(a.grad, 0.5 * a.data**-0.5, rtol=1e-6)


def test_an_iteration_that_does_not_converge_is_an_error_with_its_residual():
    with pytest.raises(
        RuntimeError, match=r"in 20 iterations by method 'iteration': func\(x\) - x is still 1\b"
    ):
        fixed_point(lambda x: x + 1, 0.0, maxiter=20, method="iteration")
    with pytest.raises(ValueError, match=r"func gives shape \(2,\) for x of shape \(3,\)"):
        fixed_point(lambda x: x[:2], np.ones(3))


def test_nothing_is_recorded_without_recording():
    with no_grad():
        y = fixed_point(heron, 1.0, Variable(np.array(2.0)))
    assert y.creator is None
