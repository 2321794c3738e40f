"""First and second derivatives beside those of mpmath, at points where formulas tend to lose digits."""

import mpmath as mp
import pytest
from opregistry_special.beta_functions import Comb, Factorial
from opregistry_special.gamma_functions import Multigammaln, Polygamma, Zeta
from scipy import special

from registry import grad


def check(function, reference, x, tolerance=2e-12):
    """Compare both derivatives with those of a function of mpmath's."""
    with mp.workdps(30 if x == 0 or 1e-3 < abs(x) < 15 else 100):
        expected = [mp.diff(reference, mp.mpmathify(x), n, relative=0 < abs(x) < 1e-3) for n in (1, 2)]
    compare(function, x, expected, tolerance)


def compare(function, x, expected, tolerance=2e-12, scale=0.0):
    """Compare both derivatives with those expected, relative to each or to `scale`, down to 1e-290."""
    for found, right in zip((grad(function)(x), grad(grad(function))(x)), expected, strict=True):
        assert abs(found - right) <= tolerance * max(abs(right), scale, 1e-290), (found, right)


def ndtr(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


ONE_ARGUMENT = [
    (special.gamma, mp.gamma, (0.002, 0.1, 1.46, 5.5, 50.0, 170.0, -0.5, -3.7, -100.3)),
    (special.gammaln, mp.loggamma, (1e-8, 0.5, 1.0, 2.0, 3.3, 100.0, 1e10)),
    (special.gammaln, lambda x: mp.log(abs(mp.gamma(x))), (-0.5, -10.7)),
    (special.loggamma, mp.loggamma, (1e-8, 0.5, 1.0, 100.0)),
    (special.rgamma, mp.rgamma, (0.0, -1.0, -2.0, -10.0, 0.3, 0.5, 2.5, -0.5, -3.7, -20.2, 60.0)),
    (special.digamma, mp.digamma, (1e-8, 0.5, 1.4616321449683623, 3.0, 1e8, -0.5, -10.3)),
    (special.erf, mp.erf, (0.0, 1e-10, 0.5, 2.0, -5.0)),
    (special.erfc, mp.erfc, (1e-10, 0.5, 2.0, 6.0, 26.0)),
    (special.erfi, mp.erfi, (1e-10, 0.5, -3.0, 14.0)),
    (special.erfcx, lambda x: mp.exp(x * x) * mp.erfc(x),
     (-26.0, -5.0, -1.0, 0.0, 0.5, 1.6, 1.99, 2.01, 5.0, 6.4, 6.6, 50.0, 1e4, 1e8)),
    (special.erfinv, mp.erfinv, (1e-10, 0.5, -0.9, 0.999, 1 - 1e-12)),
    (special.erfcinv, lambda x: mp.erfinv(1 - x), (1e-20, 1e-10, 0.5, 1.9)),
    (special.ndtr, ndtr, (-37.0, -5.0, 3.0, 8.0)),
    (special.ndtri, lambda p: -mp.sqrt(2) * mp.erfinv(1 - 2 * p), (1e-20, 1e-5, 0.3, 0.9)),
    (special.log_ndtr, lambda x: mp.log1p(-ndtr(-x)) if x > 0 else mp.log(ndtr(x)),
     (-1e4, -100.0, -30.0, -5.0, -1.5, -1.0, -0.9, 0.0, 3.0, 8.0, 30.0)),
    (special.dawsn, lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x),
     (0.0, 1e-8, 0.5, 1.5, 3.0, 6.4, 6.6, 20.0, 1e4, 1e8, -4.0)),
    (special.exp1, mp.e1, (1e-10, 0.5, 1.0, 10.0, 100.0, 700.0)),
    (special.expi, mp.ei, (1e-10, 0.5, 10.0, 100.0, -3.0, -50.0)),
    (special.spence, lambda z: mp.polylog(2, 1 - z),
     (1e-10, 0.1, 0.49, 0.51, 0.999999, 1.0, 1 + 1e-10, 1.2, 1.49, 1.51, 5.0, 100.0)),
    (Factorial(), mp.factorial, (0.0, 0.5, 3.0, 20.0)),
    (special.entr, lambda x: -x * mp.log(x), (1e-10, 0.3, 1.0, 100.0)),
    (special.expit, lambda x: -1 / (1 + mp.exp(x)) if x > 0 else 1 / (1 + mp.exp(-x)),
     (-700.0, -40.0, -1.0, 1.0, 40.0, 700.0)),
    (special.logit, lambda x: mp.log(x / (1 - x)), (1e-10, 0.3, 0.999)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "reference", "x"),
    [
        pytest.param(f, m, x, id=f"{getattr(f, '__name__', type(f).__name__)}({x})")
        for f, m, xs in ONE_ARGUMENT
        for x in xs
    ],
)
def test_functions_of_one_number(function, reference, x):
    check(function, reference, x)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("x", [0.01, 1.0, 10.0, 100.0])
