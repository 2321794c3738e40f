"""Steps that bring a value to where an operation takes it, and is smooth."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from random_programs.growing import Growing
from random_programs.program import Ref

# Values that are equal have no derivative, so those of matrices are kept apart.
DOMINANT = np.diag([1.8, 2.7, 3.6])
APART = np.diag([2.0, 5.0, 9.0])
TALL = np.array([[3.0, 0.0], [0.0, 1.5], [1.0, 0.0]])


def prepared(growing: Growing, x: Ref, before: str, others: Sequence[Any]) -> Ref:
    """Add the steps that `before` names; give the last one's value."""
    if before == "fits":
        rows = (1, *growing.value(others[0]).shape)[-1]
        return growing.call("resize", x, new_shape=(rows, 2) if rows % 2 else (rows,))
    return _PREPARATIONS[before](growing, x) if before else x


def _real(g: Growing, x: Ref) -> Ref:
    return g.call("real", x) if g.value(x).dtype.kind == "c" else x


def _squared(least: float) -> Any:
    return lambda g, x: g.call("add", g.call("square", _real(g, x)), least)


def _wave(size: float, middle: float) -> Any:
    """Bring into middle - size to middle + size."""
    return lambda g, x: g.call("add", g.call("multiply", g.call("sin", _real(g, x)), size), middle)


def _resized(*shape: int) -> Any:
    return lambda g, x: g.call("resize", x, new_shape=shape)


def _bounded_square(g: Growing, x: Ref) -> Ref:
    x = g.call("sin", g.call("resize", x, new_shape=(3, 3)))
    return g.call("multiply", x, 0.2 if g.value(x).dtype.kind == "c" else 0.5)


def _regular(g: Growing, x: Ref) -> Ref:
    return g.call("add", _bounded_square(g, x), DOMINANT)


def _definite(g: Growing, x: Ref) -> Ref:
    x = _bounded_square(g, x)
    adjoint = g.call("conj", g.call("matrix_transpose", x))
    return g.call("add", g.call("matmul", x, adjoint), APART)


def _tall(g: Growing, x: Ref) -> Ref:
    return g.call("add", g.call("sin", g.call("resize", _real(g, x), new_shape=(3, 2))), TALL)


_PREPARATIONS = {
    "real": _real,
    "positive": _squared(0.5),
    "above one": _squared(1.5),
    "unit": _wave(0.8, 0.0),
    "small": _wave(0.3, 0.5),
    "vector": lambda g, x: g.call("ravel", x),
    "row of three": _resized(3),
    "square": _resized(3, 3),
    "regular": _regular,
    "definite": _definite,
    "real definite": lambda g, x: _definite(g, _real(g, x)),
    "tall": _tall,
}
