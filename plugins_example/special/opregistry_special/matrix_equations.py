"""Linear equations of special matrices, and the square root of a matrix, by the equation that it solves.

Stacks of matrices broadcast. A right-hand side with one axis is one vector. Numbers are not
checked to be finite: nan gives nan.
"""

import numpy as np
from scipy import linalg

from registry import Function, composite

_MATRIX = np.array([[2.0, 0.4, -0.7], [0.5, -1.5, 0.3], [-0.2, 0.9, 1.2]])
_SQUARE = np.array([[3.0, 0.5, -0.2], [0.1, 2.0, 0.6], [0.4, -0.3, 1.5]])
_SMALL = np.array([[0.9, 1.2], [0.1, -0.4]])
_BANDS = np.array([[0.3, -0.5, 0.8, 0.1], [2.0, 3.0, -2.5, 1.5], [0.4, 0.9, -0.6, 0.2]])


def _each(function, *stacks):
    """Call a function of matrices for each of stacks of them; its results have the shape of the last."""
    batch = np.broadcast_shapes(*[x.shape[:-2] for x in stacks])
    stacks = [np.broadcast_to(x, batch + x.shape[-2:]) for x in stacks]
    shape = stacks[-1].shape
    results = [function(*[x[place] for x in stacks]) for place in np.ndindex(batch)]
    return np.reshape(np.stack(results), shape) if results else np.zeros(shape, np.result_type(*stacks))


def _transposed(x):
    return np.swapaxes(x, -1, -2)


def _of_vectors(solve, a, b):
    """Solve for matrices b, or for a single vector."""
    return solve(a, b[:, np.newaxis])[..., 0] if np.ndim(b) == 1 else solve(a, b)


class _SolveTriangle(Function):
    """Solution y of a triangular system: gb solves the transposed one, and ga is -gb y.T in the triangle."""

    def __init__(self, lower, unit_diagonal):
        self.lower, self.unit_diagonal = lower, unit_diagonal

    def forward(self, a, b):
        def solve(a, b):
            return linalg.solve_triangular(
                a, b, lower=self.lower, unit_diagonal=self.unit_diagonal, check_finite=False
            )

        return _each(solve, a, b)

    def backward(self, gy):
        (a, _), (y,) = self.xs, self.ys
        gb = _SolveTriangle(not self.lower, self.unit_diagonal)(_transposed(a), gy)
        inside = -int(self.unit_diagonal)
        ga = -gb @ _transposed(y)
        return np.tril(ga, inside) if self.lower else np.triu(ga, -inside), gb


@composite(
    inputs=("a", "b"),
    samples=(
        {"a": _MATRIX, "b": (3,)},
        {"a": _MATRIX, "b": (3, 2), "lower": True},
        {"a": _MATRIX, "b": (3, 2), "trans": 1, "unit_diagonal": True},
        {"a": np.stack([_MATRIX, _SQUARE]), "b": (3, 2), "lower": True, "unit_diagonal": True, "trans": "T"},
        {"a": _MATRIX, "b": (2, 3, 1), "trans": "C"},
        {"a": np.zeros((0, 0)), "b": (0, 2)},
    ),
)
def solve_triangular(a, b, trans=0, lower=False, unit_diagonal=False):
    """Solution x of a @ x = b, where a is triangular; what stands in its other triangle is not read.

    Parameters
    ----------
    a : array_like
        Matrices, (..., M, M).
    b : array_like
        (M,) or (..., M, N).
    trans : {0, 1, 2, "N", "T", "C"}
        Solve for a, its transpose, or its conjugate transpose.
    lower : bool
        Read the lower triangle, not the upper one.
    unit_diagonal : bool
        Take ones for the diagonal, which is then not read either.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a has a zero on the diagonal.
    """
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise ValueError(f"solve_triangular: trans is {trans!r}; expected 0, 1, 2, 'N', 'T' or 'C'")
    if trans in (1, 2, "T", "C"):
        a = _transposed(np.conjugate(a) if trans in (2, "C") else a)
        lower = not lower
    return _of_vectors(_SolveTriangle(lower, unit_diagonal), a, b)


class _SolveBands(Function):
    """Solution y of a banded system: gb solves the transposed one, and ga is -gb y.T in the bands."""

    def __init__(self, below, above):
        self.below, self.above = below, above

    def forward(self, ab, b):
        bands = self.below, self.above
        return _each(lambda ab, b: linalg.solve_banded(bands, ab, b, check_finite=False), ab, b)

    def backward(self, gy):
        (ab, _), (y,) = self.xs, self.ys
        rows, used = _places(self.below, self.above, gy.shape[-2])
        columns, _ = _places(self.above, self.below, gy.shape[-2])
        stored = np.arange(self.below + self.above, -1, -1)[:, np.newaxis]
        gb = _SolveBands(self.above, self.below)(ab[..., stored, columns], gy)
        gab = -np.sum(gb[..., rows, :] * y[..., np.newaxis, :, :], axis=-1)
        return np.where(used, gab, 0), gb


