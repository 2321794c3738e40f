"""Traces and determinants, inverses, and linear equations."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from registry import Function, composite, stop_gradient

MATRIX = np.array([[2.0, 0.5, -1.0], [0.3, 1.5, 0.7], [-0.6, 0.2, 1.8]])  # regular, for samples
MATRICES = np.stack([MATRIX, MATRIX[::-1] + 0.1])
_SlogdetResult: Any = type(np.linalg.slogdet(MATRIX))


def swapped(x: Any) -> Any:
    """Transpose the last two axes."""
    return x.swapaxes(-1, -2)


def conjugated(x: Any) -> Any:
    """Conjugate complex numbers; others, booleans too, are what they are."""
    return np.conjugate(x) if np.iscomplexobj(x) else x


def adjoint(x: Any) -> Any:
    """Transpose the last two axes, and conjugate."""
    return conjugated(swapped(x))


def lower(x: Any) -> Any:
    """Keep the lower triangle, and half of the diagonal."""
    n = x.shape[-1]
    return x * ((np.tri(n) + np.tri(n, k=-1)) / 2).astype(x.dtype)


def check_square(x: Any) -> None:
    """Refuse what is no square matrix, and no stack of them."""
    shape = np.shape(x)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise np.linalg.LinAlgError(f"the last 2 dimensions of the array must be square, not {shape}")


def inverse_where(regular: Any, x: Any) -> Any:
    """Give the inverse of each matrix that is regular, and of the unit matrix in place of others."""
    unit = np.eye(x.shape[-1], dtype=x.dtype)
    return np.linalg.inv(np.where(regular[..., np.newaxis, np.newaxis], x, unit))


@composite(implements=np.linalg.matrix_transpose, samples=[{"x": (2, 3)}, {"x": (2, 0, 3)}, {"x": (2, 3, 4)}])
def linalg_matrix_transpose(x: Any, /) -> Any:
    """Last two axes in each other's place."""
    if np.ndim(x) < 2:
        raise ValueError(f"matrix_transpose takes matrices, not an array of shape {np.shape(x)}")
    return np.swapaxes(x, -1, -2)


class Trace(Function):
    """Sum along the diagonal of two axes, `offset` places to the right of the main one."""

    implements = np.trace
    method = "trace"
    saves = ()
    samples = (
        {"x": (3, 3)},
        {"x": (2, 3), "offset": 1},
        {"x": (3, 2, 4), "offset": -1, "axis1": 2, "axis2": 0},
        {"x": (2, 3, 3), "axis1": -1, "axis2": -2},
        {"x": (2, 2), "offset": 5, "dtype": complex},
        {"x": (0, 2)},
    )

    def __init__(self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> None:
        self.offset, self.axes, self.dtype = offset, (axis1, axis2), dtype

    def forward(self, x: Any) -> Any:
        y = np.trace(x, self.offset, *self.axes, self.dtype)
        self.rows, self.columns = (x.shape[axis] for axis in self.axes)
        return y

    def backward(self, gy: Any) -> Any:
        ones = np.eye(self.rows, self.columns, self.offset, dtype=gy.dtype)
        gx = gy[..., np.newaxis, np.newaxis] * ones
        return np.moveaxis(gx, (-2, -1), self.axes)


@composite(
    implements=np.linalg.trace,
    samples=[{"x": (3, 3)}, {"x": (2, 3, 4), "offset": 1}, {"x": (2, 3, 2), "offset": -1}],
)
def linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """Sum along the diagonal of the last two axes, `offset` places to the right of the main one."""
    return Trace(offset, -2, -1, dtype)(x)


@composite(
    implements=np.linalg.diagonal,
    samples=[{"x": (3, 3)}, {"x": (2, 3, 4), "offset": 1}, {"x": (2, 3, 2), "offset": -1}, {"x": (0, 2)}],
)
def linalg_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """Diagonal of the last two axes, `offset` places to the right of the main one."""
    return np.diagonal(x, offset, -2, -1)


class Solve(Function):
    """Solution x of a @ x = b, for one vector b or for matrices."""

    implements = np.linalg.solve
    samples = (
        {"a": MATRIX, "b": (3,)},
        {"a": MATRICES, "b": (3, 2)},
        {"a": MATRICES, "b": (3,)},
        {"a": MATRIX[:2, :2], "b": (3, 2, 1)},
        {"a": np.zeros((0, 0)), "b": (0,)},
    )

    def forward(self, a: Any, b: Any) -> Any:
        return np.linalg.solve(a, b)

    def backward(self, gy: Any) -> Any:
        (a, b), (y,) = self.xs, self.ys
        if b.ndim == 1:
            y, gy = y[..., np.newaxis], gy[..., np.newaxis]
        gb = np.linalg.solve(swapped(a), gy)
        return -gb @ swapped(y), gb[..., 0] if b.ndim == 1 else gb


class Inv(Function):
    """Inverse of a matrix: y; the gradient is -y.T gy y.T."""

    implements = np.linalg.inv
    saves = ("ys",)
    samples = {"x": MATRIX}, {"x": MATRICES}, {"x": np.zeros((2, 0, 0))}

    def forward(self, x: Any) -> Any:
        return np.linalg.inv(x)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        return -swapped(y) @ gy @ swapped(y)


class Det(Function):
    """Determinant; its gradient is the matrix of cofactors, det(x) inv(x).T where that exists."""

    implements = np.linalg.det
    only_reads = True
    samples = (
        {"x": MATRIX},
        {"x": (2, 2, 2)},
        {"x": (1, 1)},
        {"x": np.zeros((0, 0))},
        {"x": np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.5, -1.0]])},
        {"x": np.zeros((2, 3, 3))},
    )

    def forward(self, x: Any) -> Any:
        return np.linalg.det(x)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        if np.all(np.isfinite(y) & np.not_equal(y, 0)):
            return (gy * y)[..., np.newaxis, np.newaxis] * swapped(np.linalg.inv(x))
        return gy[..., np.newaxis, np.newaxis] * _cofactors(x)


