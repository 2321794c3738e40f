"""What distributions share: parameters, supports, refused derivatives, and logarithms of densities."""

import functools
import inspect
import operator
from math import log, pi

import numpy as np
from scipy import special

from opregistry_special._elementwise import parted
from opregistry_special.incomplete_functions import log_stirling_ratio
from registry import Function, GradientError, Variable, stop_gradient


def standardized(x, loc, scale, *shapes):
    """Give (x - loc) / scale, then scale and shapes; nan where one of these is not positive."""
    x, loc, *positive = common(x, loc, scale, *shapes)
    valid = [np.greater(p, 0) for p in positive]
    if all(map(np.all, valid)):
        return (x - loc) / positive[0], *positive
    positive = [np.where(v, p, np.nan) for v, p in zip(valid, positive, strict=True)]
    z = np.where(functools.reduce(operator.and_, valid), (x - loc) / positive[0], np.nan)
    return z, *positive


def common(*numbers):
    """Give numbers and lists as arrays of one floating dtype, for which Python's numbers give way."""
    numbers = [np.asarray(x) if isinstance(x, list | tuple) else x for x in numbers]
    dtype = np.result_type(*numbers)
    if dtype.kind == "c":
        raise TypeError("distributions take real numbers")
    dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
    return [x.astype(dtype) if isinstance(x, Variable) else np.asarray(x, dtype) for x in numbers]


def on_support(function, z, high=np.inf, below=0.0, above=0.0):
    """Give function(z) where 0 <= z <= high and z is finite, and constants elsewhere."""
    under, over = np.less(z, 0), np.logical_or(np.greater(z, high), np.isposinf(z))
    if not np.any(under | over):
        return function(z)
    y = function(np.where(under | over, 0.5, z))
    return np.where(under, below, np.where(over, above, y))


def no_derivative_by(*names):
    """Make a composite whose gradient by some parameters, where it is wanted, is refused by name."""

    def mark(function):
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args, **kwargs):
            given = signature.bind(*args, **kwargs).arguments
            refused = {name: x for name, x in given.items() if name in names and isinstance(x, Variable)}
            y = function(**{**given, **stop_gradient(refused)})
            return _Refused(function.__name__, tuple(refused))(y, *refused.values()) if refused else y

        return call

    return mark


class _Refused(Function):
    """The first input, which depends on the others without a derivative in closed form."""

    saves = ()

    def __init__(self, operator, names):
        self.operator, self.names = operator, names

    def forward(self, y, *parameters):
        return y

    def backward(self, gy):
        for name, wanted in zip(self.names, self.needs_grad[1:], strict=True):
            if wanted:
                raise GradientError(
                    f"{self.operator} has no derivative by {name!r} in closed form, but {name!r} is a "
                    f"Variable; give it as a number or an array ({name}.data of a Variable)"
                )
        return (gy, *[None] * len(self.names))


def log_gamma_density(a, x):
    """Give the logarithm of x ** (a - 1) * exp(-x) / gamma(a) for x >= 0."""
    near = np.less(x, 1)
    low, high = parted(near, x, 1, 1)
    u = (high - a) / a
    far = a * (np.log1p(u) - u) + log_stirling_ratio(a) - np.log(high)
    return np.where(near, special.xlogy(a - 1, low) - low - special.gammaln(a), far)


def log_dirichlet_density(log_gammas, total, count):
    """Give the logarithm of a Dirichlet density, that of gamma variables given that they sum to `total`.

    These are `total` times the coordinates, `log_gammas` the sum of the logarithms of their
    densities, and `total` the sum of the `count` concentrations, too.
    """
    return log_gammas - log_gamma_density(total, total) + (count - 1) * np.log(total)


def log_t_density(df, z):
    """Give the logarithm of Student's density."""
    near_normal = np.logical_and(np.greater(df, 128), np.less(np.absolute(z), 0.5 * np.sqrt(df)))
    if not np.any(near_normal):
        return _log_t_density(df, z)
    (large, df), (inside, z) = parted(near_normal, df, 1e3, 1.0), parted(near_normal, z, 0.0, 0.0)
    return np.where(near_normal, _log_almost_normal_density(large, inside), _log_t_density(df, z))


def _log_almost_normal_density(df, z):
    """Give it for large df and z * z < df / 4, from powers of 1 / df: so its derivatives lose no digits.

    The logarithm of gamma((df + 1) / 2) / gamma(df / 2) is a series in them (DLMF 5.11.13).
    """
    w = 1 / df
    constant = -w * (1 / 4 - w * w * (1 / 24 - w * w * (1 / 20 - w * w * (17 / 112))))
    return constant - log(2 * pi) / 2 - (1 + w) * (z * z / 2) * special.hyp2f1(1.0, 1.0, 2.0, -z * (z * w))


def _log_t_density(df, z):
    a = df / 2
    constant = (a + 0.5) * np.log1p(0.5 / a) + log_stirling_ratio(a) - log_stirling_ratio(a + 0.5)
    r = z / np.sqrt(df)
    far = np.greater(np.absolute(r), 1e9)  # where 1 + r * r is r * r, which may overflow
    near, away = parted(far, r, 1.0, 0.0)[::-1]
    logarithm = np.where(far, 2 * np.log(np.absolute(away)), np.log1p(near * near))
    return constant - (1 + log(2 * pi)) / 2 - (a + 0.5) * logarithm
