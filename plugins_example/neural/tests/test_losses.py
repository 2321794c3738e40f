"""Losses: values by hand and by mpmath, scores far out, labels that are refused."""

import mpmath
import numpy as np
import pytest

from registry import Variable
from registry.plugins import neural

SCORES = np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 2.0]])
LABELS = np.array([0, 2])


def value(loss, x, *xs, **constants):
    """Give what a loss gives for a Variable."""
    return loss(Variable(x), *xs, **constants).data


def gradients(loss, *xs, **constants):
    """Give the gradient of a loss by each of its inputs."""
    variables = [Variable(np.array(x, float)) if np.asarray(x).dtype.kind == "f" else x for x in xs]
    np.sum(loss(*variables, **constants)).backward()
    return [v.grad for v in variables if isinstance(v, Variable)]


def test_crossentropy_averages_over_the_rows():
    shares = np.exp(SCORES) / np.exp(SCORES).sum(axis=1, keepdims=True)
    expected = -(np.log(shares[0, 0]) + np.log(shares[1, 2])) / 2
    np.testing.assert_allclose(neural.softmax_crossentropy(SCORES, LABELS).data, expected, rtol=1e-15)
    (gx,) = gradients(neural.softmax_crossentropy, SCORES, LABELS)
    np.testing.assert_allclose(gx, (shares - np.eye(3)[LABELS]) / 2, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_crossentropy_of_large_scores(dtype):
    v = Variable(np.array([[1e4, 0, -1e4], [1e4, 0, -1e4]], dtype))
    y = neural.softmax_crossentropy(v, [0, 2])
    y.backward()
    assert (y.data, y.dtype) == (1e4, dtype)
    np.testing.assert_array_equal(v.grad, [[0, 0, 0], [0.5, 0, -0.5]])


def test_one_row_and_rows_of_rows_have_labels_of_their_shape():
    one = [neural.softmax_crossentropy(row, label).data for row, label in zip(SCORES, LABELS, strict=True)]
    both = neural.softmax_crossentropy(SCORES[:, np.newaxis], LABELS[:, np.newaxis]).data
    np.testing.assert_allclose(both, np.mean(one), rtol=1e-15)


def test_likelihood_is_weighted_by_class_and_averaged_over_rows():
    weights = np.array([2.0, 3.0, 5.0])
    assert value(neural.negative_log_likelihood, SCORES, LABELS) == pytest.approx(-1.5)
    loss = lambda x, w: neural.negative_log_likelihood(x, LABELS, weights=w)  # noqa: E731
    assert value(loss, SCORES, weights) == pytest.approx(-(1 * 2 + 2 * 5) / 2)
    gx, gw = gradients(loss, SCORES, weights)
    np.testing.assert_array_equal(gx, [[-1, 0, 0], [0, 0, -2.5]])
    np.testing.assert_array_equal(gw, [-0.5, 0, -1])


@pytest.mark.parametrize(("alpha", "gamma"), [(1, 0), (0.25, 2), (2, 0.5)])
def test_focal_losses_follow_their_formula(alpha, gamma):
    shares = np.exp(SCORES) / np.exp(SCORES).sum(axis=1, keepdims=True)
    p = shares[[0, 1], LABELS]
    expected = -alpha * (1 - p) ** gamma * np.log(p)
    focused = {"alpha": alpha, "gamma": gamma}
    np.testing.assert_allclose(value(neural.focal_loss, shares, LABELS, **focused), expected)
    np.testing.assert_allclose(value(neural.softmax_focal_loss, SCORES, LABELS, **focused), expected)


@pytest.mark.parametrize("gamma", [0.5, 1, 2])
def test_focal_loss_is_flat_at_certainty(gamma):
    for loss, x in ((neural.focal_loss, [[1.0, 0.0]]), (neural.softmax_focal_loss, [[1e3, 0.0]])):
        (gx,) = gradients(loss, x, [0], gamma=gamma)
        np.testing.assert_allclose(gx, [[0, 0]], atol=1e-150)


def test_hinge_sums_over_the_other_classes():
    x, labels = np.array([[1.0, 2.0, 0.5], [0.0, 3.0, 1.0]]), np.array([0, 1])
    assert value(neural.multiclass_hinge, x, labels) == pytest.approx((2 + 0.5) / 2)
    assert value(neural.multiclass_hinge, x, labels, 3.0) == pytest.approx((4 + 2.5 + 0 + 1) / 2)
    np.testing.assert_array_equal(gradients(neural.multiclass_hinge, x, labels)[0], [[-1, 0.5, 0.5], [0] * 3])
    np.testing.assert_array_equal(gradients(neural.multiclass_hinge, [[2.0, 1.0]], [0])[0], [[0, 0]])


def test_margin_ranking_takes_one_sign_for_all_for_rows_or_elements():
    x1, x2 = np.array([[1.0, 2.0], [0.0, 4.0]]), np.array([[0.0, 2.5], [1.0, 1.0]])
    by_hand = {1: [[0, 1.5], [2, 0]], -1: [[2, 0.5], [0, 4]]}  # max(0, 1 - y * (x1 - x2))
    for y, each in (
        (1, by_hand[1]),
        (np.array([1, -1]), [by_hand[1][0], by_hand[-1][1]]),
        ([[1, -1], [1, -1]], [[0, 0.5], [2, 4]]),
    ):
        assert value(neural.margin_ranking_loss, x1, x2, y, 1.0) == pytest.approx(np.mean(each))
    g1, g2 = gradients(neural.margin_ranking_loss, x1, x2, np.array([1, -1]))
    np.testing.assert_array_equal(g1, [[0, -0.25], [0, 0.25]])
    np.testing.assert_array_equal(g2, -g1)
    at_the_kink = gradients(neural.margin_ranking_loss, [2.0, 5.0], [1.0, 1.0], 1, margin=1.0)
    np.testing.assert_array_equal(at_the_kink, [[-0.5, 0], [0.5, 0]])


def test_sums_are_divided_by_the_number_of_rows():
    x0, x1 = np.arange(6.0).reshape(2, 3), np.zeros((2, 3))
    assert neural.mean_squared_error(x0, x1).data == 55 / 2
    np.testing.assert_array_equal(gradients(neural.mean_squared_error, x0, x1)[0], x0)
    assert neural.mean_squared_error(np.array(3.0), 1.0).data == 4
    p = np.full((2, 3), 0.5)
    for loss, x in ((neural.binary_cross_entropy, p), (neural.sigmoid_cross_entropy, np.zeros((2, 3)))):
        np.testing.assert_allclose(loss(x, np.ones((2, 3), int)).data, 3 * np.log(2))


def test_binary_cross_entropy_is_finite_at_certainty():
    p, t = np.array([0.0, 1.0, 0.0, 1.0]), np.array([1, 0, 0, 1])
    assert neural.binary_cross_entropy(p, t).data == 200 / 4
    np.testing.assert_array_equal(gradients(neural.binary_cross_entropy, p, t)[0], [-2.5e11, 2.5e11, 0, 0])


@pytest.mark.parametrize("x", [-700.0, -40.0, -1.0, 0.0, 2.0, 36.0, 40.0, 700.0])
@pytest.mark.parametrize("t", [0, 1, 0.25])
def test_sigmoid_cross_entropy_is_exact(x, t):
    with mpmath.workdps(400):
        s = 1 / (1 + mpmath.exp(-mpmath.mpf(x)))
        expected = float(-t * mpmath.log(s) - (1 - t) * mpmath.log(1 - s)), float(s - t)
    y = neural.sigmoid_cross_entropy(np.array([x]), np.array([t])).data
    gx = gradients(neural.sigmoid_cross_entropy, [x], np.array([t]))[0][0]
    np.testing.assert_allclose(y, expected[0], rtol=1e-15)
    np.testing.assert_allclose(gx, expected[1], rtol=1e-15, atol=1e-16)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_cross_entropy_far_out(dtype):
    v = Variable(np.array([1e4, -1e4, 1e4, -1e4], dtype))
    y = neural.sigmoid_cross_entropy(v, np.array([1, 0, 0, 1]))
    y.backward()
    assert (y.data, y.dtype, v.grad.dtype) == (5e3, dtype, dtype)
    np.testing.assert_array_equal(v.grad, [0, 0, 0.25, -0.25])


def test_targets_have_gradients_too():
    t, x = np.array([0.3, 0.9]), np.array([-2.0, 1.5])
    p = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(gradients(neural.sigmoid_cross_entropy, x, t)[1], -x / 2)
    np.testing.assert_allclose(gradients(neural.binary_cross_entropy, p, t)[1], -x / 2)


def test_integer_targets_leave_float32():
    for loss in (neural.mean_squared_error, neural.binary_cross_entropy, neural.sigmoid_cross_entropy):
        assert loss(np.array([0.5, 0.1], np.float32), np.array([1, 0])).dtype == np.float32


LABELLED = {
    "softmax_crossentropy": "y_true",
    "negative_log_likelihood": "y_true",
    "multiclass_hinge": "y_true",
    "focal_loss": "targets",
    "softmax_focal_loss": "targets",
}


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize(
    ("labels", "error", "words"),
    [
        (np.array([0.0, 1.0]), TypeError, "must be integers.*got float64.*astype"),
        (np.array([True, False]), TypeError, "must be integers.*got bool"),
        (np.array([0, 1, 2]), ValueError, r"must have shape \(2,\).*of shape \(2, 3\); got \(3,\)"),
        (np.eye(3, dtype=int)[:2], ValueError, r"must have shape \(2,\).*got \(2, 3\)"),
        (np.array([0, 3]), ValueError, "must lie in 0 to 2, for 3 classes; got 0 to 3"),
        (np.array([-1, 0]), ValueError, "must lie in 0 to 2, for 3 classes; got -1 to 0"),
    ],
)
def test_labels_that_cannot_be_are_refused_by_name(name, labels, error, words):
    with pytest.raises(error, match=f"{name}: {LABELLED[name]} {words}"):
        getattr(neural, name)(Variable(np.full((2, 3), 0.3)), labels)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda x: neural.mean_squared_error(x, np.ones((2, 1))),
            r"'mean_squared_error'.*\(2,\) and \(2, 1\)",
        ),
        (
            lambda x: neural.sigmoid_cross_entropy(x, np.ones(3)),
            r"'sigmoid_cross_entropy'.*\(2,\) and \(3,\)",
        ),
        (
            lambda x: neural.binary_cross_entropy(3 * x, np.ones(2)),
            r"p in \[0, 1\], got 3.0 to 3.0.*sigmoid_cross",
        ),
        (
            lambda x: neural.margin_ranking_loss(x, np.ones(3), 1),
            r"x2 must have the shape of x1, \(2,\); got \(3,\)",
        ),
        (
            lambda x: neural.margin_ranking_loss(x, x, [1, 1, 1]),
            r"y must have shape \(\), \(2,\).*got \(3,\)",
        ),
        (lambda x: neural.margin_ranking_loss(x, x, [0, 1]), r"y must hold 1 and -1 only.*2 \* y - 1"),
        (
            lambda x: neural.negative_log_likelihood(x, 0, weights=np.ones(3)),
            r"weights must have shape \(2,\), one for each class; got \(3,\)",
        ),
    ],
)
def test_other_refusals_name_input_and_shapes(call, words):
    with pytest.raises(ValueError, match=words):
        call(Variable(np.ones(2)))


