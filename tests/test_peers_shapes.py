"""Shapes, joining, splitting, indexing, rearranging, building, sorting, as JAX has them.

Each expression is computed by both: equal values, gradients and second derivatives.
"""

import numpy as np
import pytest

from registry import Variable, ops

A = np.array([[0.5, -1.2, 2.0], [1.5, 0.3, -0.7]])
B = np.array([[1.1, 0.4, -0.9], [-0.2, 2.2, 0.6]])
TIED = np.array([[1.0, -2.0, 1.0], [1.0, 1.0, -2.0]])
ROW = np.array([0.7, -1.1, 0.3, 2.5])
CUBE = np.cos(np.arange(24.0)).reshape(2, 3, 4)
NONE = np.zeros((2, 0))
ONE = np.array(0.8)
MASK = np.array([[True, False, True], [False, True, True]])


def set_item(x, value, index):
    return ops.set_item(x, value, index) if isinstance(x, Variable) else x.at[index].set(value)


def windows(np, x, length, axis):
    """Give windows, which JAX has no name for."""
    if isinstance(x, Variable):
        return np.lib.stride_tricks.sliding_window_view(x, length, axis)
    starts, steps = np.arange(x.shape[axis] - length + 1), np.arange(length)
    return np.moveaxis(np.take(x, starts[:, None] + steps, axis), axis + 1, -1)


