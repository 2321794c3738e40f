"""Quotients at kinks: 0 by convention where the divisor is 0, and nan for what would be their derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from registry import Function, Variable


def quotient(x: Any, y: Any) -> Any:
    """Give x / y, and 0 where y is 0, which has no derivative there.

    The slope of a length, x / y, is taken as 0 where the length is. A slope that is a
    constant there would make the second derivative of a smooth function, such as the square
    of the length, 0 without a word; so the next derivative is nan.
    """
    recorded = isinstance(x, Variable) or isinstance(y, Variable)
    return _Quotient()(x, y) if recorded else x / np.where(y, y, np.inf)


class _Quotient(Function):
    """x / y, and 0 where y is 0; its derivatives there are nan."""

    elementwise = True
    saves = ("xs",)

    def forward(self, x: Any, y: Any) -> Any:
        return x / np.where(y, y, np.inf)

    def backward(self, gy: Any) -> Any:
        x, y = self.xs
        known, y = np.where(y, 1, np.nan), np.where(y, y, 1)
        gx = gy / y * known.astype(gy.dtype)
        return gx, -gx * (x / y)
