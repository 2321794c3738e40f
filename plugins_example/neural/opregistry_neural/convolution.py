"""Convolution as networks have it, and its transpose.

Images are (N, C, *spatial), with any number of spatial axes. `stride`, `padding` and
`dilation` are ints, or tuples of one int a spatial axis; with `groups`, each part of the
channels has weights of its own. Where the last window does not reach the end of an axis,
the rest of it has no part in the result.

``sum(gy * conv_nd(x, W))`` is linear in x, in W and in gy: its gradient by each of them is
one of three operators, and the gradients of each are the other two.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from opregistry_neural.windows import Windows, check_plane, in_order, orders
from registry import Function, composite

_BLOCK = 2**20  # bytes of columns that are made at once: what stays in a cache


class _Convolution(Function):
    """What the three share: parameters, checks of shapes, and arrays as matrices, one a group."""

    saves = ("xs",)

    def __init__(self, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> None:
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups

    def windows(self, x: Any, kernel: Any) -> Windows:
        """Give the windows of a kernel of this shape."""
        return Windows.of(x, kernel, self.stride, self.padding, self.dilation)

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

    def in_plane(self, *arrays: Any) -> list[Any]:
        """Give arrays with one spatial axis another before it, of length 1: one row of many places."""
        return [a[:, :, np.newaxis] if a.ndim == 3 else a for a in arrays]

    def check_groups(self, name: str, shape: tuple[int, ...], axis: int) -> None:
        """Refuse a number of groups that does not divide an axis."""
        if not isinstance(self.groups, int | np.integer) or self.groups < 1 or shape[axis] % self.groups:
            raise ValueError(
                f"{self}: groups is {self.groups!r}; expected a divisor of {shape[axis]}, "
                f"for {name} of shape {shape}"
            )

    def weights(self, W: Any) -> Any:
        """Give weights as (groups, first axis / groups, the second, rows of the kernel, its other axes)."""
        return W.reshape(self.groups, len(W) // self.groups, *W.shape[1:3], prod(W.shape[3:]))

    def in_groups(self, x: Any) -> Any:
        """Give (N, C, rows, ...) as (groups, rows, C / groups, ..., N), a view."""
        N, C, *spatial = x.shape
        split = x.reshape(N, self.groups, C // self.groups, *spatial)
        return split.transpose(1, 3, 2, *range(4, split.ndim), 0)

    def matrices(self, x: Any) -> Any:
        """Give (N, C, rows, ...) as (groups, rows, C / groups, the others * N)."""
        y = self.in_groups(in_order(x))
        return y.reshape(*y.shape[:3], prod(y.shape[3:]))

    def columns(self, windows: Windows, x: Any, counts: tuple[int, ...]) -> Iterator[tuple[slice, Any]]:
        """Give the windows as matrices (groups, rows, k * C / groups * other axes of the kernel, places).

        They come in blocks of rows, each with its slice of all rows.
        """
        beyond = windows.beyond_first
        whole = self.in_groups(beyond.view(windows.padded(x), counts[1:]))
        height, places = prod(whole.shape[2 : 3 + len(beyond.kernel)]), prod(counts[1:]) * len(x)
        k, stride, dilation = windows.kernel[0], windows.stride[0], windows.dilation[0]
        for rows in _blocks(counts[0], self.groups * height * places * x.itemsize):
            used = slice(rows.start * stride, (rows.stop - 1) * stride + dilation * (k - 1) + 1)
            block = whole[:, used].reshape(self.groups, used.stop - used.start, height, places)
            yield rows, _stacked(block, rows.stop - rows.start, k, stride, dilation)

    def images(self, y: Any, b: Any, ndim: int) -> Any:
        """Give images of `ndim` axes of an own array (rows, C, ..., N), with one number a channel added."""
        if b is not None:
            if b.shape != y.shape[1:2]:
                raise ValueError(f"{self}: b has shape {b.shape}; expected {y.shape[1:2]}, one a channel")
            y += b.reshape(-1, *[1] * (y.ndim - 2))
        images = y.transpose(orders(y.ndim)[1])
        return images[:, :, 0] if ndim == 3 else images

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
    as in every framework for networks. The columns of the windows are made a MiB at a time.
    """

    only_reads = True

    samples = (
        {"x": (2, 3, 5), "W": (2, 3, 2)},
        {"x": (2, 2, 4, 5), "W": (3, 2, 3, 2), "b": (3,), "stride": (2, 1), "padding": (1, 0)},
        {"x": (1, 4, 5, 4), "W": (4, 2, 2, 2), "stride": 2, "padding": 1, "dilation": 2, "groups": 2},
        {"x": (1, 2, 3, 3, 3), "W": (2, 1, 2, 2, 2), "b": (2,), "groups": 2},
        {"x": (0, 2, 4), "W": (3, 2, 2)},
    )

    def forward(self, x: Any, W: Any, b: Any = None) -> Any:
        windows = self.windows_of_weights(x, W, W.shape[1] * self.groups)
        windows, (x, W), ndim = windows.in_plane, self.in_plane(x, W), x.ndim
        counts, g, out = windows.counts(x.shape), self.groups, len(W)
        matrix = self.weights(W).swapaxes(2, 3).reshape(g, 1, out // g, prod(W.shape[1:]))
        dtype = np.result_type(*[a for a in (x, W, b) if a is not None])
        y = np.empty((counts[0], g, out // g, prod(counts[1:]) * len(x)), dtype)
        for rows, columns in self.columns(windows, x, counts):
            np.matmul(matrix, columns, out=y.swapaxes(0, 1)[:, rows])
        return self.images(y.reshape(counts[0], out, *counts[1:], len(x)), b, ndim)

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
        windows, (x, W), ndim = windows.in_plane, self.in_plane(x, W), x.ndim
        k, *others = windows.kernel
        turned = self.weights(W)[:, :, :, ::-1].transpose(0, 2, 4, 3, 1)
        matrix = turned.reshape(self.groups, 1, prod(turned.shape[1:3]), prod(turned.shape[3:]))
        dtype = np.result_type(*[a for a in (x, W, b) if a is not None])
        row = [1] * (ndim == 3)
        padded = windows.full((len(x), W.shape[1] * self.groups, *row, *shape), 0, dtype)
        whole = self.in_groups(windows.beyond_first.view(padded, x.shape[3:]))
        spread = _spread(self.matrices(x), whole.shape[1], windows)
        for rows in _blocks(whole.shape[1], prod(whole.shape[2:]) * self.groups * dtype.itemsize):
            stacked = _stacked(spread[:, rows.start :], rows.stop - rows.start, k, 1, windows.dilation[0])
            block = whole[:, rows]
            part = (matrix @ stacked).reshape(block.shape)
            for offset in np.ndindex(*others):
                index = slice(None), slice(None), slice(None), *offset
                block[index] += part[index]
        return self.images(windows.inner(padded).transpose(orders(x.ndim)[0]), b, ndim)

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

    only_reads = True

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
        kernel, windows, (x, gy) = windows.kernel, windows.in_plane, self.in_plane(x, gy)
        g, channels, out, given = self.groups, x.shape[1], gy.shape[1], self.matrices(gy)
        k, *others = windows.kernel
        y = np.zeros((g, out // g, k * channels // g * prod(others)), np.result_type(x, gy))
        for rows, columns in self.columns(windows, x, gy.shape[2:]):
            y += np.sum(given[:, rows] @ columns.swapaxes(-1, -2), axis=1)
        return y.reshape(out, k, channels // g, *others).swapaxes(1, 2).reshape(out, channels // g, *kernel)

    def backward(self, gW: Any) -> Any:
        x, gy = self.xs
        to_x, to_gy = self.needs_grad
        gx = self.by_x(gy, gW, gW.shape[2:], x.shape) if to_x else None
        return gx, self.by_gy(x, gW) if to_gy else None


@composite(
    inputs=("x", "W", "b"),
    samples=(
        {"x": (2, 2, 4, 4), "W": (3, 2, 3, 3), "pad": 1},
        {"x": (1, 2, 5, 4), "W": (2, 2, 2, 3), "b": (2,), "stride": (2, 1), "pad": (0, 1)},
    ),
)
def conv2d(x: Any, W: Any, b: Any = None, stride: Any = 1, pad: Any = 0) -> Any:
    """Give the convolution of images (N, C, H, W) with weights (O, C, h, w): `conv_nd` for two axes."""
    check_plane("conv2d", x)
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
    check_plane("deconv2d", x)
    padding: Any = 0
    if outsize is not None:
        shortest = Windows.of(x, np.shape(W)[2:], stride, pad, 1).spanned(np.shape(x)[2:])
        padding = tuple([n - m for n, m in zip(outsize, shortest, strict=True)])
    return DeconvNd(stride, pad, output_padding=padding)(x, W, b)


def _blocks(rows: int, bytes_a_row: int) -> Iterator[slice]:
    """Give slices of rows, of as many as a block holds."""
    step = max(1, _BLOCK // max(1, bytes_a_row))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _stacked(x: Any, count: int, k: int, stride: int, dilation: int) -> Any:
    """Give `count` matrices, each of k rows of x one below the other; without dilation, a view.

    x is (groups, rows, height, places), and the result (groups, count, k * height, places).
    """
    groups, _, *shape = x.shape
    group, row, *steps = x.strides
    strides = group, row * stride, row * dilation, *steps
    return as_strided(x, (groups, count, k, *shape), strides).reshape(groups, count, k * shape[0], shape[1])


def _spread(x: Any, rows: int, windows: Windows) -> Any:
    """Put rows of zeros between those of x, and before them as many as a window has after its first.

    x is (groups, rows, height, places). The window that ends with a row is then the one that
    holds all rows from which that row gets something.
    """
    lead, stride = windows.extent[0] - 1, windows.stride[0]
    y = np.zeros((len(x), lead + rows, *x.shape[2:]), x.dtype)
    y[:, lead::stride][:, : x.shape[1]] = x
    return y
