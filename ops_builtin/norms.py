"""Lengths of vectors and matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ops_builtin.kinks import quotient
from ops_builtin.linalg import MATRICES, MATRIX, check_square, conjugated, inverse_where
from ops_builtin.reductions import Sum
from registry import Function, composite


class _VectorNorm(Function):
    """What norms of powers share: no overflow, and slopes that do not depend on the scale of x."""

    p: float = 2

    def __init__(self, axis: tuple[int, ...], keepdims: bool) -> None:
        self.axis, self.keepdims = axis, keepdims

    def forward(self, x: Any) -> Any:
        axis: Any = None if len(self.axis) == x.ndim else self.axis
        with np.errstate(all="ignore"):
            y = np.linalg.vector_norm(x, axis=axis, keepdims=self.keepdims, ord=self.p)
            limits = np.finfo(y.dtype)
            power = y**self.p
            exact = (power > limits.tiny / limits.eps) & (power < np.inf)
        return y if np.all(exact) else self.scaled(x, axis).astype(y.dtype)

    def scaled(self, x: Any, axis: Any) -> Any:
        """Give the norm of what has powers too large or small for its dtype, or too many."""
        size = np.absolute(x)
        extremum, start = (np.max, 0) if self.p > 0 else (np.min, np.inf)
        unit = extremum(size, axis=axis, keepdims=True, initial=start)
        unit = np.where((unit == 0) | ~np.isfinite(unit), 1, unit)
        with np.errstate(divide="ignore", over="ignore", under="ignore"):
            powers = (size / unit).astype(np.result_type(size, np.float32)) ** self.p
            y = unit * np.sum(powers, axis=axis, keepdims=True) ** (1 / self.p)
        return y if self.keepdims else np.squeeze(y, axis)

    def slope(self, x: Any, y: Any) -> Any:
        """Give the derivative of the norm y by x, from their quotient alone."""
        raise NotImplementedError

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        if not self.keepdims:
            y, gy = np.expand_dims(y, self.axis), np.expand_dims(gy, self.axis)
        return gy * self.slope(x, y)


class _Length(_VectorNorm):
    """Euclidean length over axes; its derivative conj(x) / y is taken as 0 where all of x is 0."""

    def slope(self, x: Any, y: Any) -> Any:
        return conjugated(quotient(x, y))


class _PowerNorm(_VectorNorm):
    """sum(abs(x) ** p) ** (1 / p) over axes; its derivative is conj(r) * abs(r) ** (p - 2), where r is x / y.

    It is taken as 0 where x is 0. Even powers are smooth there; of others below 2 the next
    derivative is nan.
    """

    def __init__(self, p: float, axis: tuple[int, ...], keepdims: bool) -> None:
        super().__init__(axis, keepdims)
        self.p = p

    def slope(self, x: Any, y: Any) -> Any:
        if self.p < 0:
            return conjugated(np.sign(x)) * quotient(y, np.absolute(x)) ** (1 - self.p)
        r = quotient(x, y)
        if self.p % 2 == 0:
            return conjugated(r) * np.real(r * conjugated(r)) ** (self.p / 2 - 1)
        size, direction = np.absolute(r), conjugated(np.sign(r))
        if self.p > 2:
            return direction * size ** (self.p - 1)
        return direction * quotient(size, size) * np.where(size, size, 1) ** (self.p - 1)


def _largest(x: Any, axis: Any, keepdims: bool) -> Any:
    """Give the maximum of numbers that are not negative: 0 where there are none."""
    return (np.max if np.size(x) else np.sum)(x, axis=axis, keepdims=keepdims)


def _vector_norm(x: Any, p: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    if p is None or p == 2:
        return _Length(axis, keepdims)(x)
    if isinstance(p, str):
        raise ValueError(f"Invalid norm order {p!r} for vectors")
    size = np.absolute(x)
    if np.isinf(p):
        return (_largest if p > 0 else np.min)(size, axis=axis, keepdims=keepdims)
    if p == 0:
        return Sum(axis, keepdims)(np.not_equal(size, 0).astype(size.dtype))
    if p == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    return _PowerNorm(float(p), axis, keepdims)(x)


_OF_SINGULAR_VALUES: dict[Any, Any] = {"nuc": np.sum, 2: _largest, -2: np.min}
_OF_SUMS: dict[Any, tuple[int, Any]] = {
    1: (0, _largest),
    -1: (0, np.min),
    np.inf: (1, _largest),
    -np.inf: (1, np.min),
}


def _matrix_norm(x: Any, p: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    if p in (None, "fro", "f"):
        return _Length(axis, keepdims)(x)
    if p in _OF_SINGULAR_VALUES:
        others = [i for i in range(x.ndim) if i not in axis]
        s = np.linalg.svdvals(np.transpose(x, (*others, *axis)))
        y = _OF_SINGULAR_VALUES[p](s, axis=-1, keepdims=False)
        return np.expand_dims(y, axis) if keepdims else y
    if p not in _OF_SUMS:
        raise ValueError("Invalid norm order for matrices.")
    first, extremum = _OF_SUMS[p]
    sums = np.sum(np.absolute(x), axis=axis[first], keepdims=True)
    y = extremum(sums, axis=axis[1 - first], keepdims=True)
    return y if keepdims else np.squeeze(y, axis)


def _floating(x: Any) -> Any:
    return x if np.result_type(x).kind in "fc" else np.astype(x, float)


def _places(axis: Any, ndim: int) -> tuple[int, ...]:
    """Give axes as a tuple that counts from the start, all for None."""
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple) else int(axis)
    return normalize_axis_tuple(axes, ndim)


@composite(
    implements=np.linalg.norm,
    samples=[
        {"x": (4,)},
        {"x": (2, 3, 2)},
        {"x": (2, 3), "keepdims": True},
        {"x": ()},
        {"x": (0,)},
        {"x": (2, 3), "axis": -1},
        {"x": (2, 3), "ord": 3, "axis": 0, "keepdims": True},
        {"x": (4,), "ord": 1.5},
        {"x": (4,), "ord": -2},
        {"x": (2, 3), "ord": 1, "axis": 1},
        {"x": (2, 3), "ord": 0, "axis": 1},
        {"x": (4,), "ord": np.inf},
        {"x": (2, 3), "ord": -np.inf, "axis": 0},
        {"x": (2, 3), "ord": "fro"},
        {"x": MATRICES, "ord": "nuc", "axis": (2, 0), "keepdims": True},
        {"x": (2, 3), "ord": 2},
        {"x": MATRICES, "ord": -2, "axis": (-2, -1)},
        {"x": (2, 3), "ord": 1},
        {"x": (2, 3), "ord": -1, "keepdims": True},
        {"x": (2, 3, 4), "ord": np.inf, "axis": (-1, 0)},
        {"x": (3, 2), "ord": -np.inf},
    ],
)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Norm of vectors (one axis), or of matrices (two axes).

    At a kink the gradient is 0 (all numbers 0, a number 0), or shared evenly by those that
    are equally large. That of a singular value of 0 is u vh, as in JAX and PyTorch. Second
    derivatives at zeros are nan where they are infinite, or that of a smooth function of the
    norm (its square) needs what the norm alone has not.
    """
    x = _floating(x)
    axes = _places(axis, np.ndim(x))
    if axis is None and ord is None:
        return _Length(axes, keepdims)(x)
    if not 1 <= len(axes) <= 2:
        raise ValueError("Improper number of dimensions to norm.")
    of_some = _vector_norm if len(axes) == 1 else _matrix_norm
    return of_some(x, ord, axes, keepdims)


