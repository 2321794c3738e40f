"""Linear algebra and Fourier transforms: what samples of the checker do not reach."""

import numpy as np
import pytest

from registry import NoOperatorError, Variable, grad, hessian, ops

RNG = np.random.default_rng(3)
SQUARE = RNG.normal(size=(4, 4)) + 3 * np.eye(4)
COMPLEX = RNG.normal(size=(4, 4)) + 1j * RNG.normal(size=(4, 4)) + 3 * np.eye(4)
WEIGHTS = RNG.normal(size=(4, 4)) + 1j * RNG.normal(size=(4, 4))


def gradient(f, x):
    x = Variable(x)
    f(x).backward()
    return x.grad


def differences(f, x, step=1e-6):
    """Give G with Re(sum(G * dx)) = df, for a real f, by central differences of both parts."""
    found = np.zeros(x.shape, x.dtype)
    for place in np.ndindex(x.shape):
        for part in (1, 1j) if x.dtype.kind == "c" else (1,):
            d = np.zeros(x.shape, x.dtype)
            d[place] = step * part
            found[place] += (f(x + d) - f(x - d)) / (2 * step) * np.conj(part)
    return found


def weighted(y):
    return np.sum(np.real(y * WEIGHTS[: y.shape[-2], : y.shape[-1]]))


def adjoint(x):
    return np.conjugate(np.swapaxes(x, -1, -2))


def function_of_hermitian(x):
    w, v = np.linalg.eigh(x)
    return weighted((v * np.tanh(w)) @ adjoint(v)) + np.sum(w**3)


def function_by_eig(x):
    w, v = np.linalg.eig(x)
    return weighted((v * w * w) @ np.linalg.inv(v)) + np.sum(np.real(w * w * 1j))


def vectors_of_eig(x):
    return weighted(np.linalg.eig(x)[1])


def function_by_svd(full):
    def f(x):
        u, s, vh = np.linalg.svd(x, full_matrices=full)
        n = s.shape[-1]
        inside = (u[..., :n] * np.tanh(s)) @ vh[..., :n, :]
        further = u[..., n:] @ adjoint(u[..., n:])
        return weighted(inside) + np.sum(s**3) + (weighted(further) if further.shape[-2] <= 4 else 0)

    return f


def function_by_further_right_vectors(x):
    vh = np.linalg.svd(x)[2][x.shape[0] :]
    return weighted(adjoint(vh) @ vh)


def function_by_qr(x):
    q, r = np.linalg.qr(x)
    return weighted(q) + weighted(r * r)


def solved(x):
    y, residuals, _, s = np.linalg.lstsq(x, x[:, ::-1] ** 2, rcond=None)
    return weighted(y) + np.sum(residuals) + np.sum(s * s)


SYMMETRIC = SQUARE + SQUARE.T
HERMITIAN = COMPLEX + COMPLEX.conj().T
POSITIVE = COMPLEX @ COMPLEX.conj().T


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (function_of_hermitian, SYMMETRIC),
        (function_of_hermitian, HERMITIAN),
        (lambda x: np.sum(np.linalg.eigvalsh(x, "U") ** 3), HERMITIAN),
        (lambda x: weighted(np.linalg.cholesky(x)), POSITIVE),
        (lambda x: weighted(np.linalg.cholesky(x, upper=True)), POSITIVE),
        (function_by_eig, SQUARE),
        (function_by_eig, COMPLEX),
        (vectors_of_eig, SQUARE - 2 * SQUARE.T),
        (vectors_of_eig, COMPLEX),
        (lambda x: np.sum(np.real(np.linalg.eigvals(x) * 1j) ** 2), SQUARE - 2 * SQUARE.T),
        (function_by_svd(True), SQUARE),
        (function_by_svd(True), COMPLEX),
        (function_by_svd(True), COMPLEX[:, :2]),
        (function_by_svd(True), SQUARE[:, :2]),
        (function_by_svd(False), COMPLEX[:2]),
        (function_by_svd(False), COMPLEX[:, :2]),
        (function_by_further_right_vectors, COMPLEX[:2]),
        (function_by_qr, COMPLEX[:, :3]),
        (function_by_qr, COMPLEX[:2]),
        (lambda x: weighted(np.linalg.pinv(x)), COMPLEX[:, :2]),
        (solved, COMPLEX[:, :2]),
        (solved, COMPLEX[:2]),
        (lambda x: np.real(np.linalg.slogdet(x)[0] * (2 - 1j)) + 3 * np.linalg.slogdet(x)[1], COMPLEX),
        (lambda x: np.linalg.norm(x, "nuc") + np.linalg.norm(x, 3, axis=0)[0], COMPLEX[:, :3]),
        (lambda x: np.linalg.cond(x) + np.linalg.cond(x, 1), COMPLEX),
    ],
)
def test_gradients_of_what_does_not_depend_on_phases(f, x):
    np.testing.assert_allclose(gradient(f, x), differences(f, x), rtol=1e-5, atol=1e-6)


