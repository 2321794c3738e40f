"""Incomplete gamma and beta functions, as functions of the limit of their integrals."""

from math import log, pi

import numpy as np
from scipy import special

from opregistry_special._elementwise import Elementwise

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


def gamma_density(a, x):
    """Give x ** (a - 1) * exp(-x) / gamma(a) for x >= 0, from terms that stay small where a is large."""
    near = np.less(x, 1)
    low, high = np.where(near, x, 1), np.where(near, 1, x)
    u = (high - a) / a
    far = np.exp(a * (np.log1p(u) - u) + _log_stirling_ratio(a)) / high
    return np.where(near, low ** (a - 1) * np.exp(-low) * special.rgamma(a), far)


def beta_density(a, b, x):
    """Give x ** (a - 1) * (1 - x) ** (b - 1) / beta(a, b) for 0 <= x <= 1.

    At an end with a small exponent it is a power, elsewhere (x * n / a) ** a and
    ((1 - x) * n / b) ** b, for n = a + b, which are both close to 1 where the density is large.
    """
    left = np.logical_and(np.less(x, 0.5), np.less(a, 16))
    right = np.logical_and(np.greater_equal(x, 0.5), np.less(b, 16))
    low, high = np.where(left, x, 0), np.where(right, x, 1)
    inside = np.logical_and(np.greater(x, 0), np.less(x, 1))
    inside = np.logical_and(inside, np.logical_not(np.logical_or(left, right)))
    mid = np.where(inside, x, 0.5)
    away = mid * b - (1 - mid) * a
    power = a * np.log1p(away / a) + b * np.log1p(-away / b)
    ratio = _log_stirling_ratio(a) + _log_stirling_ratio(b) - _log_stirling_ratio(a + b)
    ends = np.where(left, low ** (a - 1) * np.exp(special.xlog1py(b - 1, -low)),
                    (1 - high) ** (b - 1) * np.exp(special.xlogy(a - 1, high)))  # fmt: skip
    at_an_end = np.where(np.logical_or(left, right), ends / special.beta(a, b), 0)
    return np.where(inside, np.exp(power + ratio) / (mid * (1 - mid)), at_an_end)


def _log_stirling_ratio(a):
    """Give log(a ** a * exp(-a) / gamma(a)), by Stirling's series where a is large (DLMF 5.11.1)."""
    large = np.maximum(a, 16.0)
    inverse = 1 / (large * large)
    series = 1 / 1680 - inverse / 1188
    for c in (1 / 1260, 1 / 360, 1 / 12):
        series = c - inverse * series
    small = np.minimum(a, 16.0)
    direct = special.xlogy(small, small) - small - special.gammaln(small)
    return np.where(np.less(a, 16), direct, (np.log(large) - log(2 * pi)) / 2 - series / large)
