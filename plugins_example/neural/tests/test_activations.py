"""Activations at hard points: values and derivatives by mpmath, far out, at kinks, and refusals."""

import mpmath
import numpy as np
import pytest

from registry import Variable
from registry.plugins import neural

ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805
mp = mpmath.mp


def derivatives(function, x, dtype=np.float64):
    """Give value, first and second derivative of a function of one number."""
    v = Variable(np.array(x, dtype))
    y = function(v)
    y.backward(create_graph=True)
    first = v.grad
    v.cleargrad()
    if first.creator is not None:
        first.backward()
    second = 0.0 if v.grad is None else v.grad
    assert y.dtype == first.dtype == dtype
    return float(y.data), float(first.data), float(second)


def gradient(function, *xs):
    """Give the gradient of the sum of a function's result by its first argument."""
    v = Variable(np.array(xs[0], float))
    np.sum(function(v, *xs[1:])).backward()
    return v.grad


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def softplus(x):
    return mpmath.log1p(mpmath.exp(x))


EXACT = {
    "sigmoid": sigmoid,
    "softplus": softplus,
    "log_sigmoid": lambda x: -softplus(-x),
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * mpmath.tanh(softplus(x)),
    "gelu": lambda x: x * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + 0.044715 * x**3))) / 2,
    "exact_gelu": lambda x: x * mpmath.ncdf(x),
    "log1mexp": lambda x: mpmath.log(1 - mpmath.exp(-x)),
    "squareplus": lambda x: (x + mpmath.sqrt(x * x + 4)) / 2,
    "soft_sign": lambda x: x / (1 + abs(x)),
    "elu": lambda x: x if x > 0 else mpmath.expm1(x),
    "celu": lambda x: x if x > 0 else mpmath.expm1(x / 2) * 2,
    "selu": lambda x: SCALE * (x if x > 0 else ALPHA * mpmath.expm1(x)),
    "sparse_plus": lambda x: 0 * x if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4,
}
OURS = {
    **{name: getattr(neural, name) for name in EXACT if name != "exact_gelu"},
    "exact_gelu": lambda x: neural.gelu(x, approximate=False),
    "celu": lambda x: neural.celu(x, 2.0),
}


@pytest.mark.parametrize(
    ("name", "points", "orders"),  # orders: how many derivatives keep all of their digits there
    [
        ("sigmoid", (-700.0, -40.0, -1.0, -1e-9, 0.0, 0.3, 20.0, 40.0, 700.0), 3),
        ("softplus", (-700.0, -40.0, -1e-9, 0.0, 0.3, 20.0, 40.0, 700.0), 3),
        ("log_sigmoid", (-700.0, -40.0, 0.0, 0.3, 20.0, 40.0, 700.0), 3),
        ("silu", (-700.0, -40.0, -1e-9, 0.0, 2.0, 40.0, 700.0), 3),
        ("mish", (-700.0, -40.0, -1.2, -1e-9, 0.0, 0.3, 20.0, 40.0, 300.0), 3),
        ("gelu", (-12.0, -5.0, -1e-9, 0.0, 0.7, 6.0, 12.0, 40.0), 3),
        ("exact_gelu", (-37.0, -12.0, -5.0, -1e-9, 0.0, 0.7, 5.0), 3),
        ("exact_gelu", (40.0,), 2),
        ("log1mexp", (1e-100, 1e-9, 0.1, 0.6931471, 0.6931472, 3.0, 40.0, 700.0), 2),
        ("log1mexp", (0.1, 0.6931471, 0.6931472, 3.0, 40.0, 700.0), 3),
        ("squareplus", (-1e8, -300.0, 0.0, 1e-9, 2.0, 1e8, 1.7e308), 2),
        ("squareplus", (-1e8, -3.0, 0.0, 2.0, 1e10), 3),
        ("soft_sign", (-1e8, -0.5, 1e-9, 1e8), 3),
        ("elu", (-700.0, -40.0, -1e-9, 3.0), 3),
        ("celu", (-700.0, -40.0, -1e-9, 3.0), 3),
        ("selu", (-40.0, -1e-9, 3.0), 3),
        ("sparse_plus", (-1.5, -0.999, 0.0, 0.5, 3.0), 3),
    ],
)
def test_derivatives_are_exact_at_hard_points(name, points, orders):
    with mp.workdps(330):
        expected = [[float(mpmath.diff(EXACT[name], mp.mpf(x), n)) for n in range(orders)] for x in points]
    found = [derivatives(OURS[name], x)[:orders] for x in points]
    np.testing.assert_allclose(found, expected, rtol=4e-13, atol=1e-300)