EQUAL = np.diag([2.0, 2.0, 3.0])
ROTATION = np.linalg.qr(SQUARE[:3, :3])[0]
ROTATED = ROTATION @ EQUAL @ ROTATION.T
OBLIQUE = ROTATION + 2 * np.outer(SQUARE[0, :3], SQUARE[1, :3])
TURNED = np.linalg.qr(COMPLEX[:3, :3])[0]
EQUAL_AND_OPPOSITE = np.diag([2.0, -2.0, 3.0, 1.0])
LONG = RNG.normal(size=300) + 1j * RNG.normal(size=300)
STEEP = np.eye(3) + 99 * np.outer([3, -6, -8], [9, 3, 1])  # of values 1, 1 and 100
SINGULAR = np.array([[1.0, 1.0], [0.0, 0.0]])  # LAPACK rounds nothing here: 0 is 0 on any processor


def symmetrized(f):
    return lambda x: f((x + adjoint(x)) / 2)


def projector_by_eigh(x):
    v = np.linalg.eigh(x)[1][:, :2]
    return weighted(v @ adjoint(v))


def principal_components(x):
    w, v = np.linalg.eigh(x)
    return weighted((v[:, 2:] * np.tanh(w[2:])) @ adjoint(v[:, 2:]))


def projector_by_eig(x):
    w, v = np.linalg.eig(x)
    here = np.less(np.abs(w - 2), 0.1).astype(float)
    return weighted((v * here) @ np.linalg.inv(v)) + np.sum(np.real(w) ** 3)


def range_of_columns(x):
    u = np.linalg.svd(x, full_matrices=False)[0][:, :2]
    return weighted(u @ adjoint(u))


def approximation_of_low_rank(x):
    u, s, vh = np.linalg.svd(x)
    return weighted((u[:, :1] * np.tanh(s[:1])) @ vh[:1])


def nearest_unitary(x):
    u, _, vh = np.linalg.svd(x)
    return weighted(u @ vh)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (symmetrized(projector_by_eigh), EQUAL),
        (symmetrized(projector_by_eigh), ROTATED),
        (symmetrized(projector_by_eigh), TURNED @ EQUAL @ adjoint(TURNED)),
        (symmetrized(principal_components), ROTATED),
        (symmetrized(principal_components), TURNED @ EQUAL @ adjoint(TURNED)),
        (symmetrized(lambda x: np.sum(np.linalg.eigvalsh(x) ** 3)), ROTATED),
        (projector_by_eig, SQUARE[:3, :3] @ EQUAL @ np.linalg.inv(SQUARE[:3, :3])),
        (projector_by_eig, OBLIQUE @ EQUAL @ np.linalg.inv(OBLIQUE)),
        (lambda x: np.sum(np.real(np.linalg.eigvals(x)) ** 3), np.eye(3)),
        (range_of_columns, COMPLEX[:, :2] @ np.diag([2.0, 2.0])),
        (approximation_of_low_rank, ROTATION @ np.diag([3.0, 2.0, 2.0]) @ ROTATION),
        (approximation_of_low_rank, TURNED @ np.diag([3.0, 0.0, 0.0]) @ TURNED),
        (nearest_unitary, EQUAL),
        (nearest_unitary, ROTATION @ EQUAL),
        (nearest_unitary, np.eye(3)),
        (nearest_unitary, ROTATION),
        (nearest_unitary, TURNED),
        (lambda x: np.sum(np.linalg.svdvals(x) ** 3), ROTATION),
        (lambda x: np.linalg.norm(x, "nuc"), TURNED),
    ],
)
def test_equal_values_give_what_does_not_depend_on_single_vectors(f, x):
    np.testing.assert_allclose(gradient(f, x), differences(f, x), rtol=1e-6, atol=1e-6)


