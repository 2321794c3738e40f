"""Logarithms of sums of exponentials along axes, and each term's share."""

import numpy as np
from scipy import special

from registry import Function, composite


class Softmax(Function):
    """exp(x) over its sum along axes, without overflow; axis is None for all, an int or a tuple.

    The derivative is exact where one share is close to 1, too; value and gradient together take
    half as long again for it.
    """

    saves = ("ys",)

    def __init__(self, axis=None):
        self.axis = axis

    def forward(self, x):
        return special.softmax(x, self.axis)

    def backward(self, gy):
        (y,) = self.ys
        nearly_all, rest, others = _beside_the_largest(y, gy * y, self.axis)
        total = np.sum(gy * y, axis=self.axis, keepdims=True)
        return y * np.where(nearly_all, gy * rest - others, gy - total)


class LogSoftmax(Function):
    """log(softmax(x, axis)), exact where the softmax is close to 0.

    The derivative is exact where one share is close to 1, too; value and gradient together take
    half as long again for it.
    """

    saves = ("ys",)

    def __init__(self, axis=None):
        self.axis = axis

    def forward(self, x):
        return special.log_softmax(x, self.axis)

    def backward(self, gy):
        shares = np.exp(self.ys[0])
        nearly_all, rest, others = _beside_the_largest(shares, gy, self.axis)
        total = np.sum(gy, axis=self.axis, keepdims=True)
        return np.where(nearly_all, gy * rest - shares * others, gy - shares * total)


def _beside_the_largest(shares, a, axis):
    """Say which share is more than a half; give the sums of the other shares and of the other a.

    What that share lacks to 1 is the sum of the others: 1 less it would cancel.
    """
    nearly_all = np.greater(shares, 0.5)
    rest, others = [np.sum(np.where(nearly_all, 0, x), axis=axis, keepdims=True) for x in (shares, a)]
    return nearly_all, rest, others


class _LogSumExp(Function):
    """log(abs(s)) and the sign of s, the sum of b * exp(a) along axes, which stay as axes of length 1."""

    def __init__(self, axis, return_sign):
        self.axis, self.return_sign = axis, return_sign

    def forward(self, a, b=None):
        if self.return_sign and "c" in (a.dtype.kind, b.dtype.kind if b is not None else ""):
            raise TypeError("logsumexp with return_sign takes real numbers; leave it out for complex ones")
        return special.logsumexp(a, self.axis, b, keepdims=True, return_sign=self.return_sign)

    def backward(self, gy, g_sign=None):
        (a, b), (y, *sign) = self.xs, self.ys
        gy = gy * sign[0] if sign else gy
        infinite = np.logical_and(np.isinf(y), np.equal(a, y))
        terms = np.exp(np.where(infinite, 0, a) - np.where(infinite, 0, y))
        by_b = gy * np.where(np.isneginf(np.real(a)), 0, terms)
        return by_b if b is None else b * by_b, by_b


@composite(
    inputs=("a", "b"),
    samples=(
        {"a": (3,)}, {"a": (2, 3)}, {"a": (2, 3), "axis": 0, "b": (2, 3)},
        {"a": (2, 3, 4), "axis": (0, -1), "keepdims": True}, {"a": (3,), "b": (2, 3), "axis": 1},
        {"a": (4,), "b": np.array([1.0, -2.0, 0.5, -3.0]), "return_sign": True}, {"a": ()},
    ),
)  # fmt: skip
def logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False):
    """Logarithm of the sum of b * exp(a) along axes, without overflow; differentiable by a and b.

    Parameters
    ----------
    a, b : array_like
        They broadcast; without `b`, it is 1.
    axis : int, tuple of int or None
        The axes that are summed; None for all.
    keepdims : bool
        Keep them, with length 1.
    return_sign : bool
        Give the logarithm of the sum's absolute value, and its sign, for real numbers. Without
        it, a negative sum gives nan.

    Notes
    -----
    Infinite terms of an infinite sum have the derivative 1 each; where a is minus infinity, it is 0.
    """
    results = _LogSumExp(axis, return_sign)(a, b)
    y, *sign = results if return_sign else (results,)
    if not keepdims:
        y, *sign = [np.squeeze(r, axis if r.ndim else None) for r in (y, *sign)]
    return (y, *sign) if return_sign else y
