"""The larger, the smaller, and what lies between bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from registry import Function


class _Extremum(Function):
    """What the larger and the smaller share: equal ones get half of the gradient each."""

    elementwise = True
    saves = ("xs",)
    wins: Any
    wins_or_ties: Any
    only_reads = True

    def backward(self, gy: Any) -> Any:
        x0, x1 = self.xs
        w0, w1 = self.needs_grad
        share = self.first_share(x0, x1, gy.dtype)
        return gy * share if w0 else None, gy * (1 - share.astype(gy.dtype)) if w1 else None

    def first_share(self, x0: Any, x1: Any, dtype: Any) -> Any:
        """Give 1 where the first wins, 0 where it loses, 1/2 where they tie."""
        wins = self.wins(x0, x1)
        if type(wins) is np.ndarray and not np.equal(x0, x1).any():  # a third of the time and memory
            return wins
        return (wins.astype(dtype) + self.wins_or_ties(x0, x1).astype(dtype)) / 2


class Maximum(_Extremum):
    """The larger of two, element by element; equal ones share the gradient by halves."""

    implements = np.maximum
    wins, wins_or_ties = np.greater, np.greater_equal


class Minimum(_Extremum):
    """The smaller of two, element by element; equal ones share the gradient by halves."""

    implements = np.minimum
    wins, wins_or_ties = np.less, np.less_equal


class _NumberExtremum(_Extremum):
    """The same, where a nan loses against a number."""

    only_reads = True

    def first_share(self, x0: Any, x1: Any, dtype: Any) -> Any:
        return np.where(np.isnan(x1), 1, super().first_share(x0, x1, dtype))


class Fmax(_NumberExtremum):
    """The larger of two, or the one that is a number; equal ones share the gradient by halves."""

    implements = np.fmax
    wins, wins_or_ties = np.greater, np.greater_equal


class Fmin(_NumberExtremum):
    """The smaller of two, or the one that is a number; equal ones share the gradient by halves."""

    implements = np.fmin
    wins, wins_or_ties = np.less, np.less_equal


class Clip(Function):
    """x between bounds, either of which may be None; at a bound the gradient goes to x.

    The upper bound wins where the bounds cross, as in NumPy.
    """

    implements = np.clip
    method = "clip"
    elementwise = True
    saves = ("xs",)

    def forward(self, x: Any, a_min: Any = None, a_max: Any = None) -> Any:
        return np.clip(x, a_min, a_max)

    def backward(self, gy: Any) -> Any:
        x, *bounds = self.xs
        low, high = (*bounds, None, None)[:2]
        above = False if high is None else np.greater(x if low is None else np.maximum(x, low), high)
        below = False if low is None else np.logical_and(np.less(x, low), np.logical_not(above))
        inside = np.logical_not(np.logical_or(below, above))
        return tuple([np.where(wins, gy, 0) for wins in (inside, below, above)[: len(self.xs)]])

    @classmethod
    def from_numpy(
        cls, a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
    ) -> Any:
        """Take the bounds by either of NumPy's names."""
        if not ((a_min is None or min is None) and (a_max is None or max is None)):
            raise ValueError(
                "numpy.clip: a bound is given twice, by position or as a_min, a_max and as min, max"
            )
        return cls()(a, min if a_min is None else a_min, max if a_max is None else a_max)

    from_method = from_numpy
