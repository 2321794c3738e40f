"""What equal eigenvalues, and equal singular values, leave undetermined.

Vectors are free where the matrix does not determine them: the phase of a complex one, and
any turn among those of equal values. What does not depend on free turns has its gradient:
the space that the vectors span, as long as the values of it are not used. All else has
nan, as in JAX and PyTorch: single vectors; and v f(w) v^H, whose derivative needs f'(w),
which nothing here knows. The second derivative of a function of the values needs it, too.

A gradient is all that tells what a result depends on, at those vectors that LAPACK, with
this processor's kernels, happened to give. A result that has its largest or smallest value
there, among all turns, is like one that no turn changes, and has the gradient of that one:
so v[0, 0] where v[0, 1] is 0. Of v f(w) v^H the gradients tell enough at vectors in general
position, even where f(w) is 0. Vectors that have zeros where others have none, as those of
diagonal matrices, may hide it; there, equal values and their vectors are not both used
without nan, unless the gradient of these vectors shows that f(w) is not 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ops_builtin.linalg import adjoint, swapped
from registry import Function, Variable


def diagonal(x: Any) -> Any:
    """Make diagonal matrices of vectors."""
    return x[..., np.newaxis] * np.eye(x.shape[-1], dtype=x.dtype)


def off_diagonal(x: Any) -> Any:
    """Say which elements of matrices are not on the diagonal."""
    return np.logical_not(np.eye(x.shape[-1], dtype=bool))


def rounding(size: Any) -> Any:
    """Give how far apart LAPACK may leave values that are equal, for a matrix of this size.

    Seen of random matrices of up to 200 rows, on OpenBLAS's kernels for three processors:
    4.5 eps times the size. The rest is room for other kernels.
    """
    return 16 * float(np.finfo(size.dtype).eps) * size


def size_of(x: Any) -> Any:
    """Give n times the largest element of n columns: no less than the norm of a square, or a row's sum."""
    return x.shape[-1] * np.max(np.absolute(x), axis=(-2, -1), keepdims=True, initial=0)


def equal_pairs(w: Any, size: Any) -> Any:
    """Say which pairs of values are equal but for rounding, each with itself among them."""
    return np.less_equal(np.absolute(differences(w)), rounding(size))


def zero_values(w: Any, size: Any) -> Any:
    """Say which values are 0 but for rounding, in one row."""
    return np.less_equal(np.absolute(w[..., np.newaxis, :]), rounding(size))


def differences(w: Any) -> Any:
    """Give w[j] - w[i] in row i and column j."""
    return w[..., np.newaxis, :] - w[..., :, np.newaxis]


def reciprocal(x: Any, zero: Any) -> Any:
    """Give 1 / x, and 0 where something is as good as 0."""
    return np.where(zero, 0, 1 / np.where(zero, 1, x))


def felt(turn: Any, *gradients: Any) -> Any:
    """Say which numbers are more than what rounding leaves of gradients that cancel."""
    return np.greater(np.absolute(turn), _cancelled(turn.dtype, *gradients))


def _cancelled(dtype: Any, *gradients: Any) -> Any:
    """Give what rounding may leave of gradients that cancel."""
    size = sum(np.sum(np.absolute(g), axis=(-2, -1), keepdims=True) for g in gradients)
    return float(np.finfo(dtype).eps) ** 0.5 * size


def free_turns_felt(turn: Any, *gradients: Any) -> Any:
    """Say which pairs of vectors a result depends on by a turn of both, were they of one value.

    A turn is skew-Hermitian, so `turn` is blind to it where Hermitian: `used_with_values`.
    """
    return felt(turn - adjoint(turn), *gradients)


def used_with_values(turn: Any, gw: Any, *gradients: Any) -> Any:
    """Say which pairs of vectors may be those of a v f(w) v^H, were they of one value.

    The Hermitian part of `turn` may stand for an f'(w), as may values with unlike gradients.
    """
    return off_diagonal(turn) & felt(turn, *gradients) | unlike(gw)


def without_gradient(*gradients: Any) -> Any:
    """Say which vectors no gradient belongs to, but for rounding, in one row."""
    own = sum(np.sum(np.absolute(g), axis=-2, keepdims=True) for g in gradients)
    return np.less_equal(own, _cancelled(own.dtype, *gradients))


def zeros_of(v: Any) -> Any:
    """Say which elements of vectors are 0 but for rounding."""
    return np.less_equal(np.absolute(v), 4 * float(np.finfo(v.dtype).eps))


def apart(v: Any) -> Any:
    """Say which pairs of vectors both have a zero where the other has none: LAPACK turned neither."""
    zero = zeros_of(v).astype(v.dtype)
    alone = np.not_equal(swapped(zero) @ (1 - zero), 0)
    return alone & swapped(alone)


def unlike(gw: Any) -> Any:
    """Say which pairs of values have unlike gradients, as v f(w) v^H gives them where f'(w) is not 0."""
    return felt(differences(gw), diagonal(gw))


def of_turns(w: Any, turn: Any, undefined: Any, equal: Any) -> Any:
    """Give the gradient of inv(v) x v from those of turns; nan for equal values where undefined."""
    return np.where(equal & undefined, np.nan, turn * reciprocal(differences(w), equal))


def of_values(gw: Any, left: Any, right: Any, w: Any, size: Any = None) -> Any:
    """Give left diag(gw) right^T, the gradient by a matrix from that of its values w.

    Where the values are equal, or so small that turns of further vectors are free, the
    derivative of gw by them does not tell that of this matrix: it is a g(w) between vectors.
    """
    if not isinstance(gw, Variable):
        return (left * gw[..., np.newaxis, :]) @ swapped(right)
    size = size_of(w[..., np.newaxis, :]) if size is None else size
    return _OfValues()(gw, left, right, equal_pairs(w, size), zero_values(w, size))


class _OfValues(Function):
    """left diag(gw) right^T; by gw, it has nan where a gradient falls on what equal values leave open."""

    def forward(self, gw: Any, left: Any, right: Any, equal: Any, zero: Any) -> Any:
        return (left * gw[..., np.newaxis, :]) @ swapped(right)

    def backward(self, g: Any) -> Any:
        gw, left, right, equal, zero = self.xs
        by_left, by_right = g @ right, swapped(g) @ left
        among = swapped(left) @ by_left
        undefined = np.any(equal & off_diagonal(among) & felt(among, g), axis=-1)
        for side, by, turn in ((left, by_left, among), (right, by_right, swapped(among))):
            if side.shape[-2] > side.shape[-1]:
                further = felt(by - np.conjugate(side) @ turn, g)
                undefined = undefined | np.any(zero & further, axis=-2)
        by_gw = np.where(undefined, np.nan, np.einsum("...ii->...i", among))
        row = gw[..., np.newaxis, :]
        return by_gw, by_left * row, by_right * row, None, None
