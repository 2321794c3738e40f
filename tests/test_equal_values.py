"""Equal eigenvalues and singular values: the gradient of what is put together again is right, or nan."""

import numpy as np
import pytest

from registry import Variable, grad, hessian, hvp, jacobian

RNG = np.random.default_rng(8)
ROTATION = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
TURN = np.linalg.qr(RNG.normal(size=(3, 3)) + 1j * RNG.normal(size=(3, 3)))[0]
WEIGHTS = RNG.normal(size=(4, 4))


def adjoint(x):
    return np.conjugate(np.swapaxes(x, -1, -2))


def by_svd(f, full=False):
    def of_matrix(x):
        u, s, vh = np.linalg.svd(x, full)
        n = s.shape[-1]
        return (u[..., :n] * f(s)[..., np.newaxis, :]) @ vh[..., :n, :]

    return of_matrix


def by_eigh(f):
    def of_matrix(x):
        w, v = np.linalg.eigh((x + adjoint(x)) / 2)
        return (v * f(w)[..., np.newaxis, :]) @ adjoint(v)

    return of_matrix


def by_eig(f):
    def of_matrix(x):
        w, v = np.linalg.eig(x)
        return np.real((v * f(w)[..., np.newaxis, :]) @ np.linalg.inv(v))

    return of_matrix


def itself(x):
    return x


def hermitian(x):
    return (x + adjoint(x)) / 2


def vanishing_at_1(w):
    return w * w - 1


# Each by its factors, and by a formula that needs none.
AGAIN = {
    "svd": (by_svd(itself), itself),
    "svd with further vectors": (by_svd(itself, full=True), itself),
    "cubes by svd": (by_svd(lambda s: s**3), lambda x: x @ adjoint(x) @ x),
    "eigh": (by_eigh(itself), hermitian),
    "squares by eigh": (by_eigh(vanishing_at_1), lambda x: hermitian(x) @ hermitian(x)),
    "eig": (by_eig(itself), itself),
    "squares by eig": (by_eig(vanishing_at_1), lambda x: x @ x),
}
DEGENERATE = {
    "unit": np.eye(3),
    "zeros": np.zeros((2, 2)),
    "diagonal": np.diag([1.0, 1.0, 2.0]),
    "of rank 2": np.diag([2.0, 1.0, 0.0, 0.0]),
    "of rank 1": np.diag([2.0, 0.0, 0.0]),
    "of one value and its opposite": np.diag([1.0, -1.0, 0.0, 0.0]),
    "turned": ROTATION @ np.diag([1.0, 1.0, 2.0]) @ ROTATION.T,
    "turned, of rank 1": ROTATION @ np.diag([2.0, 0.0, 0.0]) @ ROTATION,
    "tall": np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]),
    "tall, of rank 1": np.outer([1.0, 2.0, 3.0], [1.0, 2.0]),
    "wide": np.eye(2, 3),
    "Jordan block": np.array([[1.0, 1.0], [0.0, 1.0]]),
    "almost a Jordan block": np.array([[1.0, 1.0], [1e-16, 1.0]]),
}


@pytest.mark.parametrize(
    ("name", "matrix"),
    [(n, m) for n in AGAIN for m, x in DEGENERATE.items() if len(x) == len(x.T) or "svd" in n],
)
def test_a_matrix_put_together_again_has_its_derivative_or_nan(name, matrix):
    (f, formula), x = AGAIN[name], DEGENERATE[matrix]
    with np.errstate(all="ignore"):
        for found, expected in (
            (grad(lambda x: np.sum(f(x)))(x), grad(lambda x: np.sum(formula(x)))(x)),
            (jacobian(f)(x), jacobian(formula)(x)),
        ):
            known = np.isfinite(found)
            np.testing.assert_allclose(found[known], expected[known], atol=1e-8)


def test_where_values_of_a_matrix_are_equal_all_is_nan_but_the_other_matrices():
    x = np.stack([np.eye(2), np.array([[1.0, 2.0], [3.0, 5.0]])])
    for f, formula in AGAIN.values():
        found = grad(lambda x, f=f: np.sum(f(x)))(x)
        assert np.all(np.isnan(found[0]))
        np.testing.assert_allclose(found[1], grad(lambda x, f=formula: np.sum(f(x)))(x)[1], atol=1e-10)


@pytest.mark.parametrize("part", [1, 1j])
@pytest.mark.parametrize(
    "x", [np.diag([2.0, 1.0, 0.0]), np.zeros((2, 2)), np.eye(2), TURN @ np.diag([2.0, 2.0, 1.0]) @ TURN]
)
def test_complex_matrices_leave_phases_open_as_well(x, part):
    z = x.astype(complex)
    for f in (by_svd(itself), by_svd(lambda s: s**3)):
        for place in np.ndindex(x.shape):
            v = Variable(z)
            np.real(f(v)[place] * part).backward()
            assert not np.any(np.isfinite(v.grad))


