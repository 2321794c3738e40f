"""Second derivatives where the first is a convention: right or nan, never a 0 that says nothing."""

import numpy as np
import pytest

from ops_builtin.kinks import quotient
from registry import Variable, elementwise_grad, grad, hessian, jvp

ZEROS = np.zeros(2)


def of_complex(f):
    """Give a real function of the two parts of a number."""
    return lambda v: np.real(f(v[0] + 1j * v[1]))


# Functions whose Hessian is not 0 at a point where one of their parts has a kink: the first
# four have twice the unit matrix, by formulas such as norm(x)**2 = sum(x**2).
AT_KINKS = {
    "norm": (lambda v: np.linalg.norm(v) ** 2, ZEROS),
    "norm along an axis": (lambda v: np.sum(np.linalg.norm(v, axis=1) ** 2), np.zeros((1, 2))),
    "Frobenius": (lambda v: np.linalg.matrix_norm(v) ** 2, np.zeros((2, 2))),
    "vector_norm": (lambda v: np.linalg.vector_norm(v, keepdims=True)[0] ** 2, ZEROS),
    "norm of order 1.5": (lambda v: np.linalg.norm(v, 1.5) ** 2, ZEROS),
    "norm of order 4": (lambda v: np.linalg.norm(v, 4) ** 2, ZEROS),
    "norm of order -1": (lambda v: np.linalg.norm(v, -1) ** 2, ZEROS),
    "kernel of a distance": (lambda v: np.exp(-(np.linalg.norm(v - 1.0) ** 2)), np.ones(2)),
    "distances": (lambda v: np.sum(np.linalg.norm(v[:, None] - v, axis=-1) ** 2), np.ones((2, 1))),
    "hypot": (lambda v: np.hypot(v[0], v[1]) ** 2, ZEROS),
    "hypot.reduce": (lambda v: np.hypot.reduce(v) ** 2, ZEROS),
    "abs of complex": (of_complex(lambda z: np.abs(z) ** 2), ZEROS),
    "sign of complex": (of_complex(lambda z: np.sign(z) * z), ZEROS),
    "angle": (lambda v: np.angle(v[0] + 1j * v[1]) * np.sum(v**2), ZEROS),
    "arctan2": (lambda v: np.arctan2(v[0], v[1]) * np.sum(v**2), ZEROS),
    "std": (lambda v: np.std(v) ** 2, np.ones(3)),
    "std of some": (lambda v: np.std(v, where=[True, True, False]) ** 2, np.array([2.0, 2.0, 7.0])),
    "nanstd": (lambda v: np.nanstd(v) ** 2, np.ones(2)),
}


@pytest.mark.parametrize("name", AT_KINKS)
def test_the_second_derivative_at_a_kink_is_nan_and_the_first_stays_a_convention(name):
    f, x = AT_KINKS[name]
    np.testing.assert_allclose(grad(f)(x), 0)
    assert np.any(np.isnan(hessian(f)(x)))


@pytest.mark.filterwarnings("ignore:(invalid|divide):RuntimeWarning")
@pytest.mark.parametrize("root", [np.sqrt, lambda x: x**0.5, lambda x: np.cbrt(x) ** 1.5])
def test_the_square_of_a_root_has_no_derivative_at_0_by_its_parts(root):
    assert np.isnan(grad(lambda x: root(x) ** 2)(0.0))


@pytest.mark.parametrize("order", [None, 2, 3, 4, 1.5])
def test_other_rows_keep_their_second_derivatives(order):
    def f(v):
        return np.sum(np.linalg.norm(v, order, axis=1) ** 2)

    found = hessian(f)(np.array([[0.0, 0.0], [3.0, 4.0]]))
    np.testing.assert_allclose(found[1, :, 1], hessian(f)(np.array([[3.0, 4.0]]))[0, :, 0])


def test_the_deviation_of_one_element_is_0_with_all_its_derivatives():
    for spread in (np.std, np.nanstd, lambda v: np.sum(np.std(v, axis=0))):
        assert hessian(lambda v, f=spread: f(v) ** 2 + f(v))(np.array([3.0])) == 0
    found = hessian(lambda v: np.nanstd(v) ** 2)(np.array([3.0, np.nan]))
    np.testing.assert_array_equal(found, np.zeros((2, 2)))


