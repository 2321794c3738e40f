"""Sums, products, quotients and powers, with Python's operators."""

from __future__ import annotations

from functools import reduce
from itertools import accumulate
from operator import mul
from typing import Any, ClassVar

import numpy as np

from ops_builtin.kinks import quotient
from registry import Function, Variable

_NUMBERS = frozenset((float, int, np.float64))


class Add(Function):
    """Sum: x0 + x1."""

    implements = np.add
    elementwise = True
    scalars = True
    saves = ()

    def forward(self, x0: Any, x1: Any) -> Any:
        return x0 + x1

    def backward(self, gy: Any) -> Any:
        return gy, gy


class Subtract(Function):
    """Difference: x0 - x1."""

    implements = np.subtract
    elementwise = True
    scalars = True
    saves = ()

    def forward(self, x0: Any, x1: Any) -> Any:
        return x0 - x1

    def backward(self, gy: Any) -> Any:
        return gy, -gy if self.needs_grad[1] else None


class Multiply(Function):
    """Product: x0 * x1, element by element."""

    implements = np.multiply
    elementwise = True
    scalars = True
    saves = ("xs",)

    def forward(self, x0: Any, x1: Any) -> Any:
        return x0 * x1

    def backward(self, gy: Any) -> Any:
        x0, x1 = self.xs
        w0, w1 = self.needs_grad
        return gy * x1 if w0 else None, gy * x0 if w1 else None


class Divide(Function):
    """Quotient: x0 / x1."""

    implements = np.divide
    elementwise = True
    scalars = True
    saves = ("xs",)

    def forward(self, x0: Any, x1: Any) -> Any:
        return x0 / x1

    def backward(self, gy: Any) -> Any:
        x0, x1 = self.xs
        w0, w1 = self.needs_grad
        return gy / x1 if w0 else None, -gy * (x0 / x1) / x1 if w1 else None  # gy / x1 may overflow


class Reciprocal(Function):
    """1 / x; of integers the whole part, as in NumPy."""

    implements = np.reciprocal
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return -(gy / x) / x


class Remainder(Function):
    """Remainder of x0 / x1, with the sign of x1: x0 - floor(x0 / x1) * x1.

    At a jump the derivatives are those on the side where its value lies; so for fmod and divmod.
    """

    implements = np.remainder
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        x0, x1 = self.xs
        return gy, -gy * np.floor_divide(x0, x1)


class Fmod(Function):
    """Remainder of x0 / x1, with the sign of x0: x0 - trunc(x0 / x1) * x1."""

    implements = np.fmod
    elementwise = True

    def backward(self, gy: Any) -> Any:
        (x0, x1), (y,) = self.xs, self.ys
        return gy, -gy * np.rint((x0 - y) / x1)  # trunc(x0 / x1) is off where x0 / x1 was rounded up


class Divmod(Function):
    """floor(x0 / x1), whose derivative is 0, and the remainder x0 - floor(x0 / x1) * x1."""

    implements = np.divmod
    elementwise = True
    saves = ("ys",)

    def backward(self, g_quotient: Any, g_remainder: Any) -> Any:
        quotient, _ = self.ys
        return g_remainder, -g_remainder * quotient


class Modf(Function):
    """The part of x behind the point, and the whole part, whose derivative is 0."""

    implements = np.modf
    elementwise = True
    saves = ()

    def backward(self, g_fraction: Any, g_whole: Any) -> Any:
        return g_fraction


class Negative(Function):
    """Opposite: -x."""

    implements = np.negative
    elementwise = True
    scalars = True
    saves = ()

    def forward(self, x: Any) -> Any:
        return -x

    def backward(self, gy: Any) -> Any:
        return -gy


class Positive(Function):
    """The same: +x."""

    implements = np.positive
    elementwise = True
    saves = ()

    def backward(self, gy: Any) -> Any:
        return gy


