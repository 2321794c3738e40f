"""What networks are made of, in the neural package and in PyTorch, under one set of names.

A network is then one piece of code for both, like a formula: ``network(n)``, where `n` holds
a library's layers and functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import islice
from types import SimpleNamespace
from typing import Any

import numpy as np


def neural_layers() -> SimpleNamespace:
    """Give those of the neural package; all first weights come from one seed."""
    import opregistry_neural as layers

    from registry.plugins import neural

    rng = np.random.default_rng(0)

    def gru(*sizes: int) -> Any:
        """Make one with its reset gate open: PyTorch's, which resets after a product, is then the same."""
        layer = layers.GRU(*sizes, rng=rng)
        layer.br.data[...] = 20
        return layer

    return SimpleNamespace(
        Adam=layers.Adam,
        BatchNorm=layers.BatchNorm,
        Conv2d=partial(layers.Conv2d, rng=rng),
        GRU=gru,
        Layer=layers.Layer,
        LayerNorm=layers.LayerNorm,
        Linear=partial(layers.Linear, rng=rng),
        Sequential=layers.Sequential,
        attention=neural.dot_product_attention,
        cross_entropy=neural.softmax_crossentropy,
        flatten=lambda x: x.reshape(len(x), -1),
        max_pool=lambda x: neural.max_pool(x, 2),
        relu=neural.relu,
    )


def torch_layers() -> SimpleNamespace:
    """Give those of PyTorch."""
    from torch import nn, optim

    class GRU(nn.GRU):
        """One bias a gate, as in the neural package, and the states alone."""

        def __init__(self, *sizes: int) -> None:
            super().__init__(*sizes)
            self.bias_hh_l0.requires_grad_(False).zero_()

        def forward(self, x: Any) -> Any:
            return super().forward(x)[0]

    def attention(*arrays: Any) -> Any:
        of_heads = [a.transpose(1, 2) for a in arrays]
        return nn.functional.scaled_dot_product_attention(*of_heads).transpose(1, 2)

    return SimpleNamespace(
        Adam=optim.Adam,
        BatchNorm=nn.BatchNorm2d,
        Conv2d=nn.Conv2d,
        GRU=GRU,
        Layer=nn.Module,
        LayerNorm=nn.LayerNorm,
        Linear=nn.Linear,
        Sequential=nn.Sequential,
        attention=attention,
        cross_entropy=nn.functional.cross_entropy,
        flatten=nn.Flatten(),
        max_pool=nn.MaxPool2d(2),
        relu=nn.ReLU(),
    )


def load_weights(model: Any, weights: Iterable[Any]) -> None:
    """Copy the arrays of a network of the neural package into the same network of PyTorch."""
    import torch

    left = iter(weights)
    for module in model.modules():
        own = [p for p in module.parameters(recurse=False) if p.requires_grad]
        if isinstance(module, torch.nn.GRU):
            z, r, h = [list(islice(left, 3)) for _ in range(3)]
            arrays = [np.concatenate([a.T for a in of_gates]) for of_gates in zip(r, z, h, strict=True)]
        else:
            arrays = [a.T if a.ndim == 2 else a for a in islice(left, len(own))]
        for parameter, array in zip(own, arrays, strict=True):
            parameter.data.copy_(torch.as_tensor(array))
