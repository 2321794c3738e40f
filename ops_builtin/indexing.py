"""Choosing elements, and putting gradients back where they came from."""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import prod
from types import EllipsisType, NoneType
from typing import Any, Literal

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ops_builtin.reductions import SumTo, arrayed
from registry import Function, Variable, composite
from registry.numpy_protocol import plain


class GetItem(Function):
    """Elements at an index, as NumPy indexes: ``x[index]``."""

    name = "getitem"
    implements = operator.getitem
    saves = ()
    samples = (
        {"x": (3, 4), "index": (slice(None), -1)},
        {"x": (3, 4), "index": [0, 0, 2]},
        {"x": (2, 3), "index": (None, np.array([True, False]), Ellipsis)},
        {"x": (3,), "index": slice(0, 0)},
    )

    def __init__(self, index: Any) -> None:
        self.index = plain(index)

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return x[self.index]

    def backward(self, gy: Any) -> Any:
        return _added_at(self.index, self.shape, gy)


def _added_at(index: Any, shape: tuple[int, ...], gy: Any) -> Any:
    if isinstance(gy, Variable):
        return AddAt(index, shape)(gy)
    return AddAt(index, shape).forward(gy)


class AddAt(Function):
    """Zeros of a shape, with x added at an index; an element named twice gets both."""

    saves = ()
    samples = {"x": (3,), "index": [0, 0, 2], "shape": (4,)}, {"x": (2, 0), "index": 1, "shape": (3, 2, 0)}

    def __init__(self, index: Any, shape: tuple[int, ...]) -> None:
        self.index = plain(index)
        self.shape = shape

    def forward(self, x: Any) -> Any:
        y = np.zeros(self.shape, x.dtype, like=x)
        if _names_each_once(self.index):
            y[self.index] = x
        else:
            np.add.at(y, self.index, x)
        return y

    def backward(self, gy: Any) -> Any:
        return gy[self.index]


def _names_each_once(index: Any) -> bool:
    """Say whether no element can be named twice: slices, numbers and masks cannot."""
    return type(index) in (slice, int) or all(
        isinstance(part, slice | int | np.integer | NoneType | EllipsisType)
        or (isinstance(part, np.ndarray) and part.dtype.kind == "b")
        for part in (index if isinstance(index, tuple) else (index,))
    )


class SetItem(Function):
    """A copy of x in which the elements at an index are those of `value`: x[index] = value.

    Where the index names an element twice, the last one counts, and gets the gradient.
    """

    implements = operator.setitem
    saves = ()
    samples = (
        {"x": (3, 4), "value": (3,), "index": (slice(None), -1)},
        {"x": (3, 4), "value": (3, 4), "index": [0, 2, 0]},
        {"x": (2, 3), "value": (), "index": (np.array([True, False]), slice(1, None))},
        {"x": (3,), "value": (1, 2), "index": slice(0, 2)},
        {"x": (3,), "value": (0,), "index": slice(0, 0)},
        {"x": (), "value": (), "index": ()},
    )
    expected_failures = {"numpy_function": "assigning to a Variable is an error, which names this operator"}

    def __init__(self, index: Any) -> None:
        self.index = plain(index)

    def forward(self, x: Any, value: Any) -> Any:
        y = x.copy()
        y[self.index] = value
        self.rounds = value.dtype.kind in "fc" and y.dtype.kind not in "fc"
        self.value_shape = value.shape
        return y

    def backward(self, gy: Any) -> Any:
        part = gy[self.index]
        if not _names_each_once(self.index):
            part = np.where(_last_named(self.index, gy.shape), part, 0)
        part = part.reshape((1,) * (len(self.value_shape) - part.ndim) + part.shape)
        return SetItem(self.index)(gy, 0), None if self.rounds else SumTo(self.value_shape)(part)


def _last_named(index: Any, shape: tuple[int, ...]) -> Any:
    """Say for each element of ``x[index]`` whether the index names it no more after that."""
    nothing = np.zeros(shape, np.intp)
    turns = np.arange(nothing[index].size).reshape(nothing[index].shape)
    return SetItem(index).forward(nothing, turns)[index] == turns


@composite(
    implements=np.take,
    method="take",
    inputs=("a",),
    samples=(
        {"a": (2, 3), "indices": [0, 0, -1]},
        {"a": (2, 3), "indices": np.array([[2, 0], [1, 2]]), "axis": 1},
        {"a": (3, 2), "indices": 1, "axis": -2},
        {"a": (3,), "indices": [-4, 5], "mode": "wrap"},
        {"a": (2, 3), "indices": [-4, 5], "axis": 1, "mode": "clip"},
        {"a": (2, 0), "indices": [1], "axis": 0},
    ),
)
def take(
    a: Any, indices: Any, axis: int | None = None, mode: Literal["raise", "wrap", "clip"] = "raise"
) -> Any:
    """Give the elements at indices along an axis, or of the flattened array; those named twice, twice."""
    a, axis = with_axis(a, axis)
    places = np.arange(np.shape(a)[axis]).take(plain(indices), mode=mode)
    return a[(slice(None),) * axis + (places,)]


