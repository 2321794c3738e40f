"""Choosing elements, and putting gradients back where they came from."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from registry import Function
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
        return AddAt(self.index, self.shape)(gy)


class AddAt(Function):
    """Zeros of a shape, with x added at an index; an element named twice gets both."""

    saves = ()
    samples = {"x": (3,), "index": [0, 0, 2], "shape": (4,)}, {"x": (2, 0), "index": 1, "shape": (3, 2, 0)}

    def __init__(self, index: Any, shape: tuple[int, ...]) -> None:
        self.index = plain(index)
        self.shape = shape

    def forward(self, x: Any) -> Any:
        y = np.zeros(self.shape, x.dtype)
        np.add.at(y, self.index, x)
        return y

    def backward(self, gy: Any) -> Any:
        return gy[self.index]


class Where(Function):
    """Elements of x where the condition holds, of y elsewhere."""

    implements = np.where
    elementwise = True
    saves = ("xs",)
    samples = (
        {"condition": np.array([True, False, True]), "x": (3,), "y": (3,)},
        {"condition": np.array([[True], [False]]), "x": (3,), "y": ()},
    )

    def __call__(self, *inputs: Any) -> Any:
        condition, x, y = inputs
        return super().__call__(np.not_equal(condition, 0), x, y)  # its dtype says nothing of y's

    def forward(self, condition: Any, x: Any, y: Any) -> Any:
        return np.where(condition, x, y)

    def backward(self, gy: Any) -> Any:
        condition = self.xs[0]
        zero = np.zeros_like(gy)
        return None, np.where(condition, gy, zero), np.where(condition, zero, gy)
