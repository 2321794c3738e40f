"""Derivatives of exp(x * x) * erfc(x), without the cancellation that its recurrence has for large x."""

from math import pi, sqrt

import numpy as np
from scipy import special

from registry import Function

_TERMS = 40


class IteratedErfc(Function):
    """exp(x * x) times the n-fold integral of erfc from x to infinity (DLMF 7.18.2), for real or complex x.

    Its derivative is -2 * (n + 1) times the same for n + 1; for n = 0 it is erfcx.
    """

    elementwise = True
    saves = ("xs",)

    def __init__(self, n):
        self.n = n

    def forward(self, x):
        wide = np.asarray(x, np.result_type(x, np.float64))
        negative = np.real(wide) < 0
        with np.errstate(over="ignore", invalid="ignore"):
            right = _right_half(self.n, np.where(negative, -wide, wide))
            y = np.where(negative, _reflected(self.n, np.where(negative, wide, 0), right), right)
        return y.astype(np.result_type(x, np.float32))

    def backward(self, gy):
        (x,) = self.xs
        return gy * (-2 * (self.n + 1)) * IteratedErfc(self.n + 1)(x)


def _right_half(n, z):
    """Go down a continued fraction (DLMF 7.18.13) where Re(z) >= 0 is large, up the recurrence elsewhere."""
    near = (np.real(z) < 2) & (np.abs(z) < 6.5)
    small, far = np.where(near, z, 0), np.where(near, 7, z)
    up = _recurrence(n, small, 2 / sqrt(pi), special.erfcx(small))
    down = 2 / sqrt(pi)
    ratio = 1 / (far + np.sqrt(np.abs(far) ** 2 + 2 * (n + _TERMS)))
    for k in range(n + _TERMS, -1, -1):
        ratio = 1 / (2 * far + 2 * (k + 1) * ratio)
        down = down * ratio if k <= n else down
    return np.where(near, up, down)


def _reflected(n, z, right):
    """Give the value at z from that at -z: their sum is exp(z * z) times a polynomial (DLMF 7.18.11)."""
    return np.exp(z * z) * _recurrence(n, z, 0, 2 * np.ones_like(z)) - (-1) ** n * right


def _recurrence(n, z, before, y):
    """Go from order 0 up to n (DLMF 7.18.7)."""
    for k in range(1, n + 1):
        before, y = y, (before - 2 * z * y) / (2 * k)
    return y
