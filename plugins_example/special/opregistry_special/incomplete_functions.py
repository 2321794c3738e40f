"""Incomplete gamma and beta functions, as functions of the limit of their integrals."""

from math import log, pi

import numpy as np
from scipy import special

from opregistry_special._elementwise import Elementwise, parted

_SHAPES = {"a": np.array([1, 2, 30], np.int8), "x": (3,)}, {"a": np.array(3), "x": (2, 3)}


class Gammainc(Elementwise):
    """Regularized lower incomplete gamma function: its derivative by x is the gamma density (DLMF 8.8.13).

    There is no derivative by a.
    """

    implements = special.gammainc
    domain = (0, np.inf)
    samples = _SHAPES

    def forward(self, a, x):
        return special.gammainc(a, x)

    def slope(self, a, x):
        return gamma_density(a, x)


class Gammaincc(Elementwise):
    """Regularized upper incomplete gamma function, 1 - gammainc(a, x); there is no derivative by a."""

    implements = special.gammaincc
    domain = (0, np.inf)
    samples = _SHAPES

    def forward(self, a, x):
        return special.gammaincc(a, x)

    def slope(self, a, x):
        return -gamma_density(a, x)


class Betainc(Elementwise):
    """Regularized incomplete beta function: its derivative by x is the beta density (DLMF 8.17.21).

    There is no derivative by a and b.
    """

    implements = special.betainc
    domain = (0, 1)
    samples = (
        {"a": np.array([1, 2, 30], np.int8), "b": np.array([2, 1, 40], np.int8), "x": (3,)},
        {"a": np.array(30), "b": np.array(2), "x": (2, 3)},
    )

    def forward(self, a, b, x):
        return special.betainc(a, b, x)

    def slope(self, a, b, x):
        return beta_density(a, b, x)


class Betaincc(Elementwise):
    """Complement of the regularized incomplete beta function, 1 - betainc(a, b, x).

    There is no derivative by a and b.
    """

    implements = special.betaincc
    domain = (0, 1)
    samples = Betainc.samples

    def forward(self, a, b, x):
        return special.betaincc(a, b, x)

    def slope(self, a, b, x):
        return -beta_density(a, b, x)


def gamma_density(a, x):
    """Give x ** (a - 1) * exp(-x) / gamma(a) for x >= 0, from terms that stay small where a is large."""
    near = np.less(x, 1)
    low, high = parted(near, x, 1, 1)
    u = (high - a) / a
    far = np.exp(a * (np.log1p(u) - u) + log_stirling_ratio(a)) / high
    return np.where(near, low ** (a - 1) * np.exp(-low) * special.rgamma(a), far)


def beta_density(a, b, x):
    """Give x ** (a - 1) * (1 - x) ** (b - 1) / beta(a, b) for 0 <= x <= 1.

    Towards the nearer end it is a power, if its exponent is small, and elsewhere (x * n / a) ** a
    and ((1 - x) * n / b) ** b, for n = a + b, which are both close to 1 where the density is large.
    """
    right = np.greater(x, 0.5)
    p, q, t = np.where(right, b, a), np.where(right, a, b), np.where(right, 1 - x, x)
    end = np.logical_or(np.less(p, 16), np.equal(t, 0))
    near, mid = parted(end, t, 0.25, 0.25)
    s, r = np.where(end, np.minimum(p, 16), 2), np.where(end, q, 1)
    log_beta = special.gammaln(s) - s * np.log(r + s) - r * np.log1p(s / r) + s
    log_beta = log_beta - log_stirling_ratio(r) + log_stirling_ratio(r + s)  # betaln cancels for large r
    power = near ** (s - 1) * np.exp(special.xlog1py(r - 1, -near) - log_beta)
    away = mid * q - (1 - mid) * p
    ratio = log_stirling_ratio(p) + log_stirling_ratio(q) - log_stirling_ratio(p + q)
    bell = np.exp(p * np.log1p(away / p) + q * np.log1p(-away / q) + ratio)
    return np.where(end, power, bell / (mid * (1 - mid)))


def log_stirling_ratio(a):
    """Give log(a ** a * exp(-a) / gamma(a)), by Stirling's series where a is large (DLMF 5.11.1)."""
    large = np.maximum(a, 16.0)
    inverse = 1 / (large * large)
    series = 1 / 1680 - inverse / 1188
    for c in (1 / 1260, 1 / 360, 1 / 12):
        series = c - inverse * series
    small = np.minimum(a, 16.0)
    direct = special.xlogy(small, small) - small - special.gammaln(small)
    return np.where(np.less(a, 16), direct, (np.log(large) - log(2 * pi)) / 2 - series / large)
