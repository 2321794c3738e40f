"""Softmax and its kin along axes; the largest element is taken off first, so no exponential overflows."""

from __future__ import annotations

from typing import Any

import numpy as np

from registry import Function, composite

Axis = int | tuple[int, ...] | None


def _from_largest(x: Any, axis: Axis) -> Any:
    """Give x less the largest along axes, in floating numbers."""
    x = x.astype(np.result_type(x, 1.0), copy=False)
    return x - np.max(x, axis, keepdims=True, initial=-np.inf)


def _beside_the_largest(shares: Any, a: Any, axis: Axis) -> tuple[Any, Any, Any]:
    """Say which share is more than a half; give the sums of the other shares and of the other a.

    What that share lacks to 1 is the sum of the others: 1 less it would cancel.
    """
    nearly_all = np.greater(shares, 0.5)
    rest, others = [np.sum(np.where(nearly_all, 0, x), axis=axis, keepdims=True) for x in (shares, a)]
    return nearly_all, rest, others


class Softmax(Function):
    """exp(x) / sum(exp(x)) along axes, all of them where `axis` is None.

    The derivative is exact where one share is close to 1, too; value and gradient together take
    half as long again for it.
    """

    saves = ("ys",)

    def __init__(self, axis: Axis = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        y = np.exp(_from_largest(x, self.axis))
        return y / np.sum(y, self.axis, keepdims=True)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        nearly_all, rest, others = _beside_the_largest(y, gy * y, self.axis)
        total = np.sum(gy * y, axis=self.axis, keepdims=True)
        return y * np.where(nearly_all, gy * rest - others, gy - total)


class Logsoftmax(Function):
    """log(softmax(x)) = x - log(sum(exp(x))) along axes, all of them where `axis` is None.

    The derivative is exact where one share is close to 1, too; value and gradient together take
    half as long again for it.
    """

    saves = ("ys",)

    def __init__(self, axis: Axis = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        below = _from_largest(x, self.axis)
        return below - np.log(np.sum(np.exp(below), self.axis, keepdims=True))

    def backward(self, gy: Any) -> Any:
        shares = np.exp(self.ys[0])
        nearly_all, rest, others = _beside_the_largest(shares, gy, self.axis)
        total = np.sum(gy, axis=self.axis, keepdims=True)
        return np.where(nearly_all, gy * rest - shares * others, gy - shares * total)


class _LogSumExp(Function):
    """log(sum(exp(x))) along axes that are kept, -inf where all are -inf; its derivative is exp(x - y)."""

    def __init__(self, axis: Axis) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        x = x.astype(np.result_type(x, 1.0), copy=False)
        largest = _finite(np.max(x, self.axis, keepdims=True, initial=-np.inf))
        with np.errstate(divide="ignore"):
            return largest + np.log(np.sum(np.exp(x - largest), self.axis, keepdims=True))

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        return gy * np.exp(x - _finite(y))


def _finite(x: Any) -> Any:
    """Put 0 for -inf, which may be taken off -inf without giving nan."""
    return np.where(np.equal(x, -np.inf), 0, x)


@composite(
    samples=(
        {"x": (3,)}, {"x": (2, 3), "axis": 0}, {"x": (2, 3), "axis": -1, "keepdims": True}, {"x": ()},
        {"x": (2, 3, 2), "axis": (0, -1)}, {"x": (2, 3), "axis": 1, "where": np.array([True, False, True])},
        {"x": (0, 2), "axis": 1},
    )
)  # fmt: skip
def logmeanexp(x: Any, axis: Axis = None, where: Any = None, keepdims: bool = False) -> Any:
    """log(mean(exp(x))) along axes, of the elements where a mask holds; -inf where all are -inf."""
    counted = np.broadcast_to(True if where is None else where, np.shape(x))
    if where is not None:
        x = np.where(where, x, -np.inf)
    y = _LogSumExp(axis)(x)
    y = y - np.log(np.sum(counted, axis=axis, keepdims=True)).astype(y.dtype)
    return y if keepdims else np.squeeze(y, axis)
