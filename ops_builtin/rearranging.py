"""The elements repeated, added to, left out, and in another order."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ops_builtin.indexing import GetItem, with_axis
from ops_builtin.reductions import arrayed
from registry import Function, composite
from registry.numpy_protocol import plain


@composite(
    implements=np.tile,
    inputs=("A",),
    samples=(
        {"A": (3,), "reps": 2},
        {"A": (2, 3), "reps": (2, 1, 3)},
        {"A": (2, 1, 2), "reps": (3,)},
        {"A": (), "reps": (2, 2)},
        {"A": (2,), "reps": 0},
        {"A": (0, 2), "reps": 2},
    ),
)
def tile(A: Any, reps: int | Sequence[int]) -> Any:
    """Give the whole array, `reps` times along each axis."""
    times = [operator.index(n) for n in np.ravel(plain(reps)).tolist()]
    ndim = max(len(times), np.ndim(A))
    times = [1] * (ndim - len(times)) + times
    shape = (1,) * (ndim - np.ndim(A)) + np.shape(A)
    apart = [n for length in shape for n in (1, length)]
    spread = [n for pair in zip(times, shape, strict=True) for n in pair]
    whole = np.broadcast_to(np.reshape(A, apart), spread)
    return np.reshape(whole, np.multiply(times, shape))


@composite(
    implements=np.repeat,
    method="repeat",
    inputs=("a",),
    samples=(
        {"a": (2, 3), "repeats": 2},
        {"a": (2, 3), "repeats": 3, "axis": -1},
        {"a": (3, 2), "repeats": [2, 0, 1], "axis": 0},
        {"a": (3,), "repeats": np.array([1])},
        {"a": (), "repeats": 3},
        {"a": (2, 0), "repeats": 2, "axis": 0},
    ),
)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Give each element `repeats` times, one number for all or one for each, along an axis or flattened."""
    a, axis = with_axis(a, axis)
    shape, repeats = np.shape(a), plain(repeats)
    if np.size(repeats) != 1:
        return np.take(a, np.repeat(np.arange(shape[axis]), repeats), axis=axis)
    times = np.repeat(0, repeats).size
    before, length, after = shape[:axis], shape[axis], shape[axis + 1 :]
    apart = np.reshape(a, (*before, length, 1, *after))
    return np.reshape(
        np.broadcast_to(apart, (*before, length, times, *after)), (*before, length * times, *after)
    )


@composite(
    implements=np.delete,
    inputs=("arr",),
    samples=(
        {"arr": (2, 3), "obj": 1},
        {"arr": (4, 2), "obj": [0, -1], "axis": 0},
        {"arr": (2, 4), "obj": slice(None, None, 2), "axis": -1},
        {"arr": (3,), "obj": np.array([True, False, False])},
    ),
)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """Leave out the places `obj` of an axis, or of the flattened array."""
    arr, axis = with_axis(arr, axis)
    return np.take(arr, np.delete(np.arange(np.shape(arr)[axis]), plain(obj)), axis=axis)


@composite(
    implements=np.insert,
    inputs=("arr", "values"),
    samples=(
        {"arr": (2, 3), "obj": 1, "values": ()},
        {"arr": (2, 3), "obj": 1, "values": (2,), "axis": 1},
        {"arr": (2, 3), "obj": 0, "values": (2, 3), "axis": 0},
        {"arr": (4,), "obj": [3, 0, 3], "values": (3,)},
        {"arr": (2, 3), "obj": [1], "values": (2, 2), "axis": -1},
        {"arr": (3, 2), "obj": slice(0, 2), "values": (1, 2), "axis": 0},
        {"arr": (3,), "obj": np.array([True, False, True]), "values": ()},
        {"arr": (0,), "obj": 0, "values": (2,)},
        {"arr": (2, 2), "obj": 0, "values": (1, 1)},
    ),
)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Put `values` before the places `obj` of an axis, or of the flattened array; they get arr's type."""
    arr, axis = with_axis(arr, axis)
    shape, places = list(np.shape(arr)), plain(obj)
    length, values = shape[axis], arrayed(values)
    values = np.reshape(values, (1,) * (len(shape) - np.ndim(values)) + np.shape(values))
    if np.ndim(places) == 0 and not isinstance(places, slice):
        values = np.moveaxis(values, 0, axis)
    count = np.insert(np.arange(length), places, 0).size - length
    shape[axis] = np.shape(values)[axis] if count == 1 else count
    order = np.insert(np.arange(length), places, length + np.arange(shape[axis]))
    extra = max(np.ndim(values) - len(shape), 0)  # axes of length 1 in front, which assigning lets pass
    values = np.reshape(values, np.shape(values)[extra:])
    values = np.broadcast_to(np.astype(values, arr.dtype), shape)
    return np.take(np.concatenate([arr, values], axis=axis), order, axis=axis)


@composite(
    implements=np.append,
    samples=(
        {"arr": (2, 2), "values": (3,)},
        {"arr": (2, 2), "values": (2, 1), "axis": -1},
        {"arr": (), "values": ()},
        {"arr": (0,), "values": (2,)},
    ),
)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """Give an array and then another, along an axis, or both flattened."""
    return np.concatenate([arr, values], axis=axis)


