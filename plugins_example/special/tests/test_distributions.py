"""Distributions beside SciPy's values and mpmath's values and derivatives, and what is refused."""

import mpmath as mp
import numpy as np
import pytest
from opregistry_special import distributions, multivariate_distributions
from opregistry_special.distributions import (
    beta_cdf,
    chi2_cdf,
    gamma_cdf,
    gamma_logpdf,
    gamma_pdf,
    norm_logcdf,
    norm_pdf,
    poisson_cdf,
    poisson_logpmf,
    poisson_pmf,
    t_cdf,
    t_logcdf,
    t_logpdf,
)
from opregistry_special.multivariate_distributions import (
    dirichlet_logpdf,
    multivariate_normal_entropy,
    multivariate_normal_logpdf,
    multivariate_normal_pdf,
)
from scipy import stats

from registry import GradientError, Variable, grad

INF = np.inf


def value(y):
    return np.asarray(y.data if isinstance(y, Variable) else y)


def normal_cdf(z):
    return mp.erfc(-z / mp.sqrt(2)) / 2


def log_of(lower, upper):
    """Give the logarithm of a probability from whichever tail is small."""
    return mp.log1p(-upper) if upper < 0.5 else mp.log(lower)


def gamma_log(z, a):
    return (a - 1) * mp.log(z) - z - mp.loggamma(a)


def beta_log(z, a, b):
    ratio = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
    return (a - 1) * mp.log(z) + (b - 1) * mp.log(1 - z) - ratio


def t_log(z, df):
    constant = mp.loggamma((df + 1) / 2) - mp.loggamma(df / 2) - mp.log(df * mp.pi) / 2
    return constant - (df + 1) / 2 * mp.log1p(z * z / df)


def t_lower(z, df):
    if z > 0:
        return 1 - t_lower(-z, df)
    half, x = mp.mpf(1) / 2, df / (df + z * z)
    tail = x ** (df / 2) * mp.sqrt(1 - x) * mp.hyp2f1(df / 2 + half, 1, df / 2 + 1, x)
    return tail / (df * mp.beta(df / 2, half))


def density(log_density):
    return lambda z, *shapes: mp.exp(log_density(z, *shapes))


def chi2(of_gamma):
    return lambda z, df: of_gamma(z / 2, df / 2)


