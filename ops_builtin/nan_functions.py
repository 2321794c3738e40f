"""Reductions, running results and order statistics that pass over nan, which gets the gradient 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from ops_builtin.order_statistics import (
    ORDER_SAMPLES,
    QUANTILE_SAMPLES,
    percents,
    places,
    read_at,
    real,
    with_axes_kept,
)
from ops_builtin.reductions import SOME, Axis, _Extremum, with_axes_first
from ops_builtin.statistics import one_correction
from registry import composite

# no nan in the samples: the differences that derivatives are compared with would be nan
_REDUCED = (
    {"a": (3,)}, {"a": (2, 3)}, {"a": (2, 3), "axis": 0}, {"a": (2, 3), "axis": -1, "keepdims": True},
    {"a": (2, 3, 2), "axis": (0, -1)}, {"a": ()},
)  # fmt: skip
_FILTERED = *_REDUCED, {"a": (2, 3), "axis": 1, "where": SOME}
_INITIAL = *_FILTERED, {"a": (2, 3), "axis": 0, "initial": 2}
_SPREAD = (
    {"a": (3,)}, {"a": (2, 3)}, {"a": (2, 3), "axis": 1}, {"a": (2, 3), "axis": -1, "keepdims": True},
    {"a": (2, 3, 2), "axis": (0, -1), "ddof": 1}, {"a": (2, 3), "correction": 0.5},
    {"a": (2, 3), "where": SOME},
)  # fmt: skip
_RUNNING = {"a": (4,)}, {"a": (2, 3)}, {"a": (2, 3), "axis": 0}, {"a": (2, 3), "axis": -1}


def _nan_replaced(a: Any, by: int) -> Any:
    return np.where(np.isnan(a), by, a)


def _counting(a: Any, where: Any) -> Any:
    """Say which elements count: those that are no nan."""
    return np.logical_not(np.isnan(a)) & where


class _NanExtremum(_Extremum):
    """What the extrema of numbers share: nan, where there is nothing else, gets the gradient 0."""

    passes_over_nan = True


class Nanmin(_NanExtremum):
    """Smallest element along axes that is no nan; equal ones share the gradient evenly."""

    implements = np.nanmin
    ufunc = np.fmin


class Nanmax(_NanExtremum):
    """Largest element along axes that is no nan; equal ones share the gradient evenly."""

    implements = np.nanmax
    ufunc = np.fmax


@composite(implements=np.nanprod, samples=_INITIAL)
def nanprod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = 1,
    where: Any = True,
) -> Any:
    """Product of the elements along axes that are no nan."""
    a = _nan_replaced(a, 1)
    return np.prod(a, axis=axis, dtype=dtype, keepdims=keepdims, initial=initial, where=where)


@composite(implements=np.nansum, samples=_INITIAL)
def nansum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = 0,
    where: Any = True,
) -> Any:
    """Sum of the elements along axes that are no nan."""
    a = _nan_replaced(a, 0)
    return np.sum(a, axis=axis, dtype=dtype, keepdims=keepdims, initial=initial, where=where)


@composite(implements=np.nancumprod, samples=_RUNNING)
def nancumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Cumulative product along an axis, in which nan counts as 1."""
    return np.cumprod(_nan_replaced(a, 1), axis=axis, dtype=dtype)


@composite(implements=np.nancumsum, samples=_RUNNING)
def nancumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Cumulative sum along an axis, in which nan counts as 0."""
    return np.cumsum(_nan_replaced(a, 0), axis=axis, dtype=dtype)


@composite(implements=np.nanmean, samples=_FILTERED)
def nanmean(
    a: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, where: Any = True
) -> Any:
    """Arithmetic mean of the elements along axes that are no nan."""
    return np.mean(a, axis=axis, dtype=dtype, keepdims=keepdims, where=_counting(a, where))


def _nan_spread(implements: Any, spread: Any, name: str, doc: str) -> Any:
    """Make the operator that gives a spread of the elements that are no nan."""

    @composite(implements=implements, samples=_SPREAD)
    def nan_spread(
        a: Any,
        axis: Axis = None,
        dtype: Any = None,
        *,
        ddof: float = 0,
        keepdims: bool = False,
        where: Any = True,
        correction: float | None = None,
    ) -> Any:
        counting, ddof = _counting(a, where), one_correction(ddof, correction)
        y = spread(a, axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims, where=counting)
        enough = np.sum(counting, axis=axis, keepdims=keepdims) > ddof
        return y if np.all(enough) else np.where(enough, y, np.nan)

    nan_spread.__name__ = nan_spread.__qualname__ = name
    nan_spread.__doc__ = doc
    return nan_spread


nanvar = _nan_spread(
    np.nanvar,
    np.var,
    "nanvar",
    "Variance of the elements along axes that are no nan; nan where they are no more than `ddof`.",
)
nanstd = _nan_spread(
    np.nanstd,
    np.std,
    "nanstd",
    "Square root of nanvar; its gradient is 0 where all elements are equal, its second derivative nan.",
)


def _nan_order_statistic(a: Any, q: Any, axis: Axis, keepdims: bool, method: Any = "linear") -> Any:
    """Give quantiles along axes of the elements that are no nan."""
    if a.size == 0:
        return np.nanmean(a, axis=axis, keepdims=keepdims)
    ordered = np.sort(with_axes_first(a, axis), axis=0)
    outer = ordered.shape[1:]
    counts, which = np.unique(np.sum(np.logical_not(np.isnan(ordered)), axis=0), return_inverse=True)
    table = np.stack([places(max(n, 1), q, method) for n in counts], axis=-1)
    y = read_at(ordered, table[..., which.reshape(outer)])
    return with_axes_kept(y, q, axis, a.shape) if keepdims else y


@composite(implements=np.nanpercentile, inputs=("a",), samples=percents(QUANTILE_SAMPLES[:4]))
def nanpercentile(
    a: Any, q: Any, axis: Axis = None, *, method: Any = "linear", keepdims: bool = False
) -> Any:
    """Quantile along axes, for each q in percent, of the elements that are no nan."""
    return np.nanquantile(a, np.true_divide(q, 100), axis, method=method, keepdims=keepdims)


@composite(implements=np.nanquantile, inputs=("a",), samples=QUANTILE_SAMPLES)
def nanquantile(a: Any, q: Any, axis: Axis = None, *, method: Any = "linear", keepdims: bool = False) -> Any:
    """Quantile along axes, for each q in [0, 1], of the elements that are no nan."""
    return _nan_order_statistic(real(a), q, axis, keepdims, method)


@composite(implements=np.nanmedian, samples=ORDER_SAMPLES)
def nanmedian(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Median along axes of the elements that are no nan."""
    return _nan_order_statistic(a, 0.5, axis, keepdims)
