"""Hyperbolic functions and their inverses."""

from __future__ import annotations

from typing import Any

import numpy as np

from ops_builtin.trigonometry import _SqrtOneMinusSquare, sqrt_one_plus_square
from registry import Function, composite


class Sinh(Function):
    """Hyperbolic sine: (exp(x) - exp(-x)) / 2."""

    implements = np.sinh
    elementwise = True
    scalars = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * np.cosh(x)


class Cosh(Function):
    """Hyperbolic cosine: (exp(x) + exp(-x)) / 2."""

    implements = np.cosh
    elementwise = True
    scalars = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * np.sinh(x)


class Tanh(Function):
    """Hyperbolic tangent; its derivative is 1 - tanh(x) ** 2, which rounds to 0 far out."""

    implements = np.tanh
    elementwise = True
    scalars = True
    saves = ("ys",)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        return gy * (1 - y * y)


class Arcsinh(Function):
    """Inverse hyperbolic sine; its derivative is 1 / sqrt(1 + x**2)."""

    implements = np.arcsinh
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        return gy / sqrt_one_plus_square(*self.xs)


class Arccosh(Function):
    """Inverse hyperbolic cosine y >= 0; its derivative is 1 / sinh(y) = 1 / sqrt(x**2 - 1)."""

    implements = np.arccosh
    elementwise = True
    saves = ("ys",)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        return gy / np.sinh(y)


class Arctanh(Function):
    """Inverse hyperbolic tangent; its derivative 1 / (1 - x**2) is infinite at -1 and 1, nan beyond."""

    implements = np.arctanh
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        r = _SqrtOneMinusSquare()(*self.xs)
        return gy / r / r


class Coth(Function):
    """Hyperbolic cotangent: 1 / tanh(x); its derivative is -csch(x) ** 2."""

    elementwise = True
    saves = ("xs",)

    def forward(self, x: Any) -> Any:
        return 1 / np.tanh(x)

    def backward(self, gy: Any) -> Any:
        y = Csch()(*self.xs)
        return -gy * y * y


def _downhill(x: Any) -> Any:
    """Give x or -x, that whose exponential does not overflow."""
    return np.where(np.real(x) < 0, x, -1.0 * x)


class Sech(Function):
    """Hyperbolic secant: 1 / cosh(x); its derivative is -sech(x) * tanh(x)."""

    elementwise = True

    def forward(self, x: Any) -> Any:
        e = np.exp(_downhill(x))
        return 2 * e / (1 + e * e)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        return -gy * y * np.tanh(x)


class Csch(Function):
    """Hyperbolic cosecant: 1 / sinh(x); its derivative is -csch(x) / tanh(x)."""

    elementwise = True

    def forward(self, x: Any) -> Any:
        u = _downhill(x)
        y = 2 * np.exp(u) / np.expm1(2 * u)
        return np.where(np.real(x) < 0, y, -y)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        return -gy * y / np.tanh(x)


@composite()
def arccsch(x: Any) -> Any:
    """Inverse hyperbolic cosecant: arcsinh(1 / x)."""
    return np.arcsinh(1 / x)


@composite()
def arcsech(x: Any) -> Any:
    """Inverse hyperbolic secant: arccosh(1 / x), for x in (0, 1]."""
    return np.arccosh(1 / x)


@composite()
def arccoth(x: Any) -> Any:
    """Inverse hyperbolic cotangent: arctanh(1 / x), for x beyond -1 and 1."""
    return np.arctanh(1 / x)
