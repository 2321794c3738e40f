"""Exponentials and logarithms."""

from __future__ import annotations

from typing import Any

import numpy as np

from registry import Function


class Exp(Function):
    """Exponential: e ** x."""

    implements = np.exp
    elementwise = True
    saves = ("ys",)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        return gy * y


class Expm1(Function):
    """exp(x) - 1, exact for small x."""

    implements = np.expm1
    elementwise = True
    saves = ("ys",)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        return gy * (y + 1)


class Log(Function):
    """Natural logarithm."""

    implements = np.log
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy / x


class Log1p(Function):
    """log(1 + x), exact for small x."""

    implements = np.log1p
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy / (1.0 + x)
