"""Differences of neighbours, and the derivative and the integral of what was sampled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ops_builtin.reductions import arrayed, axes_of
from registry import composite


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
    axis = normalize_axis_index(axis, a.ndim)
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
    h = _widths(spacing, f)
    s = _steps(f, 0) / h
    first, last = s[:1], s[-1:]
    if edge_order == 2:
        first = first + (s[:1] - s[1:2]) * (h[:1] / (h[:1] + h[1:2]))
        last = last + (s[-1:] - s[-2:-1]) * (h[-1:] / (h[-1:] + h[-2:-1]))
    if np.ndim(spacing) == 0:
        between = (f[2:] - f[:-2]) / (2 * spacing)  # whatever the neighbour between them is
    else:
        between = (h[:-1] * s[1:] + h[1:] * s[:-1]) / (h[:-1] + h[1:])
    y = np.swapaxes(np.concatenate((first, between, last)), 0, axis)
    return y if y.dtype == dtype else np.astype(y, dtype)


def _widths(spacing: Any, f: Any) -> Any:
    """Give the distances between the elements: one number for all, or the steps of coordinates."""
    if np.ndim(spacing) == 0:
        return np.broadcast_to(spacing, (len(f) - 1,) + (1,) * (f.ndim - 1))
    if np.ndim(spacing) > 1 or len(spacing) != len(f):
        raise ValueError("coordinates must be 1-d, and as many as there are elements along the axis")
    return np.reshape(_steps(spacing, 0), (-1,) + (1,) * (f.ndim - 1))


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
    places = normalize_axis_index(axis, y.ndim)
    if x is None:
        width = dx
    elif np.ndim(x) == 1:
        width = np.reshape(_steps(x, 0), (-1,) + (1,) * (y.ndim - 1 - places))
    else:
        width = np.diff(x, axis=axis)
    both = y[_at(places, slice(1, None))] + y[_at(places, slice(None, -1))]
    return np.sum(width * both / 2.0, axis=axis)
