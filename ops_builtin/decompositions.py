"""Matrices as products of simpler ones: of triangles, eigenvectors, singular vectors.

The letters are those of the literature: x = v diag(w) inv(v), x = u diag(s) vh, x = q r.
A gradient G of x collects all of Re(sum(gy * dy)) = Re(sum(G * dx)), so the formulas for
complex matrices are those with conjugates where the literature has none, and the other
way round.

Vectors are free where the matrix does not determine them: the phase of a complex one, and
any turn among those of equal values. What does not depend on free turns has its gradient:
the space that the vectors span, as long as the values of it are not used. All else has
nan, as in JAX and PyTorch: single vectors; and v f(w) v^H, whose derivative needs f'(w),
which nothing here knows.

A gradient is all that tells what a result depends on, at those vectors that LAPACK, with
this processor's kernels, happened to give. A result that has its largest or smallest value
there, among all turns, is like one that no turn changes, and has the gradient of that one:
so v[0, 0] where v[0, 1] is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ops_builtin.linalg import MATRICES, MATRIX, adjoint, lower, swapped
from registry import Function, composite

_SYMMETRIC = MATRIX @ MATRIX.T
_EQUAL_VALUES = np.eye(3) + 1
_REAL_LINE = (-np.inf, np.inf)
_EigResult: Any = type(np.linalg.eig(MATRIX))
_EighResult: Any = type(np.linalg.eigh(_SYMMETRIC))
_QRResult: Any = type(np.linalg.qr(MATRIX))
_SVDResult: Any = type(np.linalg.svd(MATRIX))


def _diagonal(x: Any) -> Any:
    """Make diagonal matrices of vectors."""
    return x[..., np.newaxis] * np.eye(x.shape[-1], dtype=x.dtype)


def _rounding(size: Any) -> Any:
    """Give how far apart LAPACK may leave values that are equal, for a matrix of this size.

    Seen of random matrices of up to 200 rows, on OpenBLAS's kernels for three processors:
    4.5 eps times the size. The rest is room for other kernels.
    """
    return 16 * float(np.finfo(size.dtype).eps) * size


def _size(x: Any) -> Any:
    """Give n times the largest element of n columns: no less than the norm of a square, or a row's sum."""
    return x.shape[-1] * np.max(np.absolute(x), axis=(-2, -1), keepdims=True, initial=0)


def _equal(w: Any, size: Any) -> Any:
    """Say which pairs of values are equal but for rounding, each with itself among them."""
    return np.less_equal(np.absolute(_differences(w)), _rounding(size))


def _differences(w: Any) -> Any:
    """Give w[j] - w[i] in row i and column j."""
    return w[..., np.newaxis, :] - w[..., :, np.newaxis]


def _reciprocal(x: Any, zero: Any) -> Any:
    """Give 1 / x, and 0 where something is as good as 0."""
    return np.where(zero, 0, 1 / np.where(zero, 1, x))


def _felt(turn: Any, *gradients: Any) -> Any:
    """Say which numbers are more than what rounding leaves of gradients that cancel."""
    size = sum(np.sum(np.absolute(g), axis=(-2, -1), keepdims=True) for g in gradients)
    return np.greater(np.absolute(turn), float(np.finfo(turn.dtype).eps) ** 0.5 * size)


def _free_turns_felt(turn: Any, gw: Any, *gradients: Any) -> Any:
    """Say which pairs of vectors a result depends on by a turn of both, were they of one value.

    A turn is skew-Hermitian, so `turn` is blind to it where Hermitian; but where the values
    are used, that part may stand for an f'(w).
    """
    felt = _felt(turn - adjoint(turn), *gradients)
    if gw is None:
        return felt
    return felt | _felt(turn * (1 - np.eye(turn.shape[-1], dtype=turn.dtype)), *gradients) | _unlike(gw)


def _unlike(gw: Any) -> Any:
    """Say which pairs of values have unlike gradients, as v f(w) v^H gives them where f'(w) is not 0."""
    return _felt(_differences(gw), _diagonal(gw))


