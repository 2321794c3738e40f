"""Activations, element by element: rectifiers and what is flat or straight in parts, then smooth ones.

At a kink the gradient is PyTorch's: 0 where a side is flat, and otherwise that of the left side.
"""

from __future__ import annotations

from math import erfc, log, pi, sqrt
from typing import Any

import numpy as np

from registry import Function, composite


class Relu(Function):
    """The larger of x and 0; its derivative at 0 is 0."""

    elementwise = True
    saves = ("ys",)

    def forward(self, x: Any) -> Any:
        return np.maximum(x, 0)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        return gy * np.greater(y, 0)


class LeakyRelu(Function):
    """x where it is positive, slope * x elsewhere; its derivative at 0 is the slope."""

    elementwise = True
    saves = ("xs",)

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Any) -> Any:
        return np.where(x > 0, x, self.slope * x)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return np.where(np.greater(x, 0), gy, self.slope * gy)


class HardTanh(Function):
    """x between two bounds, and the nearer bound beyond them, where the derivative is 0; at them, too."""

    elementwise = True
    saves = ("xs",)

    def __init__(self, lower_bound: float = -1.0, upper_bound: float = 1.0) -> None:
        if lower_bound > upper_bound:
            raise ValueError(
                f"{self}: expected lower_bound <= upper_bound, got {lower_bound} and {upper_bound}"
            )
        self.lower, self.upper = lower_bound, upper_bound

    def forward(self, x: Any) -> Any:
        return np.clip(x, self.lower, self.upper)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * np.logical_and(np.greater(x, self.lower), np.less(x, self.upper))


@composite()
def relu6(x: Any) -> Any:
    """Clip x to 0 and 6; the derivative is 0 at both."""
    return HardTanh(0.0, 6.0)(x)


@composite()
def hard_sigmoid(x: Any) -> Any:
    """relu6(x + 3) / 6, a sigmoid of three straight parts; its derivative is 0 at -3 and 3."""
    return relu6(x + 3) / 6


@composite()
def hard_silu(x: Any) -> Any:
    """Product x * hard_sigmoid(x) (Howard et al. 2019, arXiv:1905.02244).

    Its derivative is 0 at -3, and 1 at 3.
    """
    return x * hard_sigmoid(x)


@composite()
def hard_swish(x: Any) -> Any:
    """Product x * hard_sigmoid(x), another name of hard_silu."""
    return hard_silu(x)


@composite()
def sparse_sigmoid(x: Any) -> Any:
    """(x + 1) / 2 between -1 and 1, 0 below and 1 above; its derivative is 0 at both ends."""
    return HardTanh(0.0, 1.0)((x + 1) / 2)


class SparsePlus(Function):
    """0 up to -1, (x + 1)**2 / 4 up to 1, x above; its derivative is sparse_sigmoid(x)."""

    elementwise = True
    saves = ("xs",)

    def forward(self, x: Any) -> Any:
        return np.where(x > 1, x, np.square(np.clip((x + 1) / 2, 0.0, 1.0)))

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * sparse_sigmoid(x)


class Elu(Function):
    """x where it is positive, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2015, arXiv:1511.07289).

    Its derivative at 0 is alpha, which is 1 unless it is given.
    """

    elementwise = True
    saves = ("xs",)
    rate = 1.0

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        return np.where(x > 0, x, self.alpha * np.expm1(self.rate * np.minimum(x, 0)))

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        positive = np.greater(x, 0)
        slope = self.alpha * self.rate * np.exp(self.rate * np.where(positive, 0, x))
        return np.where(positive, gy, gy * slope)


