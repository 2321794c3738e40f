"""What has no derivative is refused, by the names of the operator and the argument."""

import inspect

import numpy as np
import pytest
from scipy import special

from registry import GradientError, Variable
from registry.plugins import special as operators


@pytest.mark.parametrize(
    ("name", "arguments", "refused"),
    [
        ("jv", (1.5, 2.0), "v"),
        ("yv", (1.5, 2.0), "v"),
        ("yn", (1.0, 2.0), "n"),
        ("iv", (1.5, 2.0), "v"),
        ("ive", (1.5, 2.0), "v"),
        ("kv", (1.5, 2.0), "v"),
        ("gammainc", (1.5, 2.0), "a"),
        ("gammaincc", (1.5, 2.0), "a"),
        ("betainc", (1.5, 2.0, 0.5), "a"),
        ("betainc", (1.5, 2.0, 0.5), "b"),
        ("betaincc", (1.5, 2.0, 0.5), "b"),
        ("expn", (2.0, 0.5), "n"),
        ("polygamma", (1.0, 2.0), "n"),
        ("zeta", (3.0, 2.0), "x"),
        ("zeta", (3.0,), "x"),
        ("hyp1f1", (1.0, 2.0, 0.5), "a"),
        ("hyp1f1", (1.0, 2.0, 0.5), "b"),
        ("hyp2f1", (1.0, 2.0, 3.0, 0.5), "a"),
        ("hyp2f1", (1.0, 2.0, 3.0, 0.5), "b"),
        ("hyp2f1", (1.0, 2.0, 3.0, 0.5), "c"),
        ("sph_harm_y", (2, 1, 0.5, 0.5), "n"),
        ("sph_harm_y", (2, 1, 0.5, 0.5), "m"),
    ],
)
def test_a_gradient_that_is_wanted_for_a_parameter_is_refused_by_name(name, arguments, refused):
    helper = getattr(operators, name)
    names = list(inspect.signature(helper).parameters)
    inputs = [Variable(np.array(x)) if n == refused else x for n, x in zip(names, arguments, strict=False)]
    y = helper(*inputs)
    with pytest.raises(
        GradientError, match=f"operator '{name}' .* no derivative by '{refused}' .*{refused}.data"
    ):
        y.backward()
    assert inputs[names.index(refused)].grad is None


def test_a_parameter_as_an_array_is_none_of_them():
    x = Variable(np.array([1.0, 2.0]))
    np.sum(special.jv(np.array([0.5, 1.5]), x)).backward()
    np.testing.assert_allclose(x.grad, special.jvp([0.5, 1.5], [1.0, 2.0]))


def test_complex_orders_are_refused_by_scipy():
    with pytest.raises(TypeError, match="jv"):
        special.jv(np.array(1j), Variable(np.array(1 + 1j)))


def test_scaled_bessel_functions_of_complex_numbers_are_refused():
    with pytest.raises(TypeError, match="differentiated for real x only"):
        special.ive(1, Variable(np.array(1 + 1j)))


@pytest.mark.parametrize(("name", "others"), [("comb", (2,)), ("factorial", ())])
def test_exact_integers_are_refused(name, others):
    with pytest.raises(ValueError, match=f"{name} with exact=True gives Python integers"):
        getattr(operators, name)(Variable(np.array(3.0)), *others, exact=True)


def test_the_sign_of_a_sum_of_complex_numbers_is_refused():
    with pytest.raises(TypeError, match="return_sign takes real numbers"):
        operators.logsumexp(Variable(np.array([1j, 2.0])), return_sign=True)


def test_the_sign_of_the_gamma_function_is_a_constant():
    x = Variable(np.array(-0.5))
    y = special.gammasgn(x) * np.exp(special.gammaln(x))
    y.backward()
    np.testing.assert_allclose(x.grad, special.gamma(-0.5) * special.digamma(-0.5))
