"""Equations of special matrices beside dense ones, and what is refused."""

import numpy as np
import pytest
from opregistry_special.matrix_equations import SolveSylvester, Sqrtm, solve_banded, solve_triangular
from scipy import linalg

from registry import Variable, grad, hessian, jacobian

RNG = np.random.default_rng(0)
A = RNG.normal(size=(4, 4)) + 3 * np.eye(4)
B, B2 = RNG.normal(size=4), RNG.normal(size=(4, 2))
solve_sylvester, sqrtm = SolveSylvester(), Sqrtm()


def value(y):
    return y.data if isinstance(y, Variable) else y


def same_derivatives(function, dense, *xs):
    """Compare values, gradients of a random sum of the result's cubes, and all second derivatives."""
    np.testing.assert_allclose(value(function(*xs)), value(dense(*xs)), rtol=1e-10)
    weights = np.random.default_rng(1).normal(size=np.shape(function(*xs)))
    for i in range(len(xs)):
        of_one, known = (lambda *x, f=f: np.sum(weights * f(*x) ** 3) for f in (function, dense))
        np.testing.assert_allclose(grad(of_one, i)(*xs), grad(known, i)(*xs), rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(hessian(of_one, i)(*xs), hessian(known, i)(*xs), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("b", [B, B2], ids=["vector", "matrix"])
@pytest.mark.parametrize("unit_diagonal", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("trans", [0, 1, "T"])
def test_solve_triangular_is_solve_of_the_triangle(b, unit_diagonal, lower, trans):
    def dense(a, b):
        triangle = (np.tril if lower else np.triu)(a, -int(unit_diagonal) if lower else int(unit_diagonal))
        triangle = triangle + np.eye(4) if unit_diagonal else triangle
        return np.linalg.solve(triangle.T if trans else triangle, b)

    def own(a, b):
        return solve_triangular(a, b, trans, lower, unit_diagonal)

    expected = linalg.solve_triangular(A, b, {"T": 1}.get(trans, trans), lower, unit_diagonal)
    np.testing.assert_allclose(value(own(A, b)), expected, rtol=1e-12)
    same_derivatives(own, dense, A, b)


def test_the_conjugate_transpose_is_solved_for_complex_matrices():
    a = A + 1j * RNG.normal(size=(4, 4))
    expected = np.linalg.solve(np.conjugate(np.triu(a)).T, B)
    np.testing.assert_allclose(value(solve_triangular(a, B, "C")), expected, rtol=1e-12)

    def loss(solve):
        return lambda a: np.sum(np.abs(solve(a)) ** 2)

    own = grad(loss(lambda a: solve_triangular(a, B, 2)))(a)
    dense = grad(loss(lambda a: np.linalg.solve(np.conjugate(np.triu(a)).T, B)))(a)
    np.testing.assert_allclose(own, dense, rtol=1e-10, atol=1e-12)


def test_what_stands_outside_of_the_triangle_is_not_read():
    a = np.where(np.tri(4, k=-1) > 0, np.nan, A)
    np.testing.assert_allclose(value(solve_triangular(a, B)), linalg.solve(np.triu(A), B), rtol=1e-12)
    assert np.all(grad(lambda a: np.sum(solve_triangular(a, B)))(a)[np.tri(4, k=-1) > 0] == 0)


def test_stacks_of_matrices_are_solved_one_by_one():
    stack = np.stack([A, A.T, A @ A])
    found = value(solve_triangular(stack, B2))
    for a, x in zip(stack, found, strict=True):
        np.testing.assert_allclose(x, linalg.solve_triangular(a, B2), rtol=1e-12)
    assert solve_triangular(stack, B).shape == (3, 4)
    assert solve_triangular(stack[:, None], B2).shape == (3, 1, 4, 2)
    assert value(solve_triangular(np.zeros((0, 4, 4)), B2)).shape == (0, 4, 2)


def banded(l_and_u, ab):
    """Make the matrix of its diagonals, as an operation that is differentiated."""
    below, above = l_and_u
    n = ab.shape[-1]
    return sum(np.diag(ab[above - k, max(k, 0) : n + min(k, 0)], k) for k in range(-below, above + 1))


@pytest.mark.parametrize("b", [B, B2], ids=["vector", "matrix"])
@pytest.mark.parametrize("l_and_u", [(1, 1), (0, 0), (2, 0), (0, 2), (2, 1), (1, 3)])
def test_solve_banded_is_solve_of_the_matrix(l_and_u, b):
    ab = RNG.normal(size=(sum(l_and_u) + 1, 4))
    ab[l_and_u[1]] += 4
    np.testing.assert_allclose(
        value(solve_banded(l_and_u, ab, b)), linalg.solve_banded(l_and_u, ab, b), rtol=1e-12
    )
    same_derivatives(
        lambda ab, b: solve_banded(l_and_u, ab, b),
        lambda ab, b: np.linalg.solve(banded(l_and_u, ab), b),
        ab, b,
    )  # fmt: skip


def test_unused_corners_of_bands_have_a_gradient_of_zero_whatever_they_hold():
    ab = np.array([[np.nan, 1.0, 1.0, 1.0], [4.0, 4.0, 4.0, 4.0], [1.0, 1.0, 1.0, np.inf]])
    gradient = grad(lambda ab: np.sum(solve_banded((1, 1), ab, B)))(ab)
    assert gradient[0, 0] == gradient[2, 3] == 0
    assert np.isfinite(gradient).all()
    assert np.count_nonzero(gradient) == 10


def by_kronecker(a, b, q):
    left, right = np.kron(a, np.eye(b.shape[0])), np.kron(np.eye(a.shape[0]), np.transpose(b))
    return np.reshape(np.linalg.solve(left + right, np.reshape(q, -1)), q.shape)


def test_solve_sylvester_is_the_system_of_its_kronecker_products():
    a, b, q = A[:2, :2], A[:3, :3].T, RNG.normal(size=(2, 3))
    np.testing.assert_allclose(value(solve_sylvester(a, b, q)), linalg.solve_sylvester(a, b, q), rtol=1e-12)
    same_derivatives(solve_sylvester, by_kronecker, a, b, q)


def test_solve_sylvester_takes_a_real_matrix_with_complex_eigenvalues_beside_complex_ones():
    a, b, q = np.array([[1.0, -2.0], [2.0, 1.0]]), A[:3, :3] + 1j, RNG.normal(size=(2, 3))
    x = value(solve_sylvester(a, b, q))
    np.testing.assert_allclose(a @ x + x @ b, q, atol=1e-13)


@pytest.mark.parametrize(
    "a",
    [
        A @ A.T,
        np.array([[1.0, 1e-3], [0.0, 1.0]]),
        np.array([[1.0, 2.0], [3.0, -4.0]]),
        np.array([[0.0, -1.0], [1.0, 0.0]]),
        np.array([[1.0 + 2j, 0.3], [0.1j, -1.0 + 0.5j]]),
        np.eye(3),
    ],
    ids=["positive", "one eigenvalue", "complex root", "rotation", "complex", "equal values"],
)
def test_derivatives_of_square_roots_are_those_of_block_matrices(a):
    """The root of [[a, e], [0, a]] has the derivative along e in its upper right (Higham, 2008, 3.6)."""
    n = len(a)
    y = value(sqrtm(a))
    np.testing.assert_allclose(y @ y, a, rtol=1e-12, atol=1e-13)
    directions = RNG.normal(size=(2, n, n))
    e, d = directions
    whole = jacobian(lambda t: sqrtm(a + t[0] * e + t[1] * d))(np.zeros(2, a.dtype))
    zero = np.zeros((n, n))
    for found, direction in ((whole[..., 0], e), (whole[..., 1], d)):
        expected = linalg.sqrtm(np.block([[a, direction], [zero, a]]))[:n, n:]
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)
    second = jacobian(jacobian(lambda t: sqrtm(a + t[0] * e + t[1] * d)))(np.zeros(2, a.dtype))[..., 0, 1]
    blocks = np.block([[a, e, d, zero], [zero, a, zero, d], [zero, zero, a, e], [zero, zero, zero, a]])
    expected = linalg.sqrtm(blocks)[:n, 3 * n :]
    np.testing.assert_allclose(second, expected, rtol=1e-4, atol=1e-5)


def test_a_stack_with_one_complex_root_is_complex():
    stack = np.stack([A @ A.T, np.diag([1.0, -4.0, 9.0, 1.0])])
    found = value(sqrtm(stack))
    assert found.dtype == np.complex128
    np.testing.assert_allclose(found @ found, stack, atol=1e-11)


@pytest.mark.filterwarnings("ignore::scipy.linalg.LinAlgWarning")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: solve_triangular(A * (1 - np.eye(4)), B), "singular"),
        (lambda: solve_banded((0, 0), np.zeros((1, 4)), B), "singular"),
        (lambda: solve_sylvester(A, -A, A), "an eigenvalue of a is the negative of one of b"),
        (lambda: sqrtm(np.array([[0.0, 1.0], [0.0, 0.0]])), "no square root"),
    ],
)
def test_equations_without_one_solution_are_refused(call, message):
    with pytest.raises(np.linalg.LinAlgError, match=message):
        call()


def test_the_root_of_a_singular_matrix_has_a_value_but_no_gradient():
    a = Variable(np.diag([4.0, 0.0, 0.0]))
    with pytest.warns(linalg.LinAlgWarning, match="singular"):
        y = sqrtm(a)
    np.testing.assert_array_equal(y.data, np.diag([2.0, 0.0, 0.0]))
    with pytest.raises(np.linalg.LinAlgError, match="solve_sylvester"):
        y.backward()


def test_wrong_words_are_named():
    with pytest.raises(ValueError, match="trans is 'H'; expected 0, 1, 2, 'N', 'T' or 'C'"):
        solve_triangular(A, B, "H")