LIMITS = {  # value and first derivative far out, left and right
    "sigmoid": ((0, 0), (1, 0)),
    "softplus": ((0, 0), ("x", 1)),
    "log_sigmoid": (("x", 1), (0, 0)),
    "silu": ((0, 0), ("x", 1)),
    "mish": ((0, 0), ("x", 1)),
    "gelu": ((0, 0), ("x", 1)),
    "exact_gelu": ((0, 0), ("x", 1)),
    "elu": ((-1, 0), ("x", 1)),
    "celu": ((-2, 0), ("x", 1)),
    "sparse_plus": ((0, 0), ("x", 1)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [2e3, 1e30])
@pytest.mark.parametrize("name", LIMITS)
def test_far_out_there_is_the_limit_without_a_warning(name, size, dtype):
    for x, limit in zip((-size, size), LIMITS[name], strict=True):
        value, slope = (float(dtype(x)) if number == "x" else number for number in limit)
        np.testing.assert_array_equal(derivatives(OURS[name], x, dtype), (value, slope, 0))


@pytest.mark.parametrize(
    ("function", "points", "expected"),  # what JAX and PyTorch give; PyTorch where they differ
    [
        (neural.relu, (-1, 0, 1), (0, 0, 1)),
        (neural.leaky_relu, (-1, 0, 1), (0.01, 0.01, 1)),
        (neural.hard_tanh, (-2, -1, 0, 1, 2), (0, 0, 1, 0, 0)),
        (lambda x: neural.hard_tanh(x, -0.5, 3), (-0.5, 0, 1, 3), (0, 1, 1, 0)),
        (neural.relu6, (-1, 0, 3, 6, 7), (0, 0, 1, 0, 0)),
        (neural.hard_sigmoid, (-4, -3, 0, 3, 4), (0, 0, 1 / 6, 0, 0)),
        (neural.hard_silu, (-4, -3, 0, 1.5, 3, 4), (0, 0, 0.5, 1, 1, 1)),
        (neural.hard_swish, (-4, -3, 0, 1.5, 3, 4), (0, 0, 0.5, 1, 1, 1)),
        (neural.sparse_sigmoid, (-2, -1, 0, 1, 2), (0, 0, 0.5, 0, 0)),
        (neural.sparse_plus, (-2, -1, 0, 1, 2), (0, 0, 0.5, 1, 1)),
        (lambda x: neural.elu(x, 2.0), (0, 1), (2, 1)),
        (lambda x: neural.celu(x, 2.0), (0, 1), (1, 1)),
        (neural.selu, (0, 1), (SCALE * ALPHA, SCALE)),
        (neural.soft_sign, (-1, 0, 1), (0.25, 1, 0.25)),
    ],
)
def test_gradients_at_kinks(function, points, expected):
    np.testing.assert_allclose(gradient(function, points), expected, rtol=1e-15)


def test_second_derivatives_at_kinks_are_those_of_the_left_side():
    assert derivatives(lambda x: neural.elu(x, 2.0), 0.0) == (0, 2, 2)
    assert derivatives(lambda x: neural.celu(x, 2.0), 0.0) == (0, 1, 0.5)


def test_bounded_functions_in_parts():
    x = np.array([-4.0, -2.0, 0.0, 1.5, 4.0])
    np.testing.assert_allclose(neural.hard_sigmoid(x).data, [0, 1 / 6, 0.5, 0.75, 1])
    np.testing.assert_allclose(neural.hard_silu(Variable(x)).data, [0, -1 / 3, 0, 1.125, 4])
    np.testing.assert_allclose(neural.sparse_sigmoid(x).data, [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(neural.relu6(2 * x).data, [0, 0, 0, 3, 6])


def test_integers_and_booleans_are_numbers():
    for x in (np.array([0, 3, 200], np.uint8), np.array([False, True])):
        for name in ("sigmoid", "softplus", "silu", "mish", "gelu", "soft_sign"):
            np.testing.assert_allclose(OURS[name](x).data, OURS[name](x.astype(float)).data, rtol=1e-2)
    np.testing.assert_array_equal(neural.relu(np.array([-2, 3])).data, [0, 3])


def test_glu_halves_an_axis():
    x = np.array([[1.0, 2.0], [3.0, 4.0], [0.0, 100.0], [-100.0, 0.0]])
    np.testing.assert_allclose(neural.glu(x, axis=0).data, [[0.5, 2], [0, 2]], atol=1e-40)
    np.testing.assert_allclose(neural.glu(x).data[0, 0], 1 / (1 + np.exp(-2.0)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: neural.glu(Variable(np.ones((2, 3)))), "glu: x has length 3 along axis -1"),
        (lambda: neural.hard_tanh(1.0, 2, 1), "'hard_tanh'.*lower_bound <= upper_bound, got 2 and 1"),
        (lambda: neural.celu(1.0, 0), "'celu'.*alpha other than 0"),
        (lambda: neural.squareplus(1.0, 0), "'squareplus'.*b > 0, got 0.*relu"),
    ],
)
def test_refusals_say_what_is_expected(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_of_large_scores(dtype):
    x = np.array([[1000, 1001, 999], [-1e30, 0, -1e30]], dtype)
    e = np.exp([0, 1, -1])
    expected = np.array([e / e.sum(), [0, 1, 0]])
    y, logarithm = neural.softmax(x).data, neural.logsoftmax(x).data
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    np.testing.assert_allclose(logarithm[0], np.log(e / e.sum()), rtol=1e-6)
    np.testing.assert_array_equal(logarithm[1], np.array([-1e30, 0, -1e30], dtype))
    assert y.dtype == logarithm.dtype == dtype


def test_softmax_gives_excluded_scores_no_share_and_no_gradient():
    v = Variable(np.array([0.0, -np.inf, 1.0]))
    y = neural.softmax(v)
    y[2].backward()
    p = 1 / (1 + np.exp(-1.0))
    np.testing.assert_allclose(y.data, [1 - p, 0, p])
    np.testing.assert_allclose(v.grad, [p * (p - 1), 0, p * (1 - p)])


def test_softmax_along_several_axes_sums_to_one():
    x = np.arange(24.0).reshape(2, 3, 4)
    for axis in (0, -2, (0, 2), None):
        np.testing.assert_allclose(np.sum(neural.softmax(x, axis).data, axis), 1)
        np.testing.assert_allclose(
            neural.logsoftmax(x, axis).data, x - np.log(np.sum(np.exp(x), axis, keepdims=True)), atol=1e-13
        )


def test_logmeanexp_of_large_numbers():
    x = np.array([[1000.0, 1000.0], [1000.0, -np.inf]])
    np.testing.assert_allclose(neural.logmeanexp(x, axis=1).data, [1000, 1000 - np.log(2)], rtol=1e-15)
    np.testing.assert_allclose(gradient(neural.logmeanexp, x), [[1 / 3, 1 / 3], [1 / 3, 0]], rtol=1e-12)
    with mp.workdps(50):
        expected = [float(mpmath.log((mpmath.exp(x) + mpmath.exp(2)) / 2)) for x in (-800, 0, 1.5)]
    found = neural.logmeanexp(np.array([[-800.0, 2.0], [0.0, 2.0], [1.5, 2.0]]), 1).data
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_logmeanexp_of_minus_infinity_alone():
    x = [-np.inf, -np.inf]
    assert neural.logmeanexp(np.array(x)).data == -np.inf
    np.testing.assert_array_equal(gradient(neural.logmeanexp, x), [0, 0])


def test_logmeanexp_counts_what_the_mask_lets_through():
    x, mask = (
        np.array([[1.0, 5e3, 2.0], [0.0, 1.0, 0.0]]),
        np.array([[True, False, True], [False, True, False]]),
    )
    v = Variable(x.astype(np.float32))
    y = neural.logmeanexp(v, axis=1, where=mask, keepdims=True)
    np.sum(y).backward()
    share = np.exp(1) / (np.exp(1) + np.exp(2))
    np.testing.assert_allclose(y.data, [[np.log((np.exp(1) + np.exp(2)) / 2)], [1]], rtol=1e-6)
    np.testing.assert_allclose(v.grad, [[share, 0, 1 - share], [0, 1, 0]], rtol=1e-6)
    assert y.dtype == np.float32
