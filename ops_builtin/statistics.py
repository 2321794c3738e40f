"""Order statistics, weighted means and correlations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ops_builtin.reductions import Axis, arrayed, axes_of, with_axes_first
from registry import Function, composite


def order_statistic(
    a: Any, q: Any, axis: Axis, keepdims: bool, method: Any = "linear", skip_nan: bool = False
) -> Any:
    """Give quantiles: weights, which q and the number of elements decide, on the sorted elements.

    The quantile of the numbers 0, 1, ..., n - 1 is the place to read at, by any of NumPy's methods.
    """
    ordered = np.sort(with_axes_first(a, axis), axis=0)
    length, *outer = ordered.shape
    some_nan = np.isnan(ordered[-1])  # nan is sorted to the end
    if skip_nan and np.any(some_nan):
        counts, which = np.unique(np.sum(np.logical_not(np.isnan(ordered)), axis=0), return_inverse=True)
        table = [np.quantile(np.arange(max(n, 1)), q, method=method) for n in counts]
        places = np.moveaxis(np.stack(table)[which.reshape(outer)], range(len(outer)), range(-len(outer), 0))
    else:
        places = np.asarray(np.quantile(np.arange(length), q, method=method))
        places = places.reshape(places.shape + (1,) * len(outer))
    lower = np.floor(places).astype(int)
    others = np.indices(outer, sparse=True)
    y = ordered[(lower, *others)]
    if places.dtype.kind == "f":  # between two elements, by the methods that take no single one
        part = (places - lower).astype(y.dtype if y.dtype.kind in "fc" else float)
        upper = ordered[(np.ceil(places).astype(int), *others)]
        with np.errstate(invalid="ignore"):  # inf * 0, which is not chosen
            y = np.where(part, y * (1 - part) + upper * part, y)
    if not skip_nan and np.any(some_nan):
        y = np.where(some_nan, ordered[-1], y)
    if keepdims:
        reduced = axes_of(axis, np.ndim(a))
        shape = [1 if i in reduced else n for i, n in enumerate(np.shape(a))]
        y = np.reshape(y, (*np.shape(q), *shape))
    return y


ORDER_SAMPLES = (
    {"a": (5,)}, {"a": (2, 4)}, {"a": (2, 4), "axis": 0}, {"a": (3, 2, 2), "axis": (0, -1)},
    {"a": (2, 3), "axis": 1, "keepdims": True}, {"a": (2, 3), "axis": -1}, {"a": (4,), "keepdims": True},
    {"a": ()},
)  # fmt: skip
QUANTILES = [0.1, 0.75]
METHODS = "hazen", "weibull", "median_unbiased", "lower", "higher", "midpoint", "nearest", "inverted_cdf"
QUANTILE_SAMPLES = (
    {"a": (5,), "q": 0.3}, {"a": (2, 4), "q": 0.6, "axis": 0}, {"a": (2, 4), "q": QUANTILES, "axis": 1},
    {"a": (2, 3), "q": [[0.0, 0.5], [1.0, 0.2]], "axis": -1, "keepdims": True}, {"a": (), "q": 0.5},
    {"a": (3, 2, 2), "q": 0.4, "axis": (0, -1), "keepdims": True},
    *({"a": (5,), "q": 0.55, "method": method} for method in METHODS),
)  # fmt: skip


@composite(implements=np.median, samples=ORDER_SAMPLES)
def median(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Middle element along axes, or the mean of the middle two; nan where one is nan."""
    return order_statistic(a, 0.5, axis, keepdims)


