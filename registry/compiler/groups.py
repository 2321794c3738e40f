"""Which steps go through large arrays together, block by block."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from registry.compiler.buffers import contiguous, elementwise_ufunc
from registry.compiler.values import Branch, Memory, Method, Program, Step, Value

LARGE = 1 << 16  # elements of an array that does not stay in cache
WORTH = 1 << 19  # operations from which blocks win, by measurement
COPYING = {np.astype, Method("astype"), np.copy, Method("copy")}
_CHEAP = {
    np.add, np.subtract, np.multiply, np.negative, np.square, np.absolute, np.maximum, np.minimum, np.where,
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, *COPYING,
}  # fmt: skip
_WITH_PARTS = {np.add, np.multiply, np.maximum, np.minimum, np.logical_and, np.logical_or}


@dataclass
class Group:
    """Steps on arrays of one shape, of which each element depends on those at its place alone.

    Attributes
    ----------
    steps : list of Step
        The elementwise ones, and full reductions.
    inputs, outs : list of Value
        What it reads, and what is read of it.
    """

    shape: tuple[int, ...]
    errors: Any
    steps: list[Step] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    outs: list[Value] = field(default_factory=list)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def operations(self) -> int:
        """How much work it is, in additions of two numbers; a sine takes about eight times as long."""
        return self.size * sum(1 if s.call in _CHEAP or is_reduction(s) else 8 for s in self.steps)


def grouped(program: Program) -> list[Step | Group]:
    """Give the steps of a program, those that go together as groups, in an order that serves all."""
    order: list[Step | Group] = []
    part: list[Step] = []
    for step in program.steps:  # nothing is computed before a branch that comes after it
        part.append(step)
        if isinstance(step.call, Branch):
            order += _grouped(part)
            part = []
    order += _grouped(part)
    for group in order:
        if isinstance(group, Group):
            _find_ends(group, program, order)
    return order


def _grouped(steps: list[Step]) -> list[Step | Group]:
    order: list[Step | Group] = []
    while steps:
        start = next((i for i, step in enumerate(steps) if _shape(step)), len(steps))
        order += steps[:start]
        if not (steps := steps[start:]):
            break
        group, before, steps = _first_group(steps)
        order += _grouped(before)
        order += [group] if len(group.steps) > 1 and group.operations >= WORTH else group.steps
    return order


def _first_group(steps: list[Step]) -> tuple[Group, list[Step], list[Step]]:
    """Collect what goes together with the first step; give also what comes before and after that."""
    group = Group(_shape(steps[0]) or (), steps[0].errors)
    before: list[Step] = []
    after: list[Step] = []
    own: set[Value] = set()  # values that the group computes
    late: set[Value | Memory] = set()  # values known only after it, and memory written only then
    for step in steps:
        memory = {v.memory.root() for v in (*step.inputs(), *step.outs) if v.memory.written}
        inputs = set(step.inputs())
        if inputs & late or memory & late:
            after.append(step)
            late |= {*step.outs, *memory}
        elif _shape(step) == group.shape and step.errors == group.errors:
            group.steps.append(step)
            (late if is_reduction(step) else own).update(step.outs)
        elif inputs & own:
            after.append(step)
            late |= {*step.outs, *memory}
        else:
            before.append(step)
    return group, before, after


def _shape(step: Step) -> tuple[int, ...] | None:
    """Give the shape of the large arrays that a step goes through element by element; None for others."""
    if not step.settled:
        return None
    if is_reduction(step):
        over = step.args[0]
    elif is_elementwise(step):
        (over,) = step.outs
        if over.layout.kind != "array" or not contiguous(over):
            return None
    else:
        return None
    if over.size < LARGE or not all(_sliceable(value, over.shape) for value in step.inputs()):
        return None
    return over.shape  # type: ignore[no-any-return]


def is_elementwise(step: Step) -> bool:
    """Say whether a step computes each element of its result from those at the same place."""
    if not all(isinstance(x, Value | int | float | complex | np.generic) for x in step.args):
        return step.call in COPYING and _converts(step)
    if elementwise_ufunc(step) or getattr(step.call, "elementwise", False) or step.call in COPYING:
        return step.call not in COPYING or _converts(step)
    if step.call is not np.where or len(step.args) != 3 or step.kwargs:
        return False
    condition = step.args[0]
    return isinstance(condition, Value) and condition.dtype == bool


def _converts(step: Step) -> bool:
    return set(step.kwargs) <= {"copy", "dtype"} and isinstance(step.args[0], Value) and len(step.args) <= 2


def is_reduction(step: Step) -> bool:
    """Say whether a step makes one number of an array, so that parts can be put together."""
    ufunc = getattr(step.call, "__self__", None)
    if getattr(step.call, "__name__", "") != "reduce" or ufunc not in _WITH_PARTS or step.kwargs:
        return False
    x, *axis = step.args
    if not isinstance(x, Value) or len(axis) != 1 or x.layout.kind != "array":
        return False
    return axis[0] is None or axis[0] == tuple(range(len(x.shape))) or (axis[0] == 0 and len(x.shape) == 1)


def _sliceable(value: Value, shape: tuple[int, ...]) -> bool:
    return len(value.shape) <= len(shape)


def _find_ends(group: Group, program: Program, order: Iterable[Step | Group]) -> None:
    """Say what a group reads from outside, and which of its values are read outside."""
    made = {out for step in group.steps for out in step.outs}
    read = set(program.results)
    for other in order:
        if other is not group:
            for step in other.steps if isinstance(other, Group) else [other]:
                read.update(step.inputs())
    inputs = [value for step in group.steps for value in step.inputs() if value not in made]
    group.inputs = list(dict.fromkeys(inputs))
    group.outs = [out for step in group.steps for out in step.outs if out in read]
