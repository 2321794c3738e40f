"""Pooling: one number for each window.

x is (..., *spatial). `pool`, the shape of a window, is an int, for images (N, C, *spatial),
or a tuple of one length for each of the last axes; `stride` is the same unless given, and
`padding` and `dilation` are ints or tuples of one int a spatial axis.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from opregistry_neural.columns import Fold, Unfold
from opregistry_neural.counts import shared
from opregistry_neural.windows import Windows, in_order
from registry import Function, composite


class _Pool(Function):
    """What both share: their parameters, and how results lie beside windows."""

    saves = ()
    samples = (
        {"x": (2, 2, 4, 5), "pool": 2},
        {"x": (2, 1, 5, 6), "pool": (3, 2), "stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)},
        {"x": (2, 3, 5), "pool": 3, "stride": 1},
        {"x": (4, 6), "pool": (2, 3)},
        {"x": (0, 1, 4), "pool": 2},
    )

    def __init__(self, pool: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1) -> None:
        self.pool, self.padding, self.dilation = pool, padding, dilation
        self.stride = pool if stride is None else stride

    def windows(self, x: Any) -> Windows:
        """Give the windows, and keep their shape and that of the spatial axes."""
        windows = Windows.of(x, self.pool, self.stride, self.padding, self.dilation)
        self.kernel, self.shape = windows.kernel, x.shape[x.ndim - len(windows.kernel) :]
        if any(2 * p > e for p, e in zip(windows.padding, windows.extent, strict=True)):
            raise ValueError(
                f"{self}: padding is {windows.padding}; expected no more than half of what a window "
                f"spans, {windows.extent}, or some windows would hold nothing else"
            )
        return windows

    @property
    def how(self) -> tuple[Any, ...]:
        """The parameters of `unfold`, and the last ones of `fold`."""
        return self.kernel, self.stride, self.padding, self.dilation

    def beside(self, y: Any) -> Any:
        """Give a result axes of length 1 where windows have those of the kernel."""
        first = y.ndim - len(self.kernel)
        return np.expand_dims(y, tuple(range(first, first + len(self.kernel))))


class MaxPool(_Pool):
    """The largest element of each window; of equal ones, the first has the gradient. No padding is taken."""

    domain = (-np.inf, np.inf)

    def forward(self, x: Any) -> Any:
        if x.dtype.kind not in "fiu":
            raise TypeError(f"{self}: x is {x.dtype}, of which none is the largest; expected real numbers")
        windows = self.windows(x)
        lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        view = windows.view(windows.padded(x, lowest), windows.counts(x.shape))
        first, *others = windows.offsets
        y = view[first].copy(order="K")
        self.places = np.zeros_like(y, np.min_scalar_type(len(others)))
        for place, index in enumerate(others, 1):
            larger = (view[index] > y).astype(self.places.dtype)
            np.maximum(self.places, larger * self.places.dtype.type(place), out=self.places)
            np.maximum(y, view[index], out=y)
        return y

    def backward(self, gy: Any) -> Any:
        return _Put(self.places, self.shape, *self.how)(gy)


class _Put(_Pool):
    """Zeros, and each element of x added in its window, at the place of that number.

    An infinite element makes nan of the others in its window.
    """

    def __init__(self, places: Any, shape: tuple[int, ...], kernel: Any, *how: Any) -> None:
        super().__init__(kernel, *how)
        self.places, self.shape, self.kernel = places, shape, kernel

    def forward(self, x: Any) -> Any:
        windows = Windows.of(x, *self.how)
        n = len(self.shape)
        padded = windows.full((*x.shape[: x.ndim - n], *self.shape), 0, x.dtype)
        view, x = windows.view(padded, x.shape[x.ndim - n :]), in_order(x)
        for place, index in enumerate(windows.offsets):
            part = x * (self.places == place)  # np.where takes three times as long
            windows.put(view, index, part)
        return windows.inner(padded)

    def backward(self, gy: Any) -> Any:
        n = len(self.kernel)
        numbers = np.arange(prod(self.kernel)).reshape(*self.kernel, *[1] * n)
        chosen = np.where(self.beside(self.places) == numbers, Unfold(*self.how)(gy), 0)
        return np.sum(chosen, axis=tuple(range(-2 * n, -n)))


class AveragePool(_Pool):
    """The mean of each window, zeros of the padding among it."""

    def forward(self, x: Any) -> Any:
        windows = self.windows(x)
        view = windows.view(windows.padded(x), windows.counts(x.shape))
        first, *others = windows.offsets
        dtype = x.dtype if x.dtype.kind in "fc" else np.dtype(np.float64)  # of integers, too
        y = view[first].astype(np.result_type(dtype, np.float32))
        for index in others:
            y += view[index]
        y /= prod(windows.kernel)
        return y.astype(dtype, copy=False)

    def backward(self, gy: Any) -> Any:
        n = len(self.kernel)
        shape = *gy.shape[: gy.ndim - n], *self.kernel, *gy.shape[gy.ndim - n :]
        shares = np.broadcast_to(self.beside(shared(gy, prod(self.kernel))), shape)
        return Fold(self.shape, *self.how)(shares)


@composite(inputs=("x",), samples=({"x": (2, 2, 4, 3), "kernel_size": 2, "pad": 1},))
def pooling(x: Any, kernel_size: Any, stride: Any = 1, pad: Any = 0) -> Any:
    """Give the largest element of each window of images: `max_pool` with a stride of 1, if none is given."""
    return MaxPool(kernel_size, stride, pad)(x)


@composite(inputs=("x",), samples=({"x": (2, 2, 4, 3), "kernel_size": 2, "pad": 1},))
def average_pooling(x: Any, kernel_size: Any, stride: Any = 1, pad: Any = 0) -> Any:
    """Give the mean of each window of images: `average_pool` with a stride of 1, if none is given."""
    return AveragePool(kernel_size, stride, pad)(x)
