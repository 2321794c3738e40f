"""Weighted means, variances, correlations, and counts."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ops_builtin.kinks import quotient
from ops_builtin.reductions import SOME, Axis, _Reduction, arrayed, axes_of, carries_gradient, shared
from registry import Function, composite


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
    a = arrayed(a)
    if weights is None:
        y = np.mean(a, axis=axis, keepdims=keepdims)
        total: Any = np.asarray(np.size(a) / max(y.size, 1), y.dtype) if returned else None
    else:
        w = _lined_up(arrayed(weights), np.shape(a), axis)
        dtype = np.result_type(a, w, *["f8"] * (a.dtype.kind in "biu"))
        total = np.sum(w, axis=axis, dtype=dtype, keepdims=keepdims)
        if np.any(np.equal(total, 0)):
            raise ZeroDivisionError("the weights sum to zero, so they cannot be normalized")
        y = np.sum(np.multiply(a, w), axis=axis, dtype=dtype, keepdims=keepdims) / total
    return (y, np.broadcast_to(total, y.shape)) if returned else y


def _lined_up(weights: Any, shape: tuple[int, ...], axis: Axis) -> Any:
    """Give weights that are of all elements, or of those along axes, the axes of an array."""
    if np.shape(weights) == shape:
        return weights
    if axis is None:
        raise TypeError(f"weights of shape {np.shape(weights)} for an array of shape {shape} need an axis")
    axes = axes_of(axis, len(shape))
    if np.shape(weights) != tuple([shape[i] for i in axes]):
        raise ValueError("the shape of weights must be that of a, or that of its axes `axis`")
    order = sorted(range(len(axes)), key=axes.__getitem__)
    return np.reshape(np.transpose(weights, order), [n if i in axes else 1 for i, n in enumerate(shape)])


def one_correction(ddof: float, correction: float | None) -> float:
    """Give what both names of the correction say."""
    if correction is not None and ddof != 0:
        raise ValueError("ddof and correction are two names of one number; give one of them")
    return ddof if correction is None else correction


class _Spread(_Reduction):
    """What var and std share; `correction` is another name for `ddof`."""

    def __init__(
        self,
        axis: Axis = None,
        ddof: float = 0,
        keepdims: bool = False,
        where: Any = True,
        correction: float | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(axis, keepdims, where, dtype)
        self.ddof = one_correction(ddof, correction)

    def given(self) -> dict[str, Any]:
        """Give NumPy's parameters."""
        names = "axis", "dtype", "ddof", "keepdims", "where"
        return {name: getattr(self, name) for name in names}

    def off_mean(self, x: Any) -> Any:
        """Give the elements less their mean."""
        return x - x.mean(axis=self.axis, dtype=self.dtype, keepdims=True, where=self.where)

    def deviations(self) -> Any:
        """Give conj(x - mean)."""
        (x,) = self.xs
        x = x if self.where is True else np.where(self.where, x, 0)  # no nan of what does not count
        off = self.off_mean(self.off_mean(x))  # a large mean was rounded more than the differences
        return np.conjugate(off) if off.dtype.kind == "c" else off

    def each_share(self, gy: Any) -> Any:
        """Give gy / (n - ddof) to each element, 0 to those that do not count."""
        shape = self.xs[0].shape
        freedom = np.maximum(self.count(gy, shape) - self.ddof, 0)
        return self.spread(shared(gy, freedom), shape)


class Std(_Spread):
    """Standard deviation of the elements along axes: the square root of `var`.

    The gradient is 0 where all elements are equal, and the second derivative nan.
    """

    implements = np.std
    method = "std"
    samples: ClassVar[Any] = (
        {}, {"x": (3, 2), "axis": 0, "ddof": 1}, {"axis": 1, "keepdims": True}, {"axis": -1},
        {"x": (2, 3, 4), "axis": (0, -1), "ddof": 1}, {"x": (3, 2), "axis": 0, "correction": 0.5},
        {"x": (3, 3), "axis": 1, "where": np.array([True, False, True]), "ddof": 1},
    )  # fmt: skip

    def forward(self, x: Any) -> Any:
        with np.errstate(over="ignore", under="ignore"):
            y = x.std(**self.given())
        limits = np.finfo(y.dtype)
        exact = (y > (limits.tiny / limits.eps) ** 0.5) & (y < np.inf)
        return y if exact.all() else self.scaled(x).astype(y.dtype)

    def scaled(self, x: Any) -> Any:
        """Give the deviation of what has squares too large or small for its dtype, or too many."""
        unit = np.max(np.absolute(x), axis=self.axis, keepdims=True, initial=0, where=self.where)
        unit = np.where((unit == 0) | ~np.isfinite(unit), 1, unit)
        y = (x / unit).astype(np.result_type(x, np.float32)).std(**self.given())
        return y * unit.reshape(y.shape)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        alone = np.equal(self.count(gy, x.shape), 1)
        y = np.where(alone, 1, y) if np.any(alone) else y  # one element never deviates: that is no kink
        return self.each_share(gy) * quotient(self.deviations(), self.lined_up(y, x.ndim))


