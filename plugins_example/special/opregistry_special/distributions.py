"""Densities and distribution functions of scipy.stats, with its parameters, for one number at a time.

Where a parameter has no meaning, results are nan; outside of the support gradients are 0, and
at its ends they are those from inside.
"""

from math import log, pi, sqrt

import numpy as np
from scipy import special

from opregistry_special._densities import (
    common,
    log_dirichlet_density,
    log_gamma_density,
    log_t_density,
    no_derivative_by,
    on_support,
    standardized,
)
from opregistry_special._student import LogStdtr, Stdtr
from opregistry_special.incomplete_functions import beta_density, gamma_density
from registry import composite

_REAL, _POSITIVE = (-np.inf, np.inf), (0, np.inf)
_SHAPES = {"a": np.array([0.4, 2.0, 30.0]), "b": np.array([3.0, 0.7, 40.0]), "df": np.array([0.5, 3.0, 70.0])}


def _operator(*shapes, support=_POSITIVE, fixed=False):
    """Make an operator of x, shapes, loc and scale, with calls to check; fixed shapes are no inputs."""
    domain = {"x": support, "loc": _REAL, "scale": _POSITIVE}
    if fixed:
        choices = [{name: float(_SHAPES[name][i]) for name in shapes} for i in range(3)]
    else:
        choices = [{name: _SHAPES[name] for name in shapes}] * 2
        domain |= dict.fromkeys(shapes, _POSITIVE)
    moved = {"loc": np.array(-0.1), "scale": np.array([1.2, 2.0, 5.0])}
    samples = [{"x": (3,), **choices[0]}, {"x": (2, 3), **choices[1], **moved}, {"x": (), **choices[0]}]
    samples += [{"x": np.array([-1.0, 0.2, 7.0]), **choice} for choice in choices]
    return composite(inputs=tuple(domain), domain=domain, samples=samples)


@_operator(support=_REAL)
def norm_logpdf(x, loc=0, scale=1):
    """Logarithm of the density of the normal distribution with mean loc and standard deviation scale."""
    z, scale = standardized(x, loc, scale)
    return -z * z / 2 - log(2 * pi) / 2 - np.log(scale)


@_operator(support=_REAL)
def norm_pdf(x, loc=0, scale=1):
    """Density of the normal distribution, exp(-z * z / 2) / (sqrt(2 * pi) * scale), z = (x - loc) / scale."""
    z, scale = standardized(x, loc, scale)
    return np.exp(-z * z / 2) / (sqrt(2 * pi) * scale)


@_operator(support=_REAL)
def norm_cdf(x, loc=0, scale=1):
    """Distribution function of the normal distribution."""
    return special.ndtr(standardized(x, loc, scale)[0])


@_operator(support=_REAL)
def norm_sf(x, loc=0, scale=1):
    """1 - norm_cdf(x), exact in the upper tail."""
    return special.ndtr(-standardized(x, loc, scale)[0])


@_operator(support=_REAL)
def norm_logcdf(x, loc=0, scale=1):
    """Logarithm of norm_cdf, exact in both tails, as are its derivatives."""
    return special.log_ndtr(standardized(x, loc, scale)[0])


@_operator(support=_REAL)
def norm_logsf(x, loc=0, scale=1):
    """Logarithm of norm_sf, exact in both tails, as are its derivatives."""
    return special.log_ndtr(-standardized(x, loc, scale)[0])


@_operator("a")
def gamma_logpdf(x, a, loc=0, scale=1):
    """Logarithm of the density of the gamma distribution of shape a > 0, for z = (x - loc) / scale >= 0.

    It is (a - 1) * log(z) - z - log(gamma(a)) - log(scale), from terms that stay small for large a.
    """
    z, scale, a = standardized(x, loc, scale, a)
    return on_support(lambda z: log_gamma_density(a, z) - np.log(scale), z, below=-np.inf, above=-np.inf)


@_operator("a")
def gamma_pdf(x, a, loc=0, scale=1):
    """Density of the gamma distribution of shape a > 0, z ** (a - 1) * exp(-z) / (gamma(a) * scale)."""
    z, scale, a = standardized(x, loc, scale, a)
    return on_support(lambda z: gamma_density(a, z) / scale, z)


@_operator("a", fixed=True)
@no_derivative_by("a")
def gamma_cdf(x, a, loc=0, scale=1):
    """Distribution function of the gamma distribution, gammainc(a, z); there is no derivative by a."""
    z, _, a = standardized(x, loc, scale, a)
    return on_support(lambda z: special.gammainc(a, z), z, above=1.0)


@_operator("df")
def chi2_logpdf(x, df, loc=0, scale=1):
    """Logarithm of the density of the chi-square distribution: gamma of a = df / 2, and twice the scale."""
    x, df, loc, scale = common(x, df, loc, scale)
    return gamma_logpdf(x, df / 2, loc, 2 * scale)


@_operator("df")
def chi2_pdf(x, df, loc=0, scale=1):
    """Density of the chi-square distribution with df > 0 degrees of freedom."""
    x, df, loc, scale = common(x, df, loc, scale)
    return gamma_pdf(x, df / 2, loc, 2 * scale)


@_operator("df", fixed=True)
@no_derivative_by("df")
def chi2_cdf(x, df, loc=0, scale=1):
    """Distribution function of the chi-square distribution; there is no derivative by df."""
    x, df, loc, scale = common(x, df, loc, scale)
    return gamma_cdf(x, df / 2, loc, 2 * scale)


