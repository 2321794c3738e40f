"""Which array a step writes its result into: one that nothing reads any more, where there is one."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from registry.compiler.values import Memory, Program, Step, Value

REUSED = 1 << 14  # bytes; below, the search for a keyword costs what an allocation does


def elementwise_ufunc(step: Step) -> bool:
    """Say whether a step is the plain call of a ufunc that goes element by element, to one result."""
    call = step.call
    return isinstance(call, np.ufunc) and call.signature is None and call.nout == 1 and not step.kwargs


class Buffers:
    """For each step the dead value whose array it takes, and the values that die with it.

    Attributes
    ----------
    taken : dict of int to Value
        Index of a step -> the value whose array becomes that of the result.
    dying : dict of int to list of Value
        Index of a step -> large values that nobody reads after it.
    """

    def __init__(self, program: Program) -> None:
        self.taken: dict[int, Value] = {}
        self.dying: dict[int, list[Value]] = {}
        self._last = _last_uses(program)
        free: list[tuple[float, Value]] = []  # since which step, and whose array
        for i, step in enumerate(program.steps):
            free += [(self._end(v), v) for v in self._owned(step) if self._end(v) < inf]
            if (chosen := self._chosen(i, step, free)) is not None:
                free.remove(chosen)
                self.taken[i] = chosen[1]
        for end, value in free:
            self.dying.setdefault(int(end), []).append(value)

    def _end(self, value: Value) -> float:
        return self._last[value.memory.root()]

    def _owned(self, step: Step) -> list[Value]:
        """Give the large results whose arrays are new, and nobody else's."""
        inputs = {value.memory.root() for value in step.inputs()}
        own = [out for out in step.outs if out.layout.own and not out.memory.written]
        return [out for out in own if out.memory.root() not in inputs and out.shape and out.nbytes >= REUSED]

    def _chosen(self, i: int, step: Step, free: list[tuple[float, Value]]) -> Any:
        if step.call is not np.matmul and not elementwise_ufunc(step):
            return None
        (out,) = step.outs
        if not out.shape or out.nbytes < REUSED or not contiguous(out) or out.memory.written:
            return None
        latest = i if step.call is not np.matmul else i - 1  # a product cannot go over its factors
        fitting = [
            entry for entry in free
            if entry[0] <= latest and entry[1].shape == out.shape and entry[1].dtype == out.dtype
            and contiguous(entry[1]) and entry[1] is not out
        ]  # fmt: skip
        return max(fitting, key=lambda entry: entry[0], default=None)  # the last one used is in cache


def contiguous(value: Value) -> bool:
    """Say whether a value's elements lie one after the other, the last axis first."""
    expected = value.dtype.itemsize
    for length, stride in zip(value.shape[::-1], value.layout.strides[::-1], strict=True):
        if length != 1 and stride != expected:
            return False
        expected *= length
    return True


def _last_uses(program: Program) -> dict[Memory, float]:
    """Give for each memory the last step that reads or writes there; inf for the results'."""
    last: dict[Memory, float] = {}
    for i, step in enumerate(program.steps):
        for value in (*step.inputs(), *step.outs):
            last[value.memory.root()] = i
    last.update((value.memory.root(), inf) for value in (*program.results, *program.arguments))
    return last
