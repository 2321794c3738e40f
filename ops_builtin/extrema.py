"""The larger, the smaller, and what lies between bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from registry import Function


def first_share(less: Any, less_or_equal: Any, dtype: Any) -> Any:
    """Give 1 where the first of two wins, 0 where it loses, 1/2 where they tie."""
    share: Any = (less.astype(dtype) + less_or_equal.astype(dtype)) / 2
    return share


class Maximum(Function):
    """The larger of two, element by element; equal ones share the gradient by halves."""

    implements = np.maximum
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        x0, x1 = self.xs
        share = first_share(np.greater(x0, x1), np.greater_equal(x0, x1), gy.dtype)
        return gy * share, gy * (1 - share)


class Minimum(Function):
    """The smaller of two, element by element; equal ones share the gradient by halves."""

    implements = np.minimum
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        x0, x1 = self.xs
        share = first_share(np.less(x0, x1), np.less_equal(x0, x1), gy.dtype)
        return gy * share, gy * (1 - share)


class Clip(Function):
    """x between bounds, either of which may be None; at a bound the gradient goes to x.

    The upper bound wins where the bounds cross, as in NumPy.
    """

    implements = np.clip
    method = "clip"
    elementwise = True
    saves = ("xs",)

    def forward(self, x: Any, a_min: Any = None, a_max: Any = None) -> Any:
        return np.clip(x, a_min, a_max)

    def backward(self, gy: Any) -> Any:
        x, *bounds = self.xs
        a_min, a_max = (*bounds, None, None)[:2]
        raised = x if a_min is None else np.maximum(x, a_min)
        above = False if a_max is None else np.greater(raised, a_max)
        below = False if a_min is None else np.logical_and(np.less(x, a_min), np.logical_not(above))
        zero = np.zeros_like(gy)
        gx = np.where(np.logical_or(below, above), zero, gy)
        gradients = gx, np.where(below, gy, zero), np.where(above, gy, zero)
        return gradients[: len(self.xs)]

    @classmethod
    def from_numpy(
        cls, a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
    ) -> Any:
        """Take the bounds by either of NumPy's names."""
        return cls()(a, min if a_min is None else a_min, max if a_max is None else a_max)

    @classmethod
    def from_method(cls, x: Any, min: Any = None, max: Any = None) -> Any:
        """Take the bounds by the names of NumPy's method."""
        return cls()(x, min, max)