def _cofactors(x: Any) -> Any:
    """Give the signed determinants of what is left without a row and a column, by a scale of its own.

    Of regular matrices, whose determinant left the range of floats, they are det(x) inv(x).T.
    """
    unit = np.max(np.absolute(x), axis=(-2, -1), keepdims=True, initial=0)
    unit = stop_gradient(np.where((unit > 0) & (unit < np.inf), unit, 1))
    x, n = x / unit, x.shape[-1] - 1
    sign, logarithm = np.linalg.slogdet(x)
    if not np.all(sign):
        return unit**n * _minors(x)
    size = np.exp(logarithm[..., np.newaxis, np.newaxis] + n * np.log(unit))
    return sign[..., np.newaxis, np.newaxis] * size * swapped(np.linalg.inv(x))


def _minors(x: Any) -> Any:
    """Give the cofactors of any matrix; slow, but never 0 / 0."""
    n = x.shape[-1]
    others = [np.delete(np.arange(n), i) for i in range(n)]
    minors = [np.linalg.det(x[..., rows[:, np.newaxis], np.stack(others)[:, np.newaxis]]) for rows in others]
    places = np.arange(n)
    signs = 1 - 2 * ((places[:, np.newaxis] + places) % 2)
    return np.stack(minors, -2) * signs.astype(x.dtype)


class Slogdet(Function):
    """Sign of the determinant, and logarithm of its size; without a derivative where it is 0: nan.

    That of the logarithm is inv(x).T. The sign of a complex one turns with the imaginary part.
    """

    implements = np.linalg.slogdet
    samples = {"x": MATRIX}, {"x": (2, 2, 2)}, {"x": -MATRICES}, {"x": np.zeros((0, 0))}

    def forward(self, x: Any) -> Any:
        return tuple(np.linalg.slogdet(x))

    def backward(self, g_sign: Any, g_log: Any) -> Any:
        (x,), (sign, _) = self.xs, self.ys
        if np.iscomplexobj(x):
            turned = g_sign * sign
            g_log = g_log + (turned - np.conjugate(turned)) / 2
        regular = np.not_equal(sign, 0)
        g = np.where(regular, g_log, np.nan)[..., np.newaxis, np.newaxis]
        return g * swapped(inverse_where(regular, x))

    @classmethod
    def from_numpy(cls, a: Any) -> Any:
        """Give the results names, as NumPy does."""
        return _SlogdetResult(*cls()(a))


