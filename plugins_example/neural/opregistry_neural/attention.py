"""Attention: means of values, weighted by how well a query fits their keys."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from registry import Function, composite


class Attention(Function):
    """softmax(query @ key.T * scale + bias) @ value, and those weights, over the last two axes.

    query is (..., T, size), key (..., S, size), value (..., S, C): the results are (..., T, C)
    and (..., T, S). Where `mask` is false, or a key comes after the query and `is_causal` is set,
    a weight is 0; bias and mask broadcast to the weights. A query that sees no key, by them or
    by a bias of -inf, has weights 0. `scale` is 1 / sqrt(size) unless given. With
    g = gy @ value.T, the gradient of the scores is weights * (g - sum(gy * y)).
    """

    materialize_grads = False
    domain = (-np.inf, np.inf)
    only_reads = True
    samples = (
        {"query": (2, 3, 2), "key": (2, 4, 2), "value": (2, 4, 3)},
        {"query": (2, 3, 2), "key": (3, 2), "value": (3, 2), "bias": (3, 3), "is_causal": True},
        {
            "query": (2, 2),
            "key": (3, 2),
            "value": (3, 2),
            "mask": np.array([[True, False, True], [False, False, False]]),
            "scale": 0.3,
        },
        {"query": (0, 2), "key": (3, 2), "value": (3, 1)},
    )

    def __init__(self, scale: float | None = None, is_causal: bool = False) -> None:
        self.scale, self.is_causal = scale, is_causal

    def factor(self, query: Any) -> float:
        """Give the scale."""
        return 1 / sqrt(query.shape[-1]) if self.scale is None else self.scale

    def forward(self, query: Any, key: Any, value: Any, bias: Any = None, mask: Any = None) -> Any:
        weights = (query * self.factor(query)) @ key.swapaxes(-1, -2)
        weights = weights if bias is None else weights + bias
        if mask is not None:
            np.copyto(weights, -np.inf, where=~mask)
        if self.is_causal:
            np.copyto(weights, -np.inf, where=~np.tri(*weights.shape[-2:], dtype=np.bool_))
        top = np.max(weights, axis=-1, keepdims=True, initial=-np.inf)
        weights -= np.where(top == -np.inf, 0, top)
        np.exp(weights, out=weights)
        total = np.sum(weights, axis=-1, keepdims=True)
        weights /= np.where(total == 0, 1, total)
        return weights @ value, weights

    def backward(self, gy: Any, g_weights: Any) -> Any:
        (query, key, value, *_), (y, weights) = self.xs, self.ys
        g: Any = 0
        along: Any = 0
        g_value = None
        if gy is not None:
            g, along = gy @ np.swapaxes(value, -1, -2), np.vecdot(gy, y)
            g_value = np.swapaxes(weights, -1, -2) @ gy
        if g_weights is not None:
            g, along = g + g_weights, along + np.vecdot(g_weights, weights)
        g -= along[..., np.newaxis]  # in place in an array of our own; of Variables, it makes another one
        g *= weights
        scale = self.factor(query)
        return g @ key * scale, np.swapaxes(g, -1, -2) @ (query * scale), g_value, g, None


@composite(
    inputs=("query", "key", "value", "bias"),
    domain=(-np.inf, np.inf),
    samples=(
        {"query": (2, 3, 2, 2), "key": (2, 4, 2, 2), "value": (2, 4, 2, 3)},
        {"query": (3, 4, 2), "key": (3, 2, 2), "value": (3, 2, 2), "bias": (4, 3, 3), "is_causal": True},
        {
            "query": (1, 2, 1, 2),
            "key": (1, 3, 1, 2),
            "value": (1, 3, 1, 2),
            "mask": np.array([[True, False, True], [False, False, False]]),
        },
    ),
)
def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
) -> Any:
    """Give softmax(query key.T * scale + bias) value for each head (Vaswani et al., 2017).

    query is (batch, T, heads, size), key and value (batch, S, some heads, size), all with or
    without the batch; key and value may have fewer heads, each for as many neighbours in query.
    bias, and mask, which is true where a query sees a key, broadcast to (batch, heads, T, S);
    with `is_causal` query t sees the keys up to t. A query that sees none gives 0.
    """
    _check_shapes(np.shape(query), np.shape(key), np.shape(value))
    shared = np.shape(query)[-2] // max(np.shape(key)[-2], 1)
    if shared > 1:
        key, value = np.repeat(key, shared, axis=-2), np.repeat(value, shared, axis=-2)
    query, key, value = [np.swapaxes(a, -2, -3) for a in (query, key, value)]
    shape = *np.shape(query)[:-1], np.shape(key)[-2]
    for name, a in (("bias", bias), ("mask", mask)):
        own = np.shape(a)[::-1]
        if len(own) > len(shape) or any(n not in (1, m) for n, m in zip(own, shape[::-1], strict=False)):
            raise ValueError(
                f"dot_product_attention: {name} has shape {own[::-1]}; expected what broadcasts to {shape}"
            )
    mask = mask if mask is None or hasattr(mask, "dtype") else np.asarray(mask)
    if mask is not None and mask.dtype != bool:
        raise TypeError(
            f"dot_product_attention: mask is {mask.dtype}; expected booleans, true where a query "
            "sees a key; numbers to be added go into bias"
        )
    return np.swapaxes(Attention(scale, is_causal)(query, key, value, bias, mask)[0], -2, -3)


def _check_shapes(query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...]) -> None:
    if (
        not 3 <= len(query) == len(key) == len(value) <= 4
        or query[:-3] != key[:-3]
        or query[-1] != key[-1]
        or query[-2] % max(key[-2], 1)
        or key[:-1] != value[:-1]
    ):
        raise ValueError(
            f"dot_product_attention: query has shape {query}, key {key} and value {value}; expected "
            "(batch, T, heads, size), (batch, S, K, size) and (batch, S, K, any size), all with or without "
            "the batch, where the heads are a multiple of K"
        )
