"""Products of arrays of any rank, beside that of matrices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from ops_builtin.shapes import BroadcastTo
from registry import Function, NoOperatorError, composite
from registry.numpy_protocol import supported


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
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    if np.ndim(b) <= 2:
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
    if np.ndim(axes) == 0 and not isinstance(axes, tuple | list):
        axes = range(len(shapes[0]) - axes, len(shapes[0])), range(axes)
    pair = [[one] if np.ndim(one) == 0 else list(one) for one in axes]
    summed = [[i % len(shape) for i in some] for some, shape in zip(pair, shapes, strict=True)]
    if [shapes[0][i] for i in summed[0]] != [shapes[1][i] for i in summed[1]]:
        raise ValueError(f"shapes {shapes[0]} and {shapes[1]} do not match on axes {pair}")
    free = [
        [i for i in range(len(shape)) if i not in some] for shape, some in zip(shapes, summed, strict=True)
    ]
    lengths = [[shape[i] for i in some] for shape, some in zip(shapes, free, strict=True)]
    count = int(np.prod([shapes[0][i] for i in summed[0]]))
    rows, columns = (int(np.prod(some)) for some in lengths)
    left = np.reshape(np.transpose(a, free[0] + summed[0]), (rows, count))
    right = np.reshape(np.transpose(b, summed[1] + free[1]), (count, columns))
    return np.reshape(np.matmul(left, right), (*lengths[0], *lengths[1]))


@composite(
    implements=np.linalg.tensordot,
    samples=[{"x1": (2, 3, 4), "x2": (3, 4, 2)}, {"x1": (2, 3), "x2": (2, 3), "axes": (-2, 0)}],
)
def linalg_tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """Product summed over axes of both, as tensordot gives it."""
    return np.tensordot(x1, x2, axes)


class Einsum(Function):
    """Product of any number of arrays, summed as the letters of `subscripts` say: "ij,jk->ik".

    Ellipses, repeated letters and broadcasting are as in NumPy. The helper takes the
    operands first, and the subscripts by name; the form without letters is refused.
    """

    implements = np.einsum
    saves = ("xs",)
    samples = (
        {"operands": [(2, 3), (3, 4)], "subscripts": "ij,jk->ik"},
        {"operands": [(2, 3), (3, 4)], "subscripts": "ij, jk"},
        {"operands": [(2, 3)], "subscripts": "ij->j"},
        {"operands": [(2, 3)], "subscripts": "ji"},
        {"operands": [(3, 3)], "subscripts": "ii"},
        {"operands": [(3, 2, 3)], "subscripts": "iji->ij"},
        {"operands": [(2, 2, 2), (2,)], "subscripts": "iii,j->i"},
        {"operands": [(2, 3), (3, 2), (2,)], "subscripts": "ij,jk,k->i", "optimize": True},
        {"operands": [(2, 1, 2, 3), (4, 3, 2)], "subscripts": "...ij,...jk->...ik"},
        {"operands": [(3, 2), (2,)], "subscripts": "i...,...->...i"},
        {"operands": [(3, 2), (2, 4, 2)], "subscripts": "i...,...->...i"},
        {"operands": [(2, 1), (2, 3)], "subscripts": "ij,ij->i"},
        {"operands": [(2,), (3,)], "subscripts": "i,j->"},
        {"operands": [(), (3,)], "subscripts": ",i->i"},
        {"operands": [(2, 0), (0, 3)], "subscripts": "ij,jk->ik"},
    )
    expected_failures = {
        "numpy_function": "the checker gives several operands as a list, which np.einsum does not take"
    }

    def __init__(self, subscripts: str, optimize: Any = False) -> None:
        self.subscripts, self.optimize = subscripts, optimize

    @classmethod
    def from_numpy(cls, subscripts: Any, *operands: Any, optimize: Any = False, **others: Any) -> Any:
        """Take the subscripts first, as NumPy does; refuse lists of numbers in their place."""
        supported("numpy.einsum", others, ())
        if not isinstance(subscripts, str):
            raise NoOperatorError("numpy.einsum on Variables takes subscripts as a text, such as 'ij,jk->ik'")
        return cls(subscripts, optimize)(*operands)

    def forward(self, *operands: Any) -> Any:
        self.terms, self.result = _spelled_out(self.subscripts, [x.ndim for x in operands])
        return np.einsum(self.subscripts, *operands, optimize=self.optimize)

    def backward(self, gy: Any) -> Any:
        wanted = enumerate(self.needs_grad)
        return tuple(self._to_operand(gy, k) if needed else None for k, needed in wanted)

    def _to_operand(self, gy: Any, k: int) -> Any:
        """Give the gradient of one operand: the product of gy with the others, summed to its letters."""
        x, term = self.xs[k], self.terms[k]
        others = [(t, y) for i, (t, y) in enumerate(zip(self.terms, self.xs, strict=True)) if i != k]
        parts: list[tuple[str, Any]] = [(self.result, gy), *others]
        unused = _letters_outside(self.result, *self.terms)
        target = ""
        for letter, n in zip(term, x.shape, strict=True):
            if n == 1:
                continue  # broadcast against the others, so summed
            if letter in target:  # on a diagonal, so zero outside of it
                parts.append((letter + (twin := next(unused)), np.eye(n, dtype=gy.dtype)))
                letter = twin
            elif not any((letter, n) in zip(t, y.shape, strict=True) for t, y in parts):
                parts.append((letter, np.ones(n, gy.dtype)))  # summed over in this operand alone
            target += letter
        subscripts = ",".join(t for t, _ in parts) + "->" + target
        gx = np.einsum(subscripts, *(y for _, y in parts), optimize=self.optimize)
        return np.reshape(gx, x.shape)


def _letters_outside(*terms: str) -> Any:
    return (chr(i) for i in chain(range(97, 123), range(65, 91)) if chr(i) not in "".join(terms))


def _spelled_out(subscripts: str, ndims: Sequence[int]) -> tuple[list[str], str]:
    """Give the letters of each operand and of the result, with letters in place of ellipses."""
    given, arrow, result = subscripts.replace(" ", "").replace("...", ".").partition("->")
    terms = given.split(",")
    if not arrow:
        counts = Counter(given)
        result = "." * ("." in given) + "".join(sorted(c for c in counts if counts[c] == 1 and c.isalpha()))
    free = _letters_outside(given, result)
    lengths = [ndim - len(t) + 1 for t, ndim in zip(terms, ndims, strict=False) if "." in t]
    dots = "".join(next(free) for _ in range(max(lengths, default=0)))
    ellipses = [dots[len(dots) - (ndim - len(t) + 1) :] for t, ndim in zip(terms, ndims, strict=False)]
    return [t.replace(".", e) for t, e in zip(terms, ellipses, strict=True)], result.replace(".", dots)


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
        {"x": (2, 2), "offset": 5},
        {"x": (0, 2)},
    )

    def __init__(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> None:
        self.offset, self.axis1, self.axis2 = offset, axis1, axis2

    def forward(self, x: Any) -> Any:
        self.shape = x.shape
        return np.trace(x, self.offset, self.axis1, self.axis2)

    def backward(self, gy: Any) -> Any:
        n, m = self.shape[self.axis1], self.shape[self.axis2]
        gx = gy[..., np.newaxis, np.newaxis] * np.eye(n, m, self.offset, dtype=gy.dtype)
        ndim = len(self.shape)
        last = [self.axis1 % ndim, self.axis2 % ndim]
        order = [i for i in range(ndim) if i not in last] + last
        return np.transpose(gx, sorted(range(ndim), key=order.__getitem__))


@composite(
    implements=np.linalg.trace,
    samples=[{"x": (3, 3)}, {"x": (2, 3, 4), "offset": 1}, {"x": (2, 3, 2), "offset": -1}],
)
def linalg_trace(x: Any, /, *, offset: int = 0) -> Any:
    """Sum along the diagonal of the last two axes, `offset` places to the right of the main one."""
    return np.trace(x, offset, -2, -1)


@composite(
    implements=np.linalg.diagonal,
    samples=[{"x": (3, 3)}, {"x": (2, 3, 4), "offset": 1}, {"x": (2, 3, 2), "offset": -1}, {"x": (0, 2)}],
)
def linalg_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """Diagonal of the last two axes, `offset` places to the right of the main one."""
    rows, columns = np.shape(x)[-2:]
    row, column = max(-offset, 0), max(offset, 0)
    places = np.arange(max(min(rows - row, columns - column), 0))
    return x[..., places + row, places + column]


@composite(
    implements=np.vdot,
    samples=[{"a": (3,), "b": (3,)}, {"a": (2, 3), "b": (3, 2)}, {"a": (), "b": ()}, {"a": (0,), "b": (0,)}],
)
def vdot(a: Any, b: Any) -> Any:
    """Sum of conj(a) * b over all elements, in NumPy's order."""
    return np.matmul(np.reshape(np.conjugate(a), -1), np.reshape(b, -1))


