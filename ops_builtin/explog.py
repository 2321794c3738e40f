"""Exponentials and logarithms."""

from __future__ import annotations

from functools import reduce
from math import log
from typing import Any

import numpy as np

from registry import Function


class Exp(Function):
    """Exponential: e ** x."""

    implements = np.exp
    elementwise = True
    scalars = True
    saves = ("ys",)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        return gy * y


class Expm1(Function):
    """exp(x) - 1, exact for small x; its derivative is exp(x), since y + 1 is inexact below 0."""

    implements = np.expm1
    elementwise = True
    scalars = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * np.exp(x)


class Exp2(Function):
    """2 ** x; its derivative 2 ** x * log(2) is finite at 1024, where 2 ** x is not.

    For that, half of it is computed anew, which costs a third of value and gradient together.
    """

    implements = np.exp2
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * (np.exp2(x - 1.0) * log(4))


class Log(Function):
    """Natural logarithm; its derivative is 1 / x, infinite at 0."""

    implements = np.log
    elementwise = True
    scalars = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy / x


class Log10(Function):
    """Logarithm to the base 10; its derivative is 1 / (x * log(10))."""

    implements = np.log10
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * (1 / log(10)) / x  # x * log(10) may overflow


class Log2(Function):
    """Logarithm to the base 2; its derivative is 1 / (x * log(2))."""

    implements = np.log2
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * (1 / log(2)) / x


class Log1p(Function):
    """log(1 + x), exact for small x."""

    implements = np.log1p
    elementwise = True
    scalars = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy / (1.0 + x)


class _LogOfSum(Function):
    """log(b ** x0 + b ** x1): the derivatives are the two terms' shares of the sum."""

    elementwise = True
    saves = ("xs",)
    power: Any
    only_reads = True

    def backward(self, gy: Any) -> Any:
        largest = reduce(np.maximum, self.xs)
        terms = [self.power(self.above(x, largest)) for x in self.xs]
        gy = gy / (terms[0] + terms[1])
        return gy * terms[0], gy * terms[1]

    def above(self, x: Any, largest: Any) -> Any:
        """Give the difference; that of equal infinities, which is nan, as 0."""
        same = np.logical_and(np.isinf(x), np.equal(x, largest))
        return np.where(same, 0, x) - np.where(same, 0, largest)


class Logaddexp(_LogOfSum):
    """log(exp(x0) + exp(x1)), exact for large and infinite x; equal infinities share by halves."""

    implements = np.logaddexp
    power = np.exp


class Logaddexp2(_LogOfSum):
    """log2(2 ** x0 + 2 ** x1), exact for large and infinite x; equal infinities share by halves."""

    implements = np.logaddexp2
    power = np.exp2
