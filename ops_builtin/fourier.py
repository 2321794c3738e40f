"""Discrete Fourier transforms: those of one axis, and those of several made of them.

A transform is linear, so its gradient is that of the transposed matrix, which is the
same transform (the matrix is symmetric), cut or padded to the input's length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from registry import Function, composite

_SWAPPED: dict[Any, str] = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}
_SAMPLES = (
    {"x": (4,)},
    {"x": (3, 2), "n": 5, "axis": 0, "norm": "ortho"},
    {"x": (2, 5), "n": 3, "norm": "forward"},
    {"x": (2, 3, 2), "axis": -2},
)
_SAMPLES_ND = (
    {"a": (2, 3)},
    {"a": (3, 2, 4), "s": (2, 5), "axes": (0, -1), "norm": "ortho"},
    {"a": (2, 2, 3), "axes": (1, 2), "norm": "forward"},
)


def _with_length(x: Any, length: int, axis: int) -> Any:
    """Cut an axis, or fill it up with zeros."""
    axis = axis % x.ndim
    missing = length - x.shape[axis]
    if missing <= 0:
        return x[(slice(None),) * axis + (slice(length),)] if missing else x
    shape = (*x.shape[:axis], missing, *x.shape[axis + 1 :])
    return np.concatenate([x, np.zeros(shape, x.dtype)], axis=axis)


class _Transform(Function):
    """What transforms along one axis share; n is the length, to which the input is cut or padded."""

    saves = ()
    samples = _SAMPLES

    def __init__(self, n: int | None = None, axis: int = -1, norm: Any = None) -> None:
        self.n, self.axis, self.norm = n, axis, norm

    def transformed(self, transform: Callable[..., Any], x: Any) -> Any:
        """Transform, and keep the input's length."""
        self.length = x.shape[self.axis]
        return transform(x, self.n, self.axis, self.norm)


class Fft(_Transform):
    """Fourier transform along an axis: sum of x[j] exp(-2 pi i j k / n)."""

    implements = np.fft.fft

    def forward(self, x: Any) -> Any:
        return self.transformed(np.fft.fft, x)

    def backward(self, gy: Any) -> Any:
        return _with_length(np.fft.fft(gy, axis=self.axis, norm=self.norm), self.length, self.axis)


class Ifft(_Transform):
    """Inverse Fourier transform along an axis: sum of x[j] exp(2 pi i j k / n), divided by n."""

    implements = np.fft.ifft

    def forward(self, x: Any) -> Any:
        return self.transformed(np.fft.ifft, x)

    def backward(self, gy: Any) -> Any:
        return _with_length(np.fft.ifft(gy, axis=self.axis, norm=self.norm), self.length, self.axis)


class Rfft(_Transform):
    """The half of the Fourier transform of real numbers that says all: frequencies 0 to n // 2."""

    implements = np.fft.rfft
    domain = (-np.inf, np.inf)  # NumPy refuses complex numbers

    def forward(self, x: Any) -> Any:
        self.full = x.shape[self.axis] if self.n is None else self.n
        return self.transformed(np.fft.rfft, x)

    def backward(self, gy: Any) -> Any:
        gx = np.real(np.fft.fft(gy, self.full, self.axis, self.norm))
        return _with_length(gx, self.length, self.axis)


class Irfft(_Transform):
    """Inverse of rfft: n real numbers from frequencies 0 to n // 2; n is 2 (m - 1) for m of them.

    The imaginary part of frequency 0, and for even n that of the last, has no influence.
    """

    implements = np.fft.irfft

    def forward(self, x: Any) -> Any:
        return self.transformed(np.fft.irfft, x)

    def backward(self, gy: Any) -> Any:
        axis = self.axis % gy.ndim
        n = gy.shape[axis]
        once = np.arange(n // 2 + 1) % max(n / 2, 1) == 0  # all others stand for their conjugates, too
        times = np.where(once, 1, 2).reshape((-1,) + (1,) * (gy.ndim - axis - 1))
        gx = np.fft.ihfft(gy, axis=axis, norm=self.norm) * times.astype(gy.dtype)
        return _with_length(gx, self.length, axis)


@composite(
    implements=np.fft.hfft,
    samples=[{"a" if name == "x" else name: v for name, v in s.items()} for s in _SAMPLES],
)
def hfft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None) -> Any:
    """Fourier transform of a signal with Hermitian symmetry, of which a half is given: real numbers."""
    return np.fft.irfft(np.conjugate(a), n, axis, _swapped(norm))


