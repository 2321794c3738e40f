"""Matrices as products of simpler ones: of triangles, eigenvectors, singular vectors.

The letters are those of the literature: x = v diag(w) inv(v), x = u diag(s) vh, x = q r.
A gradient G of x collects all of Re(sum(gy * dy)) = Re(sum(G * dx)), so the formulas for
complex matrices are those with conjugates where the literature has none, and the other
way round.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ops_builtin.equal_values import (
    apart,
    diagonal,
    differences,
    equal_pairs,
    felt,
    free_turns_felt,
    of_turns,
    of_values,
    off_diagonal,
    reciprocal,
    rounding,
    size_of,
    unlike,
    used_with_values,
    without_gradient,
    zero_values,
    zeros_of,
)
from ops_builtin.linalg import MATRICES, MATRIX, adjoint, inverse_where, lower, swapped
from registry import Function, composite

_SYMMETRIC = MATRIX @ MATRIX.T
_EQUAL_VALUES = np.eye(3) + 1
_REAL_LINE = (-np.inf, np.inf)
_DEPENDENT = 0.01  # what rounding becomes by vectors of which fewer than two digits are left
_EigResult: Any = type(np.linalg.eig(MATRIX))
_EighResult: Any = type(np.linalg.eigh(_SYMMETRIC))
_QRResult: Any = type(np.linalg.qr(MATRIX))
_SVDResult: Any = type(np.linalg.svd(MATRIX))


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
            y, gy = adjoint(y), adjoint(gy)
        right = np.linalg.solve(adjoint(y), swapped(lower(swapped(y) @ gy)))
        gx = np.linalg.solve(swapped(y), swapped(right))
        gx = lower(gx + adjoint(gx))
        return adjoint(gx) if self.upper else gx


class Eigh(Function):
    """Eigenvalues w, in ascending order, and eigenvectors v of a symmetric or Hermitian matrix.

    NumPy reads one triangle of x only; the gradient is that of this function, so it is 0
    in the other triangle. Where eigenvalues are equal, a result must not depend on turns of
    their vectors, nor on both, else its gradient is nan; nor may it on a phase.
    """

    implements = np.linalg.eigh
    saves = ("ys",)
    materialize_grads = False
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
        left = np.conjugate(v)
        gx = 0 if gw is None else of_values(gw, left, v, w)
        if gv is not None:
            turn, equal = swapped(v) @ gv, equal_pairs(w, size_of(w[..., np.newaxis, :]))
            undefined = free_turns_felt(turn, gv)
            if gw is not None:
                hidden = apart(v) & without_gradient(gv)
                undefined = undefined | used_with_values(turn, gw, gv) | hidden
            gx = gx + left @ of_turns(w, turn, undefined, equal) @ swapped(v)
        gx = gx + adjoint(gx)
        return lower(gx) if self.triangle == "L" else swapped(lower(swapped(gx)))

    @classmethod
    def from_numpy(cls, a: Any, UPLO: Any = "L") -> Any:
        """Give the results names, as NumPy does."""
        return _EighResult(*cls(UPLO)(a))


@composite(implements=np.linalg.eigvalsh, samples=[{"a": _SYMMETRIC}, {"a": MATRICES, "UPLO": "U"}])
def eigvalsh(a: Any, UPLO: Any = "L") -> Any:
    """Eigenvalues of a symmetric or Hermitian matrix, of which one triangle is read, as by eigh.

    What treats equal ones alike is smooth, as their sum is. One of them alone has a kink, and
    the gradient of the vector that LAPACK gives it.
    """
    return np.linalg.eigh(a, UPLO)[0]


class Eig(Function):
    """Eigenvalues w and eigenvectors v of a square matrix.

    The vectors have length 1 and a real largest element, as LAPACK makes them. Where
    eigenvalues are equal, a result must not depend on their single vectors, else its
    gradient is nan; and so is all of it where the vectors are as good as dependent: nothing
    here tells f(x) for such a matrix from its values and vectors.
    """

    implements = np.linalg.eig
    materialize_grads = False
    samples = {"x": MATRIX}, {"x": np.stack([MATRIX + MATRIX.T, MATRICES[1]])}, {"x": MATRIX - 3 * MATRIX.T}

    def forward(self, x: Any) -> Any:
        return tuple(np.linalg.eig(x))

    def backward(self, gw: Any, gv: Any) -> Any:
        (x,), (w, v) = self.xs, self.ys
        independent = np.not_equal(np.linalg.slogdet(v)[0], 0)
        inverse = inverse_where(independent, v)
        # What rounds is x, which can be far larger than its values; the vectors' condition spreads
        # that (Bauer and Fike, 1960).
        spread = size_of(inverse)
        left, size = swapped(inverse), size_of(x) * spread
        gx = 0 if gw is None else of_values(gw, left, v, w, size)
        if gv is not None:
            turn, equal = swapped(v) @ _of_any_length(v, gv), equal_pairs(w, size)
            # Of vectors that are nearly dependent, turns are small differences.
            oblique = np.greater(rounding(spread), float(np.finfo(v.dtype).eps) ** 0.5)
            undefined = felt(turn, gv) | oblique & off_diagonal(turn)
            if gw is not None:  # v f(w) inv(v) turns no vectors of one value, whatever f(w) is
                undefined = undefined | unlike(gw) | apart(v)
            gx = gx + left @ of_turns(w, turn, undefined, equal) @ swapped(v)
        known = independent[..., np.newaxis, np.newaxis] & np.less(rounding(spread), _DEPENDENT)
        return gx if np.all(known) else np.where(known, gx, np.nan)

    @classmethod
    def from_numpy(cls, a: Any) -> Any:
        """Give the results names, as NumPy does."""
        return _EigResult(*cls()(a))


def _of_any_length(v: Any, gv: Any) -> Any:
    """Give the gradient of vectors of any length and phase, of which v are those that LAPACK gives."""
    along = np.sum(gv * v, axis=-2, keepdims=True)
    real = np.real(along)
    size, imaginary = np.absolute(np.real(v)), np.absolute(np.real(-1j * v))
    top = np.argmax(size - imaginary, axis=-2)[..., np.newaxis, :]
    here = np.equal(np.arange(v.shape[-1])[:, np.newaxis], top).astype(v.dtype)
    return gv - np.conjugate(v) * real - here * (along - real) / np.sum(here * v, axis=-2, keepdims=True)


@composite(implements=np.linalg.eigvals, samples=[{"a": MATRIX}, {"a": MATRICES}])
def eigvals(a: Any) -> Any:
    """Eigenvalues of a square matrix, in the order in which eig has them."""
    return np.linalg.eig(a)[0]


class Svd(Function):
    """Singular vectors u and vh, with singular values s between them.

    Where singular values are equal, a result must not depend on turns of u and vh with each
    other, nor on both the vectors and s, else its gradient is nan. So the nearest orthogonal
    matrix u vh has its gradient. The same holds for phases, and for the further vectors that
    `full_matrices` adds. The gradient of a singular value of 0 is that of the others, u vh.
    """

    implements = np.linalg.svd
    saves = ("ys",)
    materialize_grads = False
    domain = _REAL_LINE  # LAPACK turns complex vectors such that differences see it
    only_reads = True
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
        v = adjoint(vh)
        gx = 0 if gs is None else of_values(gs, np.conjugate(u[..., :n]), v[..., :n], s)
        if gu is not None or gvh is not None:
            u, gu = _without_further(u, gu, n)
            v, gv = _without_further(v, None if gvh is None else adjoint(gvh), n)
            gx = gx + _singular_vectors_gradient(u, s, v, gu, gv, gs)
        return gx

    @classmethod
    def from_numpy(
        cls, a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
    ) -> Any:
        """Give the results names, as NumPy does; or the singular values alone."""
        if not compute_uv and not hermitian:
            return svdvals(a)
        result = _svd_by_eigh(a) if hermitian else _SVDResult(*cls(full_matrices)(a))
        return result if compute_uv else result.S


def _without_further(u: Any, gu: Any, n: int) -> Any:
    """Give the first n vectors, with the gradients of the others, which turn as the first do."""
    gu = np.zeros_like(u) if gu is None else gu
    if u.shape[-1] == n:
        return u, gu
    first, others, further = u[..., :n], u[..., n:], gu[..., n:]
    undefined = np.any(free_turns_felt(swapped(others) @ further, gu), axis=(-2, -1), keepdims=True)
    further = np.where(undefined, np.nan, further)
    return first, gu[..., :n] - np.conjugate(others) @ adjoint(further) @ np.conjugate(first)


def _singular_vectors_gradient(u: Any, s: Any, v: Any, gu: Any, gv: Any, gs: Any) -> Any:
    """Give the gradient of u and v by x, whose derivation is that of Giles (2008), 3.3.

    Vectors of one singular value turn against each other as x says, and freely together;
    each of them turns freely where that value is 0, and there u f(s) v^H needs f'(0).
    """
    rows, columns = s[..., :, np.newaxis], s[..., np.newaxis, :]
    size = size_of(columns)
    equal, zero = equal_pairs(s, size), zero_values(s, size)

    def over_s(turn: Any, with_values: Any) -> Any:
        undefined = zero & (felt(turn, gu, gv) | with_values)
        return np.where(undefined, np.nan, turn * reciprocal(columns, zero))

    turn_u, turn_v = swapped(u) @ gu, swapped(v) @ gv
    skew_u, skew_v = turn_u - adjoint(turn_u), turn_v - adjoint(turn_v)
    undefined = free_turns_felt(turn_u + turn_v, gu, gv)
    by_u = by_v = phases = False
    if gs is not None:
        silent, values_felt = without_gradient(gu, gv), felt(gs[..., np.newaxis, :], diagonal(gs))
        undefined = undefined | used_with_values(turn_u + turn_v, gs, gu, gv) | apart(u) & apart(v) & silent
        by_u, by_v = (values_felt | np.any(zeros_of(a), axis=-2, keepdims=True) & silent for a in (u, v))
        phases = np.iscomplexobj(u) and by_u & by_v
    # a quotient after the other: the product of difference and sum leaves the range of floats
    among = np.where(equal, 1, rows + columns)
    turned = (skew_u * (columns / among) + skew_v * (rows / among)) * reciprocal(differences(s), equal)
    middle = turned + np.where(equal, over_s(skew_u - skew_v, phases) / 4, 0)
    gx = np.conjugate(u) @ np.where(equal & undefined, np.nan, middle) @ swapped(v)
    if u.shape[-2] > s.shape[-1]:
        gx = gx + over_s(gu - np.conjugate(u) @ turn_u, by_u) @ swapped(v)
    if v.shape[-2] > s.shape[-1]:
        gx = gx + np.conjugate(u) @ adjoint(over_s(gv - np.conjugate(v) @ turn_v, by_v))
    return gx


def _svd_by_eigh(a: Any) -> Any:
    """Give the singular values and vectors of a Hermitian matrix, of which the lower triangle is read."""
    w, v = np.linalg.eigh(a)
    order = np.argsort(np.absolute(w))[..., ::-1]
    w, v = np.take_along_axis(w, order, -1), np.take_along_axis(v, order[..., np.newaxis, :], -1)
    return _SVDResult(v, np.absolute(w), adjoint(v * np.sign(w)[..., np.newaxis, :]))


@composite(
    implements=np.linalg.svdvals,
    samples=[{"x": (3, 2)}, {"x": MATRICES}, {"x": (2, 3)}, {"x": np.zeros((0, 2))}],
)
def svdvals(x: Any, /) -> Any:
    """Singular values, in descending order.

    What treats equal ones alike is smooth, as their sum is. One of them alone has a kink, and
    the gradient of the vectors that LAPACK gives it.
    """
    return np.linalg.svd(x, full_matrices=False)[1]


class _Qr(Function):
    """Factors of a matrix with no fewer rows than columns: x = q r (Roberts and Roberts, 2020)."""

    saves = ("ys",)

    def forward(self, x: Any) -> Any:
        return tuple(np.linalg.qr(x))

    def backward(self, gq: Any, gr: Any) -> Any:
        q, r = self.ys
        upper, turn = gr @ swapped(r), swapped(q) @ gq
        middle = lower(adjoint(upper) + turn - adjoint(turn)) + swapped(lower(swapped(upper)))
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
    if np.ndim(a) < 2:
        raise np.linalg.LinAlgError(f"qr takes matrices, not an array of shape {np.shape(a)}")
    rows, columns = np.shape(a)[-2:]
    if mode not in ("reduced", "r", "complete") or (mode == "complete" and rows > columns):
        raise ValueError(
            f"qr on Variables of shape {np.shape(a)} takes no mode {mode!r}; take 'reduced' or 'r'"
        )
    q, r = _Qr()(a[..., :rows])
    if columns > rows:
        r = np.concatenate([r, np.matmul(adjoint(q), a[..., rows:])], axis=-1)
    return r if mode == "r" else _QRResult(q, r)
