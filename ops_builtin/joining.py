"""Several arrays in one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from registry import Function, composite


class Concatenate(Function):
    """Arrays one after the other along an axis; flattened first, where it is None."""

    implements = np.concatenate
    saves = ()

    def __init__(self, axis: int | None = 0) -> None:
        self.axis = axis

    def forward(self, *xs: Any) -> Any:
        self.shapes = [x.shape for x in xs]
        return np.concatenate(xs, axis=self.axis)

    def backward(self, gy: Any) -> Any:
        axis = 0 if self.axis is None else self.axis % gy.ndim
        lengths = [int(np.prod(s)) if self.axis is None else s[axis] for s in self.shapes]
        places = pairwise(accumulate(lengths, initial=0))
        parts = [gy[(slice(None),) * axis + (slice(*place),)] for place in places]
        return tuple(part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True))


class Stack(Function):
    """Arrays of one shape side by side along a new axis."""

    implements = np.stack
    saves = ()

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, *xs: Any) -> Any:
        return np.stack(xs, axis=self.axis)

    def backward(self, gy: Any) -> Any:
        axis = self.axis % gy.ndim
        return tuple(gy[(slice(None),) * axis + (i,)] for i in range(gy.shape[axis]))


@composite(
    implements=np.block,
    samples=(
        {"arrays": [[(2, 2), (2, 1)], [(1, 2), (1, 1)]]},
        {"arrays": [(2,), (), (3,)]},
        {"arrays": [[(2, 1, 2)], [(2, 3, 2)]]},
        {"arrays": [[[(), ()]], [[(), ()]]]},
        {"arrays": (2, 3)},
        {"arrays": [(0,), (2,)]},
    ),
)
def block(arrays: Any) -> Any:
    """Give nested lists of arrays in one: the innermost along the last axis, others along the one before."""
    depth, leaves = _depth(arrays), list(_leaves(arrays))
    ndim = max(depth, *map(np.ndim, leaves), 0)

    def joined(part: Any, level: int) -> Any:
        if isinstance(part, list):
            return np.concatenate([joined(p, level + 1) for p in part], axis=level - depth)
        if level != depth or isinstance(part, tuple):
            raise ValueError("np.block takes lists, all nested to the same depth")
        return np.reshape(part, (1,) * (ndim - np.ndim(part)) + np.shape(part))

    return joined(arrays, 0) if depth else np.copy(arrays)


def _depth(arrays: Any) -> int:
    return 1 + _depth(arrays[0]) if isinstance(arrays, list) and arrays else 0


def _leaves(arrays: Any) -> Iterator[Any]:
    if isinstance(arrays, list):
        for part in arrays:
            yield from _leaves(part)
    else:
        yield arrays


@composite(
    implements=np.vstack,
    samples=(
        {"tup": [(3,), (2, 3)]},
        {"tup": [(), ()]},
        {"tup": [(2, 1, 2), (1, 1, 2)]},
        {"tup": [(0, 2), (2,)]},
    ),
)
def vstack(tup: Sequence[Any]) -> Any:
    """Give arrays one below the other: along the first axis, a vector being a row."""
    return np.concatenate([np.atleast_2d(x) for x in tup])


@composite(
    implements=np.hstack,
    samples=({"tup": [(3,), (2,)]}, {"tup": [(), (2,)]}, {"tup": [(2, 1), (2, 3)]}, {"tup": [(0,), (2,)]}),
)
def hstack(tup: Sequence[Any]) -> Any:
    """Give arrays beside each other: along the second axis, or along the one axis of vectors."""
    arrays = [np.atleast_1d(x) for x in tup]
    return np.concatenate(arrays, axis=0 if arrays and np.ndim(arrays[0]) == 1 else 1)


@composite(
    implements=np.dstack,
    samples=({"tup": [(3,), (3,)]}, {"tup": [(), ()]}, {"tup": [(2, 3), (2, 3, 2)]}, {"tup": [(0,), (0,)]}),
)
def dstack(tup: Sequence[Any]) -> Any:
    """Give arrays behind each other: along the third axis."""
    return np.concatenate([np.atleast_3d(x) for x in tup], axis=2)


@composite(
    implements=np.column_stack,
    samples=({"tup": [(3,), (3,)]}, {"tup": [(2,), (2, 3)]}, {"tup": [(), ()]}, {"tup": [(0,), (0, 2)]}),
)
def column_stack(tup: Sequence[Any]) -> Any:
    """Give vectors as columns, and matrices as they are, beside each other."""
    columns = [np.reshape(x, (-1, 1) if np.ndim(x) else (1, 1)) if np.ndim(x) < 2 else x for x in tup]
    return np.concatenate(columns, axis=1)
