"""Gradients of functions of several arrays or of whole arrays beside JAX's, to the second order."""

import numpy as np
import pytest
from opregistry_special.softmax import LogSoftmax, Softmax, logsumexp
from scipy import special

from registry import grad

jax = pytest.importorskip("jax")
peer = pytest.importorskip("jax.scipy.special")

X = np.array([0.2, 0.45, 0.8])
B = np.array([1.0, -2.0, 0.5])
CASES = {
    "kl_div": (lambda x: special.kl_div(x, X[::-1]), lambda x: peer.kl_div(x, X[::-1])),
    "log_ndtr": (lambda x: special.log_ndtr(-8 * x), lambda x: peer.log_ndtr(-8 * x)),
    "log_softmax": (lambda x: LogSoftmax()(x) * B, lambda x: jax.nn.log_softmax(x) * B),
    "logsumexp": (logsumexp, peer.logsumexp),
    "logsumexp, b": (lambda x: logsumexp(B, b=x), lambda x: peer.logsumexp(B, b=x)),
    "logsumexp, signed": (
        lambda x: logsumexp(x, b=B, return_sign=True)[0],
        lambda x: peer.logsumexp(x, b=B, return_sign=True)[0],
    ),
    "rel_entr": (lambda x: special.rel_entr(X[::-1], x), lambda x: peer.rel_entr(X[::-1], x)),
    "softmax": (lambda x: Softmax()(x) * B, lambda x: jax.nn.softmax(x) * B),
    "xlogy": (lambda x: special.xlogy(x, X[::-1]), lambda x: peer.xlogy(x, X[::-1])),
    "xlog1py": (lambda x: special.xlog1py(B, x), lambda x: peer.xlog1py(B, x)),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_jaxs(name):
    own, jaxs = CASES[name]
    with jax.enable_x64(True):
        first = jax.grad(lambda x: (jaxs(x) * (x + 1)).sum())
        expected = first(X), jax.grad(lambda x: (first(x) * B).sum())(X)
    slope = grad(lambda x: np.sum(own(x) * (x + 1)))
    found = slope(X), grad(lambda x: np.sum(slope(x) * B))(X)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-10)
