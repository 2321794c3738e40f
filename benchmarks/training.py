"""Steps of training: loss, gradients and Adam's step, in float32, beside PyTorch's.

Nothing is written by hand for them, so their rows have no ratio to a floor, and libraries are
compared with each other: the loss after some steps from the same weights. To add one, write a
`TrainingStep` and name it in `TRAINING_STEPS`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
from libraries import Library, Run, UnsupportedError
from workload import Workload


class TrainingStep(Workload):
    """A network that learns ten classes from one batch of noise, drawn by a seed.

    Attributes
    ----------
    constants : pair of numpy.ndarray
        The batch and its labels.
    """

    floor = None
    tolerance = 1e-3
    repeats = 5

    def __init__(self, *shape: int, batch: int | None = None) -> None:
        rng = np.random.default_rng(0)
        x = rng.normal(size=shape).astype(np.float32)
        self.constants = [x, rng.integers(10, size=batch or len(x))]

    def network(self, n: SimpleNamespace) -> Any:
        """Make the network of a library's layers `n`."""
        raise NotImplementedError

    def on(self, library: Library) -> Run:
        if find_spec("opregistry_neural") is None:
            raise UnsupportedError("opregistry-neural is not installed: no training steps")
        return library.training_step(self.network, *self.constants)


class TrainMLP(TrainingStep):
    """Two hidden layers of relu."""

    def __init__(self, batch: int = 64, sizes: tuple[int, ...] = (784, 256, 128)) -> None:
        super().__init__(batch, sizes[0])
        self.name = "train mlp " + "-".join(map(str, sizes))
        self.sizes = sizes

    def network(self, n: SimpleNamespace) -> Any:
        hidden = [f for sizes in pairwise(self.sizes) for f in (n.Linear(*sizes), n.relu)]
        return n.Sequential(*hidden, n.Linear(self.sizes[-1], 10))


class TrainConvolution(TrainingStep):
    """Two convolutions, each with relu and max pooling, of square images."""

    normalised = False

    def __init__(self, side: int, batch: int = 64, channels: tuple[int, int] = (16, 32)) -> None:
        super().__init__(batch, 1, side, side)
        self.name = f"train conv{', bn' * self.normalised} {side}x{side}"
        self.channels, self.places = (1, *channels), (side // 4) ** 2

    def network(self, n: SimpleNamespace) -> Any:
        functions = []
        for given, out in pairwise(self.channels):
            functions.append(n.Conv2d(given, out, 3, padding=1, bias=not self.normalised))
            if self.normalised:
                functions.append(n.BatchNorm(out))
            functions += [n.relu, n.max_pool]
        return n.Sequential(*functions, n.flatten, n.Linear(self.channels[-1] * self.places, 10))


class TrainNormalised(TrainConvolution):
    """The same with batch normalisation after each convolution."""

    normalised = True


class TrainGRU(TrainingStep):
    """A gated recurrent unit along a sequence; its last state is classified."""

    def __init__(self, steps: int = 28, batch: int = 64, given: int = 28, size: int = 64) -> None:
        super().__init__(steps, batch, given, batch=batch)
        self.name = f"train gru {given}-{size}"
        self.sizes = given, size

    def network(self, n: SimpleNamespace) -> Any:
        class Network(n.Layer):
            def __init__(self, given: int, size: int) -> None:
                super().__init__()
                self.gru, self.last = n.GRU(given, size), n.Linear(size, 10)

            def forward(self, x: Any) -> Any:
                return self.last(self.gru(x)[-1])

        return Network(*self.sizes)


class TrainAttention(TrainingStep):
    """A block of a transformer, its outputs averaged over the sequence."""

    def __init__(self, batch: int = 16, steps: int = 32, size: int = 64, heads: int = 4) -> None:
        super().__init__(batch, steps, size)
        self.name = f"train attention {heads}x{size // heads}"
        self.size, self.heads = size, heads

    def network(self, n: SimpleNamespace) -> Any:
        size, heads = self.size, self.heads

        class Network(n.Layer):
            def __init__(self) -> None:
                super().__init__()
                self.query, self.key, self.value = [n.Linear(size, size) for _ in range(3)]
                self.joined = n.Linear(size, size)
                self.before, self.between = n.LayerNorm(size), n.LayerNorm(size)
                self.wide, self.narrow = n.Linear(size, 4 * size), n.Linear(4 * size, size)
                self.last = n.Linear(size, 10)

            def forward(self, x: Any) -> Any:
                y = self.before(x)
                parts = [f(y).reshape(*x.shape[:2], heads, -1) for f in (self.query, self.key, self.value)]
                x = x + self.joined(n.attention(*parts).reshape(x.shape))
                x = x + self.narrow(n.relu(self.wide(self.between(x))))
                return self.last(x.mean(1))

        return Network()


TRAINING_STEPS: tuple[Callable[[], TrainingStep], ...] = (
    TrainMLP,
    partial(TrainConvolution, 8),
    partial(TrainConvolution, 28),
    partial(TrainNormalised, 8),
    partial(TrainNormalised, 28),
    TrainGRU,
    TrainAttention,
)
