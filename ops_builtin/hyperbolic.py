"""Hyperbolic functions and their inverses."""

from __future__ import annotations

from typing import Any

import numpy as np

from ops_builtin.trigonometry import _SqrtOneMinusSquare, sqrt_one_plus_square
from registry import Function, Variable, composite
from registry.catalog import StandIn


class Sinh(Function):
    """Hyperbolic sine: (exp(x) - exp(-x)) / 2."""

    implements = np.sinh
    elementwise = True
    scalars = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * np.cosh(x)


class Cosh(Function):
    """Hyperbolic cosine: (exp(x) + exp(-x)) / 2."""

    implements = np.cosh
    elementwise = True
    scalars = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * np.sinh(x)


class Tanh(Function):
    """Hyperbolic tangent; its derivative is 1 / cosh(x) ** 2, exact far out, too.

    It is 1 - tanh(x) ** 2 where that keeps half of its digits, and exp(-2 abs(x)) (1 + abs(tanh(x))) ** 2
    elsewhere: value and gradient together then take up to twice the time. Of more than 65,536
    numbers of which none is so far out, x is not kept.
    """

    implements = np.tanh
    elementwise = True
    scalars = True
    saves = ("xs", "ys")
    only_reads = True

    def keeps_inputs(self, y: Any) -> bool:
        if type(y) is not np.ndarray or y.size <= _LARGE or y.dtype.kind != "f":
            return True
        edge, line = 1 - _HALF[y.dtype.char], y.ravel("K")
        parts = (line[i : i + _LARGE] for i in range(0, y.size, _LARGE))  # which stay in cache
        return not all(part.max() < edge and part.min() > -edge for part in parts)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        if isinstance(y, Variable):
            return gy * _TanhSlope()(x, y)
        return gy * _tanh_slope(x, y)


_HALF = {kind: float(np.finfo(kind).eps) ** 0.5 for kind in "efdg"}  # below, 1 - y**2 has few digits
_LARGE = 1 << 16


def _tanh_slope(x: Any, y: Any, out: Any = None) -> Any:
    """Give 1 / cosh(x)**2 from y = tanh(x), and from x, which is None where y is enough.

    While a function is traced, this is one step of the plan, which asks anew on each replay.
    """
    edge = _HALF.get(y.dtype.char) if type(y) is np.ndarray and y.ndim else None
    if edge is None:
        return _unusual_slope(x, y, out)
    g = np.multiply(y, y, out)
    np.subtract(1, g, g)
    if x is not None and g.size and not g.item(g.argmin()) >= edge:
        far = g < edge
        g[far] = _far_slope(x[far], y[far])
    return g


def _unusual_slope(x: Any, y: Any, out: Any) -> Any:
    """Give the same for single numbers, complex ones, and what is no array."""
    if isinstance(y, StandIn):
        return y.__array_function__(_tanh_slope, (type(y),), (x, y), {})  # type: ignore[attr-defined]
    if y.dtype.kind == "c":
        s = _sech(x)
        return np.multiply(s, s, out)
    if y.ndim:  # of an array type of a plugin
        return _far_slope(x, y)
    g = 1 - y * y
    return g if g >= _HALF[y.dtype.char] else _far_slope(x, y)


_tanh_slope.elementwise = True  # type: ignore[attr-defined]


def _far_slope(x: Any, y: Any) -> Any:
    s = 1 + np.absolute(y)
    return np.exp(-2.0 * np.absolute(x)) * s * s


class _TanhSlope(Function):
    """1 / cosh(x)**2 from x, which may be None, and y = tanh(x); in y, it is 1 - y**2."""

    elementwise = True
    scalars = True
    saves = ("xs",)

    def forward(self, x: Any, y: Any) -> Any:
        return _tanh_slope(x, y)

    def backward(self, gy: Any) -> Any:
        _, y = self.xs
        return None, gy * y * -2


class Arcsinh(Function):
    """Inverse hyperbolic sine; its derivative is 1 / sqrt(1 + x**2)."""

    implements = np.arcsinh
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        return gy / sqrt_one_plus_square(*self.xs)


class Arccosh(Function):
    """Inverse hyperbolic cosine y >= 0; its derivative is 1 / sinh(y) = 1 / sqrt(x**2 - 1)."""

    implements = np.arccosh
    elementwise = True
    saves = ("ys",)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        return gy / np.sinh(y)


class Arctanh(Function):
    """Inverse hyperbolic tangent; its derivative 1 / (1 - x**2) is infinite at -1 and 1, nan beyond."""

    implements = np.arctanh
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        r = _SqrtOneMinusSquare()(*self.xs)
        return gy / r / r


class Coth(Function):
    """Hyperbolic cotangent: 1 / tanh(x); its derivative is -csch(x) ** 2."""

    elementwise = True
    saves = ("xs",)

    def forward(self, x: Any) -> Any:
        return 1 / np.tanh(x)

    def backward(self, gy: Any) -> Any:
        y = Csch()(*self.xs)
        return -gy * y * y


def _downhill(x: Any) -> Any:
    """Give x or -x, that whose exponential does not overflow."""
    return np.where(np.real(x) < 0, x, -1.0 * x)


def _sech(x: Any) -> Any:
    """Give 1 / cosh(x), without overflow."""
    e = np.exp(_downhill(x))
    return 2 * e / (1 + e * e)


class Sech(Function):
    """Hyperbolic secant: 1 / cosh(x); its derivative is -sech(x) * tanh(x)."""

    elementwise = True

    def forward(self, x: Any) -> Any:
        return _sech(x)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        return -gy * y * np.tanh(x)


class Csch(Function):
    """Hyperbolic cosecant: 1 / sinh(x); its derivative is -csch(x) / tanh(x)."""

    elementwise = True

    def forward(self, x: Any) -> Any:
        u = _downhill(x)
        y = 2 * np.exp(u) / np.expm1(2 * u)
        return np.where(np.real(x) < 0, y, -y)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        return -gy * y / np.tanh(x)


@composite()
def arccsch(x: Any) -> Any:
    """Inverse hyperbolic cosecant: arcsinh(1 / x)."""
    return np.arcsinh(1 / x)


class Arcsech(Function):
    """Inverse hyperbolic secant, for x in (0, 1]; its derivative is -1 / (x * sqrt(1 - x**2)).

    It is arcsinh(sqrt(1 - x**2) / x) for real x, exact close to 1, and arccosh(1 / x) for complex x.
    """

    elementwise = True
    saves = ("xs",)
    domain = (0, 1)

    def forward(self, x: Any) -> Any:
        return np.arccosh(1 / x) if x.dtype.kind == "c" else np.arcsinh(_SqrtOneMinusSquare().forward(x) / x)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return -gy / _TimesSqrtOneMinusSquare()(x)


class _TimesSqrtOneMinusSquare(Function):
    """x * sqrt(1 - x**2); its derivative is (1 - 2 * x**2) / sqrt(1 - x**2)."""

    elementwise = True
    saves = ("xs",)

    def forward(self, x: Any) -> Any:
        return x * _SqrtOneMinusSquare().forward(x)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * (1 - 2 * x * x) / _SqrtOneMinusSquare()(x)


@composite()
def arccoth(x: Any) -> Any:
    """Inverse hyperbolic cotangent: arctanh(1 / x), for x beyond -1 and 1."""
    return np.arctanh(1 / x)
