"""What a program's results, their slopes and the slopes of those should be, and how exactly."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from random_programs.program import Moving, Program
from random_programs.running import run


class Expected(NamedTuple):
    """A number, and how far another computation of it may be off."""

    value: float
    tolerance: float

    def agrees(self, found: float) -> bool:
        return bool(abs(found - self.value) <= self.tolerance)


class Reference:
    """A program at its leaves' own numbers, with weights of its results.

    Attributes
    ----------
    arrays, values : list
        The leaves' arrays; every value, by plain NumPy.
    weights : list
        What the results are weighed with, and added up.
    rounding : float
        How exact a number is that this program computes.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.arrays = program.arrays()
        self.values = program.values(self.arrays)
        self.weights = [_weight(np.asarray(self.values[i])) for i in program.roots]
        self.still = self.moving()
        single = any(np.asarray(x).dtype.char in "fF" for x in self.values)
        self.rounding = 1e-4 if single else 1e-10

    def moving(self, turn: int = 0, along: int = 0, by: float = 0.0, kept: Moving | None = None) -> Moving:
        """Give values and tangents in the directions of one turn, a step away in those of another."""
        pairs = zip(self.arrays, self.program.directions(along), strict=True)
        arrays = [x + by * d if by else x for x, d in pairs]
        return self.program.moving(arrays, self.program.directions(turn), kept)

    def weighed(self, moving: Moving) -> float:
        """Give how fast the sum of the weighed results grows."""
        pairs = zip(self.program.roots, self.weights, strict=True)
        moved = [(w, moving.tangents[i]) for i, w in pairs if moving.tangents[i] is not None]
        return float(sum(np.sum(np.real(w * dy)) for w, dy in moved))

    def slope(self, turn: int = 0) -> Expected:
        """Give the derivative of that sum along the leaves' directions."""
        return self._expected(lambda by: self.moving(turn, turn + 7, by, self.still))

    def slope_behind(self, place: int, direction: Any) -> Expected:
        """Give the derivative of that sum where one value in between moves by itself."""

        def moving(by: float) -> Moving:
            return self.program.behind(place, direction, self.moving(0, 7, by, self.still))

        return self._expected(moving)

    def _expected(self, moving: Callable[[float], Moving]) -> Expected:
        """Take the numbers for as exact as rounding of the leaves lets them be."""
        at, near = moving(0.0), moving(self.rounding)
        size = max([1.0, *(float(np.max(np.abs(dy), initial=0)) for dy in at.tangents if dy is not None)])
        value = self.weighed(at)
        return Expected(value, 10 * self.rounding * size * len(at.values) + abs(self.weighed(near) - value))

    def close(self, found: Any, expected: Any) -> bool:
        """Say whether a value is the same but for rounding."""
        expected = np.asarray(expected)
        size = 1 + np.max(np.abs(expected), initial=0)
        return bool(np.allclose(found, expected, rtol=0, atol=self.rounding * 0.1 * size))

    def scalar(self, wrt: Sequence[int]) -> Callable[..., Any]:
        """Give the sum of the weighed results, as a function of some leaves."""

        def f(*xs: Any) -> Any:
            values = run(self.program, self.with_leaves(wrt, xs))
            pairs = zip(self.program.roots, self.weights, strict=True)
            return sum(np.sum(np.real(values[i] * w)) for i, w in pairs)

        return f

    def results(self, wrt: Sequence[int]) -> Callable[..., Any]:
        """Give the results, as a function of some leaves."""

        def f(*xs: Any) -> Any:
            values = run(self.program, self.with_leaves(wrt, xs))
            return [values[i] for i in self.program.roots]

        return f

    def with_leaves(self, wrt: Sequence[int], xs: Sequence[Any]) -> list[Any]:
        leaves = list(self.arrays)
        for i, x in zip(wrt, xs, strict=True):
            leaves[i] = x
        return leaves

    def floating(self) -> list[int]:
        """Give the places of the leaves that are no integers."""
        return [i for i, leaf in enumerate(self.program.leaves) if np.dtype(leaf.dtype).kind in "fc"]


def _weight(y: Any) -> Any:
    rng = np.random.default_rng(1)
    w = rng.normal(size=y.shape) + (1j * rng.normal(size=y.shape) if y.dtype.kind == "c" else 0)
    return np.asarray(w, y.dtype)