MANY = 70_000  # more than float16 holds
ZEROS = np.zeros(MANY, np.float16)


@pytest.mark.parametrize(
    ("loss", "slope"),
    [
        (lambda x: neural.mean_squared_error(x, ZEROS), lambda x: 2 * x),
        (lambda x: neural.binary_cross_entropy(x, ZEROS), lambda x: 1 / (1 - x)),
        (lambda x: neural.sigmoid_cross_entropy(x, ZEROS), lambda x: 1 / (1 + np.exp(-x))),
        (lambda x: neural.margin_ranking_loss(x, ZEROS, -1), lambda x: 1),
    ],
)
def test_there_may_be_more_rows_than_float16_holds(loss, slope):
    x = np.tile(np.array([0.25, 0.75], np.float16), MANY // 2)
    v, wide = Variable(x), Variable(x.astype(float))
    for a in (y := loss(v), expected := loss(wide)):
        a.backward()
    np.testing.assert_allclose(float(y.data), expected.data, rtol=2e-3)
    np.testing.assert_allclose(v.grad.astype(float), slope(x.astype(float)) / MANY, rtol=2e-2)
    assert y.dtype == v.grad.dtype == np.float16


@pytest.mark.parametrize("x", [-700.0, -40.0, -1.0, 1.0, 40.0, 700.0])
@pytest.mark.parametrize("t", [0.0, 1.0])
def test_derivatives_of_crossentropy_by_scores_are_exact_where_it_is_sure(x, t):
    v = Variable(np.array(x))
    neural.sigmoid_cross_entropy(v, np.array(t)).backward(create_graph=True)
    first = v.grad
    v.cleargrad()
    first.backward()
    e = mpmath.exp(-abs(mpmath.mpf(x)))
    rest = e / (1 + e) if (x > 0) == (t == 1) else 1 / (1 + e)
    np.testing.assert_allclose(first.data, float(rest * (1 - 2 * t)), rtol=1e-14)
    np.testing.assert_allclose(v.grad, float(e / (1 + e) ** 2), rtol=1e-13)


@pytest.mark.parametrize("gap", [-600.0, -40.0, 1.0, 40.0, 600.0])
@pytest.mark.parametrize(
    ("loss", "slope", "bend"),  # of the first score, where e = exp(-gap) and p = 1 / (1 + e)
    [
        (lambda x: neural.softmax_crossentropy(x, [0]), lambda e, p: -e * p, lambda e, p: e * p**2),
        (lambda x: neural.softmax(x)[0, 0], lambda e, p: e * p**2, lambda e, p: e * p**3 * (e - 1)),
    ],
)
def test_derivatives_of_softmax_are_exact_where_it_is_sure(loss, slope, bend, gap):
    v = Variable(np.array([[gap, 0.0]]))
    loss(v).backward(create_graph=True)
    first = v.grad
    v.cleargrad()
    first[0, 0].backward()
    e = mpmath.exp(-mpmath.mpf(gap))
    expected = [float(f(e, 1 / (1 + e))) for f in (slope, bend)]
    np.testing.assert_allclose(first.data, [[expected[0], -expected[0]]], rtol=1e-13)
    np.testing.assert_allclose(v.grad, [[expected[1], -expected[1]]], rtol=1e-12, atol=1e-300)
