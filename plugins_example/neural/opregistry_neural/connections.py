"""Between activations: a weight for each input, a row for each number, and elements left out by chance."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from registry import Function, Variable, composite


class Linear(Function):
    """x @ W + b, for x of shape (..., in), W of (in, out) and b of (out,), which may be left out."""

    saves = ("xs",)
    samples = (
        {"x": (4, 3), "W": (3, 2), "b": (2,)},
        {"x": (2, 3), "W": (3, 2)},
        {"x": (3,), "W": (3, 2), "b": (2,)},
        {"x": (2, 2, 3), "W": (3, 1), "b": (1,)},
        {"x": (0, 3), "W": (3, 2), "b": (2,)},
        {"x": (2, 0), "W": (0, 2), "b": (2,)},
    )

    def forward(self, x: Any, W: Any, b: Any = None) -> Any:
        if x.shape[-1:] != W.shape[:-1] or (b is not None and b.shape != W.shape[1:]):
            raise ValueError(
                f"{self}: expected x of shape (..., in), W of (in, out), b of (out,) or None; "
                f"got x {x.shape}, W {W.shape}, b {None if b is None else b.shape}"
            )
        y = _in_rows(x) @ W if b is None else _in_rows(x) @ W + b
        return y.reshape(x.shape[:-1] + W.shape[1:])

    def backward(self, gy: Any) -> Any:
        x, W, *_ = self.xs
        needs_x, needs_W, *needs_b = self.needs_grad
        gy = _in_rows(gy)
        gx = (gy @ W.T).reshape(x.shape) if needs_x else None
        gW = _in_rows(x).T @ gy if needs_W else None
        return gx, gW, *(np.sum(gy, axis=0) if needed else None for needed in needs_b)


def _in_rows(x: Any) -> Any:
    """Give a matrix of the same last axis: one product of matrices then serves any number of axes."""
    return x.reshape(prod(x.shape[:-1]), x.shape[-1])


@composite(
    inputs=("W",),
    samples=(
        {"x": np.array([0, 2, 0]), "W": (3, 2)},
        {"x": np.array([[1, 1], [0, 2]]), "W": (3, 2)},
        {"x": np.array(1), "W": (2, 3)},
        {"x": np.zeros(0, int), "W": (2, 0)},
    ),
)
def embed_id(x: Any, W: Any) -> Any:
    """Row of W for each integer in x; a row that several name gets the sum of their gradients."""
    x = x.data if isinstance(x, Variable) else x if hasattr(x, "dtype") else np.asarray(x)
    count = np.shape(W)[0]
    if x.dtype.kind not in "iu":
        raise TypeError(f"embed_id: x must be integers, which name rows of W; got {x.dtype}")
    if x.size and not 0 <= x.min() <= x.max() < count:
        raise ValueError(
            f"embed_id: x must lie in 0 to {count - 1}, for the {count} rows of W; got {x.min()} to {x.max()}"
        )
    return W[x]


class Dropout(Function):
    """x with each element 0 at the probability `dropout_ratio`, and the others divided by what it leaves.

    Without `train` nothing happens to x. `rng` is a seed, which gives the same mask in each
    call, or a numpy.random.Generator, which goes on from call to call; None takes a new seed.
    """

    constants = ("mask",)
    saves = ()
    samples = (
        {"x": (3, 4), "rng": 0},
        {"x": (5,), "dropout_ratio": 0.2, "rng": 1},
        {"x": (), "rng": 2},
        {"x": (0, 2), "rng": 3},
        {"x": (3,), "train": False},
        {"x": (3,), "dropout_ratio": 0},
    )

    def __init__(
        self, dropout_ratio: float = 0.5, train: bool = True, rng: int | np.random.Generator | None = None
    ) -> None:
        if not 0 <= dropout_ratio < 1:
            raise ValueError(f"{self}: expected dropout_ratio in [0, 1), got {dropout_ratio}")
        self.kept = 1.0 - dropout_ratio if train else 1.0
        self.rng = rng

    def forward(self, x: Any) -> Any:
        self.mask: Any = 1.0
        if self.kept < 1:
            drawn = np.random.default_rng(self.rng).random(x.shape)
            self.mask = (drawn < self.kept).astype(np.result_type(x, 1.0)) / self.kept
        return x * self.mask

    def backward(self, gy: Any) -> Any:
        return gy * self.mask