class Power(Function):
    """Power: x0 ** x1, differentiable in both.

    The derivative by the base is 0 where the exponent is 0, that by the exponent is 0
    where the base is 0: the limits, where the formulas give nan. With a negative exponent
    that one is infinite. A negative base has no derivative by the exponent: nan. At a base
    of 0 and an exponent of at most 1 the second derivatives are nan where both are differentiated.
    """

    implements = np.power
    elementwise = True
    scalars = True

    def forward(self, x0: Any, x1: Any) -> Any:
        return x0**x1

    def backward(self, gy: Any) -> Any:
        (x0, x1), (y,) = self.xs, self.ys
        w0, w1 = self.needs_grad
        if not w1 and type(x1) in _NUMBERS and x1:  # a third of the general way's time
            return gy * x1 * x0 ** (x1 - 1.0), None
        if w0 and w1 and isinstance(y, Variable):
            gy = gy * _one_off_the_kink(x0, x1)
        base = x0 if np.all(x1) else np.where(np.logical_or(x0, x1) if w1 else x1, x0, 1)
        gx0 = gy * x1 * base ** (x1 - 1.0) if w0 else None
        with np.errstate(invalid="ignore", divide="ignore"):
            gx1 = gy * y * np.log(np.where(np.logical_or(x0, np.real(x1) < 0), x0, 1)) if w1 else None
        return gx0, gx1


def _one_off_the_kink(x0: Any, x1: Any) -> Any:
    """Give 1, without a derivative where the base is 0 and the exponent at most 1."""
    kink = np.equal(x0, 0) & np.less_equal(np.real(x1), 1)
    product = np.where(kink, x0 * x1, 1)
    return np.where(kink, 1 + quotient(product, product), 1)


class FloatPower(Power):
    """Power, computed in float64 at least; its derivatives are those of power."""

    implements: ClassVar[Any] = np.float_power

    def forward(self, x0: Any, x1: Any) -> Any:
        return np.float_power(x0, x1)


class Square(Function):
    """Square: x ** 2."""

    implements = np.square
    elementwise = True
    scalars = True
    saves = ("xs",)

    def forward(self, x: Any) -> Any:
        return x * x

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        return gy * x * 2


class Sqrt(Function):
    """Square root, the one that is not negative; its derivative is infinite at 0."""

    implements = np.sqrt
    elementwise = True
    scalars = True
    saves = ("ys",)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        return gy / (y + y)


class Cbrt(Function):
    """Cube root, negative for negative x; its derivative is infinite at 0."""

    implements = np.cbrt
    elementwise = True
    saves = ("ys",)

    def backward(self, gy: Any) -> Any:
        (y,) = self.ys
        return gy / y / y / 3


class Absolute(Function):
    """Absolute value; its derivative is the sign of x (conj(x) / abs(x) for complex x), and 0 at 0.

    At 0 the higher derivatives are 0, too, of real x, and nan of complex x.
    """

    name = "abs"
    implements = np.absolute
    elementwise = True
    saves = ("xs",)

    def backward(self, gy: Any) -> Any:
        (x,) = self.xs
        if x.dtype.kind != "c":
            return gy * (x if x.dtype.kind == "b" else np.sign(x))  # NumPy has no sign of booleans
        return gy * quotient(np.conjugate(x), np.absolute(x))


class Fabs(Absolute):
    """Absolute value as a floating number; real numbers only."""

    name = "fabs"
    implements: ClassVar[Any] = np.fabs

    def forward(self, x: Any) -> Any:
        return np.fabs(x)


class AddSequence(Function):
    """Sum of any number of arrays, which broadcast: x0 + x1 + ..."""

    elementwise = True
    saves = ()

    def forward(self, *xs: Any) -> Any:
        return reduce(np.add, xs[1:], xs[0].copy())

    def backward(self, gy: Any) -> Any:
        return (gy,) * len(self.needs_grad)


class MultiplySequence(Function):
    """Product of any number of arrays, which broadcast; zeros among them do no harm."""

    elementwise = True
    saves = ("xs",)

    def forward(self, *xs: Any) -> Any:
        return reduce(np.multiply, xs[1:], xs[0].copy())

    def backward(self, gy: Any) -> Any:
        before = list(accumulate(self.xs[:-1], mul, initial=gy))
        after = list(accumulate(self.xs[:0:-1], mul, initial=1))[::-1]
        return tuple(map(mul, before, after))