def x_by_eig(results):
    w, v = results
    return (v * w) @ np.linalg.inv(v)


def x_by_svd(results):
    u, s, vh = results
    return (u * s) @ vh


def test_a_matrix_from_its_svd_has_its_gradient_beside_a_single_value_of_0():
    x = ROTATION @ np.diag([3.0, 2.0, 0.0])
    found = gradient(lambda x: weighted(x_by_svd(np.linalg.svd(x))), x)
    np.testing.assert_allclose(found, np.real(WEIGHTS[:3, :3]), atol=1e-12)


def toward_the_vector(j):
    """Give how far the first vector leans to another, of equal value; there no turn is felt more."""

    def leaning(x):
        v = np.linalg.eigh(x)[1]
        return np.sum(np.real(v[:, 0] * np.conjugate(v[:, j].data)))

    return leaning


def function_by_eigh(f):
    def of_matrix(x):
        w, v = np.linalg.eigh(x)
        return weighted((v * f(w)) @ adjoint(v))

    return of_matrix


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (function_by_eigh(np.exp), np.eye(3)),
        (function_by_eigh(np.sqrt), ROTATED),
        (function_by_eigh(lambda w: w - 2), ROTATED),  # f(w) is 0, and f'(w) is not
        (lambda x: weighted(x_by_eig(np.linalg.eig(x))), np.eye(3)),
        (lambda x: weighted(x_by_eig(np.linalg.eig(x))), OBLIQUE @ EQUAL @ np.linalg.inv(OBLIQUE)),
        (lambda x: weighted(x_by_eig(np.linalg.eig(x))), STEEP),  # rounding is that of x, not of its values
        (lambda x: weighted(x_by_svd(np.linalg.svd(x))), ROTATION @ np.diag([3.0, 0.0, 0.0])),
        (lambda x: weighted(x_by_svd(np.linalg.svd(x, False))), np.outer(SQUARE[0], [1.0, 2.0])),
        (lambda x: weighted(x_by_svd(np.linalg.svd(x))), TURNED @ np.diag([3.0, 2.0, 0.0])),
        (toward_the_vector(1), ROTATED),
        (toward_the_vector(298), np.outer(LONG, LONG.conj())),  # rounding grows with the rows
        (lambda x: weighted(np.linalg.eigh(x)[1]), HERMITIAN),  # phases are free
        (lambda x: np.real(np.linalg.eig(x)[1][0, 1]), EQUAL),
        (lambda x: weighted((np.linalg.svd(x)[0] * np.exp(np.linalg.svd(x)[1])) @ ROTATION), ROTATION),
        (lambda x: np.linalg.svd(x)[0][0, 0], ROTATION),
        (lambda x: np.linalg.svd(x)[0][0, 3], SQUARE[:, :2]),  # of the further vectors
        (lambda x: np.linalg.svd(x, full_matrices=False)[0][0, 1], np.outer(SQUARE[0], [1.0, 2.0])),
        (lambda x: weighted(np.linalg.svd(x)[2]), COMPLEX),
    ],
)
def test_what_depends_on_more_than_the_matrix_determines_has_no_gradient(f, x):
    assert np.all(np.isnan(gradient(f, x)))


def test_a_function_by_eigh_of_a_diagonal_matrix_needs_its_vectors_where_values_are_equal():
    """Only where the weights of equal values vanish beside the diagonal is f'(w) not needed."""

    def trace_of_exp(x):
        w, v = np.linalg.eigh(x)
        return np.trace((v * np.exp(w)) @ v.T)

    np.testing.assert_allclose(gradient(trace_of_exp, np.eye(3)), np.e * np.eye(3), atol=1e-12)


