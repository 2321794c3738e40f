"""Bessel functions of the first and second kind, modified and scaled ones, by their recurrences."""

from math import pi

import numpy as np
from scipy import special

from opregistry_special._elementwise import Elementwise, parted, real_parameter

_ORDERS = {"v": np.array([0, 1, 3], np.int8), "z": (3,)}, {"v": np.array(2), "z": (2, 3)}
_POSITIVE = (
    {"v": np.array([0, 1, 3], np.int8), "z": np.array([0.7, 4.0, 2.3])},
    {"v": np.array(2), "z": np.array([[1.5]])},
)


class J0(Elementwise):
    """Bessel function of the first kind of order 0; its derivative is -j1 (DLMF 10.6.3)."""

    implements = special.j0

    def slope(self, x):
        return -special.j1(x)


class J1(Elementwise):
    """Bessel function of the first kind of order 1."""

    implements = special.j1

    def slope(self, x):
        return (special.j0(x) - special.jv(2, x)) / 2


class Jv(Elementwise):
    """Bessel function of the first kind of real order v (DLMF 10.6.1); there is no derivative by v."""

    implements = special.jv
    samples = _ORDERS

    def forward(self, v, z):
        return special.jv(real_parameter(v), z)

    def slope(self, v, z):
        return (special.jv(v - 1, z) - special.jv(v + 1, z)) / 2


class Y0(Elementwise):
    """Bessel function of the second kind of order 0, for x > 0; its derivative is -y1 (DLMF 10.6.3)."""

    implements = special.y0
    domain = (0, np.inf)

    def slope(self, x):
        return -special.y1(x)


class Y1(Elementwise):
    """Bessel function of the second kind of order 1, for x > 0."""

    implements = special.y1
    domain = (0, np.inf)

    def slope(self, x):
        return (special.y0(x) - special.yn(2, x)) / 2


class Yn(Elementwise):
    """Bessel function of the second kind of an integer order n, for x > 0; there is no derivative by n."""

    implements = special.yn
    domain = {"x": (0, np.inf)}
    samples = {"n": np.array([0, 1, 3], np.int8), "x": (3,)}, {"n": np.array(2), "x": (2, 3)}

    def forward(self, n, x):
        return special.yn(n, x)

    def slope(self, n, x):
        return (special.yn(n - 1, x) - special.yn(n + 1, x)) / 2


class Yv(Elementwise):
    """Bessel function of the second kind of real order v (DLMF 10.6.1); there is no derivative by v."""

    implements = special.yv
    samples = _POSITIVE

    def forward(self, v, z):
        return special.yv(real_parameter(v), z)

    def slope(self, v, z):
        return (special.yv(v - 1, z) - special.yv(v + 1, z)) / 2


class I0(Elementwise):
    """Modified Bessel function of order 0; its derivative is i1 (DLMF 10.29.3)."""

    name = "i0"
    implements = special.i0
    expected_failures = {"helper": "the built-in operator for numpy.i0 has the bare name"}

    def slope(self, x):
        return special.i1(x)


class I1(Elementwise):
    """Modified Bessel function of order 1."""

    implements = special.i1

    def slope(self, x):
        return (special.i0(x) + special.iv(2, x)) / 2


class Iv(Elementwise):
    """Modified Bessel function of the first kind of real order v (DLMF 10.29.1).

    There is no derivative by v.
    """

    implements = special.iv
    samples = _ORDERS

    def forward(self, v, z):
        return special.iv(real_parameter(v), z)

    def slope(self, v, z):
        return (special.iv(v - 1, z) + special.iv(v + 1, z)) / 2


class Kv(Elementwise):
    """Modified Bessel function of the second kind of real order v (DLMF 10.29.1).

    There is no derivative by v.
    """

    implements = special.kv
    samples = _POSITIVE

    def forward(self, v, z):
        return special.kv(real_parameter(v), z)

    def slope(self, v, z):
        return -(special.kv(v - 1, z) + special.kv(v + 1, z)) / 2


class K0(Elementwise):
    """Modified Bessel function of the second kind of order 0, for x > 0; its derivative is -k1."""

    implements = special.k0
    domain = (0, np.inf)

    def slope(self, x):
        return -special.k1(x)


class K1(Elementwise):
    """Modified Bessel function of the second kind of order 1, for x > 0."""

    implements = special.k1
    domain = (0, np.inf)

    def slope(self, x):
        return -(special.k0(x) + special.kv(2, x)) / 2


class I0e(Elementwise):
    """exp(-abs(x)) * i0(x); its derivative at the kink at 0 is the mean of both sides, 0."""

    implements = special.i0e

    def slope(self, x):
        return _scaled_slope(0.0, x)


class I1e(Elementwise):
    """exp(-abs(x)) * i1(x)."""

    implements = special.i1e

    def slope(self, x):
        return _scaled_slope(1.0, x)


class Ive(Elementwise):
    """exp(-abs(x)) * iv(v, x) for real x and real order v; there is no derivative by v.

    Of complex numbers it has no complex derivative, so they are refused.
    """

    implements = special.ive
    domain = {"x": (-np.inf, np.inf)}
    samples = {"v": np.array([0, 1, 3], np.int8), "x": (3,)}, {"v": np.array(2), "x": (2, 3)}

    def forward(self, v, x):
        if x.dtype.kind == "c":
            raise TypeError(
                "ive is differentiated for real x only, as exp(-abs(real(x))) has no complex derivative; "
                "use iv(v, x) * exp(-x)"
            )
        return special.ive(v, x)

    def slope(self, v, x):
        return _scaled_slope(v, x)


def _scaled_slope(v, x):
    """Differentiate ive(v, x) by x, where x is large by its asymptotic expansion (DLMF 10.40.1).

    There the recurrence is the small difference of large numbers.
    """
    far = np.greater(np.absolute(x), 30 + v * v / 2)
    large, near = parted(far, x, 30 + v * v / 2, 1)
    recurrence = (special.ive(v - 1, near) + special.ive(v + 1, near)) / 2
    recurrence = recurrence - np.sign(near) * special.ive(v, near)
    large = np.absolute(large)
    term, total = 1.0, 0.5  # sum of (-1) ** k * (k + 1 / 2) * a_k(v) / x ** k
    for k in range(1, 20):
        term = term * ((2 * k - 1) ** 2 - 4 * v * v) / (8 * k * large)
        total = total + (k + 0.5) * term
    mirrored = np.where(np.less(x, 0), -np.cos(pi * v), 1)  # ive(v, -x) is (-1) ** v times ive(v, x)
    expansion = -mirrored * total / (large * np.sqrt(2 * pi * large))
    return np.where(far, expansion, recurrence)