def _moved(x: Any, axis: int, to: int) -> Any:
    """Put an axis elsewhere, and leave the others in their order."""
    ndim = np.ndim(x)
    order = [i for i in range(ndim) if i != axis % ndim]
    order.insert(to % ndim, axis % ndim)
    return np.transpose(x, order)


@composite(
    implements=(np.vecdot, np.linalg.vecdot),
    samples=[
        {"x1": (3,), "x2": (3,)},
        {"x1": (2, 3), "x2": (3,)},
        {"x1": (3, 2), "x2": (3, 1), "axis": 0},
        {"x1": (2, 1, 3), "x2": (4, 3), "axis": -1},
        {"x1": (0,), "x2": (0,)},
    ],
)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Sum of conj(x1) * x2 along an axis."""
    if np.shape(x1)[axis] != np.shape(x2)[axis]:
        raise ValueError(f"shapes {np.shape(x1)} and {np.shape(x2)} differ along axis {axis}")
    return np.einsum("...i,...i", _moved(np.conjugate(x1), axis, -1), _moved(x2, axis, -1))


@composite(
    implements=getattr(np, "matvec", ()),  # of NumPy 2.2
    samples=[{"x1": (2, 3), "x2": (3,)}, {"x1": (2, 3), "x2": (4, 3)}, {"x1": (2, 1, 2, 3), "x2": (2, 3)}],
)
def matvec(x1: Any, x2: Any, /) -> Any:
    """Matrix times vector, over the last axes, broadcast over the others."""
    return np.squeeze(np.matmul(x1, np.expand_dims(x2, -1)), -1)


@composite(
    implements=getattr(np, "vecmat", ()),
    samples=[{"x1": (2,), "x2": (2, 3)}, {"x1": (4, 2), "x2": (2, 3)}, {"x1": (1, 2), "x2": (2, 2, 3)}],
)
def vecmat(x1: Any, x2: Any, /) -> Any:
    """Conjugate of a vector times matrix, over the last axes, broadcast over the others."""
    return np.squeeze(np.matmul(np.expand_dims(np.conjugate(x1), -2), x2), -2)


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
    x, y = _moved(a, axisa, -1), _moved(b, axisb, -1)
    if not {x.shape[-1], y.shape[-1]} <= {2, 3}:
        raise ValueError(f"cross takes vectors of 2 or 3 numbers, not of {x.shape[-1]} and {y.shape[-1]}")
    x0, x1, *x2 = (x[..., i] for i in range(x.shape[-1]))
    y0, y1, *y2 = (y[..., i] for i in range(y.shape[-1]))
    third = x0 * y1 - x1 * y0
    if not x2 and not y2:
        return third
    first = [x1 * z for z in y2] + [-z * y1 for z in x2]
    second = [z * y0 for z in x2] + [-x0 * z for z in y2]
    return _moved(np.stack([sum(first[1:], first[0]), sum(second[1:], second[0]), third], -1), -1, axisc)


@composite(
    implements=np.linalg.cross,
    samples=[{"x1": (3,), "x2": (3,)}, {"x1": (3, 2), "x2": (3, 1), "axis": 0}, {"x1": (4, 3), "x2": (3,)}],
)
def linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Vector product of vectors of 3 numbers along an axis."""
    if np.shape(x1)[axis] != 3 or np.shape(x2)[axis] != 3:
        raise ValueError(f"shapes {np.shape(x1)} and {np.shape(x2)} have no vectors of 3 along axis {axis}")
    return np.cross(x1, x2, axis=axis)


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
    if len(xs) < 3:  # there is one order, or no product
        return _product(xs, {}, 0, len(xs) - 1)
    first, last = np.shape(xs[0]), np.shape(xs[-1])
    inner_lengths = [np.shape(x)[0] for x in xs[1:]]
    lengths = [*first[:-1], *inner_lengths, *last[1:]]
    lengths = [1] * (2 - len(first)) + lengths + [1] * (2 - len(last))
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
    if n == 0:
        return BroadcastTo(np.shape(a))(np.eye(np.shape(a)[-1], dtype=np.result_type(a)))
    a, n = (np.linalg.inv(a), -n) if n < 0 else (np.copy(a), n)
    result = None
    while n:
        if n % 2:
            result = a if result is None else np.matmul(result, a)
        n //= 2
        a = np.matmul(a, a) if n else a
    return result
