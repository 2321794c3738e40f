"""Shapes, joining, splitting, indexing, rearranging, building: parameters and conventions of NumPy's own."""

import itertools

import numpy as np
import pytest

from registry import ConversionError, NoOperatorError, Variable, grad, ops

windows = np.lib.stride_tricks.sliding_window_view

# Each is linear in x, so that sum(w * f(dx)) = sum(gx * dx) without rounding of a difference.
LINEAR = {
    "reshape F": lambda x: np.reshape(x, (3, 2), order="F"),
    "method reshape F": lambda x: x.reshape(-1, 2, order="F"),
    "ravel F": lambda x: np.ravel(x, "F"),
    "method ravel": lambda x: x.ravel(),
    "flatten F": lambda x: x.flatten("F"),
    "astype without a copy": lambda x: x.astype(np.complex128, copy=False),
    "moveaxis of several": lambda x: np.moveaxis(x[np.newaxis], [0, -1], [-1, 0]),
    "rollaxis to the end": lambda x: np.rollaxis(x, 0, 2),
    "permute_dims": lambda x: np.permute_dims(x, (1, 0)),
    "matrix_transpose": lambda x: np.matrix_transpose(x[np.newaxis]),
    "atleast_3d of a row": lambda x: np.atleast_3d(x[0]),
    "broadcast_arrays": lambda x: np.broadcast_arrays(x, x[0], 1.0 * x[:, :1])[1],
    "concat": lambda x: np.concat([x, x], axis=None),
    "block of numbers and rows": lambda x: np.block([[x, x[:, :1]], [0 * x[:1], x[:1, 1:2]]]),
    "block of one": np.block,
    "vstack of an array": lambda x: np.vstack(x[:, np.newaxis]),
    "hstack of vectors": lambda x: np.hstack([x[0], x[1, :2]]),
    "dstack": lambda x: np.dstack((x, 2 * x)),
    "column_stack": lambda x: np.column_stack([x[:, 0], x]),
    "split at overlapping places": lambda x: np.concatenate(np.split(x, [2, 1], axis=1), axis=1),
    "array_split into many": lambda x: np.array_split(x.ravel(), 4)[1],
    "hsplit": lambda x: np.hsplit(x, 3)[2],
    "vsplit": lambda x: np.vsplit(x, [1])[0],
    "dsplit": lambda x: np.dsplit(x[np.newaxis], 3)[1],
    "unstack": lambda x: np.unstack(x, axis=-1)[1],
    "take of a matrix of places": lambda x: np.take(x, [[0, 5], [5, -1]]),
    "take wrapped": lambda x: x.take([7, -4], axis=1, mode="wrap"),
    "take clipped": lambda x: np.take(x, np.array([7, -4]), 0, mode="clip"),
    "take of one": lambda x: np.take(x, 1, axis=1),
    "take_along_axis broadcast": lambda x: np.take_along_axis(x[:1], np.array([[2], [0]]), 1),
    "take_along_axis flattened": lambda x: np.take_along_axis(x, np.array([5, 5]), None),
    "choose from an array": lambda x: np.choose([1, 0, 1], x),
    "compress": lambda x: np.compress([True, False, True], x, axis=1),
    "extract": lambda x: np.extract([[1, 0, 1], [0, 0, 2]], x),
    "diagonal of the last axes": lambda x: x[np.newaxis].diagonal(1, -1, 1),
    "select": lambda x: np.select([[True, False, False], [True, True, False]], [x[0], x[1]], 0),
    "windows": lambda x: windows(x, (2, 2)),
    "windows, an axis twice": lambda x: windows(x, (2, 2), axis=(1, 1)),
    "apply_along_axis to lists": lambda x: np.apply_along_axis(lambda v: [v[0], v[1] - v[0]], 1, x),
    "apply_along_axis with arguments": lambda x: np.apply_along_axis(np.take, 0, x, [1, 1, 0]),
    "tile": lambda x: np.tile(x, (2, 1, 2)),
    "repeat by counts": lambda x: np.repeat(x, [2, 0, 1], axis=-1),
    "repeat by one count in a list": lambda x: np.repeat(x, [2], axis=0),
    "method repeat": lambda x: x.repeat(2),
    "delete a slice": lambda x: np.delete(x, slice(0, 2), axis=1),
    "delete by a mask": lambda x: np.delete(x, [True, False, True], 1),
    "insert twice at one place": lambda x: np.insert(x, [1, 1], x[:, :2], axis=1),
    "insert a row": lambda x: np.insert(x, -1, x[0] + 0, axis=0),
    "insert flattened": lambda x: np.insert(x, 2, x[0]),
    "insert what has more axes": lambda x: np.insert(x[0], 1, x[:1, :1]),
    "append": lambda x: np.append(x, x[:, :1], axis=1),
    "append flattened": lambda x: np.append(x, x[0]),
    "resize": lambda x: np.resize(x, (4, 2)),
    "pad by 0": lambda x: np.pad(x, ((1, 0), (0, 2))),
    "pad once for all": lambda x: np.pad(x, [1]),
    "pad by reflection, several times": lambda x: np.pad(x, (3, 4), "reflect"),
    "pad symmetrically": lambda x: np.pad(x, ((0,), (4,)), "symmetric"),
    "pad around": lambda x: np.pad(x, 5, mode="wrap"),
    "pad by the edge": lambda x: np.pad(x, ((0, 0), (1, 2)), mode="edge"),
    "flip of both": lambda x: np.flip(x, (0, -1)),
    "fliplr": np.fliplr,
    "flipud": np.flipud,
    "roll of two axes": lambda x: np.roll(x, (1, 2), axis=(0, 1)),
    "roll twice along one": lambda x: np.roll(x, 1, axis=(1, 1)),
    "rot90 backwards": lambda x: np.rot90(x, 3, axes=(1, 0)),
    "linspace from a row to a row": lambda x: np.linspace(x[0], x[1], 4, axis=-1),
    "linspace to the one before the end": lambda x: np.linspace(x[:, :1], x[0], 3, endpoint=False),
    "meshgrid": lambda x: np.meshgrid(x[0], x[1, :2])[1],
    "meshgrid ij, sparse": lambda x: np.meshgrid(x[0], x[1], indexing="ij", sparse=True)[1],
    "diag of a vector": lambda x: np.diag(x[0], -2),
    "diag of a matrix": lambda x: np.diag(x, 1),
    "diagflat": lambda x: np.diagflat(x, 1),
    "tril": lambda x: np.tril(x, -1),
    "triu of a vector": lambda x: np.triu(x[0]),
    "polyval in the coefficients": lambda x: np.polyval(x.ravel(), 2.0),
    "polymul by no coefficients": lambda x: np.polymul(x[0], x[0, :0]),
}  # fmt: skip


