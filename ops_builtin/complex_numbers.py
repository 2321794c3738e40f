"""Parts of complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from registry import Function


class Real(Function):
    """Real part."""

    implements = np.real
    elementwise = True
    saves = ()

    def forward(self, x: Any) -> Any:
        return np.array(np.real(x))

    def backward(self, gy: Any) -> Any:
        return gy


class Conjugate(Function):
    """Complex conjugate."""

    name = "conj"
    implements = np.conjugate
    method = "conj"
    elementwise = True
    saves = ()

    def backward(self, gy: Any) -> Any:
        return np.conjugate(gy)
