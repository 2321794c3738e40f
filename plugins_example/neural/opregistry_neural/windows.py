"""Windows: the places where a kernel is laid over the last axes of an array, and a view through them.

Convolution, pooling and the columns of an image differ in what they do with that view.
Its last axis in memory is the batch, if the array is made so (`padded`): then each step
of NumPy's inner loops runs over a row of all images, and a matrix product needs no copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

_BLOCK = 2**22  # bytes of columns at once: what stays in a cache, and bounds the memory


@dataclass(frozen=True)
class Windows:
    """A kernel's extent, and how it moves: one number an axis, in each of the four.

    Attributes
    ----------
    kernel, stride, padding, dilation : tuple of int
        The kernel's shape; the step between windows; the elements added at both ends; the
        step between the elements of one window.
    operator : Function
        For messages.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    operator: Any

    @classmethod
    def of(cls, operator: Any, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Windows:
        """Make one of ints, each for all spatial axes of x, and tuples."""
        ndim = len(kernel) if isinstance(kernel, tuple | list) else x.ndim - 2
        if not 1 <= ndim <= x.ndim:
            raise ValueError(
                f"{operator}: x has shape {x.shape}, and the kernel {kernel!r}; expected (N, C, *spatial), "
                "with one or more spatial axes, or a tuple of one length for each of x's last axes"
            )
        kernel = _per_axis(operator, "the kernel's shape", kernel, ndim, 1)
        stride = _per_axis(operator, "stride", stride, ndim, 1)
        padding = _per_axis(operator, "padding", padding, ndim, 0)
        return cls(kernel, stride, padding, _per_axis(operator, "dilation", dilation, ndim, 1), operator)

    @property
    def extent(self) -> tuple[int, ...]:
        """How many elements one window spans, gaps and all."""
        return tuple([d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)])

    def counts(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Say how many windows fit along each axis of an array of this shape: its last axes."""
        spatial = shape[len(shape) - len(self.kernel) :]
        rooms = [n + 2 * p for n, p in zip(spatial, self.padding, strict=True)]
        if any(room < e for room, e in zip(rooms, self.extent, strict=True)):
            raise ValueError(
                f"{self.operator}: a kernel of shape {self.kernel} with dilation {self.dilation} spans "
                f"{self.extent}, but axes of lengths {spatial} with padding {self.padding} "
                f"have {tuple(rooms)}; expected at least as many"
            )
        steps = zip(rooms, self.extent, self.stride, strict=True)
        return tuple([(room - e) // s + 1 for room, e, s in steps])

    def spanned(self, counts: tuple[int, ...], more: Any = 0) -> tuple[int, ...]:
        """Give the shape of axes on which just that many windows fit: the shortest, and some more."""
        rest = _per_axis(self.operator, "output_padding", more, len(counts), 0)
        steps = list(zip(counts, self.stride, self.extent, self.padding, rest, strict=True))
        shape = tuple([(n - 1) * s + e - 2 * p + r for n, s, e, p, r in steps])
        if any(r >= s for _, s, _, _, r in steps) or min(shape) < 0:
            raise ValueError(
                f"{self.operator}: {counts} windows with stride {self.stride}, padding {self.padding} and "
                f"output_padding {rest} come from axes of lengths {shape}; expected an output_padding "
                "less than the stride, and lengths of 0 or more"
            )
        return shape

    def full(self, shape: tuple[int, ...], fill: float, dtype: Any) -> Any:
        """Make an array of one number, for what has this shape and the padding around it."""
        lead = len(shape) - len(self.padding)
        padding = (0,) * lead + self.padding
        first, *others = [n + 2 * p for n, p in zip(shape, padding, strict=True)]
        return batch_first(np.full((*others, first), fill, dtype))

    def padded(self, x: Any, fill: float = 0) -> Any:
        """Give x with the padding around it, its first axis the last in memory: a copy, or x itself."""
        if not any(self.padding):
            return in_order(x)
        y = self.full(x.shape, fill, x.dtype)
        self.inner(y)[...] = x
        return y

    def inner(self, padded: Any) -> Any:
        """Give what is within the padding, a view."""
        return padded[(..., *[slice(p, -p or None) for p in self.padding])]

    def view(self, padded: Any, counts: tuple[int, ...]) -> Any:
        """Give every window of a padded array, a view: (..., *kernel, *counts).

        Windows share elements, so only one place in the kernel at a time may be written.
        """
        lead = padded.ndim - len(self.kernel)
        steps = padded.strides[lead:]
        within = [s * d for s, d in zip(steps, self.dilation, strict=True)]
        between = [s * t for s, t in zip(steps, self.stride, strict=True)]
        shape = (*padded.shape[:lead], *self.kernel, *counts)
        return as_strided(padded, shape, (*padded.strides[:lead], *within, *between))

    def offsets(self) -> Iterator[tuple[Any, ...]]:
        """Give for each place in the kernel the index of its elements in a view."""
        for place in np.ndindex(self.kernel):
            yield (..., *place, *[slice(None)] * len(place))

    def blocks(self, padded: Any, counts: tuple[int, ...]) -> Iterator[tuple[slice, Any]]:
        """Give the windows of (N, C, ...) block by block: (C, *kernel, *rows of windows, N).

        With each comes the slice of it among all windows, prod(counts) * N.
        """
        view = self.view(padded, counts)
        view = view.transpose(*range(1, view.ndim), 0)
        row = prod(counts[1:]) * len(padded)
        bytes_a_row = row * view.itemsize * prod(view.shape[: len(self.kernel) + 1])
        rows = max(1, _BLOCK // max(bytes_a_row, 1))
        first = (slice(None),) * (1 + len(self.kernel))
        for start in range(0, counts[0], rows):
            stop = min(start + rows, counts[0])
            yield slice(start * row, stop * row), view[(*first, slice(start, stop))]


def batch_last(x: Any) -> Any:
    """Move the first axis to the end, and make that the order in memory."""
    return np.ascontiguousarray(x.transpose(*range(1, x.ndim), 0))


def batch_first(x: Any) -> Any:
    """Undo `batch_last`, as a view."""
    return x.transpose(-1, *range(x.ndim - 1))


def in_order(x: Any) -> Any:
    """Give x with its first axis the last in memory: a copy, or x itself."""
    return batch_first(batch_last(x))


def _per_axis(operator: Any, what: str, value: Any, ndim: int, least: int) -> tuple[int, ...]:
    """Make a tuple of one int an axis, each no less than `least`."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * ndim
    if len(values) != ndim or any(not isinstance(v, int | np.integer) or v < least for v in values):
        raise ValueError(
            f"{operator}: {what} is {value!r}; expected an int of at least {least}, "
            f"or a tuple of {ndim} of them, one for each spatial axis"
        )
    return tuple([int(v) for v in values])