def test_expn(n, x):
    check(lambda x: special.expn(n, x), lambda x: mp.expint(n, x), x)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("x", [0.01, 1.0, 10.0, 1e5, -0.3, -5.4])
def test_polygamma(n, x):
    check(lambda x: Polygamma()(n, x), lambda x: mp.psi(n, x), x)


@pytest.mark.parametrize("x", [0.01, 1.0, 10.0, 1e5])
def test_zeta(x):
    check(lambda q: Zeta()(3, q), lambda q: mp.zeta(3, q), x)


def density(a, x):
    log_density = (a - 1) * mp.log(x) - x - mp.loggamma(a)
    return mp.exp(log_density), mp.exp(log_density) * ((a - 1) / x - 1)


@pytest.mark.parametrize("a", [0.5, 1, 2, 7.3, 16, 100, 1e5])
@pytest.mark.parametrize("share", [1e-3, 0.5, 0.9, 1.001, 1.1, 2.0])
def test_incomplete_gamma_functions(a, share):
    with mp.workdps(40):
        first, second = density(mp.mpf(a), mp.mpf(a * share))
    compare(lambda x: special.gammainc(a, x), a * share, (first, second))
    compare(lambda x: special.gammaincc(a, x), a * share, (-first, -second))


@pytest.mark.parametrize(
    ("a", "b"),
    [(0.5, 0.5), (1, 1), (2, 3), (0.5, 20), (16, 16), (100, 3), (3, 100.0), (300, 500), (1e5, 2e5)],
)
@pytest.mark.parametrize("way", [-0.999, -0.5, -0.01, 0.0, 0.1, 0.9])
def test_incomplete_beta_function(a, b, way):
    mean = a / (a + b)
    x = mean + way * (mean if way < 0 else 1 - mean)
    with mp.workdps(40):
        p, q, t = mp.mpf(a), mp.mpf(b), mp.mpf(x)
        log_beta = mp.loggamma(p) + mp.loggamma(q) - mp.loggamma(p + q)
        first = mp.exp((p - 1) * mp.log(t) + (q - 1) * mp.log(1 - t) - log_beta)
        bend = (p - 1) / t - (q - 1) / (1 - t)
    tolerance = 2e-12 if first > 1e-30 else 2e-11
    second = first * bend
    compare(lambda x: special.betainc(a, b, x), x, (first, second), tolerance, scale=10 * first)
    compare(lambda x: special.betaincc(a, b, x), x, (-first, -second), tolerance, scale=10 * first)


@pytest.mark.parametrize(("a", "b"), [(0.5, 1.5), (2, 3), (1, 2.5)])
def test_hypergeometric_functions(a, b):
    for x in (-14.0, -1.0, 0.0, 1.0, 14.0):
        check(lambda z: special.hyp1f1(a, b, z), lambda z: mp.hyp1f1(a, b, z), x)
    for x in (-14.0, -1.0, 0.0, 0.1, 0.5, 0.9, 0.99):
        check(lambda z: special.hyp2f1(a, b, 2.5, z), lambda z: mp.hyp2f1(a, b, 2.5, z), x)


def power_transform(log, lmbda):
    """(exp(t) - 1) / lmbda, as the integral that is smooth where lmbda is 0."""
    return log * mp.hyp1f1(1, 2, lmbda * log)


