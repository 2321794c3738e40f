"""A program written out as the source of one Python function: a line for each step.

Numbers are computed as NumPy's scalars, by Python's operators: 34 ns for a product, where
two 0-d arrays take 320.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from registry.compiler.buffers import Buffers
from registry.compiler.values import INFIX, Attribute, Branch, Method, Program, Step
from registry.compiler.writing import Writer, is_name

_SIGNS: dict[Any, str] = {
    np.add: "{} + {}", np.subtract: "{} - {}", np.multiply: "{} * {}", np.true_divide: "{} / {}",
    np.negative: "-{}", np.positive: "+{}",
}  # fmt: skip
_SIGNS |= {call: _SIGNS[ufunc] for call, ufunc in INFIX.items() if ufunc in _SIGNS}


class Source(Writer):
    """The source of a plan."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program
        self.lines: list[str] = []
        self.buffers = Buffers(program)

    def write(self, line: str, note: str = "") -> None:
        note = " ".join(note.split())  # a file's name may have line breaks, which would end the comment
        self.lines.append(f"    {line:<60}  # {note}" if note else f"    {line}")

    def arguments(self) -> None:
        """Take the number out of arrays of one."""
        for value in self.program.arguments:
            if value.layout.kind == "array" and value.shape == () and not value.memory.written:
                given = self.names[value]
                self.names[value] = f"{given}_number"
                self.write(f"{given}_number = {given}[()]")

    def steps(self) -> None:
        errors: Any = ()
        for i, step in enumerate(self.program.steps):
            if step.errors != errors and (errors := step.errors):
                modes = ", ".join(f"{kind}={mode!r}" for kind, mode in errors)
                self.write(f"with {self.called(np.errstate)}({modes}):")
            inside = "    " if errors else ""
            self.write(inside + self.statement(i, step), self.note(step))
            if dead := self.buffers.dying.get(i):
                self.write(f"{inside}del {', '.join(map(self.name, dead))}")

    def note(self, step: Step) -> str:
        return ", ".join(str(out.layout) for out in step.outs) or step.line

    def statement(self, i: int, step: Step) -> str:
        if isinstance(step.call, Branch):
            return f"if {'not ' if step.call.way else ''}{self.expression(step.args[0])}: return OTHER"
        if not step.outs:
            return self.call(step)
        if taken := self.buffers.taken.get(i):
            operands, target = self.operands(step), self.name(taken)
            self.names[step.outs[0]] = target
            return f"{target} = {self.called(step.call)}({', '.join(operands)}, out={target})"
        outs = ", ".join(map(self.name, step.outs))
        if not step.several and step.outs[0].shape == () and step.outs[0].memory.written:
            return f"{outs} = {self.called(np.asarray)}({self.call(step)})"  # a scalar is not written into
        if step.several and len(step.outs) == 1:
            outs = f"({outs},)"
        return f"{outs} = {self.call(step)}"

    def call(self, step: Step) -> str:
        if (sign := _SIGNS.get(step.call)) and not step.kwargs and _of_numbers(step):
            dtype = step.outs[0].dtype
            return sign.format(*[self.number(x, dtype) for x in step.args])
        if step.call is np.square and _of_numbers(step):
            return "{0} * {0}".format(self.number(step.args[0], None))
        args = self.operands(step)
        if all(map(is_name, step.kwargs)):
            args += [f"{key}={self.expression(x)}" for key, x in step.kwargs.items()]
        else:
            args.append(f"**{self.expression(step.kwargs)}")
        if step.call is operator.getitem:
            return f"{args[0]}[{self.index(step.args[1])}]"
        if step.call is operator.setitem:
            return f"{args[0]}[{self.index(step.args[1])}] = {args[2]}"
        if step.call is np.asarray and len(args) == 1 and not step.outs[0].memory.written:
            return f"{self.called(step.outs[0].dtype.type)}({args[0]})"
        if isinstance(step.call, Attribute):
            return f"{args[0]}.{step.call.__name__}"
        if isinstance(step.call, Method):
            return f"{args[0]}.{step.call.__name__}({', '.join(args[1:])})"
        return f"{self.called(step.call)}({', '.join(args)})"


def _of_numbers(step: Step) -> bool:
    """Say whether a step is one of single floating numbers, which Python's operators take as NumPy does."""
    values = [*step.outs, *step.inputs()]
    if any(value.memory.written or value.shape for value in values):
        return False
    if isinstance(step.call, np.ufunc) and all(value.dtype is None for value in step.inputs()):
        return False  # NumPy makes a scalar of its own of a Python number
    return all(value.dtype is None or value.dtype.kind in "fc" for value in values)