@composite(implements=np.quantile, inputs=("a",), samples=QUANTILE_SAMPLES)
def quantile(a: Any, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """Quantile along axes for each q in [0, 1], a constant; by any of NumPy's methods."""
    return order_statistic(a, q, axis, keepdims, method)


def percents(samples: Any) -> Any:
    """Give samples of quantiles for percentiles."""
    return tuple([{**sample, "q": (np.array(sample["q"]) * 100).tolist()} for sample in samples])


@composite(implements=np.percentile, inputs=("a",), samples=percents(QUANTILE_SAMPLES[:4]))
def percentile(a: Any, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """Quantile along axes for each q in percent, a constant; by any of NumPy's methods."""
    return order_statistic(a, np.true_divide(q, 100), axis, keepdims, method)


@composite(
    implements=np.average,
    inputs=("a", "weights"),
    samples=(
        {"a": (3,)}, {"a": (2, 3), "axis": 0}, {"a": (2, 3), "axis": -1, "keepdims": True},
        {"a": (2, 3), "weights": np.array([[1.0, 2.0, 0.5], [0.3, 1.0, 0.0]])},
        {"a": (2, 3), "axis": 1, "weights": np.array([1.0, 2.0, 0.5]), "keepdims": True},
        {"a": (2, 3), "axis": 0, "weights": np.array([1.0, 2.0]), "returned": True},
        {"a": (2, 3, 2), "axis": (2, 0), "weights": np.array([[1.0, 2.0], [0.5, 1.0]])},
    ),
)  # fmt: skip
def average(
    a: Any, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False
) -> Any:
    """Weighted mean sum(a * weights) / sum(weights) along axes; with the sum of weights, if `returned`."""
    if weights is None:
        y = np.mean(a, axis=axis, keepdims=keepdims)
        total: Any = np.full(y.shape, np.size(a) / max(y.size, 1), y.dtype)
        return (y, total) if returned else y
    a, w = arrayed(a), arrayed(weights)
    if np.shape(w) != np.shape(a):
        axes = axes_of(axis, np.ndim(a))
        if axis is None or np.shape(w) != tuple([np.shape(a)[i] for i in axes]):
            raise ValueError("the shape of weights must be that of a, or that of its axes `axis`")
        order = sorted(range(len(axes)), key=axes.__getitem__)
        shape = [n if i in axes else 1 for i, n in enumerate(np.shape(a))]
        w = np.reshape(np.transpose(w, order), shape)
    total = np.sum(w, axis=axis, keepdims=keepdims)
    if np.any(np.equal(total, 0)):
        raise ZeroDivisionError("the weights sum to zero, so they cannot be normalized")
    y = np.sum(np.multiply(a, w), axis=axis, keepdims=keepdims) / total
    return (y, np.astype(np.broadcast_to(total, y.shape), y.dtype)) if returned else y


@composite(implements=np.ptp, samples=ORDER_SAMPLES)
def ptp(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    """Largest minus smallest element along axes; equal ones share the gradient evenly."""
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


def _in_rows(m: Any, rowvar: bool) -> Any:
    """Make a matrix with one variable a row."""
    m = arrayed(m)
    if np.ndim(m) > 2:
        raise ValueError("m has more than 2 dimensions")
    rows = m if np.ndim(m) == 2 else np.reshape(m, (1, -1))
    return rows if rowvar or np.ndim(m) != 2 else np.transpose(rows)


_PAIRS = (
    {"m": (2, 4)}, {"m": (4,)}, {"m": (4, 2), "rowvar": False}, {"m": (4,), "y": (4,)},
    {"m": (4, 2), "y": (4, 1), "rowvar": False},
)  # fmt: skip


@composite(
    implements=np.cov,
    inputs=("m", "y"),
    samples=(
        *_PAIRS, {"m": (2, 4), "bias": True}, {"m": (2, 4), "ddof": 2},
        {"m": (2, 4), "fweights": np.array([1, 2, 3, 1])},
        {"m": (2, 4), "fweights": np.array([1, 2, 3, 1]), "aweights": np.array([0.5, 1.0, 2.0, 0.3])},
        {"m": (2, 4), "aweights": np.array([0.5, 1.0, 2.0, 0.3]), "ddof": 0},
    ),
)  # fmt: skip
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
) -> Any:
    """Covariance matrix of variables, one a row of m (and of y); fweights count, aweights weigh."""
    x = _in_rows(m, rowvar)
    if y is not None:
        x = np.concatenate((x, _in_rows(y, rowvar)))
    ddof = int(not bias) if ddof is None else ddof
    w: Any = None
    if fweights is not None or aweights is not None:
        counts, w = (1 if weights is None else arrayed(weights) for weights in (fweights, aweights))
        w = np.multiply(counts, w)
    total = x.shape[1] if w is None else np.sum(w)
    lost = ddof if aweights is None else ddof * np.sum(np.multiply(w, arrayed(aweights))) / total
    off = x - np.expand_dims(np.average(x, axis=1, weights=w), 1)
    weighed = off if w is None else off * w
    weighed = np.conjugate(weighed) if weighed.dtype.kind == "c" else weighed
    return np.squeeze(np.matmul(off, np.transpose(weighed)) / np.maximum(total - lost, 0))


@composite(
    implements=np.corrcoef,
    inputs=("x", "y"),
    samples=tuple([{"x" if k == "m" else k: v for k, v in sample.items()} for sample in _PAIRS]),
)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Any:
    """Correlation matrix of variables, one a row of x (and of y): cov / (std * std), within [-1, 1]."""
    c = np.cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    each = np.arange(len(c))
    std = np.sqrt(np.real(c[each, each]))
    r = c / np.expand_dims(std, 1) / std
    return r if r.dtype.kind == "c" else _Rounded()(r)


class _Rounded(Function):
    """x within [-1, 1], beyond which only rounding led: the gradient is that of x."""

    saves = ()

    def forward(self, x: Any) -> Any:
        return np.clip(x, -1, 1)

    def backward(self, gy: Any) -> Any:
        return gy


class Bincount(Function):
    """For each integer up to the largest in x, how often it is there; or the sum of its weights."""

    implements = np.bincount
    saves = ()
    samples = (
        {"x": np.array([0, 2, 2, 3]), "weights": (4,)},
        {"x": np.array([1, 0, 1]), "weights": (3,), "minlength": 4},
    )

    def __init__(self, minlength: int = 0) -> None:
        self.minlength = minlength

    def forward(self, x: Any, weights: Any = None) -> Any:
        self.places = x
        y = np.bincount(x, weights, self.minlength)
        return y if weights is None or weights.dtype.kind != "f" else y.astype(weights.dtype)

    def backward(self, gy: Any) -> Any:
        return None, gy[self.places]

    @classmethod
    def from_numpy(cls, x: Any, weights: Any = None, minlength: int = 0) -> Any:
        """Take the arguments as NumPy does."""
        return cls(minlength)(arrayed(x), arrayed(weights))
