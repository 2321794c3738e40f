"""Numerical derivatives that know how far they can be trusted.

Every one is measured with several steps. Where they disagree, a kink, a jump or the
edge of the domain lies near, and the number says nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from registry.numpy_protocol import Array

STEP = 2.0**-13  # a power of 2, about 1e-4, so that steps along a `representable` way are exact
_SHORT = STEP / 1024  # sees the single jumps of a function that jumps many times within a step
_SHRUNK = (2.0**-10, 2.0**-20)
_TRUSTED = 1e-2
_EPS = float(np.finfo(np.float64).eps)


class Slope(NamedTuple):
    """The derivative of a sum by one parameter.

    `uncertainty` bounds the error of `value`, from the step and from rounding; `size`
    is the sum of the terms' derivatives without their signs. `smooth` says whether the
    steps agree, as far as rounding lets them; if not, `value` means nothing.
    """

    value: float
    uncertainty: float
    size: float
    smooth: bool

    def agrees(self, other: float, dtype: np.dtype[np.generic]) -> bool:
        """Say whether another value of the derivative, computed in `dtype`, is the same."""
        return bool(abs(other - self.value) <= self.tolerance(dtype))

    def tolerance(self, dtype: np.dtype[np.generic]) -> float:
        """Give the difference that the step and the precision of `dtype` explain."""
        return relative_tolerance(dtype) * self.size + self.uncertainty


def relative_tolerance(dtype: np.dtype[np.generic]) -> float:
    """Give what two computations of one derivative may differ by: 5e-7 in float64, 2e-3 in float32."""
    return float(np.finfo(dtype).eps) ** 0.4  # type: ignore[type-var, no-any-return]


def representable(x: Array, direction: Any) -> Array:
    """Round a direction such that a short step along it from `x` leads to a number of `x`'s type."""
    return np.asarray(((x + _SHORT * direction) - x) / _SHORT)


def measured_slope(terms: Callable[[float], Array], scale: float = 1.0) -> Slope:
    """Differentiate the sum of `terms` at 0, by shorter steps where the usual ones find no smooth function.

    Parameters
    ----------
    terms, scale
        As those of `central_slope`.
    """
    usual = central_slope(terms, scale)
    if usual.smooth:
        return usual
    for shrunk in _SHRUNK:
        slope = central_slope(lambda t, shrunk=shrunk: terms(shrunk * t), shrunk * scale)  # type: ignore[misc]
        if slope.smooth and slope.uncertainty <= _TRUSTED * slope.size:
            return slope
    return usual


def central_slope(terms: Callable[[float], Array], scale: float = 1.0) -> Slope:
    """Differentiate the sum of `terms` at 0, by central differences and Richardson's extrapolation.

    Parameters
    ----------
    terms : callable
        From the parameter to a real array.
    scale : float
        What `terms` moves when its parameter grows by 1; the slope is that by one unit.
    """
    after, before, near_after, near_before = (terms(t) for t in (STEP, -STEP, STEP / 2, -STEP / 2))
    coarse = (after - before) / (2 * STEP * scale)
    fine = (near_after - near_before) / (STEP * scale)
    here, short = terms(0.0), (terms(_SHORT) - terms(-_SHORT)) / (2 * _SHORT * scale)
    bend, near_bend = after - 2 * here + before, near_after - 2 * here + near_before
    corner = (2 * near_bend - bend / 2) / (STEP * scale)  # vanishes where the slope does not jump
    value, size = float(np.sum((4 * fine - coarse) / 3)), float(np.sum(np.abs(fine)))
    spread = float(np.sum(np.abs(fine - coarse) + np.abs(corner)))
    apart = abs(float(np.sum(short)) - value)
    rounding = 8 * _EPS * float(np.sum(np.abs(after) + np.abs(before))) / scale
    smooth = spread <= _TRUSTED * size + rounding / STEP and apart <= _TRUSTED * size + rounding / _SHORT
    return Slope(value, spread + rounding / STEP, size, bool(np.isfinite(value) and smooth))