def with_axis(a: Any, axis: int | None) -> tuple[Any, int]:
    """Give an array, and one of its axes, counted from the front; the array flattened where that is None."""
    a = arrayed(a)
    if axis is None or (np.ndim(a) == 0 and axis in (0, -1)):  # NumPy, too, lets a number have an axis
        return np.ravel(a), 0
    return a, normalize_axis_index(axis, np.ndim(a))


@composite(
    implements=np.take_along_axis,
    inputs=("arr",),
    samples=(
        {"arr": (2, 3), "indices": np.array([[2, 0, 2, 1], [1, 1, 0, -1]]), "axis": -1},
        {"arr": (3, 1, 2), "indices": np.array([[[0], [2]]]), "axis": 0},
        {"arr": (2, 3), "indices": np.array([5, 0, 0]), "axis": None},
    ),
)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """Give for each vector along an axis its elements at indices of its own, as np.argsort gives them."""
    arr, axis = with_axis(arr, axis)
    shape, indices = np.shape(arr), plain(indices)
    if np.ndim(indices) != len(shape):
        raise ValueError(f"indices have {np.ndim(indices)} axes, and arr has {len(shape)}")
    places: list[Any] = list(np.ix_(*map(range, shape)))
    places[axis] = indices
    return arr[tuple(places)]


@composite(
    implements=np.diagonal,
    method="diagonal",
    samples=(
        {"a": (3, 3)},
        {"a": (2, 3), "offset": 1},
        {"a": (2, 3, 4), "offset": -1, "axis1": 2, "axis2": 0},
        {"a": (2, 3, 2), "axis1": -1, "axis2": 1},
        {"a": (2, 2), "offset": 3},
        {"a": (0, 2)},
    ),
)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Give the elements of a diagonal of the matrices that two axes span."""
    if np.ndim(a) < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    matrices = np.moveaxis(a, (axis1, axis2), (-2, -1))
    rows, columns = np.shape(matrices)[-2:]
    row, column = max(-offset, 0), max(offset, 0)
    steps = np.arange(max(min(rows - row, columns - column), 0))
    return _Diagonal((..., row + steps, column + steps), offset)(matrices)


class _Diagonal(Function):
    """A diagonal of the last two axes, which an index names: a view that is read only, as NumPy's is."""

    saves = ()

    def __init__(self, index: Any, offset: int) -> None:
        self.index, self.offset = index, offset

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return np.diagonal(x, self.offset, -2, -1)

    def backward(self, gy: Any) -> Any:
        return _added_at(self.index, self.shape, gy)


class SlidingWindowView(Function):
    """Every window of a shape, as the last axes: a view, whose elements the windows share."""

    implements = np.lib.stride_tricks.sliding_window_view
    saves = ()
    samples = (
        {"x": (5,), "window_shape": 3},
        {"x": (3, 4), "window_shape": (2, 2)},
        {"x": (3, 4), "window_shape": 2, "axis": -1},
        {"x": (3, 1), "window_shape": (2, 2), "axis": (0, 0)},
    )

    def __init__(
        self, window_shape: int | tuple[int, ...], axis: int | tuple[int, ...] | None = None
    ) -> None:
        self.window_shape, self.axis = window_shape, axis

    def _windows(self, x: Any) -> Any:
        return np.lib.stride_tricks.sliding_window_view(x, self.window_shape, self.axis)

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return self._windows(x)

    def backward(self, gy: Any) -> Any:
        places = np.arange(prod(self.shape)).reshape(self.shape)
        return AddAt(self._windows(places), (places.size,))(gy).reshape(self.shape)


@composite(
    implements=np.apply_along_axis,
    inputs=("arr",),
    samples=(
        {"func1d": np.sum, "axis": 0, "arr": (2, 3)},
        {"func1d": np.square, "axis": -1, "arr": (2, 2, 2)},
        {"func1d": np.diag, "axis": 1, "arr": (2, 3, 2)},
    ),
)
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any) -> Any:
    """Put in place of each vector along an axis what a function of vectors gives for it.

    What the function takes by name, functools.partial gives it.
    """
    rows = np.moveaxis(arr, axis, -1)
    shape = np.shape(rows)[:-1]
    results = [func1d(rows[place], *args) for place in np.ndindex(shape)]
    if not results:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    stacked = np.stack([np.stack(y) if isinstance(y, list | tuple) else y for y in results])
    whole = np.reshape(stacked, shape + np.shape(stacked)[1:])
    last, first = np.ndim(whole), axis % np.ndim(arr)
    return np.moveaxis(whole, range(len(shape), last), range(first, first + last - len(shape)))
