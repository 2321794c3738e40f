"""Workloads on single numbers: what an operation costs beside its arithmetic.

To add one, write a `Workload` and name it in `selection`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from groups import FLOOR, OURS, TORCH, Goal
from libraries import Library, Run, UnsupportedError
from workload import AHEAD, COMPILED_AHEAD, Workload


class SmallChain(Workload):
    """square(exp(square(x))) of one number: what one operation costs beside its arithmetic."""

    name = "small_chain"
    operations = 3
    goals = (AHEAD, Goal(OURS, 6, times=FLOOR))

    def __init__(self) -> None:
        self.arrays = [np.array(0.5)]

    def formula(self, m: Any, x: Any) -> Any:
        return m.square(m.exp(m.square(x)))

    def floor(self) -> Sequence[Any]:
        (x,) = self.arrays
        y = np.exp(np.square(x))
        return np.square(y), (y + y) * y * (x + x)


class DeepChain(Workload):
    """y * c + c again and again: depth, and what a live graph costs."""

    goals = (AHEAD,)

    def __init__(self, steps: int = 10_000) -> None:
        self.name = f"deep_chain {steps:,}"
        self.operations = 2 * steps
        self.steps = steps
        self.arrays = [np.array(0.5)]
        self.constants = [np.array(0.9999)]

    def formula(self, m: Any, x: Any, c: Any) -> Any:
        y = x
        for _ in range(self.steps):
            y = y * c + c
        return y

    def floor(self) -> Sequence[Any]:
        y, c = self.arrays[0][()], self.constants[0][()]
        for _ in range(self.steps):
            y = y * c + c
        gx = np.float64(1)
        for _ in range(self.steps):
            gx = gx * c
        return y, gx

    def on(self, library: Library) -> Run:
        if self.steps > 50_000 and library.name not in (OURS, TORCH):
            raise UnsupportedError(f"{library.name} would take minutes at {self.name}: not measured")
        return super().on(library)


class Diamond(Workload):
    """y + y again and again: as many paths as 2 ** levels, one visit a function."""

    name = "diamond"
    goals = (AHEAD,)

    def __init__(self, levels: int = 60) -> None:
        self.operations = self.levels = levels
        self.arrays = [np.array(0.5)]

    def formula(self, m: Any, x: Any) -> Any:
        y = x
        for _ in range(self.levels):
            y = y + y
        return y

    def floor(self) -> Sequence[Any]:
        y, gx = self.arrays[0][()], np.float64(1)
        for _ in range(self.levels):
            y = y + y
        for _ in range(self.levels):
            gx = gx + gx
        return y, gx


class FanOut(Workload):
    """One x in many operations: accumulation, and many functions of one generation."""

    goals = (AHEAD,)

    def __init__(self, uses: int = 5_000) -> None:
        self.name = f"fan_out {uses:,}"
        self.operations = 2 * uses
        self.uses = uses
        self.arrays = [np.array(0.5)]

    def formula(self, m: Any, x: Any) -> Any:
        y = m.square(x)
        for _ in range(self.uses - 1):
            y = y + m.square(x)
        return y

    def floor(self) -> Sequence[Any]:
        x = self.arrays[0][()]
        y = gx = np.float64(0)
        for _ in range(self.uses):
            y = y + np.square(x)
        for _ in range(self.uses):
            gx = gx + (x + x)
        return y, gx


class OfTwoNumbers(Workload):
    """A test function of optimisation, of two numbers."""

    goals = (AHEAD, *COMPILED_AHEAD)

    def __init__(self) -> None:
        self.arrays = [np.array(1.0), np.array(0.5)]


class Sphere(OfTwoNumbers):
    """x ** 2 + y ** 2."""

    name = "sphere"

    def formula(self, m: Any, x: Any, y: Any) -> Any:
        return x**2 + y**2

    def floor(self) -> Sequence[Any]:
        x, y = self.arrays
        return x * x + y * y, x + x, y + y


class Matyas(OfTwoNumbers):
    """0.26 * (x ** 2 + y ** 2) - 0.48 * x * y."""

    name = "matyas"

    def formula(self, m: Any, x: Any, y: Any) -> Any:
        return 0.26 * (x**2 + y**2) - 0.48 * x * y

    def floor(self) -> Sequence[Any]:
        x, y = self.arrays
        value = 0.26 * (x * x + y * y) - 0.48 * x * y
        return value, 0.52 * x - 0.48 * y, 0.52 * y - 0.48 * x


class Rosenbrock(OfTwoNumbers):
    """100 * (y - x ** 2) ** 2 + (x - 1) ** 2."""

    name = "rosenbrock"

    def formula(self, m: Any, x: Any, y: Any) -> Any:
        return 100 * (y - x**2) ** 2 + (x - 1) ** 2

    def floor(self) -> Sequence[Any]:
        x, y = self.arrays
        u, v = y - x * x, x - 1
        gu = 200 * u
        return 100 * (u * u) + v * v, (v + v) - gu * (x + x), gu


class GoldsteinPrice(OfTwoNumbers):
    """The Goldstein-Price function: 50 operations on two numbers."""

    name = "goldstein-price"

    def formula(self, m: Any, x: Any, y: Any) -> Any:
        return (
            1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)
        ) * (
            30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
        )  # fmt: skip

    def floor(self) -> Sequence[Any]:
        x, y = self.arrays
        xx, xy, yy = x * x, x * y, y * y
        s, t = x + y + 1, 2 * x - 3 * y
        p = 19 - 14 * x + 3 * xx - 14 * y + 6 * xy + 3 * yy
        q = 18 - 32 * x + 12 * xx + 48 * y - 36 * xy + 27 * yy
        a, b = 1 + s * s * p, 30 + t * t * q
        gs, gt = 2 * s * p, 2 * t * q
        gp = s * s * (6 * x + 6 * y - 14)
        ax = gs + gp
        bx = 2 * gt + t * t * (24 * x - 36 * y - 32)
        by = t * t * (54 * y - 36 * x + 48) - 3 * gt
        return a * b, ax * b + a * bx, ax * b + a * by


class FifthDerivative(Workload):
    """The fifth derivative of sin at one number: recording a backward pass, repeatedly."""

    name = "sin, 5th derivative"
    goals = (AHEAD,)

    def __init__(self) -> None:
        self.arrays = [np.array(0.5)]

    def formula(self, m: Any, x: Any) -> Any:
        return m.sin(x)

    def floor(self) -> Sequence[Any]:
        return (np.cos(self.arrays[0]),)

    def on(self, library: Library) -> Run:
        return library.derivative(self.formula, self.arrays[0], order=5)
