"""The layers of most networks, their first weights drawn by a seed.

`rng` is a seed, or a numpy.random.Generator, which layers of one network may share; None
takes a new seed. `init` is one of `initializers`, or a function of the same arguments.
"""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

import numpy as np

from opregistry_neural import connections
from opregistry_neural.convolution import ConvNd, DeconvNd
from opregistry_neural.initializers import Initializer, glorot_uniform, he_normal, lecun_normal, orthogonal
from opregistry_neural.layer import Layer, Parameter
from opregistry_neural.normalization import batchnorm, layer_norm, normalize_batch
from opregistry_neural.recurrent import Gru

Rng = int | np.random.Generator | None


class Linear(Layer):
    """x @ W + b, along the last axis of x."""

    def __init__(
        self,
        in_size: int,
        out_size: int,
        *,
        bias: bool = True,
        init: Initializer = he_normal,
        rng: Rng = None,
        dtype: Any = np.float32,
    ) -> None:
        shape = in_size, out_size
        self.W = Parameter(init(np.random.default_rng(rng), shape, *shape).astype(dtype))
        self.b = Parameter(np.zeros(out_size, dtype)) if bias else None

    def forward(self, x: Any) -> Any:
        return connections.Linear()(x, self.W, self.b)


class _Convolution(Layer):
    """What convolutions share: `axes` spatial axes, and weights of which each group has its own."""

    axes: ClassVar[int]
    transposed: ClassVar[bool] = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        *,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        init: Initializer = he_normal,
        rng: Rng = None,
        dtype: Any = np.float32,
    ) -> None:
        name = type(self).__name__
        kernel = (kernel_size,) * self.axes if isinstance(kernel_size, int) else tuple(kernel_size)
        if len(kernel) != self.axes:
            raise ValueError(f"{name}: kernel_size is {kernel_size}; expected an int, or {self.axes} of them")
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: groups is {groups}; expected a divisor of {in_channels} and {out_channels}, "
                "the channels that come in and go out"
            )
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        shape = first, second // groups, *kernel
        fans = [channels // groups * prod(kernel) for channels in (in_channels, out_channels)]
        self.W = Parameter(init(np.random.default_rng(rng), shape, *fans).astype(dtype))
        self.b = Parameter(np.zeros(out_channels, dtype)) if bias else None
        self.how = stride, padding, dilation, groups

    def forward(self, x: Any) -> Any:
        return (DeconvNd if self.transposed else ConvNd)(*self.how)(x, self.W, self.b)


class Conv1d(_Convolution):
    """`conv_nd` of sequences (N, C, T)."""

    axes = 1


class Conv2d(_Convolution):
    """`conv_nd` of images (N, C, H, W); kernel, stride, padding and dilation are ints or pairs."""

    axes = 2


class Deconv2d(_Convolution):
    """`deconv_nd` of images (N, C, H, W), which makes them larger."""

    axes = 2
    transposed = True


class BatchNorm(Layer):
    """Channels of (N, C, ...) normalised over the batch; by running averages when it does not learn.

    Each batch in training moves the averages by the share `momentum` towards its own mean and
    its unbiased variance (Ioffe and Szegedy, 2015).
    """

    buffers = ("running_mean", "running_var")

    def __init__(
        self, channels: int, *, momentum: float = 0.1, eps: float = 1e-5, dtype: Any = np.float32
    ) -> None:
        self.gamma, self.beta = Parameter(np.ones(channels, dtype)), Parameter(np.zeros(channels, dtype))
        self.running_mean, self.running_var = np.zeros(channels, dtype), np.ones(channels, dtype)
        self.momentum, self.eps = momentum, eps

    def forward(self, x: Any) -> Any:
        gamma, beta, mean, var = self.gamma, self.beta, self.running_mean, self.running_var
        if not self.training:
            return batchnorm(x, gamma, beta, eps=self.eps, mean=mean, var=var)
        y, batch_mean, batch_var = normalize_batch(x, gamma, beta, self.eps)
        n = x.size // mean.size
        mean += self.momentum * (batch_mean.data - mean)
        var += self.momentum * (batch_var.data * (n / max(n - 1, 1)) - var)
        return y


class LayerNorm(Layer):
    """Each example normalised over its last axes, which have this shape (Ba, Kiros and Hinton, 2016)."""

    def __init__(self, shape: int | tuple[int, ...], *, eps: float = 1e-5, dtype: Any = np.float32) -> None:
        self.gamma, self.beta = Parameter(np.ones(shape, dtype)), Parameter(np.zeros(shape, dtype))
        self.axis, self.eps = tuple(range(-self.gamma.ndim, 0)), eps

    def forward(self, x: Any) -> Any:
        return layer_norm(x, self.gamma, self.beta, self.axis, self.eps)


class Dropout(Layer):
    """Elements 0 at the probability `rate` in training, the others divided by what it leaves.

    Its generator goes on from call to call, so `registry.checkpoint` and `registry.compile`
    refuse it; there, call `dropout` with a seed among the arguments.
    """

    def __init__(self, rate: float = 0.5, *, rng: Rng = None) -> None:
        connections.Dropout(rate)  # refuses a rate that is none
        self.rate, self.rng = rate, np.random.default_rng(rng)

    def forward(self, x: Any) -> Any:
        return connections.Dropout(self.rate, rng=self.rng)(x) if self.training else x


class Embedding(Layer):
    """A row of W, of `size` numbers, for each integer below `count`."""

    def __init__(
        self,
        count: int,
        size: int,
        *,
        init: Initializer = lecun_normal,
        rng: Rng = None,
        dtype: Any = np.float32,
    ) -> None:
        self.W = Parameter(init(np.random.default_rng(rng), (count, size), 1, size).astype(dtype))

    def forward(self, x: Any) -> Any:
        return connections.embed_id(x, self.W)


class GRU(Layer):
    """States of a gated recurrent unit after each step: (T, N, in_size) to (T, N, out_size).

    The first state is `s0` (N, out_size), or zeros.
    """

    def __init__(self, in_size: int, out_size: int, *, rng: Rng = None, dtype: Any = np.float32) -> None:
        rng = np.random.default_rng(rng)
        for gate in "zrh":
            U = glorot_uniform(rng, (in_size, out_size), in_size, out_size)
            W = orthogonal(rng, (out_size, out_size), out_size, out_size)
            for name, array in (("U", U), ("W", W), ("b", np.zeros(out_size))):
                setattr(self, name + gate, Parameter(array.astype(dtype)))

    def forward(self, x: Any, s0: Any = None) -> Any:
        return Gru()(x, *[parameter for _, parameter in self.children()], s0)[1:]
