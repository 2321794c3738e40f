"""Special functions, and the signs, exponents and gaps of floating numbers."""

from __future__ import annotations

from functools import reduce
from math import factorial
from typing import Any

import numpy as np

from registry import Function

_SINC_SLOPE = [2 * k * (-1) ** k * np.pi ** (2 * k) / factorial(2 * k + 1) for k in range(12, 0, -1)]


class Sinc(Function):
    """sin(pi x) / (pi x), and 1 at 0; its derivatives are a power series near 0."""

    implements = np.sinc
    elementwise = True
    saves = ("xs",)

    def forward(self, x: Any) -> Any:
        return np.sinc(x)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        small = np.less(np.absolute(x), 0.5)  # there the quotient below loses digits
        near, far = np.where(small, x, 0), np.where(small, 1, x)
        series: Any = reduce(lambda total, term: total * near**2.0 + term, _SINC_SLOPE)
        n = np.rint(np.real(far))  # cos(pi * far) in itself loses digits where far is large
        cosine = (1 - 2 * (n % 2)) * np.cos(np.pi * (far - n))
        return gy * np.where(small, series * near, (cosine - np.sinc(far)) / far)


class _BesselI(Function):
    """Modified Bessel function of an order n >= 0; its derivative is (I(n-1) + I(n+1)) / 2 (DLMF 10.29.1)."""

    elementwise = True

    def __init__(self, n: int) -> None:
        self.n = n

    def forward(self, x: Any) -> Any:
        """Sum the power series, whose terms have one sign (DLMF 10.25.2)."""
        half = np.asarray(x, np.float64) / 2
        term = total = half**self.n / factorial(self.n)
        k = 1
        while np.any(abs(term) > 1e-17 * abs(total)):
            term = term * (half * half / (k * (k + self.n)))
            total, k = total + term, k + 1
        return np.asarray(total, np.result_type(x, 1.0))

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * (_BesselI(abs(self.n - 1))(x) + _BesselI(self.n + 1)(x)) / 2  # I(-1) is I(1)


class I0(Function):
    """Modified Bessel function of order 0; its derivative is that of order 1."""

    name = "i0"
    implements = np.i0
    elementwise = True
    saves = ("xs",)

    def forward(self, x: Any) -> Any:
        return np.i0(x)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * _BesselI(1)(x)


class Heaviside(Function):
    """0 for negative x0, 1 for positive, x1 at 0; the derivative by x0 is 0 everywhere."""

    implements = np.heaviside
    elementwise = True
    saves = ("xs",)
    samples = {"x0": np.array([-1.0, 0.5, 2.0]), "x1": (3,)}, {"x0": np.array(-0.5), "x1": (2, 3)}  # no jump

    def backward(self, gy: Any) -> Any:
        return None, np.where(self.xs[0], 0, gy)


class Copysign(Function):
    """abs(x0) with the sign of x1; the derivatives are 0 by x0 at 0, and by x1 everywhere."""

    implements = np.copysign
    elementwise = True

    def backward(self, gy: Any) -> Any:
        (x0, _), (y,) = self.xs, self.ys
        return gy * np.sign(y) * np.where(np.signbit(x0), -1, 1), None


class Ldexp(Function):
    """x0 * 2 ** x1, for integers x1."""

    implements = np.ldexp
    elementwise = True
    saves = ("xs",)
    samples = {"x0": (3,), "x1": np.array([1, -2, 0])}, {"x0": (2, 3), "x1": np.array([[5], [-1]])}

    def forward(self, x0: Any, x1: Any) -> Any:
        n = x1.astype(np.int64)  # a Python number came in the dtype of x0
        return np.ldexp(x0, n if np.array_equal(n, x1) else x1)

    def backward(self, gy: Any) -> Any:
        return np.ldexp(gy, self.xs[1].astype(np.int64)), None


class NanToNum(Function):
    """x with numbers for nan and infinities, where the derivative is 0; each part of complex x alone."""

    implements = np.nan_to_num
    elementwise = True
    saves = ("xs",)

    def __init__(self, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> None:
        self.nan, self.posinf, self.neginf = nan, posinf, neginf

    def forward(self, x: Any) -> Any:
        return np.nan_to_num(x, nan=self.nan, posinf=self.posinf, neginf=self.neginf)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        gx = np.where(np.isfinite(np.real(x)), np.real(gy), 0)
        if x.dtype.kind != "c":
            return gx
        return gx + 1j * np.where(np.isfinite(np.imag(x)), np.imag(gy), 0)
