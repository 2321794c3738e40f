"""Hypergeometric functions, as functions of their last argument."""

import numpy as np
from scipy import special

from opregistry_special._elementwise import Elementwise, real_parameter


class Hyp1f1(Elementwise):
    """Kummer's confluent hypergeometric function 1F1(a; b; z) (DLMF 13.3.15).

    There is no derivative by a and b.
    """

    implements = special.hyp1f1
    samples = {"a": np.array([1, 2, -3]), "b": np.array([2, 1, 3]), "z": (3,)}, {
        "a": np.array(2), "b": np.array(3), "z": (2, 3),
    }  # fmt: skip

    def forward(self, a, b, z):
        return special.hyp1f1(real_parameter(a), real_parameter(b), z)

    def slope(self, a, b, z):
        return a / b * special.hyp1f1(a + 1, b + 1, z)


class Hyp2f1(Elementwise):
    """Gauss's hypergeometric function 2F1(a, b; c; z) (DLMF 15.5.1).

    There is no derivative by a, b and c.
    """

    implements = special.hyp2f1
    samples = (
        {
            "a": np.array([1, 2, -3]),
            "b": np.array([2, 1, 1]),
            "c": np.array([2, 4, 3]),
            "z": np.array([0.6, -3.0, 0.9]),
        },
        {"a": np.array(2), "b": np.array(1), "c": np.array(3), "z": np.array([[-2.5, -4.0]])},
    )

    def forward(self, a, b, c, z):
        return special.hyp2f1(real_parameter(a), real_parameter(b), real_parameter(c), z)

    def slope(self, a, b, c, z):
        return a * b / c * special.hyp2f1(a + 1, b + 1, c + 1, z)