def test_equal_values_of_one_matrix_leave_the_others_of_a_stack_alone():
    found = gradient(lambda x: np.sum(np.linalg.eigh(x)[1][:, 0]), np.stack([SYMMETRIC[:3, :3], EQUAL]))
    alone = gradient(lambda x: np.sum(np.linalg.eigh(x)[1][0]), SYMMETRIC[:3, :3])
    np.testing.assert_allclose(found[0], alone)
    assert np.all(np.isnan(found[1]))


def test_second_derivatives_of_eigenvalues_and_of_their_vectors():
    x = SYMMETRIC[:3, :3]
    np.testing.assert_allclose(hessian(lambda x: np.sum(np.linalg.eigvalsh(x)))(EQUAL), 0, atol=1e-12)
    squares = hessian(symmetrized(lambda x: np.sum(np.linalg.eigvalsh(x) ** 2)))(x)
    exact = hessian(symmetrized(lambda x: np.sum(x * x)))(x)
    np.testing.assert_allclose(squares, exact, atol=1e-10)


def test_the_gradient_lies_in_the_triangle_that_numpy_reads():
    x = SQUARE @ SQUARE.T
    for f in (np.linalg.cholesky, np.linalg.eigvalsh):
        assert not np.any(np.triu(gradient(lambda x, f=f: np.sum(f(x)), x), 1))
    upper = gradient(lambda x: np.sum(np.linalg.eigvalsh(x, "U")), x)
    np.testing.assert_allclose(upper, np.eye(4), atol=1e-12)


@pytest.mark.parametrize(
    ("x", "cofactors"),
    [
        (np.array([[1.0, 2.0], [2.0, 4.0]]), [[4, -2], [-2, 1]]),
        (np.diag([0.0, 2.0, 3.0]), np.diag([6, 0, 0])),
        (np.zeros((3, 3)), np.zeros((3, 3))),
        (np.zeros((1, 1)), [[1]]),
        (np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]), [[-3, 6, -3], [6, -12, 6], [-3, 6, -3]]),
    ],
)
def test_the_determinant_of_a_singular_matrix_has_its_cofactors_as_gradient(x, cofactors):
    np.testing.assert_allclose(gradient(np.linalg.det, x), cofactors, atol=1e-9)


def test_second_derivatives_of_the_determinant_at_zeros():
    found = hessian(np.linalg.det)(np.diag([0.0, 0.0, 2.0]))
    assert found[0, 0, 1, 1] == 2
    assert found[0, 1, 1, 0] == -2
    assert found[0, 0, 0, 0] == 0


def test_a_determinant_that_underflows_is_not_taken_for_one_of_a_singular_matrix():
    np.testing.assert_array_equal(gradient(np.linalg.det, 1e-2 * np.eye(200)), np.zeros((200, 200)))


@pytest.mark.parametrize("order", [None, 2, -2, 1, -1, np.inf, -np.inf, "fro"])
@pytest.mark.parametrize("x", [SINGULAR, np.zeros((2, 2)), np.stack([EQUAL, np.diag([1.0, 2, 0])])])
def test_the_condition_of_singular_matrices_is_infinite(x, order):
    np.testing.assert_allclose(np.linalg.cond(Variable(x), order).data, np.linalg.cond(x, order))


