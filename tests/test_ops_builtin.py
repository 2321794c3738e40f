"""The built-in operators against NumPy's values and central finite differences.

Every expression below runs on plain arrays and on Variables alike.
"""

import operator

import numpy as np
import pytest

from registry import Variable, ops

STEP = 1e-6


def uniform(*shape, low=0.3, high=0.9):
    """Give numbers of which no two are equal, the same ones at each call."""
    count = int(np.prod(shape))
    spread = low + (high - low) * (np.arange(count) + 0.5) / max(count, 1)
    return np.random.default_rng(count).permutation(spread).reshape(shape)


def wide(*shape):
    return uniform(*shape, low=-2.0, high=2.1)


def vjp(function, arrays, weights, wanted=None):
    """Give the gradients of sum(weights * function) as arrays, zero where there is none."""
    xs = [Variable(a) if wanted is None or i in wanted else a for i, a in enumerate(arrays)]
    y = function(*xs)
    y.grad = weights
    y.backward()
    xs = [x for x in xs if isinstance(x, Variable)]
    return [np.zeros(x.shape) if x.grad is None else x.grad for x in xs]


def hvp(function, arrays, weights, direction):
    """Give the gradients of <gradient of sum(weights * function), direction>."""
    xs = [Variable(a) for a in arrays]
    y = function(*xs)
    y.grad = Variable(weights)
    y.backward(create_graph=True)
    total = sum((x.grad * d).sum() for x, d in zip(xs, direction, strict=True) if x.grad is not None)
    for x in xs:
        x.cleargrad()
    total.backward()
    return [np.zeros(x.shape) if x.grad is None else x.grad for x in xs]


def numeric(function, arrays, weights):
    """Give the derivative of sum(weights * function) by each element, by central differences."""
    found = []
    for i, array in enumerate(arrays):
        g = np.zeros(array.shape)
        for place in np.ndindex(array.shape):
            ends = []
            for step in (STEP, -STEP):
                moved = array.copy()
                moved[place] += step
                ends.append(function(*arrays[:i], moved, *arrays[i + 1 :]))
            g[place] = sum(
                np.sum(w * (after - before))
                for w, after, before in zip(weights, *map(_listed, ends), strict=True)
            ) / (2 * STEP)
        found.append(g)
    return found


def _listed(value):
    return value if isinstance(value, list) else [value]


def random_like(arrays, seed=1):
    rng = np.random.default_rng(seed)
    found = [np.asarray(rng.normal(size=np.shape(a))) for a in arrays]
    for a in found:
        a.flags.writeable = False
    return found


def close(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


def check(function, *arrays):
    """Check value, full Jacobian, second derivative and single inputs; nothing may be written into."""
    arrays = [np.asarray(a).view() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    expected = function(*arrays)
    y = function(*map(Variable, arrays))
    np.testing.assert_array_equal(y.data, expected, strict=True)
    (weights,) = random_like([expected])
    gxs = vjp(function, arrays, weights)
    close(gxs, numeric(function, arrays, [weights]))
    if 0 < expected.size <= 8:
        for one in np.eye(expected.size).reshape(-1, *expected.shape):
            close(vjp(function, arrays, one), numeric(function, arrays, [one]))
    direction = random_like(arrays, seed=2)
    slopes = numeric(lambda *xs: vjp(function, xs, weights), arrays, direction)
    close(hvp(function, arrays, weights, direction), slopes)
    if len(arrays) > 1:
        for i in range(len(arrays)):
            close(vjp(function, arrays, weights, wanted=[i]), [gxs[i]])


UNARY = {
    "negative": (operator.neg, wide),
    "real": (np.real, wide),
    "conj": (np.conj, wide),
    "positive": (operator.pos, wide),
    "square": (np.square, wide),
    "sqrt": (np.sqrt, uniform),
    "abs": (abs, wide),
    "exp": (np.exp, wide),
    "expm1": (np.expm1, wide),
    "log": (np.log, uniform),
    "log1p": (np.log1p, uniform),
    "sin": (np.sin, wide),
    "cos": (np.cos, wide),
    "tan": (np.tan, uniform),
    "tanh": (np.tanh, wide),
    "clip": (lambda x: np.clip(x, -0.7, 0.8), wide),
    "reciprocal": (lambda x: 2 / x, uniform),
    "cube": (lambda x: x**3, wide),
    "negative power": (lambda x: x**-2, uniform),
    "root": (lambda x: x**0.5, uniform),
    "power of two": (lambda x: 2**x, wide),
    "remainder of": (lambda x: x % 0.7, uniform),
}

BINARY = {
    "add": (operator.add, wide),
    "subtract": (operator.sub, wide),
    "multiply": (operator.mul, wide),
    "divide": (operator.truediv, uniform),
    "power": (operator.pow, uniform),
    "remainder": (operator.mod, uniform),
    "maximum": (np.maximum, wide),
    "minimum": (np.minimum, wide),
    "where": (lambda x, y: np.where(x > y, 2 * y, x), wide),
}

PAIRS = [
    ((), ()), ((3,), ()), ((), (3,)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 1), (1, 3)),
    ((1, 1), (2,)), ((2, 1, 2), (3, 1)), ((0, 3), (1, 3)), ((1,), (0,)),
]  # fmt: skip

MATMUL = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((2, 2, 3), (3,)), ((3,), (2, 3, 2)),
    ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)), ((2, 1, 3), (2, 3, 1)), ((1, 2, 3), (2, 3, 2)),
    ((2, 2, 3), (1, 3, 2)), ((2, 1, 1, 3), (2, 3, 1)), ((3, 0), (0, 2)), ((0, 3), (3, 2)), ((2, 3), (3, 0)),
    ((2, 2, 0), (0, 3)), ((0,), (0,)),
]  # fmt: skip

