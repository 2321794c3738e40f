"""Running sums and products, and what other running results share with them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ops_builtin.reductions import carries_gradient
from registry import Function, composite


class _Running(Function):
    """What running results share: one axis, or all elements in one row where it is None."""

    samples: ClassVar[Any] = (
        {"x": (3,)}, {"x": (2, 3)}, {"x": (2, 3), "axis": 0}, {"x": (2, 3, 2), "axis": 1},
        {"x": (2, 3), "axis": -1}, {"x": ()}, {"x": (2, 0), "axis": 1}, {"x": (4,), "axis": 0},
        {"x": (2, 3), "axis": 0, "dtype": np.float64},
    )  # fmt: skip

    def __init__(self, axis: int | None = None, dtype: Any = None) -> None:
        self.axis, self.dtype = axis, carries_gradient(dtype)

    def axis_first(self, x: Any) -> Any:
        """Put the axis first, or the elements in one row."""
        return np.reshape(x, (-1,)) if self.axis is None or x.ndim == 0 else np.swapaxes(x, 0, self.axis)

    def axis_back(self, gx: Any, shape: tuple[int, ...]) -> Any:
        """Undo `axis_first`."""
        if self.axis is None or shape == ():
            return np.reshape(gx, shape)
        return np.swapaxes(gx, 0, self.axis)


class Cumsum(_Running):
    """Running sum along an axis."""

    implements = np.cumsum
    method = "cumsum"
    saves = ()

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return x.cumsum(self.axis, self.dtype)

    def backward(self, gy: Any) -> Any:
        from_the_end = np.cumsum(self.axis_first(gy)[::-1], axis=0)[::-1]
        return self.axis_back(from_the_end, self.shape)


class _Recursion(_Running):
    """What running results y[i] = f(y[i-1], x[i]) share.

    The gradient by x[i] is r[i] df/dx[i], where r[i] = gy[i] + r[i+1] times the slope of y[i+1] by y[i].
    """

    def slopes(self, before: Any, x: Any, y: Any) -> Any:
        """Give the derivatives of y = f(before, x) by before and by x."""
        raise NotImplementedError

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        row, running = self.axis_first(x), self.axis_first(y)
        by_before, by_x = self.slopes(running[:-1], row[1:], running[1:])
        r = _Recurrence()(by_before[::-1], self.axis_first(gy)[::-1])[::-1]
        return self.axis_back(np.concatenate((r[:1], r[1:] * by_x)), x.shape)


class _Recurrence(Function):
    """y[0] = b[0], y[i] = a[i-1] * y[i-1] + b[i], along the first axis."""

    def forward(self, a: Any, b: Any) -> Any:
        y = np.array(b, np.result_type(a, b))
        for i in range(1, len(y)):
            y[i] += a[i - 1] * y[i - 1]
        return y

    def backward(self, gy: Any) -> Any:
        (a, _), (y,) = self.xs, self.ys
        gb = _Recurrence()(a[::-1], gy[::-1])[::-1]
        return gb[1:] * y[:-1], gb


_ZEROS = {"x": np.array([0.0, 2.0, 0.0, 3.0])}, {"x": np.array([[3.0, 0.0], [2.0, 0.0]]), "axis": 0}


class Cumprod(_Recursion):
    """Running product along an axis; its derivatives are right at zeros, too."""

    implements = np.cumprod
    method = "cumprod"
    samples = *_Running.samples, *_ZEROS

    def forward(self, x: Any) -> Any:
        return x.cumprod(self.axis, self.dtype)

    def slopes(self, before: Any, x: Any, y: Any) -> Any:
        return x, before


_STANDARD = (
    {"x": (3,)}, {"x": (2, 3), "axis": 0}, {"x": (2, 3), "axis": -1, "include_initial": True}, {"x": ()},
    {"x": (2, 0), "axis": 1, "include_initial": True},
)  # fmt: skip


def _with_start(running: Any, x: Any, axis: int | None, dtype: Any, start: int | None) -> Any:
    """Give a running result, with that of nothing before it where there is a start."""
    if axis is None and np.ndim(x) > 1:
        raise ValueError("for an array of several axes, axis is needed")
    y = running(x, axis=axis, dtype=dtype)
    if start is None:
        return y
    axis = 0 if axis is None else axis
    shape = list(y.shape)
    shape[axis] = 1
    return np.concatenate((np.full(shape, start, y.dtype), y), axis=axis)


@composite(implements=np.cumulative_prod, samples=_STANDARD)
def cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """Cumulative product along an axis, which starts with 1 where `include_initial` says so."""
    return _with_start(np.cumprod, x, axis, dtype, 1 if include_initial else None)


@composite(implements=np.cumulative_sum, samples=_STANDARD)
def cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """Cumulative sum along an axis, which starts with 0 where `include_initial` says so."""
    return _with_start(np.cumsum, x, axis, dtype, 0 if include_initial else None)