# Each expression's `np` is NumPy or jax.numpy; floating arguments are differentiated by.
EXPRESSIONS = {
    # shapes
    "reshape": (lambda np, a: np.reshape(a, (3, -1)), A),
    "reshape F": (lambda np, a: np.reshape(a, (3, 2), order="F"), A),
    "reshape to none": (lambda np, a: np.reshape(a, (0, 5)), NONE),
    "reshape of a number": (lambda np, a: a.reshape(1, 1), ONE),
    "ravel": (lambda np, a: np.ravel(a, order="F"), CUBE),
    "moveaxis": (lambda np, a: np.moveaxis(a, (0, 1), (-1, 0)), CUBE),
    "rollaxis": (lambda np, a: np.rollaxis(a, 2, -1), CUBE),
    "transpose": (lambda np, a: np.transpose(a), CUBE),
    "transpose to an order": (lambda np, a: np.transpose(a, (1, -1, 0)), CUBE),
    "permute_dims": (lambda np, a: np.permute_dims(a, (2, 0, 1)), CUBE),
    "T": (lambda np, a: a.T @ a, A),
    "mT": (lambda np, a: a.mT, CUBE),
    "swapaxes": (lambda np, a: a.swapaxes(0, -1), CUBE),
    "matrix_transpose": (lambda np, a: np.matrix_transpose(a), CUBE),
    "atleast_1d": (lambda np, a, b: np.concatenate(np.atleast_1d(a, b)), ONE, ROW),
    "atleast_2d": (lambda np, a: np.atleast_2d(a), ROW),
    "atleast_3d": (lambda np, a: np.atleast_3d(a), A),
    "atleast_3d of a row": (lambda np, a: np.atleast_3d(a), ROW),
    "expand_dims": (lambda np, a: np.expand_dims(a, (0, -1)), A),
    "squeeze": (lambda np, a: np.squeeze(a[None, :, None], (0, 2)), A),
    "squeeze of all": (lambda np, a: np.squeeze(a[:1, :1]), A),
    "broadcast_to": (lambda np, a: np.broadcast_to(a[:, :1], (4, 2, 3)), A),
    "broadcast_to none": (lambda np, a: np.broadcast_to(a, (0, 3)), ROW[:1]),
    "broadcast_arrays": (lambda np, a, b: np.multiply(*np.broadcast_arrays(a[:, None], b)), A, ROW[:3]),
    "astype": (lambda np, a: a.astype("float32").astype("float64"), np.float32(A).astype(float)),
    "copy": (lambda np, a: np.copy(a), A),
    # joining
    "concatenate": (lambda np, a, b: np.concatenate([a, b, a], axis=-1), A, B),
    "concatenate flattened": (lambda np, a, b: np.concatenate([a, b], axis=None), A, ROW),
    "concat with nothing": (lambda np, a, b: np.concat([a, b], axis=1), A, NONE),
    "stack": (lambda np, a, b: np.stack([a, b, a], axis=1), A, B),
    "stack at the end": (lambda np, a, b: np.stack([a, b], axis=-1), A, B),
    "block": (lambda np, a, b: np.block([[a, b], [b, a]]), A, B),
    "block of several depths": (lambda np, a, b: np.block([[[a, b]], [[b, b]]]), CUBE, CUBE + 1),
    "vstack": (lambda np, a, b: np.vstack([a, b]), A, ROW[:3]),
    "hstack": (lambda np, a, b: np.hstack([a, b]), A, B),
    "hstack of rows": (lambda np, a, b: np.hstack([a, b]), ROW, ROW[:2]),
    "dstack": (lambda np, a, b: np.dstack([a, b]), A, B),
    "column_stack": (lambda np, a, b: np.column_stack([a, b]), A, ROW[:2]),
    "append": (lambda np, a, b: np.append(a, b, axis=0), A, B),
    "append flattened": (lambda np, a, b: np.append(a, b), A, ONE),
    # splitting
    "split": (lambda np, a: np.split(a, 3, axis=1)[1], A),
    "split at places": (lambda np, a: np.concatenate(np.split(a, [1, 3], axis=-1)[::2], axis=-1), CUBE),
    "array_split": (lambda np, a: np.outer(*np.array_split(a, 2)[::-1]), ROW[:3]),
    "hsplit": (lambda np, a: np.hsplit(a, [1])[1], A),
    "vsplit": (lambda np, a: np.vsplit(a, 2)[0], A),
    "dsplit": (lambda np, a: np.dsplit(a, 2)[1], CUBE),
    "unstack": (lambda np, a: np.unstack(a, axis=1)[2] * np.unstack(a, axis=-2)[0], CUBE),
    # indexing
    "numbers": (lambda np, a: a[1, -1], A),
    "a slice backwards": (lambda np, a: a[:, ::-2], CUBE),
    "a slice of nothing": (lambda np, a: a[:, 3:], A),
    "new axes and an ellipsis": (lambda np, a: a[None, ..., None, 1:3], CUBE),
    "places named twice": (lambda np, a, i: a[i], A, np.array([0, 1, 0, 0])),
    "a matrix of places": (lambda np, a, i: a[:, i], CUBE, np.array([[0, 2], [2, 2]])),
    "pairs of places": (lambda np, a, i: a[i, :, i], CUBE, np.array([0, 1, 1])),
    "places beside each other": (lambda np, a, i: a[:, i, i + 1], CUBE, np.array([0, 1, 1])),
    "places beside a slice backwards": (lambda np, a, i: a[i, ::-1, None, -1], CUBE, np.array([1, 1])),
    "places in front of an ellipsis": (lambda np, a, i: a[..., i], CUBE, np.array([-1, 0, -1])),
    "no places": (lambda np, a, i: a[i], A, np.zeros(0, int)),
    "a mask": (lambda np, a: a[MASK], A),
    "a mask of rows": (lambda np, a: a[MASK[:, 0], 1:], A),
    "a mask and places": (lambda np, a, i: a[:, MASK[1], i], CUBE, np.array([3, 3])),
    "a mask of nothing": (lambda np, a: a[MASK & False], A),
    "rows": (lambda np, a: sum(row * row[0] for row in a), A),
    "set_item": (lambda np, a, b: set_item(a, b, (slice(None), 1)), A, ROW[:2]),
    "set_item at places": (lambda np, a, b: set_item(a, b, np.array([1, 0])), A, B),
    "set_item of one, backwards": (lambda np, a, b: set_item(a, b, (0, slice(None, None, -2))), A, ONE),
    "set_item broadcast": (lambda np, a, b: set_item(a, b, (slice(None), None)), A, ROW[:3]),
    "take": (lambda np, a, i: np.take(a, i), A, np.array([[0, 5], [5, -1]])),
    "take wrapped": (lambda np, a, i: np.take(a, i, axis=1, mode="wrap"), A, np.array([7, -4, 1])),
    "take clipped": (lambda np, a, i: np.take(a, i, axis=0, mode="clip"), A, np.array([7, 0, 1])),
    "take_along_axis": (lambda np, a, i: np.take_along_axis(a, i, axis=1), A, np.array([[2, 2], [0, -1]])),
    "take_along_axis flattened": (lambda np, a, i: np.take_along_axis(a, i, None), A, np.array([5, 5, 0])),
    "take_along_axis of argsort": (lambda np, a: np.take_along_axis(a, np.argsort(a, 0), axis=0), A),
    "diagonal": (lambda np, a: np.diagonal(a, 1, -1, 1), CUBE),
    "diagonal below": (lambda np, a: a.diagonal(-1), A),
    "windows": (lambda np, a: windows(np, a, 2, 1), CUBE),
    "apply_along_axis": (lambda np, a: np.apply_along_axis(lambda v: v[:2] * v[0], 1, a), CUBE),
    # conditions
    "where": (lambda np, a, b: np.where(a > b, a * b, b), A, B),
    "where of a number": (lambda np, a, b: np.where(MASK, b, 2.0) * a, A, ONE),
    "where of ties": (lambda np, a, b: np.where(a >= b, a, b), TIED, TIED[:, ::-1]),
    "extract": (lambda np, a: np.extract(MASK, a), A),
    "choose": (lambda np, a, b, i: np.choose(i, [a, b, 0.5], mode="clip"), A, B, np.array([[2], [0]])),
    "choose wrapped": (lambda np, a, b, i: np.choose(i, [a, b], mode="wrap"), A, B, np.array([-1, 2, 1])),
    "compress": (lambda np, a: np.compress(MASK[0], a, axis=1), A),
    "select": (lambda np, a, b: np.select([a > 1, a > 0], [a * a, b], a * b), A, B),
    "piecewise": (
        lambda np, a: np.piecewise(a, [a < 0, a > 1], [lambda x: x * x, lambda x: np.sin(x), 3.0]),
        A,
    ),
    # rearranging
    "tile": (lambda np, a: np.tile(a, (2, 1, 2)), A),
    "tile of nothing": (lambda np, a: np.tile(a, (2, 3)), NONE),
    "repeat": (lambda np, a: np.repeat(a, 2, axis=-1), A),
    "repeat by counts": (lambda np, a: np.repeat(a, np.array([2, 0, 1]), axis=1), A),
    "repeat flattened": (lambda np, a: np.repeat(a, 3), A),
    "delete": (lambda np, a: np.delete(a, 1, axis=1), A),
    "delete places": (lambda np, a: np.delete(a, np.array([0, -1, 0])), A),
    "delete a slice": (lambda np, a: np.delete(a, slice(None, None, 2), axis=-1), A),
    "insert": (lambda np, a, b: np.insert(a, 1, b, axis=1), A, ROW[:2]),
    "insert at places": (lambda np, a, b: np.insert(a, np.array([2, 0, 2]), b), A, ROW[:3]),
    "insert one": (lambda np, a, b: np.insert(a, -1, b, axis=0), A, ONE),
    "resize": (lambda np, a: np.resize(a, (4, 2)), A),
    "trim_zeros": (lambda np, a: np.trim_zeros(np.pad(a, 2)), ROW),
    "flip": (lambda np, a: np.flip(a, (0, -1)), CUBE),
    "fliplr and flipud": (lambda np, a: np.fliplr(a) * np.flipud(a), A),
    "roll": (lambda np, a: np.roll(a, (1, -2), axis=(0, 2)), CUBE),
    "roll flattened": (lambda np, a: np.roll(a, -4), A),
    "rot90": (lambda np, a: np.rot90(a, 3, axes=(0, 2)), CUBE),
    "rot90 twice": (lambda np, a: np.rot90(a, -2), A),
    # padding
    "pad": (lambda np, a: np.pad(a, ((1, 0), (0, 2)), constant_values=((1, 2), (3, 4))), A),
    "pad by the edge": (lambda np, a: np.pad(a, (1, 3), mode="edge"), A),
    "pad by reflection": (lambda np, a: np.pad(a, (2, 5), mode="reflect"), A),
    "pad by odd reflection": (lambda np, a: np.pad(a, (2, 5), mode="reflect", reflect_type="odd"), A),
    "pad symmetrically": (lambda np, a: np.pad(a, ((3, 0), (1, 7)), mode="symmetric"), A),
    "pad symmetrically and oddly": (lambda np, a: np.pad(a, (3, 4), mode="symmetric", reflect_type="odd"), A),
    "pad around": (lambda np, a: np.pad(a, (4, 5), mode="wrap"), A),
    "pad by ramps": (lambda np, a: np.pad(a, (2, 3), mode="linear_ramp", end_values=((1, 2), (3, 4))), A),
    "pad by the maximum": (lambda np, a: np.pad(a, (1, 2), mode="maximum"), A),
    "pad by the maximum of ties": (lambda np, a: np.pad(a, ((0, 0), (1, 2)), mode="maximum"), TIED),
    "pad by the minimum of some": (lambda np, a: np.pad(a, (1, 2), mode="minimum", stat_length=2), A),
    "pad by the mean": (lambda np, a: np.pad(a, ((0, 1), (2, 1)), mode="mean"), A),
    "pad by the median": (lambda np, a: np.pad(a, ((0, 1), (2, 1)), mode="median"), A),
    # building
    "linspace": (lambda np, a, b: np.linspace(a, b, 5), A, ROW[:3]),
    "linspace without its end": (lambda np, a, b: np.linspace(a, b, 3, endpoint=False, axis=-1), A, ONE),
    "linspace and its step": (lambda np, a: np.multiply(*np.linspace(a[0], a[1], 4, retstep=True)), A),
    "logspace": (lambda np, a, b: np.logspace(a, b, 4, base=3.0, axis=1), ROW, ONE),
    "geomspace": (lambda np, a, b: np.geomspace(a * a + 1, b, 4), ROW, ONE),
    "geomspace without its end": (lambda np, a: np.geomspace(a, a * a, 3, endpoint=False), ONE),
    "meshgrid": (lambda np, a, b: np.multiply(*np.meshgrid(a, b)), ROW, ROW[:2] + 1),
    "meshgrid ij": (lambda np, a, b: np.multiply(*np.meshgrid(a, b, indexing="ij")), ROW, ROW[:2]),
    "meshgrid, sparse": (lambda np, a, b: np.add(*np.meshgrid(a, b, sparse=True)), ROW, ROW[:2]),
    "diag of a row": (lambda np, a: np.diag(a, -2), ROW),
    "diag of a matrix": (lambda np, a: np.diag(a, 1), A),
    "diagflat": (lambda np, a: np.diagflat(a, 1), A),
    "tril": (lambda np, a: np.tril(a, -1), CUBE),
    "triu": (lambda np, a: np.triu(a, 1), A),
    "vander": (lambda np, a: np.vander(a, 4), ROW),
    "vander, increasing": (lambda np, a: np.vander(a, increasing=True), ROW),
    "polyval": (lambda np, a, b: np.polyval(a, b), ROW, A),
    # sorting
    "sort": (lambda np, a: np.sort(a, axis=1), CUBE),
    "sort of ties": (lambda np, a: np.sort(a, axis=-1), TIED),
    "sort of ties along the first axis": (lambda np, a: np.sort(a, axis=0), TIED),
    "sort flattened": (lambda np, a: np.sort(a, axis=None), TIED),
    "sort of nothing": (lambda np, a: np.sort(a), NONE),
    "partition": (lambda np, a: np.sort(np.partition(a, 1, axis=2)[..., :2]), CUBE),
}  # fmt: skip