@composite(
    implements=np.fft.ihfft,
    samples=[{"a" if name == "x" else name: v for name, v in s.items()} for s in _SAMPLES],
    domain=(-np.inf, np.inf),
)
def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None) -> Any:
    """Inverse of hfft: the half of a Hermitian signal, from real numbers."""
    return np.conjugate(np.fft.rfft(a, n, axis, _swapped(norm)))


def _swapped(norm: Any) -> Any:
    """Give the norm under which the opposite transform has the same factor."""
    if norm not in _SWAPPED:
        raise ValueError(f"norm is {norm!r}; expected 'backward', 'ortho' or 'forward'")
    return _SWAPPED[norm]


def _lengths(a: Any, s: Sequence[int] | None, axes: Sequence[int] | None) -> list[tuple[int | None, int]]:
    """Give each axis to transform with its length; None for the transform's own, -1 is the input's."""
    if axes is None:
        axes = range(-len(np.shape(a) if s is None else s), 0)
    lengths: Sequence[int | None] = [None] * len(axes) if s is None else list(s)
    pairs = zip(lengths, axes, strict=True)
    return [(np.shape(a)[axis] if n == -1 else n, axis) for n, axis in pairs]


@composite(implements=np.fft.fftn, samples=_SAMPLES_ND)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """Fourier transform along several axes, all without `axes`."""
    for n, axis in reversed(_lengths(a, s, axes)):
        a = np.fft.fft(a, n, axis, norm)
    return a


@composite(implements=np.fft.ifftn, samples=_SAMPLES_ND)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """Inverse Fourier transform along several axes, all without `axes`."""
    for n, axis in reversed(_lengths(a, s, axes)):
        a = np.fft.ifft(a, n, axis, norm)
    return a


@composite(implements=np.fft.fft2, samples=_SAMPLES_ND)
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Any:
    """Fourier transform along two axes."""
    return fftn(a, s, axes, norm)


@composite(implements=np.fft.ifft2, samples=_SAMPLES_ND)
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Any:
    """Inverse Fourier transform along two axes."""
    return ifftn(a, s, axes, norm)


@composite(implements=np.fft.rfftn, samples=_SAMPLES_ND, domain=(-np.inf, np.inf))
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """Fourier transform of real numbers along several axes: rfft along the last, fft along the others."""
    *others, (n, axis) = _lengths(a, s, axes)
    a = np.fft.rfft(a, n, axis, norm)
    for n, axis in reversed(others):
        a = np.fft.fft(a, n, axis, norm)
    return a


@composite(implements=np.fft.rfft2, samples=_SAMPLES_ND, domain=(-np.inf, np.inf))
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Any:
    """Fourier transform of real numbers along two axes."""
    return rfftn(a, s, axes, norm)


@composite(implements=np.fft.irfftn, samples=_SAMPLES_ND)
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """Inverse of rfftn: ifft along the other axes, irfft along the last."""
    *others, (last, last_axis) = _lengths(a, s, axes)
    for n, axis in others:
        a = np.fft.ifft(a, n, axis, norm)
    return np.fft.irfft(a, last, last_axis, norm)


@composite(implements=np.fft.irfft2, samples=_SAMPLES_ND)
def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Any:
    """Inverse of rfft2."""
    return irfftn(a, s, axes, norm)


_SHIFTS = {"x": (5,)}, {"x": (2, 3)}, {"x": (4, 3), "axes": -1}, {"x": (2, 3, 4), "axes": (0, 2)}, {"x": (0,)}


def _turned(x: Any, axes: Any, sign: int) -> Any:
    """Turn axes by half of their length, forward or back."""
    turned = tuple(range(np.ndim(x))) if axes is None else tuple(np.atleast_1d(axes).tolist())
    return np.roll(x, [sign * (np.shape(x)[axis] // 2) for axis in turned], turned)


@composite(implements=np.fft.fftshift, samples=_SHIFTS)
def fftshift(x: Any, axes: Any = None) -> Any:
    """Frequency 0 moved to the middle, along all axes without `axes`."""
    return _turned(x, axes, 1)


@composite(implements=np.fft.ifftshift, samples=_SHIFTS)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """Frequency 0 moved from the middle to the front: the inverse of fftshift."""
    return _turned(x, axes, -1)