@pytest.mark.parametrize("order", [2, 1, "fro"])
def test_the_condition_of_singular_matrices_has_no_finite_gradient(order):
    with np.errstate(all="ignore"):
        assert not np.any(np.isfinite(gradient(lambda x: np.linalg.cond(x, order), SINGULAR)))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.linalg.norm(x, axis=2),
        lambda x: np.linalg.norm(x, 1, axis=(0, 0)),
        lambda x: np.linalg.norm(x, axis=[0, 1]),
        lambda x: np.linalg.vector_norm(x, axis=-3),
        lambda x: np.linalg.matrix_norm(x[0]),
        lambda x: np.linalg.matrix_power(x, 1.5),
        lambda x: np.linalg.matrix_power(x[:2], 2),
        lambda x: np.linalg.multi_dot([x, x[0], x]),
        lambda x: np.linalg.cond(x[:0]),
        lambda x: np.linalg.cond(x[:2], 1),
        lambda x: np.linalg.qr(x[0]),
        lambda x: np.linalg.tensorsolve(x, x[0], axes=(2,)),
        lambda x: np.tensordot(x, x, 3),
        lambda x: np.tensordot(x, x[:2], ([0], [0])),
        lambda x: np.vecdot(x, x, axis=2),
        lambda x: np.matvec(x[0], x[0]),
        lambda x: np.trace(x[0]),
        lambda x: np.cross(x[:, :3], x[:, :3], axis=2),
    ],
)
def test_wrong_arguments_raise_what_numpy_raises(call):
    with pytest.raises(Exception) as expected:
        call(SQUARE)
    with pytest.raises(expected.type):
        call(Variable(SQUARE))


def test_booleans_and_dtypes_are_numpys():
    x = SQUARE > 0
    for call in (np.vdot, np.vecdot, np.vecmat):
        found, expected = call(Variable(x), x), call(x, x)
        np.testing.assert_array_equal(found.data, expected, strict=True)
    assert np.trace(Variable(SQUARE), dtype=np.float32).dtype == np.float32
    assert np.linalg.trace(Variable(SQUARE), dtype=complex).dtype == complex
    np.testing.assert_array_equal(np.linalg.norm(Variable(np.zeros((0, 3))), 2).data, 0)
    kept = np.vecdot(Variable(SQUARE), SQUARE, axis=0, keepdims=True)
    np.testing.assert_allclose(kept.data, np.vecdot(SQUARE, SQUARE, axis=0, keepdims=True))


def test_slogdet_without_a_derivative_is_nan_for_that_matrix_only():
    found = gradient(lambda x: np.sum(np.linalg.slogdet(x)[1]), np.stack([np.eye(2), np.zeros((2, 2))]))
    np.testing.assert_array_equal(found[0], np.eye(2))
    assert np.all(np.isnan(found[1]))


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (np.linalg.eigh, "eigenvalues eigenvectors"),
        (np.linalg.eig, "eigenvalues eigenvectors"),
        (np.linalg.svd, "U S Vh"),
        (np.linalg.qr, "Q R"),
        (np.linalg.slogdet, "sign logabsdet"),
    ],
)
def test_results_have_numpys_names(call, names):
    found, expected = call(Variable(SQUARE)), call(SQUARE)
    for name in names.split():
        np.testing.assert_allclose(getattr(found, name).data, getattr(expected, name))
    assert type(found) is type(expected)


@pytest.mark.parametrize("order", [None, 1, 2, 3, 1.5, np.inf])
def test_the_norm_of_zeros_has_the_gradient_0(order):
    np.testing.assert_array_equal(gradient(lambda x: np.linalg.norm(x, order), np.zeros(3)), np.zeros(3))


@pytest.mark.parametrize("order", [None, "fro", 1, np.inf])
def test_the_norm_of_a_matrix_of_zeros_has_the_gradient_0(order):
    found = gradient(lambda x: np.linalg.norm(x, order), np.zeros((2, 3)))
    np.testing.assert_array_equal(found, np.zeros((2, 3)))


@pytest.mark.parametrize(("order", "share"), [("nuc", 1), (2, 0.5), (-2, 0.5)])
def test_singular_values_of_zero_have_the_gradient_that_jax_and_pytorch_give(order, share):
    found = gradient(lambda x: np.linalg.norm(x, order), np.zeros((2, 3)))
    np.testing.assert_array_equal(found, share * np.eye(2, 3))


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e307])
def test_lengths_neither_overflow_nor_vanish(scale):
    x = scale * np.array([[3.0, 4.0], [12.0, 0.0]])
    np.testing.assert_allclose(np.linalg.norm(Variable(x)).data, 13 * scale, rtol=1e-5)
    np.testing.assert_allclose(gradient(np.linalg.norm, x), np.array([[3, 4], [12, 0]]) / 13, rtol=1e-5)
    rows = np.linalg.norm(Variable(x), axis=1, keepdims=True)
    np.testing.assert_allclose(rows.data, scale * np.array([[5.0], [12.0]]), rtol=1e-5)