HALF = mp.log(2)
# name, the standard distribution by mpmath, whether scale divides it ("pdf") or its log is taken off, points
HARD = [
    ("norm_logpdf", lambda z: -z * z / 2 - mp.log(2 * mp.pi) / 2, "logpdf", [(-3e3,), (0.3,), (1e10,)]),
    ("norm_pdf", lambda z: mp.npdf(z), "pdf", [(-30.0,), (0.3,)]),
    ("norm_cdf", normal_cdf, "", [(-20.0,), (0.3,), (7.0,)]),
    ("norm_sf", lambda z: normal_cdf(-z), "", [(20.0,), (0.3,), (-7.0,)]),
    ("norm_logcdf", lambda z: log_of(normal_cdf(z), normal_cdf(-z)), "",
     [(-1e10,), (-1e3,), (-40.0,), (-1.1,), (0.5,), (7.0,)]),
    ("norm_logsf", lambda z: log_of(normal_cdf(-z), normal_cdf(z)), "", [(1e10,), (1e3,), (1.1,), (-7.0,)]),
    ("gamma_logpdf", gamma_log, "logpdf",
     [(1e-10, 0.5), (1e-3, 300.0), (0.99, 2.5), (1.01, 0.1), (30.0, 1e-3), (1.002e6, 1e6), (9e9, 1e10)]),
    ("gamma_pdf", density(gamma_log), "pdf",
     [(1e-10, 0.5), (0.9, 2.5), (1.01, 0.1), (1.002e6, 1e6), (300.0, 2.5)]),
    ("gamma_cdf", lambda z, a: mp.gammainc(a, 0, z, regularized=True), "",
     [(1e-10, 0.5), (0.9, 2.5), (50.0, 40.0)]),
    ("chi2_logpdf", lambda z, df: chi2(gamma_log)(z, df) - HALF, "logpdf", [(1e-3, 3.0), (2.004e6, 2e6)]),
    ("chi2_pdf", lambda z, df: chi2(density(gamma_log))(z, df) / 2, "pdf", [(1e-3, 3.0), (2.004e6, 2e6)]),
    ("chi2_cdf", chi2(lambda z, a: mp.gammainc(a, 0, z, regularized=True)), "", [(1e-3, 3.0), (30.0, 25.0)]),
    ("beta_logpdf", beta_log, "logpdf",
     [(1e-10, 0.5, 2.5), (0.3, 2.0, 3.0), (0.5002, 1e6, 1e6), (2e-5, 2.0, 1e5), (0.999, 3e3, 0.3)]),
    ("beta_pdf", density(beta_log), "pdf", [(1e-10, 0.5, 2.5), (0.3, 2.0, 3.0), (0.5002, 1e6, 1e6)]),
    ("beta_cdf", lambda z, a, b: mp.betainc(a, b, 0, z, regularized=True), "",
     [(1e-10, 0.5, 2.5), (0.3, 2.0, 3.0), (0.97, 30.0, 2.0)]),
    ("t_logpdf", t_log, "logpdf", [(1e-3, 3.0), (5.0, 0.01), (-50.0, 1e3), (2.0, 1e4), (1e20, 2.0)]),
    ("t_pdf", density(t_log), "pdf", [(1e-3, 3.0), (5.0, 0.1), (-10.0, 1e3)]),
    ("t_cdf", t_lower, "", [(-0.5, 3.0), (3.0, 30.0), (-10.0, 50.0), (-1e20, 2.0)]),
    ("t_logcdf", lambda z, df: log_of(t_lower(z, df), t_lower(-z, df)), "",
     [(-0.5, 3.0), (2.0, 30.0), (-1.99, 100.0), (-2.01, 100.0), (-2.01, 0.1), (-60.0, 100.0), (-1e20, 30.0)]),
]  # fmt: skip
WITHOUT = {"gamma_cdf", "chi2_cdf", "beta_cdf", "t_cdf", "t_logcdf"}  # a derivative by shapes


def reference(standard, kind):
    def scaled(x, *others):
        *shapes, loc, scale = others
        y = standard((x - loc) / scale, *shapes)
        return y / scale if kind == "pdf" else y - mp.log(scale) if kind == "logpdf" else y

    return scaled


def differentiated(function, x, i, order):
    def of_one(u):
        return function(*x[:i], u, *x[i + 1 :])

    step = mp.mpf(10) ** -20 * max(abs(x[i]), mp.mpf(10) ** -10)
    if order == 1:
        return (of_one(x[i] + step) - of_one(x[i] - step)) / (2 * step)
    return (of_one(x[i] + step) - 2 * of_one(x[i]) + of_one(x[i] - step)) / step**2


@pytest.mark.parametrize(
    ("name", "standard", "kind", "point"),
    [pytest.param(*case, point, id=f"{case[0]}{point}") for *case, points in HARD for point in points],
)
def test_values_and_both_derivatives_by_every_parameter_are_mpmaths(name, standard, kind, point):
    function, expected = getattr(distributions, name), reference(standard, kind)
    shapes = point[1:]
    x = (2 * point[0], *shapes, 0.0, 2.0)
    differentiable = [i for i in range(len(x)) if not (name in WITHOUT and 0 < i <= len(shapes))]
    with mp.workdps(150):
        exact = tuple(map(mp.mpf, x))
        assert value(function(*x)) == pytest.approx(float(expected(*exact)), rel=1e-12)
        for i in differentiable:
            for order in (1, 2):
                transformed = grad(function, argnums=i)
                transformed = grad(transformed, argnums=i) if order == 2 else transformed
                known = float(differentiated(expected, exact, i, order))
                assert transformed(*x) == pytest.approx(known, rel=2e-11), (i, order)


