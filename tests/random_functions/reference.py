"""What plain NumPy gives for a program, its derivatives by differences, and comparisons with them."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import registry
from random_functions.program import Discarded, Program, World
from registry import Variable
from registry.testing.differences import central_slope

BOUND = 1e6


class Wrong(AssertionError):  # noqa: N818, what is wrong is the library
    """The library gave something else than plain NumPy, without a word."""


class OtherError(Exception):
    """The library raised an error that is none of its own, where plain NumPy works."""


def called(f: Callable[..., Any], *args: Any) -> Any:
    """Call something of the library, which may refuse."""
    try:
        return f(*args)
    except registry.RegistryError:
        raise
    except Exception as error:
        raise OtherError(f"{type(error).__name__}: {error}") from error


def arrays(tree: Any) -> Iterator[Any]:
    """Give the arrays and numbers of a structure, one by one."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, tuple | list):
        for branch in tree:
            yield from arrays(branch)
    elif isinstance(tree, np.ndarray | np.generic | float | Variable):
        yield tree


def plainly(program: Program, args: list[Any], changes: tuple[str, ...] = (), last: Any = None) -> Any:
    """Give what the function gives on arrays; `args` are then as it leaves them."""
    try:
        world = World(program, changes=changes)
        _prepare(world, plain=True)
        found = copy.deepcopy((last or _apply)(world.f, args, program))
    except registry.RegistryError:
        raise
    except Exception as error:
        raise Discarded(f"{type(error).__name__}: {error}") from error
    if not all(np.all(np.abs(x) < BOUND) for x in arrays(found)):  # neither large nor NaN
        raise Discarded("large")
    return found


def _apply(f: Any, args: list[Any], program: Program) -> Any:
    return f(*args)


def _prepare(world: World, *, plain: bool = False, by_helper: bool = False) -> None:
    """Let the text call its operator: by forward alone, an instance, or the helper of its name."""
    cls = world.names.get("FuzzedOperator")
    if cls is None:
        return
    if by_helper:
        registry.operator(cls)
        world.names["apply"] = registry.ops.fuzzed_operator
    else:
        world.names["apply"] = (lambda x: cls().forward(x)) if plain else (lambda x: cls()(x))


def moved(x: Any, direction: Any, t: float) -> Any:
    """Give arguments a step further in a direction, in memory of their own."""
    if isinstance(x, dict):
        return {key: moved(branch, direction[key], t) for key, branch in x.items()}
    if isinstance(x, tuple | list):
        return type(x)(moved(a, b, t) for a, b in zip(x, direction, strict=True))
    if direction is None or not isinstance(x, np.ndarray | float):
        return copy.deepcopy(x) if isinstance(x, np.ndarray) else x
    return np.asarray(x + t * direction) if isinstance(x, np.ndarray) else x + t * direction


def inner(gradients: Any, direction: Any) -> float:
    pairs = zip(arrays(gradients), arrays(direction), strict=True)
    return float(sum(np.sum(registry.plain(g) * d) for g, d in pairs))


def same(program: Program, found: Any, expected: Any, what: str) -> None:
    """Raise Wrong where numbers, shapes or dtypes differ."""
    single = program.dtype == "float32"  # of several dtypes, y += x takes the wider one, as y = y + x
    these, those = list(arrays(found)), list(arrays(expected))
    if len(these) != len(those):
        raise Wrong(f"{what} is {found}, not {expected}")
    for a, b in zip(these, those, strict=True):
        a, b = np.asarray(registry.plain(a)), np.asarray(b)
        rounding = (1e-3 if single else 1e-9) * (1 + np.max(np.abs(b), initial=0))
        alike = a.shape == b.shape and (single or a.dtype == b.dtype)
        if not alike or not np.allclose(a, b, rtol=0, atol=rounding, equal_nan=True):
            raise Wrong(f"{what} is {a!r}, not {b!r}")


def number(found: float, expected: float, tolerance: float, what: str) -> None:
    if not abs(found - expected) <= tolerance:
        raise Wrong(f"{what} is {found}, not {expected} (within {tolerance:.1g})")


class Case:
    """A program at its arguments: what plain NumPy gives, and leaves of the arguments."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.choice = random.Random(program.seed)
        self.names = World(program).names
        self.args = program.drawn(program.rng(0), self.names)
        self.direction = program.drawn(program.rng(1))
        self.after = self.fresh()
        self.value = plainly(program, self.after)
        self.argnums = program.argnums

    def fresh(self, t: float = 0.0) -> list[Any]:
        return moved(self.args, self.direction, t)

    def world(self, **how: Any) -> World:
        world = World(self.program, **how)
        by_helper = bool(self.program.seed % 2)
        _prepare(world, by_helper=by_helper)
        return world

    def only(self, tree: list[Any]) -> tuple[Any, ...]:
        return tuple(tree[i] for i in self.argnums)

    def terms(self, weights: Any = None) -> Callable[[float], Any]:
        """Give the result, or its parts weighed, as a function of the step in the direction."""

        def at(t: float) -> Any:
            values = list(arrays(plainly(self.program, self.fresh(t))))
            parts = (
                values if weights is None else [x * w for x, w in zip(values, arrays(weights), strict=True)]
            )
            return np.concatenate([np.ravel(part) for part in parts])

        return at

    def slope(self, found: float, what: str, weights: Any = None) -> int:
        """Compare a derivative along the direction with differences; count it where these say something."""
        if self.program.dtype != "float64":
            return 0
        slope = central_slope(self.terms(weights))
        if slope.smooth:
            number(found, slope.value, 1e-6 * (1 + slope.size) + slope.uncertainty, what)
        return int(slope.smooth)

    def curvature(self, found: float, what: str) -> int:
        """Compare a second derivative along the direction with differences of two steps."""
        at, (coarse, fine) = self.terms(), (2.0**-8, 2.0**-9)
        here = float(at(0.0)[0])
        second = [(float(at(h)[0]) - 2 * here + float(at(-h)[0])) / h**2 for h in (coarse, fine)]
        value, apart = (4 * second[1] - second[0]) / 3, abs(second[1] - second[0])
        rounding = 1e-10 * (1 + abs(here)) / fine**1.0
        if apart <= 1e-2 * (1 + abs(value)):
            number(found, value, 1e-6 * (1 + abs(value)) + 2 * apart + rounding, what)
            return 1
        return 0