def _places(below, above, n):
    """Give the row in the matrix of each number of the bands, and whether it has one; corners have none."""
    rows = np.arange(n) + np.arange(-above, below + 1)[:, np.newaxis]
    return np.clip(rows, 0, max(n - 1, 0)), (rows >= 0) & (rows < n)


@composite(
    inputs=("ab", "b"),
    samples=(
        {"l_and_u": (1, 1), "ab": _BANDS, "b": (4,)},
        {"l_and_u": (2, 0), "ab": _BANDS[[1, 0, 2]], "b": (4, 2)},
        {"l_and_u": (0, 2), "ab": _BANDS[[0, 2, 1]], "b": (4, 1)},
        {"l_and_u": (2, 1), "ab": np.stack([_BANDS[[0, 1, 2, 0]], 2 * _BANDS[[2, 1, 0, 0]]]), "b": (4, 2)},
        {"l_and_u": (0, 0), "ab": (1, 3), "b": (2, 3, 1)},
    ),
)
def solve_banded(l_and_u, ab, b):
    """Solution x of a @ x = b, where a has `l_and_u` diagonals below and above the main one.

    Parameters
    ----------
    l_and_u : (int, int)
        How many diagonals there are on each side.
    ab : array_like
        The diagonals from the uppermost to the lowest as rows, (..., l + u + 1, M):
        ``ab[u + i - j, j] == a[i, j]``. Corners that are no part of a have a gradient of 0.
    b : array_like
        (M,) or (..., M, N).

    Raises
    ------
    numpy.linalg.LinAlgError
        If a is singular.
    """
    below, above = l_and_u
    return _of_vectors(_SolveBands(below, above), ab, b)


class SolveSylvester(Function):
    """Solution x of a @ x + x @ b = q, for a (..., M, M), b (..., N, N) and q (..., M, N).

    The gradient of q solves the same equation of the transposed matrices; those of a and b
    are -gq x.T and -x.T gq. Where an eigenvalue of a is the negative of one of b, there is
    no one solution: `numpy.linalg.LinAlgError`.
    """

    samples = (
        {"a": _SQUARE, "b": _SMALL, "q": (3, 2)},
        {"a": _SMALL, "b": np.stack([_SQUARE, _SQUARE.T]), "q": (2, 3)},
        {"a": _SMALL.T, "b": np.array([[2.0]]), "q": (3, 2, 1)},
        {"a": np.zeros((0, 0)), "b": _SMALL, "q": (0, 2)},
    )

    def forward(self, a, b, q):
        dtype = np.result_type(a, b, q, np.float32)
        return _each(_sylvester, *[x.astype(dtype) for x in (a, b, q)])

    def backward(self, gy):
        (a, b, _), (y,) = self.xs, self.ys
        gq = SolveSylvester()(_transposed(a), _transposed(b), gy)
        return -gq @ _transposed(y), -_transposed(y) @ gq, gq


def _sylvester(a, b, q):
    sums = np.absolute(np.linalg.eigvals(a)[:, np.newaxis] + np.linalg.eigvals(b))
    if np.any(sums <= 4 * np.finfo(a.dtype).eps * (linalg.norm(a) + linalg.norm(b))):
        raise np.linalg.LinAlgError(
            "solve_sylvester: an eigenvalue of a is the negative of one of b, so there is no one solution"
        )
    return linalg.solve_sylvester(a, b, q)


class Sqrtm(Function):
    """Principal square root y of square matrices, (..., M, M): y @ y = A; complex where it must be.

    As y dy + dy y = dA, its gradient is the solution of a Sylvester equation (Higham, 2008,
    "Functions of Matrices", 6.1); there is none where eigenvalues of y add up to 0, as those of
    a singular A do. A matrix without a root is a `numpy.linalg.LinAlgError`.
    """

    saves = ("ys",)
    samples = (
        {"A": _SQUARE},
        {"A": np.stack([_SQUARE, _SQUARE @ _SQUARE.T])},
        {"A": np.array([[1.0, 2.0], [3.0, -4.0]])},
        {"A": np.array([[2.0, -1.0], [1.0, 2.0]])},
    )

    def forward(self, A):
        return _each(_root, A)

    def backward(self, gy):
        (y,) = self.ys
        return SolveSylvester()(_transposed(y), _transposed(y), gy)


def _root(a):
    y = linalg.sqrtm(a)
    if not np.all(np.isfinite(y)):
        raise np.linalg.LinAlgError("sqrtm: a matrix has no square root; it is singular, or not finite")
    return y