GRID = np.array([-INF, -7.0, -1.0, -1e-9, 0.0, 1e-9, 0.3, 0.5, 1.0, 1.5, 9.0, 40.0, INF, np.nan])
SHAPES = {"norm": (), "gamma": (2.5,), "chi2": (3.0,), "beta": (2.5, 1.5), "t": (2.5,)}
NAMES = [name for name, *_ in HARD]


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value", "ignore:overflow")
@pytest.mark.parametrize(("loc", "scale"), [(0, 1), (-0.25, 2.0)])
@pytest.mark.parametrize("name", NAMES)
def test_values_are_scipys_within_and_outside_of_the_support(name, loc, scale):
    distribution, method = name.split("_")
    shapes = SHAPES[distribution]
    expected = getattr(getattr(stats, distribution), method)(GRID, *shapes, loc, scale)
    if distribution != "norm" and method == "logpdf":
        expected = np.where(np.isposinf(GRID), -INF, expected)  # SciPy's is nan
    if distribution != "norm" and method == "pdf":
        expected = np.where(np.isposinf(GRID), 0, expected)
    found = value(getattr(distributions, name)(GRID, *shapes, loc, scale))
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_without_a_meaning_give_nan_as_in_scipy(name):
    distribution, method = name.split("_")
    count = len(SHAPES[distribution])
    scipys, ours = getattr(getattr(stats, distribution), method), getattr(distributions, name)
    x, good = np.array([-0.5, 0.4, 3.0]), [2.0] * count
    for bad in (0.0, -1.0):
        for arguments in [(*good, 0, bad)] + [(*good[:i], bad, *good[i + 1 :], 0, 1) for i in range(count)]:
            with np.errstate(all="ignore"):
                assert np.isnan(scipys(x, *arguments)).all()
            assert np.isnan(value(ours(x, *arguments))).all()
    mixed = value(ours(x, *good, 0, np.array([1.0, -1.0, 2.0])))
    np.testing.assert_allclose(mixed, scipys(x, *good, 0, np.array([1.0, -1.0, 2.0])), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "x"),
    [
        (name, x)
        for distribution, x in (("gamma", -1.0), ("chi2", -1.0), ("beta", -1.0), ("beta", 2.0))
        for name in NAMES if name.startswith(distribution)
    ],
)  # fmt: skip
def test_outside_of_the_support_all_gradients_are_zero(name, x):
    shapes = SHAPES[name.split("_")[0]]
    differentiable = [0] if name in WITHOUT else list(range(len(shapes) + 1))
    for i in (*differentiable, len(shapes) + 1, len(shapes) + 2):
        gradient = grad(getattr(distributions, name), argnums=i)
        assert gradient(x, *shapes, 0.0, 1.0) == 0
        assert grad(gradient, argnums=i)(x, *shapes, 0.0, 1.0) == 0


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_density_at_the_end_of_its_support_has_the_derivative_from_inside():
    assert grad(gamma_pdf)(0.0, 1.0) == -1  # exp(-x)
    assert grad(gamma_pdf)(0.0, 2.0) == 1  # x * exp(-x)
    assert grad(grad(gamma_pdf))(0.0, 2.0) == -2
    assert grad(gamma_logpdf)(0.0, 1.0) == -1
    assert value(gamma_pdf(0.0, 0.5)) == INF


@pytest.mark.parametrize(
    ("function", "arguments", "names"),
    [
        (gamma_cdf, {"x": 1.0, "a": 2.0}, ["a"]),
        (chi2_cdf, {"x": 1.0, "df": 2.0}, ["df"]),
        (beta_cdf, {"x": 0.5, "a": 2.0, "b": 3.0}, ["a", "b"]),
        (t_cdf, {"x": 1.0, "df": 2.0}, ["df"]),
        (t_logcdf, {"x": 1.0, "df": 2.0}, ["df"]),
        (poisson_logpmf, {"k": 1.0, "mu": 2.0}, ["k"]),
        (poisson_pmf, {"k": 1.0, "mu": 2.0, "loc": 0.0}, ["loc", "k"]),
        (poisson_cdf, {"k": 1.0, "mu": 2.0, "loc": 0.0}, ["loc", "k"]),
    ],
)  # fmt: skip
def test_a_derivative_without_a_closed_form_is_refused_by_name(function, arguments, names):
    for name in names:
        y = function(**{**arguments, name: Variable(np.array(arguments[name]))})
        assert y.data == value(function(**arguments))
        with pytest.raises(GradientError, match=f"{function.__name__} has no derivative by '{name}'"):
            y.backward()
    positional = function(*arguments.values())
    assert value(positional) == value(function(**arguments))


