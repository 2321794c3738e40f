"""Linear algebra in JAX: equal values, gradients and second derivatives, of real and complex matrices."""

import numpy as np
import pytest

from registry import grad

RNG = np.random.default_rng(11)
PARTS = RNG.normal(size=(2, 2, 4, 4))


def adjoint(np, x):
    return np.conj(np.swapaxes(x, -1, -2))


def hermitian(np, x):
    return x + adjoint(np, x)


def positive(np, x):
    return x @ adjoint(np, x)


def by_eigh(np, x):
    w, v = np.linalg.eigh(hermitian(np, x))
    return (v * np.tanh(w)[..., None, :]) @ adjoint(np, v), w * w


def by_eig(np, x):
    w, v = np.linalg.eig(x)
    return (v * (w * w)[..., None, :]) @ np.linalg.inv(v)


def by_svd(np, x):
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return (u * np.tanh(s)[..., None, :]) @ vh, u @ vh, s**3


def by_svd_of_hermitian(np, x):
    u, s, vh = np.linalg.svd(hermitian(np, x), hermitian=True)
    return (u * np.tanh(s)[..., None, :]) @ vh


# Each: a function of two stacks of square matrices, of which it takes what it needs.
PRODUCTS = {
    "dot": lambda np, a, b: np.dot(a, b),
    "dot of matrices": lambda np, a, b: np.dot(a[0], b[0, :, :2]),
    "inner": lambda np, a, b: np.inner(a, b[0]),
    "outer": lambda np, a, b: (np.outer(a[0, 0], b[0]), np.linalg.outer(a[0, 1], b[1, 0])),
    "vdot": lambda np, a, b: np.vdot(a, b),
    "vecdot": lambda np, a, b: (np.vecdot(a, b[0], axis=-2), np.linalg.vecdot(a, b[:1, :1])),
    "matvec": lambda np, a, b: np.matvec(a, b[:, 0]),
    "vecmat": lambda np, a, b: np.vecmat(a[:, 0], b),
    "matmul": lambda np, a, b: (np.matmul(a, b[0]), a[0, 0] @ b, a @ b[0, 0], a[0, 0] @ b[0, 0]),
    "matmul of stacks": lambda np, a, b: (np.linalg.matmul(a[:, None], b), a[:1] @ b),
    "tensordot": lambda np, a, b: (np.tensordot(a, b, ([0, 2], [0, 1])), np.tensordot(a[0], b[0], 0)),
    "linalg.tensordot": lambda np, a, b: np.linalg.tensordot(a, b[0], axes=2),
    "einsum": lambda np, a, b: np.einsum("kij,kjl->il", a, b),
    "einsum with a diagonal": lambda np, a, b: np.einsum("...ii,...ij->i...j", a, b),
    "einsum of three": lambda np, a, b: np.einsum("kij,lj,l->k", a, b[0], a[0, 0], optimize=True),
    "einsum with numbers": lambda np, a, b: np.einsum(a, [0, 3, 1], b, [0, 1, 2], [2, 0]),
    "kron": lambda np, a, b: np.kron(a[0, :2], b[0]),
    "cross": lambda np, a, b: (np.cross(a[0, 1:], b[0, 1:], axis=0), np.linalg.cross(a[..., 1:], b[..., 1:])),
    "trace": lambda np, a, b: (np.trace(a, 1, 0, 2), np.linalg.trace(a @ b, offset=-1)),
    "diagonal": lambda np, a, b: np.linalg.diagonal(a * b, offset=1),
    "matrix_transpose": lambda np, a, b: np.linalg.matrix_transpose(a) @ b,
    "multi_dot": lambda np, a, b: np.linalg.multi_dot([a[0, :2], b[0], a[1], b[1, :, :1]]),
    "matrix_power": lambda np, a, b: (np.linalg.matrix_power(a, 3), np.linalg.matrix_power(b, -2)),
}
EQUATIONS = {
    "det": lambda np, a, b: np.linalg.det(a),
    "slogdet": lambda np, a, b: tuple(np.linalg.slogdet(a)),
    "inv": lambda np, a, b: np.linalg.inv(a),
    "solve": lambda np, a, b: (np.linalg.solve(a, b), np.linalg.solve(a[0], b[0, 0])),
    "pinv": lambda np, a, b: (np.linalg.pinv(a[:, :2]), np.linalg.pinv(b[:, :, :3])),
    "lstsq": lambda np, a, b: [y for y in np.linalg.lstsq(a[0, :, :2], b[0]) if y.ndim],
    "lstsq of a wide matrix": lambda np, a, b: np.linalg.lstsq(a[0, :2], b[0, :2, 0])[0],
    "tensorinv": lambda np, a, b: np.linalg.tensorinv(np.reshape(a[0], (2, 2, 4)), ind=2),
    "tensorsolve": lambda np, a, b: np.linalg.tensorsolve(np.reshape(a[0], (4, 2, 2)), b[0, 0]),
}
FACTORS = {
    "cholesky": lambda np, a, b: np.linalg.cholesky(positive(np, a)),
    "upper cholesky": lambda np, a, b: np.linalg.cholesky(positive(np, a[0]), upper=True),
    "qr": lambda np, a, b: tuple(np.linalg.qr(a)),
    "qr of tall and wide matrices": lambda np, a, b: (*np.linalg.qr(a[:, :, :2]), *np.linalg.qr(b[:, :2])),
    "triangle of qr": lambda np, a, b: np.linalg.qr(a[0], mode="r"),
    "eigh": lambda np, a, b: by_eigh(np, a),
    "eigvalsh": lambda np, a, b: np.linalg.eigvalsh(hermitian(np, a)),
    "eig": lambda np, a, b: by_eig(np, a),
    "eigvals": lambda np, a, b: np.sum(np.linalg.eigvals(a) ** 3, axis=-1),
    "svd": lambda np, a, b: by_svd(np, a),
    "svd of tall and wide matrices": lambda np, a, b: (*by_svd(np, a[0, :, :2]), *by_svd(np, b[0, :3])),
    "svd of a Hermitian matrix": lambda np, a, b: by_svd_of_hermitian(np, a[0]),
    "svdvals": lambda np, a, b: np.linalg.svdvals(a[:, :3]),
}
NORMS = {
    "norm": lambda np, a, b: (np.linalg.norm(a), np.linalg.norm(b, axis=1, keepdims=True)),
    "norm of vectors": lambda np, a, b: [
        np.linalg.norm(a, o, 1) for o in (0, 1, 2, 3, 1.5, -2, np.inf, -np.inf)
    ],
    "norm of matrices": lambda np, a, b: [
        np.linalg.norm(a, o, (0, 2)) for o in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    ],
    "vector_norm": lambda np, a, b: np.linalg.vector_norm(a, axis=(0, 2), ord=3),
    "matrix_norm": lambda np, a, b: (np.linalg.matrix_norm(a), np.linalg.matrix_norm(b, ord="nuc")),
    "cond": lambda np, a, b: [np.linalg.cond(a, p) for p in (None, -2, 1)],
}
# JAX has no second derivatives of eig.
WITHOUT_EIG = {"eig": lambda np, a, b: a @ a, "eigvals": lambda np, a, b: np.linalg.trace(a @ a @ a)}
EXPRESSIONS = {**PRODUCTS, **EQUATIONS, **FACTORS, **NORMS}
STACKS = {
    "real": (PARTS[0] + 3 * np.eye(4), PARTS[1]),
    "complex": (PARTS[0] + 1j * PARTS[1] + 3 * np.eye(4), PARTS[1] - 1j * PARTS[0]),
}


