"""Products of arrays of any rank, beside that of matrices."""

from __future__ import annotations

from itertools import chain
from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ops_builtin.linalg import conjugated
from registry import composite


@composite(
    implements=np.dot,
    method="dot",
    samples=[
        {"a": (3,), "b": (3,)},
        {"a": (2, 3), "b": (3, 4)},
        {"a": (2, 3), "b": (3,)},
        {"a": (3,), "b": (3, 2)},
        {"a": (), "b": (2, 3)},
        {"a": (2,), "b": ()},
        {"a": (2, 2, 3), "b": (2, 3, 4)},
        {"a": (3,), "b": (2, 3, 2)},
        {"a": (2, 0), "b": (0, 3)},
    ],
)
def dot(a: Any, b: Any) -> Any:
    """Product summed over the last axis of a and the last but one of b; with numbers, times."""
    ndims = [x.ndim if hasattr(x, "ndim") else np.ndim(x) for x in (a, b)]  # np.ndim takes its time
    if 0 in ndims:
        return np.multiply(a, b)
    if ndims[1] <= 2:
        return np.matmul(a, b)
    return np.tensordot(a, b, (-1, -2))


@composite(
    implements=np.inner,
    samples=[
        {"a": (3,), "b": (3,)},
        {"a": (2, 3), "b": (3,)},
        {"a": (2, 3), "b": (4, 3)},
        {"a": (2, 1, 3), "b": (2, 3)},
        {"a": (), "b": (2, 3)},
        {"a": (2, 0), "b": (0,)},
    ],
)
def inner(a: Any, b: Any) -> Any:
    """Product summed over the last axes of both; with numbers, times."""
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    return np.tensordot(a, b, (-1, -1))


@composite(
    implements=np.outer,
    samples=[
        {"a": (3,), "b": (2,)},
        {"a": (2, 3), "b": (2, 1)},
        {"a": (), "b": (2,)},
        {"a": (0,), "b": (2,)},
    ],
)
def outer(a: Any, b: Any) -> Any:
    """All products of an element of a with one of b, in rows and columns."""
    return np.multiply(np.reshape(a, (-1, 1)), np.reshape(b, (1, -1)))


@composite(implements=np.linalg.outer, samples=[{"x1": (3,), "x2": (2,)}, {"x1": (0,), "x2": (2,)}])
def linalg_outer(x1: Any, x2: Any, /) -> Any:
    """All products of an element of one vector with one of another, in rows and columns."""
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError(f"np.linalg.outer takes vectors, not shapes {np.shape(x1)} and {np.shape(x2)}")
    return np.outer(x1, x2)


@composite(
    implements=np.tensordot,
    samples=[
        {"a": (2, 3), "b": (3, 2), "axes": 1},
        {"a": (2, 3, 4), "b": (3, 4, 2)},
        {"a": (2, 3, 4), "b": (4, 2, 1), "axes": ([0, 2], [1, 0])},
        {"a": (2, 3), "b": (2, 3), "axes": (-2, 0)},
        {"a": (2,), "b": (3, 1), "axes": 0},
        {"a": (2, 0), "b": (0, 3), "axes": 1},
    ],
)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Product summed over axes of a and of b: `axes` last and first ones, or a list for each."""
    shapes = np.shape(a), np.shape(b)
    if np.ndim(axes) == 0:
        axes = range(-axes, 0), range(axes)
    summed = [normalize_axis_tuple(some, len(shape)) for some, shape in zip(axes, shapes, strict=True)]
    lengths = [[shape[i] for i in some] for some, shape in zip(summed, shapes, strict=True)]
    if lengths[0] != lengths[1]:
        raise ValueError(f"shapes {shapes[0]} and {shapes[1]} do not match on axes {summed}")
    kept = [[i for i in range(len(shapes[k])) if i not in summed[k]] for k in (0, 1)]
    rows, columns = ([shapes[k][i] for i in kept[k]] for k in (0, 1))
    left = np.reshape(np.transpose(a, (*kept[0], *summed[0])), (prod(rows), prod(lengths[0])))
    right = np.reshape(np.transpose(b, (*summed[1], *kept[1])), (prod(lengths[1]), prod(columns)))
    return np.reshape(np.matmul(left, right), (*rows, *columns))


@composite(
    implements=np.linalg.tensordot,
    samples=[{"x1": (2, 3, 4), "x2": (3, 4, 2)}, {"x1": (2, 3), "x2": (2, 3), "axes": (-2, 0)}],
)
def linalg_tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """Product summed over axes of both, as tensordot gives it."""
    return np.tensordot(x1, x2, axes)


@composite(
    implements=np.vdot,
    samples=[{"a": (3,), "b": (3,)}, {"a": (2, 3), "b": (3, 2)}, {"a": (), "b": ()}, {"a": (0,), "b": (0,)}],
)
def vdot(a: Any, b: Any) -> Any:
    """Sum of conj(a) * b over all elements, in NumPy's order."""
    return np.matmul(np.reshape(conjugated(a), -1), np.reshape(b, -1))