def numbers(shape, dtype, seed):
    drawn = np.random.default_rng(seed).normal(size=(2, *shape))
    return np.asarray(drawn[0] + 1j * drawn[1] if np.dtype(dtype).kind == "c" else drawn[0], dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
@pytest.mark.parametrize("name", LINEAR)
def test_values_types_and_gradients_of_rearranged_elements(name, dtype):
    f = LINEAR[name]
    x, dx = numbers((2, 3), dtype, 0), numbers((2, 3), dtype, 1)
    v = Variable(x)
    y, expected = f(v), np.asarray(f(x))
    assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
    close = 1e-5 if dtype == "f4" else 1e-13
    np.testing.assert_allclose(y.data, expected, close, close)
    w = numbers(y.shape, y.dtype, 2)
    np.sum(y * w).backward()
    assert (v.grad.shape, v.grad.dtype) == (x.shape, x.dtype)
    right = np.sum(w * f(dx))
    np.testing.assert_allclose(
        np.sum(v.grad * dx), right if dtype == "c16" else right.real, 10 * close, close
    )


@pytest.mark.parametrize("name", LINEAR)
def test_integers_are_rearranged_as_numpy_does(name):
    x = np.arange(6).reshape(2, 3)
    y, expected = LINEAR[name](Variable(x)), np.asarray(LINEAR[name](x))
    assert y.dtype == expected.dtype
    np.testing.assert_array_equal(y.data, expected)


@pytest.mark.parametrize("f", [np.atleast_1d, np.atleast_2d, np.atleast_3d, np.broadcast_arrays, np.meshgrid])
@pytest.mark.parametrize("shapes", [((), (3,)), ((2,), ()), ((3,), (1,), (2,))])
def test_several_arrays_at_once(f, shapes):
    if f is np.broadcast_arrays and len(shapes) > 2:
        shapes = (2, 1), (3,), ()
    xs = [numbers(shape, "f8", i) for i, shape in enumerate(shapes)]
    vs = [Variable(x) for x in xs]
    ys, expected = f(*vs), f(*xs)
    assert type(ys) is type(expected)
    for y, right, v in zip(ys, expected, vs, strict=True):
        np.testing.assert_array_equal(y.data, right)
        np.sum(y).backward()
        np.testing.assert_allclose(v.grad, np.full(v.shape, right.size / v.size))


def test_results_of_one_array_are_as_numpys():
    v = Variable(np.zeros(3))
    assert isinstance(np.atleast_1d(v), Variable)
    assert isinstance(np.meshgrid(v), tuple)
    assert isinstance(np.split(v, 3), list)
    assert isinstance(np.unstack(v), tuple)
    assert np.unstack(Variable(np.zeros((0, 2)))) == ()
    np.testing.assert_array_equal(np.where(Variable(np.array([0.0, 2.0])))[0], [1])


def test_block_takes_lists_of_one_depth_only():
    v = Variable(np.zeros(2))
    with pytest.raises(ValueError, match="depth"):
        np.block([[v], v])


@pytest.mark.parametrize("trim", ["fb", "f", "b", "BF"])
@pytest.mark.parametrize("x", [[0.0, 1.0, 0.0, 2.0, 0.0, 0.0], [0.0, 0.0], []])
def test_trim_zeros(x, trim):
    v = Variable(np.array(x))
    y, expected = np.trim_zeros(v, trim), np.trim_zeros(v.data, trim)
    np.testing.assert_array_equal(y.data, expected)
    y.backward()
    assert v.grad.sum() == expected.size


def test_pad_by_constants():
    widths, constants = {0: (1, 2)}, ((3.0, 4.0), (0.0, 0.0))
    x = Variable(np.array([[np.inf, -1.0]]))
    y = np.pad(x, ((1, 2), (0, 0)), constant_values=constants)
    np.testing.assert_array_equal(y.data, np.pad(x.data, ((1, 2), (0, 0)), constant_values=constants))
    y.backward()
    np.testing.assert_array_equal(x.grad, [[1, 1]])
    np.testing.assert_array_equal(np.pad(x, widths, "edge").data, np.pad(x.data, ((1, 2), (0, 0)), "edge"))
    np.testing.assert_array_equal(np.pad(x, {-1: 1}).data, np.pad(x.data, ((0, 0), (1, 1))))


NEW = np.lib.NumpyVersion(np.__version__) >= "2.4.0"  # whose pad takes a dict
PADDED = {
    "reflected": ((3, 4), "reflect", {"reflect_type": "even"}),
    "reflected oddly": ((2, 1), "reflect", {"reflect_type": "odd"}),
    "reflected oddly, several times": ((7, 9), "reflect", {"reflect_type": "odd"}),
    "symmetric and odd": (((0, 1), (8, 7)), "symmetric", {"reflect_type": "odd"}),
    "a ramp": (((2, 0), (1, 3)), "linear_ramp", {}),
    "ramps to ends": (2, "linear_ramp", {"end_values": ((1, 2), (-3, 4))}),
    "maximum": ((0, 2), "maximum", {}),
    "maximum of some": (2, "maximum", {"stat_length": ((1, 2), (2, 9))}),
    "minimum": ({1: 2} if NEW else ((0, 0), (2, 2)), "minimum", {"stat_length": 2}),
    "mean": (((1, 2), (3, 0)), "mean", {}),
    "mean of some": ((1, 2), "mean", {"stat_length": (2, 1)}),
    "median": (1, "median", {}),
    "median of some": (1, "median", {"stat_length": 2}),
}


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8"])
@pytest.mark.parametrize("name", PADDED)
def test_pad_in_every_mode_of_numpy(name, dtype):
    widths, mode, options = PADDED[name]
    for shape in [(2, 3), (1, 4), (3, 1)]:
        x = (10 * numbers(shape, "f8", 0)).astype(dtype)
        y, expected = np.pad(Variable(x), widths, mode, **options), np.pad(x, widths, mode, **options)
        assert y.dtype == expected.dtype
        np.testing.assert_allclose(y.data, expected, 1e-5 if dtype == "f4" else 1e-13, 1e-12)


def test_pad_oddly_around_an_infinite_edge_of_one():
    x = np.array([np.inf])
    np.testing.assert_array_equal(np.pad(Variable(x), 2, "symmetric", reflect_type="odd").data, [np.inf] * 5)


def test_pad_puts_nothing_around_a_number():
    assert np.pad(Variable(np.array(2.0)), 1).data == np.pad(2.0, 1) == 2.0


@pytest.mark.parametrize("mode", ["empty", lambda *a: None])
def test_pad_refuses_other_modes_by_name(mode):
    with pytest.raises(NoOperatorError, match="modes 'constant', 'edge'"):
        np.pad(Variable(np.ones(2)), 1, mode)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda v: np.ravel(v, order="K"), "'C' or 'F'"),
        (lambda v: np.reshape(v, -1, order="A"), "'C' or 'F'"),
        (lambda v: np.take(v, 0, out=np.zeros(())), "out="),
        (lambda v: np.vstack([v, v], dtype=np.float32), "dtype="),
        (lambda v: np.linspace(v, 1, dtype=np.float32), "dtype="),
        (lambda v: np.sort(v, order="x"), "order="),
    ],
)
def test_what_is_not_taken_is_refused_by_name(call, said):
    with pytest.raises(NoOperatorError, match=said):
        call(Variable(np.ones((2, 3))))


