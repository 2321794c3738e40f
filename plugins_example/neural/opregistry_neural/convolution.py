"""Convolution as networks have it, its transpose, and the columns of images.

Images are (N, C, *spatial), with any number of spatial axes. `stride`, `padding` and
`dilation` are ints, or tuples of one int a spatial axis; with `groups`, each part of the
channels has weights of its own. Where the last window does not reach the end of an axis,
the rest of it has no part in the result.

``sum(gy * conv_nd(x, W))`` is linear in x, in W and in gy: its gradient by each of them is
one of three operators, and the gradients of each are the other two.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from opregistry_neural.windows import Windows, batch_first, batch_last, in_order
from registry import Function, composite


class _Convolution(Function):
    """What the three share: parameters, checks of shapes, and arrays as matrices, one a group."""

    saves = ("xs",)

    def __init__(self, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> None:
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups

    def windows(self, x: Any, kernel: Any) -> Windows:
        """Give the windows of a kernel of this shape."""
        return Windows.of(self, x, kernel, self.stride, self.padding, self.dilation)

    def windows_of_weights(self, x: Any, W: Any, channels: int) -> Windows:
        """Give the windows of weights for this number of channels, where the shapes go together."""
        if x.ndim < 3 or x.ndim != W.ndim:
            raise ValueError(
                f"{self}: x has shape {x.shape} and W {W.shape}; expected (N, C, *spatial) and as many "
                "axes of W, with one or more spatial ones"
            )
        self.check_groups("W", W.shape, 0)
        if x.shape[1] != channels:
            raise ValueError(
                f"{self}: x has shape {x.shape}, {x.shape[1]} channels; expected {channels} channels "
                f"for W of shape {W.shape} and groups={self.groups}"
            )
        return self.windows(x, W.shape[2:])

    def check_groups(self, name: str, shape: tuple[int, ...], axis: int) -> None:
        """Refuse a number of groups that does not divide an axis."""
        if not isinstance(self.groups, int | np.integer) or self.groups < 1 or shape[axis] % self.groups:
            raise ValueError(
                f"{self}: groups is {self.groups!r}; expected a divisor of {shape[axis]}, "
                f"for {name} of shape {shape}"
            )

    def grouped(self, x: Any) -> Any:
        """Give images as (groups, C / groups, spatial * N)."""
        return batch_last(x).reshape(self.groups, x.shape[1] // self.groups, prod(x.shape[2:]) * len(x))

    def matrices(self, W: Any) -> Any:
        """Give weights as (groups, first axis / groups, the other axes)."""
        return W.reshape(self.groups, len(W) // self.groups, prod(W.shape[1:]))

    def images(self, y: Any, b: Any) -> Any:
        """Give (N, C, *spatial) of an own array (C, *spatial, N), with one number a channel added."""
        if b is not None:
            if b.shape != y.shape[:1]:
                raise ValueError(
                    f"{self}: b has shape {b.shape}; expected {y.shape[:1]}, one for each channel"
                )
            y += b.reshape(-1, *[1] * (y.ndim - 1))
        return batch_first(y)

    def by_x(self, gy: Any, W: Any, kernel: tuple[int, ...], shape: tuple[int, ...]) -> Any:
        """Give the gradient of `conv_nd` by x, which has this shape."""
        spanned = self.windows(gy, kernel).spanned(gy.shape[2:])
        rest = tuple([n - m for n, m in zip(shape[2:], spanned, strict=True)])
        return DeconvNd(self.stride, self.padding, self.dilation, self.groups, rest)(gy, W, None)

    def by_weights(self, x: Any, gy: Any, kernel: tuple[int, ...]) -> Any:
        """Give that by W."""
        return ConvNdWeight(kernel, self.stride, self.padding, self.dilation, self.groups)(x, gy)

    def by_gy(self, x: Any, W: Any) -> Any:
        """Give that of sum(gy * conv_nd(x, W)) by gy."""
        return ConvNd(self.stride, self.padding, self.dilation, self.groups)(x, W, None)


class ConvNd(_Convolution):
    """Windows of x times weights: y[n, o, i] = b[o] + sum of x[n, c, i * stride + j * dilation] * W[o, c, j].

    x is (N, C, *spatial), W (O, C / groups, *kernel), b (O,); `padding` zeros are put at both
    ends of each spatial axis. Of n elements there come
    (n + 2 * padding - dilation * (k - 1) - 1) // stride + 1. The kernel is not turned around,
    as in every framework for networks. The columns of the windows are made a few MiB at a time.
    """

    samples = (
        {"x": (2, 3, 5), "W": (2, 3, 2)},
        {"x": (2, 2, 4, 5), "W": (3, 2, 3, 2), "b": (3,), "stride": (2, 1), "padding": (1, 0)},
        {"x": (1, 4, 5, 4), "W": (4, 2, 2, 2), "stride": 2, "padding": 1, "dilation": 2, "groups": 2},
        {"x": (1, 2, 3, 3, 3), "W": (2, 1, 2, 2, 2), "b": (2,), "groups": 2},
        {"x": (0, 2, 4), "W": (3, 2, 2)},
    )

    def forward(self, x: Any, W: Any, b: Any = None) -> Any:
        windows = self.windows_of_weights(x, W, W.shape[1] * self.groups)
        counts, matrices = windows.counts(x.shape), self.matrices(W)
        dtype = np.result_type(*[a for a in (x, W, b) if a is not None])
        y = np.empty((*matrices.shape[:2], prod(counts) * len(x)), dtype)
        for places, block in windows.blocks(windows.padded(x), counts):
            columns = block.reshape(self.groups, matrices.shape[2], places.stop - places.start)
            np.matmul(matrices, columns, out=y[..., places])
        return self.images(y.reshape(len(W), *counts, len(x)), b)

    def backward(self, gy: Any) -> Any:
        x, W, _ = self.xs
        to_x, to_W, to_b = self.needs_grad
        gx = self.by_x(gy, W, W.shape[2:], x.shape) if to_x else None
        gW = self.by_weights(x, gy, W.shape[2:]) if to_W else None
        return gx, gW, np.sum(gy, axis=(0, *range(2, gy.ndim))) if to_b else None


class DeconvNd(_Convolution):
    """Transposed convolution: the gradient of `conv_nd` by its input, as networks that enlarge have it.

    x is (N, C, *spatial), W (C, O / groups, *kernel), b (O,): each element of x adds the kernel,
    times itself, to the result. Of n elements there come
    (n - 1) * stride - 2 * padding + dilation * (k - 1) + 1 + output_padding, where
    `output_padding`, less than the stride, chooses among the shapes from which `conv_nd` comes
    to that of x.
    """

    samples = (
        {"x": (2, 3, 4), "W": (3, 2, 2)},
        {"x": (2, 2, 3, 2), "W": (2, 3, 3, 2), "b": (3,), "stride": (2, 1), "padding": (1, 0)},
        {"x": (1, 4, 2, 3), "W": (4, 1, 2, 2), "stride": 2, "dilation": 2, "groups": 2, "output_padding": 1},
        {"x": (1, 2, 2, 2, 2), "W": (2, 1, 2, 2, 2), "b": (1,)},
        {"x": (0, 2, 4), "W": (2, 3, 2)},
    )

    def __init__(
        self, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1, output_padding: Any = 0
    ) -> None:
        super().__init__(stride, padding, dilation, groups)
        self.output_padding = output_padding

    def forward(self, x: Any, W: Any, b: Any = None) -> Any:
        windows = self.windows_of_weights(x, W, len(W))
        shape = windows.spanned(x.shape[2:], self.output_padding)
        matrices, grouped = self.matrices(W).swapaxes(1, 2), self.grouped(x)
        dtype = np.result_type(*[a for a in (x, W, b) if a is not None])
        padded = windows.full((len(x), W.shape[1] * self.groups, *shape), 0, dtype)
        for places, block in windows.blocks(padded, x.shape[2:]):
            columns = (matrices @ grouped[..., places]).reshape(block.shape)
            for offset in np.ndindex(windows.kernel):
                block[(slice(None), *offset)] += columns[(slice(None), *offset)]
        return self.images(windows.inner(padded).transpose(*range(1, x.ndim), 0), b)

    def backward(self, gy: Any) -> Any:
        x, W, _ = self.xs
        to_x, to_W, to_b = self.needs_grad
        gx = self.by_gy(gy, W) if to_x else None
        gW = self.by_weights(gy, x, W.shape[2:]) if to_W else None
        return gx, gW, np.sum(gy, axis=(0, *range(2, gy.ndim))) if to_b else None


class ConvNdWeight(_Convolution):
    """Gradient of `conv_nd` by its weights: windows of x times gy, summed over images and places.

    x is (N, C, *spatial), gy (N, O, *windows), and the result (O, C / groups, *kernel).
    """

    samples = (
        {"x": (2, 3, 5), "gy": (2, 2, 4), "kernel": (2,)},
        {"x": (2, 2, 4, 5), "gy": (2, 4, 2, 4), "kernel": (3, 2), "stride": (2, 1), "padding": (1, 0)},
        {"x": (1, 4, 5), "gy": (1, 2, 3), "kernel": 2, "stride": 2, "padding": 1, "dilation": 2, "groups": 2},
        {"x": (0, 2, 5), "gy": (0, 2, 4), "kernel": 2},
    )

    def __init__(
        self, kernel: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> None:
        super().__init__(stride, padding, dilation, groups)
        self.kernel = kernel

    def forward(self, x: Any, gy: Any) -> Any:
        windows = self.windows(x, self.kernel)
        counts = windows.counts(x.shape)
        if gy.shape[:1] + gy.shape[2:] != (len(x), *counts):
            expected = ", ".join(map(str, (len(x), "O", *counts)))
            raise ValueError(
                f"{self}: gy has shape {gy.shape}; expected ({expected}) for x of shape {x.shape}"
            )
        self.check_groups("x", x.shape, 1)
        self.check_groups("gy", gy.shape, 1)
        channels, grouped = x.shape[1] // self.groups, self.grouped(gy)
        y = np.zeros((*grouped.shape[:2], channels * prod(windows.kernel)), np.result_type(x, gy))
        for places, block in windows.blocks(windows.padded(x), counts):
            columns = block.reshape(self.groups, y.shape[2], places.stop - places.start)
            y += grouped[..., places] @ columns.swapaxes(1, 2)
        return y.reshape(gy.shape[1], channels, *windows.kernel)

    def backward(self, gW: Any) -> Any:
        x, gy = self.xs
        to_x, to_gy = self.needs_grad
        gx = self.by_x(gy, gW, gW.shape[2:], x.shape) if to_x else None
        return gx, self.by_gy(x, gW) if to_gy else None


class Unfold(Function):
    """Every window of x as axes of its own, a read-only view.

    x is (N, C, *spatial), and the result (N, C, *kernel, *windows). A tuple for the kernel
    says how many of the last axes are spatial.
    """

    saves = ()
    samples = (
        {"x": (2, 2, 5), "kernel": 2},
        {"x": (2, 1, 4, 5), "kernel": (3, 2), "stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)},
        {"x": (4, 3), "kernel": (2, 2)},
        {"x": (0, 1, 4), "kernel": 2},
    )

    def __init__(self, kernel: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> None:
        self.kernel, self.stride, self.padding, self.dilation = kernel, stride, padding, dilation

    def forward(self, x: Any) -> Any:
        windows = Windows.of(self, x, self.kernel, self.stride, self.padding, self.dilation)
        self.shape = x.shape[x.ndim - len(windows.kernel) :]
        y = windows.view(windows.padded(x), windows.counts(x.shape))
        y.flags.writeable = False
        return y

    def backward(self, gy: Any) -> Any:
        return Fold(self.shape, self.kernel, self.stride, self.padding, self.dilation)(gy)


class Fold(Function):
    """Windows added up where they lie: the transpose of `unfold`.

    x is (N, C, *kernel, *windows), and the result (N, C, *shape).
    """

    saves = ()
    samples = (
        {"x": (2, 2, 2, 4), "shape": (5,), "kernel": 2},
        {"x": (1, 1, 3, 2, 2, 4), "shape": (4, 5), "kernel": (3, 2), "stride": (2, 1), "padding": (1, 0)},
        {"x": (2, 2, 3, 2), "shape": (4, 3), "kernel": (2, 2)},
        {"x": (0, 1, 2, 3), "shape": (4,), "kernel": 2},
    )

    def __init__(
        self, shape: tuple[int, ...], kernel: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1
    ) -> None:
        self.shape = shape
        self.kernel, self.stride, self.padding, self.dilation = kernel, stride, padding, dilation

    def forward(self, x: Any) -> Any:
        ndim = len(self.shape)
        kernel = self.kernel if isinstance(self.kernel, tuple | list) else (self.kernel,) * ndim
        windows = Windows.of(self, x, kernel, self.stride, self.padding, self.dilation)
        counts, lead = windows.counts(self.shape), x.shape[: max(x.ndim - 2 * ndim, 0)]
        if x.shape != (*lead, *windows.kernel, *counts):
            raise ValueError(
                f"{self}: x has shape {x.shape}; expected that it ends with {(*windows.kernel, *counts)}, "
                f"the kernel's shape and the number of windows over {self.shape}"
            )
        padded = windows.full((*lead, *self.shape), 0, x.dtype)
        view = windows.view(padded, counts)
        for index in windows.offsets():
            view[index] += in_order(x[index])
        return windows.inner(padded)

    def backward(self, gy: Any) -> Any:
        return Unfold(self.kernel, self.stride, self.padding, self.dilation)(gy)


@composite(
    inputs=("x", "W", "b"),
    samples=(
        {"x": (2, 2, 4, 4), "W": (3, 2, 3, 3), "pad": 1},
        {"x": (1, 2, 5, 4), "W": (2, 2, 2, 3), "b": (2,), "stride": (2, 1), "pad": (0, 1)},
    ),
)
def conv2d(x: Any, W: Any, b: Any = None, stride: Any = 1, pad: Any = 0) -> Any:
    """Give the convolution of images (N, C, H, W) with weights (O, C, h, w): `conv_nd` for two axes."""
    _check_plane("conv2d", x)
    return ConvNd(stride, pad)(x, W, b)


@composite(
    inputs=("x", "W", "b"),
    samples=(
        {"x": (2, 3, 3, 2), "W": (3, 2, 3, 3), "pad": 1, "stride": 2},
        {"x": (1, 2, 2, 2), "W": (2, 2, 2, 3), "b": (2,), "stride": (2, 2), "outsize": (4, 6)},
    ),
)
def deconv2d(
    x: Any, W: Any, b: Any = None, stride: Any = 1, pad: Any = 0, outsize: tuple[int, int] | None = None
) -> Any:
    """Give the transposed convolution of (N, C, H, W) with weights (C, O, h, w): `deconv_nd` for two axes.

    `outsize` is the result's (height, width), where the stride leaves a choice.
    """
    _check_plane("deconv2d", x)
    padding: Any = 0
    if outsize is not None:
        shortest = Windows.of("deconv2d", x, np.shape(W)[2:], stride, pad, 1).spanned(np.shape(x)[2:])
        padding = tuple([n - m for n, m in zip(outsize, shortest, strict=True)])
    return DeconvNd(stride, pad, output_padding=padding)(x, W, b)


@composite(
    inputs=("img",),
    samples=(
        {"img": (2, 2, 4, 3), "kernel_size": 2},
        {"img": (1, 2, 4, 5), "kernel_size": (3, 2), "stride": 2, "pad": 1, "to_matrix": False},
    ),
)
def im2col(img: Any, kernel_size: Any, stride: Any = 1, pad: Any = 0, to_matrix: bool = True) -> Any:
    """Give the windows of images (N, C, H, W): (N, C, h, w, windows down, windows across).

    As a matrix they are one row a window: (N * down * across, C * h * w).
    """
    _check_plane("im2col", img)
    columns = Unfold(kernel_size, stride, pad)(img)
    if not to_matrix:
        return columns
    N, C, *kernel, down, across = columns.shape
    return np.transpose(columns, (0, 4, 5, 1, 2, 3)).reshape(N * down * across, C * prod(kernel))


@composite(
    inputs=("col",),
    samples=(
        {"col": (12, 8), "input_shape": (2, 2, 4, 3), "kernel_size": 2},
        {
            "col": (1, 2, 3, 2, 2, 3),
            "input_shape": (1, 2, 4, 5),
            "kernel_size": (3, 2),
            "stride": 2,
            "pad": 1,
            "to_matrix": False,
        },
    ),
)
def col2im(
    col: Any,
    input_shape: tuple[int, int, int, int],
    kernel_size: Any,
    stride: Any = 1,
    pad: Any = 0,
    to_matrix: bool = True,
) -> Any:
    """Add the windows that `im2col` gives up to images of `input_shape`: its transpose, no inverse."""
    N, C, *shape = input_shape
    if to_matrix:
        windows = Windows.of("col2im", np.empty(input_shape), kernel_size, stride, pad, 1)
        counts = windows.counts(tuple(shape))
        col = np.transpose(np.reshape(col, (N, *counts, C, *windows.kernel)), (0, 3, 4, 5, 1, 2))
    return Fold(tuple(shape), kernel_size, stride, pad)(col)


def _check_plane(name: str, x: Any) -> None:
    if np.ndim(x) != 4:
        raise ValueError(f"{name}: the images have shape {np.shape(x)}; expected (N, C, H, W)")