def test_a_parameter_without_a_derivative_stops_no_other():
    x, a = Variable(np.array(1.5)), np.array(2.5)
    gamma_cdf(x, a).backward()
    assert x.grad == pytest.approx(stats.gamma.pdf(1.5, 2.5), rel=1e-14)
    assert grad(lambda x, a: gamma_cdf(x, a))(1.5, 2.5) == x.grad


def test_the_tail_of_t_is_exact_where_its_probability_underflows():
    with mp.workdps(60):
        z, df = mp.mpf(-50), mp.mpf(10) ** 6
        over_density = mp.quad(lambda u: mp.exp(t_log(z - u, df) - t_log(z, df)), [0, 0.1, 1, 10])
        expected = t_log(z, df) + mp.log(over_density)
        assert t_logcdf(-50.0, 1e6).item() == pytest.approx(float(expected), rel=1e-14)
        assert grad(t_logcdf)(-50.0, 1e6) == pytest.approx(float(1 / over_density), rel=1e-13)
    assert stats.t.logcdf(-50.0, 1e6) == -INF  # which is why it is computed otherwise


@pytest.mark.parametrize("z", [-1e200, 1e200])
def test_the_density_of_t_does_not_overflow_where_the_square_does(z):
    with mp.workdps(60):
        expected = float(t_log(mp.mpf(z), mp.mpf(3)))
    assert value(t_logpdf(z, 3.0)) == pytest.approx(expected, rel=1e-14)
    assert grad(t_logpdf)(z, 3.0) == pytest.approx(-4 / z, rel=1e-14)


def test_t_of_infinite_df_is_normal():
    x = np.array([-40.0, -3.0, 0.2, 5.0])
    np.testing.assert_allclose(value(t_logpdf(x, INF)), stats.norm.logpdf(x), rtol=1e-14)
    np.testing.assert_allclose(value(t_logcdf(x, INF)), stats.norm.logcdf(x), rtol=1e-13)
    np.testing.assert_allclose(value(t_cdf(x, INF)), stats.norm.cdf(x), rtol=1e-13)
    assert grad(t_logcdf)(-40.0, INF) == pytest.approx(grad(norm_logcdf)(-40.0), rel=1e-13)


POISSON = [(0, 1e-10), (0, 700.0), (3, 2.5), (5, 1e-3), (10**6 + 1000, 1e6), (10**10, 9.999e9)]


@pytest.mark.parametrize(("k", "mu"), POISSON)
def test_poisson_probabilities_and_derivatives_are_mpmaths(k, mu):
    with mp.workdps(60):
        m = mp.mpf(mu)
        log_probability = k * mp.log(m) - m - mp.loggamma(k + 1)
        assert poisson_logpmf(k, mu).item() == pytest.approx(float(log_probability), rel=1e-12)
        assert value(poisson_pmf(k, mu)) == pytest.approx(float(mp.exp(log_probability)), rel=1e-11)
        slope = k / m - 1
        assert grad(poisson_logpmf, 1)(k, mu) == pytest.approx(float(slope), rel=1e-9)
        assert grad(poisson_pmf, 1)(k, mu) == pytest.approx(float(slope * mp.exp(log_probability)), rel=1e-9)
        by_mu = -mp.exp(log_probability)  # of the sum of all up to k
        assert grad(poisson_cdf, 1)(k, mu) == pytest.approx(float(by_mu), rel=1e-11)
        curvature = -by_mu * (1 - k / m) if k else mp.exp(log_probability)
        assert grad(grad(poisson_cdf, 1), 1)(k, mu) == pytest.approx(float(curvature), rel=1e-9)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("method", ["logpmf", "pmf", "cdf"])
