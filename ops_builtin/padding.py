"""Elements put around an array: constants, ramps, elements of its own, and statistics of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ops_builtin.indexing import AddAt
from ops_builtin.reductions import arrayed
from registry import NoOperatorError, composite

_PLACES = ("edge", "reflect", "symmetric", "wrap")
_STATISTICS: dict[str, Callable[..., Any]] = {
    "maximum": np.max,
    "mean": np.mean,
    "median": np.median,
    "minimum": np.min,
}
_MODES = ("constant", *_PLACES, "linear_ramp", *_STATISTICS)


@composite(
    implements=np.pad,
    inputs=("array",),
    samples=(
        {"array": (3,), "pad_width": 2},
        {"array": (2, 3), "pad_width": ((1, 0), (2, 3)), "constant_values": 4.0},
        {"array": (2, 2), "pad_width": (1, 2), "constant_values": ((1.0, 2.0), (3.0, 4.0))},
        {"array": (2, 3), "pad_width": ((1,), (2,)), "mode": "edge"},
        {"array": (3, 2), "pad_width": 4, "mode": "reflect"},
        {"array": (3, 2), "pad_width": (4, 5), "mode": "reflect", "reflect_type": "odd"},
        {"array": (3, 2), "pad_width": (1, 5), "mode": "symmetric"},
        {"array": (3, 2), "pad_width": (1, 5), "mode": "symmetric", "reflect_type": "odd"},
        {"array": (3,), "pad_width": (4, 7), "mode": "wrap"},
        {"array": (2, 3), "pad_width": {-1: (1, 2)}, "mode": "reflect"},
        {"array": (2, 3), "pad_width": {0: 1}},
        {"array": (2, 3), "pad_width": ((1, 2), (2, 0)), "mode": "linear_ramp", "end_values": (1.0, 2.0)},
        {"array": (2, 3), "pad_width": ((0, 1), (2, 1)), "mode": "mean"},
        {"array": (4,), "pad_width": (2, 1), "mode": "maximum", "stat_length": (2, 3)},
        {"array": (4,), "pad_width": 1, "mode": "minimum", "stat_length": 2},
        {"array": (2, 3), "pad_width": 1, "mode": "median"},
        {"array": (), "pad_width": 1},
        {"array": (0,), "pad_width": 1},
    ),
)
def pad(
    array: Any,
    pad_width: Any,
    mode: Any = "constant",
    *,
    constant_values: Any = None,
    end_values: Any = None,
    stat_length: Any = None,
    reflect_type: Any = None,
) -> Any:
    """Put elements around an array, in the modes of NumPy but "empty" and functions of one's own.

    `constant_values` and `end_values` are constants, 0 unless given. Several elements that
    are the maximum or the minimum share its gradient.
    """
    if mode not in _MODES:
        raise NoOperatorError(
            f"np.pad on Variables has the modes {str(_MODES)[1:-1]}, not {mode!r}; np.concatenate puts "
            "whatever else is wanted around an array"
        )
    array = arrayed(array)
    if not array.ndim:
        return np.copy(array)  # a number has no axis along which something could be put
    pairs = _pairs(pad_width, array.ndim)
    options = {
        "constant_values": constant_values,
        "end_values": end_values,
        "stat_length": stat_length,
        "reflect_type": reflect_type,
    }
    options = {name: value for name, value in options.items() if value is not None}
    if mode == "constant":
        around = np.pad(np.zeros(array.shape, array.dtype), pairs, **options)
        inside = tuple([slice(before, before + n) for (before, _), n in zip(pairs, array.shape, strict=True)])
        padded = AddAt(inside, around.shape)(array)
        return padded + around if np.any(around) else padded
    # whatever is wrong with the arguments, NumPy says it here
    places = np.pad(np.arange(array.size).reshape(array.shape), pairs, mode, **options)
    if mode in _PLACES and reflect_type != "odd":
        return np.take(array, places)
    ends = np.broadcast_to(0 if end_values is None else end_values, (array.ndim, 2)).tolist()
    lengths = np.broadcast_to(np.array(stat_length, object), (array.ndim, 2))
    for axis, widths in enumerate(pairs):
        if any(widths):
            sides = array, np.flip(array, axis)
            before, after = [
                _before(sides[i], axis, widths[i], mode, ends[axis][i], lengths[axis][i]) for i in (0, 1)
            ]
            array = np.concatenate([before, array, np.flip(after, axis)], axis)
    return array


def _before(a: Any, axis: int, width: int, mode: str, end: Any, length: int | None) -> Any:
    """Give what comes before the first element along an axis, in `a`'s type."""
    if mode == "linear_ramp":
        y = np.linspace(end, np.take(a, 0, axis), width, endpoint=False, axis=axis)
    elif mode in _STATISTICS:
        part = a if length is None else np.take(a, range(min(length, a.shape[axis])), axis)
        y = np.repeat(_STATISTICS[mode](part, axis=axis, keepdims=True), width, axis)
    elif a.shape[axis] == 1:
        y = np.repeat(a, width, axis)  # as NumPy does, where an edge has no neighbours
    else:
        y = _odd_before(a, axis, width, int(mode == "reflect"))
    if a.dtype.kind in "iu":
        y = np.floor(y) if mode == "linear_ramp" else np.round(y)
    return y if y.dtype == a.dtype else np.astype(y, a.dtype)


def _odd_before(a: Any, axis: int, width: int, first: int) -> Any:
    """Give 2 * edge - a for the elements from `first` on in the other order, and again before those."""
    mirrored = np.take(a, range(first, min(first + width, a.shape[axis]))[::-1], axis)
    y = 2 * np.take(a, [0], axis) - mirrored
    missing = width - y.shape[axis]
    if not missing:
        return y
    return np.concatenate([_odd_before(np.concatenate([y, a], axis), axis, missing, first), y], axis)


def _pairs(pad_width: Any, ndim: int) -> Any:
    """Give for each axis how much comes before and after, of all ways in which NumPy takes that."""
    if not isinstance(pad_width, dict):
        return np.broadcast_to(pad_width, (ndim, 2))
    pairs = [[0, 0] for _ in range(ndim)]
    for axis, width in pad_width.items():
        pairs[axis] = np.broadcast_to(width, 2).tolist()
    return pairs