@pytest.mark.parametrize(
    "call",
    [
        lambda v: np.matrix_transpose(v[0]),
        lambda v: np.vsplit(v[0], 1),
        lambda v: np.diagonal(v[0]),
        lambda v: np.diag(v[np.newaxis]),
        lambda v: np.take(v, 9),
        lambda v: np.take_along_axis(v, np.array([0]), 0),
        lambda v: np.choose([2], v),
        lambda v: np.select([[1, 0, 1]], [v[0]]),
        lambda v: np.select([], []),
        lambda v: np.insert(v, 9, 0.0),
        lambda v: np.trim_zeros(v, "x"),
        lambda v: np.rot90(v, axes=(0, -2)),
        lambda v: np.rot90(v[0, 0]),
        lambda v: np.geomspace(v, 0.0),
        lambda v: np.meshgrid(v[0], indexing="yx"),
        lambda v: np.vander(v),
        lambda v: np.split(v, 4),
        lambda v: np.apply_along_axis(np.sum, 0, v[:, :0]),
        lambda v: np.piecewise(v, [v > 0], [1.0, 2.0, 3.0]),
        lambda v: np.where(v > 0, v),
        lambda v: np.compress([[True]], v),
        lambda v: np.take(v, 0, axis=2),
        lambda v: np.take_along_axis(v, np.zeros((2, 3), int), 2),
        lambda v: np.repeat(v, 2, axis=2),
        lambda v: np.delete(v, 0, 3),
        lambda v: np.insert(v, 0, 1.0, axis=2),
        lambda v: np.trim_zeros(v, axis=7),
        lambda v: np.tile(v, 1.5),
        lambda v: np.tril(v[0, 0]),
        lambda v: np.vander(v[0], -1),
        lambda v: np.linspace(v, 1.0, -1),
        lambda v: np.geomspace(v, 1.0, -1),
        lambda v: np.sort(v, kind="bogus"),
        lambda v: np.sort(v, kind="stable", stable=True),
        lambda v: np.partition(v, 1, kind="bogus"),
        lambda v: np.pad(v, 1, "edge", constant_values=1),
        lambda v: np.pad(v, 1, "maximum", stat_length=0),
        lambda v: v.astype(int, casting="safe"),
    ],
)
def test_mistakes_raise_what_numpy_raises(call):
    x = np.ones((2, 3))
    with pytest.raises((ValueError, IndexError, TypeError)) as right:
        call(x)
    with pytest.raises((ValueError, IndexError, TypeError)) as error:
        call(Variable(x))
    assert isinstance(error.value, type(right.value))


