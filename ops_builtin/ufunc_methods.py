"""The methods of ufuncs that have a derivative: reduce, accumulate and outer."""

from __future__ import annotations

from math import log
from operator import index
from typing import Any, ClassVar

import numpy as np

from ops_builtin.cumulative import _Recursion
from ops_builtin.extrema import Maximum, Minimum
from ops_builtin.kinks import quotient
from ops_builtin.reductions import SOME, Axis, _UfuncReduction, arrayed, carries_gradient
from registry import composite


def _named(operator: Any, ufunc: np.ufunc, method: str, doc: str) -> Any:
    """Give a function its name, such as add_outer, and what it says of itself."""
    operator.__name__ = operator.__qualname__ = f"{ufunc.__name__}_{method}"
    operator.__doc__ = doc
    return operator


def _reduce(ufunc: Any, reduction: Any, identity: Any, what: str) -> Any:
    """Make the operator for a ufunc's reduce, which is a reduction along the first axis by default."""

    @composite(implements=ufunc.reduce, samples=({"array": (2, 3)}, {"array": (2, 3, 2), "axis": (0, -1)}))
    def reduce(
        array: Any,
        axis: Axis = 0,
        dtype: Any = None,
        *,
        keepdims: bool = False,
        initial: Any = identity,
        where: Any = True,
    ) -> Any:
        array = array if dtype is None else np.astype(array, carries_gradient(dtype))
        return reduction(array, axis=axis, keepdims=keepdims, initial=initial, where=where)

    return _named(
        reduce, ufunc, "reduce", f"{what} along axes, by default the first, as by {reduction.__name__}."
    )


add_reduce = _reduce(np.add, np.sum, 0, "Sum of the elements")
multiply_reduce = _reduce(np.multiply, np.prod, 1, "Product of the elements")
maximum_reduce = _reduce(np.maximum, np.max, None, "Largest element")
minimum_reduce = _reduce(np.minimum, np.min, None, "Smallest element")
fmax_reduce = _reduce(np.fmax, np.nanmax, None, "Largest element that is no nan")
fmin_reduce = _reduce(np.fmin, np.nanmin, None, "Smallest element that is no nan")


class _AlongFirst(_UfuncReduction):
    """What reductions share that have no other name in NumPy."""

    samples: ClassVar[Any] = (
        {"x": (2, 3)}, {"x": (3,), "keepdims": True}, {"x": (2, 3, 2), "axis": (0, -1)}, {"x": (0, 2)},
        {"x": (2, 3), "axis": 1, "initial": 0.5, "where": SOME},
    )  # fmt: skip

    def __init__(
        self, axis: Axis = 0, keepdims: bool = False, initial: Any = None, where: Any = True
    ) -> None:
        super().__init__(axis, keepdims, initial, where)


class LogaddexpReduce(_AlongFirst):
    """log(sum(exp(x))) along axes, by default the first, without overflow."""

    implements = np.logaddexp.reduce
    ufunc = np.logaddexp

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        safe = self.lined_up(np.where(np.isinf(y), 0, y), x.ndim)  # of zeros alone: exp(-inf - 0) = 0
        off = x - safe if self.where is True else np.where(self.where, x - safe, 0)
        return self.spread(gy, x.shape) * np.exp(off)


