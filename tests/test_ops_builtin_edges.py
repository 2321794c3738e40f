"""The built-in operators where a rule decides: ties, bounds, zeros, dtypes, constants."""

import numpy as np
import pytest

from registry import Variable


def test_clip_gives_the_upper_bound_the_gradient_where_the_bounds_cross():
    x, low, high = (Variable(np.array(a)) for a in ([0.0, 5.0, 2.0], 3.0, 1.0))
    np.clip(x, low, high).backward()
    np.testing.assert_array_equal(x.grad, [0, 0, 0])
    assert (low.grad, high.grad) == (0, 3)


def test_clip_at_a_bound_gives_x_the_gradient():
    x, low, high = (Variable(np.array(a)) for a in ([1.0, 2.0], 1.0, 2.0))
    np.clip(x, low, high).backward()
    np.testing.assert_array_equal(x.grad, [1, 1])
    assert (low.grad, high.grad) == (0, 0)


@pytest.mark.parametrize("function", [np.maximum, np.minimum])
def test_equal_operands_share_the_gradient_by_halves(function):
    x, y = Variable(np.array([1.0, 2.0])), Variable(np.array([1.0, 2.0]))
    function(x, y).backward()
    np.testing.assert_array_equal([x.grad, y.grad], np.full((2, 2), 0.5))


def test_equal_extrema_share_the_gradient_evenly():
    x = Variable(np.array([[3.0, 1.0, 3.0], [3.0, 0.0, 2.0]]))
    np.max(x, axis=1).backward()
    np.testing.assert_array_equal(x.grad, [[0.5, 0, 0.5], [1, 0, 0]])
    y = Variable(-x.data)
    y.min().backward()
    np.testing.assert_allclose(y.grad, np.array([[1, 0, 1], [1, 0, 0]]) / 3)


@pytest.mark.parametrize(
    ("base", "exponent", "by_base", "by_exponent"),
    [
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 1.0, 1.0, 0.0),
        (0.0, 2.0, 0.0, 0.0),
        (2.0, 0.0, 0.0, np.log(2)),
        (-2.0, 3.0, 12.0, np.nan),
        (-2.0, 0.0, 0.0, np.nan),
        (-2.0, -1.0, -0.25, np.nan),
        (1.0, 5.0, 5.0, 0.0),
    ],
)
def test_power_has_its_limits_at_zero_and_no_warning_at_a_negative_base(base, exponent, by_base, by_exponent):
    x, p = Variable(np.array(base)), Variable(np.array(exponent))
    (x**p).backward()
    np.testing.assert_allclose([x.grad, p.grad], [by_base, by_exponent])


def test_power_limits_are_taken_element_by_element():
    x, p = Variable(np.zeros(3)), Variable(np.array([0.0, 1.0, 2.0]))
    (x**p).backward()
    np.testing.assert_array_equal([x.grad, p.grad], [[0, 1, 0], [0, 0, 0]])


@pytest.mark.parametrize("exponent", [0, 1, 2, 3])
def test_power_has_a_second_derivative_at_base_zero(exponent):
    x = Variable(np.array([0.0, -1.5]))
    (x**exponent).backward(create_graph=True)
    first = x.grad
    x.cleargrad()
    first.backward()
    expected = exponent * (exponent - 1) * np.array([0.0, -1.5]) ** max(exponent - 2, 0)
    np.testing.assert_allclose(x.grad, expected)


def test_power_has_one_mixed_derivative_in_either_order():
    found = []
    for first in (0, 1):
        xs = [Variable(np.array([2.0, 3.0])), Variable(np.array([0.0, 2.0]))]
        (xs[0] ** xs[1]).backward(create_graph=True)
        g = xs[first].grad
        for x in xs:
            x.cleargrad()
        g.backward()
        found.append(xs[1 - first].grad)
    np.testing.assert_allclose(found, [[1 / 2, 3 * (1 + 2 * np.log(3))]] * 2)


SCALARS = {
    "x + 2.0": lambda x: x + 2.0,
    "2 - x": lambda x: 2 - x,
    "2.5 * x": lambda x: 2.5 * x,
    "x / 2": lambda x: x / 2,
    "2 / x": lambda x: 2 / x,
    "x ** 2": lambda x: x**2,
    "x ** 2.0": lambda x: x**2.0,
    "2 ** x": lambda x: 2**x,
    "2.0 ** x": lambda x: 2.0**x,
    "x % 2": lambda x: x % 2,
    "5 % x": lambda x: 5 % x,
    "x + True": lambda x: x + True,
    "x + 1j": lambda x: x + 1j,
    "array * x": lambda x: np.array(3.0) * x,
    "x - array": lambda x: x - np.array(3.0),
    "float64 * x": lambda x: np.float64(3) * x,
    "float32 + x": lambda x: np.float32(3) + x,
    "x - int8": lambda x: x - np.int8(1),
    "clip": lambda x: np.clip(x, 1, 2),
    "clip float": lambda x: np.clip(x, 1.0, None),
    "maximum": lambda x: np.maximum(x, 2),
    "minimum": lambda x: np.minimum(1.5, x),
    "where": lambda x: np.where(x > 1, x, 0),
    "where int": lambda x: np.where(np.array([1, 0, 1]), 0.0, x),
    "where float": lambda x: np.where(np.array([1.0, 0.0, 1.0]), x, 1.0),
    "where list": lambda x: np.where([True, False, True], x, 1),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int8, np.uint8])
