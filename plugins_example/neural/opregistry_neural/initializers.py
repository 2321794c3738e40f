"""First values of weights: arrays of random numbers whose spread keeps signals at one size.

The first two axes of a weight are its units; any others are the window of a convolution.
Each function takes the shape, the counts of inputs and outputs of one unit, a random
generator and a dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np

Shape = tuple[int, ...]
Initializer = Callable[[Shape, int, int, np.random.Generator, Any], Any]


def zeros(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator, dtype: Any) -> Any:
    """Give zeros."""
    return np.zeros(shape, dtype)


def lecun_normal(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator, dtype: Any) -> Any:
    """Give normal numbers of variance 1 / fan_in, for selu and sigmoid (LeCun et al., 1998)."""
    return _normal(shape, 1 / fan_in, rng, dtype)


def he_normal(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator, dtype: Any) -> Any:
    """Give normal numbers of variance 2 / fan_in, for relu and its kin (He et al., 2015)."""
    return _normal(shape, 2 / fan_in, rng, dtype)


def glorot_uniform(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator, dtype: Any) -> Any:
    """Give uniform numbers of variance 2 / (fan_in + fan_out), for tanh (Glorot and Bengio, 2010)."""
    bound = sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, shape).astype(dtype)


def orthogonal(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator, dtype: Any) -> Any:
    """Give a matrix with orthonormal rows or columns, for recurrent weights (Saxe et al., 2014)."""
    rows, columns = shape[0], int(np.prod(shape[1:]))
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diagonal(r))  # without this the signs are not uniformly distributed
    return (q if rows >= columns else q.T).reshape(shape).astype(dtype)


def _normal(shape: Shape, variance: float, rng: np.random.Generator, dtype: Any) -> Any:
    return (rng.standard_normal(shape) * sqrt(variance)).astype(dtype)
