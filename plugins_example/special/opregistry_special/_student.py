"""Student's distribution function and its logarithm, whose derivative is exact far out in the tail."""

import numpy as np
from scipy import special

from opregistry_special._densities import log_t_density
from opregistry_special._elementwise import Elementwise, parted

_TAIL = -2.0
_LEVELS = 100


class Stdtr(Elementwise):
    """Distribution function of Student's distribution."""

    def forward(self, df, t):
        return special.stdtr(df, t)

    def slope(self, df, t):
        return np.exp(log_t_density(df, t))


class LogStdtr(Elementwise):
    """Logarithm of Stdtr; in the tail, that of the density less that of its quotient by Stdtr."""

    def forward(self, df, t):
        df, z = np.asarray(df, np.float64), np.asarray(t, np.float64)
        tail = (z < _TAIL) & np.isfinite(z)
        low, high = parted(tail, z, _TAIL, 0.0)
        far = log_t_density(df, low) - np.log(_quotient(df, low, _tail(df, low)))
        side = special.stdtr(df, -np.absolute(high))
        with np.errstate(divide="ignore"):  # at minus infinity
            near = np.where(high > 0, np.log1p(-side), np.log(side))
        return np.where(tail, far, near).astype(t.dtype)

    def slope(self, df, t):
        tail = np.less(t, _TAIL)
        low, high = parted(tail, t, _TAIL, 0.0)
        near = np.exp(log_t_density(df, high)) / Stdtr()(df, high)
        return np.where(tail, _quotient(df, low, _Tail()(df, low)), near)


def _quotient(df, z, tail):
    """Give the density over the distribution function, for z < 0."""
    return (1 + tail) / (-1 / z - z / df)


class _Tail(Elementwise):
    """What _tail gives; its derivative follows from that of the distribution function, the density."""

    saves = ("xs", "ys")

    def forward(self, df, z):
        return _tail(np.float64(df), np.float64(z)).astype(z.dtype)

    def slope(self, df, z):
        (y,) = self.ys
        return (1 + y) * (z * z * y - 1) / (z * (1 + z * z / df))


def _tail(df, z):
    """Give 1 / 2F1(1, 1/2; df/2 + 1; -df / z**2) - 1, by Gauss's continued fraction (DLMF 15.7.5)."""
    a, w = df / 2, df / (z * z)
    y = 0.0
    for n in range(_LEVELS, 0, -1):
        m = a + 2 * n
        even = n * (a + n - 0.5) / ((m - 1) * m)
        odd = (n - 0.5) * (a + n - 1) / ((m - 2) * (m - 1))
        y = odd * w / (1 + even * w / (1 + y))
    return y