INDICES = {
    "a number": (1,),
    "a slice": slice(None, None, 2),
    "a new axis": (None, ..., 0),
    "a mask": np.array([True, False, True, True]),
    "a mask of all": np.arange(12).reshape(4, 3) % 2 == 0,
    "places": [3, 0],
    "places named twice": ([0, 1, 0, 0], [1, 1, 1, 2]),
    "places crossed": np.ix_([2, 0, 2], [1, 1]),
    "places apart": (slice(1, 3), [2, 0, 2]),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
@pytest.mark.parametrize("of_one", [False, True])
def test_set_item_is_differentiable_in_both(index, of_one):
    x = numbers((4, 3), "f8", 0)
    value = numbers(() if of_one else x[index].shape, "f8", 1)
    expected = x.copy()
    expected[index] = value
    vx, vvalue = Variable(x), Variable(value)
    y = ops.set_item(vx, vvalue, index)
    np.testing.assert_array_equal(y.data, expected)
    w = numbers(x.shape, "f8", 2)
    np.sum(w * y * y).backward()
    # y is linear in both: the parts of it that came from each say where their gradients go
    from_x, from_value = np.zeros_like(x), np.ones_like(x)
    from_x[index], from_value[index] = np.nan, np.nan
    np.testing.assert_allclose(vx.grad, np.where(np.isnan(from_x), 0, 2 * w * x))
    placed = np.isnan(from_value)
    np.testing.assert_allclose(vvalue.grad.sum(), (2 * w * expected)[placed].sum())
    assert vvalue.grad.shape == value.shape


def test_set_item_where_a_place_is_named_twice_gives_the_last_one_the_gradient():
    x, value = Variable(np.zeros(3)), Variable(np.array([1.0, 2.0, 3.0]))
    y = ops.set_item(x, value, [0, 2, 0])
    np.testing.assert_array_equal(y.data, [3, 0, 2])
    y.backward()
    np.testing.assert_array_equal(value.grad, [0, 1, 1])
    np.testing.assert_array_equal(x.grad, [0, 1, 0])


def test_set_item_into_integers_rounds_and_has_no_gradient():
    value = Variable(np.array(2.7))
    y = ops.set_item(Variable(np.array([1, 5])), value, 0)
    np.testing.assert_array_equal(y.data, [2, 5])
    np.sum(y * 1.0).backward()
    assert value.grad is None or value.grad == 0


def test_setting_an_item_in_place_says_what_to_call():
    v = Variable(np.zeros(2))
    with pytest.raises(ConversionError, match=r"ops\.set_item\(v, value, index\)"):
        v[0] = 1.0


def test_piecewise_the_last_condition_wins():
    x = np.array([-2.0, 0.5, 3.0])
    call = lambda x: np.piecewise(x, [x < 1, x < 0], [np.square, np.negative, 7.0])  # noqa: E731
    v = Variable(x)
    y = call(v)
    np.testing.assert_array_equal(y.data, call(x))
    y.backward()
    np.testing.assert_array_equal(v.grad, [-1, 1, 0])


def test_piecewise_of_a_number_and_of_one_condition():
    assert grad(lambda x: np.piecewise(x, [x < 0, x >= 0], [0.0, np.square]))(3.0) == 6.0
    v = Variable(np.array([1.0, 2.0]))
    np.piecewise(v, v > 1, [np.square]).backward()
    np.testing.assert_array_equal(v.grad, [0, 4])


def test_linspace_ends_exactly_and_gives_its_step():
    start, stop = Variable(np.array(0.1)), Variable(np.array(0.7))
    y, step = np.linspace(start, stop, 7, retstep=True)
    assert (y.data[0], y.data[-1]) == (0.1, 0.7)
    step.backward()
    np.testing.assert_allclose([start.grad, stop.grad], [-1 / 6, 1 / 6])
    assert np.isnan(np.linspace(start, 1.0, 1, retstep=True)[1].data)
    assert np.linspace(Variable(np.ones((), np.float32)), 2.0, 3).dtype == np.float32


@pytest.mark.parametrize(
    ("start", "stop"), [(1e-160, 1e160), (-1.0, -8.0), (1j, 8j), (1.0 + 0j, -4.0), ([1.0, 3.0], 2.0)]
)
@pytest.mark.parametrize(("num", "endpoint"), [(4, True), (3, False), (1, True), (0, True)])
def test_geomspace(start, stop, num, endpoint):
    expected = np.geomspace(start, stop, num, endpoint)
    v = Variable(np.asarray(start))
    y = np.geomspace(v, np.asarray(stop), num, endpoint)
    np.testing.assert_allclose(y.data, expected, 1e-12, 1e-14)
    y.backward()
    # y = start ** (1 - t) * stop ** t, so dy / dstart = (1 - t) * y / start
    t = np.linspace(0, 1, num, endpoint).reshape((num,) + (1,) * np.ndim(start))
    np.testing.assert_allclose(v.grad, np.sum((1 - t) * expected / start, axis=0), 1e-12)


def test_logspace_with_a_base_for_each():
    base = np.array([2.0, 3.0])
    v = Variable(base)
    for axis in (0, -1):
        y = np.logspace(0, [2.0, 1.0], 3, base=v, axis=axis)
        np.testing.assert_allclose(y.data, np.logspace(0, [2.0, 1.0], 3, base=base, axis=axis))
    y.backward()
    np.testing.assert_allclose(v.grad, [1 + 2 * 2, 0.5 * 3**-0.5 + 1])


@pytest.mark.parametrize("base", [[2.0, 3.0, 4.0], [[2.0], [3.0]]])
@pytest.mark.parametrize("axis", [0, -1, 1])
def test_a_base_for_each_is_another_axis(base, axis):
    v = Variable(np.array(base))
    y, expected = np.logspace(0, 2, 3, base=v, axis=axis), np.logspace(0, 2, 3, base=v.data, axis=axis)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y.data, expected)
    y.backward()
    np.testing.assert_allclose(v.grad, 1 + 2 * v.data)


