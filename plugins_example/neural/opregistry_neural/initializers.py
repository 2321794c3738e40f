"""First values of weights: random numbers whose spread keeps signals at one size.

Each function takes a random generator, a shape, and how many inputs and outputs a unit has.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod, sqrt
from typing import Any

import numpy as np

Shape = tuple[int, ...]
Initializer = Callable[[np.random.Generator, Shape, int, int], Any]


def lecun_normal(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Any:
    """Give normal numbers of variance 1 / fan_in, for selu and linear units (LeCun et al., 1998)."""
    return rng.standard_normal(shape) * sqrt(1 / fan_in)


def he_normal(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Any:
    """Give normal numbers of variance 2 / fan_in, for relu and its kin (He et al., 2015)."""
    return rng.standard_normal(shape) * sqrt(2 / fan_in)


def glorot_uniform(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Any:
    """Give uniform numbers of variance 2 / (fan_in + fan_out), for tanh (Glorot and Bengio, 2010)."""
    bound = sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, shape)


def orthogonal(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Any:
    """Give a matrix of orthonormal rows or columns, for recurrent weights (Saxe et al., 2014).

    Further axes count as columns.
    """
    rows, columns = shape[0], prod(shape[1:])
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diagonal(r))  # without this, signs of qr's choice would not be random
    return (q if rows >= columns else q.T).reshape(shape)
