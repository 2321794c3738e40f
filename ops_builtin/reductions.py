"""Reductions along axes.

`axis` is None for all axes, an int, or a tuple of ints, which may be negative; `where`
says which elements count. With `dtype`, floating or complex, the elements are converted
before they are put together.
"""

from __future__ import annotations

from math import prod as product
from typing import Any, ClassVar

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ops_builtin.shapes import broadcast
from registry import Function, Variable

Axis = int | tuple[int, ...] | None

SOME = np.array([[True, False, True], [True, True, False]])


def arrayed(a: Any) -> Any:
    """Make an array, or a Variable where it holds some, of a list; give anything else as it is."""
    if not isinstance(a, list | tuple):
        return a
    parts = [arrayed(x) for x in a]
    return np.stack(parts) if any(isinstance(part, Variable) for part in parts) else np.asarray(a)


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """Give the axes that `axis` means among `ndim`, counted from the front; None means all."""
    return tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)


def with_axes_first(x: Any, axis: Axis) -> Any:
    """Make the reduced axes one, and the first."""
    reduced = axes_of(axis, x.ndim)
    if reduced == (0,):
        return x
    kept = tuple([i for i in range(x.ndim) if i not in reduced])
    shape = product([x.shape[i] for i in reduced]), *[x.shape[i] for i in kept]
    return np.reshape(np.transpose(x, (*reduced, *kept)), shape)


def axes_put_back(y: Any, axis: Axis, shape: tuple[int, ...]) -> Any:
    """Undo `with_axes_first`."""
    reduced = axes_of(axis, len(shape))
    order = (*reduced, *[i for i in range(len(shape)) if i not in reduced])
    inverse = tuple(sorted(range(len(shape)), key=order.__getitem__))
    return np.transpose(np.reshape(y, tuple([shape[i] for i in order])), inverse)


def shared(gy: Any, count: Any) -> Any:
    """Give gy / count in the dtype of gy, which may hold no such count: float16 ends at 65504."""
    if gy.dtype.char in "dD":
        return gy / count
    return np.astype(gy / (np.int64(count) if type(count) is int else count), gy.dtype)  # by way of float64


def carries_gradient(dtype: Any) -> Any:
    """Let through a dtype that a gradient passes; refuse the others."""
    if np.dtype(dtype).kind not in "fc":
        raise TypeError(
            f"dtype={np.dtype(dtype)} would round, which has no gradient; "
            "expected a floating or complex type, or np.astype(result, dtype)"
        )
    return dtype


class _Reduction(Function):
    """What reductions share: their parameters, and how a result lines up with its input."""

    def __init__(
        self, axis: Axis = None, keepdims: bool = False, where: Any = True, dtype: Any = None
    ) -> None:
        self.axis: Any = axis
        self.keepdims, self.where = keepdims, where
        self.dtype: Any = None if dtype is None else carries_gradient(dtype)

    def lined_up(self, reduced: Any, ndim: int) -> Any:
        """Give the reduced axes back to a result of `ndim` axes, each of length 1."""
        if self.axis is None or reduced.ndim == ndim:
            return reduced
        return np.expand_dims(reduced, self.axis)

    def spread(self, gy: Any, shape: tuple[int, ...]) -> Any:
        """Give each element the gradient of its result, and 0 to those that do not count."""
        gx = broadcast(self.lined_up(gy, len(shape)) if gy.ndim else gy, shape)
        return gx if self.where is True else np.where(self.where, gx, 0)

    def count(self, gy: Any, shape: tuple[int, ...]) -> Any:
        """Say how many elements each element of the result comes from; 1 for none, which get nothing."""
        if self.where is True:
            return product(shape) // gy.size or 1 if gy.size else 1
        counted = np.broadcast_to(self.where, shape)
        return np.maximum(np.sum(counted, axis=self.axis, keepdims=self.keepdims), 1)


class _UfuncReduction(_Reduction):
    """What the reductions by a ufunc share: it, and one more element, which is a constant; None for none."""

    ufunc: Any

    def __init__(
        self,
        axis: Axis = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
        dtype: Any = None,
    ) -> None:
        super().__init__(axis, keepdims, where, dtype)
        self.initial = initial

    def forward(self, x: Any) -> Any:
        initial: Any = np._NoValue if self.initial is None else self.initial
        return self.ufunc.reduce(x, self.axis, self.dtype, None, self.keepdims, initial, self.where)


class Sum(_UfuncReduction):
    """Sum of the elements along axes."""

    implements = np.sum
    method = "sum"
    scalars = True
    saves = ()
    ufunc = np.add
    samples: ClassVar[Any] = (
        {}, {"axis": 0}, {"axis": 1, "keepdims": True}, {"axis": -1}, {"keepdims": True},
        {"x": (2, 3, 4), "axis": (0, -1)}, {"x": (2, 3), "axis": ()},
        {"x": (2, 3), "axis": 0, "initial": 2, "where": SOME},
    )  # fmt: skip

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return super().forward(x)

    def backward(self, gy: Any) -> Any:
        return self.spread(gy, self.shape)