def test_ranges_between_integers_and_lists():
    start, stop = np.array([5, 200], np.uint8), np.array([2, 100], np.uint8)
    np.testing.assert_array_equal(np.linspace(Variable(start), stop, 4).data, np.linspace(start, stop, 4))
    np.testing.assert_array_equal(np.linspace([1, 2], Variable(stop), 3).data, np.linspace([1, 2], stop, 3))
    np.testing.assert_allclose(np.geomspace([1, 2], Variable(stop), 3).data, np.geomspace([1, 2], stop, 3))


def test_float32_stays_beside_python_numbers_and_numpy_counts():
    v = Variable(np.array([0.5, 2.0, 3.0], np.float32))
    results = [
        np.linspace(v, 5, np.int64(4)),
        np.geomspace(v, 5, np.int64(4)),
        np.logspace(v, 2, 3),
        np.choose([0, 1, 0], [1.0, v]),
        np.select([[True, False, True], [True, True, False]], [1.5, v], 0.5),
        np.where(v > 1, 0.5, v),
    ]
    assert {y.dtype for y in results} == {np.dtype(np.float32)}


def test_choose_takes_arrays_that_broadcast_and_keeps_their_type():
    a, choices = np.array([[1], [0]]), [np.array([True, False]), np.array(True)]
    y, expected = np.choose(a, [Variable(choices[0]), choices[1]]), np.choose(a, choices)
    assert y.dtype == expected.dtype
    np.testing.assert_array_equal(y.data, expected)
    assert np.choose(a, [Variable(np.ones(2))], mode="clip").shape == (2, 2)


