"""Entropies, products with logarithms, logits and power transforms, with their limits at 0."""

import numpy as np
from scipy import special

from opregistry_special._elementwise import Elementwise, floats, parted
from ops_builtin.kinks import quotient
from registry import Function


class Entr(Elementwise):
    """-x * log(x), 0 at 0 and minus infinity for negative x; its derivative at 0 is that from the right."""

    implements = special.entr
    domain = (0, np.inf)

    def slope(self, x):
        return -np.log(x) - 1


class _Pairwise(Function):
    """What functions of x and y share."""

    elementwise = True
    saves = ("xs",)


class RelEntr(_Pairwise):
    """x * log(x / y), 0 where x is 0, infinite where x or y is negative.

    Where both are 0, both derivatives are 0, and the second ones nan where both are differentiated.
    """

    implements = special.rel_entr
    domain = (0, np.inf)
    only_reads = True

    def forward(self, x, y):
        return special.rel_entr(x, y)

    def backward(self, gy):
        x, y, gy = _without_zeros(*floats(self.xs), gy, all(self.needs_grad))
        return gy * (_log_ratio(x, y) + 1), -gy * x / y


class KlDiv(_Pairwise):
    """x * log(x / y) - x + y, y where x is 0, infinite where x or y is negative.

    Where both are 0, both derivatives are 0, and the second ones nan where both are differentiated.
    """

    implements = special.kl_div
    domain = (0, np.inf)
    only_reads = True

    def forward(self, x, y):
        return special.kl_div(x, y)

    def backward(self, gy):
        x, y, gy = _without_zeros(*floats(self.xs), gy, all(self.needs_grad))
        return gy * _log_ratio(x, y), gy * _Excess()(x, y)


class _Excess(_Pairwise):
    """(y - x) / y; its derivatives -1 / y and x / y**2 are right where it rounds to 1."""

    def forward(self, x, y):
        return (y - x) / y

    def backward(self, gy):
        x, y = self.xs
        return -gy / y, gy * (x / y) / y


def _without_zeros(x, y, gy, both):
    """Give 1, 1 and 0 in place of x, y and gy where x and y are 0.

    Along a line through that point the derivative is another constant, so where both are
    differentiated, that of the 0 is nan.
    """
    zeros = np.logical_and(np.equal(x, 0), np.equal(y, 0))
    one = np.where(zeros, x + y, 1)
    gy = gy * quotient(one, one) if both else np.where(zeros, 0, gy)
    return np.where(zeros, 1, x), np.where(zeros, 1, y), gy


def _ratio(x, y):
    """Give x / y, and 0 where both are 0."""
    return x / np.where(np.logical_and(np.equal(x, 0), np.equal(y, 0)), 1, y)


def _log_ratio(x, y):
    """Give log(x / y), exact where x is close to y, and without overflow."""
    close = np.less(np.absolute(x - y), 0.5 * np.absolute(y))
    (x_near, x_far), (y_near, y_far) = parted(close, x, 1, 1), parted(close, y, 1, 1)
    return np.where(close, np.log1p((x_near - y_near) / y_near), np.log(x_far) - np.log(y_far))


class Xlogy(_Pairwise):
    """x * log(y), and 0 where x is 0."""

    implements = special.xlogy

    def forward(self, x, y):
        return special.xlogy(x, y)

    def backward(self, gy):
        x, y = floats(self.xs)
        by_x = gy * np.log(y) if self.needs_grad[0] else None  # of a constant 0, y may be 0, too
        return by_x, gy * _ratio(x, y)


class Xlog1py(_Pairwise):
    """x * log(1 + y), and 0 where x is 0."""

    implements = special.xlog1py

    def forward(self, x, y):
        return special.xlog1py(x, y)

    def backward(self, gy):
        x, y = floats(self.xs)
        by_x = gy * np.log1p(y) if self.needs_grad[0] else None
        return by_x, gy * _ratio(x, 1 + y)


class Expit(Elementwise):
    """Logistic function 1 / (1 + exp(-x)); its derivative expit(x) * expit(-x) is exact in both tails."""

    implements = special.expit

    def slope(self, x):
        return _ExpitSlope()(x)


class _ExpitSlope(Elementwise):
    """The derivative of expit; its own is -tanh(x / 2) times that."""

    saves = ("xs", "ys")

    def forward(self, x):
        return special.expit(x) * special.expit(-x)

    def slope(self, x):
        (y,) = self.ys
        return -y * np.tanh(x / 2)


class Logit(Elementwise):
    """Inverse of expit, log(x / (1 - x))."""

    implements = special.logit
    domain = (0, 1)

    def slope(self, x):
        return 1 / x + 1 / (1 - x)


class Boxcox(_Pairwise):
    """(x ** lmbda - 1) / lmbda for x >= 0, and log(x) where lmbda is 0; differentiable by both.

    The derivative by lmbda is log(x) ** 2 times that of expm1(t) / t at t = lmbda * log(x), a
    confluent hypergeometric function, which is smooth at 0.
    """

    implements = special.boxcox
    domain = {"x": (0, np.inf)}
    only_reads = True

    def forward(self, x, lmbda):
        return special.boxcox(x, lmbda)

    def backward(self, gy):
        x, lmbda = floats(self.xs)
        return gy * x ** (lmbda - 1), gy * _boxcox_by_lmbda(x, np.log, lmbda, 0)


class Boxcox1p(_Pairwise):
    """boxcox(1 + x, lmbda), exact for small x."""

    implements = special.boxcox1p
    domain = {"x": (-1, np.inf)}
    only_reads = True

    def forward(self, x, lmbda):
        return special.boxcox1p(x, lmbda)

    def backward(self, gy):
        x, lmbda = floats(self.xs)
        near = np.less(np.absolute(x), 0.5)
        small, large = parted(near, x, 0, 1)
        power = np.exp((lmbda - 1) * np.log1p(small))
        by_x = np.where(near, power, (1 + large) ** (lmbda - 1))
        return gy * by_x, gy * _boxcox_by_lmbda(x, np.log1p, lmbda, -1)


def _boxcox_by_lmbda(x, log, lmbda, end):
    """Give the derivative by lmbda, which is lmbda ** -2 at the end of the domain, for positive lmbda."""
    at_end = np.logical_and(np.equal(x, end), np.greater(lmbda, 0))
    t = log(np.where(at_end, 1, x))
    inside = t * t * special.hyp1f1(2, 3, lmbda * t) / 2
    return np.where(at_end, np.where(at_end, lmbda, 1) ** -2.0, inside)