@pytest.mark.parametrize("loc", [0, 2])
def test_poisson_values_are_scipys(method, loc):
    k = np.array([-3.0, -0.5, 0.0, 0.5, 1.0, 2.0, 7.0, 7.5, 300.0, INF])
    for mu in (0.0, 0.3, 8.0):
        expected = getattr(stats.poisson, method)(k, mu, loc)
        expected = np.where(np.isnan(expected), -INF if method == "logpmf" else 0, expected)
        found = value(getattr(distributions, f"poisson_{method}")(k, mu, loc))
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-300)
    assert np.isnan(value(getattr(distributions, f"poisson_{method}")(1, -1.0)))


def test_float32_stays_float32_beside_pythons_numbers():
    x = Variable(np.array([0.2, 0.6], np.float32))
    for name in NAMES:
        shapes = [2] * len(SHAPES[name.split("_")[0]])
        assert getattr(distributions, name)(x, *shapes, 0, 1).dtype == np.float32, name
    assert poisson_pmf(3, x).dtype == poisson_logpmf(3, x, 1).dtype == np.float32
    assert multivariate_normal_logpdf(x, [0, 0], [1, 2]).dtype == np.float64
    assert multivariate_normal_pdf(x, 0 * x.data, np.eye(2, dtype=np.float32)).dtype == np.float32


def test_complex_numbers_are_refused():
    with pytest.raises(TypeError, match="distributions take real numbers"):
        norm_pdf(np.array([1j]))


def test_lists_and_integers_are_numbers():
    np.testing.assert_allclose(norm_pdf([0, 1], [1, 2], 2), stats.norm.pdf([0, 1], [1, 2], 2), rtol=1e-15)
    assert grad(lambda n: norm_logcdf(n))(-1) == pytest.approx(
        stats.norm.pdf(1) / stats.norm.cdf(-1), rel=1e-14
    )


ALPHA = np.array([0.7, 2.0, 30.0])
SIMPLEX = np.array([0.1, 0.3, 0.6])


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e7])
def test_dirichlet_is_mpmaths(scale):
    alpha = ALPHA * scale
    x = alpha / np.sum(alpha) + 0.1 * np.array([1, -1, 0]) / np.sqrt(np.sum(alpha)) ** 1.2
    with mp.workdps(50):
        a, point = [mp.mpf(v) for v in alpha], [mp.mpf(v) for v in x]
        total = mp.fsum(a)
        expected = mp.loggamma(total) + mp.fsum(
            (c - 1) * mp.log(p) - mp.loggamma(c) for c, p in zip(a, point, strict=True)
        )
        assert dirichlet_logpdf(x, alpha).item() == pytest.approx(float(expected), rel=1e-9)
        by_alpha = [
            float(mp.digamma(total) - mp.digamma(c) + mp.log(p)) for c, p in zip(a, point, strict=True)
        ]
        by_x = [float((c - 1) / p) for c, p in zip(a, point, strict=True)]
    np.testing.assert_allclose(grad(dirichlet_logpdf, 1)(x, alpha), by_alpha, rtol=1e-8, atol=1e-15)
    np.testing.assert_allclose(grad(dirichlet_logpdf)(x, alpha), by_x, rtol=1e-9)


def test_dirichlet_takes_scipys_shapes():
    columns = np.stack([SIMPLEX, SIMPLEX[::-1]], axis=1)
    for name in ("logpdf", "pdf"):
        ours, scipys = (
            getattr(multivariate_distributions, f"dirichlet_{name}"),
            getattr(stats.dirichlet, name),
        )
        for x in (SIMPLEX, SIMPLEX[:-1], columns, columns[:-1]):
            expected = scipys(x, ALPHA)
            assert np.shape(ours(x, ALPHA)) == np.shape(expected)
            np.testing.assert_allclose(value(ours(x, ALPHA)), expected, rtol=1e-12)
    without = grad(lambda x: dirichlet_logpdf(x, ALPHA))(SIMPLEX[:-1])
    whole = (ALPHA - 1) / SIMPLEX
    np.testing.assert_allclose(without, whole[:-1] - whole[-1], rtol=1e-12)


