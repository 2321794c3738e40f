"""Polynomials by their coefficients, the highest power first."""

from __future__ import annotations

from typing import Any

import numpy as np

from registry import composite


@composite(implements=np.poly, samples=({"seq_of_zeros": (3,)}, {"seq_of_zeros": (1,)}))
def poly(seq_of_zeros: Any) -> Any:
    """Coefficients of the polynomial with given roots: the product of (x - root)."""
    if np.ndim(seq_of_zeros) != 1:
        raise ValueError(
            "np.poly on Variables takes a row of roots; those of a matrix are its np.linalg.eigvals"
        )
    dtype = np.result_type(seq_of_zeros)
    p: Any = np.ones(1, dtype if dtype.kind in "fc" else float)
    for root in seq_of_zeros:
        p = _padded(p, 0, 1) - _padded(p * root, 1, 0)
    return p


@composite(implements=np.roots, samples=({"p": np.array([2.0, -3.0, 0.5, 1.0])}, {"p": np.array([1.0, 2.0])}))
def roots(p: Any) -> Any:
    """Roots of a polynomial: eigenvalues of its companion matrix. Equal roots have no derivative."""
    if np.ndim(p) != 1:
        raise ValueError("Input must be a rank-1 array.")
    (nonzero,) = np.nonzero(p)
    if nonzero.size == 0:
        return p[:0]
    zeros = np.size(p) - 1 - nonzero[-1]
    p = p[nonzero[0] : nonzero[-1] + 1]
    degree = np.size(p) - 1
    if degree == 0:
        return np.zeros(zeros, np.result_type(p))
    first = np.reshape(-p[1:] / p[0], (1, degree))
    found = np.linalg.eigvals(np.concatenate([first, np.eye(degree - 1, degree, dtype=first.dtype)]))
    if first.dtype.kind != "c" and found.dtype.kind == "c" and np.all(np.equal(np.imag(found), 0)):
        found = np.real(found)  # as NumPy's roots are, though from 2.5 on its eigenvalues are complex
    return np.concatenate([found, np.zeros(zeros, found.dtype)])


@composite(
    implements=np.polyint,
    inputs=("p", "k"),
    samples=({"p": (3,)}, {"p": (2,), "m": 3}, {"p": (3,), "m": 2, "k": (2,)}),
)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """Integrate a polynomial `m` times, with the integration constants `k`."""
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    constants = np.broadcast_to(0.0 if k is None else k, (m,))
    for i in range(m):
        p = p / np.arange(np.size(p), 0, -1).astype(np.result_type(p))
        p = np.concatenate([p, np.astype(constants[i : i + 1], p.dtype)])
    return p


@composite(
    implements=np.polyder, samples=({"p": (4,)}, {"p": (4,), "m": 2}, {"p": (1,)}, {"p": (2,), "m": 0})
)
def polyder(p: Any, m: int = 1) -> Any:
    """Differentiate a polynomial `m` times."""
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    for _ in range(m):
        p = p[:-1] * np.arange(np.size(p) - 1, 0, -1).astype(np.result_type(p))
    return p


_PAIRS = {"a1": (3,), "a2": (2,)}, {"a1": (), "a2": (2,)}, {"a1": (2,), "a2": (2,)}
_EMPTY = {"a1": (0,), "a2": (2,)}


@composite(implements=np.polyadd, samples=_PAIRS)
def polyadd(a1: Any, a2: Any) -> Any:
    """Sum of two polynomials."""
    a1, a2 = np.atleast_1d(a1), np.atleast_1d(a2)
    longer = max(np.size(a1), np.size(a2))
    return _padded(a1, longer - np.size(a1), 0) + _padded(a2, longer - np.size(a2), 0)


@composite(implements=np.polysub, samples=_PAIRS)
def polysub(a1: Any, a2: Any) -> Any:
    """Difference of two polynomials."""
    return polyadd(a1, np.negative(a2))


@composite(implements=np.polymul, samples=(*_PAIRS, _EMPTY))
def polymul(a1: Any, a2: Any) -> Any:
    """Product of two polynomials; coefficients of 0 at their fronts are left out before, as in NumPy."""
    return np.convolve(_without_leading_zeros(a1), _without_leading_zeros(a2))


@composite(
    implements=np.polyfit,
    inputs=("x", "y", "w"),
    samples=(
        {"x": np.arange(5.0), "y": (5,), "deg": 2},
        {"x": np.arange(4.0), "y": (4, 2), "deg": 1},
        {"x": np.arange(4.0), "y": (4,), "deg": 1, "w": np.array([1.0, 2.0, 0.5, 1.0])},
    ),
)
def polyfit(x: Any, y: Any, deg: int, rcond: float | None = None, w: Any = None) -> Any:
    """Polynomial of degree `deg` that is closest to y at x: least squares, weighed by w**2.

    Numbers are divided by the columns' lengths first, as NumPy does; the rank should be full.
    """
    left, right = np.vander(x + 0.0, deg + 1), y + 0.0
    if w is not None:
        left, right = left * np.expand_dims(w, 1), right * np.reshape(w, (-1,) + (1,) * (np.ndim(y) - 1))
    scale = np.sqrt(np.sum(left * left, axis=0))
    rcond = np.size(x) * float(np.finfo(left.dtype).eps) if rcond is None else rcond
    found = np.linalg.lstsq(left / scale, right, rcond)[0]
    return found / np.reshape(scale, (-1,) + (1,) * (np.ndim(y) - 1))


@composite(
    implements=np.polyval,
    samples=({"p": (3,), "x": (2,)}, {"p": (1,), "x": ()}, {"p": (4,), "x": (2, 3)}, {"p": (2,), "x": (0,)}),
)
def polyval(p: Any, x: Any) -> Any:
    """Give the polynomial p[0] x ** (n - 1) + ... + p[n - 1], by Horner's rule."""
    y: Any = np.zeros_like(x)
    for coefficient in p:
        y = y * x + coefficient
    return y


def _padded(p: Any, before: int, after: int) -> Any:
    return np.pad(p, (before, after)) if before or after else p


def _without_leading_zeros(p: Any) -> Any:
    p = np.atleast_1d(p) if np.size(p) else np.pad(np.ravel(p), (0, 1))
    (nonzero,) = np.nonzero(p)
    return p[nonzero[0] if nonzero.size else -1 :]
