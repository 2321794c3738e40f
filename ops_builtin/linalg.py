"""Products of matrices, determinants, inverses, and equations."""

from __future__ import annotations

from collections import namedtuple
from math import prod
from typing import Any

import numpy as np

from registry import Function, composite

MATRIX = np.array([[2.0, 0.5, -1.0], [0.3, 1.5, 0.7], [-0.6, 0.2, 1.8]])  # regular, for samples
MATRICES = np.stack([MATRIX, MATRIX[::-1] + 0.1])
_SlogdetResult = namedtuple("_SlogdetResult", ["sign", "logabsdet"])


def swapped(x: Any) -> Any:
    """Transpose the last two axes."""
    return np.swapaxes(x, -1, -2)


class Matmul(Function):
    """Matrix product over the last two axes, broadcast over the others; vectors as NumPy has them."""

    implements = np.matmul, np.linalg.matmul
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        x0, x1 = self.xs
        w0, w1 = self.needs_grad
        a = x0[np.newaxis, :] if x0.ndim == 1 else x0
        b = x1[:, np.newaxis] if x1.ndim == 1 else x1
        if x1.ndim == 1:
            gy = gy[..., np.newaxis]
        if x0.ndim == 1:
            gy = gy[..., np.newaxis, :]
        g0 = self._left(gy, b, x0) if w0 else None
        g1 = self._right(a, gy, x1) if w1 else None
        return g0, g1

    @staticmethod
    def _left(gy: Any, b: Any, x0: Any) -> Any:
        """Give the gradient of the left factor, batches and all; the engine sums them."""
        g = gy @ b.swapaxes(-1, -2)
        return g[..., 0, :] if x0.ndim == 1 else g

    @staticmethod
    def _right(a: Any, gy: Any, x1: Any) -> Any:
        """Give that of the right factor; where it is one matrix, by one product and no sum."""
        if x1.ndim <= 2:
            rows = prod(gy.shape[:-1])
            a, gy = a.reshape(rows, a.shape[-1]), gy.reshape(rows, gy.shape[-1])
        g = a.swapaxes(-1, -2) @ gy
        return g[..., 0] if x1.ndim == 1 else g


@composite(implements=np.linalg.matrix_transpose, samples=[{"x": (2, 3)}, {"x": (2, 0, 3)}, {"x": (2, 3, 4)}])
def linalg_matrix_transpose(x: Any, /) -> Any:
    """Last two axes in each other's place."""
    if np.ndim(x) < 2:
        raise ValueError(f"shape {np.shape(x)} has no matrices")
    return np.swapaxes(x, -1, -2)


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
        if np.all(y):
            return (gy * y)[..., np.newaxis, np.newaxis] * swapped(np.linalg.inv(x))
        return gy[..., np.newaxis, np.newaxis] * _cofactors(x)


def _cofactors(x: Any) -> Any:
    """Give the signed determinants of what is left without a row and a column; slow, but never 0 / 0."""
    n = x.shape[-1]
    others = np.array([[j for j in range(n) if j != i] for i in range(n)], int).reshape(n, n - 1)
    minors = x[..., others[:, np.newaxis, :, np.newaxis], others[np.newaxis, :, np.newaxis, :]]
    places = np.arange(n)
    signs = 1 - 2 * ((places[:, np.newaxis] + places) % 2)
    return np.linalg.det(minors) * signs.astype(x.dtype)


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
        if x.dtype.kind == "c":
            turned = g_sign * sign
            g_log = g_log + (turned - np.conjugate(turned)) / 2
        regular = np.not_equal(sign, 0)
        y = np.linalg.inv(
            np.where(regular[..., np.newaxis, np.newaxis], x, np.eye(x.shape[-1], dtype=x.dtype))
        )
        return np.where(regular, g_log, np.nan)[..., np.newaxis, np.newaxis] * swapped(y)

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
        self.cutoff = {name: v for name, v in (("rcond", rcond), ("rtol", rtol)) if v is not None}

    def forward(self, x: Any) -> Any:
        return np.linalg.pinv(x, **self.cutoff)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        left, right = np.conjugate(y) @ swapped(y), swapped(y) @ np.conjugate(y)
        g = np.conjugate(swapped(gy))
        outside = g @ left - np.conjugate(x @ y) @ g @ left
        inside = right @ g - right @ g @ np.conjugate(y @ x)
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
        columns, solution, gy = (v[:, np.newaxis] if b.ndim == 1 else v for v in (b, y, gy))
        eps = float(np.finfo(y.dtype).eps)
        rtol = eps * max(a.shape) if self.rcond is None else eps if self.rcond < 0 else self.rcond
        inverse = np.linalg.pinv(a, rtol=rtol)
        ga, gb = _least_squares_gradients(a, inverse, columns, solution, gy, g_residuals)
        u, _, vh = np.linalg.svd(a, full_matrices=False)
        return ga + np.conjugate(u * g_s) @ np.conjugate(vh), gb.reshape(b.shape)


def _least_squares_gradients(a: Any, inverse: Any, b: Any, y: Any, gy: Any, g_residuals: Any) -> Any:
    """Give the gradients of y = pinv(a) @ b and of its squared residuals, for matrices b and y."""
    left = np.conjugate(b - a @ y)
    gb = swapped(inverse) @ gy
    ga = left @ swapped(inverse @ np.conjugate(gb))
    missed = np.conjugate(gy) - inverse @ (a @ np.conjugate(gy))  # where a wide matrix says nothing
    ga = ga + swapped(inverse) @ np.conjugate(y) @ swapped(missed)
    if g_residuals.size:
        gb = gb + 2 * left * g_residuals
    return ga - gb @ swapped(y), gb


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
    last = [] if axes is None else [axis % ndim for axis in axes]
    a = np.transpose(a, [i for i in range(ndim) if i not in last] + last)
    return np.reshape(
        np.linalg.solve(np.reshape(a, (size, -1)), np.reshape(b, -1)), np.shape(a)[np.ndim(b) :]
    )
