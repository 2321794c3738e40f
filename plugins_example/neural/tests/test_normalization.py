"""Normalisation by NumPy's mean and variance; far from 0, of constants; what is refused."""

import numpy as np
import pytest
from opregistry_neural.normalization import Normalize, batchnorm, layer_norm, normalize_batch, standardize

from registry import Variable

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 3, 5)) * 2 + 1


def test_a_batch_has_mean_zero_and_variance_one_in_each_channel():
    y = batchnorm(X, eps=0).data
    np.testing.assert_allclose(y.mean(axis=(0, 2)), 0, atol=1e-14)
    np.testing.assert_allclose(y.var(axis=(0, 2)), 1)
    y = batchnorm(X, np.array([1.0, 2.0, 3.0]), np.array([5.0, 6.0, 7.0]), eps=0).data
    np.testing.assert_allclose(y.mean(axis=(0, 2)), [5, 6, 7])
    np.testing.assert_allclose(y.std(axis=(0, 2)), [1, 2, 3])


def test_statistics_are_those_of_the_batch_and_carry_a_gradient():
    x = Variable(X)
    y, mean, var = normalize_batch(x)
    np.testing.assert_array_equal(y.data, batchnorm(X).data)
    np.testing.assert_allclose(mean.data, X.mean(axis=(0, 2)))
    np.testing.assert_allclose(var.data, X.var(axis=(0, 2)))
    np.sum(mean + var).backward()
    np.testing.assert_allclose(x.grad, (1 + 2 * (X - X.mean(axis=(0, 2), keepdims=True))) / 20)


def test_given_statistics_are_constants():
    mean, var = np.array([0.5, -1.0, 2.0]), np.array([0.25, 4.0, 1.0])
    x = Variable(X)
    y = batchnorm(x, eps=0, mean=mean, var=var)
    np.testing.assert_allclose(y.data, (X - mean[:, np.newaxis]) / np.array([[0.5], [2.0], [1.0]]))
    y.backward()
    np.testing.assert_allclose(x.grad, np.broadcast_to([[2.0], [0.5], [1.0]], X.shape))


@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_numbers_far_from_zero_keep_their_spread(offset):
    spread = np.array([-1.0, 0.0, 1.0, 2.0, 3.0, 7.0])
    expected = (spread - 2) / np.sqrt(np.mean((spread - 2) ** 2))
    np.testing.assert_allclose(standardize(spread + offset, epsilon=0).data, expected, rtol=1e-8, atol=1e-8)


def test_constants_become_zeros():
    x = Variable(np.full((2, 3), 7.0))
    y = layer_norm(x)
    y.backward()
    np.testing.assert_array_equal(y.data, np.zeros((2, 3)))
    assert np.isfinite(x.grad).all()


@pytest.mark.parametrize("axis", [-1, 0, (1, 2), (0, -1)])
def test_any_axes(axis):
    expected = (X - X.mean(axis=axis, keepdims=True)) / np.sqrt(X.var(axis=axis, keepdims=True) + 1e-5)
    np.testing.assert_allclose(standardize(X, axis).data, expected)
    np.testing.assert_allclose(layer_norm(X, axis=axis).data, expected)
    np.testing.assert_allclose(Normalize(axis)(X, None, None)[0].data, expected)


def test_scale_and_shift_have_the_shape_of_the_axes():
    gamma, beta = RNG.standard_normal((4, 5)), RNG.standard_normal((4, 5))
    expected = standardize(X, (0, 2)).data * gamma[:, np.newaxis] + beta[:, np.newaxis]
    np.testing.assert_allclose(layer_norm(X, gamma, beta, axis=(2, 0)).data, expected)


def test_a_part_is_standardized_by_its_own_mean_and_variance():
    where = np.array([[True, True, False, True], [True, False, True, True]])
    x = np.array([[1.0, 3.0, 100.0, 5.0], [2.0, -50.0, 2.0, 2.0]])
    expected = (x[0] - 3) / np.sqrt(8 / 3)
    np.testing.assert_allclose(standardize(Variable(x), where=where, epsilon=1e-12).data[0], expected)
    np.testing.assert_allclose(standardize(x[0], mean=3.0, variance=4.0, epsilon=0), (x[0] - 3) / 2)


def test_float32_stays_float32():
    x = X.astype(np.float32)
    assert {a.dtype for a in Normalize()(x, None, None)} == {np.dtype(np.float32)}
    assert layer_norm(x, np.ones(5, np.float32), np.ones(5, np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: batchnorm(X[0, 0]), r"batchnorm: x has shape \(5,\); expected \(N, C, ...\)"),
        (lambda: batchnorm(X, np.ones(4)), r"gamma has shape \(4,\); expected \(3,\) for x of shape"),
        (lambda: batchnorm(X, mean=np.zeros(3)), "mean and var are given together"),
        (lambda: layer_norm(X, beta=np.ones(3)), r"beta has shape \(3,\); expected \(5,\) for x of shape"),
    ],
)
def test_shapes_that_do_not_go_together_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("normalize", [layer_norm, lambda x: standardize(x, where=x.data < 9)])
def test_more_numbers_than_float16_can_count_are_normalized(normalize):
    x, w = np.linspace(-1, 1, 70_000).astype(np.float16), (np.arange(70_000) % 5 / 4).astype(np.float16)
    found = []
    for dtype in (np.float16, float):
        v = Variable(x.astype(dtype))
        np.sum(normalize(v) * w).backward(create_graph=True)
        first = v.grad
        v.cleargrad()
        first[0].backward()
        found.append((first.data.astype(float), v.grad.astype(float)))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-2, atol=2e-2 * np.max(np.abs(b)))