@composite(implements=np.logaddexp2.reduce, samples=LogaddexpReduce.samples)
def logaddexp2_reduce(
    x: Any, axis: Axis = 0, *, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """log2(sum(2**x)) along axes, by default the first, without overflow."""
    ln2 = log(2)
    start = initial if initial is None else initial * ln2
    return LogaddexpReduce(axis, keepdims, start, where)(x * ln2) / ln2


class HypotReduce(_AlongFirst):
    """sqrt(sum(x**2)) along axes, by default the first, without overflow.

    Where all of x is 0, its gradient is 0, and its second derivative nan.
    """

    implements = np.hypot.reduce
    ufunc = np.hypot

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        return self.spread(gy, x.shape) * quotient(x, self.lined_up(y, x.ndim))


def _accumulate(ufunc: Any, running: Any, what: str) -> Any:
    """Make the operator for a ufunc's accumulate, a running result along the first axis by default."""

    @composite(implements=ufunc.accumulate, samples=({"array": (3,)}, {"array": (2, 3), "axis": -1}))
    def accumulate(array: Any, axis: int = 0, dtype: Any = None) -> Any:
        return running(array, axis=index(axis), dtype=dtype)

    return _named(accumulate, ufunc, "accumulate", f"{what} along an axis, by default the first.")


add_accumulate = _accumulate(np.add, np.cumsum, "Running sum")
multiply_accumulate = _accumulate(np.multiply, np.cumprod, "Running product")


class _RunningUfunc(_Recursion):
    """What running results share that have no other name in NumPy."""

    ufunc: Any
    samples: ClassVar[Any] = {"x": (4,)}, {"x": (2, 3), "axis": -1}, {"x": (0, 2)}

    def __init__(self, axis: int = 0) -> None:
        super().__init__(index(axis))

    def forward(self, x: Any) -> Any:
        return self.ufunc.accumulate(x, self.axis)


class _RunningExtremum(_RunningUfunc):
    binary: Any
    only_reads = True

    def slopes(self, before: Any, x: Any, y: Any) -> Any:
        share = self.binary.first_share(before, x, y.dtype)
        return share, 1 - share


class MaximumAccumulate(_RunningExtremum):
    """Largest element up to each, along an axis, by default the first.

    At ties the new element gets half of the gradient, as maximum(y[i-1], x[i]) gives it.
    """

    implements = np.maximum.accumulate
    ufunc: Any = np.maximum
    binary = Maximum()


class MinimumAccumulate(_RunningExtremum):
    """Smallest element up to each, along an axis, by default the first.

    At ties the new element gets half of the gradient, as minimum(y[i-1], x[i]) gives it.
    """

    implements = np.minimum.accumulate
    ufunc: Any = np.minimum
    binary = Minimum()


class LogaddexpAccumulate(_RunningUfunc):
    """log(sum(exp(x))) of the elements up to each, along an axis, without overflow."""

    implements = np.logaddexp.accumulate
    ufunc = np.logaddexp

    def slopes(self, before: Any, x: Any, y: Any) -> Any:
        safe = np.where(np.isinf(y), 0, y)
        return np.exp(before - safe), np.exp(x - safe)


def _outer(ufunc: np.ufunc) -> Any:
    """Make the operator for a ufunc's outer."""

    @composite(implements=ufunc.outer, samples=_OUTER, domain=_DOMAINS.get(ufunc))
    def outer(A: Any, B: Any, /) -> Any:
        A, B = arrayed(A), arrayed(B)
        return ufunc(np.reshape(A, np.shape(A) + (1,) * np.ndim(B)) if np.ndim(B) else A, B)

    return _named(outer, ufunc, "outer", f"np.{ufunc.__name__} of each element of A with each of B.")


_OUTER = {"A": (2,), "B": (3, 2)}, {"A": (), "B": (2,)}, {"A": (2, 1), "B": ()}
_DOMAINS: dict[Any, Any] = {np.power: (0.2, 2), np.float_power: (0.2, 2)}

add_outer = _outer(np.add)
subtract_outer = _outer(np.subtract)
multiply_outer = _outer(np.multiply)
divide_outer = _outer(np.divide)
logaddexp_outer = _outer(np.logaddexp)
logaddexp2_outer = _outer(np.logaddexp2)
power_outer = _outer(np.power)
float_power_outer = _outer(np.float_power)
remainder_outer = _outer(np.remainder)
fmod_outer = _outer(np.fmod)
arctan2_outer = _outer(np.arctan2)
hypot_outer = _outer(np.hypot)
maximum_outer = _outer(np.maximum)
minimum_outer = _outer(np.minimum)
fmax_outer = _outer(np.fmax)
fmin_outer = _outer(np.fmin)
copysign_outer = _outer(np.copysign)