# JAX finds the shapes of these from values, which compiled code has not yet
NOT_COMPILED = {"extract", "compress", "repeat by counts", "delete places", "trim_zeros"}
QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def weights(shape):
    return np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape) + 0.2


def ours(expression, arrays, constants):
    """Give the value, the gradients of its weighted sum of squares, and those of the gradients' squares."""
    xs = [Variable(a) for a in arrays]
    y = expression(np, *xs, *constants)
    np.sum(y * y * weights(y.shape)).backward(create_graph=True)
    firsts = [x.grad for x in xs]
    for x in xs:
        x.cleargrad()
    sum(np.sum(g * g) for g in firsts).backward()
    return [y.data, *(g.data for g in firsts), *(x.grad for x in xs)]


def jaxs(jax, name, expression, arrays, constants):
    def loss(*xs):
        y = expression(jax.numpy, *xs, *constants)
        return (y * y * weights(y.shape)).sum(), y

    def squares(*xs):
        firsts, y = jax.grad(loss, every, has_aux=True)(*xs)
        return sum((g * g).sum() for g in firsts), [y, *firsts]

    def everything(*xs):
        seconds, others = jax.grad(squares, every, has_aux=True)(*xs)
        return [*others, *seconds]

    every = tuple(range(len(arrays)))
    with jax.enable_x64(True):
        call = everything if name in NOT_COMPILED else jax.jit(everything, compiler_options=QUICKLY)
        return [np.asarray(y) for y in call(*arrays)]


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_jax_has_the_same_value_gradients_and_second_derivatives(name):
    jax = pytest.importorskip("jax")
    expression, *given = EXPRESSIONS[name]
    arrays, constants = [a for a in given if a.dtype.kind == "f"], [a for a in given if a.dtype.kind != "f"]
    expected = jaxs(jax, name, expression, arrays, constants)
    for a, b in zip(ours(expression, arrays, constants), expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
