"""Every elementwise operator in JAX: equal values, first and second derivatives, real and complex.

The numbers are exact in float32, so that one computation in JAX serves both precisions.
"""

from itertools import combinations_with_replacement

import numpy as np
import pytest

from registry import Variable, elementwise_grad, ops
from registry.testing import find_operators

FAMILIES = "arithmetic explog extrema trigonometry hyperbolic special complex_numbers"
ANY = np.array([-2.25, -0.75, 0.375, 1.625])
OTHER = np.array([0.875, -1.375, 0.625, -3.125])
POSITIVE = np.array([0.25, 0.75, 1.625, 5.0])
INSIDE = np.array([-0.875, -0.25, 0.375, 0.75])
OUTSIDE = np.array([-4.0, -1.25, 1.375, 2.5])
WHOLE = np.array([3, -1, 0, 2])
Z = np.array([0.375 + 0.5j, -1.25 + 0.75j, 0.875 - 1.5j, -0.625 - 0.25j])
W = np.array([1.125 - 0.25j, 0.25 + 0.875j, -0.75 + 0.375j, 0.5 + 0.625j])
RIGHT = np.array([0.375 + 0.5j, 0.875 - 1.5j])


def at(names, *arrays):
    return dict.fromkeys(names.split(), arrays)


REAL = {
    **at("negative positive square abs fabs exp expm1 exp2 sin cos tan sinh cosh tanh modf", ANY),
    **at("arctan arcsinh rad2deg deg2rad sinc i0 sign real imag conj angle real_if_close", ANY),
    **at("reciprocal cbrt cot sec csc coth sech csch arccot arccsch nan_to_num", ANY),
    **at("sqrt log log2 log10 log1p", POSITIVE),
    **at("arcsin arccos arctanh", INSIDE),
    **at("arcsec arccsc arccoth", OUTSIDE),
    **at("arccosh", abs(OUTSIDE)),
    **at("arcsech", abs(INSIDE)),
    **at("add subtract multiply divide remainder fmod maximum minimum fmax fmin", ANY, OTHER),
    **at("hypot arctan2 logaddexp logaddexp2 heaviside copysign divmod", ANY, OTHER),
    **at("power float_power", POSITIVE, OTHER),
    **at("ldexp", ANY, WHOLE),
    **at("clip", ANY, OTHER - 1, OTHER + 1),
    **at("add_sequence multiply_sequence", ANY, OTHER, INSIDE),
}
HOLOMORPHIC = {
    **at("negative positive reciprocal square sqrt exp expm1 exp2 log log2 log10 log1p", Z),
    **at("sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arctanh", Z),
    **at("sinc cot sec csc coth sech csch arccot arcsec arccsc arccsch arccoth", Z),
    **at("arccosh arcsech", RIGHT),  # JAX has the other branch's derivative left of 0
    **at("add subtract multiply divide power float_power", Z, W),
    **at("add_sequence multiply_sequence", Z, W, Z * W),
}
REAL_OF_COMPLEX = {
    "abs": lambda np, z: np.abs(z),
    "real": lambda np, z: np.real(z * z),
    "imag": lambda np, z: np.imag(z * z),
    "angle": lambda np, z: np.angle(z) + np.angle(z, deg=True),
    "conj": lambda np, z: np.real(np.conj(z) * z * W[1]),
    "nan_to_num": lambda np, z: np.real(np.nan_to_num(z) * z),
    "products of parts": lambda np, z: np.real(np.exp(z)) * np.imag(z) ** 2 / np.abs(z),
}
WITHOUT_NAME_IN_JAX = {
    "cot": lambda np, x: 1 / np.tan(x),
    "sec": lambda np, x: 1 / np.cos(x),
    "csc": lambda np, x: 1 / np.sin(x),
    "coth": lambda np, x: 1 / np.tanh(x),
    "sech": lambda np, x: 1 / np.cosh(x),
    "csch": lambda np, x: 1 / np.sinh(x),
    "arccot": lambda np, x: np.pi / 2 - np.arctan(x),
    "arcsec": lambda np, x: np.arccos(1 / x),
    "arccsc": lambda np, x: np.arcsin(1 / x),
    "arccsch": lambda np, x: np.arcsinh(1 / x),
    "arcsech": lambda np, x: np.arccosh(1 / x),
    "arccoth": lambda np, x: np.arctanh(1 / x),
    "add_sequence": lambda np, x, y, z: x + y + z,
    "multiply_sequence": lambda np, x, y, z: x * y * z,
    "real_if_close": lambda np, x: x,
}


