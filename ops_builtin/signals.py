"""Convolution, interpolation, and phases without jumps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ops_builtin.indexing import GetItem
from ops_builtin.reductions import arrayed
from registry import Function, composite

_MODES = (
    {"a": (4,), "v": (3,)}, {"a": (5,), "v": (2,), "mode": "same"}, {"a": (2,), "v": (4,), "mode": "same"},
    {"a": (4,), "v": (2,), "mode": "valid"}, {"a": (3,), "v": (5,), "mode": "valid"}, {"a": (3,), "v": (3,)},
    {"a": (2,), "v": (3,), "mode": "full"}, {"a": (3,), "v": (4,), "mode": "same"},
)  # fmt: skip


class Convolve(Function):
    """Discrete convolution of two rows: y[k] = sum over i of a[i] * v[k - i].

    `mode` says which part of it: "full", "same" (as long as the longer row, from the
    middle), or "valid" (where the rows overlap completely).
    """

    implements = np.convolve
    saves = ("xs",)
    samples = _MODES

    def __init__(self, mode: Any = "full") -> None:
        self.mode = checked_mode(mode)

    def forward(self, a: Any, v: Any) -> Any:
        return np.convolve(a, v, self.mode)

    def backward(self, gy: Any) -> Any:
        a, v = self.xs
        shorter = min(a.size, v.size)
        before = {"full": 0, "same": (shorter - 1) // 2, "valid": shorter - 1}[self.mode]
        full = np.pad(gy, (before, a.size + v.size - 1 - before - gy.size))
        ga, gv = (np.convolve(full, x.reshape((-1,))[::-1], "valid") for x in (v, a))
        return ga.reshape(a.shape), gv.reshape(v.shape)


def checked_mode(mode: Any) -> Any:
    """Let through what says which part of a convolution is wanted."""
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"mode is {mode!r}; expected 'full', 'same' or 'valid'")
    return mode


@composite(implements=np.correlate, samples=_MODES)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    """Correlation of two rows: y[k] = sum over i of a[i + k] * conj(v[i]); `mode` as in convolve."""
    a, v = arrayed(a), arrayed(v)
    turned = np.conjugate(np.flip(v))
    if checked_mode(mode) == "same" and np.size(a) < np.size(v):  # its middle is one further than convolve's
        return np.convolve(a, turned)[np.size(a) // 2 :][: np.size(v)]
    return np.convolve(a, turned, mode=mode)


_KNOTS = np.array([-0.9, -0.2, 0.5, 1.0])  # within what is drawn for x


@composite(
    implements=np.interp,
    inputs=("x", "xp", "fp"),
    samples=(
        {"x": (4,), "xp": _KNOTS, "fp": (4,)},
        {"x": (2, 3), "xp": _KNOTS / 2, "fp": (4,), "left": 0.5},
        {"x": (4,), "xp": _KNOTS / 2, "fp": (4,), "right": -2.0},
        {"x": (5,), "xp": np.array([0.3, 2.2, 1.1, -0.4]), "fp": (4,), "period": 2.9},
        {"x": np.array([-1.5, -0.2, 0.9, 2.0, 0.5]), "xp": _KNOTS, "fp": (4,)},
    ),
)  # fmt: skip
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: float | None = None) -> Any:
    """Piecewise linear function through the points (xp, fp), at x; differentiable in all three.

    At a knot the slope is the mean of those of both sides; outside it is 0.
    """
    x, xp, fp = map(arrayed, (x, xp, fp))
    if np.ndim(xp) != 1 or np.shape(xp) != np.shape(fp) or not np.size(xp):
        shapes = f"{np.shape(xp)} and {np.shape(fp)}"
        raise ValueError(f"xp and fp are the coordinates of points, of one length and 1-d, not of {shapes}")
    if period is not None:
        left = right = None
        x, xp, fp = _once_round(x, xp, fp, period)
    before, after = np.searchsorted(xp, x, "left"), np.searchsorted(xp, x, "right")
    slope = _slope_up_to(after, xp, fp)
    knot = after - before == 1
    if np.any(knot):
        slope = np.where(knot, (slope + _slope_up_to(before, xp, fp)) / 2, slope)
    last = np.maximum(after - 1, 0)
    y = _at(fp, last) + (x - _at(xp, last)) * slope
    y = y if left is None else np.where(np.less(x, xp[0]), left, y)
    return y if right is None else np.where(np.greater(x, xp[-1]), right, y)


def _once_round(x: Any, xp: Any, fp: Any, period: float) -> tuple[Any, Any, Any]:
    """Give coordinates within one period, and the points in order, with one more at each end."""
    if period == 0:
        raise ValueError("period must be a non-zero value")
    period = abs(period)
    x, xp = np.remainder(x, period), np.remainder(xp, period)
    order = np.argsort(xp)
    xp, fp = xp[order], fp[order]
    xp = np.concatenate((xp[-1:] - period, xp, xp[:1] + period))
    return x, xp, np.concatenate((fp[-1:], fp, fp[:1]))


def _slope_up_to(place: Any, xp: Any, fp: Any) -> Any:
    """Give the slope before a place among the knots; 0 before the first and after the last."""
    start, stop = np.maximum(place - 1, 0), np.minimum(place, len(xp) - 1)
    rise, run = (_at(values, stop) - _at(values, start) for values in (fp, xp))
    return rise / np.where(np.equal(start, stop), 1, run)


def _at(values: Any, place: Any) -> Any:
    """Give elements at places that depend on the data, by the operator, which plans run whole."""
    return GetItem(place)(values)


class Unwrap(Function):
    """Phases with multiples of `period` added where they jump by half of it, or by `discont`, or more."""

    implements = np.unwrap
    saves = ()

    def __init__(self, discont: float | None = None, axis: int = -1, period: float = 2 * np.pi) -> None:
        self.discont, self.axis, self.period = discont, axis, period

    def forward(self, p: Any) -> Any:
        return np.unwrap(p, self.discont, self.axis, period=self.period)

    def backward(self, gy: Any) -> Any:
        return gy
