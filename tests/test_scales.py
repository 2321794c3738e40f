"""Derivatives of arrays scaled to the ends of the range: what does not depend on scale is not lost to it."""

import numpy as np
import pytest

from registry import Variable, grad, value_and_grad

RNG = np.random.default_rng(4)
MATRIX = RNG.normal(size=(3, 3)) + 2 * np.eye(3)
SYMMETRIC = MATRIX + MATRIX.T
POSITIVE = MATRIX @ MATRIX.T
TALL = RNG.normal(size=(4, 3))
VECTOR = np.array([0.3, -2.0, 1.1, 0.7])


def weighted(y):
    return np.sum(y * np.cos(np.arange(np.size(y))).reshape(np.shape(y)))


def again(x):
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return (u * np.sqrt(s)) @ vh


# Homogeneous functions: f(c * x) is c ** degree * f(x), so the gradient grows by degree - 1.
HOMOGENEOUS = {
    **{f"norm {p}": (lambda x, p=p: np.linalg.norm(x, p), VECTOR, 1) for p in (2, 3, 4, 1.5, 0.5, 100, -2)},
    **{
        f"matrix norm {p}": (lambda x, p=p: np.linalg.norm(x, p), MATRIX, 1)
        for p in ("fro", "nuc", 2, -2, 1, np.inf)
    },
    **{f"cond {p}": (lambda x, p=p: np.linalg.cond(x, p), MATRIX, 0) for p in (2, 1, "fro")},
    "norms of rows": (lambda x: weighted(np.linalg.norm(x, 3, axis=1, keepdims=True)), TALL, 1),
    "direction": (lambda x: weighted(x / np.linalg.norm(x, axis=-1, keepdims=True)), TALL, 0),
    "std": (np.std, VECTOR, 1),
    "std along an axis": (lambda x: weighted(np.std(x, axis=0, ddof=1)), TALL, 1),
    "std of some": (lambda x: np.std(x, where=[True, True, False, True]), VECTOR, 1),
    "nanstd": (lambda x: weighted(np.nanstd(x, axis=1, keepdims=True)), TALL, 1),
    "standard scores": (lambda x: weighted((x - np.mean(x)) / np.std(x)), VECTOR, 0),
    "var": (np.var, VECTOR, 2),
    "hypot.reduce": (lambda x: weighted(np.hypot.reduce(x)), TALL, 1),
    "arctan2": (lambda x: np.arctan2(x[0], x[1]), VECTOR, 0),
    "nearest orthogonal matrix": (lambda x: weighted(np.linalg.svd(x)[0] @ np.linalg.svd(x)[2]), MATRIX, 0),
    "singular vectors": (lambda x: weighted(np.linalg.svd(x)[0]), MATRIX, 0),
    "put together again": (lambda x: weighted(again(x)), TALL, 0.5),
    "eigenvectors": (lambda x: weighted(np.linalg.eigh(x)[1]), SYMMETRIC, 0),
    "eigenvalues": (lambda x: np.sum(np.real(np.linalg.eigvals(x))), MATRIX, 1),
    "qr": (lambda x: weighted(np.linalg.qr(x)[0]), TALL, 0),
    "cholesky": (lambda x: weighted(np.linalg.cholesky(x)), POSITIVE, 0.5),
    "inv": (lambda x: np.log(np.linalg.norm(np.linalg.inv(x))), MATRIX, 0),
    "pinv": (lambda x: np.log(np.linalg.norm(np.linalg.pinv(x))), TALL, 0),
    "solve": (lambda x: np.log(np.linalg.norm(np.linalg.solve(x, np.ones(3)))), MATRIX, 0),
    "lstsq": (lambda x: np.log(np.linalg.norm(np.linalg.lstsq(x, VECTOR, rcond=None)[0])), TALL, 0),
    "slogdet": (lambda x: np.linalg.slogdet(x)[1], MATRIX, 0),
    "det": (np.linalg.det, MATRIX[:2, :2], 2),
}


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # of values: the square of 1e200
@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_the_gradient_of_a_homogeneous_function_follows_the_scale(name):
    f, x, degree = HOMOGENEOUS[name]
    at_1 = grad(f)(x)
    for dtype, scales, tolerance in (
        (np.float64, (1e200, 1e-200, 1e150, 1e-150), 1e-9),
        (np.float32, (1e19, 1e-19, 1e30, 1e-30), 2e-3),
    ):
        for scale in scales:
            found = grad(f)((x * scale).astype(dtype))
            assert found.dtype == dtype
            expected = at_1 * scale ** (degree - 1.0)
            np.testing.assert_allclose(found, expected, tolerance, tolerance * np.max(np.abs(expected)))


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e307])
def test_norms_and_deviations_reach_the_ends_of_the_range(scale):
    x = Variable(np.array([3.0, -3.0, 3.0, -3.0]) * scale)
    for y, expected, slope in (
        (np.linalg.norm(x, 3), 3 * 4 ** (1 / 3), 4 ** (-2 / 3)),
        (np.linalg.norm(x), 6, 0.5),
        (np.std(x), 3, 0.25),
        (np.hypot.reduce(x), 6, 0.5),
    ):
        x.cleargrad()
        y.backward()
        np.testing.assert_allclose(y.data, expected * scale, rtol=1e-12, atol=5e-324)
        if scale > 5e-324:  # where the norm itself is rounded to a few units
            np.testing.assert_allclose(x.grad, slope * np.sign(x.data), rtol=1e-9)


