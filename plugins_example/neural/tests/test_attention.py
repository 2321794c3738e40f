"""Attention by its definition; what is masked, heads that are shared, and what is refused."""

import numpy as np
import pytest
from opregistry_neural.attention import Attention, dot_product_attention

from registry import Variable

RNG = np.random.default_rng(0)
Q, K, V = (RNG.standard_normal(s) for s in ((2, 3, 4, 5), (2, 6, 4, 5), (2, 6, 4, 2)))


def by_definition(q, k, v, added=0.0, scale=None):
    scale = 1 / np.sqrt(q.shape[-1]) if scale is None else scale
    weights = np.exp(np.einsum("btnh,bsnh->bnts", q, k) * scale + added)
    return np.einsum("bnts,bsnh->btnh", weights / weights.sum(axis=-1, keepdims=True), v)


def test_means_of_values_weighted_by_the_fit_of_their_keys():
    np.testing.assert_allclose(dot_product_attention(Q, K, V).data, by_definition(Q, K, V))
    np.testing.assert_allclose(
        dot_product_attention(Q, K, V, scale=2.0).data, by_definition(Q, K, V, scale=2.0)
    )
    bias = RNG.standard_normal((4, 1, 6))
    np.testing.assert_allclose(dot_product_attention(Q, K, V, bias).data, by_definition(Q, K, V, bias))
    np.testing.assert_allclose(dot_product_attention(Q[0], K[0], V[0]).data, by_definition(Q, K, V)[0])


@pytest.mark.parametrize("queries", [3, 6])
def test_a_causal_query_sees_the_keys_up_to_its_own(queries):
    q = RNG.standard_normal((2, queries, 4, 5))
    y = dot_product_attention(q, K, V, is_causal=True).data
    for t in range(queries):
        np.testing.assert_allclose(
            y[:, t : t + 1], by_definition(q[:, t : t + 1], K[:, : t + 1], V[:, : t + 1])
        )


def test_what_is_masked_has_no_part_and_no_gradient():
    mask = np.array([True, False, True, True, False, False])
    q, k, v = Variable(Q), Variable(K), Variable(V)
    y = dot_product_attention(q, k, v, mask=mask)
    np.testing.assert_allclose(y.data, by_definition(Q, K[:, mask], V[:, mask]))
    y.backward()
    for gradient in (k.grad, v.grad):
        np.testing.assert_array_equal(gradient[:, ~mask], 0)
        assert (gradient[:, mask] != 0).all()


def test_a_bias_of_minus_infinity_masks():
    mask = np.array([True, False, True, True, False, False])
    bias = Variable(np.where(mask, 0.0, -np.inf))
    y = dot_product_attention(Q, K, V, bias)
    np.testing.assert_array_equal(y.data, dot_product_attention(Q, K, V, mask=mask).data)
    y.backward()
    np.testing.assert_array_equal(bias.grad[~mask], 0)


@pytest.mark.parametrize("by", ["mask", "bias"])
def test_a_query_that_sees_nothing_gives_zero(by):
    seen = np.ones((3, 6), bool)
    seen[1] = False
    given = {"mask": seen} if by == "mask" else {"bias": np.where(seen, 0, -np.inf)}
    xs = [Variable(a) for a in (Q, K, V)]
    y = dot_product_attention(*xs, **given)
    y.backward()
    np.testing.assert_array_equal(y.data[:, 1], 0)
    np.testing.assert_array_equal(xs[0].grad[:, 1], 0)
    assert all(np.isfinite(x.grad).all() for x in xs)


def test_large_scores_do_not_overflow():
    y = dot_product_attention(Q * 1e4, K * 1e4, V).data
    best = np.einsum("btnh,bsnh->bnts", Q, K).argmax(axis=-1)
    expected = np.take_along_axis(V.swapaxes(1, 2), best[..., np.newaxis], axis=2)
    np.testing.assert_allclose(y.swapaxes(1, 2), expected)


def test_neighbours_share_keys_and_values():
    k, v = K[:, :, :2], V[:, :, :2]
    expected = by_definition(Q, k[:, :, [0, 0, 1, 1]], v[:, :, [0, 0, 1, 1]])
    np.testing.assert_allclose(dot_product_attention(Q, k, v).data, expected)


def test_weights_come_beside_the_result():
    y, weights = Attention()(Q.swapaxes(1, 2), K.swapaxes(1, 2), V.swapaxes(1, 2), None, None)
    np.testing.assert_allclose(weights.data.sum(axis=-1), 1)
    np.testing.assert_allclose(y.data, weights.data @ V.swapaxes(1, 2))


def test_float32_stays_float32():
    q, k, v = (a.astype(np.float32) for a in (Q, K, V))
    assert dot_product_attention(q, k, v, mask=np.ones(6, bool), is_causal=True).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: dot_product_attention(Q, K[..., :3], V), ValueError, r"key \(2, 6, 4, 3\)"),
        (
            lambda: dot_product_attention(Q, K[:, :, :3], V[:, :, :3]),
            ValueError,
            "the heads are a multiple of K",
        ),
        (lambda: dot_product_attention(Q, K, V[:, :5]), ValueError, r"value \(2, 5, 4, 2\)"),
        (lambda: dot_product_attention(Q[0], K, V), ValueError, "all with or without the batch"),
        (
            lambda: dot_product_attention(Q, K, V, np.zeros((3, 5))),
            ValueError,
            r"bias has shape \(3, 5\); expected what broadcasts to \(2, 4, 3, 6\)",
        ),
        (
            lambda: dot_product_attention(Q, K, V, mask=np.ones((1, 2, 4, 3, 6), bool)),
            ValueError,
            "mask has shape",
        ),
        (
            lambda: dot_product_attention(Q, K, V, mask=np.ones(6)),
            TypeError,
            "mask is float64; expected booleans",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
