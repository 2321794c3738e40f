"""Several arrays in one."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from registry import Function


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
