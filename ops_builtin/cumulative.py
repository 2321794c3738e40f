"""Running sums and products, differences, and the integral and the derivative of what was sampled."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ops_builtin.reductions import arrayed, axes_of
from registry import Function, composite


class _Cumulative(Function):
    """What running results share: one axis, or all elements in one row where it is None."""

    samples: ClassVar[Any] = (
        {"x": (3,)}, {"x": (2, 3)}, {"x": (2, 3), "axis": 0}, {"x": (2, 3, 2), "axis": 1},
        {"x": (2, 3), "axis": -1}, {"x": ()}, {"x": (2, 0), "axis": 1}, {"x": (4,), "axis": 0},
    )  # fmt: skip

    def __init__(self, axis: int | None = None) -> None:
        self.axis = axis

    def axis_first(self, x: Any) -> Any:
        """Put the axis first, or the elements in one row."""
        return np.reshape(x, (-1,)) if self.axis is None else np.swapaxes(x, 0, self.axis)

    def axis_back(self, gx: Any, shape: tuple[int, ...]) -> Any:
        """Undo `axis_first`."""
        return np.reshape(gx, shape) if self.axis is None else np.swapaxes(gx, 0, self.axis)


class _Cumsum(_Cumulative):
    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return x.cumsum(self.axis)

    def backward(self, gy: Any) -> Any:
        from_the_end = np.cumsum(self.axis_first(gy)[::-1], axis=0)[::-1]
        return self.axis_back(from_the_end, self.shape)


class Cumsum(_Cumsum):
    """Running sum along an axis."""

    implements = np.cumsum
    method = "cumsum"
    saves = ()


class _Cumprod(_Cumulative):
    def forward(self, x: Any) -> Any:
        return x.cumprod(self.axis)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        row, products = self.axis_first(x), self.axis_first(y)
        before = np.concatenate((np.ones_like(row[:1]), products[:-1]))
        after = _Recurrence()(row[1:][::-1], self.axis_first(gy)[::-1])[::-1]
        return self.axis_back(before * after, x.shape)


_ZEROS = {"x": np.array([0.0, 2.0, 0.0, 3.0])}, {"x": np.array([[3.0, 0.0], [2.0, 0.0]]), "axis": 0}


class Cumprod(_Cumprod):
    """Running product along an axis; its derivatives are right at zeros, too.

    With P the running product, the gradient is P[i-1] * r[i], where r[i] = gy[i] + x[i+1] * r[i+1].
    """

    implements = np.cumprod
    method = "cumprod"
    samples = *_Cumulative.samples, *_ZEROS


class _Recurrence(Function):
    """y[0] = b[0], y[i] = a[i-1] * y[i-1] + b[i], along the first axis."""

    saves = ("xs", "ys")

    def forward(self, a: Any, b: Any) -> Any:
        y = np.array(b, np.result_type(a, b))
        for i in range(1, len(y)):
            y[i] += a[i - 1] * y[i - 1]
        return y

    def backward(self, gy: Any) -> Any:
        (a, _), (y,) = self.xs, self.ys
        gb = _Recurrence()(a[::-1], gy[::-1])[::-1]
        return gb[1:] * y[:-1], gb


class AddAccumulate(_Cumsum):
    """Running sum along an axis, by default the first."""

    implements = np.add.accumulate
    saves = ()
    samples = {"x": (3,)}, {"x": (2, 3), "axis": -1}

    def __init__(self, axis: int = 0) -> None:
        super().__init__(axis)


class MultiplyAccumulate(_Cumprod):
    """Running product along an axis, by default the first."""

    implements = np.multiply.accumulate
    samples = {"x": (3,)}, {"x": (2, 3), "axis": -1}

    def __init__(self, axis: int = 0) -> None:
        super().__init__(axis)


_STANDARD = (
    {"x": (3,)}, {"x": (2, 3), "axis": 0}, {"x": (2, 3), "axis": -1, "include_initial": True}, {"x": ()},
    {"x": (2, 0), "axis": 1, "include_initial": True},
)  # fmt: skip


def _with_start(x: Any, y: Any, axis: int | None, value: int) -> Any:
    """Put the value of nothing before a running result."""
    if axis is None and np.ndim(x) > 1:
        raise ValueError("for an array of several axes, axis is needed")
    axis = 0 if axis is None else axis
    shape = list(y.shape)
    shape[axis] = 1
    return np.concatenate((np.full(shape, value, y.dtype), y), axis=axis)


@composite(implements=np.cumulative_sum, samples=_STANDARD)
def cumulative_sum(x: Any, /, *, axis: int | None = None, include_initial: bool = False) -> Any:
    """Cumulative sum along an axis, which starts with 0 where `include_initial` says so."""
    y = np.cumsum(x, axis=axis)
    return _with_start(x, y, axis, 0) if include_initial else y


@composite(implements=np.cumulative_prod, samples=_STANDARD)
def cumulative_prod(x: Any, /, *, axis: int | None = None, include_initial: bool = False) -> Any:
    """Cumulative product along an axis, which starts with 1 where `include_initial` says so."""
    y = np.cumprod(x, axis=axis)
    return _with_start(x, y, axis, 1) if include_initial else y


def _at(axis: int, places: slice) -> tuple[slice, ...]:
    """Give the index of places along an axis."""
    return (*(slice(None),) * axis, places)


def _steps(a: Any, axis: int) -> Any:
    return a[_at(axis, slice(1, None))] - a[_at(axis, slice(None, -1))]


@composite(
    implements=np.diff,
    inputs=("a", "prepend", "append"),
    samples=(
        {"a": (4,)}, {"a": (2, 4), "n": 2}, {"a": (3, 2), "axis": 0}, {"a": (2, 3, 2), "axis": -2},
        {"a": (3,), "prepend": (), "append": (2,)}, {"a": (2, 3), "axis": 0, "prepend": (1, 3), "append": ()},
        {"a": (2, 0), "axis": 0}, {"a": (2,), "n": 3}, {"a": (2, 3), "n": 0},
    ),
)  # fmt: skip
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Each element minus the one before along an axis; n times."""
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    if n == 0:
        return a
    a = arrayed(a)
    if a.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    (axis,) = axes_of(axis, a.ndim)
    one = (*a.shape[:axis], 1, *a.shape[axis + 1 :])
    parts = [arrayed(x) for x in (prepend, a, append) if x is not None]
    parts = [x if np.ndim(x) else np.broadcast_to(x, one) for x in parts]
    y = np.concatenate(parts, axis=axis) if len(parts) > 1 else a
    for _ in range(n):
        y = _steps(y, axis)
    return y


