"""Windows of images as arrays of their own, and their sum where they overlap."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from opregistry_neural.windows import Windows, check_plane, in_order
from registry import Function, composite


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
        windows = Windows.of(x, self.kernel, self.stride, self.padding, self.dilation)
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
        windows = Windows.of(x, kernel, self.stride, self.padding, self.dilation)
        counts, lead = windows.counts(self.shape), x.shape[: max(x.ndim - 2 * ndim, 0)]
        if x.shape != (*lead, *windows.kernel, *counts):
            raise ValueError(
                f"{self}: x has shape {x.shape}; expected that it ends with {(*windows.kernel, *counts)}, "
                f"the kernel's shape and the number of windows over {self.shape}"
            )
        padded = windows.full((*lead, *self.shape), 0, x.dtype)
        view = windows.view(padded, counts)
        for index in windows.offsets:
            windows.put(view, index, in_order(x[index]))
        return windows.inner(padded)

    def backward(self, gy: Any) -> Any:
        return Unfold(self.kernel, self.stride, self.padding, self.dilation)(gy)


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
    check_plane("im2col", img)
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
        windows = Windows.of(np.empty(input_shape), kernel_size, stride, pad, 1)
        counts = windows.counts(tuple(shape))
        col = np.transpose(np.reshape(col, (N, *counts, C, *windows.kernel)), (0, 3, 4, 5, 1, 2))
    return Fold(tuple(shape), kernel_size, stride, pad)(col)
