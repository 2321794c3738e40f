"""Matrices as products of simpler ones: of triangles, eigenvectors, singular vectors.

The letters are those of the literature: x = v diag(w) inv(v), x = u diag(s) vh, x = q r.
A gradient G of x collects all of Re(sum(gy * dy)) = Re(sum(G * dx)), so the formulas for
complex matrices are those with conjugates where the literature has none, and the other
way round.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from ops_builtin.linalg import MATRICES, MATRIX, swapped
from registry import Function, composite

_EigResult = namedtuple("_EigResult", ["eigenvalues", "eigenvectors"])
_EighResult = namedtuple("_EighResult", ["eigenvalues", "eigenvectors"])
_QRResult = namedtuple("_QRResult", ["Q", "R"])
_SVDResult = namedtuple("_SVDResult", ["U", "S", "Vh"])

_SYMMETRIC = MATRIX @ MATRIX.T
_EQUAL_VALUES = np.eye(3) + 1
_REAL_LINE = (-np.inf, np.inf)


def _adjoint(x: Any) -> Any:
    """Transpose the last two axes, and conjugate."""
    return np.conjugate(swapped(x))


def _lower(x: Any) -> Any:
    """Keep the lower triangle, and half of the diagonal."""
    n = x.shape[-1]
    return x * ((np.tri(n) + np.tri(n, k=-1)) / 2).astype(x.dtype)


def _diagonal(x: Any) -> Any:
    """Make diagonal matrices of vectors."""
    return x[..., np.newaxis] * np.eye(x.shape[-1], dtype=x.dtype)


def _gaps(w: Any) -> Any:
    """Give 1 / (w[j] - w[i]) in row i and column j, and 0 where the two are equal but for rounding.

    What happens among the vectors of one value is left out, so what depends on the space
    alone that they span gets the right gradient.
    """
    difference = w[..., np.newaxis, :] - w[..., :, np.newaxis]
    largest = np.sum(np.absolute(w), axis=-1)[..., np.newaxis, np.newaxis]
    apart = np.greater(np.absolute(difference), 4 * float(np.finfo(w.dtype).eps) * largest)
    return np.where(apart, 1 / np.where(apart, difference, 1), 0)


class Cholesky(Function):
    """Lower triangle y with x = y y^H; upper, where that is asked for.

    NumPy reads one triangle of x only; the gradient is that of this function, so it is
    0 in the other triangle (Murray, 2016, "Differentiation of the Cholesky decomposition").
    """

    implements = np.linalg.cholesky
    saves = ("ys",)
    samples = (
        {"x": _SYMMETRIC},
        {"x": _SYMMETRIC, "upper": True},
        {"x": np.stack([_SYMMETRIC, _EQUAL_VALUES])},
        {"x": np.zeros((0, 0))},
    )

    def __init__(self, upper: bool = False) -> None:
        self.upper = upper

    def forward(self, x: Any) -> Any:
        return np.linalg.cholesky(x, upper=self.upper)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        if self.upper:
            y, gy = _adjoint(y), _adjoint(gy)
        right = np.linalg.solve(_adjoint(y), swapped(_lower(swapped(y) @ gy)))
        gx = np.linalg.solve(swapped(y), swapped(right))
        gx = _lower(gx + _adjoint(gx))
        return _adjoint(gx) if self.upper else gx


class Eigh(Function):
    """Eigenvalues w, in ascending order, and eigenvectors v of a symmetric or Hermitian matrix.

    NumPy reads one triangle of x only; the gradient is that of this function, so it is 0
    in the other triangle. Vectors of equal eigenvalues have no derivative, and turns among
    them are left out: right for what depends on the eigenvalues, or on the space that these
    vectors span; not for v f(w) v^H, whose f'(w) nothing here knows. The phase of complex
    vectors is free, so a result must not depend on it.
    """

    implements = np.linalg.eigh
    saves = ("ys",)
    domain = _REAL_LINE  # LAPACK turns complex vectors such that differences see it
    samples = (
        {"x": _SYMMETRIC},
        {"x": MATRIX, "UPLO": "U"},
        {"x": np.stack([_SYMMETRIC, MATRIX])},
        {"x": np.zeros((0, 0))},
    )

    def __init__(self, UPLO: Any = "L") -> None:
        self.triangle: Any = UPLO.upper()

    def forward(self, x: Any) -> Any:
        return tuple(np.linalg.eigh(x, self.triangle))

    def backward(self, gw: Any, gv: Any) -> Any:
        w, v = self.ys
        middle = _gaps(w) * (swapped(v) @ gv) + _diagonal(gw)
        gx = np.conjugate(v) @ middle @ swapped(v)
        gx = gx + _adjoint(gx)
        return _lower(gx) if self.triangle == "L" else swapped(_lower(swapped(gx)))

    @classmethod
    def from_numpy(cls, a: Any, UPLO: Any = "L") -> Any:
        """Give the results names, as NumPy does."""
        return _EighResult(*cls(UPLO)(a))


@composite(implements=np.linalg.eigvalsh, samples=[{"a": _SYMMETRIC}, {"a": MATRICES, "UPLO": "U"}])
def eigvalsh(a: Any, UPLO: Any = "L") -> Any:
    """Eigenvalues of a symmetric or Hermitian matrix, of which one triangle is read, as by eigh."""
    return np.linalg.eigh(a, UPLO)[0]


class Eig(Function):
    """Eigenvalues w and eigenvectors v of a square matrix.

    The vectors have length 1 and a real largest element, as LAPACK makes them. Those of
    equal eigenvalues have no derivative, and are treated as in eigh.
    """

    implements = np.linalg.eig
    saves = ("ys",)
    samples = {"x": MATRIX}, {"x": np.stack([MATRIX + MATRIX.T, MATRICES[1]])}, {"x": MATRIX - 3 * MATRIX.T}

    def forward(self, x: Any) -> Any:
        return tuple(np.linalg.eig(x))

    def backward(self, gw: Any, gv: Any) -> Any:
        w, v = self.ys
        along = np.sum(gv * v, axis=-2, keepdims=True)
        real = np.real(along)
        size, imaginary = np.absolute(np.real(v)), np.absolute(np.real(-1j * v))
        top = np.argmax(size - imaginary, axis=-2)[..., np.newaxis, :]
        here = np.equal(np.arange(v.shape[-1])[:, np.newaxis], top).astype(v.dtype)
        gv = gv - np.conjugate(v) * real - here * (along - real) / np.sum(here * v, axis=-2, keepdims=True)
        middle = _gaps(w) * (swapped(v) @ gv) + _diagonal(gw)
        return np.linalg.solve(swapped(v), middle @ swapped(v))

    @classmethod
    def from_numpy(cls, a: Any) -> Any:
        """Give the results names, as NumPy does."""
        return _EigResult(*cls()(a))


@composite(implements=np.linalg.eigvals, samples=[{"a": MATRIX}, {"a": MATRICES}])
def eigvals(a: Any) -> Any:
    """Eigenvalues of a square matrix, in the order in which eig has them."""
    return np.linalg.eig(a)[0]


class Svd(Function):
    """Singular vectors u and vh, with singular values s between them.

    Vectors of equal singular values have no derivative, and are treated as in eigh; but
    u vh has, and so has what depends on the space alone that the further vectors span which
    `full_matrices` adds. A singular value of 0 is at a kink: 0. Complex phases are free.
    """

    implements = np.linalg.svd
    saves = ("ys",)
    domain = _REAL_LINE  # LAPACK turns complex vectors such that differences see it
    samples = (
        {"x": MATRIX},
        {"x": (2, 3)},
        {"x": (3, 2), "full_matrices": True},
        {"x": (2, 4), "full_matrices": False},
        {"x": (4, 2), "full_matrices": False},
        {"x": MATRICES, "full_matrices": False},
        {"x": np.zeros((0, 2)), "full_matrices": False},
    )

    def __init__(self, full_matrices: bool = True) -> None:
        self.full_matrices = full_matrices

    def forward(self, x: Any) -> Any:
        return tuple(np.linalg.svd(x, self.full_matrices))

    def backward(self, gu: Any, gs: Any, gvh: Any) -> Any:
        u, s, vh = self.ys
        n = s.shape[-1]
        u, gu = _without_further(u, gu, n)
        v, gv = _without_further(_adjoint(vh), _adjoint(gvh), n)
        apart = np.greater(s, 4 * float(np.finfo(s.dtype).eps) * np.sum(s, axis=-1, keepdims=True))
        inverse = np.where(apart, 1 / np.where(apart, s, 1), 0)[..., np.newaxis, :]
        return _svd_gradient(u, s, v, gu, gs * apart, gv, inverse)

    @classmethod
    def from_numpy(cls, a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
        """Give the results names, as NumPy does; or the singular values alone."""
        return _SVDResult(*cls(full_matrices)(a)) if compute_uv else svdvals(a)


def _without_further(u: Any, gu: Any, n: int) -> Any:
    """Give the first n vectors, with the gradients of the others, which turn as the first do."""
    if u.shape[-1] == n:
        return u, gu
    first, others = u[..., :n], u[..., n:]
    return first, gu[..., :n] - np.conjugate(others) @ _adjoint(gu[..., n:]) @ np.conjugate(first)


def _svd_gradient(u: Any, s: Any, v: Any, gu: Any, gs: Any, gv: Any, inverse: Any) -> Any:
    """Give the gradient of u diag(s) v^H, whose derivation is that of Giles (2008), 3.3."""
    rows, columns = s[..., :, np.newaxis], s[..., np.newaxis, :]
    turn_u, turn_v = swapped(u) @ gu, swapped(v) @ gv
    gaps = _gaps(s) / _sums(rows, columns)
    middle_u, middle_v = gaps * turn_u, gaps * turn_v
    middle = (
        (middle_u + _adjoint(middle_u)) * columns + rows * (middle_v + _adjoint(middle_v)) + _diagonal(gs)
    )
    apart = turn_u - turn_v  # vectors of one value, and phases, turn together; half against each other
    middle = middle + np.where(np.equal(gaps, 0), (apart - _adjoint(apart)) * inverse / 4, 0)
    gx = np.conjugate(u) @ middle @ swapped(v)
    if u.shape[-2] > s.shape[-1]:
        gx = gx + ((gu - np.conjugate(u) @ turn_u) * inverse) @ swapped(v)
    if v.shape[-2] > s.shape[-1]:
        gx = gx + (np.conjugate(u) * inverse) @ _adjoint(gv - np.conjugate(v) @ turn_v)
    return gx


def _sums(rows: Any, columns: Any) -> Any:
    """Give the sums of pairs, 1 where both vanish."""
    both = rows + columns
    return np.where(both, both, 1)


@composite(
    implements=np.linalg.svdvals,
    samples=[{"x": (3, 2)}, {"x": MATRICES}, {"x": (2, 3)}, {"x": np.zeros((0, 2))}],
)
def svdvals(x: Any, /) -> Any:
    """Singular values, in descending order."""
    return np.linalg.svd(x, full_matrices=False)[1]


class _Qr(Function):
    """Factors of a matrix with no fewer rows than columns: x = q r (Roberts and Roberts, 2020)."""

    saves = ("ys",)

    def forward(self, x: Any) -> Any:
        return tuple(np.linalg.qr(x))

    def backward(self, gq: Any, gr: Any) -> Any:
        q, r = self.ys
        upper, turn = gr @ swapped(r), swapped(q) @ gq
        middle = _lower(_adjoint(upper) + turn - _adjoint(turn)) + swapped(_lower(swapped(upper)))
        gx = gq + np.conjugate(q) @ (middle - turn)
        return swapped(np.linalg.solve(r, swapped(gx)))


@composite(
    implements=np.linalg.qr,
    samples=[
        {"a": MATRIX},
        {"a": (4, 2)},
        {"a": (2, 3)},
        {"a": MATRICES, "mode": "r"},
        {"a": (2, 3, 2)},
        {"a": MATRIX, "mode": "complete"},
    ],
)
def qr(a: Any, mode: str = "reduced") -> Any:
    """Orthonormal columns q times upper triangle r; the triangle alone, for the mode "r".

    The columns need be independent (of a wide matrix the first ones), and the mode
    "complete" a matrix with no more rows than columns.
    """
    rows, columns = np.shape(a)[-2:]
    if mode not in ("reduced", "r", "complete") or (mode == "complete" and rows > columns):
        raise ValueError(f"np.linalg.qr on Variables of shape {np.shape(a)} takes no mode {mode!r}")
    q, r = _Qr()(a[..., :rows])
    if columns > rows:
        r = np.concatenate([r, np.matmul(_adjoint(q), a[..., rows:])], axis=-1)
    return r if mode == "r" else _QRResult(q, r)
