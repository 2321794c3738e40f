"""The error function and its kin, the normal distribution's, and integrals of Fresnel and Owen."""

from math import pi, sqrt

import numpy as np
from scipy import special

from opregistry_special._elementwise import Elementwise, floats, parted
from opregistry_special._iterated_erfc import IteratedErfc
from registry import Function


class Erf(Elementwise):
    """Error function; its derivative is 2 / sqrt(pi) * exp(-z * z) (DLMF 7.10.1)."""

    implements = special.erf

    def slope(self, z):
        return 2 / sqrt(pi) * np.exp(-z * z)


class Erfc(Elementwise):
    """Complementary error function, 1 - erf(z)."""

    implements = special.erfc

    def slope(self, z):
        return -2 / sqrt(pi) * np.exp(-z * z)


class Erfcx(Elementwise):
    """Scaled complementary error function, exp(z * z) * erfc(z).

    Its derivative 2 * z * erfcx(z) - 2 / sqrt(pi) is computed without that difference, at every order.
    """

    implements = special.erfcx

    def slope(self, z):
        return -2 * IteratedErfc(1)(z)


class Erfi(Elementwise):
    """Imaginary error function, -1j * erf(1j * z)."""

    implements = special.erfi

    def slope(self, z):
        return 2 / sqrt(pi) * np.exp(z * z)


class Dawsn(Elementwise):
    """Dawson's integral, exp(-z * z) times the integral of exp(t * t) from 0 to z.

    Its derivative 1 - 2 * z * dawsn(z) is computed without that difference, at every order.
    """

    implements = special.dawsn

    def slope(self, z):
        half = sqrt(pi) / 2 * IteratedErfc(1)(-1j * z)
        if z.dtype.kind != "c":
            return 2 * np.real(half)
        return half + sqrt(pi) / 2 * IteratedErfc(1)(1j * z)


class Wofz(Elementwise):
    """Faddeeva function, exp(-z * z) * erfc(-1j * z), complex for real z, too (DLMF 7.10.2)."""

    implements = special.wofz

    def slope(self, z):
        return 2j * IteratedErfc(1)(-1j * z)


class _Inverse(Function):
    """An inverse function y, whose derivative `slope(y)` is a function of itself."""

    elementwise = True
    saves = ("ys",)
    only_reads = True

    def backward(self, gy):
        (y,) = self.ys
        return gy * self.slope(y)


class Erfinv(_Inverse):
    """Inverse of erf, on (-1, 1)."""

    implements = special.erfinv
    domain = (-1, 1)

    def slope(self, y):
        return sqrt(pi) / 2 * np.exp(y * y)


class Erfcinv(_Inverse):
    """Inverse of erfc, on (0, 2)."""

    implements = special.erfcinv
    domain = (0, 2)

    def slope(self, y):
        return -sqrt(pi) / 2 * np.exp(y * y)


class Ndtr(Elementwise):
    """Distribution function of the standard normal distribution; its derivative is the density."""

    implements = special.ndtr

    def slope(self, x):
        return np.exp(-x * x / 2) / sqrt(2 * pi)


class Ndtri(_Inverse):
    """Quantiles of the standard normal distribution, the inverse of ndtr."""

    implements = special.ndtri
    domain = (0, 1)

    def slope(self, y):
        return sqrt(2 * pi) * np.exp(y * y / 2)


class LogNdtr(Elementwise):
    """Logarithm of ndtr; its derivative, the density over ndtr, is one over erfcx in the lower tail."""

    implements = special.log_ndtr

    def slope(self, x):
        tail = np.less(np.real(x), -1)
        low, high = parted(tail, x, -1, 0)
        ratio = np.exp(-high * high / 2) / (sqrt(2 * pi) * special.ndtr(high))
        return np.where(tail, sqrt(2 / pi) / special.erfcx(low * -sqrt(0.5)), ratio)


class Fresnel(Function):
    """Fresnel integrals S and C, of sin and cos of pi / 2 * t * t (DLMF 7.2.7)."""

    implements = special.fresnel
    elementwise = True
    saves = ("xs",)

    def forward(self, z):
        return special.fresnel(z)

    def backward(self, g_s, g_c):
        (z,) = floats(self.xs)
        n = np.round(np.real(z))  # z * z / 2 up to multiples of 2, which loses fewer digits of a large z
        f = z - n
        angle = pi * (np.mod(n * n, 4) / 2 + n * f + f * f / 2)
        return g_s * np.sin(angle) + g_c * np.cos(angle)


class OwensT(Function):
    """Owen's T function, of h and the slope a, differentiable by both (Owen 1956)."""

    implements = special.owens_t
    elementwise = True
    saves = ("xs",)

    def forward(self, h, a):
        return special.owens_t(h, a)

    def backward(self, gy):
        h, a = floats(self.xs)
        density = np.exp(-h * h / 2) / sqrt(2 * pi)
        by_h = -density * special.erf(a * h * sqrt(0.5)) / 2
        by_a = np.exp(-h * h * (1 + a * a) / 2) / (2 * pi * (1 + a * a))
        return gy * by_h, gy * by_a
