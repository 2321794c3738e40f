"""Trigonometric and hyperbolic functions; angles are in radians."""

from __future__ import annotations

from typing import Any

import numpy as np

from registry import Function


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


class Tanh(Function):
    """Hyperbolic tangent; its derivative is 1 - tanh(x) ** 2."""

    implements = np.tanh
    elementwise = True
    saves = ("ys",)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        return gy * (1 - y * y)
