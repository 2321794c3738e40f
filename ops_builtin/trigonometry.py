"""Trigonometric functions and their inverses; angles are in radians."""

from __future__ import annotations

from typing import Any

import numpy as np

from ops_builtin.kinks import quotient
from registry import Function, composite


class Sin(Function):
    """Sine."""

    implements = np.sin
    elementwise = True
    scalars = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * np.cos(x)


class Cos(Function):
    """Cosine."""

    implements = np.cos
    elementwise = True
    scalars = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return -gy * np.sin(x)


class Tan(Function):
    """Tangent; its derivative is 1 + tan(x) ** 2."""

    implements = np.tan
    elementwise = True
    saves = ("ys",)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        return gy * (1 + y * y)


class _SqrtOneMinusSquare(Function):
    """sqrt(1 - x**2), exact close to -1 and 1; its derivative is -x / sqrt(1 - x**2).

    Subtraction from x keeps the sign of an imaginary part of 0, 1 - x and x + 1 do not: so
    complex x are on the side of sqrt's cuts where arcsin is.
    """

    elementwise = True

    def forward(self, x: Any) -> Any:
        below_1 = -(x - 1.0) if x.dtype.kind == "c" else 1.0 - x
        return np.sqrt(below_1) * np.sqrt(x - -1.0)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        return -gy * x / y


class Arcsin(Function):
    """Inverse sine, in [-pi/2, pi/2]; its derivative 1 / sqrt(1 - x**2) is infinite at -1 and 1."""

    implements = np.arcsin
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        return gy / _SqrtOneMinusSquare()(*self.xs)


class Arccos(Function):
    """Inverse cosine, in [0, pi]; its derivative is that of arcsin with the other sign."""

    implements = np.arccos
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        return -gy / _SqrtOneMinusSquare()(*self.xs)


def sqrt_one_plus_square(x: Any) -> Any:
    """Give sqrt(1 + x**2), which does not overflow."""
    return np.cosh(np.arcsinh(x)) if x.dtype.kind == "c" else np.hypot(1.0, x)


class Arctan(Function):
    """Inverse tangent, in [-pi/2, pi/2]; its derivative is 1 / (1 + x**2)."""

    implements = np.arctan
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        r = sqrt_one_plus_square(*self.xs)
        return gy / r / r


class _Direction(Function):
    """Cosine and sine of the angle of the vector (x0, x1); (0, 0) at the origin, as by `quotient`.

    It turns by (x0 dx1 - x1 dx0) / r**2: a sum in which nothing cancels, as it does in
    the derivative of x0 / r.
    """

    elementwise = True
    only_reads = True

    def forward(self, x0: Any, x1: Any) -> Any:
        r = np.hypot(x0, x1)
        return quotient(x0, r), quotient(x1, r)

    def backward(self, g_cos: Any, g_sin: Any) -> Any:
        cos, sin = self.ys
        r = np.hypot(*self.xs)
        turn = (g_sin * cos - g_cos * sin) / np.where(r, r, np.nan)
        return -turn * sin, turn * cos


class Hypot(Function):
    """Length of the vector (x0, x1): sqrt(x0**2 + x1**2).

    Its derivatives are 0 at the origin, and the second ones nan.
    """

    implements = np.hypot
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        cos, sin = _Direction()(*self.xs)
        return gy * cos, gy * sin


class Arctan2(Function):
    """Angle of the vector (x1, x0), in [-pi, pi].

    Its derivatives are 0 at the origin, and the second ones nan.
    """

    implements = np.arctan2
    elementwise = True
    saves = ("xs",)
    only_reads = True

    def backward(self, gy: Any) -> Any:
        sin, cos = _Direction()(*self.xs)
        r = np.hypot(*self.xs)
        return gy * quotient(cos, r), -gy * quotient(sin, r)


class Rad2deg(Function):
    """Radians as degrees: x * 180 / pi."""

    implements = np.rad2deg, np.degrees
    elementwise = True
    saves = ()

    def backward(self, gy: Any) -> Any:
        return gy * (180 / np.pi)


class Deg2rad(Function):
    """Degrees as radians: x * pi / 180."""

    implements = np.deg2rad, np.radians
    elementwise = True
    saves = ()

    def backward(self, gy: Any) -> Any:
        return gy * (np.pi / 180)


class Cot(Function):
    """Cotangent: 1 / tan(x); its derivative is -1 - cot(x)**2."""

    elementwise = True
    saves = ("ys",)

    def forward(self, x: Any) -> Any:
        return 1 / np.tan(x)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        return -gy * (1 + y * y)


class Sec(Function):
    """Secant: 1 / cos(x); its derivative is sec(x) * tan(x)."""

    elementwise = True

    def forward(self, x: Any) -> Any:
        return 1 / np.cos(x)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        return gy * y * np.tan(x)


class Csc(Function):
    """Cosecant: 1 / sin(x); its derivative is -csc(x) / tan(x)."""

    elementwise = True

    def forward(self, x: Any) -> Any:
        return 1 / np.sin(x)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        return -gy * y / np.tan(x)


@composite()
def arccot(x: Any) -> Any:
    """Inverse cotangent, in [0, pi] and smooth at 0: pi/2 - arctan(x)."""
    return np.pi / 2 - np.arctan(x) if np.iscomplexobj(x) else np.arctan2(1, x)  # exact for large x


@composite()
def arcsec(x: Any) -> Any:
    """Inverse secant, in [0, pi]: arccos(1 / x)."""
    return np.arccos(1 / x)


@composite()
def arccsc(x: Any) -> Any:
    """Inverse cosecant, in [-pi/2, pi/2]: arcsin(1 / x)."""
    return np.arcsin(1 / x)
