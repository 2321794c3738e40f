"""Sums of exponentials beside SciPy's values and formulas, where they overflow, vanish or turn negative."""

import numpy as np
import pytest
from opregistry_special.softmax import LogSoftmax, Softmax, logsumexp
from scipy import special

from registry import Variable, grad, hessian

A = np.array([[0.5, -1.0, 2.0], [1000.0, 999.0, -1000.0]])
B = np.array([[1.0, 2.0, -0.5], [0.25, 0.0, 3.0]])


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("b", [None, B])
def test_logsumexp_is_scipys(axis, keepdims, b):
    signed = logsumexp(Variable(A), axis, b, keepdims, True)
    for found, expected in zip(signed, special.logsumexp(A, axis, b, keepdims, True), strict=True):
        np.testing.assert_array_equal(found.data, expected)
    np.testing.assert_array_equal(
        logsumexp(Variable(A), axis, b, keepdims).data, special.logsumexp(A, axis, b, keepdims)
    )


def test_gradients_of_logsumexp_are_shares_of_the_sum():
    a, b = Variable(A), Variable(np.abs(B))
    np.sum(logsumexp(a, 1, b)).backward()
    scaled = np.exp(A - A.max(1, keepdims=True))
    total = np.sum(np.abs(B) * scaled, axis=1, keepdims=True)
    np.testing.assert_allclose(a.grad, np.abs(B) * scaled / total, rtol=1e-14)
    np.testing.assert_allclose(b.grad, scaled / total, rtol=1e-14)


def test_a_negative_sum_is_differentiated_with_its_sign():
    a, b = np.array([0.0, 1.0]), np.array([1.0, -3.0])
    found = grad(lambda a: logsumexp(a, b=b, return_sign=True)[0])(a)
    np.testing.assert_allclose(found, b * np.exp(a) / np.sum(b * np.exp(a)))
    assert np.all(np.isnan(grad(lambda a: logsumexp(a, b=b))(a)))


def test_terms_of_minus_infinity_have_no_gradient():
    assert grad(logsumexp)(np.array([-np.inf, 0.0, -np.inf])).tolist() == [0, 1, 0]
    assert grad(logsumexp)(np.array([-np.inf, -np.inf])).tolist() == [0, 0]
    assert grad(logsumexp)(np.array([np.inf, 0.0])).tolist() == [1, 0]


def test_terms_that_cancel_have_no_finite_gradient():
    with np.errstate(invalid="ignore"):
        found = grad(lambda a: logsumexp(a, b=np.array([1.0, -1.0]), return_sign=True)[0])(
            np.array([2.0, 2.0])
        )
    assert not np.any(np.isfinite(found))


def test_second_derivatives_of_logsumexp_are_those_of_the_softmax():
    p = special.softmax(A[0])
    np.testing.assert_allclose(hessian(logsumexp)(A[0]), np.diag(p) - np.outer(p, p), atol=1e-15)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
def test_softmax_and_its_logarithm_are_scipys(axis):
    np.testing.assert_array_equal(Softmax(axis)(Variable(A)).data, special.softmax(A, axis))
    np.testing.assert_array_equal(LogSoftmax(axis)(Variable(A)).data, special.log_softmax(A, axis))


def test_the_gradient_of_log_softmax_keeps_small_shares():
    found = grad(lambda a: LogSoftmax()(a)[0])(np.array([800.0, 0.0, 100.0]))
    np.testing.assert_allclose(found, [np.exp(-700.0), 0.0, -np.exp(-700.0)], rtol=1e-12, atol=0)


@pytest.mark.parametrize("gap", [-600.0, -40.0, 1.0, 40.0, 600.0])
def test_derivatives_are_exact_where_one_share_is_close_to_one(gap):
    x, e = np.array([gap, 0.0]), np.exp(-np.abs(gap))
    small, large = e / (1 + e), 1 / (1 + e)
    product = small * large
    found = grad(lambda x: Softmax()(x)[0])(x)
    np.testing.assert_allclose(found, [product, -product], rtol=1e-13)
    rest = small if gap > 0 else large
    found = grad(lambda x: LogSoftmax()(x)[0])(x)
    np.testing.assert_allclose(found, [rest, -rest], rtol=1e-13)
