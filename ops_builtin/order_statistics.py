"""Minimum to maximum, medians and quantiles.

Of equal elements, the one that a stable sort puts at the place has the gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ops_builtin.reductions import Axis, axes_of, with_axes_first
from registry import Variable, composite

ORDER_SAMPLES = (
    {"a": (5,)}, {"a": (2, 4)}, {"a": (2, 4), "axis": 0}, {"a": (3, 2, 2), "axis": (0, -1)},
    {"a": (2, 3), "axis": 1, "keepdims": True}, {"a": (2, 3), "axis": -1}, {"a": (4,), "keepdims": True},
    {"a": ()},
)  # fmt: skip
_QUANTILES = [0.1, 0.75]
_METHODS = "hazen", "weibull", "median_unbiased", "lower", "higher", "midpoint", "nearest", "inverted_cdf"
QUANTILE_SAMPLES = (
    {"a": (5,), "q": 0.3}, {"a": (2, 4), "q": 0.6, "axis": 0}, {"a": (2, 4), "q": _QUANTILES, "axis": 1},
    {"a": (2, 3), "q": [[0.0, 0.5], [1.0, 0.2]], "axis": -1, "keepdims": True}, {"a": (), "q": 0.5},
    {"a": (3, 2, 2), "q": 0.4, "axis": (0, -1), "keepdims": True},
    *({"a": (5,), "q": 0.55, "method": method} for method in _METHODS),
)  # fmt: skip


def percents(samples: Any) -> Any:
    """Give samples of quantiles for percentiles."""
    return tuple([{**sample, "q": (np.array(sample["q"]) * 100).tolist()} for sample in samples])


def places(length: int, q: Any, method: Any) -> Any:
    """Say where among sorted elements the quantiles are, by any of NumPy's methods.

    The quantile of the numbers 0, 1, ..., length - 1 is the place to read at.
    """
    if isinstance(q, Variable):
        raise TypeError("quantiles are differentiable in a, not in q: q must be a constant, such as q.data")
    return np.asarray(np.quantile(np.arange(length), q, method=method))


def read_at(ordered: Any, place: Any) -> Any:
    """Give the elements at places along the first axis; between two of them, on a straight line."""
    others = np.indices(ordered.shape[1:], sparse=True)
    lower = np.floor(place).astype(int)
    y = ordered[(lower, *others)]
    if place.dtype.kind != "f":  # by a method that takes single elements
        return y
    part = (place - lower).astype(y.dtype if y.dtype.kind in "fc" else float)
    upper = ordered[(np.ceil(place).astype(int), *others)]
    with np.errstate(invalid="ignore"):  # inf * 0, which is not chosen
        return np.where(part, y * (1 - part) + upper * part, y)


def with_axes_kept(y: Any, q: Any, axis: Axis, shape: tuple[int, ...]) -> Any:
    """Give the reduced axes back to a result, behind those of q."""
    reduced = axes_of(axis, len(shape))
    return np.reshape(y, (*np.shape(q), *[1 if i in reduced else n for i, n in enumerate(shape)]))


def order_statistic(a: Any, q: Any, axis: Axis, keepdims: bool, method: Any = "linear") -> Any:
    """Give quantiles along axes: nan where one of the elements is nan."""
    ordered = np.sort(with_axes_first(a, axis), axis=0)
    length, *outer = ordered.shape
    place = places(length, q, method)
    y = read_at(ordered, place.reshape(place.shape + (1,) * len(outer)))
    some_nan = np.isnan(ordered[-1])  # nan is sorted to the end
    if np.any(some_nan):
        y = np.where(some_nan, ordered[-1], y)
    return with_axes_kept(y, q, axis, a.shape) if keepdims else y


def real(a: Any) -> Any:
    """Let through numbers of which any two can be compared."""
    if a.dtype.kind == "c":
        raise TypeError(f"quantiles are of real numbers, not of {a.dtype}")
    return a


@composite(implements=np.ptp, samples=ORDER_SAMPLES)
def ptp(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Largest minus smallest element along axes; equal ones share the gradient evenly."""
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


@composite(implements=np.percentile, inputs=("a",), samples=percents(QUANTILE_SAMPLES[:4]))
def percentile(a: Any, q: Any, axis: Axis = None, *, method: Any = "linear", keepdims: bool = False) -> Any:
    """Quantile along axes for each q in percent, a constant; by any of NumPy's methods."""
    return np.quantile(a, np.true_divide(q, 100), axis, method=method, keepdims=keepdims)


@composite(implements=np.quantile, inputs=("a",), samples=QUANTILE_SAMPLES)
def quantile(a: Any, q: Any, axis: Axis = None, *, method: Any = "linear", keepdims: bool = False) -> Any:
    """Quantile along axes for each q in [0, 1], a constant; by any of NumPy's methods.

    The result has the dtype of a where that is floating, also for a list of q.
    """
    return order_statistic(real(a), q, axis, keepdims, method)


@composite(implements=np.median, samples=ORDER_SAMPLES)
def median(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Middle element along axes, or the mean of the middle two; nan where one is nan."""
    if a.size == 0:
        return np.mean(a, axis=axis, keepdims=keepdims)
    return order_statistic(a, 0.5, axis, keepdims)