def test_norms_at_ties_and_zeros():
    np.testing.assert_allclose(grad(lambda x: np.linalg.norm(x, np.inf))(np.array([2.0, -2.0])), [0.5, -0.5])
    np.testing.assert_allclose(grad(lambda x: np.linalg.norm(x, 0.5))(np.array([4.0, 0.0])), [1, 0])
    np.testing.assert_allclose(grad(lambda x: np.linalg.norm(x, 2))(np.eye(2)), np.eye(2) / 2)
    np.testing.assert_allclose(grad(np.linalg.norm)(np.array([3.0, 4.0])), [0.6, 0.8])
    with pytest.raises(ValueError, match="norm order"):
        np.linalg.norm(Variable(SQUARE), 3)


EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    (" i j -> j i ", (2, 3)),
    ("ii", (3, 3)),
    ("iij->j", (3, 3, 2)),
    ("...ii->...i", (2, 3, 3)),
    ("i...,...j", (2, 3, 4), (4, 3)),
    ("...,...", (2, 1), (3,)),
    ("a,b,c->cab", (2,), (3,), (4,)),
    ("ij,ij", (1, 3), (2, 3)),
    (",", (), ()),
]


@pytest.mark.parametrize(("subscripts", "shapes"), [(s, shapes) for s, *shapes in EINSUMS])
@pytest.mark.parametrize("optimize", [False, True])
def test_einsum_is_numpys(subscripts, shapes, optimize):
    arrays = [RNG.normal(size=shape) for shape in shapes]
    try:
        expected = np.einsum(subscripts, *arrays, optimize=optimize)
    except ValueError:
        pytest.skip("NumPy does not take it either")
    xs = [Variable(a) for a in arrays]
    y = np.einsum(subscripts, *xs, optimize=optimize)
    np.testing.assert_allclose(y.data, expected)
    y.backward()
    for i, x in enumerate(xs):

        def total(a, i=i):
            return np.sum(np.einsum(subscripts, *arrays[:i], a, *arrays[i + 1 :]))

        np.testing.assert_allclose(x.grad, differences(total, arrays[i]), rtol=1e-6, atol=1e-7)


def test_einsum_takes_lists_of_numbers_behind_its_operands():
    a, b = SQUARE[:2, :3], SQUARE[:3]
    for given in ((a, [0, 1], b, [1, 2]), (a, [7, 51], b, [51, 30], [30, 7]), (a, [..., 3], [3, ...])):
        variables = [Variable(x) if isinstance(x, np.ndarray) else x for x in given]
        np.testing.assert_allclose(np.einsum(*variables).data, np.einsum(*given))
    gb = gradient(lambda x: np.sum(np.einsum(a, [0, 1], x, [1, 2])), b)
    np.testing.assert_allclose(gb, np.repeat(a.sum(0)[:, np.newaxis], 4, 1))


def test_einsum_refuses_what_it_lacks():
    x = Variable(SQUARE)
    with pytest.raises(ValueError, match="numbers from 0 to 51"):
        np.einsum(x, [0, 52])
    with pytest.raises(NoOperatorError, match="out="):
        np.einsum("ij", x, out=np.zeros((4, 4)))


def test_products_of_matrices_choose_their_order_and_take_any_number():
    shapes = (30, 2), (2, 40), (40, 3), (3, 20)
    xs = [Variable(RNG.normal(size=shape)) for shape in shapes]
    y = ops.multi_matmul(xs)
    np.testing.assert_allclose(y.data, np.linalg.multi_dot([x.data for x in xs]))
    last = y.creator
    assert [x.shape for x in last.inputs] == [(30, 2), (2, 20)]
    np.testing.assert_array_equal(ops.multi_matmul([SQUARE]), SQUARE)
    with pytest.raises(ValueError, match="one array"):
        ops.multi_matmul([])