INDEXES = [
    0,
    -1,
    (1, 2),
    slice(1, None),
    slice(None, None, -2),
    (slice(None), 1),
    None,
    Ellipsis,
    (Ellipsis, -1),
    (None, 0, None),
    (slice(0, 0),),
    [0, 2],
    [1, 1, 1],
    np.array([[0, 1], [1, 0]]),
    ([0, 0, 2], [1, 1, 3]),
    (slice(None), [3, 3]),
    ([[0], [2]], [1, 1]),
    (np.array([2, 0]), slice(1, 3)),
    np.arange(12).reshape(3, 4) % 2 == 0,
    np.array([True, False, True]),
    (np.array([True, False, True]), 2),
    True,
    np.array([], int),
    (1, Ellipsis, None),
]

SHAPED = {
    "reshape": (lambda x: np.reshape(x, (4, -1)), (2, 6)),
    "reshape to one": (lambda x: x.reshape(()), (1, 1)),
    "reshape by arguments": (lambda x: x.reshape(3, 2), (6,)),
    "reshape none": (lambda x: x.reshape(0, 2), (2, 0)),
    "transpose": (np.transpose, (2, 3)),
    "transpose by axes": (lambda x: np.transpose(x, (2, 0, 1)), (1, 2, 3)),
    "transpose from the end": (lambda x: x.transpose(-1, 0, -2), (1, 2, 3)),
    "T": (lambda x: x.T, (3, 2)),
    "copy": (lambda x: np.copy(x), (2, 3)),
    "copy by method": (lambda x: x.copy(), (2, 3)),
    "transpose one axis": (lambda x: np.transpose(x, 0), (3,)),
    "transpose no axis": (lambda x: x.transpose(()), ()),
    "swapaxes": (lambda x: np.swapaxes(x, 0, -1), (1, 2, 3)),
    "expand_dims": (lambda x: np.expand_dims(x, (0, -1)), (2, 3)),
    "expand_dims of one": (lambda x: np.expand_dims(x, -1), ()),
    "expand_dims beside a one": (lambda x: np.expand_dims(x, 1), (1, 2)),
    "squeeze": (np.squeeze, (1, 3, 1)),
    "squeeze an axis": (lambda x: x.squeeze(-1), (1, 2, 1)),
    "squeeze axes": (lambda x: np.squeeze(x, (0, -1)), (1, 2, 1)),
    "broadcast_to": (lambda x: np.broadcast_to(x, (2, 2, 3)), (2, 1)),
    "broadcast_to nothing": (lambda x: np.broadcast_to(x, (0, 3)), (1, 3)),
    "astype": (lambda x: x.astype(np.float64), (2, 3)),
    "concatenate": (lambda x: np.concatenate([x, x * x, np.ones_like(x)]), (2, 3)),
    "concatenate at the end": (lambda x: np.concatenate([x, np.zeros_like(x)[:, :0], x], axis=-1), (2, 3)),
    "stack": (lambda x: np.stack([x, np.ones_like(x), x * x]), (3,)),
    "stack scalars": (lambda x: np.stack([x, x]), ()),
    "stack at the end": (lambda x: np.stack([x, x * x], axis=-1), (2, 2)),
    "stack in between": (lambda x: np.stack((x, x), 1), (2, 2)),
    "nothing of nothing": (lambda x: np.concatenate([x, x]), (0, 2)),
}

REDUCTIONS = [
    ((), None), ((3,), 0), ((3,), None), ((2, 3), None), ((2, 3), 1), ((2, 3), -2), ((2, 2, 3), (0, 2)),
    ((2, 2, 3), (-1, 1)), ((2, 3), ()), ((0, 3), 1), ((2, 3), (0, 1)),
]  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,), (2, 0)])
def test_elementwise_operator_has_numpys_value_and_two_right_derivatives(name, shape):
    function, points = UNARY[name]
    check(function, points(*shape))


@pytest.mark.parametrize("name", UNARY)
def test_elementwise_operator_takes_any_memory_layout(name):
    function, points = UNARY[name]
    for array in (
        points(4, 3)[::2, ::-1],
        points(6)[::-2],
        points(2, 3).T,
        np.broadcast_to(points(2), (2, 2)),
    ):
        check(function, array)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("shapes", PAIRS, ids=str)