def _among_vectors(w: Any, gw: Any, turn: Any, felt: Any, size: Any) -> Any:
    """Give the gradient of inv(v) x v from those of eigenvalues and turns; nan for free turns felt."""
    values = 0 if gw is None else _diagonal(gw)
    if turn is None:
        return values
    equal = _equal(w, size)
    return values + np.where(equal & felt, np.nan, turn * _reciprocal(_differences(w), equal))


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
        turn = None if gv is None else swapped(v) @ gv
        felt = gv is not None and _free_turns_felt(turn, gw, gv)
        gx = np.conjugate(v) @ _among_vectors(w, gw, turn, felt, _size(w[..., np.newaxis, :])) @ swapped(v)
        gx = gx + adjoint(gx)
        return lower(gx) if self.triangle == "L" else swapped(lower(swapped(gx)))

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

    The vectors have length 1 and a real largest element, as LAPACK makes them. Where
    eigenvalues are equal, a result must not depend on their single vectors, else its
    gradient is nan.
    """

    implements = np.linalg.eig
    materialize_grads = False
    samples = {"x": MATRIX}, {"x": np.stack([MATRIX + MATRIX.T, MATRICES[1]])}, {"x": MATRIX - 3 * MATRIX.T}

    def forward(self, x: Any) -> Any:
        return tuple(np.linalg.eig(x))

    def backward(self, gw: Any, gv: Any) -> Any:
        (x,), (w, v) = self.xs, self.ys
        turn = None if gv is None else swapped(v) @ _of_any_length(v, gv)
        felt = gv is not None and _felt(turn, gv) | (False if gw is None else _unlike(gw))
        inverse = np.linalg.inv(v)
        # What rounds is x, which can be far larger than its values; the vectors' condition spreads
        # that (Bauer and Fike, 1960).
        size = _size(x) * _size(inverse)
        return swapped(inverse) @ _among_vectors(w, gw, turn, felt, size) @ swapped(v)

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
        gx = 0 if gs is None else np.conjugate(u[..., :n] * gs[..., np.newaxis, :]) @ swapped(v[..., :n])
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
    undefined = np.any(_free_turns_felt(swapped(others) @ further, None, gu), axis=(-2, -1), keepdims=True)
    further = np.where(undefined, np.nan, further)
    return first, gu[..., :n] - np.conjugate(others) @ adjoint(further) @ np.conjugate(first)


def _singular_vectors_gradient(u: Any, s: Any, v: Any, gu: Any, gv: Any, gs: Any) -> Any:
    """Give the gradient of u and v by x, whose derivation is that of Giles (2008), 3.3.

    Vectors of one singular value turn against each other as x says, and freely together;
    each of them turns freely where that value is 0, and there u f(s) v^H needs f'(0).
    """
    rows, columns = s[..., :, np.newaxis], s[..., np.newaxis, :]
    size = _size(columns)
    zero = np.less_equal(columns, _rounding(size))
    values_felt = False if gs is None else _felt(gs[..., np.newaxis, :], _diagonal(gs))

    def over_s(turn: Any, values_felt: Any = values_felt) -> Any:
        undefined = zero & (_felt(turn, gu, gv) | values_felt)
        return np.where(undefined, np.nan, turn * _reciprocal(columns, zero))

    turn_u, turn_v, equal = swapped(u) @ gu, swapped(v) @ gv, _equal(s, size)
    gaps = _reciprocal(_differences(s) * np.where(equal, 1, rows + columns), equal)
    skew_u, skew_v = turn_u - adjoint(turn_u), turn_v - adjoint(turn_v)
    undefined = equal & _free_turns_felt(turn_u + turn_v, gs, gu, gv)
    middle = gaps * (skew_u * columns + rows * skew_v)
    middle = middle + np.where(equal, over_s(skew_u - skew_v, np.iscomplexobj(u) & values_felt) / 4, 0)
    gx = np.conjugate(u) @ np.where(undefined, np.nan, middle) @ swapped(v)
    if u.shape[-2] > s.shape[-1]:
        gx = gx + over_s(gu - np.conjugate(u) @ turn_u) @ swapped(v)
    if v.shape[-2] > s.shape[-1]:
        gx = gx + np.conjugate(u) @ adjoint(over_s(gv - np.conjugate(v) @ turn_v))
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
