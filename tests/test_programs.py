"""NumPy programs as people write them, differentiated as they stand.

Each is a function of arrays that knows nothing of Variables; its gradient and its second
derivatives are compared with differences of itself on plain arrays, and with a formula
where there is one.
"""

import math

import numpy as np
import pytest
from scipy import optimize

from registry import Variable, grad, hessian, hvp, jacobian
from registry.testing.differences import central_slope

RNG = np.random.default_rng(0)


def agrees(f, *args, tolerance=1e-6):
    """Compare gradients and Hessians of a scalar program along random directions with differences."""
    for i, x in enumerate(args):
        along = lambda t, i=i, x=x: f(*args[:i], x + t, *args[i + 1 :])  # noqa: E731
        assert not isinstance(along(0.0), Variable)
        found = grad(f, i)(*args)
        for _ in range(3):
            way = RNG.normal(size=np.shape(x))
            slope = central_slope(lambda t, along=along, way=way: np.atleast_1d(along(t * way)))
            assert slope.smooth
            assert np.sum(found * way) == pytest.approx(slope.value, rel=tolerance, abs=1e-9)
            h = 1e-4
            second = (along(h * way) - 2 * along(0 * way) + along(-h * way)) / h**2
            bent = np.sum(hvp(f, i)(*args, way) * way)
            assert bent == pytest.approx(second, rel=1e-4, abs=1e-5 * max(1, abs(along(0.0))))


def test_linear_regression_by_the_normal_equations():
    x, y = RNG.normal(size=(20, 3)), RNG.normal(size=20)

    def loss(w, b):
        residual = x @ w + b - y
        return np.mean(residual**2)

    agrees(loss, RNG.normal(size=3), 0.5)
    w = np.linalg.solve(x.T @ x, x.T @ y)
    np.testing.assert_allclose(grad(loss)(w, 0.0), np.zeros(3), atol=1e-12)

    def fitted(x):  # through the solution itself
        w = np.linalg.solve(x.T @ x, x.T @ y)
        return np.sum((x @ w - y) ** 2)

    agrees(fitted, x)


def test_logistic_regression():
    x, labels = RNG.normal(size=(30, 4)), RNG.integers(0, 2, size=30)

    def loss(w):
        z = x @ w
        return np.mean(np.logaddexp(0, z) - labels * z) + 0.1 * np.dot(w, w)

    w = RNG.normal(size=4)
    agrees(loss, w)
    p = 1 / (1 + np.exp(-x @ w))
    np.testing.assert_allclose(grad(loss)(w), x.T @ (p - labels) / 30 + 0.2 * w, rtol=1e-10)
    np.testing.assert_allclose(
        hessian(loss)(w), (x.T * (p * (1 - p))) @ x / 30 + 0.2 * np.eye(4), rtol=1e-9, atol=1e-12
    )


def test_the_log_likelihood_of_a_gaussian_process():
    x, y = np.linspace(0, 1, 8), RNG.normal(size=8)

    def log_likelihood(theta):
        length, scale, noise = np.exp(theta)
        distance = (x[:, None] - x[None, :]) / length
        k = scale * np.exp(-0.5 * distance**2) + noise * np.eye(len(x))
        lower = np.linalg.cholesky(k)
        alpha = np.linalg.solve(k, y)
        by_cholesky = np.sum(np.log(np.diag(lower)))
        by_determinant = np.linalg.slogdet(k)[1] / 2
        return -0.5 * y @ alpha - (by_cholesky + by_determinant) / 2 - 4 * math.log(2 * math.pi)

    agrees(log_likelihood, np.array([-1.0, 0.2, -1.5]))


def test_a_kalman_filter():
    observed = np.cumsum(RNG.normal(size=12))

    def negative_log_likelihood(parameters):
        q, r = np.exp(parameters[0]), np.exp(parameters[1])
        transition = np.array([[1.0, 1.0], [0.0, 1.0]])
        seen = np.array([[1.0, 0.0]])
        mean, cov, total = np.zeros(2), np.eye(2), 0.0
        for z in observed:
            mean, cov = transition @ mean, transition @ cov @ transition.T + q * np.eye(2)
            s = (seen @ cov @ seen.T)[0, 0] + r
            gain = (cov @ seen.T)[:, 0] / s
            error = z - (seen @ mean)[0]
            mean, cov = mean + gain * error, cov - np.outer(gain, seen @ cov)
            total = total + 0.5 * (np.log(2 * np.pi * s) + error**2 / s)
        return total

    agrees(negative_log_likelihood, np.array([-1.0, 0.3]))


def test_an_ordinary_differential_equation_by_runge_kutta():
    def predators(state, p):
        x, y = state[0], state[1]
        return np.stack([p[0] * x - p[1] * x * y, p[2] * x * y - p[3] * y])

    def at_the_end(state, p):
        h = 0.05
        for _ in range(20):
            k1 = predators(state, p)
            k2 = predators(state + h / 2 * k1, p)
            k3 = predators(state + h / 2 * k2, p)
            k4 = predators(state + h * k3, p)
            state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return np.sum(state**2)

    agrees(at_the_end, np.array([1.0, 0.5]), np.array([1.1, 0.4, 0.1, 0.4]))


def test_soft_assignment_of_k_means():
    points = RNG.normal(size=(25, 2))

    def loss(centres):
        distances = np.sum((points[:, None, :] - centres[None]) ** 2, axis=-1)
        weights = np.exp(-distances + np.min(distances, axis=1, keepdims=True))
        weights = weights / np.sum(weights, axis=1, keepdims=True)
        return np.sum(weights * distances) / len(points)

    agrees(loss, RNG.normal(size=(3, 2)))