def weights(y, start):
    """Give numbers that weigh both parts of every element, none like another."""
    return np.cos(np.arange(y.size) * (1 + 0.3j) + start).reshape(y.shape)


def total(np, ys, start=0):
    return sum(np.sum(np.real(y * weights(y, start))) for y in ys)


def listed(value):
    return [*value] if isinstance(value, tuple | list) else [value]


def weighted(np, expression):
    """Give the function whose gradients are compared: a number, and the value that it is made of."""

    def function(*xs):
        value = expression(np, *xs)
        value = [*value] if isinstance(value, tuple | list) else [value]
        return total(np, value), value

    return function


def by_jax(jax, expression, arrays):
    """Give value, gradients, and the derivative of these in a direction."""
    gradients = jax.grad(weighted(jax.numpy, expression), (0, 1), has_aux=True)

    def derivatives(xs, direction):
        (first, value), (second, _) = jax.jvp(gradients, xs, direction)
        return [*value, *first, *second]

    with jax.enable_x64(True):
        direction = tuple(weights(x, 1) if np.iscomplexobj(x) else weights(x, 1).real for x in arrays)
        # What runs once need not be optimized by the compiler.
        compiled = jax.jit(derivatives, compiler_options={"xla_backend_optimization_level": 0})
        return [np.asarray(y) for y in compiled(arrays, direction)]


def by_opregistry(expression, arrays):
    """Give value, gradients, and the gradients of their sum with the same weights."""

    def of_gradients(*xs):
        first, value = grad(weighted(np, expression), (0, 1), has_aux=True)(*xs)
        return total(np, first, 1), [*value, *first]

    second, value_and_first = grad(of_gradients, (0, 1), has_aux=True)(*arrays)
    return [*value_and_first, *second]


@pytest.mark.parametrize("kind", STACKS)
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_jax_has_the_same_value_gradients_and_second_derivatives(name, kind):
    jax = pytest.importorskip("jax")
    arrays, expression = STACKS[kind], EXPRESSIONS[name]
    found, expected = (
        by_opregistry(expression, arrays),
        by_jax(jax, WITHOUT_EIG.get(name, expression), arrays),
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8)