@composite(
    implements=(np.vecdot, np.linalg.vecdot),
    samples=[
        {"x1": (3,), "x2": (3,)},
        {"x1": (2, 3), "x2": (3,)},
        {"x1": (3, 2), "x2": (3, 1), "axis": 0},
        {"x1": (2, 1, 3), "x2": (4, 3), "axis": -1, "keepdims": True},
        {"x1": (0,), "x2": (0,)},
    ],
)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1, keepdims: bool = False) -> Any:
    """Sum of conj(x1) * x2 along an axis."""
    x1, x2 = (np.moveaxis(x, axis, -1) for x in (x1, x2))
    if x1.shape[-1] != x2.shape[-1]:
        raise ValueError(f"vectors of {x1.shape[-1]} and of {x2.shape[-1]} numbers along axis {axis}")
    y = np.einsum("...i,...i", conjugated(x1), x2)
    return np.expand_dims(y, axis) if keepdims else y


@composite(
    implements=np.kron,
    samples=[
        {"a": (2, 3), "b": (3, 2)},
        {"a": (2,), "b": (3,)},
        {"a": (2,), "b": (2, 3)},
        {"a": (2, 1, 2), "b": (3, 2)},
        {"a": (), "b": (2,)},
        {"a": (0, 2), "b": (2, 2)},
    ],
)
def kron(a: Any, b: Any) -> Any:
    """Kronecker product: b in place of each element of a, times that element."""
    ndim = max(np.ndim(a), np.ndim(b))
    shapes = [(1,) * (ndim - np.ndim(x)) + np.shape(x) for x in (a, b)]
    left = np.reshape(a, list(chain.from_iterable((n, 1) for n in shapes[0])))
    right = np.reshape(b, list(chain.from_iterable((1, n) for n in shapes[1])))
    return np.reshape(np.multiply(left, right), [n * m for n, m in zip(*shapes, strict=True)])


@composite(
    implements=np.cross,
    samples=[
        {"a": (3,), "b": (3,)},
        {"a": (2, 3), "b": (3,)},
        {"a": (3, 2), "b": (2, 3), "axisa": 0, "axisc": 0},
        {"a": (3, 4), "b": (3, 1), "axis": 0},
        {"a": (2, 1, 3), "b": (4, 3), "axisb": -1, "axisc": 1},
    ],
)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """Vector product of vectors of 3 numbers along an axis; of 2 (deprecated in NumPy), the third is 0."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if not {x.shape[-1], y.shape[-1]} <= {2, 3}:
        raise ValueError(f"cross takes vectors of 2 or 3 numbers, not of {x.shape[-1]} and {y.shape[-1]}")
    x0, x1, *x2 = (x[..., i] for i in range(x.shape[-1]))
    y0, y1, *y2 = (y[..., i] for i in range(y.shape[-1]))
    third = x0 * y1 - x1 * y0
    if not x2 and not y2:
        return third
    first = [x1 * z for z in y2] + [-z * y1 for z in x2]
    second = [z * y0 for z in x2] + [-x0 * z for z in y2]
    z = np.stack([sum(first[1:], first[0]), sum(second[1:], second[0]), third], -1)
    return np.moveaxis(z, -1, axisc)


@composite(
    implements=np.linalg.cross,
    samples=[{"x1": (3,), "x2": (3,)}, {"x1": (3, 2), "x2": (3, 1), "axis": 0}, {"x1": (4, 3), "x2": (3,)}],
)
def linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Vector product of vectors of 3 numbers along an axis."""
    if np.shape(x1)[axis] != 3 or np.shape(x2)[axis] != 3:
        raise ValueError(f"shapes {np.shape(x1)} and {np.shape(x2)} have no vectors of 3 along axis {axis}")
    return np.cross(x1, x2, axis=axis)
