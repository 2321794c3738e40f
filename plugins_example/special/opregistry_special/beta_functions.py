"""The beta function, and what counts combinations and permutations."""

import numpy as np
from scipy import special

from opregistry_special._elementwise import floats
from opregistry_special.gamma_functions import digamma_difference
from registry import Function


class Beta(Function):
    """gamma(a) * gamma(b) / gamma(a + b); its derivatives are differences of digamma (DLMF 5.12.1)."""

    implements = special.beta
    elementwise = True
    domain = (0, np.inf)

    def forward(self, a, b):
        return special.beta(a, b)

    def backward(self, gy):
        (a, b), (y,) = floats(self.xs), self.ys
        return -gy * y * digamma_difference(a, b), -gy * y * digamma_difference(b, a)


class Betaln(Function):
    """Logarithm of the absolute value of the beta function."""

    implements = special.betaln
    elementwise = True
    saves = ("xs",)
    domain = (0, np.inf)

    def forward(self, a, b):
        return special.betaln(a, b)

    def backward(self, gy):
        a, b = floats(self.xs)
        return -gy * digamma_difference(a, b), -gy * digamma_difference(b, a)


class Comb(Function):
    """Number of ways to choose k of N, as a function of real numbers: 1 / ((N + 1) * beta(N - k + 1, k + 1)).

    It is 0, and so are its derivatives, where k > N or one of them is negative. With
    `repetition`, k of N + k - 1 are chosen. There is no `exact` but False.
    """

    elementwise = True
    samples = {"N": np.array([5.0, 4.5, 7.2]), "k": np.array([2.0, 1.3, 6.9])}, {
        "N": np.array(3.5), "k": np.array([[0.2, 1.0, 3.0]]), "repetition": True,
    }  # fmt: skip

    def __init__(self, *, exact=False, repetition=False):
        _refuse_exact("comb", exact)
        self.repetition = repetition

    def forward(self, N, k):
        y = special.comb(N, k, repetition=self.repetition)
        return np.asarray(y, np.result_type(N, k, np.float32))

    def backward(self, gy):
        (n, k), (y,) = floats(self.xs), self.ys
        n = n + k - 1 if self.repetition else n
        some = np.not_equal(y, 0)
        n, k = np.where(some, n, 1), np.where(some, k, 0)
        by_n = gy * y * digamma_difference(n - k + 1, k)
        by_k = gy * y * digamma_difference(k + 1, n - 2 * k)
        return by_n, by_k + by_n if self.repetition else by_k


class Factorial(Function):
    """gamma(n + 1), as a function of real numbers; with extend="zero", 0 for negative n.

    Complex n need extend="complex". There is no `exact` but False.
    """

    elementwise = True
    samples = {}, {"extend": "complex"}

    def __init__(self, exact=False, extend="zero"):
        _refuse_exact("factorial", exact)
        self.extend = extend

    def forward(self, n):
        return np.array(special.factorial(n, extend=self.extend), np.result_type(n, np.float32))

    def backward(self, gy):
        (n,), (y,) = floats(self.xs), self.ys
        some = np.not_equal(y, 0)
        return gy * y * special.digamma(np.where(some, n, 0) + 1)


def _refuse_exact(name, exact):
    if exact:
        raise ValueError(
            f"{name} with exact=True gives Python integers, which have no derivative; leave it out, or "
            f"call scipy.special.{name} on plain numbers"
        )
