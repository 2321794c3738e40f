"""Exponential, sine and cosine integrals, and the dilogarithm."""

from math import pi

import numpy as np
from scipy import special

from opregistry_special._elementwise import Elementwise, parted
from registry import Function


class Exp1(Elementwise):
    """Exponential integral E1, of exp(-t) / t from z to infinity (DLMF 6.2.1)."""

    implements = special.exp1

    def slope(self, z):
        return -np.exp(-z) / z


class Expi(Elementwise):
    """Exponential integral Ei, of exp(t) / t from minus infinity to z (DLMF 6.2.5)."""

    implements = special.expi

    def slope(self, z):
        return np.exp(z) / z


class Expn(Elementwise):
    """Generalized exponential integral of an integer order n >= 0; its derivative is -expn(n - 1, x).

    That of order 0 has order -1, which SciPy lacks; negative orders are incomplete gamma
    functions (DLMF 8.19.1, 8.19.13). There is no derivative by n.
    """

    implements = special.expn
    domain = (0, np.inf)
    samples = {"n": np.array([0, 1, 3]), "x": (3,)}, {"n": np.array(2), "x": (2, 3)}

    def forward(self, n, x):
        return special.expn(n, x)

    def slope(self, n, x):
        positive = np.greater(n, 0)
        order, a = np.where(positive, n - 1, 1), np.where(positive, 2, 2 - n)
        of_positive, of_others = parted(positive, x, 1, 1)
        below = special.gamma(a) * special.gammaincc(a, of_others) / of_others**a
        return -np.where(positive, special.expn(order, of_positive), below)


class Sici(Function):
    """Sine integral Si and cosine integral Ci (DLMF 6.2.9, 6.2.13)."""

    implements = special.sici
    elementwise = True
    saves = ("xs",)
    materialize_grads = False

    def forward(self, z):
        return special.sici(z)

    def backward(self, g_si, g_ci):
        (z,) = self.xs
        by_si = 0.0 if g_si is None else g_si * np.sinc(z / pi)
        return by_si if g_ci is None else by_si + g_ci * np.cos(z) / z


class Spence(Elementwise):
    """Spence's function, the dilogarithm of 1 - z; its derivative log(z) / (1 - z) is smooth at 1, too.

    It is nan for negative real z.
    """

    implements = special.spence

    def slope(self, z):
        near = np.less(np.absolute(z - 1), 0.5)
        close, far = parted(near, z, 1, 2)
        return np.where(near, -special.hyp2f1(1, 1, 2, 1 - close), np.log(far) / (1 - far))