def value_and_derivatives(function, derivative, arrays):
    """Give the value, each first derivative and each second one, of a sum if there are several results."""

    def one_result(*xs):
        y = function(*xs)
        return sum(y) if isinstance(y, tuple | list) else y

    wanted = [i for i, x in enumerate(arrays) if x.dtype.kind in "fc"]
    firsts = {i: derivative(one_result, i) for i in wanted}
    seconds = [derivative(firsts[i], j) for i, j in combinations_with_replacement(wanted, 2)]
    return [f(*arrays) for f in (one_result, *firsts.values(), *seconds)]


def ours(name, arrays):
    function = getattr(np, name, None) or getattr(ops, name)
    value, *derivatives = value_and_derivatives(function, elementwise_grad, arrays)
    return [value.data if isinstance(value, Variable) else value, *derivatives]


@pytest.fixture
def jax():
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        yield jax


def in_jax(jax, name, arrays, holomorphic=False):
    """Give the same of each element by itself, so that its gradient is its derivative."""
    function = getattr(jax.numpy, name, None) or WITHOUT_NAME_IN_JAX[name].__get__(jax.numpy)

    def derivative(function, i):
        return jax.grad(function, i, holomorphic=holomorphic)

    each = jax.jit(jax.vmap(lambda *xs: value_and_derivatives(function, derivative, xs)))
    return each(*map(jax.numpy.asarray, arrays))


def assert_same(found, expected, dtype):
    tolerance = 100 * np.finfo(dtype).eps
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        assert i == 0 or a.dtype == dtype


def test_every_elementwise_operator_is_compared():
    families = {f"ops_builtin.{family}" for family in FAMILIES.split()}
    names = {o.name for o in find_operators("ops_builtin") if o.target.__module__ in families}
    assert names == set(REAL)


@pytest.mark.parametrize("name", REAL)
def test_real_derivatives_are_those_of_jax(jax, name):
    expected = in_jax(jax, name, REAL[name])
    for dtype in (np.float64, np.float32):
        arrays = [x.astype(dtype) if x.dtype.kind == "f" else x for x in REAL[name]]
        assert_same(ours(name, arrays), expected, dtype)


@pytest.mark.parametrize("name", HOLOMORPHIC)
def test_complex_derivatives_are_those_of_jax(jax, name):
    expected = in_jax(jax, name, HOLOMORPHIC[name], holomorphic=True)
    for dtype in (np.complex128, np.complex64):
        assert_same(ours(name, [x.astype(dtype) for x in HOLOMORPHIC[name]]), expected, dtype)


@pytest.mark.parametrize("name", REAL_OF_COMPLEX)
def test_gradients_of_real_functions_of_complex_numbers_are_those_of_jax(jax, name):
    function = REAL_OF_COMPLEX[name]

    def gradients(np, grad, z):
        first = grad(lambda z: function(np, z))
        return function(np, z), first(z), grad(lambda z: np.real(first(z) * (2 - 3j)))(z)

    expected = jax.jit(jax.vmap(lambda z: gradients(jax.numpy, jax.grad, z)))(jax.numpy.asarray(Z))
    for dtype in (np.complex128, np.complex64):
        assert_same(gradients(np, elementwise_grad, Z.astype(dtype)), expected, dtype)