def test_memory_order_and_casting_as_numpy_takes_them():
    x = np.arange(6.0).reshape(2, 3)
    v = Variable(x)
    assert v.copy("F").data.flags.f_contiguous
    assert np.copy(v, order="F").data.flags.f_contiguous
    assert v.astype("f4", "F").data.flags.f_contiguous
    assert v.astype("f4", "C", "same_kind", True, False).dtype == np.float32


def test_the_axis_of_a_number():
    s = np.array(2.0)
    np.testing.assert_array_equal(np.take(Variable(s), [0, 0], axis=0).data, np.take(s, [0, 0], axis=0))
    np.testing.assert_array_equal(np.repeat(Variable(s), 2, axis=-1).data, np.repeat(s, 2, axis=-1))


def test_resize_of_nothing_keeps_the_type():
    x = np.zeros(0, bool)
    y = np.resize(Variable(x), (2, 2))
    assert (y.dtype, y.shape) == (np.resize(x, (2, 2)).dtype, (2, 2))


def test_equal_elements_keep_their_order_and_their_gradients():
    x = Variable(np.array([2.0, 1.0, 2.0, 1.0, 0.0]))
    np.sum(np.sort(x) * np.arange(5.0)).backward()
    np.testing.assert_array_equal(x.grad, [3, 1, 4, 2, 0])
    x.cleargrad()
    np.sum(np.partition(x, (0, 4)) * np.arange(5.0)).backward()
    np.testing.assert_array_equal(np.sort(x.grad), np.arange(5))
    assert x.grad[1] < x.grad[3]
    assert x.grad[0] < x.grad[2]


