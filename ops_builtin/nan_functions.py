"""Reductions, running results and order statistics that pass over nan, which gets the gradient 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from ops_builtin.reductions import Axis
from ops_builtin.statistics import ORDER_SAMPLES, QUANTILE_SAMPLES, order_statistic, percents
from registry import composite

# no nan in the samples: the differences that derivatives are compared with would be nan
_SOME = np.array([[True, True, False], [True, False, True]])
_REDUCED = (
    {"a": (3,)}, {"a": (2, 3)}, {"a": (2, 3), "axis": 0}, {"a": (2, 3), "axis": -1, "keepdims": True},
    {"a": (2, 3, 2), "axis": (0, -1)}, {"a": ()},
)  # fmt: skip
_FILTERED = *_REDUCED, {"a": (2, 3), "axis": 1, "where": _SOME}
_INITIAL = *_FILTERED, {"a": (2, 3), "axis": 0, "initial": 2}
_SPREAD = (
    {"a": (3,)}, {"a": (2, 3)}, {"a": (2, 3), "axis": 1}, {"a": (2, 3), "axis": -1, "keepdims": True},
    {"a": (2, 3, 2), "axis": (0, -1), "ddof": 1}, {"a": (2, 3), "correction": 0.5},
    {"a": (2, 3), "where": _SOME},
)  # fmt: skip
_RUNNING = {"a": (4,)}, {"a": (2, 3)}, {"a": (2, 3), "axis": 0}, {"a": (2, 3), "axis": -1}


def _counting(a: Any, where: Any) -> Any:
    """Say which elements count: those that are no nan."""
    numbers = np.logical_not(np.isnan(a))
    return numbers if where is True else np.logical_and(numbers, where)


@composite(implements=np.nansum, samples=_INITIAL)
def nansum(a: Any, axis: Axis = None, *, keepdims: bool = False, initial: Any = 0, where: Any = True) -> Any:
    """Sum of the elements along axes that are no nan."""
    return np.sum(a, axis=axis, keepdims=keepdims, initial=initial, where=_counting(a, where))


@composite(implements=np.nanprod, samples=_INITIAL)
def nanprod(a: Any, axis: Axis = None, *, keepdims: bool = False, initial: Any = 1, where: Any = True) -> Any:
    """Product of the elements along axes that are no nan."""
    return np.prod(a, axis=axis, keepdims=keepdims, initial=initial, where=_counting(a, where))


@composite(implements=np.nanmean, samples=_FILTERED)
def nanmean(a: Any, axis: Axis = None, *, keepdims: bool = False, where: Any = True) -> Any:
    """Arithmetic mean of the elements along axes that are no nan."""
    return np.mean(a, axis=axis, keepdims=keepdims, where=_counting(a, where))


def _extremum(of: Any, worst: float, a: Any, axis: Axis, keepdims: bool, initial: Any, where: Any) -> Any:
    """Give an extremum of the numbers; nan where there is none."""
    if a.dtype.kind not in "fc":
        return of(a, axis=axis, keepdims=keepdims, initial=initial, where=where)
    counting = _counting(a, where)
    start = worst if initial is None else initial
    y = of(a, axis=axis, keepdims=keepdims, initial=start, where=counting)
    found = True if initial is not None else np.any(counting, axis=axis, keepdims=keepdims)
    return y if np.all(found) else np.where(found, y, np.nan)


@composite(implements=np.nanmax, samples=_INITIAL)
def nanmax(
    a: Any, axis: Axis = None, *, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Largest element along axes that is no nan; equal ones share the gradient evenly."""
    return _extremum(np.max, -np.inf, a, axis, keepdims, initial, where)


@composite(implements=np.nanmin, samples=_INITIAL)
def nanmin(
    a: Any, axis: Axis = None, *, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Smallest element along axes that is no nan; equal ones share the gradient evenly."""
    return _extremum(np.min, np.inf, a, axis, keepdims, initial, where)


@composite(implements=np.nanvar, samples=_SPREAD)
def nanvar(
    a: Any,
    axis: Axis = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = True,
    correction: float | None = None,
) -> Any:
    """Variance of the elements along axes that are no nan."""
    given: dict[str, Any] = {"ddof": ddof} if correction is None else {"ddof": ddof, "correction": correction}
    return np.var(a, axis=axis, keepdims=keepdims, where=_counting(a, where), **given)


@composite(implements=np.nanstd, samples=_SPREAD)
def nanstd(
    a: Any,
    axis: Axis = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = True,
    correction: float | None = None,
) -> Any:
    """Square root of nanvar; its gradient is 0 where all elements are equal."""
    given: dict[str, Any] = {"ddof": ddof} if correction is None else {"ddof": ddof, "correction": correction}
    return np.std(a, axis=axis, keepdims=keepdims, where=_counting(a, where), **given)


@composite(implements=np.nancumsum, samples=_RUNNING)
def nancumsum(a: Any, axis: int | None = None) -> Any:
    """Cumulative sum along an axis, in which nan counts as 0."""
    return np.cumsum(np.where(np.isnan(a), 0, a), axis=axis)


@composite(implements=np.nancumprod, samples=_RUNNING)
def nancumprod(a: Any, axis: int | None = None) -> Any:
    """Cumulative product along an axis, in which nan counts as 1."""
    return np.cumprod(np.where(np.isnan(a), 1, a), axis=axis)


@composite(implements=np.nanmedian, samples=ORDER_SAMPLES)
def nanmedian(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Median along axes of the elements that are no nan."""
    return order_statistic(a, 0.5, axis, keepdims, skip_nan=True)


@composite(implements=np.nanquantile, inputs=("a",), samples=QUANTILE_SAMPLES)
def nanquantile(a: Any, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """Quantile along axes, for each q in [0, 1], of the elements that are no nan."""
    return order_statistic(a, q, axis, keepdims, method, skip_nan=True)


@composite(implements=np.nanpercentile, inputs=("a",), samples=percents(QUANTILE_SAMPLES[:4]))
def nanpercentile(
    a: Any, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False
) -> Any:
    """Quantile along axes, for each q in percent, of the elements that are no nan."""
    return order_statistic(a, np.true_divide(q, 100), axis, keepdims, method, skip_nan=True)
