"""Reductions along axes, and the reductions and outer products of ufuncs.

`axis` is None for all axes, an int, or a tuple of ints, which may be negative; `where`
says which elements count, and `initial` is one more element that is a constant.
"""

from __future__ import annotations

from math import prod as product
from typing import Any, ClassVar

import numpy as np

from registry import Function, Variable, composite

Axis = int | tuple[int, ...] | None

_SOME = np.array([[True, False, True], [True, True, False]])


def arrayed(a: Any) -> Any:
    """Make an array, or a Variable where it holds some, of a list; give anything else as it is."""
    if not isinstance(a, list | tuple):
        return a
    parts = [arrayed(x) for x in a]
    return np.stack(parts) if any(isinstance(part, Variable) for part in parts) else np.asarray(a)


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Give the axes that `axis` means among `ndim`, counted from the front; None means all."""
    if axis is None or ndim == 0:
        return tuple(range(ndim))
    return tuple([i % ndim for i in (axis if isinstance(axis, tuple) else (axis,))])


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


def _chosen(where: Any, gx: Any) -> Any:
    """Give the gradient of the elements that count, and 0 for the others."""
    return gx if where is True else np.where(where, gx, 0)


class _Reduction(Function):
    """What reductions share: their parameters, and how a result lines up with its input."""

    def __init__(self, axis: Axis = None, keepdims: bool = False) -> None:
        self.axis: Any = axis
        self.keepdims = keepdims

    def lined_up(self, reduced: Any, ndim: int) -> Any:
        """Give the reduced axes back to a result of `ndim` axes, each of length 1."""
        if self.axis is None or reduced.ndim == ndim:
            return reduced
        return np.expand_dims(reduced, self.axis)


class _Chosen(_Reduction):
    """What reductions with `initial` and `where` share."""

    def __init__(self, axis: Axis, keepdims: bool, initial: Any, where: Any) -> None:
        super().__init__(axis, keepdims)
        self.initial, self.where = initial, where


class _Sum(_Chosen):
    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return x.sum(axis=self.axis, keepdims=self.keepdims, initial=self.initial, where=self.where)

    def backward(self, gy: Any) -> Any:
        return _chosen(self.where, np.broadcast_to(self.lined_up(gy, len(self.shape)), self.shape))


class Sum(_Sum):
    """Sum of the elements along axes."""

    implements = np.sum
    method = "sum"
    saves = ()
    samples: ClassVar[Any] = (
        {}, {"axis": 0}, {"axis": 1, "keepdims": True}, {"axis": -1}, {"keepdims": True},
        {"x": (2, 3, 4), "axis": (0, -1)}, {"x": (2, 3), "axis": ()},
        {"x": (2, 3), "axis": 0, "initial": 2, "where": _SOME},
    )  # fmt: skip

    def __init__(
        self, axis: Axis = None, keepdims: bool = False, initial: Any = 0, where: Any = True
    ) -> None:
        self.axis, self.keepdims, self.initial, self.where = axis, keepdims, initial, where


class _Prod(_Chosen):
    def forward(self, x: Any) -> Any:
        return x.prod(axis=self.axis, keepdims=self.keepdims, initial=self.initial, where=self.where)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        used = x if self.where is True else np.where(self.where, x, 1)
        flat = with_axes_first(used, self.axis)
        one = np.ones((1, *flat.shape[1:]), x.dtype)
        before = np.cumprod(np.concatenate((one, flat)), axis=0)[:-1]
        after = np.cumprod(np.concatenate((one, flat[::-1])), axis=0)[:-1][::-1]
        others = axes_put_back(before * after, self.axis, x.shape)
        return _chosen(self.where, self.lined_up(gy * self.initial, x.ndim) * others)


class Prod(_Prod):
    """Product of the elements along axes; its derivatives are right at zeros, too.

    Each gradient is the product of the elements before and of those after, never a quotient.
    """

    implements = np.prod
    method = "prod"
    saves = ("xs",)
    samples: ClassVar[Any] = (
        {}, {"axis": 0}, {"axis": 1, "keepdims": True}, {"axis": -1}, {"keepdims": True},
        {"x": (2, 3, 2), "axis": (0, -1)}, {"x": (2, 3), "axis": ()},
        {"x": (2, 3), "axis": 0, "initial": 2, "where": _SOME},
        {"x": np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 5.0]]), "axis": 1},
    )  # fmt: skip

    def __init__(
        self, axis: Axis = None, keepdims: bool = False, initial: Any = 1, where: Any = True
    ) -> None:
        super().__init__(axis, keepdims, initial, where)


class _Moment(_Reduction):
    """What mean, var and std share: the number of elements that count."""

    def __init__(self, axis: Axis, keepdims: bool, where: Any) -> None:
        super().__init__(axis, keepdims)
        self.where = where

    def count_of(self, x: Any, y: Any) -> Any:
        """Say how many elements each element of the result comes from."""
        if self.where is True:
            return x.size // max(y.size, 1)
        counted = np.broadcast_to(self.where, x.shape)
        return np.asarray(np.sum(counted, axis=self.axis, keepdims=self.keepdims))


class Mean(_Moment):
    """Arithmetic mean of the elements along axes."""

    implements = np.mean
    method = "mean"
    saves = ()
    samples: ClassVar[Any] = (
        {}, {"axis": 0}, {"axis": 1, "keepdims": True}, {"axis": -1}, {"keepdims": True},
        {"x": (2, 3, 4), "axis": (0, -1)}, {"x": (2, 3), "axis": 1, "where": _SOME},
    )  # fmt: skip

    def __init__(self, axis: Axis = None, keepdims: bool = False, where: Any = True) -> None:
        self.axis, self.keepdims, self.where = axis, keepdims, where

    def forward(self, x: Any) -> Any:
        y = x.mean(axis=self.axis, keepdims=self.keepdims, where=self.where)
        self.shape, self.count = x.shape, self.count_of(x, y)
        return y

    def backward(self, gy: Any) -> Any:
        count = self.count if self.where is True else self.count.astype(gy.dtype)
        gx = np.broadcast_to(self.lined_up(gy / count, len(self.shape)), self.shape)
        return _chosen(self.where, gx)


class _Spread(_Moment):
    """What var and std share; `correction` is another name for `ddof`."""

    def __init__(
        self,
        axis: Axis = None,
        ddof: float = 0,
        keepdims: bool = False,
        where: Any = True,
        correction: float | None = None,
    ) -> None:
        super().__init__(axis, keepdims, where)
        if correction is not None and ddof != 0:
            raise ValueError("ddof and correction are two names of one number; give one of them")
        self.ddof = ddof if correction is None else correction

    def pulled(self, gy: Any) -> Any:
        """Give gy * conj(x - mean) / (n - ddof), 0 for elements that do not count."""
        (x,) = self.xs
        x = x if self.where is True else np.where(self.where, x, 0)  # no nan of theirs
        off = x - x.mean(axis=self.axis, keepdims=True, where=self.where)
        off = np.conjugate(off) if off.dtype.kind == "c" else off
        freedom = np.maximum(self.count - self.ddof, 0).astype(gy.dtype)
        return _chosen(self.where, self.lined_up(gy / freedom, x.ndim) * off)


class Var(_Spread):
    """Variance of the elements along axes: sum(abs(x - mean) ** 2) / (n - ddof)."""

    implements = np.var
    method = "var"
    saves = ("xs",)
    samples: ClassVar[Any] = (
        {}, {"axis": 0, "ddof": 1}, {"axis": 1, "keepdims": True}, {"axis": -1}, {"keepdims": True},
        {"x": (2, 3, 4), "axis": (0, -1), "ddof": 1}, {"x": (2, 3), "axis": 0, "correction": 0.5},
        {"x": (2, 3), "axis": 1, "where": _SOME, "ddof": 1},
    )  # fmt: skip

    def forward(self, x: Any) -> Any:
        y = x.var(axis=self.axis, ddof=self.ddof, keepdims=self.keepdims, where=self.where)
        self.count = self.count_of(x, y)
        return y

    def backward(self, gy: Any) -> Any:
        return self.pulled(gy * 2)


class Std(_Spread):
    """Standard deviation of the elements along axes: the square root of `var`.

    The gradient is 0 where all elements are equal.
    """

    implements = np.std
    method = "std"
    saves = ("xs", "ys")
    samples: ClassVar[Any] = (
        {}, {"x": (3, 2), "axis": 0, "ddof": 1}, {"axis": 1, "keepdims": True}, {"axis": -1},
        {"x": (2, 3, 4), "axis": (0, -1), "ddof": 1}, {"x": (3, 2), "axis": 0, "correction": 0.5},
        {"x": (3, 3), "axis": 1, "where": np.array([True, False, True]), "ddof": 1},
    )  # fmt: skip

    def forward(self, x: Any) -> Any:
        y = x.std(axis=self.axis, ddof=self.ddof, keepdims=self.keepdims, where=self.where)
        self.count = self.count_of(x, y)
        return y

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        return self.pulled(gy / np.where(y, y, 1))


class _Extremum(_Chosen):
    """What max and min share: equal extrema, `initial` among them, share the gradient evenly."""

    samples: ClassVar[Any] = (
        {}, {"axis": 0}, {"axis": 1, "keepdims": True}, {"axis": -1}, {"keepdims": True},
        {"x": (2, 3, 4), "axis": (0, -1)}, {"x": (2, 3), "axis": 1, "initial": 0.1},
        {"x": (2, 3), "axis": 0, "initial": 0.3, "where": _SOME},
    )  # fmt: skip

    def __init__(
        self, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True
    ) -> None:
        super().__init__(axis, keepdims, initial, where)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        lined_up = self.lined_up(y, x.ndim)
        here = np.equal(x, lined_up)
        if self.where is not True:
            here = np.logical_and(here, self.where)
        here = here.astype(gy.dtype)
        count = here.sum(axis=self.axis, keepdims=True)
        if self.initial is not None:
            count = count + np.equal(lined_up, self.initial)
        return self.lined_up(gy, x.ndim) * (here / count)


class _Max(_Extremum):
    def forward(self, x: Any) -> Any:
        return x.max(axis=self.axis, keepdims=self.keepdims, initial=self.initial, where=self.where)


class Max(_Max):
    """Largest element along axes; equal ones share the gradient evenly."""

    implements = np.max, np.amax
    method = "max"


class _Min(_Extremum):
    def forward(self, x: Any) -> Any:
        return x.min(axis=self.axis, keepdims=self.keepdims, initial=self.initial, where=self.where)


class Min(_Min):
    """Smallest element along axes; equal ones share the gradient evenly."""

    implements = np.min, np.amin
    method = "min"


class LogaddexpReduce(_Reduction):
    """log(sum(exp(x))) along axes, without overflow."""

    implements = np.logaddexp.reduce
    samples = {"x": (2, 3)}, {"x": (3,), "keepdims": True}, {"x": (2, 3, 2), "axis": (0, -1)}, {"x": (0, 2)}

    def __init__(self, axis: Axis = 0, keepdims: bool = False) -> None:
        super().__init__(axis, keepdims)

    def forward(self, x: Any) -> Any:
        reduce: Any = np.logaddexp.reduce  # NumPy's type stubs know no axis of several
        return reduce(x, axis=self.axis, keepdims=self.keepdims)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        safe = np.where(np.isinf(y), 0, y)  # of zeros alone: exp(-inf - 0) = 0
        return self.lined_up(gy, x.ndim) * np.exp(x - self.lined_up(safe, x.ndim))


_REDUCE = {"x": (2, 3)}, {"x": (2, 3), "axis": None}, {"x": (2, 3, 2), "axis": (0, -1)}


class AddReduce(_Sum):
    """Sum of the elements along axes, by default along the first."""

    implements = np.add.reduce
    saves = ()
    samples = _REDUCE

    def __init__(self, axis: Axis = 0, keepdims: bool = False, initial: Any = 0, where: Any = True) -> None:
        super().__init__(axis, keepdims, initial, where)


class MultiplyReduce(_Prod):
    """Product of the elements along axes, by default along the first."""

    implements = np.multiply.reduce
    saves = ("xs",)
    samples = _REDUCE

    def __init__(self, axis: Axis = 0, keepdims: bool = False, initial: Any = 1, where: Any = True) -> None:
        super().__init__(axis, keepdims, initial, where)


class MaximumReduce(_Max):
    """Largest element along axes, by default along the first; equal ones share the gradient evenly."""

    implements = np.maximum.reduce
    samples = _REDUCE

    def __init__(
        self, axis: Axis = 0, keepdims: bool = False, initial: Any = None, where: Any = True
    ) -> None:
        super().__init__(axis, keepdims, initial, where)


class MinimumReduce(_Min):
    """Smallest element along axes, by default along the first; equal ones share the gradient evenly."""

    implements = np.minimum.reduce
    samples = _REDUCE

    def __init__(
        self, axis: Axis = 0, keepdims: bool = False, initial: Any = None, where: Any = True
    ) -> None:
        super().__init__(axis, keepdims, initial, where)


_OUTER = {"A": (2,), "B": (3, 2)}, {"A": (), "B": (2,)}, {"A": (2, 1), "B": ()}


def _outer(function: Any, A: Any, B: Any) -> Any:
    """Put each element of A together with each of B."""
    A, B = arrayed(A), arrayed(B)
    return function(np.reshape(A, np.shape(A) + (1,) * np.ndim(B)) if np.ndim(B) else A, B)


@composite(implements=np.add.outer, samples=_OUTER)
def add_outer(A: Any, B: Any) -> Any:
    """Each element of A plus each of B."""
    return _outer(np.add, A, B)


@composite(implements=np.subtract.outer, samples=_OUTER)
def subtract_outer(A: Any, B: Any) -> Any:
    """Each element of A minus each of B."""
    return _outer(np.subtract, A, B)


@composite(implements=np.multiply.outer, samples=_OUTER)
def multiply_outer(A: Any, B: Any) -> Any:
    """Each element of A times each of B."""
    return _outer(np.multiply, A, B)


@composite(implements=np.divide.outer, samples=_OUTER)
def divide_outer(A: Any, B: Any) -> Any:
    """Each element of A over each of B."""
    return _outer(np.divide, A, B)


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
