"""A program that grows: each step is tried with NumPy before it is added.

What NumPy refuses is noted as such. What is not finite, grows large, or is not smooth where it
is, by differences of the step itself, is left out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from random_programs.operations import OPERATIONS
from random_programs.program import (
    Leaf,
    Moving,
    Program,
    Ref,
    Step,
    doubled,
    random_like,
    several,
    taken,
    widened,
)
from registry.testing.differences import central_slope

LARGEST = 100.0
MOST = 64
REFUSALS = (ValueError, TypeError, IndexError)
_BY_NAME = {operation.name: operation for operation in OPERATIONS}


class NoStepError(Exception):
    """A step was not added."""


class Growing:
    """A program, and its values and tangents so far."""

    def __init__(self) -> None:
        self.program = Program()
        self.values: list[Any] = []
        self.moving = Moving([], [])

    def add_leaf(self, leaf: Leaf) -> None:
        self.program.leaves.append(leaf)
        self.values.append(leaf.array())
        self.moving.values.append(doubled(leaf.array()))
        self.moving.tangents.append(doubled(leaf.direction()))

    def value(self, x: Any) -> Any:
        """Give the array of an input of a step."""
        return np.asarray(self.values[x.place] if isinstance(x, Ref) else x)

    def differentiable(self) -> list[int]:
        """Give the places of what steps gave that moves, and is of a type that has a gradient."""
        made = range(len(self.program.leaves), len(self.values))
        return [
            i for i in made if self.moving.tangents[i] is not None and self.value(Ref(i)).dtype.kind in "fc"
        ]

    def call(self, name: str, *inputs: Any, **parameters: Any) -> Ref:
        """Add a step by the name of its operation; give its last value."""
        return self.add(Step(_BY_NAME[name], inputs, parameters))

    def add(self, step: Step) -> Ref:
        """Add a step, or raise why not."""
        try:
            with np.errstate(over="raise", divide="raise", invalid="raise"):
                values = several(step.operation.function(*taken(step, self.values), **step.parameters))
        except np.linalg.LinAlgError as error:
            raise NoStepError from error
        except REFUSALS as error:
            self.program.refused.append(step)
            raise NoStepError from error
        except (ArithmeticError, Warning) as error:
            raise NoStepError from error
        first = len(self.values)
        try:
            with np.errstate(over="raise", divide="raise", invalid="raise"):
                self.moving.take(step)
                self._check(step, values)
        except (ArithmeticError, Warning, NoStepError, *REFUSALS) as error:
            del self.moving.values[first:], self.moving.tangents[first:]
            raise NoStepError from error
        self.program.steps.append(step)
        self.program.counts.append(len(values))
        self.values += values
        return Ref(len(self.values) - 1)

    def _check(self, step: Step, values: Sequence[Any]) -> None:
        """Raise if values or tangents are large, or differ in double precision, or have no one slope."""
        first = len(self.values)
        tangents = self.moving.tangents[first:]
        for y, double, dy in zip(values, self.moving.values[first:], tangents, strict=True):
            y = np.asarray(y)
            rounding = 1e-3 if y.dtype.char in "fF" else 1e-9
            if y.dtype.kind not in "ifc" or y.size > MOST or y.ndim > 5 or not _is_small(y):
                raise NoStepError
            if not np.allclose(y, double, rtol=rounding, atol=rounding * LARGEST):
                raise NoStepError
            if dy is not None and not _is_small(dy):
                raise NoStepError
        if any(dy is not None for dy in tangents) and not has_slope(step, self.moving, tangents):
            raise NoStepError


def has_slope(step: Step, moving: Moving, tangents: Sequence[Any]) -> bool:
    """Say whether differences of a step along the tangents have one limit, and that of its rule."""
    rng = np.random.default_rng(0)
    weights = [random_like(dy, rng) for dy in tangents]
    parameters = {name: widened(value) for name, value in step.parameters.items()}

    def moved(x: Any, t: float) -> Any:
        if not isinstance(x, Ref):
            return doubled(x)
        x, dx = moving.values[x.place], moving.tangents[x.place]
        return x if dx is None else x + t * dx

    def terms(t: float) -> Any:
        ys = several(step.operation.function(*[moved(x, t) for x in step.inputs], **parameters))
        return np.concatenate([np.real(w * y).ravel() for w, y in zip(weights, ys, strict=True)])

    slope = central_slope(terms)
    expected = [np.real(w * dy) for w, dy in zip(weights, tangents, strict=True)]
    size = sum(float(np.sum(np.abs(x))) for x in expected)
    found = sum(float(np.sum(x)) for x in expected)
    return slope.smooth and abs(slope.value - found) <= 1e-5 * (size + slope.size) + slope.uncertainty


def _is_small(x: Any) -> bool:
    return bool(np.all(np.isfinite(x)) and np.max(np.abs(x), initial=0) < LARGEST)
