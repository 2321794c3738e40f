"""Elementwise mathematics where the kit does not look: hard points, ties, infinities, NumPy's parameters."""

import numpy as np
import pytest

from registry import NoOperatorError, Variable, ops

INF, NAN = np.inf, np.nan


def derivatives(function, x):
    """Give value, first and second derivative of a function of one number."""
    v = Variable(np.array(x))
    y = function(v)
    y.backward(create_graph=True)
    first = v.grad
    v.cleargrad()
    first.backward()
    return float(y.data), float(first.data), float(v.grad)


def gradients(function, *xs):
    """Give the gradient of the sum of a function's result by each input."""
    variables = [Variable(np.array(x)) for x in xs]
    np.sum(function(*variables)).backward()
    return [v.grad for v in variables]


@pytest.mark.parametrize(
    ("name", "x", "expected"),  # value, first and second derivative by mpmath with 80 digits
    [
        ("sinc", 0.0, (1.0, 0.0, -3.289868133696453)),
        ("sinc", 1e-08, (0.9999999999999999, -3.2898681336964526e-08, -3.289868133696452)),
        ("sinc", -0.001, (0.999998355066745, 0.0032898648867278964, -3.289858392793072)),
        ("sinc", 0.49999, (0.6366325047035162, -1.273227642106813, -1.1902985416225393)),
        ("sinc", -0.50001, (0.6366070399126239, 1.273251446649376, -1.1901557143671673)),
        ("sinc", 1.0, (3.8981718325193755e-17, -1.0, 2.0)),
        ("sinc", 3.3, (-0.0780357901212854, -0.15446953399126914, 0.8638002770121719)),
        ("i0", 0.0, (1.0, 0.0, 0.5)),
        ("i0", -0.5, (1.0634833707413236, -0.2578943053908963, 0.5476947599595309)),
        ("i0", -8.5, (683.1619269901156, -641.6199025400667, 607.6772325736372)),
        ("i0", 700.0, (1.5295933476718737e302, 1.5285003902339006e302, 1.5274097756858254e302)),
        ("arcsin", 0.999999999999, (1.5707949125969767, 707114.6025256454, 3.5356512273133574e17)),
        ("arccos", -0.999999999999, (3.1415912393918735, -707114.6025256454, 3.5356512273133574e17)),
        ("arctan", -100000000.0, (-1.5707963167948966, 9.999999999999999e-17, 1.9999999999999995e-24)),
        ("arcsinh", 1e-09, (1e-09, 1.0, -1e-09)),
        ("arcsinh", 1e200, (461.2101657793691, 1e-200, 0.0)),
        ("arccosh", 1.000000000001, (1.4142764231805424e-06, 707075.3521795856, -3.535062491785565e17)),
        ("arctanh", 0.999999999999, (14.162095209226402, 500011061105.0014, 5.00022122454199e23)),
        ("cbrt", -27.0, (-3.0, 0.037037037037037035, 0.0009144947416552355)),
        ("cbrt", 1e-12, (0.0001, 33333333.333333332, -2.222222222222222e19)),
        ("exp2", -3.5, (0.08838834764831845, 0.0612661339667842, 0.042466448022884365)),
        ("log2", 0.1, (-3.321928094887362, 14.426950408889633, -144.26950408889633)),
        ("log10", 0.1, (-1.0, 4.342944819032518, -43.429448190325175)),
        ("sinh", -3.0, (-10.017874927409903, 10.067661995777765, -10.017874927409903)),
        ("cosh", -3.0, (10.067661995777765, -10.017874927409903, 10.067661995777765)),
        ("reciprocal", -3.0, (-0.3333333333333333, -0.1111111111111111, -0.07407407407407407)),
        ("sech", 0.0, (1.0, 0.0, -1.0)),
        ("sech", 40.0, (8.496708510583178e-18, -8.496708510583178e-18, 8.496708510583178e-18)),
        ("sech", -720.0, (4.06446160484e-313, 4.06446160484e-313, 4.06446160484e-313)),
        ("csch", 1e-05, (99999.99999833333, -10000000000.166664, 1999999999999999.5)),
        ("csch", 40.0, (8.496708510583178e-18, -8.496708510583178e-18, 8.496708510583178e-18)),
        ("csch", -720.0, (-4.06446160484e-313, -4.06446160484e-313, -4.06446160484e-313)),
        ("coth", -3.0, (-1.0049698233136892, -0.009964345771147631, -0.02002773361813348)),
        ("cot", 1.5707963267948966, (6.123233995736766e-17, -1.0, 1.2246467991473532e-16)),
        ("sec", 1.5, (14.136832902969903, 199.34941748777328, 5636.3565373412675)),
        ("csc", 1e-05, (100000.00000166666, -9999999999.833332, 1999999999999999.5)),
        ("arccot", 0.0, (1.5707963267948966, -1.0, 0.0)),
        ("arccot", -2.0, (2.677945044588987, -0.2, -0.16)),
        ("arccot", 100000000.0, (1e-08, -9.999999999999999e-17, 1.9999999999999995e-24)),
        ("arcsec", 1.001, (0.0447027376602187, 22.332758941554474, -11194.270318807148)),
        ("arccsc", -2.0, (-0.5235987755982989, -0.28867513459481287, -0.3367876570272817)),
        ("arccsch", 1e-08, (19.11382792451231, -100000000.0, 1e16)),
        ("arcsech", 0.999, (0.04474000547751512, -22.388660702832045, -11166.319314483118)),
        ("arccoth", -2.0, (-0.5493061443340549, -0.3333333333333333, -0.4444444444444444)),
        ("arccoth", 100000000.0, (1e-08, -1.0000000000000001e-16, 2.0000000000000006e-24)),
    ],
)
def test_derivatives_are_exact_at_hard_points(name, x, expected):
    np.testing.assert_allclose(derivatives(getattr(ops, name), x), expected, rtol=2e-13)


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