def test_principal_components_by_singular_values():
    def unexplained(x):
        centred = x - np.mean(x, axis=0)
        u, s, vt = np.linalg.svd(centred, full_matrices=False)
        rebuilt = (u[:, :2] * s[:2]) @ vt[:2]
        return np.sum((centred - rebuilt) ** 2) + np.sum(np.abs(vt[0] @ np.diag([1.0, 2.0, 3.0, 4.0])))

    agrees(unexplained, RNG.normal(size=(10, 4)), tolerance=1e-5)


def test_deconvolution_by_fourier_transforms():
    kernel = np.exp(-0.5 * np.arange(-8, 8) ** 2)
    signal = RNG.normal(size=16)
    blurred = np.real(np.fft.ifft(np.fft.fft(signal) * np.fft.fft(kernel)))

    def loss(estimate):
        again = np.fft.irfft(np.fft.rfft(estimate) * np.fft.rfft(kernel), n=16)
        return np.sum((again - blurred) ** 2) + 0.01 * np.sum(np.abs(np.fft.fft(estimate)) ** 2)

    agrees(loss, RNG.normal(size=16))


def test_an_attention_block_by_einsum():
    q, k, v = (RNG.normal(size=(2, 5, 3, 4)) for _ in range(3))

    def block(q, k, v):
        scores = np.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(q.shape[-1])
        scores = scores - np.max(scores, axis=-1, keepdims=True)
        weights = np.exp(scores) / np.sum(np.exp(scores), axis=-1, keepdims=True)
        return np.sum(np.einsum("bhqk,bkhd->bqhd", weights, v) ** 2)

    agrees(block, q, k, v)


def test_a_convolution_by_strides():
    image, kernel = RNG.normal(size=(6, 7)), RNG.normal(size=(3, 2))

    def convolved(image, kernel):
        windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
        return np.sum(np.tanh(np.tensordot(windows, kernel, axes=2)))

    agrees(convolved, image, kernel)


def test_the_greeks_of_black_and_scholes():
    def normal_cdf(x):  # by the logistic-like series that people paste from books
        a = np.array([0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429])
        t = 1 / (1 + 0.2316419 * np.abs(x))
        tail = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) * np.polyval(np.concatenate([a[::-1], [0.0]]), t)
        return np.where(x > 0, 1 - tail, tail)

    def call(spot, strike, rate, sigma, years):
        d1 = (np.log(spot / strike) + (rate + sigma**2 / 2) * years) / (sigma * np.sqrt(years))
        d2 = d1 - sigma * np.sqrt(years)
        return spot * normal_cdf(d1) - strike * np.exp(-rate * years) * normal_cdf(d2)

    at = (100.0, 95.0, 0.03, 0.2, 0.5)
    agrees(call, *at)
    d1 = (math.log(100 / 95) + (0.03 + 0.02) * 0.5) / (0.2 * math.sqrt(0.5))
    density = math.exp(-(d1**2) / 2) / math.sqrt(2 * math.pi)
    delta = 0.5 * (1 + math.erf(d1 / math.sqrt(2)))
    assert grad(call)(*at) == pytest.approx(delta, abs=1e-5)
    assert grad(call, 3)(*at) == pytest.approx(100 * density * math.sqrt(0.5), rel=1e-3)
    gamma = grad(grad(call))(*at)
    assert gamma == pytest.approx(density / (100 * 0.2 * math.sqrt(0.5)), rel=1e-3)
    vanna = grad(grad(call, 3), 0)(*at)
    assert vanna == pytest.approx(grad(grad(call, 0), 3)(*at), rel=1e-9)


def test_a_jacobian_of_several_results():
    def f(x):
        return np.concatenate([np.cumsum(np.sin(x)), np.prod(x, keepdims=True)])

    x = np.array([0.3, -0.7, 1.2])
    expected = np.vstack([np.tril(np.ones((3, 3))) * np.cos(x), np.prod(x) / x])
    np.testing.assert_allclose(jacobian(f)(x), expected)


def test_the_valley_of_rosenbrock_in_a_hundred_dimensions_by_newton_and_conjugate_gradients():
    def rosenbrock(x):
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    start, way = np.full(100, 0.5), RNG.normal(size=100)
    agrees(rosenbrock, start)
    np.testing.assert_allclose(grad(rosenbrock)(start), optimize.rosen_der(start))
    np.testing.assert_allclose(hvp(rosenbrock)(start, way), optimize.rosen_hess_prod(start, way), atol=1e-10)
    np.testing.assert_allclose(hessian(rosenbrock)(start), optimize.rosen_hess(start))
    found = optimize.minimize(
        rosenbrock, start, jac=grad(rosenbrock), hessp=hvp(rosenbrock), method="Newton-CG",
        options={"xtol": 1e-8},
    )  # fmt: skip
    assert found.success
    np.testing.assert_allclose(found.x, np.ones(100), atol=1e-6)


def test_fitting_a_curve_by_the_jacobian_of_its_residuals():
    times = np.linspace(0, 4, 20)
    true = np.array([2.0, 0.7, 0.5])

    def residuals(p):
        return p[0] * np.exp(-p[1] * times) + p[2] - (2 * np.exp(-0.7 * times) + 0.5)

    found = optimize.least_squares(residuals, np.array([1.0, 1.0, 0.0]), jac=jacobian(residuals))
    np.testing.assert_allclose(found.x, true, rtol=1e-8)
    decay = np.exp(-true[1] * times)
    np.testing.assert_allclose(
        jacobian(residuals)(true), np.stack([decay, -true[0] * times * decay, np.ones(20)], axis=1)
    )