@pytest.mark.parametrize("name", SCALARS)
def test_python_scalars_are_weak_and_numpy_scalars_are_not(name, dtype):
    function = SCALARS[name]
    for array in (np.array([1, 2, 3], dtype), np.array(2, dtype)):
        if array.ndim == 0 and name in ("where int", "where float", "where list"):
            continue
        x = Variable(array)
        y = function(x)
        np.testing.assert_array_equal(y.data, np.asarray(function(array)), strict=True)
        y.backward()
        assert x.grad.shape == x.shape
        assert array.dtype.kind != "f" or x.grad.dtype == dtype


INTEGER = {
    "x + 1": lambda x: x + 1,
    "x - x": lambda x: x - x,
    "2 * x": lambda x: 2 * x,
    "x * x": lambda x: x * x,
    "x / 4": lambda x: x / 4,
    "1 / x": lambda x: 1 / x,
    "x ** 2": lambda x: x**2,
    "x ** x": lambda x: x**x,
    "x ** 0": lambda x: x**0,
    "x ** -1.0": lambda x: x**-1.0,
    "x % 3": lambda x: x % 3,
    "-x": lambda x: -x,
    "square": np.square,
    "abs": abs,
    "maximum": lambda x: np.maximum(x, 2),
    "clip": lambda x: np.clip(x, 2, 3),
    "where": lambda x: np.where(x > 1, x, 0),
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "matmul": lambda x: x @ x,
    "getitem": lambda x: x[[0, 0, 2]],
    "reshape": lambda x: x.reshape(3, 1),
    "concatenate": lambda x: np.concatenate([x, x]),
    "stack": lambda x: np.stack([x, x]),
    "astype": lambda x: x.astype(np.int16),
    "sin": np.sin,
    "log1p": np.log1p,
}


@pytest.mark.parametrize("name", INTEGER)
def test_integer_variable_keeps_numpys_value_and_gets_an_unrounded_float64_gradient(name):
    function, array = INTEGER[name], np.array([1, 2, 3])
    x = Variable(array)
    y = function(x)
    np.testing.assert_array_equal(y.data, np.asarray(function(array)), strict=True)
    y.backward()
    assert x.grad.dtype == np.float64
    same = Variable(array.astype(np.float64))
    (same * 1 if name == "astype" else function(same)).backward()
    np.testing.assert_allclose(x.grad, same.grad)


@pytest.mark.parametrize(("function", "value", "expected"), [(np.square, 100, 200), (np.log1p, 127, 1 / 128)])
def test_derivative_does_not_overflow_in_a_small_integer(function, value, expected):
    x = Variable(np.array([value], np.int8))
    function(x).backward()
    np.testing.assert_allclose(x.grad, [expected])


def test_index_may_be_a_variable_of_integers_or_booleans():
    x, rows = Variable(np.arange(12.0).reshape(3, 4)), Variable(np.array([0, 0, 2]))
    one, mask = Variable(np.array(1)), Variable(np.array([True, False, True]))
    for index in (rows, (rows, 1), (slice(None), rows), one, mask):
        taken = index.data if isinstance(index, Variable) else tuple(getattr(i, "data", i) for i in index)
        x.cleargrad()
        y = x[index]
        np.testing.assert_array_equal(y.data, x.data[taken])
        y.backward()
        expected = np.zeros((3, 4))
        np.add.at(expected, taken, 1.0)
        np.testing.assert_array_equal(x.grad, expected)
    assert rows.grad is None


def test_rounding_conversion_has_no_gradient():
    x = Variable(np.array([1.5, -2.5]))
    y = x * 2 + x.astype(np.int64) + (x.astype(bool)).astype(np.float64)
    np.testing.assert_array_equal(y.data, [5.0, -6.0])
    y.backward()
    np.testing.assert_array_equal(x.grad, [2, 2])


def test_conversion_gives_the_gradient_back_in_the_old_type():
    x = Variable(np.array([1.5, 2.5], np.float32))
    y = (np.astype(x, np.float64) ** 2).sum()
    y.backward()
    assert (y.dtype, x.grad.dtype) == (np.float64, np.float32)
    np.testing.assert_array_equal(x.grad, [3, 5])


def test_constant_condition_and_bounds_get_no_gradient():
    x, condition = Variable(np.array([0.5, -2.0, 3.0])), Variable(np.array([1.0, 0.0, 1.0]))
    y = np.where(condition, x, 0.0) + np.clip(x, np.array(-1.0), 1)
    where, clip = (v.creator for v in y.creator.inputs)
    assert (where.needs_grad, clip.needs_grad) == ((False, True, False), (True, False, False))
    y.backward()
    assert condition.grad is None


def test_gradient_of_one_input_does_not_compute_the_other():
    x = Variable(np.array([-1.0, 0.0]))
    (x ** np.array([2.0, 3.0])).backward()  # the logarithm of the base would be nan
    np.testing.assert_array_equal(x.grad, [-2, 0])
    y = Variable(np.array([1.0, 2.0])) / np.array([1e-200, 1e200])  # x0 / x1**2 would overflow
    y.backward()
