"""Neural networks on NumPy: a plugin of opregistry, one module a family of operators.

Beside the operators there is what training needs: layers, initialisers, optimisers, data
and storage, which are imported from here.
"""

from collections.abc import Iterator
from typing import Any

from opregistry_neural.data import DataLoader
from opregistry_neural.initializers import glorot_uniform, he_normal, lecun_normal, orthogonal
from opregistry_neural.layer import Layer, Parameter, Sequential
from opregistry_neural.layers import (
    GRU,
    BatchNorm,
    Conv1d,
    Conv2d,
    Deconv2d,
    Dropout,
    Embedding,
    LayerNorm,
    Linear,
)
from opregistry_neural.optimizers import SGD, Adam, Optimizer, clip_grads
from opregistry_neural.storage import load, save
from registry import hookimpl, operators_in

__all__ = [
    "GRU",
    "SGD",
    "Adam",
    "BatchNorm",
    "Conv1d",
    "Conv2d",
    "DataLoader",
    "Deconv2d",
    "Dropout",
    "Embedding",
    "Layer",
    "LayerNorm",
    "Linear",
    "Optimizer",
    "Parameter",
    "Sequential",
    "clip_grads",
    "glorot_uniform",
    "he_normal",
    "lecun_normal",
    "load",
    "orthogonal",
    "register_operators",
    "save",
]


@hookimpl
def register_operators() -> Iterator[Any]:
    """Give every public class and composite that a family module defines."""
    return operators_in(__name__)
