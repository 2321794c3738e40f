"""Derivatives at the ends of domains and far out, whose limits are known in closed form."""

from math import inf, log, pi, sqrt

import numpy as np
import pytest
from opregistry_special.information import Boxcox, Xlogy
from opregistry_special.spherical_harmonics import SphHarmY
from scipy import special

from registry import Variable, grad, hessian
from registry.plugins import special as ours


def derivatives(function, x):
    with np.errstate(divide="ignore", over="ignore"):
        return float(grad(function)(x)), float(grad(grad(function))(x))


@pytest.mark.parametrize(
    ("function", "x", "first", "second"),
    [
        (special.log_ndtr, -1e10, 1e10, -1.0),
        (special.log_ndtr, -1e150, 1e150, -1.0),
        (special.log_ndtr, 50.0, 0.0, 0.0),
        (special.erfcx, 1e10, -1e-20 / sqrt(pi), 2e-30 / sqrt(pi)),
        (special.dawsn, 1e10, -5e-21, 1e-30),
        (special.i0e, 0.0, 0.0, 0.5),
        (special.i1e, 0.0, 0.5, 0.0),
        (special.i0e, 1e16, -0.5e-24 / sqrt(2 * pi), 0.75e-40 / sqrt(2 * pi)),
        (special.entr, 0.0, inf, -inf),
        (lambda x: special.kl_div(x, 2.0), 0.0, -inf, inf),
        (lambda y: special.kl_div(0.0, y), 2.0, 1.0, 0.0),
        (lambda y: special.rel_entr(0.0, y), 2.0, 0.0, 0.0),
        (lambda y: special.rel_entr(0.0, y), 0.0, 0.0, 0.0),
        (lambda x: special.rel_entr(x, 0.0), 0.0, 0.0, 0.0),
        (lambda x: special.kl_div(x, 0.0), 0.0, 0.0, 0.0),
        (lambda y: special.kl_div(0.0, y), 0.0, 0.0, 0.0),
        (lambda x: special.xlogy(x, 2.0), 0.0, log(2), 0.0),
        (lambda y: special.xlogy(0.0, y), 0.0, 0.0, 0.0),
        (lambda x: special.xlog1py(x, 1.0), 0.0, log(2), 0.0),
        (lambda y: special.xlog1py(0.0, y), -1.0, 0.0, 0.0),
        (lambda x: special.boxcox(x, 2.0), 0.0, 0.0, 1.0),
        (lambda x: special.boxcox(x, 1.0), 0.0, 1.0, 0.0),
        (lambda t: special.boxcox(0.0, t), 2.0, 0.25, -0.25),
        (lambda t: special.boxcox1p(-1.0, t), 2.0, 0.25, -0.25),
        (lambda t: special.boxcox(3.0, t), 0.0, log(3) ** 2 / 2, log(3) ** 3 / 3),
        (lambda x: special.gammainc(1, x), 0.0, 1.0, -1.0),
        (lambda x: special.gammainc(2, x), 0.0, 0.0, 1.0),
        (lambda x: special.gammainc(100, x), 0.0, 0.0, 0.0),
        (lambda x: special.betainc(2, 3, x), 0.0, 0.0, 12.0),
        (lambda x: special.betainc(2, 3, x), 1.0, 0.0, 0.0),
        (lambda x: special.betainc(100, 2, x), 1.0, 0.0, -10100.0),
        (lambda x: special.betainc(100, 200, x), 0.0, 0.0, 0.0),
        (lambda x: special.expn(3, x), 0.0, -1.0, inf),
        (lambda x: special.sici(x)[0], 0.0, 1.0, 0.0),
        (special.j1, 0.0, 0.5, 0.0),
        (lambda x: special.jv(2, x), 0.0, 0.0, 0.25),
        (special.expit, 0.0, 0.25, 0.0),
        (special.expit, 1e-12, 0.25, -0.125e-12),
        (special.logit, 2.0**-1000, 2.0**1000, -inf),
        (lambda y: special.kl_div(1.0, y), 1e20, 1.0, 1e-40),
        (lambda x: ours.t_logpdf(x, 1e160), 1e-300, -1e-300, -1.0),
        (lambda df: ours.t_logpdf(0.5, df), 1e16, 1.4375 / 4 * 1e-32, -1.4375 / 2 * 1e-48),
        (lambda df: ours.t_logpdf(3.0, df), 1e16, -62 / 4 * 1e-32, 62 / 2 * 1e-48),
        (lambda x: np.real(special.wofz(x)), 0.0, 0.0, -2.0),
        (lambda x: np.imag(special.wofz(x)), 1e8, -1e-16 / sqrt(pi), 2e-24 / sqrt(pi)),
    ],
)  # fmt: skip
def test_derivatives_at_the_ends_of_domains_and_far_out(function, x, first, second):
    np.testing.assert_allclose(derivatives(function, x), (first, second), rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize(("function", "end"), [(special.xlogy, 0.0), (special.xlog1py, -1.0)])
def test_a_constant_factor_of_zero_warns_of_nothing(function, end):
    y = Variable(np.array([end, 0.5]))
    np.sum(function(np.array([0.0, 1.5]), y)).backward()
    assert y.grad.tolist() == [0.0, 1.5 / (0.5 - end)]


@pytest.mark.parametrize("entropy", [special.rel_entr, special.kl_div])
def test_relative_entropies_have_no_second_derivative_where_both_are_zero(entropy):
    def along(t):  # a multiple of t**2, so that a second derivative of 0 is wrong
        return entropy(t**2, 2 * t**2)

    with np.errstate(divide="ignore"):
        assert grad(along)(0.0) == 0
        assert np.isnan(grad(grad(along))(0.0))
        assert grad(along)(1.0) == pytest.approx(2 * along(1.0), rel=1e-14)


def test_mixed_derivatives_of_products_with_logarithms_where_one_factor_is_zero():
    found = hessian(lambda v: Xlogy()(v[0], v[1]))(np.array([0.0, 4.0]))
    np.testing.assert_allclose(found, [[0, 0.25], [0.25, 0]])


def test_mixed_derivative_of_boxcox_where_lmbda_is_zero():
    found = hessian(lambda v: Boxcox()(v[0], v[1]))(np.array([2.0, 0.0]))
    expected = [[-0.25, log(2) / 2], [log(2) / 2, log(2) ** 3 / 3]]
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize(("theta", "sign"), [(0.0, -1), (pi, 1)])
def test_spherical_harmonics_are_differentiated_at_the_poles(theta, sign):
    found = grad(lambda t: np.real(SphHarmY()(1, 1, t, 0.0)))(theta)
    np.testing.assert_allclose(found, sign * sqrt(3 / (8 * pi)))  # -sqrt(3 / (8 pi)) * cos(theta)


@pytest.mark.parametrize("m", [-2, -1, 0, 1, 2])
def test_spherical_harmonics_solve_their_differential_equation(m):
    theta, phi = 0.7, 0.4

    def real(t, p):
        return np.real(SphHarmY()(2, m, t, p))

    by_theta = grad(real)
    bend = grad(by_theta)(theta, phi) + by_theta(theta, phi) / np.tan(theta)
    turn = grad(grad(real, 1), 1)(theta, phi) / np.sin(theta) ** 2
    np.testing.assert_allclose(bend + turn, -6 * real(theta, phi).data, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64])
def test_integers_are_differentiated_without_overflow(dtype):
    x = Variable(np.array([12, 3], dtype))
    np.sum(special.erf(x)).backward()
    np.testing.assert_allclose(x.grad, 2 / sqrt(pi) * np.exp([-144.0, -9.0]))
    n, k = Variable(np.array(100, dtype)), Variable(np.array(100, dtype))
    special.betaln(n, k).backward()
    np.testing.assert_allclose(n.grad, special.digamma(100.0) - special.digamma(200.0))


@pytest.mark.parametrize("name", ["jv", "yv", "yn", "iv", "ive", "kv"])
def test_orders_that_are_python_numbers_leave_float32_as_it_is(name):
    x = Variable(np.array([0.5, 2.0], np.float32))
    y = getattr(special, name)(1, x)
    np.sum(y).backward()
    assert y.dtype == x.grad.dtype == np.float32


def test_orders_that_are_python_numbers_stand_beside_complex_numbers():
    z = 1 + 2j
    np.testing.assert_allclose(grad(lambda z: special.jv(0, z))(z), -special.jv(1, z))
    np.testing.assert_allclose(grad(lambda z: special.hyp1f1(1, 2, z))(z), special.hyp1f1(2, 3, z) / 2)