@composite(
    implements=np.ediff1d,
    inputs=("ary", "to_end", "to_begin"),
    samples=(
        {"ary": (4,)}, {"ary": (2, 3)}, {"ary": (3,), "to_end": (2,)}, {"ary": (3,), "to_begin": ()},
        {"ary": (3,), "to_end": (1,), "to_begin": (2, 1)}, {"ary": ()},
    ),
)  # fmt: skip
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Each element minus the one before, flattened, between given ends."""
    row = np.reshape(arrayed(ary), (-1,))
    ends = [None if x is None else np.reshape(arrayed(x), (-1,)) for x in (to_begin, to_end)]
    for end in ends:
        if end is not None and not np.can_cast(end.dtype, row.dtype, "same_kind"):
            raise TypeError(f"ends of dtype {end.dtype} do not go with differences of dtype {row.dtype}")
    begin, end = [x if x is None or x.dtype == row.dtype else np.astype(x, row.dtype) for x in ends]
    parts = [x for x in (begin, _steps(row, 0), end) if x is not None]
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


@composite(
    implements=np.gradient,
    inputs=("f",),
    samples=(
        {"f": (4,)}, {"f": (2, 3)}, {"f": (3, 4), "edge_order": 2}, {"f": (3, 4), "axis": 0},
        {"f": (3, 2, 3), "axis": (0, -1)}, {"f": (2, 3), "axis": -1},
    ),
)  # fmt: skip
def gradient(f: Any, *varargs: Any, axis: int | tuple[int, ...] | None = None, edge_order: int = 1) -> Any:
    """Slope along each axis of what was sampled: that of the parabola through three neighbours.

    At the ends that of the line through the last two, or for `edge_order` 2 of the parabola.
    `varargs` are the spacings, or the coordinates: one for all axes, or one for each.
    """
    f = arrayed(f)
    axes = axes_of(axis, f.ndim)
    if len(varargs) not in (0, 1, len(axes)) or (len(varargs) == 1 < len(axes) and np.ndim(varargs[0])):
        raise TypeError("invalid number of arguments")
    if edge_order not in (1, 2):
        raise ValueError(f"edge_order is 1 or 2, not {edge_order}")
    spacings = [*map(arrayed, varargs)] or [1.0]
    spacings = spacings * len(axes) if len(spacings) == 1 else spacings
    slopes = [_derivative(f, i, h, edge_order) for i, h in zip(axes, spacings, strict=True)]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def _derivative(f: Any, axis: int, spacing: Any, edge_order: int) -> Any:
    """Give the derivative along one axis, from the slopes between neighbours."""
    dtype = f.dtype if f.dtype.kind in "fc" else np.dtype(float)
    f = np.swapaxes(f if f.dtype == dtype else np.astype(f, dtype), 0, axis)
    if len(f) < edge_order + 1:
        raise ValueError(f"at least edge_order + 1 = {edge_order + 1} elements are required along an axis")
    if np.ndim(spacing) > 1 or (np.ndim(spacing) == 1 and len(spacing) != len(f)):
        raise ValueError("coordinates must be 1-d, and as many as there are elements along the axis")
    if np.ndim(spacing) == 0:
        spacing = spacing * np.arange(len(f)).astype(np.empty(0, dtype).real.dtype)
    h = _steps(spacing, 0)
    h = np.reshape(h, (-1,) + (1,) * (f.ndim - 1))
    s = _steps(f, 0) / h
    first, last = s[:1], s[-1:]
    if edge_order == 2:
        first = first + (s[:1] - s[1:2]) * (h[:1] / (h[:1] + h[1:2]))
        last = last + (s[-1:] - s[-2:-1]) * (h[-1:] / (h[-1:] + h[-2:-1]))
    between = (h[:-1] * s[1:] + h[1:] * s[:-1]) / (h[:-1] + h[1:])
    y = np.swapaxes(np.concatenate((first, between, last)), 0, axis)
    return y if y.dtype == dtype else np.astype(y, dtype)


@composite(
    implements=np.trapezoid,
    inputs=("y", "x"),
    samples=(
        {"y": (4,)}, {"y": (2, 4), "dx": 0.5}, {"y": (4, 2), "axis": 0}, {"y": (4,), "x": (4,)},
        {"y": (4, 2), "x": (4,), "axis": -2}, {"y": (2, 3), "x": (2, 3)},
    ),
)  # fmt: skip
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Integral along an axis by the trapezoidal rule, with coordinates x, or the spacing dx."""
    y, x = arrayed(y), arrayed(x)
    (axis,) = axes_of(axis, y.ndim)
    if x is None:
        width = dx
    elif np.ndim(x) == 1:
        width = np.reshape(_steps(x, 0), (-1,) + (1,) * (y.ndim - 1 - axis))
    else:
        width = np.diff(x, axis=axis - y.ndim)
    both = y[_at(axis, slice(1, None))] + y[_at(axis, slice(None, -1))]
    return np.sum(width * both / 2.0, axis=axis)
