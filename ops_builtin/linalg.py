"""Products of matrices."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from registry import Function


class Matmul(Function):
    """Matrix product over the last two axes, broadcast over the others; vectors as NumPy has them."""

    implements = np.matmul
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        x0, x1 = self.xs
        w0, w1 = self.needs_grad
        a = x0[np.newaxis, :] if x0.ndim == 1 else x0
        b = x1[:, np.newaxis] if x1.ndim == 1 else x1
        if x1.ndim == 1:
            gy = gy[..., np.newaxis]
        if x0.ndim == 1:
            gy = gy[..., np.newaxis, :]
        g0 = self._left(gy, b, x0) if w0 else None
        g1 = self._right(a, gy, x1) if w1 else None
        return g0, g1

    @staticmethod
    def _left(gy: Any, b: Any, x0: Any) -> Any:
        """Give the gradient of the left factor, batches and all; the engine sums them."""
        g = gy @ b.swapaxes(-1, -2)
        return g[..., 0, :] if x0.ndim == 1 else g

    @staticmethod
    def _right(a: Any, gy: Any, x1: Any) -> Any:
        """Give that of the right factor; where it is one matrix, by one product and no sum."""
        if x1.ndim <= 2:
            rows = prod(gy.shape[:-1])
            a, gy = a.reshape(rows, a.shape[-1]), gy.reshape(rows, gy.shape[-1])
        g = a.swapaxes(-1, -2) @ gy
        return g[..., 0] if x1.ndim == 1 else g
