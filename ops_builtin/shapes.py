"""Other shapes and types for the same elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from registry import Function, composite
from registry.errors import NoOperatorError


def broadcast(x: Any, shape: int | tuple[int, ...]) -> Any:
    """Repeat elements without a copy, as NumPy does; a single number in a quarter of its time."""
    if type(shape) is tuple and (isinstance(x, np.generic) or (type(x) is np.ndarray and x.ndim == 0)):
        return np.ndarray(shape, x.dtype, x.tobytes(), 0, (0,) * len(shape))  # read-only, as bytes are
    return np.broadcast_to(x, shape)


class Reshape(Function):
    """The elements in another shape; one length may be -1, for what is left.

    `order` is "C" or "F": the others ask how memory lies, which is no matter of numbers.
    """

    implements = np.reshape
    method = "reshape"
    saves = ()
    samples = {"x": (2, 6), "shape": (4, -1)}, {"x": (), "shape": (1,)}, {"x": (2, 0), "shape": 0}

    def __init__(self, shape: int | tuple[int, ...], order: Literal["C", "F"] = "C") -> None:
        if order not in ("C", "F"):
            raise NoOperatorError(f"the shape of a Variable changes by order='C' or 'F', not by {order!r}")
        self.shape, self.order = shape, order

    def forward(self, x: Any) -> Any:
        self.old_shape = x.shape
        return x.reshape(self.shape, order=self.order)

    def backward(self, gy: Any) -> Any:
        return gy.reshape(self.old_shape, order=self.order)

    @classmethod
    def from_method(cls, x: Any, *shape: Any, order: Literal["C", "F"] = "C") -> Any:
        """Take the shape as one argument or as several."""
        return cls(shape[0] if len(shape) == 1 else shape, order)(x)


@composite(
    implements=np.ravel,
    method="ravel",
    samples=({"a": (2, 3)}, {"a": (2, 3), "order": "F"}, {"a": ()}, {"a": (0, 2)}),
)
def ravel(a: Any, order: Literal["C", "F"] = "C") -> Any:
    """Give all elements along one axis: reshape(a, -1)."""
    return np.reshape(a, -1, order=order)


@composite(method="flatten", samples=({"a": (2, 3)}, {"a": (2, 3), "order": "F"}, {"a": ()}, {"a": (0, 2)}))
def flatten(a: Any, order: Literal["C", "F"] = "C") -> Any:
    """Give all elements along one axis, in an array of their own."""
    return np.copy(np.reshape(a, -1, order=order))


@composite(
    implements=np.moveaxis,
    inputs=("a",),
    samples=(
        {"a": (2, 3, 4), "source": 0, "destination": -1},
        {"a": (2, 3, 1), "source": (0, -1), "destination": [2, 0]},
    ),
)
def moveaxis(a: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """Give axes moved from the places `source` to the places `destination`; the others keep their order."""
    axes = np.moveaxis(_axes_as_lengths(a), source, destination).shape
    return np.transpose(a, axes)


@composite(
    implements=np.rollaxis,
    inputs=("a",),
    samples=({"a": (2, 3, 4), "axis": 2}, {"a": (2, 3, 4), "axis": 0, "start": 3}, {"a": (2, 3), "axis": -1}),
)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """Give one axis moved to before the axis `start`."""
    return np.transpose(a, np.rollaxis(_axes_as_lengths(a), axis, start).shape)


def _axes_as_lengths(a: Any) -> Any:
    """Give an array whose shape is 0, 1, 2, ..., so that NumPy says where axes of `a` go."""
    return np.empty(range(np.ndim(a)))


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
        return gy.transpose(None if self.axes is None else np.argsort(np.mod(self.axes, gy.ndim)))

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


@composite(implements=np.matrix_transpose, samples=({"x": (2, 3)}, {"x": (2, 0, 3)}, {"x": (2, 3, 4)}))
def matrix_transpose(x: Any) -> Any:
    """Give the last two axes in each other's place."""
    if np.ndim(x) < 2:
        raise ValueError(f"a matrix has two axes or more, not {np.ndim(x)}")
    return np.swapaxes(x, -1, -2)


@composite(
    implements=np.atleast_1d,
    samples=({"arys": [()]}, {"arys": [(), (2, 3)]}, {"arys": [(0,)]}),
)
def atleast_1d(*arys: Any) -> Any:
    """Give arrays with one axis or more: 0-d ones get an axis of length 1."""
    return _each(lambda shape: shape or (1,), arys)


@composite(
    implements=np.atleast_2d,
    samples=({"arys": [()]}, {"arys": [(3,), (2, 3)]}, {"arys": [(0,)]}),
)
def atleast_2d(*arys: Any) -> Any:
    """Give arrays with two axes or more: a vector is a row."""
    return _each(lambda shape: (1,) * (2 - len(shape)) + shape, arys)


@composite(
    implements=np.atleast_3d,
    samples=({"arys": [()]}, {"arys": [(3,), (2, 3), (1, 2, 3)]}, {"arys": [(0,)]}),
)
def atleast_3d(*arys: Any) -> Any:
    """Give arrays with three axes or more: (n,) becomes (1, n, 1), and (m, n) becomes (m, n, 1)."""
    return _each(lambda shape: ((1,) * (2 - len(shape)) + shape + (1,))[: max(3, len(shape))], arys)


def _each(new_shape: Callable[[tuple[int, ...]], tuple[int, ...]], arys: tuple[Any, ...]) -> Any:
    """Reshape each array; give one alone where there is one, as NumPy does."""
    made = tuple([np.reshape(a, new_shape(np.shape(a))) for a in arys])
    return made[0] if len(made) == 1 else made


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
        return broadcast(x, self.shape)

    def backward(self, gy: Any) -> Any:
        return gy


@composite(
    implements=np.broadcast_arrays,
    samples=(
        {"args": [(2, 1), (3,)]},
        {"args": [(), (2,), (2,)]},
        {"args": [(2, 3)]},
        {"args": [(1,), (0,)]},
    ),
)
def broadcast_arrays(*args: Any) -> Any:
    """Give arrays broadcast against each other, without a copy."""
    shape = np.broadcast_shapes(*map(np.shape, args))
    views = [np.reshape if np.shape(a) == shape else np.broadcast_to for a in args]  # the latter read-only
    return tuple([view(a, shape) for view, a in zip(views, args, strict=True)])


class Astype(Function):
    """The elements in another type; the gradient comes back in the old one.

    Rounding to integers, or to booleans, has no gradient. It is a plain array, whatever
    `subok` says.
    """

    implements = np.astype
    method = "astype"
    saves = ()
    samples = {"x": (2, 3), "dtype": np.float64}, {"x": (), "dtype": np.complex128}

    def __init__(
        self, dtype: Any, order: Any = "K", casting: Any = "unsafe", subok: bool = True, copy: bool = True
    ) -> None:
        self.dtype, self.order, self.casting, self.copy = dtype, order, casting, copy

    def forward(self, x: Any) -> Any:
        y = x.astype(self.dtype, self.order, self.casting, copy=self.copy)
        self.rounds = x.dtype.kind in "fc" and y.dtype.kind not in "fc"
        return y

    def backward(self, gy: Any) -> Any:
        return (None,) if self.rounds else gy


class Copy(Function):
    """The same elements in an array of their own."""

    implements = np.copy
    method = "copy"
    saves = ()

    def __init__(self, order: Literal["C", "F", "A", "K"] = "K") -> None:
        self.order = order

    def forward(self, x: Any) -> Any:
        return x.copy(self.order)

    def backward(self, gy: Any) -> Any:
        return gy