def test_directional_first_derivatives_at_kinks_are_the_convention():
    for f in (np.linalg.norm, np.std, np.hypot.reduce, lambda v: np.hypot(v[0], v[1])):
        assert jvp(f, (ZEROS,), (np.array([1.0, 2.0]),))[1] == 0


def test_even_norms_have_all_derivatives_at_a_single_zero():
    def f(t):
        return np.linalg.norm(np.stack([t, np.array(1.0)]), 4) ** 4  # 1 + t**4

    derivatives = [f]
    for _ in range(4):
        derivatives.append(grad(derivatives[-1]))
    assert [float(d(0.0)) for d in derivatives[1:]] == pytest.approx([0, 0, 0, 24])


@pytest.mark.parametrize("p", [0.5, 1.5])
def test_norms_of_low_order_have_no_finite_second_derivative_at_a_single_zero(p):
    f = elementwise_grad(lambda t: np.linalg.norm(np.stack([t, np.array(1.0)]), p))
    assert (f(0.0), np.isnan(grad(f)(0.0))) == (0, True)


def test_a_norm_of_order_3_is_twice_differentiable_at_a_single_zero():
    x = np.array([0.0, 1.0, -2.0])  # its Hessian is that of the formula: sum(abs(x)**3)**(1/3)
    y, cubes = 9 ** (1 / 3), x * abs(x)
    expected = 2 * (np.diag(abs(x)) / y**2 - np.outer(cubes, cubes) / y**5)
    np.testing.assert_allclose(hessian(lambda v: np.linalg.norm(v, 3))(x), expected, atol=1e-14)


def test_nan_of_a_kink_reaches_third_derivatives():
    second = grad(lambda x: np.sum(grad(lambda v: np.linalg.norm(v) ** 3)(x)))
    assert np.all(np.isnan(hessian(lambda x: np.sum(second(x)))(ZEROS)))


def test_the_square_of_an_eigenvalue_of_several_says_nothing_of_its_second_derivative():
    for values, x in ((np.linalg.svdvals, np.zeros((2, 3))), (np.linalg.eigvalsh, np.diag([2.0, 0, 0]))):
        assert np.all(np.isnan(hessian(lambda v, f=values: np.sum(f(v) ** 2))(x)))
    for order in ("nuc", 2):
        assert np.all(np.isnan(hessian(lambda v, p=order: np.linalg.norm(v, p) ** 2)(np.zeros((2, 2)))))


def test_absolute_values_of_real_numbers_keep_their_convention():
    assert hessian(lambda x: np.abs(x) ** 2)(0.0) == 0


def test_a_quotient_is_0_over_0_without_a_derivative_there():
    x, y = Variable(np.array([0.0, 6.0])), Variable(np.array([0.0, 3.0]))
    z = quotient(x, y)
    z.backward()
    np.testing.assert_array_equal(z.data, [0, 2])
    np.testing.assert_array_equal(x.grad, [np.nan, 1 / 3])
    np.testing.assert_array_equal(y.grad, [np.nan, -2 / 3])
    np.testing.assert_array_equal(quotient(x.data, y.data), [0, 2])


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_a_power_of_0_has_no_second_derivative_by_base_and_exponent_up_to_1(exponent):
    """That of x**n by both is x**(n - 1) (n log(x) + 1), infinite at 0."""
    with np.errstate(all="ignore"):
        found = hessian(lambda p: np.power(p[0], p[1]))(np.array([0.0, exponent]))
        batch = hessian(lambda p: np.sum(np.power(p[:2], p[2:])))(np.array([0.0, 2.0, exponent, 3.0]))
    assert np.all(np.isnan(found))
    np.testing.assert_allclose(
        batch[1::2, 1::2], [[12.0, 4 + 12 * np.log(2)], [4 + 12 * np.log(2), 8 * np.log(2) ** 2]]
    )


@pytest.mark.parametrize(("exponent", "by_base"), [(2.0, 2.0), (3.0, 0.0)])
def test_a_power_of_0_above_1_keeps_its_second_derivatives(exponent, by_base):
    found = hessian(lambda p: p[0] ** p[1])(np.array([0.0, exponent]))
    np.testing.assert_array_equal(found, [[by_base, 0.0], [0.0, 0.0]])
