"""Arrays built from a few numbers: diagonals and triangles, powers, grids, ranges between two ends."""

from __future__ import annotations

import operator
from typing import Any, Literal

import numpy as np

from ops_builtin.indexing import AddAt
from ops_builtin.reductions import arrayed
from registry import composite

_ENDS: tuple[dict[str, Any], ...] = (
    {"start": (), "stop": (), "num": 5},
    {"start": (2,), "stop": (3, 1), "num": 3, "endpoint": False},
    {"start": (2,), "stop": (), "num": 4, "axis": -1},
    {"start": (2,), "stop": (2,), "num": 1},
    {"start": (), "stop": (2,), "num": 0},
)


@composite(implements=np.linspace, inputs=("start", "stop"), samples=(*_ENDS, {**_ENDS[0], "retstep": True}))
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, axis: int = 0
) -> Any:
    """Give `num` numbers at equal steps from `start` to `stop`, which is the last one if `endpoint`."""
    # floats first: unsigned integers have no negative difference
    num, start, stop = _count(num), 1.0 * arrayed(start), 1.0 * arrayed(stop)
    steps = num - 1 if endpoint else num
    distance = np.subtract(stop, start)
    column = (num,) + (1,) * np.ndim(distance)
    number = np.arange(num).astype(np.result_type(start, stop)).reshape(column)
    y = number * (distance / max(steps, 1)) + start
    if endpoint and num > 1:
        y = np.where(np.arange(num).reshape(column) == num - 1, stop, y)
    y = np.moveaxis(y, 0, axis)
    return (y, distance / steps if steps > 0 else distance * np.nan) if retstep else y


def _count(num: int) -> int:
    """Give a number of elements as Python's int, beside which float32 stays float32."""
    if operator.index(num) < 0:
        raise ValueError(f"num is {num}; it must not be negative")
    return operator.index(num)


@composite(
    implements=np.logspace,
    inputs=("start", "stop", "base"),
    domain={"base": (0, np.inf)},
    samples=(*_ENDS, {**_ENDS[0], "base": ()}, {**_ENDS[1], "base": (2,)}),
)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, axis: int = 0
) -> Any:
    """Give powers of `base`, whose exponents are linspace(start, stop)."""
    if np.ndim(base):
        shape = np.broadcast_shapes(np.shape(start), np.shape(stop), np.shape(base))
        stop, base = np.broadcast_to(stop, shape), np.expand_dims(np.broadcast_to(base, shape), axis)
    return np.power(base, np.linspace(start, stop, num, endpoint, axis=axis))


@composite(
    implements=np.geomspace,
    inputs=("start", "stop"),
    domain=(0, np.inf),
    samples=(*_ENDS, {**_ENDS[0], "start": np.array([-1.0]), "stop": np.array([-8.0])}),
)
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, axis: int = 0) -> Any:
    """Give `num` numbers at equal ratios from `start` to `stop`: start ** (1 - t) * stop ** t, t from 0 to 1.

    Signs, and directions of complex numbers, are taken out and put back, as NumPy does.
    """
    if np.any(np.equal(start, 0)) or np.any(np.equal(stop, 0)):
        raise ValueError("Geometric sequence cannot include zero")
    num, start, stop = _count(num), 1.0 * arrayed(start), 1.0 * arrayed(stop)
    dtype = np.result_type(start, stop)
    sign = np.sign(start).astype(dtype)
    first, last = start / sign, stop / sign
    place = np.arange(num).reshape((num,) + (1,) * np.ndim(last))
    t = place.astype(dtype) / max(num - 1 if endpoint else num, 1)
    y = np.exp(np.log(first) * (1 - t) + np.log(last) * t)
    y = np.where(place == 0, first, np.where(place == num - 1, last, y) if endpoint else y)
    return np.moveaxis(sign * y, 0, axis)


