"""Linear, embed_id and dropout: what they compute, what they save themselves, what they refuse."""

import numpy as np
import pytest

from registry import Variable
from registry.plugins import neural


@pytest.mark.parametrize("leading", [(), (5,), (2, 3), (2, 0)])
def test_linear_is_one_product_for_any_leading_axes(leading):
    rng = np.random.default_rng(0)
    x, W, b = (Variable(rng.normal(size=shape)) for shape in ((*leading, 3), (3, 4), (4,)))
    y = neural.linear(x, W, b)
    g = rng.normal(size=y.shape)
    np.sum(y * g).backward()
    np.testing.assert_allclose(y.data, np.einsum("...i,ij->...j", x.data, W.data) + b.data, rtol=1e-14)
    np.testing.assert_allclose(x.grad, np.einsum("...j,ij->...i", g, W.data), rtol=1e-13, atol=1e-14)
    axes = tuple(range(len(leading)))
    products = np.einsum("...i,...j->...ij", x.data, g)
    np.testing.assert_allclose(W.grad, products.sum(axis=axes), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(b.grad, g.sum(axis=axes), rtol=1e-13, atol=1e-14)


def test_linear_computes_no_gradient_that_nobody_wants():
    x, W, b = np.ones((2, 3)), Variable(np.ones((3, 4))), Variable(np.ones(4))
    function = neural.linear(x, W, b).creator
    gx, gW, gb = function.backward(np.ones((2, 4)))
    assert gx is None
    assert (gW.shape, gb.shape) == ((3, 4), (4,))


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (((2, 3), (4, 5)), r"x \(2, 3\), W \(4, 5\), b None"),
        (((2, 3), (3, 5), (4,)), r"x \(2, 3\), W \(3, 5\), b \(4,\)"),
        (((2, 3), (3,)), r"W \(3,\)"),
        (((), (3, 2)), r"x \(\)"),
    ],
)
def test_linear_refuses_shapes_that_do_not_match(shapes, words):
    with pytest.raises(ValueError, match=rf"'linear'.*x of shape \(\.\.\., in\).*got.*{words}"):
        neural.linear(*(Variable(np.ones(shape)) for shape in shapes))


def test_embedding_adds_up_the_gradients_of_a_row():
    W = Variable(np.arange(8.0).reshape(4, 2))
    y = neural.embed_id([[0, 2], [2, 2]], W)
    np.sum(y * np.array([1.0, 10.0])).backward()
    np.testing.assert_array_equal(y.data, [[[0, 1], [4, 5]], [[4, 5], [4, 5]]])
    np.testing.assert_array_equal(W.grad, [[1, 10], [0, 0], [3, 30], [0, 0]])


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.array([0.0]), TypeError, "embed_id: x must be integers.*got float64"),
        ([0, 4], ValueError, "embed_id: x must lie in 0 to 3, for the 4 rows of W; got 0 to 4"),
        ([-1], ValueError, "embed_id: x must lie in 0 to 3.*got -1 to -1"),
    ],
)
def test_embedding_refuses_what_names_no_row(x, error, words):
    with pytest.raises(error, match=words):
        neural.embed_id(x, Variable(np.ones((4, 2))))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_keeps_the_mean_and_its_gradient_is_its_mask(dtype):
    x = Variable(np.ones((100, 1000), dtype))
    y = neural.dropout(x, 0.2, rng=0)
    y.backward()
    assert set(np.unique(y.data)) == {dtype(0), dtype(1) / dtype(0.8)}
    assert np.mean(y.data == 0) == pytest.approx(0.2, abs=4 * np.sqrt(0.2 * 0.8 / x.size))
    np.testing.assert_array_equal(x.grad, y.data)
    assert y.dtype == x.grad.dtype == dtype


def test_dropout_by_a_seed_repeats_and_by_a_generator_goes_on():
    x, rng = np.ones(100), np.random.default_rng(0)
    seeded = [neural.dropout(x, rng=3).data for _ in range(2)]
    drawn = [neural.dropout(x, rng=rng).data for _ in range(2)]
    new = [neural.dropout(x).data for _ in range(2)]
    np.testing.assert_array_equal(*seeded)
    assert np.any(drawn[0] != drawn[1])
    assert np.any(new[0] != new[1])


@pytest.mark.parametrize("constants", [{"train": False}, {"dropout_ratio": 0.0}])
def test_dropout_lets_everything_through_in_a_test_or_at_ratio_zero(constants):
    x = Variable(np.array([1.0, np.pi, -1e300]))
    y = neural.dropout(x, **constants)
    y.backward()
    np.testing.assert_array_equal(y.data, x.data)
    np.testing.assert_array_equal(x.grad, 1)
    assert not np.shares_memory(x.data, y.data)


@pytest.mark.parametrize("ratio", [1, 1.5, -0.1, np.nan])
def test_dropout_refuses_ratios_out_of_range(ratio):
    with pytest.raises(ValueError, match=rf"'dropout'.*dropout_ratio in \[0, 1\), got {ratio}"):
        neural.dropout(Variable(np.ones(2)), ratio)
