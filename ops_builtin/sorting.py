"""The elements in order."""

from __future__ import annotations

from typing import Any

import numpy as np

from registry import Function
from registry.numpy_protocol import plain


class _Reordered(Function):
    """What sorts share: gradients go back to where the elements came from."""

    saves = ()

    def __init__(self, axis: int | None = -1) -> None:
        self.axis = axis

    def places(self, x: Any, axis: int) -> Any:
        """Say where each element of the result comes from."""
        raise NotImplementedError

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        row, axis = (x.reshape(-1), 0) if self.axis is None else (x, self.axis)
        self.order = self.places(row, axis)
        return np.take_along_axis(row, self.order, axis)

    def backward(self, gy: Any) -> Any:
        axis = self.axis or 0
        return np.take_along_axis(gy, np.argsort(self.order, axis), axis).reshape(self.shape)


class Sort(_Reordered):
    """The elements in increasing order along an axis, nan last.

    It is stable whatever `kind` and `stable` ask for: of equal elements the first comes
    first, and has the gradient of that place, as in JAX, and in PyTorch's stable sort.
    """

    implements = np.sort
    samples = (
        {"x": (5,)}, {"x": (2, 3)}, {"x": (2, 3), "axis": 0}, {"x": (2, 3, 2), "axis": 1},
        {"x": (2, 3), "axis": None}, {"x": (), "axis": None}, {"x": (2, 0)}, {"x": (4,), "kind": "stable"},
        {"x": (4,), "stable": True}, {"x": (3, 2), "axis": -2},
    )  # fmt: skip

    def __init__(self, axis: int | None = -1, kind: Any = None, stable: bool | None = None) -> None:
        super().__init__(axis)
        np.sort([], kind=kind, stable=stable)  # or NumPy's own complaint

    def places(self, x: Any, axis: int) -> Any:
        return np.argsort(x, axis, kind="stable")


class Partition(_Reordered):
    """The kth element along an axis in its sorted place, smaller ones before it, larger ones after.

    Of equal elements, the first in the array is the first in the result, and has its gradient.
    """

    implements = np.partition
    samples = (
        {"x": (6,), "kth": 2}, {"x": (3, 4), "kth": (1, 2), "axis": 1}, {"x": (3, 4), "kth": 1, "axis": 0},
        {"x": (2, 3), "kth": -2, "axis": None}, {"x": (3, 4), "kth": 0, "axis": -1},
    )  # fmt: skip

    def __init__(self, kth: Any, axis: int | None = -1, kind: Any = "introselect") -> None:
        super().__init__(axis)
        self.kth, self.kind = plain(kth), kind

    def places(self, x: Any, axis: int) -> Any:  # np.argpartition may order the others another way
        ranks = np.argsort(np.argsort(np.partition(x, self.kth, axis, self.kind), axis, kind="stable"), axis)
        return np.take_along_axis(np.argsort(x, axis, kind="stable"), ranks, axis)
