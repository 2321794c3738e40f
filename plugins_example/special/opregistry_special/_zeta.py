"""Sums over z, z + 1, z + 2, ...: the Hurwitz zeta function of complex z, and differences of it."""

from math import factorial

import numpy as np
from scipy import special

_COEFFICIENTS = [b / factorial(2 * j) for j, b in enumerate(special.bernoulli(20)[2::2], start=1)]


def euler_maclaurin(s, z, term, integral, clear=0.0):
    """Sum term(s, z + k) over k = 0, 1, ..., by the Euler-Maclaurin formula (DLMF 25.11.28).

    Parameters
    ----------
    s, z : array_like
        The exponent, a positive integer, and where to start.
    term : callable
        From an exponent p and z to what behaves as z ** -p.
    integral : callable
        From z to the integral of term(s, t) for t from z to infinity.
    clear : array_like
        How much further out than for z ** -p the formula must start.
    """
    total = 0.0
    while np.any(low := (np.real(z) < 12 + s + clear) & np.isfinite(z)):
        total = total + np.where(low, term(s, z), 0)
        z = np.where(low, z + 1, z)
    total = total + integral(z) + term(s, z) / 2
    rising = s
    for j, coefficient in enumerate(_COEFFICIENTS):
        p = s + 2 * j + 1
        total = total + coefficient * rising * term(p, z)
        rising = rising * p * (p + 1)
    return total


def hurwitz_zeta(s, z):
    """Sum (z + k) ** -s over k = 0, 1, ..., for integers s > 1 and complex z."""
    s = np.asarray(s, np.float64)
    return euler_maclaurin(s, z, lambda p, z: z**-p, lambda z: z ** (1 - s) / (s - 1))


def hurwitz_zeta_difference(s, a, b):
    """Sum (a + b + k) ** -s - (a + k) ** -s over k = 0, 1, ... without cancellation; a, a + b > 0."""

    def term(p, a):
        return a**-p * np.expm1(-p * np.log1p(b / a))

    def integral(a):
        return term(s - 1.0, a) / (s - 1) if s > 1 else -np.log1p(b / a)

    return euler_maclaurin(float(s), a, term, integral, np.maximum(-b, 0))