class Prod(_UfuncReduction):
    """Product of the elements along axes; its derivatives are right at zeros, too.

    Each gradient is the product of the elements before and of those after, never a quotient.
    """

    implements = np.prod
    method = "prod"
    saves = ("xs",)
    ufunc = np.multiply
    samples: ClassVar[Any] = (
        {}, {"axis": 0}, {"axis": 1, "keepdims": True}, {"axis": -1}, {"keepdims": True},
        {"x": (2, 3, 2), "axis": (0, -1)}, {"x": (2, 3), "axis": ()},
        {"x": (2, 3), "axis": 0, "initial": 2, "where": SOME},
        {"x": np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 5.0]]), "axis": 1},
    )  # fmt: skip

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        used = x if self.where is True else np.where(self.where, x, 1)
        axis = self.axis if x.ndim else None
        flat = with_axes_first(used, axis)
        one = np.ones((1, *flat.shape[1:]), gy.dtype)
        before = np.cumprod(np.concatenate((one, flat)), axis=0)[:-1]
        after = np.cumprod(np.concatenate((one, flat[::-1])), axis=0)[:-1][::-1]
        start = 1 if self.initial is None else self.initial
        return self.spread(gy * start, x.shape) * axes_put_back(before * after, axis, x.shape)


class Mean(_Reduction):
    """Arithmetic mean of the elements along axes."""

    implements = np.mean
    method = "mean"
    scalars = True
    saves = ()
    samples: ClassVar[Any] = (
        {}, {"axis": 0}, {"axis": 1, "keepdims": True}, {"axis": -1}, {"keepdims": True},
        {"x": (2, 3, 4), "axis": (0, -1)}, {"x": (2, 3), "axis": 1, "where": SOME},
    )  # fmt: skip

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        if self.where is True and self.dtype is None and x.size and x.dtype.char in "fdFD":
            total: Any = np.add.reduce(x, self.axis, None, None, self.keepdims)  # type: ignore[call-overload]
            return total / (x.size // total.size)
        return x.mean(axis=self.axis, dtype=self.dtype, keepdims=self.keepdims, where=self.where)

    def backward(self, gy: Any) -> Any:
        return self.spread(shared(gy, self.count(gy, self.shape)), self.shape)


class _Extremum(_UfuncReduction):
    """What the extrema share: equal ones, `initial` among them, share the gradient evenly.

    It is nan where the extremum is one, as in JAX and PyTorch.
    """

    passes_over_nan = False
    samples: ClassVar[Any] = (
        {}, {"axis": 0}, {"axis": 1, "keepdims": True}, {"axis": -1}, {"keepdims": True},
        {"x": (2, 3, 4), "axis": (0, -1)}, {"x": (2, 3), "axis": 1, "initial": 0.1},
        {"x": (2, 3), "axis": 0, "initial": 0.3, "where": SOME},
    )  # fmt: skip

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        extremum = self.lined_up(y, x.ndim)
        here = np.equal(x, extremum)
        here = (here if self.where is True else np.logical_and(here, self.where)).astype(gy.dtype)
        count = here.sum(axis=self.axis, keepdims=True, dtype=np.float64)
        if self.initial is not None:
            count = count + np.equal(extremum, self.initial)
        if self.passes_over_nan:
            count = np.maximum(count, 1)
        with np.errstate(divide="ignore", invalid="ignore"):  # nothing is equal to nan: inf * 0
            return shared(self.lined_up(gy, x.ndim), count) * here


class Max(_Extremum):
    """Largest element along axes; equal ones share the gradient evenly."""

    implements = np.max, np.amax
    method = "max"
    ufunc = np.maximum


class Min(_Extremum):
    """Smallest element along axes; equal ones share the gradient evenly."""

    implements = np.min, np.amin
    method = "min"
    ufunc = np.minimum


class SumTo(Function):
    """Sum over axes that broadcasting stretched, back to a shape."""

    saves = ()
    samples = (
        {"x": (2, 3), "shape": (3,)}, {"x": (2, 3), "shape": (2, 1)}, {"x": (4, 2, 3), "shape": (1, 3)},
        {"x": (2,), "shape": ()}, {"x": (), "shape": ()}, {"x": (0, 2), "shape": (1, 2)},
    )  # fmt: skip

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Any) -> Any:
        self.old_shape = x.shape
        if np.broadcast_shapes(x.shape, self.shape) != x.shape:
            raise ValueError(f"an array of shape {x.shape} is no broadcast of one of shape {self.shape}")
        extra = x.ndim - len(self.shape)
        stretched = [i + extra for i, n in enumerate(self.shape) if n == 1]
        return x.sum(axis=(*range(extra), *stretched), keepdims=True).reshape(self.shape)

    def backward(self, gy: Any) -> Any:
        return np.broadcast_to(gy, self.old_shape)
