"""Reductions along axes: sum, mean, maximum, minimum.

`axis` is None for all axes, an int, or a tuple of ints, which may be negative.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from registry import Function


class _Reduction(Function):
    """What reductions share: their parameters, and how a result lines up with its input."""

    def __init__(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> None:
        self.axis = axis
        self.keepdims = keepdims

    def lined_up(self, reduced: Any, ndim: int) -> Any:
        """Give the reduced axes back to a result of `ndim` axes, each of length 1."""
        if self.axis is None or reduced.ndim == ndim:
            return reduced
        return np.expand_dims(reduced, self.axis)


class Sum(_Reduction):
    """Sum of the elements along axes."""

    implements = np.sum
    method = "sum"
    saves = ()

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return x.sum(axis=self.axis, keepdims=self.keepdims)

    def backward(self, gy: Any) -> Any:
        return np.broadcast_to(self.lined_up(gy, len(self.shape)), self.shape)


class Mean(_Reduction):
    """Arithmetic mean of the elements along axes."""

    implements = np.mean
    method = "mean"
    saves = ()

    def forward(self, x: Any) -> Any:
        y = x.mean(axis=self.axis, keepdims=self.keepdims)
        self.shape, self.count = x.shape, x.size // max(np.size(y), 1)
        return y

    def backward(self, gy: Any) -> Any:
        return np.broadcast_to(self.lined_up(gy / self.count, len(self.shape)), self.shape)


class _Extremum(_Reduction):
    """What max and min share: equal extrema share the gradient evenly."""

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        here = np.equal(x, self.lined_up(y, x.ndim)).astype(gy.dtype)
        return self.lined_up(gy, x.ndim) * (here / here.sum(axis=self.axis, keepdims=True))


class Max(_Extremum):
    """Largest element along axes; equal ones share the gradient evenly."""

    implements = np.max, np.amax
    method = "max"

    def forward(self, x: Any) -> Any:
        return x.max(axis=self.axis, keepdims=self.keepdims)


class Min(_Extremum):
    """Smallest element along axes; equal ones share the gradient evenly."""

    implements = np.min, np.amin
    method = "min"

    def forward(self, x: Any) -> Any:
        return x.min(axis=self.axis, keepdims=self.keepdims)