@pytest.mark.parametrize("lmbda", [0.0, 1e-10, 0.5, -2.0, 30.0])
def test_power_transforms_of_x(lmbda):
    exact = mp.mpf(lmbda)
    for x in (0.1, 0.5, 1.0, 1.0001, 3.0, 10.0):
        check(lambda x: special.boxcox(x, lmbda), lambda x: power_transform(mp.log(x), exact), x)
    for x in (-0.9, 1e-5, 0.4, 0.6, 3.0, 10.0):
        check(lambda x: special.boxcox1p(x, lmbda), lambda x: power_transform(mp.log1p(x), exact), x)


@pytest.mark.parametrize("x", [1e-3, 0.5, 0.9999, 1.5, 100.0])
@pytest.mark.parametrize("lmbda", [-3.0, -1e-8, 0.0, 1e-8, 0.5, 3.0, 10.0])
def test_power_transforms_of_lmbda(x, lmbda):
    check(lambda t: special.boxcox(x, t), lambda t: power_transform(mp.log(mp.mpf(x)), t), lmbda)
    check(lambda t: special.boxcox1p(x, t), lambda t: power_transform(mp.log1p(mp.mpf(x)), t), lmbda)


@pytest.mark.parametrize("b", [1e-8, 0.5, 1.0, 30.0])
@pytest.mark.parametrize("a", [1e-3, 0.5, 3.0, 30.0, 1e5, 1e10])
def test_quotients_of_gamma_functions_lose_nothing_beside_large_or_small_numbers(a, b):
    with mp.workdps(50):
        p, q = mp.mpf(a), mp.mpf(b)
        slope, bend = mp.psi(0, p) - mp.psi(0, p + q), mp.psi(1, p) - mp.psi(1, p + q)
        rising, bowed = mp.psi(0, p + q) - mp.psi(0, p), mp.psi(1, p + q) - mp.psi(1, p)
    compare(lambda a: special.betaln(a, b), a, (slope, bend))
    compare(lambda a: special.betaln(b, a), a, (slope, bend))
    beta, poch = float(special.beta(a, b)), float(special.poch(a, b))
    compare(lambda a: special.beta(a, b), a, (beta * slope, beta * (slope**2 + bend)))
    compare(lambda a: special.poch(a, b), a, (poch * rising, poch * (rising**2 + bowed)), scale=poch / a)


def owens_t(h, a):
    return mp.quad(lambda t: mp.exp(-h * h * (1 + t * t) / 2) / (1 + t * t), [0, a]) / (2 * mp.pi)


OTHERS = [
    ("poch(z, 3)", lambda z: special.poch(z, 3), lambda z: z * (z + 1) * (z + 2),
     (0.0, -0.5, -1.3, -2.0, -3.0, -5.0)),
    ("poch(z, -2)", lambda z: special.poch(z, -2), lambda z: 1 / (z - 1) / (z - 2), (3.0, 0.5, 0.0, -1.0)),
    ("poch(2.5, m)", lambda m: special.poch(2.5, m), lambda m: mp.rf(mp.mpf(2.5), m), (0.0, 1.0, 3.3, -1.0)),
    ("comb(n, 2)", lambda n: Comb()(n, 2.0), lambda n: n * (n - 1) / 2, (2.0, 3.5, 100.0, 1e8)),
    ("comb(10.5, k)", lambda k: Comb()(10.5, k), lambda k: mp.binomial(10.5, k), (0.0, 3.5, 5.25, 9.0)),
    ("multigammaln", lambda a: Multigammaln(3)(a),
     lambda a: mp.loggamma(a) + mp.loggamma(a - 0.5) + mp.loggamma(a - 1), (1.01, 2.0, 30.0)),
    ("kl_div(x, 1)", lambda x: special.kl_div(x, 1.0), lambda x: x * mp.log(x) - x,
     (1e-10, 0.3, 0.49, 0.5, 0.9999999, 1.0000001, 1.6, 100.0)),
    ("kl_div(1, y)", lambda y: special.kl_div(1.0, y), lambda y: y - mp.log(y),
     (1e-10, 0.3, 0.49, 0.9999999, 1.0000001, 1.6, 100.0)),
    ("rel_entr(x, 2)", lambda x: special.rel_entr(x, 2.0), lambda x: x * mp.log(x / 2),
     (1e-10, 0.3, 1.9, 100.0)),
    ("owens_t of a", lambda a: special.owens_t(1.25, a), lambda a: owens_t(mp.mpf(1.25), a), (0.3, 1.0, 5.0)),
    ("owens_t of h", lambda h: special.owens_t(h, 0.75), lambda h: owens_t(h, mp.mpf(0.75)), (0.3, 1.0, 5.0)),
    ("fresnel S", lambda z: special.fresnel(z)[0], mp.fresnels, (0.3, 10.3, 1000.7)),
    ("fresnel C", lambda z: special.fresnel(z)[1], mp.fresnelc, (0.3, 10.3, 1000.7)),
    ("sici Si", lambda z: special.sici(z)[0], mp.si, (1e-5, 0.3, 3.0, 100.0)),
    ("sici Ci", lambda z: special.sici(z)[1], mp.ci, (1e-5, 0.3, 3.0, 100.0)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "reference", "x"),
    [pytest.param(f, m, x, id=f"{name} at {x}") for name, f, m, xs in OTHERS for x in xs],
)
def test_functions_of_one_argument_among_several(function, reference, x):
    check(function, reference, x)