@pytest.mark.parametrize(
    ("x", "alpha", "message"),
    [
        (SIMPLEX + 0.1, ALPHA, "a sum that is not 1"),
        (np.array([-0.1, 0.5, 0.6]), ALPHA, "a negative number"),
        (SIMPLEX, -ALPHA, "positive numbers"),
        (np.full(5, 0.2), ALPHA, r"x has shape \(5,\); expected \(3,\) or \(3, N\)"),
    ],
)
def test_dirichlet_refuses_what_is_off_the_simplex(x, alpha, message):
    with pytest.raises(ValueError, match=message):
        dirichlet_logpdf(x, alpha)


COVARIANCE = np.array([[2.0, 0.3, -0.1], [0.3, 1.0, 0.4], [-0.1, 0.4, 0.8]])
MEAN = np.array([0.5, -1.0, 0.2])
POINTS = np.array([[0.1, 0.2, 0.3], [1.0, -2.0, 4.0]])


@pytest.mark.parametrize(
    ("x", "mean", "cov"),
    [
        (POINTS, MEAN, COVARIANCE), (POINTS[0], MEAN, COVARIANCE), (POINTS, None, COVARIANCE),
        (POINTS, MEAN, np.array([1.0, 2.0, 3.0])), (POINTS, MEAN, 2.0), (0.3, None, 1), (0.3, 1.0, 4.0),
        (POINTS[0], 0.0, 2.0), (POINTS[:, np.newaxis], MEAN, COVARIANCE),
    ],
)  # fmt: skip
def test_multivariate_normal_takes_scipys_shapes(x, mean, cov):
    found, expected = multivariate_normal_logpdf(x, mean, cov), stats.multivariate_normal.logpdf(x, mean, cov)
    np.testing.assert_allclose(np.squeeze(value(found)), expected, rtol=1e-13)
    assert np.ndim(found) == np.ndim(x) - (np.size(mean) > 1 or np.size(cov) > 1)
    found, expected = multivariate_normal_pdf(x, mean, cov), stats.multivariate_normal.pdf(x, mean, cov)
    np.testing.assert_allclose(np.squeeze(value(found)), expected, rtol=1e-13)
    entropy = stats.multivariate_normal.entropy(mean, cov)
    np.testing.assert_allclose(value(multivariate_normal_entropy(mean, cov)), entropy, rtol=1e-13)


def test_multivariate_normal_gradients_are_those_of_the_textbook():
    inverse, r = np.linalg.inv(COVARIANCE), POINTS[0] - MEAN
    by_x, by_mean, by_cov = grad(multivariate_normal_logpdf, (0, 1, 2))(POINTS[0], MEAN, COVARIANCE)
    np.testing.assert_allclose(by_x, -inverse @ r, rtol=1e-12)
    np.testing.assert_allclose(by_mean, inverse @ r, rtol=1e-12)
    np.testing.assert_allclose(by_cov, (np.outer(inverse @ r, inverse @ r) - inverse) / 2, rtol=1e-12)
    by_cov = grad(lambda cov: multivariate_normal_entropy(None, cov))(COVARIANCE)
    np.testing.assert_allclose(by_cov, inverse / 2, rtol=1e-12)


@pytest.mark.parametrize("cov", [np.ones((2, 2)), np.diag([1.0, -1.0]), np.array([1.0, 0.0]), -1.0])
def test_a_covariance_that_is_not_positive_definite_is_refused(cov):
    for function in (
        lambda: multivariate_normal_logpdf(np.zeros(2), np.zeros(2), cov),
        lambda: multivariate_normal_entropy(np.zeros(2), cov),
    ):
        with pytest.raises(np.linalg.LinAlgError, match="cov is not positive definite"):
            function()


def test_shapes_that_do_not_fit_a_multivariate_normal_are_named():
    with pytest.raises(ValueError, match=r"x has shape \(2,\); expected \(\.\.\., 3\)"):
        multivariate_normal_logpdf(np.zeros(2), MEAN, COVARIANCE)
    with pytest.raises(ValueError, match=r"cov has shape \(2, 2\); expected \(3, 3\), \(3,\) or \(\)"):
        multivariate_normal_logpdf(MEAN, MEAN, np.eye(2))