@composite(
    implements=np.resize,
    inputs=("a",),
    samples=(
        {"a": (2, 3), "new_shape": (2, 5)},
        {"a": (2, 3), "new_shape": 4},
        {"a": (), "new_shape": (2, 2)},
        {"a": (2,), "new_shape": (0, 3)},
        {"a": (0,), "new_shape": (0,)},
    ),
)
def resize(a: Any, new_shape: int | tuple[int, ...]) -> Any:
    """Give the elements in a new shape, from the first one again where they do not fill it."""
    if not np.size(a):
        a = np.pad(np.ravel(a), (0, 1))
    return np.take(a, np.resize(np.arange(np.size(a)), new_shape))


@composite(
    implements=np.trim_zeros,
    samples=(
        {"filt": np.array([2.0, 0.0, -1.0])},
        {"filt": np.array([[1.0, 2.0], [0.0, 3.0]]), "axis": -1},
        {"filt": np.array([0, 0, 2, 0, 1, 0])},
        {"filt": np.array([0, 2, 0, 1, 0]), "trim": "f"},
        {"filt": np.array([0, 2, 0, 1, 0]), "trim": "B"},
        {"filt": np.array([0, 0]), "trim": "f"},
        {"filt": np.array([[0, 0, 0], [0, 1, 2], [0, 0, 3]])},
        {"filt": np.array([[0, 0, 0], [0, 1, 2]]), "axis": -1},
    ),
)
def trim_zeros(filt: Any, trim: str = "fb", axis: int | Sequence[int] | None = None) -> Any:
    """Leave out the zeros at the front ("f") and the back ("b") of all axes, or of some."""
    ends = trim.lower()
    if ends not in ("fb", "bf", "f", "b"):
        raise ValueError(f"trim is {trim!r}; it must be 'fb', 'f' or 'b'")
    ndim, places = np.ndim(filt), np.argwhere(filt)
    axes = range(ndim) if axis is None else normalize_axis_tuple(axis, ndim)
    index = [slice(None)] * ndim
    for a in axes:
        found = places[:, a]
        front = found.min() if found.size and "f" in ends else None
        index[a] = slice(
            front, (found.max() + 1 if found.size else 0) if "b" in ends or not found.size else None
        )
    return GetItem(tuple(index))(filt)


class Flip(Function):
    """The elements in the other order along axes, or all."""

    implements = np.flip
    saves = ()

    def __init__(self, axis: int | tuple[int, ...] | None = None) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        return np.flip(x, self.axis)

    def backward(self, gy: Any) -> Any:
        return np.flip(gy, self.axis)


@composite(implements=np.fliplr, samples=({"m": (2, 3)}, {"m": (2, 3, 2)}, {"m": (2, 0)}))
def fliplr(m: Any) -> Any:
    """Give the columns in the other order: flip(m, 1)."""
    return np.flip(m, 1)


@composite(implements=np.flipud)
def flipud(m: Any) -> Any:
    """Give the rows in the other order: flip(m, 0)."""
    return np.flip(m, 0)


class Roll(Function):
    """The elements moved along axes by `shift` places, the last ones to the front; or flattened."""

    implements = np.roll
    saves = ()
    samples = (
        {"x": (4,), "shift": 1},
        {"x": (2, 3), "shift": -2},
        {"x": (2, 3), "shift": 4, "axis": -1},
        {"x": (2, 3, 2), "shift": (1, -2), "axis": (0, 1)},
        {"x": (3,), "shift": (1, 1), "axis": 0},
        {"x": (), "shift": 1},
        {"x": (0, 2), "shift": 1, "axis": 0},
    )

    def __init__(self, shift: int | tuple[int, ...], axis: int | tuple[int, ...] | None = None) -> None:
        self.shift, self.axis = plain(shift), axis

    def forward(self, x: Any) -> Any:
        return np.roll(x, self.shift, self.axis)

    def backward(self, gy: Any) -> Any:
        return np.roll(gy, np.negative(self.shift), self.axis)


@composite(
    implements=np.rot90,
    samples=(
        {"m": (2, 3)},
        {"m": (2, 3), "k": 2},
        {"m": (2, 3, 2), "k": -1, "axes": (1, 2)},
        {"m": (2, 3), "k": 4, "axes": (1, 0)},
        {"m": (0, 2)},
    ),
)
def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """Give the plane of two axes turned by `k` right angles, from the first towards the second."""
    first, second = axes
    if np.ndim(m) < 2:
        raise ValueError(f"an array of two axes or more is turned, not of {np.ndim(m)}")
    if first % np.ndim(m) == second % np.ndim(m):
        raise ValueError(f"the axes {first} and {second} are one; a plane has two")
    if k % 2 == 0:
        return np.flip(m, (first, second)) if k % 4 else m[...]  # a view, as NumPy gives
    turned = np.swapaxes(m, first, second)
    return np.flip(turned, first if k % 4 == 1 else second)