def test_cross_products_of_vectors_of_two():
    a, b, c = RNG.normal(size=(3, 3))
    flat = np.array([a[0], a[1], 0.0])
    np.testing.assert_allclose(ops.cross(Variable(a[:2]), b[:2]).data, a[0] * b[1] - a[1] * b[0])
    np.testing.assert_allclose(ops.cross(Variable(a[:2]), b).data, np.cross(flat, b))
    np.testing.assert_allclose(ops.cross(b, Variable(a[:2])).data, np.cross(b, flat))
    np.testing.assert_allclose(gradient(lambda x: np.sum(np.cross(x, b) * c), a), np.cross(b, c))


@pytest.mark.parametrize(("call", "shapes"), [(np.cross, [(4,), (3,)]), (np.linalg.cross, [(2,), (2,)])])
def test_vectors_of_other_lengths_are_refused(call, shapes):
    with pytest.raises(ValueError, match="3"):
        call(*(Variable(np.ones(shape)) for shape in shapes))


@pytest.mark.parametrize("x", [SYMMETRIC, HERMITIAN, np.stack([SYMMETRIC, EQUAL_AND_OPPOSITE])])
def test_hermitian_matrices_have_svd_and_pinv_as_numpy_has_them(x):
    results = np.linalg.svd(Variable(x), hermitian=True), np.linalg.svd(x, hermitian=True)
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found.data, expected, atol=1e-12)
    values = np.linalg.svd(Variable(x), compute_uv=False, hermitian=True)
    np.testing.assert_allclose(values.data, np.linalg.svd(x, compute_uv=False, hermitian=True))
    inverse = np.linalg.pinv(Variable(x), hermitian=True)
    np.testing.assert_allclose(inverse.data, np.linalg.pinv(x, hermitian=True), atol=1e-12)


def test_hermitian_matrices_have_the_gradient_of_the_triangle_that_is_read():
    weights = np.real(WEIGHTS)
    for f in (
        lambda x: np.linalg.pinv(x, hermitian=True),
        lambda x: np.linalg.svd(x, hermitian=True)[0] ** 2,
    ):
        found = gradient(lambda x, f=f: np.sum(f(x) * weights), SYMMETRIC)
        expected = differences(lambda x, f=f: np.sum(f(x) * weights), SYMMETRIC)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
        assert not np.any(np.triu(found, 1))


def test_modes_without_a_derivative_are_refused():
    with pytest.raises(ValueError, match="mode 'complete'"):
        np.linalg.qr(Variable(SQUARE[:, :2]), mode="complete")
    with pytest.raises(NoOperatorError, match="out="):
        np.fft.fft(Variable(SQUARE), out=np.zeros((4, 4), complex))


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
def test_half_transforms_of_every_length(length, norm):
    weights = RNG.normal(size=length)
    half = RNG.normal(size=length // 2 + 1) + 1j * RNG.normal(size=length // 2 + 1)

    def back(x):
        return np.sum(np.fft.irfft(x, length, norm=norm) * weights)

    def there(x):
        return np.sum(np.real(np.fft.rfft(x, norm=norm) * half))

    np.testing.assert_allclose(gradient(back, half), differences(back, half), atol=1e-8)
    np.testing.assert_allclose(gradient(there, weights), differences(there, weights), atol=1e-8)


def test_transforms_of_every_axis_and_length():
    x = RNG.normal(size=(3, 4, 2))
    for name in ("fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2"):
        call = getattr(np.fft, name)
        for options in ({}, {"axes": (0, 1)}, {"s": (-1, 5), "axes": (2, 1)}):
            np.testing.assert_allclose(call(Variable(x), **options).data, call(x, **options), atol=1e-12)
    with pytest.raises(ValueError, match="norm is 'other'"):
        np.fft.hfft(Variable(x), norm="other")


def test_powers_of_a_matrix():
    for n in (-2, -1, 0, 1, 5):
        y = np.linalg.matrix_power(Variable(SQUARE), n)
        np.testing.assert_allclose(y.data, np.linalg.matrix_power(SQUARE, n), atol=1e-12)
    assert np.linalg.matrix_power(Variable(SQUARE), 0).creator is None