class Celu(Elu):
    """x where it is positive, alpha * (exp(x / alpha) - 1) elsewhere (Barron 2017, arXiv:1704.07483).

    Its derivative at 0 is 1 for any alpha but 0.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        if alpha == 0:
            raise ValueError(f"{self}: x is divided by alpha, so expected alpha other than 0")
        self.alpha, self.rate = alpha, 1 / alpha


@composite()
def selu(x: Any) -> Any:
    """1.0507 * elu(x, 1.6733), with which layers keep mean 0 and variance 1 (Klambauer et al. 2017).

    Its derivative at 0 is that of the left side, 1.7581 (arXiv:1706.02515).
    """
    return 1.0507009873554804934 * Elu(1.6732632423543772848)(x)


class SoftSign(Function):
    """x / (1 + abs(x)); its derivative is 1 / (1 + abs(x))**2."""

    elementwise = True
    saves = ("xs",)
    domain = (-np.inf, np.inf)

    def forward(self, x: Any) -> Any:
        return x / (1 + np.absolute(x))

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        larger = 1 + np.absolute(x)
        return gy / larger / larger


class Squareplus(Function):
    """(x + sqrt(x**2 + b)) / 2 for b > 0, exact for large x of both signs (Barron 2021, arXiv:2112.11687).

    Its derivative is y / sqrt(x**2 + b).
    """

    elementwise = True

    def __init__(self, b: float = 4.0) -> None:
        if not b > 0:
            raise ValueError(f"{self}: expected b > 0, got {b}; for b = 0 call relu")
        self.b = b

    def forward(self, x: Any) -> Any:
        larger = np.absolute(x) / 2 + np.hypot(x, sqrt(self.b)) / 2
        return np.where(x > 0, larger, self.b / 4 / larger)

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        return gy * _SquareplusSlope(self.b)(x, y)


class _SquareplusSlope(Function):
    """y / sqrt(x**2 + b), the derivative of y = squareplus(x); its own is b / 2 / (x**2 + b)**1.5."""

    elementwise = True
    saves = ("xs",)

    def __init__(self, b: float) -> None:
        self.b = b

    def forward(self, x: Any, y: Any) -> Any:
        return y / np.hypot(x, sqrt(self.b))

    def backward(self, gy: Any) -> Any:
        r = np.hypot(self.xs[0], sqrt(self.b))
        return gy * (self.b / 2) / r / r / r, None  # what y contributes is in it


class Sigmoid(Function):
    """1 / (1 + exp(-x)); its derivative is y / (1 + exp(x)), exact far out, too.

    Value and gradient together take a quarter longer than with y * (1 - y), which is 0 where y
    rounds to 1.
    """

    elementwise = True

    def forward(self, x: Any) -> Any:
        with np.errstate(over="ignore"):  # 1 / inf is 0
            return 1 / (1 + np.exp(-1.0 * x))

    def backward(self, gy: Any) -> Any:
        (x,), (y,) = self.xs, self.ys
        return gy * _SigmoidSlope()(x, y)


class _SigmoidSlope(Function):
    """y / (1 + exp(x)), the derivative of y = sigmoid(x); its own is -tanh(x / 2) times that."""

    elementwise = True

    def forward(self, x: Any, y: Any) -> Any:
        with np.errstate(over="ignore"):
            return y / (1 + np.exp(1.0 * x))

    def backward(self, gy: Any) -> Any:
        (x, _), (slope,) = self.xs, self.ys
        return -gy * (slope * np.tanh(x / 2)), None  # what y contributes is in it


class Softplus(Function):
    """log(1 + exp(x)), a smooth relu; its derivatives are exact far out, too."""

    elementwise = True
    saves = ("xs",)

    def forward(self, x: Any) -> Any:
        return np.maximum(x, 0) + np.log1p(np.exp(np.minimum(x, -1.0 * x)))

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * Sigmoid()(x)


@composite()
def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)) = -softplus(-x)."""
    return -Softplus()(-1.0 * x)


@composite()
def silu(x: Any) -> Any:
    """Product x * sigmoid(x), also named swish (Elfwing et al. 2017, arXiv:1702.03118)."""
    return x * Sigmoid()(x)


@composite()
def mish(x: Any) -> Any:
    """Product x * tanh(softplus(x)) (Misra 2019, arXiv:1908.08681)."""
    return x * np.tanh(Softplus()(x))


@composite()
def gelu(x: Any, approximate: bool = True) -> Any:
    """Product of x and the normal distribution's cdf at x (Hendrycks and Gimpel 2016, arXiv:1606.08415).

    The approximation is sigmoid(2 u) for the cdf, with u = sqrt(2 / pi) * (x + 0.044715 * x**3),
    which is (1 + tanh(u)) / 2. It is the default, as in JAX; PyTorch's is the exact form.
    """
    return x * (_ApproximateCdf() if approximate else _NormalCdf())(x)


class _ApproximateCdf(Function):
    """sigmoid(a * x + b * x**3), of x that is clipped to where it is neither 0 nor 1: no power overflows."""

    elementwise = True
    a, b = sqrt(8 / pi), sqrt(8 / pi) * 0.044715

    def forward(self, x: Any) -> Any:
        x = np.clip(x, -50.0, 50.0)
        return Sigmoid().forward(x * (self.a + self.b * x * x))

    def backward(self, gy: Any) -> Any:
        x, (y,) = np.clip(self.xs[0], -50.0, 50.0), self.ys
        slope = _SigmoidSlope()(x * (self.a + self.b * x * x), y)
        return gy * (slope * (self.a + 3 * self.b * x * x))


class _NormalCdf(Function):
    """erfc(-x / sqrt(2)) / 2; its derivative is exp(-x**2 / 2) / sqrt(2 pi)."""

    elementwise = True
    saves = ("xs",)

    def forward(self, x: Any) -> Any:
        return (_erfc(-sqrt(0.5) * x) / 2).astype(np.result_type(x, 1.0))

    def backward(self, gy: Any) -> Any:
        x = np.clip(self.xs[0], -50.0, 50.0)  # further out the derivative is 0, and the square could overflow
        return gy * np.exp(-0.5 * x * x) / sqrt(2 * pi)


_erfc = np.vectorize(erfc, otypes=[np.float64])


class Log1mexp(Function):
    """log(1 - exp(-x)) for x > 0, by the formula that is exact on each side of log(2) (Maechler 2012).

    Its derivative is 1 / (exp(x) - 1).
    """

    elementwise = True
    saves = ("xs",)
    domain = (0, np.inf)

    def forward(self, x: Any) -> Any:
        far = np.log1p(-np.exp(-1.0 * np.maximum(x, log(2))))
        return np.where(x > log(2), far, np.log(-np.expm1(-1.0 * np.minimum(x, log(2)))))

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return -gy * np.exp(-1.0 * x) / np.expm1(-1.0 * x)


@composite(samples=({"x": (4,)}, {"x": (2, 3, 2), "axis": 0}, {"x": (3, 2), "axis": -1}, {"x": (0, 2)}))
def glu(x: Any, axis: int = -1) -> Any:
    """First half of x times the sigmoid of the second, halved along an axis (Dauphin et al. 2016).

    The axis must have an even length (arXiv:1612.08083).
    """
    length = np.shape(x)[axis]
    if length % 2:
        raise ValueError(f"glu: x has length {length} along axis {axis}; expected an even one, to halve it")
    values, gates = np.split(x, 2, axis)
    return values * Sigmoid()(gates)