class Var(_Spread):
    """Variance of the elements along axes: sum(abs(x - mean) ** 2) / (n - ddof)."""

    implements = np.var
    method = "var"
    saves = ("xs",)
    samples: ClassVar[Any] = (
        {}, {"axis": 0, "ddof": 1}, {"axis": 1, "keepdims": True}, {"axis": -1}, {"keepdims": True},
        {"x": (2, 3, 4), "axis": (0, -1), "ddof": 1}, {"x": (2, 3), "axis": 0, "correction": 0.5},
        {"x": (2, 3), "axis": 1, "where": SOME, "ddof": 1}, {"x": (2, 3), "dtype": np.float64},
    )  # fmt: skip

    def forward(self, x: Any) -> Any:
        return x.var(**self.given())

    def backward(self, gy: Any) -> Any:
        return self.each_share(gy * 2) * self.deviations()


_PAIRS = (
    {"m": (2, 4)}, {"m": (4,)}, {"m": (4, 2), "rowvar": False}, {"m": (4,), "y": (4,)},
    {"m": (4, 2), "y": (4, 1), "rowvar": False},
)  # fmt: skip


@composite(
    implements=np.corrcoef,
    inputs=("x", "y"),
    samples=tuple([{"x" if k == "m" else k: v for k, v in sample.items()} for sample in _PAIRS]),
)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Correlation matrix of variables, one a row of x (and of y): cov / (std * std), within [-1, 1]."""
    c = np.cov(x, y, rowvar, dtype=dtype)
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
    *,
    dtype: Any = None,
) -> Any:
    """Covariance matrix of variables, one a row of m (and of y); fweights count, aweights weigh.

    Computed in float64 at least, unless `dtype` says otherwise, as in NumPy.
    """
    x = _in_rows(m, rowvar) if y is None else np.concatenate((_in_rows(m, rowvar), _in_rows(y, rowvar)))
    x = np.astype(x, np.result_type(x.dtype, np.float64) if dtype is None else carries_gradient(dtype))
    ddof = int(not bias) if ddof is None else ddof
    counts, w = (_checked_weights(weights, x) for weights in (fweights, aweights))
    both = counts * w
    total = np.sum(both)
    freedom = total - ddof * (np.sum(both * w) / total if aweights is not None else 1)
    off = x - np.expand_dims(np.average(x, axis=1, weights=both if both.size else None), 1)
    weighed = off * both
    weighed = np.conjugate(weighed) if weighed.dtype.kind == "c" else weighed
    return np.squeeze(np.matmul(off, np.transpose(weighed)) / np.maximum(freedom, 0))


def _checked_weights(weights: Any, x: Any) -> Any:
    """Give weights of observations, one for each column; ones for None."""
    if weights is None:
        return np.ones(x.shape[1], np.finfo(x.dtype).dtype)
    w = arrayed(weights)
    if np.shape(w) != (x.shape[1],):
        raise RuntimeError(
            f"expected a weight for each of {x.shape[1]} observations, found shape {np.shape(w)}"
        )
    if np.any(np.less(w, 0)):
        raise ValueError("weights cannot be negative")
    return w


def _in_rows(m: Any, rowvar: bool) -> Any:
    """Make a matrix with one variable a row."""
    m = arrayed(m)
    if np.ndim(m) > 2:
        raise ValueError("m has more than 2 dimensions")
    rows = m if np.ndim(m) == 2 else np.reshape(m, (1, -1))
    return rows if rowvar or np.ndim(m) != 2 else np.transpose(rows)


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
