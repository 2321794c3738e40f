"""Spherical harmonics, as functions of the angles."""

import numpy as np
from scipy import special

from opregistry_special._elementwise import floats, refuse_gradient
from registry import Function


class SphHarmY(Function):
    """Spherical harmonic of degree n and order m, complex, at polar angle theta and azimuth phi.

    The derivative by theta is the difference of those of orders m + 1 and m - 1, by the ladder
    operators, so it is exact at the poles; that by phi is 1j * m times the value. There is
    none by n and m. Outside of [0, pi], SciPy gives the value at the theta there with the same cosine.
    """

    elementwise = True
    samples = (
        {"n": np.array([2, 1, 3]), "m": np.array([1, 0, -3]), "theta": (3,), "phi": (3,)},
        {"n": np.array(4), "m": np.array(-2), "theta": (2, 3), "phi": (3,)},
    )

    def forward(self, n, m, theta, phi):
        y = special.sph_harm_y(n.astype(np.int64), m.astype(np.int64), theta, phi)
        return np.asarray(y, np.result_type(theta, phi, np.complex64))

    def backward(self, gy):
        refuse_gradient(self, 2)
        (n, m, theta, phi), (y,) = floats(self.xs), self.ys
        turn = np.exp(1j * phi)
        up = np.sqrt(np.maximum((n - m) * (n + m + 1), 0)) * SphHarmY()(n, m + 1, theta, phi) / turn
        down = np.sqrt(np.maximum((n + m) * (n - m + 1), 0)) * SphHarmY()(n, m - 1, theta, phi) * turn
        fold = np.where(np.less(np.sin(theta), 0), -1, 1)
        return None, None, gy * fold * (up - down) / 2, gy * 1j * m * y