def test_norms_of_numbers_of_very_different_sizes():
    x = np.array([1e-200, 1e200])
    for p, expected, slopes in ((3, 1e200, [0, 1]), (-2, 1e-200, [1, 0])):
        assert np.linalg.norm(Variable(x), p).data == pytest.approx(expected, rel=1e-15)
        np.testing.assert_allclose(grad(lambda x, p=p: np.linalg.norm(x, p))(x), slopes, rtol=1e-12)


def test_values_of_norms_are_numpys_where_those_are_finite():
    for p in (3, 4, 1.5, 0.5, -2, 7):
        for x in (VECTOR, VECTOR.astype(np.float32), np.array([0.0, 1.0]), np.zeros(2), VECTOR + 1j):
            with np.errstate(divide="ignore"):
                np.testing.assert_allclose(
                    np.linalg.norm(Variable(x), p).data, np.linalg.norm(x, p), rtol=1e-6
                )
        assert np.linalg.norm(Variable(np.array([np.inf, 1.0])), p).data == np.linalg.norm([np.inf, 1.0], p)


def test_determinants_out_of_range_have_the_cofactors_of_their_matrix():
    for scale in (1e-150, 1e150):
        x = scale * np.array([[1.0, 2.0, 0.0], [3.0, 5.0, 0.0], [0.0, 0.0, 1 / scale]])
        found = grad(np.linalg.det)(x)
        np.testing.assert_allclose(found[:2, :2] / scale, [[5, -3], [-2, 1]], rtol=1e-12)
    x = np.array([[1e-200, 2e-200], [2e-200, 4e-200]])  # singular, and out of range
    np.testing.assert_allclose(grad(np.linalg.det)(x), [[4e-200, -2e-200], [-2e-200, 1e-200]])


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # of NumPy's own std, which sums in float16
@pytest.mark.parametrize(
    ("function", "value", "slope"),
    [
        (np.linalg.norm, 80_000**0.5, 80_000**-0.5),
        (lambda x: np.linalg.norm(x, 3), 80_000 ** (1 / 3), 80_000 ** (-2 / 3)),
        (np.std, 1.0, 1 / 80_000),
    ],
    ids=["norm", "norm of order 3", "std"],
)
def test_more_numbers_than_float16_counts(function, value, slope):
    signs = np.tile(np.array([-1, 1], np.float16), 40_000)
    y, gradient = value_and_grad(function)(signs)
    assert (y.dtype, gradient.dtype) == (np.float16, np.float16)
    np.testing.assert_allclose(y, value, rtol=2e-3)
    np.testing.assert_allclose(gradient.astype(float), slope * signs, rtol=1e-2)
