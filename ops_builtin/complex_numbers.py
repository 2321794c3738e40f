"""Parts of complex numbers.

The gradient gx of a complex x is that with dL = Re(gx * dx), so that of a function with
a complex derivative f' is gy * f', without a conjugate.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ops_builtin.kinks import quotient
from registry import Function


class Angle(Function):
    """Angle of z in the complex plane, in [-pi, pi]; its derivative is 0 at 0, and for real z.

    The second derivative at a complex 0 is nan.
    """

    implements = np.angle
    elementwise = True
    saves = ("xs",)
    samples = (
        {"z": (3,)},
        {"z": (), "deg": True},
        {"z": (2, 0)},
        {"z": np.array([[1 - 2j, -3 + 0.1j]]), "deg": True},
    )

    def __init__(self, deg: bool = False) -> None:
        self.deg = deg

    def forward(self, z: Any) -> Any:
        return np.angle(z, self.deg)

    def backward(self, gy: Any) -> Any:
        (z,) = self.xs
        if z.dtype.kind != "c":
            return np.zeros_like(gy)
        return (-180j / np.pi if self.deg else -1j) * gy * quotient(1, z)


class Real(Function):
    """Real part."""

    implements = np.real
    elementwise = True
    saves = ()

    def forward(self, x: Any) -> Any:
        return np.real(x)

    def backward(self, gy: Any) -> Any:
        return gy


class Imag(Function):
    """Imaginary part, 0 of real x; its derivative is -1j, and 0 for real x."""

    implements = np.imag
    elementwise = True
    saves = ()

    def forward(self, x: Any) -> Any:
        return np.imag(x)

    def backward(self, gy: Any) -> Any:
        return -1j * gy


class Conjugate(Function):
    """Complex conjugate."""

    name = "conj"
    implements = np.conjugate
    method = "conj"
    elementwise = True
    saves = ()

    def backward(self, gy: Any) -> Any:
        return np.conjugate(gy)

    @classmethod
    def from_method(cls, x: Any) -> Any:
        """Give what is real itself, as the method of an array does."""
        return cls()(x) if x.dtype.kind == "c" else x


class Sign(Function):
    """x / abs(x), and 0 at 0; its derivative is 0 there, and for real x.

    The second derivative at a complex 0 is nan.
    """

    implements = np.sign
    elementwise = True

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        if x.dtype.kind != "c":
            return np.zeros_like(gy)
        return (gy - np.real(gy * y) * np.conjugate(y)) * quotient(1, np.absolute(x))


class RealIfClose(Function):
    """The real part where all imaginary parts are within `tol` machine precisions of 0, else x itself."""

    implements = np.real_if_close
    saves = ()
    samples = (
        {"a": np.array([1 + 1e-15j, 2])},
        {"a": np.array([[1 + 1e-15j, 2 + 1e-7j]])},
        {"a": np.array([1 + 1e-7j, 2]), "tol": 1e10},
        {"a": (2, 3)},
        {"a": ()},
        {"a": (0,)},
    )

    def __init__(self, tol: float = 100) -> None:
        self.tol = tol

    def forward(self, a: Any) -> Any:
        return np.real_if_close(a, self.tol)

    def backward(self, gy: Any) -> Any:
        return gy
