"""Windows: the places where a kernel is laid over the last axes of an array, and a view through them.

Convolution and pooling differ in what they do with that view. The arrays that are made
here, and so the results, have the axes (N, C, height, width) in another order in memory:
height, C, width, N. Then NumPy's inner loops run over the rows of all images at once, and
the columns of a convolution are a view of arrays that repeat x as often as the kernel is
wide, not as often as it has elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided


@dataclass(frozen=True)
class Windows:
    """A kernel's shape, and how it moves: one number an axis, in each of the four.

    Attributes
    ----------
    kernel, stride, padding, dilation : tuple of int
        The kernel's shape; the step between windows; the elements added at both ends; the
        step between the elements of one window.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    @classmethod
    def of(cls, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Windows:
        """Make one of ints, each for all spatial axes of x, and tuples."""
        ndim = len(kernel) if isinstance(kernel, tuple | list) else x.ndim - 2
        if not 1 <= ndim <= x.ndim:
            raise ValueError(
                f"x has shape {x.shape}, and the kernel is {kernel!r}; expected (N, C, *spatial), "
                "with one or more spatial axes, or a tuple of one length for each of x's last axes"
            )
        how = [tuple(a) if isinstance(a, list) else a for a in (kernel, stride, padding, dilation)]
        return _windows(ndim, *how)

    @cached_property
    def extent(self) -> tuple[int, ...]:
        """How many elements one window spans, gaps and all."""
        return tuple([d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)])

    @cached_property
    def beyond_first(self) -> Windows:
        """Those over the axes after the first."""
        return Windows(self.kernel[1:], self.stride[1:], self.padding[1:], self.dilation[1:])

    @cached_property
    def in_plane(self) -> Windows:
        """The same with an axis of length 1 before the first, where there is just one."""
        if len(self.kernel) > 1:
            return self
        return Windows((1, *self.kernel), (1, *self.stride), (0, *self.padding), (1, *self.dilation))

    @cached_property
    def offsets(self) -> list[tuple[Any, ...]]:
        """For each place in the kernel, the index of its elements in a view."""
        return [(..., *place, *[slice(None)] * len(place)) for place in np.ndindex(self.kernel)]

    @cached_property
    def _apart(self) -> bool:
        """Whether no two windows share an element."""
        return all(s >= e for s, e in zip(self.stride, self.extent, strict=True))

    @cached_property
    def _inside(self) -> tuple[Any, ...]:
        return (..., *[slice(p, -p or None) for p in self.padding])

    def counts(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Say how many windows fit along each axis of an array of this shape: its last axes."""
        spatial = shape[len(shape) - len(self.kernel) :]
        rooms = [n + 2 * p for n, p in zip(spatial, self.padding, strict=True)]
        if any(room < e for room, e in zip(rooms, self.extent, strict=True)):
            raise ValueError(
                f"a kernel of shape {self.kernel} with dilation {self.dilation} spans "
                f"{self.extent}, but axes of lengths {spatial} with padding {self.padding} "
                f"have {tuple(rooms)}; expected at least as many"
            )
        steps = zip(rooms, self.extent, self.stride, strict=True)
        return tuple([(room - e) // s + 1 for room, e, s in steps])

    def spanned(self, counts: tuple[int, ...], more: Any = 0) -> tuple[int, ...]:
        """Give the shape of axes on which just that many windows fit: the shortest, and some more."""
        rest = _per_axis("output_padding", more, len(counts), 0)
        steps = list(zip(counts, self.stride, self.extent, self.padding, rest, strict=True))
        shape = tuple([(n - 1) * s + e - 2 * p + r for n, s, e, p, r in steps])
        if any(r >= s for _, s, _, _, r in steps) or min(shape) < 0 or min(counts) < 1:
            raise ValueError(
                f"{counts} windows with stride {self.stride}, padding {self.padding} and "
                f"output_padding {rest} come from axes of lengths {shape}; expected one window at least, "
                "an output_padding less than the stride, and lengths of 0 or more"
            )
        return shape

    def full(self, shape: tuple[int, ...], fill: float, dtype: Any) -> Any:
        """Make an array of one number, for what has this shape and the padding around it."""
        padding = (0,) * (len(shape) - len(self.padding)) + self.padding
        padded = [n + 2 * p for n, p in zip(shape, padding, strict=True)]
        there, back = orders(len(shape))
        return np.full([padded[i] for i in there], fill, dtype).transpose(back)

    def padded(self, x: Any, fill: float = 0) -> Any:
        """Give x with the padding around it, in the order of `in_order`: a copy, or x itself."""
        if not any(self.padding):
            return in_order(x)
        y = self.full(x.shape, fill, x.dtype)
        self.inner(y)[...] = x
        return y

    def inner(self, padded: Any) -> Any:
        """Give what is within the padding, a view."""
        return padded[self._inside]

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

    def put(self, view: Any, index: Any, part: Any) -> None:
        """Add what belongs to one place in the kernel to a view that began with zeros."""
        if self._apart:
            view[index] = part
        else:
            view[index] += part


@lru_cache
def _windows(ndim: int, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Windows:
    """Make windows for `ndim` axes; networks ask for the same again and again."""
    kernel, stride = _per_axis("the kernel's shape", kernel, ndim, 1), _per_axis("stride", stride, ndim, 1)
    padding, dilation = _per_axis("padding", padding, ndim, 0), _per_axis("dilation", dilation, ndim, 1)
    return Windows(kernel, stride, padding, dilation)


def in_order(x: Any) -> Any:
    """Give x with axes in memory as this module has them: a copy, or x itself where they are so."""
    there, back = orders(x.ndim)
    return np.ascontiguousarray(x.transpose(there)).transpose(back)


@cache
def orders(ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give the order of (N, C, *spatial) in memory, and the way back."""
    if ndim < 3:
        return tuple(range(ndim)), tuple(range(ndim))
    if ndim == 3:  # one row
        return (1, 2, 0), (2, 0, 1)
    return (2, 1, *range(3, ndim), 0), (ndim - 1, 1, 0, *range(2, ndim - 1))


def check_plane(operator: str, x: Any) -> None:
    """Refuse what is no batch of images with two spatial axes."""
    if np.ndim(x) != 4:
        raise ValueError(f"{operator}: the images have shape {np.shape(x)}; expected (N, C, H, W)")


def _per_axis(what: str, value: Any, ndim: int, least: int) -> tuple[int, ...]:
    """Make a tuple of one int an axis, each no less than `least`."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * ndim
    if len(values) != ndim or any(not isinstance(v, int | np.integer) or v < least for v in values):
        raise ValueError(
            f"{what} is {value!r}; expected an int of at least {least}, "
            f"or a tuple of {ndim} of them, one for each spatial axis"
        )
    return tuple([int(v) for v in values])
