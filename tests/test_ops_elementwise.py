"""Elementwise mathematics where the kit does not look: hard points, ties, infinities, NumPy's parameters."""

import mpmath as mp
import numpy as np
import pytest

import registry
from registry import NoOperatorError, Variable, ops

INF, NAN = np.inf, np.nan


def value_and_two_derivatives(function, x):
    """Give the value of an elementwise function of a Variable, and its derivatives by each element."""
    y = function(x)
    y.backward(create_graph=True)
    first = x.grad
    x.cleargrad()
    first.backward()
    return y.data, first.data, x.grad


def derivatives(function, x):
    """Give value, first and second derivative of a function of one number."""
    return tuple(map(float, value_and_two_derivatives(function, Variable(np.array(x)))))


def gradients(function, *xs):
    """Give the gradient of the sum of a function's result by each input."""
    variables = [Variable(np.array(x)) for x in xs]
    np.sum(function(*variables)).backward()
    return [v.grad for v in variables]


def sec(x):
    return 1 / mp.cos(x)


NEAR_0 = [1e-12, -1e-5, 1e-3, -0.3]
NEAR_1 = [1 - 2**-20, 2**-20 - 1, 0.5]
LARGE = [3.5, -12, 1e3, -1e8, 1e18]
STEEP = [3.5, -12, 40, -85]

