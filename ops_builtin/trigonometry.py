"""Trigonometric functions and their inverses; angles are in radians.

Squares are written x**2.0: small integers would overflow in x * x.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from registry import Function, composite


class Sin(Function):
    """Sine."""

    implements = np.sin
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * np.cos(x)


class Cos(Function):
    """Cosine."""

    implements = np.cos
    elementwise = True
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


def _one_minus_square(x: Any) -> Any:
    """Give 1 - x**2, exact where x is close to 1; of complex x, on the side of sqrt's cut where arcsin is.

    Subtraction keeps the sign of an imaginary part of 0, addition and 1 - x do not.
    """
    return -(x - 1.0) * (x - -1.0) if x.dtype.kind == "c" else (1.0 - x) * (1.0 + x)


class Arcsin(Function):
    """Inverse sine, in [-pi/2, pi/2]; its derivative 1 / sqrt(1 - x**2) is infinite at -1 and 1."""

    implements = np.arcsin
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy / np.sqrt(_one_minus_square(x))


class Arccos(Function):
    """Inverse cosine, in [0, pi]; its derivative is that of arcsin with the other sign."""

    implements = np.arccos
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return -gy / np.sqrt(_one_minus_square(x))


class Arctan(Function):
    """Inverse tangent, in [-pi/2, pi/2]; its derivative is 1 / (1 + x**2)."""

    implements = np.arctan
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy / (1 + x**2.0)


def _safe_hypot(x0: Any, x1: Any) -> Any:
    """Give the length of (x0, x1), and 1 at the origin: the quotients by it are 0 there."""
    r = np.hypot(x0, x1)
    return np.where(r, r, 1)


class Hypot(Function):
    """Length of the vector (x0, x1): sqrt(x0**2 + x1**2); its derivatives are 0 at the origin."""

    implements = np.hypot
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        x0, x1 = self.xs
        r = _safe_hypot(x0, x1)
        return gy * (x0 / r), gy * (x1 / r)


class Arctan2(Function):
    """Angle of the vector (x1, x0), in [-pi, pi]; its derivatives are 0 at the origin."""

    implements = np.arctan2
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        x0, x1 = self.xs
        r = _safe_hypot(x0, x1)
        gy = gy / r
        return gy * (x1 / r), -gy * (x0 / r)


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


class Arccot(Function):
    """Inverse cotangent, in [0, pi] and smooth at 0: pi/2 - arctan(x)."""

    elementwise = True
    saves = ("xs",)

    def forward(self, x: Any) -> Any:
        if x.dtype.kind == "c":
            return np.pi / 2 - np.arctan(x)
        return np.arctan2(1, x)  # exact for large x

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return -gy / (1 + x**2.0)


@composite()
def arcsec(x: Any) -> Any:
    """Inverse secant, in [0, pi]: arccos(1 / x)."""
    return np.arccos(1 / x)


@composite()
def arccsc(x: Any) -> Any:
    """Inverse cosecant, in [-pi/2, pi/2]: arcsin(1 / x)."""
    return np.arcsin(1 / x)