@composite(
    implements=np.meshgrid,
    samples=(
        {"xi": [(2,), (3,)]},
        {"xi": [(2,), (3,), (2,)], "indexing": "ij"},
        {"xi": [(2,), ()], "sparse": True},
        {"xi": [(3,)]},
        {"xi": [(2,), (0,)]},
    ),
)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: Literal["xy", "ij"] = "xy") -> Any:
    """Give the coordinates of a grid, from those along each axis; `copy` matters to sparse ones."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    axes = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        axes[:2] = 1, 0
    grids = [
        np.reshape(x, [-1 if a == axis else 1 for a in range(len(xi))])
        for x, axis in zip(xi, axes, strict=True)
    ]
    if sparse or len(xi) == 1:
        return tuple([np.copy(grid) for grid in grids] if copy else grids)
    return np.broadcast_arrays(*grids)


@composite(
    implements=np.diag,
    samples=(
        {"v": (3,)},
        {"v": (2,), "k": -1},
        {"v": (2, 3), "k": 1},
        {"v": (3, 2)},
        {"v": (0,), "k": 2},
    ),
)
def diag(v: Any, k: int = 0) -> Any:
    """Give a matrix with a vector on its diagonal `k`; or that diagonal of a matrix."""
    if np.ndim(v) == 2:
        return np.diagonal(v, k)
    if np.ndim(v) != 1:
        raise ValueError("Input must be 1- or 2-d.")
    places, size = np.arange(np.size(v)), np.size(v) + abs(k)
    flat = AddAt((places + max(-k, 0)) * size + places + max(k, 0), (size * size,))(v)
    return np.reshape(flat, (size, size))


@composite(implements=np.diagflat, samples=({"v": (2, 2)}, {"v": (), "k": 1}, {"v": (0,)}))
def diagflat(v: Any, k: int = 0) -> Any:
    """Give a matrix with the flattened elements on its diagonal `k`."""
    return np.diag(np.ravel(v), k)


_TRIANGLES = {"m": (3, 3)}, {"m": (2, 3), "k": 1}, {"m": (2, 3, 2), "k": -1}, {"m": (3,)}, {"m": (0, 2)}


@composite(implements=np.tril, samples=_TRIANGLES)
def tril(m: Any, k: int = 0) -> Any:
    """Give the elements on and below the diagonal `k` of matrices; 0 elsewhere."""
    return np.where(_lower(m, k), m, np.zeros(1, m.dtype))


@composite(implements=np.triu, samples=_TRIANGLES)
def triu(m: Any, k: int = 0) -> Any:
    """Give the elements on and above the diagonal `k` of matrices; 0 elsewhere."""
    return np.where(_lower(m, k - 1), np.zeros(1, m.dtype), m)


def _lower(m: Any, k: int) -> Any:
    if not np.ndim(m):
        raise TypeError("a number has no triangle; a vector has that of a matrix with it in each row")
    return np.tri(np.shape(m)[-2:][0], np.shape(m)[-1], k, dtype=bool)


@composite(
    implements=np.vander,
    samples=(
        {"x": (3,)},
        {"x": (2,), "N": 4, "increasing": True},
        {"x": (3,), "N": 1},
        {"x": (0,)},
        {"x": (2,), "N": 0},
    ),
)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Give the powers of each number in a row, the highest first; float32, too, keeps its type."""
    if np.ndim(x) != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    count = np.size(x) if N is None else N
    if count < 0:
        raise ValueError(f"N is {N}; it must not be negative")
    powers = [np.power(x, 0)]
    for _ in range(count - 1):
        powers.append(powers[-1] * x)
    rows = np.stack(powers if increasing else powers[::-1], axis=1)
    return rows if count else rows[:, :0]


@composite(
    implements=np.full_like,
    samples=(
        {"a": (2, 3), "fill_value": ()},
        {"a": (2, 3), "fill_value": (3,)},
        {"a": (0, 2), "fill_value": (), "shape": (2,)},
    ),
)
def full_like(a: Any, fill_value: Any, dtype: Any = None, shape: Any = None) -> Any:
    """Give an array of the shape and type of `a`, filled with a number, or with what broadcasts to it."""
    filled = np.broadcast_to(arrayed(fill_value), np.shape(a) if shape is None else shape)
    return np.astype(filled, np.result_type(a) if dtype is None else dtype)
