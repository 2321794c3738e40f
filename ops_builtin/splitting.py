"""One array in several, along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ops_builtin.indexing import AddAt
from registry import Function, composite
from registry.numpy_protocol import plain


class _Split(Function):
    """What splits share: the gradients of the parts are joined, or added where parts overlap."""

    saves = ()
    _split: Any
    only_reads = True

    def __init__(self, indices_or_sections: int | Sequence[int], axis: int = 0) -> None:
        self.indices_or_sections, self.axis = plain(indices_or_sections), axis

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return tuple(self._split(x, self.indices_or_sections, self.axis))

    def backward(self, *gys: Any) -> Any:
        gy = np.concatenate(gys, axis=self.axis)
        if gy.shape == self.shape:
            return gy
        axis = self.axis % gy.ndim
        places = np.concatenate(self._split(np.arange(self.shape[axis]), self.indices_or_sections))
        return AddAt((slice(None),) * axis + (places,), self.shape)(gy)

    @classmethod
    def from_numpy(cls, ary: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> Any:
        """Give a list, as NumPy does."""
        return list(cls(indices_or_sections, axis)(ary))


class Split(_Split):
    """Parts of equal length, or the parts between indices."""

    implements = np.split
    _split = staticmethod(np.split)
    samples = (
        {"x": (6,), "indices_or_sections": 3},
        {"x": (2, 4, 2), "indices_or_sections": [1, -1], "axis": 1},
        {"x": (3, 2), "indices_or_sections": (2, 5), "axis": -1},
        {"x": (0, 2), "indices_or_sections": 2},
    )


class ArraySplit(_Split):
    """Parts whose lengths differ by 1 at most, the longer ones first; or the parts between indices."""

    implements = np.array_split
    _split = staticmethod(np.array_split)
    samples = (
        {"x": (7,), "indices_or_sections": 3},
        {"x": (2, 3), "indices_or_sections": 4, "axis": -1},
        {"x": (5, 2), "indices_or_sections": [3, 1]},
        {"x": (0, 2), "indices_or_sections": 2},
    )


@composite(
    implements=np.hsplit,
    inputs=("ary",),
    samples=({"ary": (4,), "indices_or_sections": 2}, {"ary": (2, 3), "indices_or_sections": [1]}),
)
def hsplit(ary: Any, indices_or_sections: int | Sequence[int]) -> Any:
    """Give parts beside each other: along the second axis, or along the one axis of a vector."""
    return np.split(_with_axes(ary, 1), indices_or_sections, axis=0 if np.ndim(ary) == 1 else 1)


@composite(
    implements=np.vsplit,
    inputs=("ary",),
    samples=({"ary": (4, 2), "indices_or_sections": 2}, {"ary": (3, 1, 2), "indices_or_sections": [1]}),
)
def vsplit(ary: Any, indices_or_sections: int | Sequence[int]) -> Any:
    """Give parts one below the other: along the first axis."""
    return np.split(_with_axes(ary, 2), indices_or_sections)


@composite(
    implements=np.dsplit,
    inputs=("ary",),
    samples=({"ary": (1, 2, 4), "indices_or_sections": 2}, {"ary": (2, 1, 3), "indices_or_sections": [1]}),
)
def dsplit(ary: Any, indices_or_sections: int | Sequence[int]) -> Any:
    """Give parts behind each other: along the third axis."""
    return np.split(_with_axes(ary, 3), indices_or_sections, axis=2)


def _with_axes(ary: Any, least: int) -> Any:
    if np.ndim(ary) < least:
        raise ValueError(f"an array of {least} axes or more is split here, not of {np.ndim(ary)}")
    return ary


class Unstack(Function):
    """The arrays of which an axis is made: x[0], x[1], ..., along any axis."""

    implements = np.unstack
    saves = ()
    samples = {"x": (3,)}, {"x": (2, 3, 1), "axis": 1}, {"x": (2, 3), "axis": -1}, {"x": (2, 0)}

    def __init__(self, axis: int = 0) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        return np.unstack(x, axis=self.axis)

    def backward(self, *gys: Any) -> Any:
        return np.stack(gys, axis=self.axis)