HARD_POINTS = {  # in mpmath, which differentiates it with 300 digits, and where
    "reciprocal": (lambda x: 1 / x, NEAR_0 + LARGE),
    "sqrt": (mp.sqrt, [1e-12, 0.3, 1e18]),
    "cbrt": (lambda x: mp.sign(x) * mp.cbrt(abs(x)), [1e-12, -27, 1e18]),
    "exp": (mp.exp, NEAR_0 + STEEP),
    "expm1": (mp.expm1, NEAR_0 + STEEP),
    "exp2": (lambda x: mp.mpf(2) ** x, NEAR_0 + STEEP + [127.5]),
    "log": (mp.log, [1e-12, 0.1, 1, 1e18]),
    "log2": (lambda x: mp.log(x, 2), [1e-12, 0.1, 1e18]),
    "log10": (mp.log10, [1e-12, 0.1, 1e18]),
    "log1p": (mp.log1p, NEAR_0 + [2**-20 - 1, 3.5, 1e18]),
    "sin": (mp.sin, NEAR_0 + [3.5, -12]),
    "cos": (mp.cos, NEAR_0 + [3.5, -12]),
    "tan": (mp.tan, NEAR_0 + [1.57, -12]),
    "arcsin": (mp.asin, NEAR_0 + NEAR_1),
    "arccos": (mp.acos, NEAR_0 + NEAR_1),
    "arctan": (mp.atan, NEAR_0 + LARGE),
    "sinh": (mp.sinh, NEAR_0 + STEEP),
    "cosh": (mp.cosh, NEAR_0 + STEEP),
    "tanh": (mp.tanh, NEAR_0 + [1.5, 20, -40, 300]),
    "arcsinh": (mp.asinh, NEAR_0 + LARGE),
    "arccosh": (mp.acosh, [1 + 2**-20, 1.5, 1e3, 1e18]),
    "arctanh": (mp.atanh, NEAR_0 + NEAR_1),
    "sinc": (mp.sincpi, [0, *NEAR_0, 0.49999, -0.50001, 1, 3.3, -10, 745, 1e6]),
    "i0": (lambda x: mp.besseli(0, x), [0, *NEAR_0, -8.5, 80]),
    "cot": (mp.cot, [-1e-5, 1e-3, 1.57, -12]),
    "sec": (sec, NEAR_0 + [1.5, -12]),
    "csc": (mp.csc, [-1e-5, 1e-3, 1.5, -12]),
    "arccot": (mp.acot, [1e-3, 3.5, 1e8, 1e18]),
    "arcsec": (mp.asec, [1.5, -2, 1e8]),
    "arccsc": (mp.acsc, [1.5, -2, 1e8]),
    "coth": (mp.coth, [-1e-5, 1e-3, 3.5, -12, 40]),
    "sech": (mp.sech, NEAR_0 + STEEP),
    "csch": (mp.csch, [-1e-5, 1e-3, 3.5, -12, 40, -85]),
    "arccsch": (mp.acsch, [-1e-8, 1e-3, 3.5, -1e8]),
    "arcsech": (mp.asech, [1e-8, 1e-3, 0.9, 1 - 2**-24]),
    "arccoth": (mp.acoth, [1.5, -2, 1e8]),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", HARD_POINTS)
def test_derivatives_are_exact_at_hard_points(name, dtype):
    function, points = HARD_POINTS[name]
    x = Variable(np.array(points, dtype))
    found = value_and_two_derivatives(getattr(ops, name), x)
    for order in range(hasattr(np, name), 3):  # the value is NumPy's there
        with mp.workdps(300):
            exact = [
                mp.diff(function, point, order, h=(abs(point) or 1) * mp.mpf(10) ** -30)
                for point in map(mp.mpf, x.data.tolist())
            ]
        assert found[order].dtype == dtype
        tolerance = {"rtol": 40 * np.finfo(dtype).eps, "atol": 4 * np.finfo(dtype).tiny}
        np.testing.assert_allclose(found[order], np.array(exact, np.float64).astype(dtype), **tolerance)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_derivatives_of_tanh_have_half_of_their_digits_at_least(dtype):
    x = np.linspace(-12, 12, 101).astype(dtype)
    found = value_and_two_derivatives(np.tanh, Variable(x))[1:]
    with mp.workdps(40):
        first = [mp.sech(a) ** 2 for a in x.tolist()]
        second = [-2 * mp.tanh(a) * b for a, b in zip(x.tolist(), first, strict=True)]
    limits = np.finfo(dtype)
    tolerance = {"rtol": 2 * float(limits.eps) ** 0.5, "atol": 8 * float(limits.smallest_subnormal)}
    np.testing.assert_allclose(np.array(found, float), np.array([first, second], float), **tolerance)


@pytest.mark.parametrize("far", [[], [20.0], [-300.0]])
def test_large_arrays_keep_the_inputs_of_tanh_only_where_one_is_far_out(far):
    x = Variable(np.concatenate((np.linspace(-3, 3, 200_000), far)))
    y = np.tanh(x)
    assert (y.creator.xs[0] is None) == (not far)
    assert y.creator.inputs == (x,)
    first, second = value_and_two_derivatives(np.tanh, x)[1:]
    np.testing.assert_allclose(first, 1 / np.cosh(x.data) ** 2, rtol=1e-12)
    np.testing.assert_allclose(second, -2 * np.tanh(x.data) / np.cosh(x.data) ** 2, rtol=1e-12)


@pytest.mark.parametrize("size", [(), (1,), (5,), (200_000,)])
def test_replayed_plans_of_tanh_are_exact_far_out(size):
    slope = registry.compile(registry.grad(lambda x: np.sum(np.tanh(x))))
    for x in (0.5, 20.0, -300.0):
        found = slope(np.full(size, x))
        np.testing.assert_allclose(found, np.full(size, 1 / np.cosh(x) ** 2), rtol=1e-14)


HARD_PAIRS = {
    "divide": (lambda x, y: x / y, [(1, 3), (1e-10, 1e-6), (0, 1e-3), (1e8, -1e-3)]),
    "power": (mp.power, [(1e-8, 3), (2, -3.5), (7, 0), (1.5, 40)]),
    "hypot": (mp.hypot, [(3, -4), (1, 700), (-1e-8, 1), (3e-12, 4e-12), (1e10, 1e12)]),
    "arctan2": (mp.atan2, [(3, -4), (1, 700), (-1e-8, 1), (3e-8, 4e-8), (1e6, 1e8)]),
    "logaddexp": (lambda x, y: mp.log(mp.exp(x) + mp.exp(y)), [(0.5, -1), (80, 1), (-40, 30), (1e3, 1e3)]),
    "logaddexp2": (lambda x, y: mp.log(2**x + 2**y, 2), [(0.5, -1), (80, 1), (-40, 30), (1e3, 1e3)]),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", HARD_PAIRS)
def test_derivatives_of_two_operands_are_exact_at_hard_points(name, dtype):
    function, pairs = HARD_PAIRS[name]
    for pair in np.array(pairs, dtype):
        exact_at = tuple(map(mp.mpf, pair.tolist()))
        step = min(filter(None, map(abs, exact_at))) * mp.mpf(10) ** -30
        for i in (0, 1):
            xs = [Variable(np.array(x)) for x in pair]
            getattr(np, name)(*xs).backward(create_graph=True)
            first = xs[i].grad
            for x in xs:
                x.cleargrad()
            first.backward()
            found = first.data, *(np.zeros((), dtype) if x.grad is None else x.grad for x in xs)
            orders = [tuple(int(i == k) + int(j == k) for k in (0, 1)) for j in (None, 0, 1)]
            with mp.workdps(300):
                exact = [mp.diff(function, exact_at, order, h=step) for order in orders]
            assert {g.dtype for g in found} == {np.dtype(dtype)}
            tolerance = {"rtol": 60 * np.finfo(dtype).eps, "atol": 4 * np.finfo(dtype).tiny}
            np.testing.assert_allclose(found, np.array(exact, np.float64).astype(dtype), **tolerance)


@pytest.mark.parametrize(
    ("function", "x", "first", "second"),
    [
        (np.sqrt, 0.0, INF, -INF),
        (np.cbrt, 0.0, INF, -INF),
        (np.cbrt, -0.0, INF, INF),
        (np.cbrt, INF, 0, 0),
        (np.arcsin, 1.0, INF, INF),
        (np.arcsin, -1.0, INF, -INF),
        (np.arccos, 1.0, -INF, -INF),
        (np.arccos, -1.0, -INF, INF),
        (np.arccosh, 1.0, INF, -INF),
        (np.arctanh, 1.0, INF, INF),
        (np.arctanh, -1.0, INF, -INF),
        (ops.arcsec, 1.0, INF, -INF),
        (ops.arcsech, 1.0, -INF, -INF),
        (ops.arcsech, 2.0**-1000, -(2.0**1000), INF),
        (np.reciprocal, 0.0, -INF, INF),
        (np.log, 0.0, INF, -INF),
        (np.log1p, -1.0, INF, -INF),
        (np.arctan, INF, 0, NAN),
    ],
)
def test_derivatives_at_an_end_of_the_domain_are_their_limits(function, x, first, second):
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        np.testing.assert_array_equal(derivatives(function, x)[1:], [first, second])


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (np.arctan, 1e25),  # 1 + x**2 overflows
        (ops.arccot, 1e25),
        (np.arcsinh, 1e25),
        (np.arcsin, 1e25j),
        (np.arctanh, 1e25j),
    ],
)
def test_nothing_overflows_on_the_way_to_the_derivative(function, x):
    v = Variable(np.array(x, np.complex64 if isinstance(x, complex) else np.float32))
    function(v).backward()
    exact = {np.arcsinh: 1 / x, np.arcsin: 1 / x * 1j}.get(function, 0)  # 1e-50 is 0 in float32
    np.testing.assert_allclose(v.grad, exact, rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (lambda x: 1e10 * np.log10(x), 1e308, 1e10 / 1e308 / np.log(10)),
        (lambda x: 1e10 * np.log2(x), 1.7e308, 1e10 / 1.7e308 / np.log(2)),
        (np.exp2, 1024.0, 2.0**1023 * np.log(4)),
        (np.exp2, np.float32(128), 2.0**128 * np.log(2)),
        (np.log10, np.float16(30000), 1 / 30000 / np.log(10)),
        (ops.arcsech, 1e-300, -1e300),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # of exp2 itself
def test_no_step_to_a_derivative_leaves_the_range_that_it_is_in(function, x, expected):
    slope = registry.grad(function)(x)
    tolerance = 16 * float(np.finfo(slope.dtype).eps)
    np.testing.assert_allclose(
        float(slope), expected, rtol=tolerance, atol=float(np.finfo(slope.dtype).smallest_subnormal)
    )


def test_quotient_of_zero_has_a_second_derivative_of_zero_where_the_inverse_square_overflows():
    x0, x1 = Variable(np.zeros((), np.float32)), Variable(np.array(1e-25, np.float32))
    (x0 / x1).backward(create_graph=True)
    slope = x1.grad
    x1.cleargrad()
    with np.errstate(over="ignore"):
        slope.backward()
    assert (slope.data, x1.grad) == (0, 0)


def test_power_at_its_edges():
    with np.errstate(divide="ignore"):
        np.testing.assert_array_equal(gradients(np.power, 0.0, -1.5), [-INF, -INF])
    x = Variable(np.array([1e-30, 0, -1e-30], np.float32))
    value, first, second = value_and_two_derivatives(lambda x: x**0, x)
    np.testing.assert_array_equal([value, first, second], [[1, 1, 1], [0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(("function", "base"), [(np.logaddexp, np.e), (np.logaddexp2, 2)])
@pytest.mark.parametrize(
    ("x0", "x1", "share"),
    [(1e4, 1e4, 0.5), (-1e4, 1e4, 0), (INF, 0.0, 1), (-INF, 0.0, 0), (-INF, INF, 0)]
    + [(-INF, -INF, 0.5), (INF, INF, 0.5)],
)
def test_logarithm_of_a_sum_with_large_and_infinite_terms(function, base, x0, x1, share):
    np.testing.assert_array_equal(gradients(function, x0, x1), [share, 1 - share])
    slope = 0 if share in (0, 1) or np.isinf(x0) else np.log(base) / 4
    second = derivatives(lambda x: function(x, x1), x0)[2]
    np.testing.assert_allclose(second, slope)


def test_logarithm_of_a_sum_keeps_small_shares():
    np.testing.assert_allclose(gradients(np.logaddexp, -100.0, 1e9)[0], 0)
    np.testing.assert_allclose(gradients(np.logaddexp, -100.0, 0.0)[0], np.exp(-100.0), rtol=1e-14)


@pytest.mark.parametrize(
    ("function", "x0", "x1", "expected"),
    [
        (np.fmax, NAN, 1.0, (0, 1)),
        (np.fmax, 1.0, NAN, (1, 0)),
        (np.fmin, NAN, 1.0, (0, 1)),
        (np.fmin, 1.0, NAN, (1, 0)),
        (np.fmax, 2.0, 2.0, (0.5, 0.5)),
        (np.fmin, 2.0, 2.0, (0.5, 0.5)),
        (np.hypot, 0.0, 0.0, (0, 0)),
        (np.hypot, 3e200, 4e200, (0.6, 0.8)),
        (np.hypot, 3e-200, 4e-200, (0.6, 0.8)),
        (np.arctan2, 0.0, 0.0, (0, 0)),
        (np.arctan2, 3e-200, 4e-200, (1.6e199, -1.2e199)),
        (np.arctan2, 0.0, -2.0, (-0.5, 0)),
        (np.fmod, -7.5, 2.0, (1, 3)),
        (np.fmod, 0.5, 0.1, (1, -4)),  # 0.1 is a little more than a tenth, and 0.5 / 0.1 rounds to 5
        (np.fmod, 3.0, INF, (1, 0)),
        (np.remainder, -7.5, 2.0, (1, 4)),
        (np.float_power, 0.0, 0.0, (0, 0)),
        (np.float_power, 2.0, 3.0, (12, 8 * np.log(2))),
    ],
)
def test_two_operands(function, x0, x1, expected):
    np.testing.assert_allclose(gradients(function, x0, x1), expected)


def test_divmod_gives_two_results_of_which_the_remainder_has_a_gradient():
    x0, x1 = Variable(np.array([-7.5, 7.5])), Variable(np.array(2.0))
    quotient, remainder = np.divmod(x0, x1)
    np.testing.assert_array_equal([quotient.data, remainder.data], np.divmod([-7.5, 7.5], 2.0))
    np.sum(quotient * remainder).backward()
    np.testing.assert_array_equal(x0.grad, quotient.data)
    np.testing.assert_array_equal(x1.grad, -np.sum(quotient.data**2))


def test_heaviside_has_a_gradient_by_its_value_at_zero_alone():
    x0, x1 = Variable(np.array([-1.0, 0.0, 2.0, NAN])), Variable(np.array(0.5))
    y = np.heaviside(x0, x1)
    np.testing.assert_array_equal(y.data, [0, 0.5, 1, NAN])
    y.backward()
    assert (x0.grad, x1.grad) == (None, 1)


def test_sign_and_size_of_floating_numbers():
    x = np.array([-3.0, 0.0, 2.0])
    np.testing.assert_array_equal(gradients(np.fabs, x)[0], [-1, 0, 1])
    np.testing.assert_array_equal(gradients(lambda v: np.copysign(v, -0.0), x)[0], [1, 0, -1])
    np.testing.assert_array_equal(gradients(lambda v: np.ldexp(v, [1, 2, -1]), x)[0], [2, 4, 0.5])
    exponents = Variable(np.array([1, 2, 3]))
    np.ldexp(Variable(x), exponents).backward()
    assert exponents.grad is None


@pytest.mark.parametrize("function", [np.ldexp, ops.ldexp])
def test_exponent_of_ldexp_may_be_a_python_number_and_must_be_whole(function):
    x = Variable(np.array([1.5, -2.0], np.float32))
    y = function(x, 3)
    np.testing.assert_array_equal(y.data, np.ldexp(x.data, 3), strict=True)
    y.backward()
    np.testing.assert_array_equal(x.grad, np.array([8, 8], np.float32), strict=True)
    with pytest.raises(TypeError, match="ldexp"):
        function(x, 2.5)


def test_modf_gives_two_parts_of_which_the_fraction_has_a_gradient():
    x = Variable(np.array([-7.5, 2.25, INF]))
    fraction, whole = np.modf(x)
    np.testing.assert_array_equal([fraction.data, whole.data], np.modf(x.data))
    (fraction * [2, 3, 4] + whole).backward()
    np.testing.assert_array_equal(x.grad, [2, 3, 4])


@pytest.mark.parametrize("function", [np.abs, np.fabs, lambda x: np.copysign(x, -1.0)])
def test_booleans_have_signs(function):
    x = Variable(np.array([True, False]))
    y = function(x)
    y.backward()
    np.testing.assert_array_equal(x.grad, np.array(y.data, float))


BITS = Variable(np.array([6, 9]))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.gcd(x, 3),
        lambda x: np.lcm(x, 4),
        lambda x: np.bitwise_and(x, 3),
        lambda x: np.invert(x),
        lambda x: np.left_shift(x, 2),
        lambda x: np.around(x * 1.26, 1),
        lambda x: np.logical_and.reduce(x),
    ],
)
def test_functions_of_integers_and_rounding_give_plain_arrays(function):
    found = function(BITS)
    assert not isinstance(found, Variable)
    np.testing.assert_array_equal(found, function(BITS.data), strict=True)


def test_bounds_of_clip_have_two_names_and_are_given_once():
    x = Variable(np.array([0.0, 2.0, 5.0]))
    for y in (np.clip(x, 1, 3), np.clip(x, min=1, max=3), x.clip(1, 3), x.clip(min=1, max=3)):
        np.testing.assert_array_equal(y.data, [1, 2, 3])
    for given in ({"min": 2}, {"max": 2}):
        with pytest.raises(ValueError, match=r"numpy\.clip: a bound is given twice"):
            np.clip(x, 1, 3, **given)


@pytest.mark.parametrize(("function", "instead"), [(np.frexp, "np.ldexp"), (np.nextafter, ".data")])
def test_functions_of_the_representation_are_refused(function, instead):
    x = Variable(np.array(1.5))
    with pytest.raises(NoOperatorError, match="cannot be differentiated") as caught:
        function(*[x] * function.nin)
    assert instead in str(caught.value)
    np.testing.assert_array_equal(np.ldexp(x, -np.frexp(x.data)[1]).data, np.frexp(x.data)[0])


def test_nan_to_num_has_a_gradient_where_it_changes_nothing():
    x = np.array([NAN, INF, -INF, 1.5])
    y = np.nan_to_num(Variable(x), nan=1.0, posinf=2.0, neginf=3.0)
    np.testing.assert_array_equal(y.data, [1, 2, 3, 1.5])
    np.testing.assert_array_equal(gradients(np.nan_to_num, x)[0], [0, 0, 0, 1])
    z = Variable(np.array([complex(NAN, 1), complex(1, INF), 1 + 1j]))
    (np.nan_to_num(z, posinf=0.0) * (2 + 3j)).backward()
    np.testing.assert_array_equal(z.grad, [3j, 2, 2 + 3j])
    with pytest.raises(NoOperatorError, match="nan_to_num on Variables takes no copy="):
        np.nan_to_num(Variable(x), copy=False)


@pytest.mark.parametrize(("deg", "unit"), [(False, 1), (True, 180 / np.pi)])
def test_angle_of_complex_and_real_numbers(deg, unit):
    z = np.array([3 + 4j, -2.0, 0.0])
    v = Variable(z)
    np.angle(v, deg=deg).backward()
    np.testing.assert_allclose(v.grad, unit * np.array([(-4 - 3j) / 25, 0.5j, 0]), atol=1e-15)
    np.testing.assert_array_equal(gradients(lambda x: np.angle(x, deg), [-2.0, 3.0])[0], [0, 0])


@pytest.mark.parametrize("z", [2 + 0j, complex(2, -0.0), -2 + 0j, complex(-2, -0.0)])
@pytest.mark.parametrize("function", [np.arcsin, np.arccos, np.arctanh, np.arccosh], ids=lambda f: f.__name__)
def test_derivative_lies_on_numpys_side_of_a_branch_cut(function, z):
    step = 1e-4
    values = function(np.array([complex(z.real + step, z.imag), complex(z.real - step, z.imag)]))
    np.testing.assert_allclose(gradients(function, z)[0], (values[0] - values[1]) / (2 * step), rtol=1e-7)


def test_imaginary_part_is_constant_for_real_numbers():
    assert gradients(np.imag, 3.0)[0] == 0
    assert gradients(np.imag, 3.0 + 1j)[0] == -1j


def test_real_if_close_gives_the_gradient_to_the_real_part():
    v = Variable(np.array([1 + 1e-15j, 2]))
    y = np.real_if_close(v)
    assert y.dtype == np.float64
    (y * np.array([3.0, 4.0])).backward()
    np.testing.assert_array_equal(v.grad, [3, 4])
    assert np.real_if_close(v, tol=2).dtype == np.complex128


def test_sign_of_complex_numbers_turns_with_them():
    v = Variable(np.array([3 + 4j, 0j, 2.0]))
    np.sum(np.imag(ops.sign(v))).backward()  # that of 3 + 4j turns by (3 dy - 4 dx) / 25 along i * sign
    np.testing.assert_allclose(v.grad, [(-4 - 3j) * 3 / 125, 0, -0.5j])
    assert gradients(ops.sign, [-2.0, 0.0])[0].tolist() == [0, 0]


@pytest.mark.parametrize("x", [0.0, -0.0, 1e-320, -1e-200, -3.0, INF, -INF])
def test_angle_of_a_real_number_is_constant(x):
    assert gradients(np.angle, x) == [0]


@pytest.mark.parametrize("aliases", [(np.deg2rad, np.radians), (np.rad2deg, np.degrees)])
def test_degrees_and_radians_have_two_names(aliases):
    for function in aliases:
        np.testing.assert_allclose(gradients(function, 3.0)[0], function(1.0))


@pytest.mark.parametrize("name", ["add_sequence", "multiply_sequence"])
def test_sequences_of_any_length_broadcast(name):
    xs = [Variable(np.array(x)) for x in ([[2.0], [0.0]], [1.0, 0.0, 3.0], 5.0)]
    function = getattr(ops, name)
    function(*xs).backward()
    found = [x.grad for x in xs]
    for x in xs:
        x.cleargrad()
    (xs[0] + xs[1] + xs[2] if name == "add_sequence" else xs[0] * xs[1] * xs[2]).backward()
    for a, x in zip(found, xs, strict=True):
        np.testing.assert_array_equal(a, x.grad)
    np.testing.assert_array_equal(function(xs[0]).data, xs[0].data)


SMALL_INTEGERS = {
    "arctan": lambda x: np.arctan(x),
    "arcsinh": lambda x: np.arcsinh(x),
    "arccot": lambda x: ops.arccot(x),
    "sech": lambda x: ops.sech(x),
    "log2": lambda x: np.log2(x),
    "hypot": lambda x: np.hypot(x, 1),
    "cbrt": lambda x: np.cbrt(x),
}


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("name", SMALL_INTEGERS)
def test_small_integers_do_not_overflow(name, dtype):
    function, x = SMALL_INTEGERS[name], Variable(np.array([3, 100], dtype))
    function(x).backward()
    expected = gradients(function, [3.0, 100.0])[0]
    np.testing.assert_allclose(x.grad, expected, rtol=0.05)  # NumPy computes these in float16


def test_no_warning_far_out():
    for name in ("sech", "csch", "coth", "tanh", "arcsinh"):
        x = Variable(np.array([-1e4, 1e4]))
        getattr(ops, name)(x).backward(create_graph=True)
        assert np.all(np.isfinite(x.grad.data))
