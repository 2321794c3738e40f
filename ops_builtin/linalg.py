"""Products of matrices."""

from __future__ import annotations

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
        g0 = gy @ b.swapaxes(-1, -2) if w0 else None
        g1 = self._right(a, gy) if b.ndim == 2 else a.swapaxes(-1, -2) @ gy if w1 else None
        if x0.ndim == 1 and w0:
            g0 = g0[..., 0, :]
        if x1.ndim == 1 and w1:
            g1 = g1[..., 0]
        return g0, g1

    @staticmethod
    def _right(a: Any, gy: Any) -> Any:
        """Give the gradient of a right factor that is one matrix: one product, no sum."""
        return a.reshape(-1, a.shape[-1]).swapaxes(-1, -2) @ gy.reshape(-1, gy.shape[-1])