COMPLEX = [
    (
        special.wofz,
        lambda z: mp.exp(-z * z) * mp.erfc(-1j * z),
        (0.5 + 0.5j, 3 - 0.1j, 7 + 1j, 100 + 100j, 20 + 0j),
    ),
    (special.erfcx, lambda z: mp.exp(z * z) * mp.erfc(z), (0.5 - 2j, -1 + 1j, 3 + 8j, -0.1 + 9j)),
    (special.dawsn, lambda z: mp.sqrt(mp.pi) / 2 * mp.exp(-z * z) * mp.erfi(z), (1 + 1j, 8 + 0.01j, -3 - 2j)),
    (special.log_ndtr, lambda z: mp.log(ndtr(z)), (-9 + 1j, 0.5 - 1j)),
    (special.gamma, mp.gamma, (0.5 + 2j, -3.2 + 0.1j)),
    (special.loggamma, mp.loggamma, (0.5 + 2j, -3.2 + 0.1j, 100 - 3j)),
    (special.rgamma, mp.rgamma, (-3 + 0j, -2.9 + 0.5j, -3.2 + 4j, 5 + 1j)),
    (special.digamma, mp.digamma, (0.5 + 2j, -3.2 + 0.1j, -40.5 + 1e-3j, 1e5 + 1j)),
    (special.exp1, mp.e1, (1 + 2j, -3 + 0.5j)),
    (special.spence, lambda z: mp.polylog(2, 1 - z), (1 + 0j, 1.3 + 0.2j, 3 - 2j)),
    (lambda z: special.jv(1, z), lambda z: mp.besselj(1, z), (2 + 1j,)),
    (lambda z: special.kv(0.5, z), lambda z: mp.besselk(0.5, z), (2 + 1j,)),
    (lambda z: special.hyp1f1(1, 2.5, z), lambda z: mp.hyp1f1(1, 2.5, z), (2 + 1j, -20 + 3j)),
]  # fmt: skip


@pytest.mark.parametrize(("function", "reference", "z"), [(f, m, z) for f, m, zs in COMPLEX for z in zs])
def test_complex_derivatives(function, reference, z):
    check(function, reference, z)


HIGHER = [
    (special.gammaln, mp.loggamma, 2.5),
    (special.rgamma, mp.rgamma, -2.0),
    (special.erfcx, lambda x: mp.exp(x * x) * mp.erfc(x), 20.0),
    (special.dawsn, lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x), 12.0),
    (special.log_ndtr, lambda x: mp.log(ndtr(x)), -12.0),
    (special.i0e, lambda x: mp.besseli(0, x) * mp.exp(-x), 50.0),
    (special.spence, lambda z: mp.polylog(2, 1 - z), 1.0),
    (lambda x: special.expn(1, x), mp.e1, 1.5),
    (lambda a: special.betaln(a, 0.5), lambda a: mp.log(mp.beta(a, 0.5)), 12.0),
]


@pytest.mark.parametrize(("function", "reference", "x"), HIGHER)
def test_third_and_fourth_derivatives(function, reference, x):
    third = grad(grad(grad(function)))
    with mp.workdps(60):
        for found, order in ((third(x), 3), (grad(third)(x), 4)):
            expected = mp.diff(reference, mp.mpf(x), order)
            assert abs(found - expected) <= 1e-11 * abs(expected), (order, found, expected)
