"""What a random program is, what it computes, and how its results move: plain NumPy, step by step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from random_programs.operations import Operation


class Leaf(NamedTuple):
    """An input of a program: random numbers of a seed."""

    shape: tuple[int, ...]
    dtype: Any
    layout: str
    seed: int

    def array(self) -> Any:
        """Make the numbers, in memory as `layout` says."""
        rng = np.random.default_rng(self.seed)
        kind = np.dtype(self.dtype)
        numbers = rng.integers(-4, 5, self.shape) if kind.kind == "i" else rng.normal(size=self.shape)
        if kind.kind == "c":
            numbers = numbers + 1j * rng.normal(size=self.shape)
        return laid_out(np.asarray(numbers).astype(kind), self.layout)

    def direction(self, turn: int = 0) -> Any:
        """Give numbers of the same shape, real or complex, to move along."""
        rng = np.random.default_rng((self.seed, turn + 1))
        return random_like(np.zeros(self.shape, self.dtype), rng)


class Ref(NamedTuple):
    """The value that a step takes: a leaf, or what an earlier step gave."""

    place: int

    def __str__(self) -> str:
        return f"v{self.place}"


@dataclass(frozen=True)
class Step:
    """One call; `how` says whether it is cut off, or computed again in the backward pass."""

    operation: Operation
    inputs: tuple[Any, ...]
    parameters: Mapping[str, Any]
    how: str = ""

    CUTS = ("no_grad", "stop_gradient", "unchain")

    def __str__(self) -> str:
        given = [str(x) if isinstance(x, Ref) else repr(x) for x in self.inputs]
        given += [f"{name}={value!r}" for name, value in self.parameters.items()]
        return f"{self.operation.name}({', '.join(given)})" + (f"  # {self.how}" if self.how else "")


@dataclass
class Program:
    """Some steps, and which values are its results.

    Attributes
    ----------
    counts : list of int
        How many values each step gives.
    refused : list of Step
        Calls, after the last step, that NumPy refuses.
    """

    leaves: list[Leaf] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    refused: list[Step] = field(default_factory=list)

    def __repr__(self) -> str:
        lines = [f"v{i} = {leaf}" for i, leaf in enumerate(self.leaves)]
        place = len(lines)
        for step, count in zip(self.steps, self.counts, strict=True):
            lines.append(f"{', '.join(f'v{place + i}' for i in range(count))} = {step}")
            place += count
        lines += [f"refused: {step}" for step in self.refused]
        return "\n    ".join(["", *lines, f"return {', '.join(f'v{i}' for i in self.roots)}"])

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """Let Hypothesis show a failing program so."""
        printer.text(repr(self))

    def arrays(self) -> list[Any]:
        return [leaf.array() for leaf in self.leaves]

    def directions(self, turn: int = 0) -> list[Any]:
        """Give for each leaf a direction."""
        return [leaf.direction(turn) for leaf in self.leaves]

    def values(self, arrays: Sequence[Any]) -> list[Any]:
        """Compute every value in plain NumPy, from the leaves' arrays."""
        values = list(arrays)
        for step in self.steps:
            values += several(step.operation.function(*taken(step, values), **step.parameters))
        return values

    def moving(
        self,
        arrays: Sequence[Any],
        directions: Sequence[Any],
        kept: "Moving | None" = None,
        before: Callable[[int, list[Any]], None] = lambda *_: None,
    ) -> "Moving":
        """Compute every value, in double precision, and how it moves along the leaves' directions.

        Values at which the program is cut stay as they are in `kept`, where that is given. `before`
        is called with the number of each step and the values, before it.
        """
        moving = Moving(list(map(doubled, arrays)), list(map(doubled, directions)))
        for number, step in enumerate(self.steps):
            before(number, moving.values)
            moving.take(step, kept)
        before(len(self.steps), moving.values)
        return moving

    def behind(self, place: int, direction: Any, moving: "Moving") -> "Moving":
        """Give how values move where one in between moves by itself."""
        pushed = Moving(list(moving.values[: len(self.leaves)]), [None] * len(self.leaves))
        for step in [*self.steps, None]:
            if len(pushed.values) > place and pushed.tangents[place] is None:
                pushed.tangents[place] = direction
            if step is not None:
                pushed.take(step, moving)
        return pushed


class Moving(NamedTuple):
    """Values and their tangents; None is that of what stands still."""

    values: list[Any]
    tangents: list[Any]

    def take(self, step: Step, kept: "Moving | None" = None) -> None:
        """Go one step further."""
        xs = [x if isinstance(x, Ref) else doubled(x) for x in step.inputs]
        values = [self.values[x.place] if isinstance(x, Ref) else x for x in xs]
        tangents = [self.tangents[x.place] if isinstance(x, Ref) else None for x in xs]
        parameters = {name: widened(value) for name, value in step.parameters.items()}
        result = step.operation.function(*values, **parameters)
        ys = several(result)
        moved: Any = [None] * len(ys)
        if step.how in Step.CUTS:
            ys = ys if kept is None else kept.values[len(self.values) :][: len(ys)]
        elif any(t is not None for t in tangents):
            moved = several(step.operation.tangent(values, tangents, result, **parameters))
            moved = [np.broadcast_to(dy, np.shape(y)) for y, dy in zip(ys, moved, strict=True)]
        self.values.extend(ys)
        self.tangents.extend(moved)


def several(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple) else [result]


def taken(step: Step, values: Sequence[Any]) -> list[Any]:
    """Give the inputs of a step."""
    return [values[x.place] if isinstance(x, Ref) else x for x in step.inputs]


def doubled(x: Any) -> Any:
    """Give numbers in double precision."""
    if x is None or isinstance(x, Ref):
        return x
    return np.asarray(x, np.complex128 if np.iscomplexobj(x) else np.float64)


def widened(parameter: Any) -> Any:
    return np.float64 if parameter is np.float32 else parameter


def random_like(x: Any, rng: np.random.Generator) -> Any:
    """Draw numbers to weigh a value with, or to move along: complex ones for a complex value."""
    numbers = rng.normal(size=np.shape(x))
    return np.asarray(numbers + 1j * rng.normal(size=np.shape(x)) if np.iscomplexobj(x) else numbers)


def laid_out(x: Any, layout: str) -> Any:
    """Give the same numbers in another order of memory."""
    if layout == "F":
        return np.asfortranarray(x) if x.ndim else x
    if x.ndim and layout == "reversed":
        return x[::-1].copy()[::-1]
    if x.ndim and layout == "strided":
        wide = np.repeat(x, 2, axis=-1)
        return wide[..., ::2]
    return x