@_operator("a", "b", support=(0, 1))
def beta_logpdf(x, a, b, loc=0, scale=1):
    """Logarithm of the density of the beta distribution of a, b > 0, for 0 <= (x - loc) / scale <= 1."""
    z, scale, a, b = standardized(x, loc, scale, a, b)
    total = a + b

    def log_density(z):
        log_gammas = log_gamma_density(a, total * z) + log_gamma_density(b, total * (1 - z))
        return log_dirichlet_density(log_gammas, total, 2) - np.log(scale)

    return on_support(log_density, z, 1, -np.inf, -np.inf)


@_operator("a", "b", support=(0, 1))
def beta_pdf(x, a, b, loc=0, scale=1):
    """Density of the beta distribution, z ** (a - 1) * (1 - z) ** (b - 1) / (beta(a, b) * scale)."""
    z, scale, a, b = standardized(x, loc, scale, a, b)
    return on_support(lambda z: beta_density(a, b, z) / scale, z, 1)


@_operator("a", "b", support=(0, 1), fixed=True)
@no_derivative_by("a", "b")
def beta_cdf(x, a, b, loc=0, scale=1):
    """Distribution function of the beta distribution, betainc(a, b, z); there is no derivative by a and b."""
    z, _, a, b = standardized(x, loc, scale, a, b)
    return on_support(lambda z: special.betainc(a, b, z), z, 1, above=1.0)


@_operator("df", support=_REAL)
def t_logpdf(x, df, loc=0, scale=1):
    """Logarithm of the density of Student's distribution with df > 0 degrees of freedom, infinite ones too.

    It is log(gamma((df + 1) / 2) / gamma(df / 2)) - log(pi * df) / 2 - log(scale)
    - (df + 1) / 2 * log(1 + z * z / df), from terms that stay small for large df.
    """
    z, scale, df = _standardized_t(x, df, loc, scale)
    return log_t_density(df, z) - np.log(scale)


@_operator("df", support=_REAL)
def t_pdf(x, df, loc=0, scale=1):
    """Density of Student's distribution."""
    return np.exp(t_logpdf(x, df, loc, scale))


@_operator("df", support=_REAL, fixed=True)
@no_derivative_by("df")
def t_cdf(x, df, loc=0, scale=1):
    """Distribution function of Student's distribution; there is no derivative by df."""
    z, _, df = _standardized_t(x, df, loc, scale)
    return Stdtr()(df, z)


@_operator("df", support=_REAL, fixed=True)
@no_derivative_by("df")
def t_logcdf(x, df, loc=0, scale=1):
    """Logarithm of t_cdf, exact in both tails, as are its derivatives; there is none by df."""
    z, _, df = _standardized_t(x, df, loc, scale)
    return LogStdtr()(df, z)


def _standardized_t(x, df, loc, scale):
    """Give z, scale and df, bounded so that its square is finite; then, too, the distribution is normal."""
    z, scale, df = standardized(x, loc, scale, df)
    return z, scale, np.minimum(df, float(np.finfo(df.dtype).max) ** 0.5)


_poisson_operator = composite(
    inputs=("mu",),
    domain={"mu": _POSITIVE},
    samples=(
        {"k": np.array([0, 1, 4], np.int8), "mu": (2, 3)},
        {"k": np.array([-1, 2, 3, 40], np.int8), "mu": (4,), "loc": 1},
        {"k": 2.5, "mu": (3,)},
        {"k": 3, "mu": ()},
    ),
)


@_poisson_operator
@no_derivative_by("k", "loc")
def poisson_logpmf(k, mu, loc=0):
    """Logarithm of the probability of k - loc = 0, 1, 2, ... events, of which mu >= 0 are expected.

    It is k * log(mu) - mu - log(k!) for loc = 0, from terms that stay small for large k, and
    minus infinity for other k. There are no derivatives by k and loc.
    """
    k, mu = _counted(k, mu, loc)
    return on_support(lambda k: log_gamma_density(k + 1, mu), _whole(k), below=-np.inf, above=-np.inf)


@_poisson_operator
@no_derivative_by("k", "loc")
def poisson_pmf(k, mu, loc=0):
    """Probability of k - loc = 0, 1, 2, ... events, of which mu >= 0 are expected; 0 for other k."""
    k, mu = _counted(k, mu, loc)
    return on_support(lambda k: gamma_density(k + 1, mu), _whole(k))


@_poisson_operator
@no_derivative_by("k", "loc")
def poisson_cdf(k, mu, loc=0):
    """Probability of no more than k - loc events, gammaincc(floor(k - loc) + 1, mu)."""
    k, mu = _counted(k, mu, loc)
    return on_support(lambda k: special.gammaincc(k + 1, mu), np.floor(k), above=1.0)


def _counted(k, mu, loc):
    """Give k - loc, and mu, nan where it is negative."""
    k, mu, loc = common(k, mu, loc)
    negative = np.less(mu, 0)
    return k - loc, np.where(negative, np.nan, mu) if np.any(negative) else mu


def _whole(k):
    """Give whole numbers, and -1, which is outside of the support, in place of others."""
    return np.where(np.equal(k, np.floor(k)) | np.isnan(k), k, -1.0)
