"""The gamma function and its logarithm, quotients and derivatives; the zeta function."""

from math import factorial, pi

import numpy as np
from scipy import special

from opregistry_special._elementwise import Elementwise, floats, parted, real_parameter, refuse_gradient
from opregistry_special._zeta import hurwitz_zeta, hurwitz_zeta_difference
from registry import Function

_ORDERS = {"n": np.array([0, 1, 3], np.int8), "x": (3,)}, {"n": np.array(2), "x": (2, 3)}


class Gamma(Function):
    """Gamma function; its derivative is gamma(x) * digamma(x) (DLMF 5.2.2)."""

    implements = special.gamma
    elementwise = True

    def backward(self, gy):
        (x,), (y,) = self.xs, self.ys
        return gy * y * special.digamma(x)


class Gammaln(Elementwise):
    """Logarithm of the absolute value of the gamma function; its derivative is digamma."""

    implements = special.gammaln

    def slope(self, x):
        return special.digamma(x)


class Loggamma(Elementwise):
    """Principal branch of the logarithm of the gamma function; its derivative is digamma.

    It is nan for negative real x; for complex x it is analytic but for a cut along the negative numbers.
    """

    implements = special.loggamma

    def slope(self, z):
        return special.digamma(z)


class Gammasgn(Function):
    """Sign of the gamma function, a constant between its poles."""

    implements = special.gammasgn
    elementwise = True
    differentiable = False


class Rgamma(Elementwise):
    """1 / gamma(x), without poles; its derivative is exact at 0, -1, -2, ..., too."""

    implements = special.rgamma

    def slope(self, z):
        return _rgamma_slope(z)


def _rgamma_slope(z):
    """Give -digamma(z) / gamma(z), by the reflection formula around its zeros (DLMF 5.5.3)."""
    steps = np.round(np.real(z) / 2) * 2
    mirrored = np.logical_and(np.less(np.real(z), 0.5), np.less(np.absolute(np.imag(z)), 1))
    left, right = parted(mirrored, z, 0, 1)
    angle = pi * (left - np.where(mirrored, steps, 0))
    turned = np.cos(angle) - np.sin(angle) * special.digamma(1 - left) / pi
    direct = -special.rgamma(right) * special.digamma(right)
    return np.where(mirrored, special.gamma(1 - left) * turned, direct)


class Poch(Function):
    """Pochhammer symbol gamma(z + m) / gamma(z), differentiable by both.

    By z it is so at the poles of both gamma functions, too, where m is an integer.
    """

    implements = special.poch
    elementwise = True
    domain = (0, np.inf)

    def forward(self, z, m):
        return special.poch(z, m)

    def backward(self, gy):
        (z, m), (y,) = floats(self.xs), self.ys
        above = np.logical_and(np.greater(z, 0), np.greater(z + m, 0))
        below = np.logical_and(np.less_equal(z + m, 0), np.equal(m, np.round(m)))
        (right, left), (far, near) = (parted(np.logical_or(above, below), x, 1, 1) for x in (z, m))
        mirrored = np.where(below, 1 - right - far, right)  # DLMF 5.5.4
        beside = y * np.where(below, -1, 1) * digamma_difference(mirrored, far)
        rising = special.digamma(left + near) * special.rgamma(left) + _rgamma_slope(left)
        by_z = np.where(np.logical_or(above, below), beside, special.gamma(left + near) * rising)
        return gy * by_z, gy * y * special.digamma(z + m)


class Digamma(Elementwise):
    """Logarithmic derivative of the gamma function, also called psi; its derivative is polygamma(1, x)."""

    implements = special.digamma

    def slope(self, z):
        return Polygamma()(1, z)


class Polygamma(Elementwise):
    """The n-th derivative of digamma, for integers n >= 0 and real or complex x.

    There is no derivative by n.
    """

    samples = _ORDERS

    def forward(self, n, x):
        if x.dtype.kind != "c":
            return special.polygamma(n.astype(np.result_type(x, np.float32)), x)
        n = real_parameter(n)
        order = np.maximum(n, 1)
        higher = (-1.0) ** (order + 1) * special.gamma(order + 1.0) * hurwitz_zeta(order + 1, x)
        return np.where(n == 0, special.digamma(x), higher).astype(x.dtype)

    def slope(self, n, x):
        return Polygamma()(n + 1, x)


class _PolygammaDifference(Function):
    """polygamma(n, a + b) - polygamma(n, a), without cancellation for a > 0 and a + b > 0.

    In its derivative by a, n is one higher; that by b is polygamma(n + 1, a + b).
    """

    elementwise = True
    saves = ("xs",)

    def __init__(self, n):
        self.n = n

    def forward(self, a, b):
        dtype, n = np.result_type(a, b, np.float32), self.n
        a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
        stable = (a > 0) & (a + b > 0)
        from_a, by_b = np.where(stable, a, 1), np.where(stable, b, 0)
        y = (-1.0) ** (n + 1) * factorial(n) * hurwitz_zeta_difference(n + 1, from_a, by_b)
        if not np.all(stable):
            y = np.where(stable, y, special.polygamma(n, a + b) - special.polygamma(n, a))
        return y.astype(dtype)

    def backward(self, gy):
        a, b = self.xs
        return gy * _PolygammaDifference(self.n + 1)(a, b), gy * Polygamma()(self.n + 1, a + b)


def digamma_difference(a, b):
    """Give digamma(a + b) - digamma(a), exact where b is small beside a, too."""
    return _PolygammaDifference(0)(a, b)


class Multigammaln(Function):
    """Logarithm of the multivariate gamma function of dimension d (DLMF 35.3.4), for a > (d - 1) / 2."""

    elementwise = True
    saves = ("xs",)
    domain = (1, np.inf)
    samples = {"d": 1}, {"d": 3}

    def __init__(self, d):
        self.d = d

    def forward(self, a):
        return special.multigammaln(a, self.d).astype(np.result_type(a, np.float32))

    def backward(self, gy):
        (a,) = self.xs
        return gy * sum(special.digamma(a - j / 2) for j in range(int(self.d)))


class Zeta(Function):
    """Hurwitz zeta function, the sum of (q + k) ** -x over k = 0, 1, ...; Riemann's without q.

    The derivative by q is -x * zeta(x + 1, q) (DLMF 25.11.17); there is none by x.
    """

    elementwise = True
    saves = ("xs",)
    domain = (0, np.inf)
    samples = {"x": np.array([2, 3, 5], np.int8), "q": (3,)}, {"x": np.array(2), "q": (2, 3)}

    def forward(self, x, q=None):
        if q is None:
            return special.zeta(x)
        return special.zeta(x.astype(np.result_type(q, np.float32)), q)

    def backward(self, gy):
        refuse_gradient(self, 1)
        x, q = floats(self.xs)
        return None, gy * -x * Zeta()(x + 1, q)
