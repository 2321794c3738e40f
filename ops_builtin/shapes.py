"""Other shapes and types for the same elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from registry import Function


class Reshape(Function):
    """The elements in another shape; one length may be -1, for what is left."""

    implements = np.reshape
    method = "reshape"
    saves = ()
    samples = {"x": (2, 6), "shape": (4, -1)}, {"x": (), "shape": (1,)}, {"x": (2, 0), "shape": 0}

    def __init__(self, shape: int | tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Any) -> Any:
        self.old_shape = x.shape
        return x.reshape(self.shape)

    def backward(self, gy: Any) -> Any:
        return gy.reshape(self.old_shape)

    @classmethod
    def from_method(cls, x: Any, *shape: Any) -> Any:
        """Take the shape as one argument or as several."""
        return cls(shape[0] if len(shape) == 1 else shape)(x)


class Transpose(Function):
    """Axes in another order; reversed, where `axes` is None."""

    implements = np.transpose
    method = "transpose"
    saves = ()
    samples = {"x": (2, 3)}, {"x": (1, 2, 3), "axes": (2, 0, -2)}, {"x": ()}, {"x": (0, 2)}

    def __init__(self, axes: int | tuple[int, ...] | None = None) -> None:
        self.axes = (axes,) if isinstance(axes, int) else axes

    def forward(self, x: Any) -> Any:
        return x.transpose(self.axes)

    def backward(self, gy: Any) -> Any:
        if self.axes is None:
            return gy.transpose()
        order = [axis % gy.ndim for axis in self.axes]
        return gy.transpose(sorted(range(gy.ndim), key=order.__getitem__))

    @classmethod
    def from_method(cls, x: Any, *axes: Any) -> Any:
        """Take the axes as one argument or as several."""
        return cls(axes[0] if len(axes) == 1 else axes or None)(x)


class Swapaxes(Function):
    """Two axes in each other's place."""

    implements = np.swapaxes
    method = "swapaxes"
    saves = ()
    samples = {"x": (1, 2, 3), "axis1": 0, "axis2": 1}, {"x": (2, 3), "axis1": 0, "axis2": -1}

    def __init__(self, axis1: int, axis2: int) -> None:
        self.axes = axis1, axis2

    def forward(self, x: Any) -> Any:
        return x.swapaxes(*self.axes)

    def backward(self, gy: Any) -> Any:
        return gy.swapaxes(*self.axes)


class ExpandDims(Function):
    """New axes of length 1, at the places `axis` of the result."""

    implements = np.expand_dims
    saves = ()

    def __init__(self, axis: int | tuple[int, ...]) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        return np.expand_dims(x, self.axis)

    def backward(self, gy: Any) -> Any:
        return np.squeeze(gy, self.axis)


class Squeeze(Function):
    """Without axes of length 1: those of `axis`, or all."""

    implements = np.squeeze
    method = "squeeze"
    saves = ()

    def __init__(self, axis: int | tuple[int, ...] | None = None) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        self.old_shape = x.shape
        return x.squeeze(self.axis)

    def backward(self, gy: Any) -> Any:
        return gy.reshape(self.old_shape)


class BroadcastTo(Function):
    """The elements repeated, without a copy, to fill a shape."""

    implements = np.broadcast_to
    saves = ()
    samples = {"x": (2, 1), "shape": (2, 2, 3)}, {"x": (), "shape": 2}, {"x": (1, 3), "shape": (0, 3)}

    def __init__(self, shape: int | tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Any) -> Any:
        return np.broadcast_to(x, self.shape)

    def backward(self, gy: Any) -> Any:
        return gy


class Astype(Function):
    """The elements in another type; the gradient comes back in the old one.

    Rounding to integers, or to booleans, has no gradient.
    """

    implements = np.astype
    method = "astype"
    saves = ()
    samples = {"x": (2, 3), "dtype": np.float64}, {"x": (), "dtype": np.complex128}

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def forward(self, x: Any) -> Any:
        y = x.astype(self.dtype)
        self.rounds = x.dtype.kind in "fc" and y.dtype.kind not in "fc"
        return y

    def backward(self, gy: Any) -> Any:
        return None if self.rounds else gy


class Copy(Function):
    """The same elements in an array of their own."""

    implements = np.copy
    method = "copy"
    saves = ()

    def forward(self, x: Any) -> Any:
        return x.copy()

    def backward(self, gy: Any) -> Any:
        return gy
