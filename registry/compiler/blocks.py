"""All steps of a group on a block that stays in cache, then on the next one, by several threads."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import numpy as np

from registry.compiler.buffers import contiguous
from registry.compiler.groups import COPYING, Group, grouped, is_reduction
from registry.compiler.values import Program, Step, Value, values_in
from registry.compiler.writing import Writer
from registry.threads import threads

BLOCK = 1 << 18  # bytes of one array in a block: from 1 << 17 to 1 << 20 it makes little difference
SHARED = 1 << 21  # operations from which several threads win; to hand blocks out takes 0.1 ms


def in_blocks(program: Program) -> Program:
    """Give the same program, in which steps on large arrays go block by block."""
    steps = [_as_step(entry) if isinstance(entry, Group) else entry for entry in grouped(program)]
    return Program(program.arguments, steps, program.results)


def _as_step(group: Group) -> Step:
    call = Blocks(group)
    step = Step(call, tuple(group.inputs), {}, group.outs, several=True, errors=group.errors)
    for out in group.outs:
        out.step = step
    return step


class Blocks:
    """The call that computes a group.

    Attributes
    ----------
    source : str
        What it runs.
    count : int
        How many blocks there are.
    is_shared : bool
        Whether several threads go through them.
    """

    def __init__(self, group: Group) -> None:
        self.__name__ = "blocks"
        self.flat = all(contiguous(v) if v.shape == group.shape else v.size == 1 for v in group.inputs)
        length = group.size if self.flat else group.shape[0]
        itemsize = max(out.dtype.itemsize for step in group.steps for out in step.outs)
        self.rows = max(BLOCK // (itemsize * (group.size // length)), 1)
        self.count = ceil(length / self.rows)
        self.is_shared = group.operations >= SHARED and self.count > 1
        writer = _Block(group, self)
        self.source = writer.source()
        self._run: Callable[..., tuple[Any, ...]] = writer.compiled("blocks", self.source)

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        return self._run(*inputs)


class _Block(Writer):
    """The source of a group."""

    def __init__(self, group: Group, blocks: Blocks) -> None:
        super().__init__()
        self.group, self.blocks = group, blocks
        self.row = () if blocks.flat else group.shape[1:]
        self.head: list[str] = []
        self.slots: list[tuple[str, Any]] = []  # scratch arrays, one for each thread
        self.free: dict[Any, list[str]] = {}
        self.left = self._uses()

    def source(self) -> str:
        group, rows, total = self.group, self.blocks.rows, self.blocks.count
        given = [f"x{i}" for i in range(len(group.inputs))]
        reductions: list[tuple[Step, str]] = []
        outs: list[str] = []
        body: list[str] = []
        for x, value in zip(given, group.inputs, strict=True):
            self.names[value] = self._input(x, value, body)
        for out in group.outs:
            if out.shape == group.shape:
                name = f"out{len(outs)}"
                outs.append(name)
                self.head.append(
                    f"{name} = {self.called(np.empty)}({self._whole()}, {self.expression(out.dtype)})"
                )
                body.append(f"{name}_ = {name}[lo:hi]")
                self.names[out] = f"{name}_"
        for step in group.steps:
            if is_reduction(step):
                name = f"parts{len(reductions)}"
                reductions.append((step, name))
                self.head.append(f"{name} = [None] * {total}")
                body.append(f"{name}[i] = {self.called(step.call)}({self.expression(step.args[0])}, None)")
            else:
                body += self._step(step)
            self._release(step)
        scratch = ", ".join(f"{name}s" for name, _ in self.slots)
        made = ", ".join(f"{self.called(np.empty)}({(rows, *self.row)}, {dtype})" for _, dtype in self.slots)
        lines = ["def blocks(" + ", ".join(given) + "):", *[f"    {line}" for line in self.head]]
        lines += ["    unused = []", "    def compute(i):", f"        lo, hi = i * {rows}, (i + 1) * {rows}"]
        if scratch:
            lines.append(f"        scratch = unused.pop() if unused else ({made},)")
            lines.append(f"        {scratch}, = scratch")
            length = self.group.size if self.blocks.flat else self.group.shape[0]
            cut = ", ".join(f"{name}s[:{length} - lo]" for name, _ in self.slots)
            lines.append(f"        {', '.join(name for name, _ in self.slots)}, = ({cut},)")
        lines += [f"        {line}" for line in body]
        if scratch:
            lines.append("        unused.append(scratch)")
        if self.blocks.is_shared:
            lines.append(f"    {self.bind('run', threads.run)}({total}, compute)")
        else:
            lines.append(f"    for i in range({total}): compute(i)")
        put_together = {step.outs[0]: f"{self.called(step.call)}({name}, None)" for step, name in reductions}
        names = iter(outs)
        results = [
            next(names) + ("" if self.row or len(out.shape) == 1 else f".reshape({out.shape})")
            if out.shape == group.shape
            else put_together[out]
            for out in group.outs
        ]
        lines.append(f"    return {', '.join(results)},")
        return "\n".join([*lines, ""])

    def _whole(self) -> str:
        return repr((self.group.size,) if self.blocks.flat else self.group.shape)

    def _input(self, x: str, value: Value, body: list[str]) -> str:
        """Give the name of an input in a block: its part of an array, or all of a small one."""
        if value.shape == self.group.shape:
            if self.blocks.flat and len(value.shape) > 1:
                self.head.append(f"{x} = {x}.reshape(-1)")
        elif self.blocks.flat:
            if value.shape:
                self.head.append(f"{x} = {x}.reshape(())[()]")
            return x
        elif len(value.shape) < len(self.group.shape) or value.shape[0] == 1:
            return x
        body.append(f"{x}_ = {x}[lo:hi]")
        return f"{x}_"

    def _uses(self) -> dict[Value, int]:
        left: dict[Value, int] = {}
        for step in self.group.steps:
            for value in step.inputs():
                left[value] = left.get(value, 0) + 1
        return left

    def _release(self, step: Step) -> None:
        """Give back the scratch arrays of values that no later step reads."""
        for value in (*step.inputs(), *step.outs):
            if value in step.inputs():
                self.left[value] -= 1
            name = self.names.get(value)
            if self.left.get(value, 0) == 0 and name and name.startswith("t"):
                self.free.setdefault(value.dtype, []).append(name)

    def _target(self, step: Step) -> str:
        """Give the array that a step writes into: an input that dies here, where there is one."""
        (out,) = step.outs
        if out in self.names:
            return self.names[out]
        uses = list(step.inputs())
        for value in uses if step.call is not np.where else values_in(step.args[2]):
            name = self.names.get(value, "")
            dies = self.left.get(value) == uses.count(value)
            if dies and name.startswith("t") and value.dtype == out.dtype:
                self.names[out] = name
                self.names[value] = f"({name})"  # its array is the result's now
                return name
        if free := self.free.get(out.dtype):
            self.names[out] = free.pop()
        else:
            self.names[out] = f"t{len(self.slots)}"
            self.slots.append((f"t{len(self.slots)}", self.expression(out.dtype)))
        return self.names[out]

    def _step(self, step: Step) -> list[str]:
        args = self.operands(step)
        target = self._target(step)
        copy = self.called(np.copyto)
        if step.call is np.where:
            first = [f"{copy}({target}, {args[2]}, 'unsafe')"] if target != args[2] else []
            return [*first, f"{copy}({target}, {args[1]}, 'unsafe', {args[0]})"]
        if step.call in COPYING:
            return [f"{copy}({target}, {args[0]}, 'unsafe')"]
        return [f"{self.called(step.call)}({', '.join(args)}, out={target})"]
