"""Normalisation to a mean of 0 and a variance of 1: over a batch, a layer, or any axes."""

from __future__ import annotations

from string import ascii_letters
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from opregistry_neural.counts import widened
from registry import Function, composite


class Normalize(Function):
    """(x - mean) / sqrt(var + eps) * gamma + beta, and that mean and var, over the axes `axis`.

    The results are three: y, and mean and var with axes of length 1 in place of those gone.
    gamma and beta broadcast against x. The variance is sum((x - mean)**2) / n, in two passes.
    Where r = 1 / sqrt(var + eps) and g = gy * gamma, the gradient of x by y is
    r * (g - mean(g) - (x - mean) * r**2 * mean(g * (x - mean))) (Ioffe and Szegedy, 2015).
    """

    materialize_grads = False
    domain = (-np.inf, np.inf)
    samples = (
        {"x": (2, 3)},
        {"x": (3, 2, 4), "gamma": (2, 1), "axis": (0, -1), "eps": 0.1},
        {"x": (2, 4), "gamma": (4,), "beta": (4,), "axis": -1},
        {"x": (4, 2), "beta": (4, 1), "axis": 0},
        {"x": (2, 0), "axis": 0},
    )

    def __init__(self, axis: Any = -1, eps: float = 1e-5) -> None:
        self.axis, self.eps = axis, eps

    def forward(self, x: Any, gamma: Any = None, beta: Any = None) -> Any:
        mean = x.mean(axis=self.axis, keepdims=True)
        used = [a for a in (mean, gamma, beta) if a is not None]
        y = np.subtract(x, mean, dtype=np.result_type(*used))
        var = np.square(y).mean(axis=self.axis, keepdims=True).astype(mean.dtype, copy=False)
        scale = 1 / np.sqrt(var + self.eps)
        y *= scale if gamma is None else scale * gamma
        y += 0 if beta is None else beta
        return y, mean, var

    def backward(self, gy: Any, g_mean: Any, g_var: Any) -> Any:
        (x, gamma, beta), (_, mean, var) = self.xs, self.ys
        g_beta, gy = gy, widened(np.zeros_like(x) if gy is None else gy)
        x = widened(x)
        inside = gamma is not None and gamma.shape != mean.shape  # it varies over the axes
        r, n = 1 / np.sqrt(var + self.eps), max(x.size // max(mean.size, 1), 1)
        g = gy * gamma if inside else gy
        gx = x - mean
        gx *= r  # in place in an array of our own, which large ones need; of Variables, it makes another
        along = _summed(g, gx, mean)
        by_gamma = _summed(gy, gx, gamma) if inside else along
        gx *= along / -n
        gx += g
        total = np.sum(g, axis=self.axis, keepdims=True)
        gx -= total / n
        gx *= r if gamma is None or inside else r * gamma
        gx = gx if g_mean is None else gx + widened(g_mean) / n
        gx = gx if g_var is None else gx + (x - mean) * (2 * widened(g_var) / n)
        if not inside and g_beta is not None and beta is not None and beta.shape == mean.shape:
            g_beta = total  # which would else be summed anew
        return gx, by_gamma, g_beta


def _summed(a: Any, b: Any, like: Any) -> Any:
    """Sum a * b, without that product as an array, over the axes where `like` is broadcast to it."""
    letters = ascii_letters[: a.ndim]
    lengths = (1,) * (a.ndim - like.ndim) + like.shape
    kept = "".join([letter for letter, n in zip(letters, lengths, strict=True) if n != 1])
    return np.einsum(f"{letters},{letters}->{kept}", a, b).reshape(like.shape)


def normalize_batch(x: Any, gamma: Any = None, beta: Any = None, eps: float = 1e-5) -> tuple[Any, Any, Any]:
    """Give what `batchnorm` gives, and mean and variance of the batch, (C,), for running averages."""
    axes = tuple([i for i in range(np.ndim(x)) if i != 1])
    gamma, beta = _along("gamma", gamma, x, (1,)), _along("beta", beta, x, (1,))
    y, mean, var = Normalize(axes, eps)(x, gamma, beta)
    return y, mean.reshape(-1), var.reshape(-1)


@composite(
    inputs=("x", "gamma", "beta", "mean", "var"),
    domain={"x": (-np.inf, np.inf), "var": (0, np.inf)},
    samples=(
        {"x": (3, 2)},
        {"x": (2, 3, 2, 2), "gamma": (3,), "beta": (3,), "eps": 1e-3},
        {"x": (2, 3, 2), "gamma": (3,), "mean": (3,), "var": (3,)},
    ),
)
def batchnorm(
    x: Any, gamma: Any = None, beta: Any = None, *, eps: float = 1e-5, mean: Any = None, var: Any = None
) -> Any:
    """Give (x - mean) / sqrt(var + eps) * gamma + beta for each channel of x, (N, C, ...).

    Mean and variance are those of the batch, over all axes but that of channels, and the
    gradient goes through them, unless both are given, as at inference: then they are like
    gamma and beta (C,). `normalize_batch` gives those of the batch, too.
    """
    if np.ndim(x) < 2:
        raise ValueError(f"batchnorm: x has shape {np.shape(x)}; expected (N, C, ...)")
    if mean is None and var is None:
        return normalize_batch(x, gamma, beta, eps)[0]
    if mean is None or var is None:
        raise ValueError("batchnorm: mean and var are given together, or neither is")
    mean, var = _along("mean", mean, x, (1,)), _along("var", var, x, (1,))
    scale = 1 / np.sqrt(var + eps)
    y = (x - mean) * (scale if gamma is None else scale * _along("gamma", gamma, x, (1,)))
    return y if beta is None else y + _along("beta", beta, x, (1,))


@composite(
    inputs=("x", "gamma", "beta"),
    domain=(-np.inf, np.inf),
    samples=(
        {"x": (2, 3)},
        {"x": (2, 3, 2), "gamma": (3, 2), "beta": (3, 2), "axis": (1, 2), "eps": 1e-3},
        {"x": (2, 3, 2), "gamma": (3,), "axis": -2},
    ),
)
def layer_norm(x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, eps: float = 1e-5) -> Any:
    """Give (x - mean) / sqrt(var + eps) * gamma + beta, over the axes `axis` (Ba, Kiros and Hinton, 2016).

    gamma and beta have the shape of those axes.
    """
    axes = normalize_axis_tuple(axis, np.ndim(x))
    gamma, beta = _along("gamma", gamma, x, axes), _along("beta", beta, x, axes)
    return Normalize(axes, eps)(x, gamma, beta)[0]


@composite(
    inputs=("x", "mean", "variance"),
    domain={"x": (-np.inf, np.inf), "variance": (0, np.inf)},
    samples=(
        {"x": (2, 3)},
        {"x": (2, 3, 2), "axis": (0, -1), "epsilon": 1e-3},
        {"x": (2, 3), "axis": 0, "mean": (3,)},
        {"x": (2, 3), "mean": (2, 1), "variance": (2, 1)},
        {"x": (2, 3), "where": np.array([[True, True, False], [False, True, True]])},
    ),
)
def standardize(
    x: Any, axis: Any = -1, mean: Any = None, variance: Any = None, epsilon: float = 1e-5, where: Any = None
) -> Any:
    """Give (x - mean) / sqrt(variance + epsilon), over the axes `axis`.

    Mean and variance are those of x, where `where` is true, unless they are given; the
    variance is that around the mean that is used.
    """
    if mean is None and variance is None and where is None:
        return Normalize(axis, epsilon)(x, None, None)[0]
    where = True if where is None else where
    mean = np.mean(x, axis=axis, keepdims=True, where=where) if mean is None else mean
    if variance is None:
        variance = np.mean(np.square(x - mean), axis=axis, keepdims=True, where=where)
    return (x - mean) / np.sqrt(variance + epsilon)


def _along(name: str, a: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """Give a, of the shape of some axes of x, with axes of length 1 in place of the others."""
    if a is None:
        return None
    shape = np.shape(x)
    expected = tuple([shape[i] for i in sorted(axes)])
    if np.shape(a) != expected:
        raise ValueError(f"{name} has shape {np.shape(a)}; expected {expected} for x of shape {shape}")
    return np.reshape(a, [n if i in axes else 1 for i, n in enumerate(shape)])
