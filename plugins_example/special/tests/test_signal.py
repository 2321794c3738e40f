"""Convolutions beside their definition, SciPy's values and NumPy's convolution of rows."""

import numpy as np
import pytest
from opregistry_special.signal import SignalConvolve
from scipy import signal

from registry import grad, hessian

RNG = np.random.default_rng(0)
SHAPES = [
    ((5,), (3,)),
    ((3,), (5,)),
    ((4, 3), (2, 3)),
    ((2, 5), (3, 2)),
    ((3, 2, 4), (2, 2, 1)),
    ((1,), (1,)),
]


def by_definition(a, b, mode):
    """Sum the products of all pairs of elements, then cut as SciPy does."""
    whole = {}
    for i in np.ndindex(a.shape):
        for j in np.ndindex(b.shape):
            place = tuple(np.add(i, j))
            whole[place] = whole.get(place, 0) + a[i] * b[j]
    full = np.add(a.shape, b.shape) - 1
    size = {"full": full, "same": np.array(a.shape), "valid": abs(np.subtract(a.shape, b.shape)) + 1}[mode]
    start = (full - size) // 2
    places = [tuple(start + k) for k in np.ndindex(tuple(size))]
    return np.reshape(np.stack([whole[place] for place in places]), tuple(size))


def cases():
    for shapes in SHAPES:
        for mode in ("full", "same", "valid"):
            fits = all(np.greater_equal(*shapes)) or all(np.less_equal(*shapes))
            if mode != "valid" or fits:
                yield (*shapes, mode)


@pytest.mark.parametrize("method", ["auto", "direct", "fft"])
@pytest.mark.parametrize(("shape1", "shape2", "mode"), list(cases()))
def test_values_and_all_derivatives_are_those_of_the_definition(shape1, shape2, mode, method):
    a, b = RNG.normal(size=shape1), RNG.normal(size=shape2)
    convolve = SignalConvolve(mode, method)
    np.testing.assert_allclose(
        convolve(a, b).data, signal.convolve(a, b, mode, method), rtol=1e-13, atol=1e-13
    )
    weights = RNG.normal(size=convolve(a, b).shape)
    for i in range(2):
        own, known = (lambda *x, f=f: np.sum(weights * f(*x) ** 2)
                      for f in (convolve, lambda a, b: by_definition(a, b, mode)))  # fmt: skip
        np.testing.assert_allclose(grad(own, i)(a, b), grad(known, i)(a, b), rtol=1e-11, atol=1e-11)
    if method == "auto" and a.size * b.size < 20:
        np.testing.assert_allclose(hessian(own)(a, b), hessian(known)(a, b), rtol=1e-10, atol=1e-10)


def test_complex_arrays_are_not_conjugated():
    a, b = (RNG.normal(size=3) + 1j * RNG.normal(size=3) for _ in range(2))
    np.testing.assert_allclose(SignalConvolve()(a, b).data, np.convolve(a, b), rtol=1e-14)
    own = grad(lambda a: np.sum(np.abs(SignalConvolve("same")(a, b)) ** 2))(a)
    known = grad(lambda a: np.sum(np.abs(np.convolve(a, b)[1:4]) ** 2))(a)
    np.testing.assert_allclose(own, known, rtol=1e-13)


def test_scipys_refusals_are_passed_on():
    with pytest.raises(ValueError, match="same dimensionality"):
        SignalConvolve()(np.ones(3), np.ones((2, 2)))
    with pytest.raises(ValueError, match="cceptable mode flags"):
        SignalConvolve("half")(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="at least as large"):
        SignalConvolve("valid")(np.ones((3, 2)), np.ones((2, 3)))