def test_what_leaves_out_vectors_of_equal_values_has_its_gradient():
    """Projections on the first vectors, times their values, where others have no zeros beside them."""

    def first_component(x):
        u, s, vh = np.linalg.svd(x)
        return np.sum((u[:, :1] * s[:1]) @ vh[:1] * WEIGHTS[:3, :3])

    for rest in (2.0, 0.0):
        x = ROTATION @ np.diag([3.0, rest, rest]) @ ROTATION
        step = 1e-6 * RNG.normal(size=(3, 3))
        slope = first_component(x + step) - first_component(x - step)
        np.testing.assert_allclose(np.sum(grad(first_component)(x) * step) * 2, slope, rtol=1e-5)


def test_sums_over_all_values_are_smooth_and_single_ones_have_their_vector():
    x = ROTATION @ np.diag([2.0, 2.0, 3.0]) @ ROTATION.T
    squares = grad(lambda x: np.sum(np.linalg.eigvalsh(x) ** 2))(x)
    np.testing.assert_allclose(squares + squares.T, 4 * x)
    np.testing.assert_allclose(grad(lambda x: np.sum(np.linalg.svdvals(x) ** 2))(x), 2 * x)
    np.testing.assert_allclose(grad(lambda x: np.sum(np.real(np.linalg.eigvals(x) ** 2)))(x), 2 * x.T)
    vector = np.linalg.eigh(x)[1][:, 2]
    alone = grad(lambda x: np.linalg.eigvalsh((x + x.T) / 2)[2])(x)
    np.testing.assert_allclose(alone, np.outer(vector, vector), atol=1e-12)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: np.sum(np.linalg.svdvals(x) ** 2), np.zeros((2, 3))),
        (lambda x: np.sum(np.linalg.svdvals(x) ** 2), np.diag([1.0, 0.0, 0.0])),
        (lambda x: np.sum(np.linalg.svdvals(x) ** 2), np.outer([1.0, 2.0, 3.0], [1.0, 2.0])),
        (lambda x: np.sum(np.log(np.linalg.eigvalsh((x + x.T) / 2)) ** 2), np.eye(2)),
        (lambda x: np.sum(np.linalg.eigvalsh((x + x.T) / 2) ** 2), np.zeros((2, 2))),
        (lambda x: np.sum(np.real(np.linalg.eigvals(x) ** 2)), np.eye(2)),
    ],
)
def test_second_derivatives_of_functions_of_equal_values_are_not_known(f, x):
    with np.errstate(all="ignore"):
        assert np.all(np.isnan(hessian(f)(x)))


def test_second_derivatives_along_the_very_vectors_of_equal_values_are_not_known():
    """The first derivative by 2 is 0, so that turns of the vectors leave no trace in any gradient."""
    x = ROTATION @ np.diag([2.0, 2.0, 3.0]) @ ROTATION.T
    v = np.linalg.eigh(x)[1]
    turn = v @ np.array([[0, 1, 1], [1, 0, 0], [1, 0, 1]]) @ v.T
    found = hvp(lambda x: np.sum((np.linalg.eigvalsh((x + x.T) / 2) - 2) ** 2))(x, turn)
    assert np.all(np.isnan(found))  # and not 0: it is 2 * turn
    x = np.outer([1.0, 2.0, 3.0], [1.0, 2.0])
    u, _, vh = np.linalg.svd(x)
    turn = u @ np.array([[1, 1], [0, 0], [0, 1]]) @ vh
    found = hvp(lambda x: np.sum(np.linalg.svdvals(x) ** 2))(x, turn)
    assert np.all(np.isnan(found))


@pytest.mark.parametrize("power", [1, 2, 3])
def test_a_matrix_without_enough_eigenvectors_has_no_gradient_by_them(power):
    for x in (np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[0.0, 1.0], [0.0, 0.0]])):
        for dtype in (np.float64, np.float32):
            found = grad(lambda x: np.sum(np.real(np.linalg.eigvals(x)) ** power))(x.astype(dtype))
            assert np.all(np.isnan(found))


def test_eigenvalues_of_a_matrix_with_nearly_dependent_vectors_keep_their_gradient():
    x = np.array([[1.0, 1.0], [0.0, 1.0 + 1e-8]])
    np.testing.assert_allclose(
        grad(lambda x: np.sum(np.real(np.linalg.eigvals(x) ** 2)))(x), 2 * x.T, rtol=1e-7
    )


def test_values_that_are_close_but_not_equal_have_their_gradient():
    gap = 1e-9
    x = np.diag([1.0, 1.0 + gap, 2.0])
    leaning = grad(lambda x: np.linalg.eigh((x + x.T) / 2)[1][0, 1])(x)
    assert abs(leaning[0, 1]) == pytest.approx(0.5 / gap, rel=1e-6)
    leaning = grad(lambda x: np.linalg.svd(x)[0][0, 1])(x)
    assert np.max(np.abs(leaning)) == pytest.approx(0.5 / gap, rel=1e-6)
