"""Products of matrices: of two, of a matrix and a vector, of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from operator import index
from typing import Any

import numpy as np

from ops_builtin.linalg import check_square, conjugated, swapped
from ops_builtin.shapes import BroadcastTo
from registry import Function, composite


class Matmul(Function):
    """Matrix product over the last two axes, broadcast over the others; vectors as NumPy has them."""

    implements = np.matmul, np.linalg.matmul
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (a, b), (wants_a, wants_b) = self.xs, self.needs_grad
        if a.ndim == b.ndim == 2:
            return gy @ b.T if wants_a else None, a.T @ gy if wants_b else None
        row, column = a.ndim == 1, b.ndim == 1
        if column:
            b, gy = b[:, np.newaxis], gy[..., np.newaxis]
        if row:
            a, gy = a[np.newaxis, :], gy[..., np.newaxis, :]
        ga = gb = None
        if wants_a:
            ga = gy @ swapped(b)
            ga = ga[..., 0, :] if row else ga
        if wants_b:
            if b.ndim == 2 < a.ndim:  # one matrix for many: one product, and no sum over them
                rows = prod(gy.shape[:-1])
                a, gy = a.reshape(rows, a.shape[-1]), gy.reshape(rows, gy.shape[-1])
            gb = swapped(a) @ gy
            gb = gb[..., 0] if column else gb
        return ga, gb


@composite(
    implements=np.matvec,
    samples=[{"x1": (2, 3), "x2": (3,)}, {"x1": (2, 3), "x2": (4, 3)}, {"x1": (2, 1, 2, 3), "x2": (2, 3)}],
)
def matvec(x1: Any, x2: Any, /) -> Any:
    """Matrix times vector, over the last axes, broadcast over the others."""
    if np.ndim(x1) < 2:
        raise ValueError(f"matvec takes matrices first, not an array of shape {np.shape(x1)}")
    return np.squeeze(np.matmul(x1, np.expand_dims(x2, -1)), -1)


@composite(
    implements=np.vecmat,
    samples=[{"x1": (2,), "x2": (2, 3)}, {"x1": (4, 2), "x2": (2, 3)}, {"x1": (1, 2), "x2": (2, 2, 3)}],
)
def vecmat(x1: Any, x2: Any, /) -> Any:
    """Conjugate of a vector times matrix, over the last axes, broadcast over the others."""
    if np.ndim(x2) < 2:
        raise ValueError(f"vecmat takes matrices second, not an array of shape {np.shape(x2)}")
    return np.squeeze(np.matmul(np.expand_dims(conjugated(x1), -2), x2), -2)


@composite(
    implements=np.linalg.multi_dot,
    inputs=("arrays",),
    samples=[
        {"arrays": [(2, 3), (3, 4), (4, 2)]},
        {"arrays": [(3,), (3, 2), (2, 4), (4,)]},
        {"arrays": [(3,), (3, 2)]},
        {"arrays": [(5, 1), (1, 5), (5, 2), (2, 3)]},
    ],
)
def multi_matmul(arrays: Any) -> Any:
    """Matrix product of any number of arrays, in the order that takes the fewest steps.

    The first and the last may be vectors.
    """
    xs = list(arrays)
    if not xs:
        raise ValueError("multi_matmul needs one array at least")
    shapes = [np.shape(x) for x in xs]
    if any(len(shape) != 2 for shape in shapes[1:-1]) or not {len(shapes[0]), len(shapes[-1])} <= {1, 2}:
        raise np.linalg.LinAlgError(f"multi_matmul takes matrices, and vectors at the ends, not {shapes}")
    if len(xs) < 3:  # there is one order, or no product
        return _product(xs, {}, 0, len(xs) - 1)
    ends = [(1, *shapes[0])[-2], (*shapes[-1], 1)[1]]
    lengths = [ends[0], *(shape[0] for shape in shapes[1:]), ends[1]]
    return _product(xs, _cheapest(lengths), 0, len(xs) - 1)


def _product(xs: Sequence[Any], splits: Mapping[tuple[int, int], tuple[int, int]], i: int, j: int) -> Any:
    """Give the product of a run of matrices, split where it takes the fewest steps."""
    if i == j:
        return xs[i]
    _, k = splits.get((i, j), (0, i))
    return np.matmul(_product(xs, splits, i, k), _product(xs, splits, k + 1, j))


def _cheapest(lengths: Sequence[int]) -> dict[tuple[int, int], tuple[int, int]]:
    """Give for each run of matrices the steps that its product takes, and after which to split it."""
    count = len(lengths) - 1
    best: dict[tuple[int, int], tuple[int, int]] = {(i, i): (0, i) for i in range(count)}
    for width in range(1, count):
        for i in range(count - width):
            j = i + width
            best[i, j] = min(
                (best[i, k][0] + best[k + 1, j][0] + lengths[i] * lengths[k + 1] * lengths[j + 1], k)
                for k in range(i, j)
            )
    return best


@composite(
    implements=np.linalg.matrix_power,
    inputs=("a",),
    samples=[
        {"a": (3, 3), "n": 3},
        {"a": (2, 2, 2), "n": 2},
        {"a": (2, 2), "n": 1},
        {"a": (3, 3), "n": 6},
        {"a": np.array([[2.0, 1.0], [0.5, 3.0]]), "n": -3},
        {"a": (2, 3, 3), "n": 0},
    ],
)
def matrix_power(a: Any, n: int) -> Any:
    """Matrix multiplied n times by itself; its inverse, for a negative n."""
    check_square(a)
    n = index(n)
    if n == 0:
        return BroadcastTo(np.shape(a))(np.eye(np.shape(a)[-1], dtype=np.result_type(a)))
    a, n = (np.linalg.inv(a), -n) if n < 0 else (a[...], n)
    result = None
    while n:
        if n % 2:
            result = a if result is None else np.matmul(result, a)
        n //= 2
        a = np.matmul(a, a) if n else a
    return result