class Pinv(Function):
    """Pseudo-inverse (Moore and Penrose), differentiated at constant rank (Golub and Pereyra, 1973)."""

    implements = np.linalg.pinv
    samples = (
        {"x": (2, 3)},
        {"x": (3, 2), "rcond": 1e-10},
        {"x": (2, 3, 2), "rtol": 1e-10},
        {"x": MATRIX},
    )

    def __init__(self, rcond: Any = None, rtol: Any = None) -> None:
        given = {"rcond": rcond, "rtol": rtol}
        self.cutoff = {name: v for name, v in given.items() if v is not None and v is not np._NoValue}

    def forward(self, x: Any) -> Any:
        return np.linalg.pinv(x, **self.cutoff)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        return _pinv_gradient(x, y, gy)

    @classmethod
    def from_numpy(cls, a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
        """Take the lower triangle alone where the matrix is said to be Hermitian, as NumPy does."""
        if not hermitian:
            return cls(rcond, rtol)(a)
        check_square(a)
        below = np.tri(np.shape(a)[-1])
        return cls(rcond, rtol)(np.where(below, a, adjoint(a)))


def _pinv_gradient(x: Any, y: Any, gy: Any) -> Any:
    """Give the gradient of x from that of its pseudo-inverse y."""
    g, y_bar = adjoint(gy), np.conjugate(y)
    left, right = g @ y_bar @ swapped(y), swapped(y) @ (y_bar @ g)  # y times y alone may overflow
    outside = left - np.conjugate(x @ y) @ left
    inside = right - right @ np.conjugate(y @ x)
    return outside + inside - swapped(y) @ gy @ swapped(y)


class Lstsq(Function):
    """Least squares: the solution, sums of squared residuals, rank and singular values of a.

    All but the rank have a derivative, that at constant rank.
    """

    implements = np.linalg.lstsq
    samples = (
        {"a": (4, 2), "b": (4,)},
        {"a": (4, 2), "b": (4, 3), "rcond": 1e-10},
        {"a": (2, 3), "b": (2, 1)},
        {"a": MATRIX, "b": (3,)},
    )

    def __init__(self, rcond: float | None = None) -> None:
        self.rcond = rcond

    def forward(self, a: Any, b: Any) -> Any:
        return tuple(map(np.asarray, np.linalg.lstsq(a, b, self.rcond)))

    def backward(self, gy: Any, g_residuals: Any, g_rank: Any, g_s: Any) -> Any:
        (a, b), y = self.xs, self.ys[0]
        columns, y, gy = (v[:, np.newaxis] if b.ndim == 1 else v for v in (b, y, gy))
        inverse = np.linalg.pinv(a, rtol=_cutoff(self.rcond, a.shape, y.dtype))
        ga, gb = _pinv_gradient(a, inverse, gy @ swapped(columns)), swapped(inverse) @ gy
        if g_residuals.size:
            missed = 2 * np.conjugate(columns - a @ y) * g_residuals
            ga, gb = ga - missed @ swapped(y), gb + missed
        u, _, vh = np.linalg.svd(a, full_matrices=False)
        return ga + np.conjugate(u * g_s) @ np.conjugate(vh), gb.reshape(b.shape)


def _cutoff(rcond: float | None, shape: tuple[int, ...], dtype: Any) -> float:
    """Give the part of the largest singular value under which NumPy takes others for 0."""
    eps = float(np.finfo(dtype).eps)
    return eps * max(shape) if rcond is None else eps if rcond < 0 else rcond


@composite(
    implements=np.linalg.tensorinv,
    samples=[{"a": MATRIX.reshape(1, 3, 3)}, {"a": MATRIX.reshape(3, 1, 3), "ind": 1}],
)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """Inverse of a tensor, as the matrix whose rows are the first `ind` axes."""
    shape = np.shape(a)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    rows = prod(shape[:ind])
    return np.reshape(np.linalg.inv(np.reshape(a, (rows, -1))), shape[ind:] + shape[:ind])


@composite(
    implements=np.linalg.tensorsolve,
    samples=[
        {"a": MATRIX.reshape(3, 1, 3), "b": (3,)},
        {"a": MATRIX.reshape(3, 1, 3), "b": (3, 1)},
        {"a": MATRIX.reshape(3, 1, 3), "b": (1, 3), "axes": (0,)},
    ],
)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """Give the x for which tensordot(a, x, x.ndim) = b; `axes` of a are put last before."""
    ndim, size = np.ndim(a), np.size(b)
    last = [normalize_axis_index(axis, ndim) for axis in axes or ()]
    a = np.transpose(a, [i for i in range(ndim) if i not in last] + last)
    return np.reshape(
        np.linalg.solve(np.reshape(a, (size, -1)), np.reshape(b, -1)), np.shape(a)[np.ndim(b) :]
    )