def test_set_item_of_a_value_with_more_axes_than_the_place():
    x, value = Variable(np.zeros((2, 3))), Variable(np.array([[[5.0]]]))
    y = ops.set_item(x, value, (0, slice(1, 3)))
    np.sum(y * np.arange(6.0).reshape(2, 3)).backward()
    np.testing.assert_array_equal(value.grad, [[[3.0]]])
    np.testing.assert_array_equal(x.grad, [[0, 0, 0], [3, 4, 5]])


def test_vander_and_polyval_at_zero():
    x = Variable(np.array([0.0, 2.0]))
    y = np.vander(x, 4, increasing=True)
    np.testing.assert_array_equal(y.data, np.vander(x.data, 4, increasing=True))
    y.backward()
    np.testing.assert_array_equal(x.grad, [1, 1 + 2 * 2 + 3 * 4])
    second = grad(grad(lambda x: np.polyval([5.0, 1.0, 0.0, 2.0], x)))
    assert [second(0.0), second(2.0)] == [2.0, 62.0]


def test_gradients_of_windows_add_up():
    x = Variable(np.arange(5.0))
    windows(x, 3).backward()
    np.testing.assert_array_equal(x.grad, [1, 2, 3, 2, 1])


def test_second_derivatives_pass_through_every_rearrangement():
    x = np.abs(numbers((2, 3), "f8", 0)) + 0.5
    for name, f in LINEAR.items():
        if "astype" in name:
            continue
        inner = grad(lambda v, f=f: np.sum(f(v * v) * f(v)))
        found = grad(lambda v, inner=inner: np.sum(inner(v) * x))(x)
        step = 1e-5
        expected = [
            (np.sum(inner(x + d) * x) - np.sum(inner(x - d) * x)) / (2 * step)
            for d in (step * e.reshape(2, 3) for e in np.eye(6))
        ]
        np.testing.assert_allclose(found.ravel(), expected, 1e-6, 1e-6, err_msg=name)


def test_one_name_is_one_function():
    assert np.concat is np.concatenate
    assert np.permute_dims is np.transpose
    shapes = itertools.product([(2,), (1, 2)], repeat=2)
    for a, b in shapes:
        assert np.vstack([Variable(np.ones(a)), np.ones(b)]).shape == (2, 2)