def test_binary_operator_broadcasts_in_value_and_two_derivatives(name, shapes):
    function, points = BINARY[name]
    check(function, points(*shapes[0]), points(*shapes[1]) * 1.01)


@pytest.mark.parametrize("shapes", MATMUL, ids=str)
def test_matmul_has_right_derivatives_in_every_form(shapes):
    check(operator.matmul, wide(*shapes[0]), wide(*shapes[1]))


def test_matmul_takes_transposed_and_reversed_factors():
    check(np.matmul, wide(3, 2).T, wide(2, 3)[::-1, ::-1].T)


@pytest.mark.parametrize("index", INDEXES, ids=str)
def test_getitem_has_right_derivatives_for_every_index(index):
    check(lambda x: x[index], wide(3, 4))


@pytest.mark.parametrize("index", INDEXES, ids=str)
def test_add_at_adds_where_getitem_takes(index):
    taken = np.zeros((3, 4))[index]
    x = Variable(wide(*taken.shape))
    y = ops.add_at(x, index, (3, 4))
    expected = np.zeros((3, 4))
    np.add.at(expected, index, x.data)
    np.testing.assert_array_equal(y.data, expected)
    (weights,) = random_like([expected])
    y.grad = weights
    y.backward()
    np.testing.assert_array_equal(x.grad, weights[index])


@pytest.mark.parametrize("name", SHAPED)
def test_shape_operator_has_numpys_value_and_right_derivatives(name):
    function, shape = SHAPED[name]
    check(function, wide(*shape))


@pytest.mark.parametrize("axis", [None, 0, -1])
def test_concatenate_and_its_gradients_follow_the_axis(axis):
    check(lambda x, y: np.concatenate([x, y], axis=axis), wide(2, 2), wide(2, 2) + 1)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("shape", "axis"), REDUCTIONS, ids=str)
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
def test_reduction_has_right_derivatives_along_every_axis(name, shape, axis, keepdims):
    function = getattr(np, name)
    check(lambda x: function(x * x, axis=axis, keepdims=keepdims), uniform(*shape))


@pytest.mark.parametrize("name", ["sum", "max", "min"])
def test_reduction_of_a_0d_array_takes_the_axis_that_numpy_takes(name):
    check(lambda x: getattr(np, name)(x * x, axis=-1), np.array(0.7))


@pytest.mark.parametrize("name", ["sum", "mean"])
def test_reduction_of_nothing_is_as_numpys(name):
    x = Variable(np.zeros((3, 0)))
    y = getattr(x, name)(axis=0)
    y.backward()
    assert (y.shape, x.grad.shape) == ((0,), (3, 0))


def test_clip_and_where_differentiate_their_bounds_and_choices():
    x, low, high = wide(5), np.array([[-1.0], [-0.5]]), np.array(0.6)
    check(lambda x, low, high: np.clip(x, low, high), x, low, high)
    check(lambda x, low: np.clip(x, low, None), x, low)
    check(lambda x, high: np.clip(x, None, high), x, high)
    check(lambda x, y, z: np.where(x > 0, x * y, z), x, wide(1, 5), wide(2, 1))


def test_repeated_input_gets_each_gradient():
    check(lambda x: x * x, wide(3))
    check(lambda x: x @ x, wide(2, 2))
    check(lambda x: np.concatenate([x, x[::-1], x]), wide(2, 2))
    check(lambda x: np.where(np.array([True, False]), x, x * x), wide(2))


FLOAT32 = {
    **{name: (function, [points(2, 3)]) for name, (function, points) in UNARY.items()},
    **{name: (function, [points(2, 3), points(3)]) for name, (function, points) in BINARY.items()},
    **{
        name: (function, [wide(*shape)]) for name, (function, shape) in SHAPED.items() if "astype" not in name
    },
    "matmul": (operator.matmul, [wide(2, 3), wide(3)]),
    "getitem": (lambda x: x[[0, 0]], [wide(2, 3)]),
    "sum": (lambda x: (x * x).sum(0), [wide(2, 3)]),
    "mean": (lambda x: np.mean(x * x), [wide(2, 3)]),
    "max": (lambda x: np.max(x * x, 1), [wide(2, 3)]),
    "min": (lambda x: np.min(x * x), [wide(2, 3)]),
}


@pytest.mark.parametrize("name", FLOAT32)
def test_float32_stays_float32_in_two_derivatives(name):
    function, arrays = FLOAT32[name]
    arrays = [a.astype(np.float32) for a in arrays]
    y = function(*map(Variable, arrays))
    assert y.dtype == np.asarray(function(*arrays)).dtype == np.float32
    weights = np.ones(y.shape, np.float32)
    found = vjp(function, arrays, weights) + hvp(function, arrays, weights, arrays)
    expected = [a.astype(np.float64) for a in arrays]
    weights = np.ones(y.shape)
    expected = vjp(function, expected, weights) + hvp(function, expected, weights, expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == np.float32 or not a.any()
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5)