@composite(
    implements=np.linalg.vector_norm,
    samples=[
        {"x": (2, 3)},
        {"x": (2, 3, 4), "axis": (0, -1), "keepdims": True},
        {"x": (2, 3), "axis": -1, "ord": 3},
        {"x": (2, 3), "ord": np.inf},
        {"x": (), "ord": 1},
    ],
)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """Norm of the vectors along any number of axes, all of them without `axis`."""
    return _vector_norm(_floating(x), ord, _places(axis, np.ndim(x)), keepdims)


@composite(
    implements=np.linalg.matrix_norm,
    samples=[{"x": (2, 3)}, {"x": (2, 2, 3), "ord": "nuc"}, {"x": (2, 3), "ord": 1, "keepdims": True}],
)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Norm of the matrices of the last two axes."""
    return np.linalg.norm(x, ord, (-2, -1), keepdims)


@composite(
    implements=np.linalg.cond,
    inputs=("x",),
    samples=[
        {"x": MATRIX},
        {"x": (2, 3)},
        {"x": MATRICES, "p": -2},
        {"x": MATRICES, "p": 1},
        {"x": MATRIX, "p": "fro"},
    ],
)
def cond(x: Any, p: Any = None) -> Any:
    """Condition number: norm(x) times norm(inv(x)), by singular values for 2 and -2.

    That of a singular matrix is infinite, without a derivative.
    """
    if 0 in np.shape(x)[-2:]:
        raise np.linalg.LinAlgError("cond is not defined on empty arrays")
    if p in (None, 2, -2):
        s = np.linalg.svdvals(x)
        above, below = (s[..., 0], s[..., -1]) if p != -2 else (s[..., -1], s[..., 0])
    else:
        check_square(x)
        regular = np.not_equal(np.linalg.slogdet(x)[0], 0)
        above = np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(inverse_where(regular, x), p, (-2, -1))
        below = np.where(regular, 1, 0 * above)
    with np.errstate(all="ignore"):
        return np.where(np.equal(below, 0), 1, above) / below
