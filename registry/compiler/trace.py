"""`Trace`: one run of a function on traced arrays, whose calls of NumPy become steps."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np

from registry.compiler.traced import Traced, concrete, traced, traced_in
from registry.compiler.values import Branch, Layout, Memory, Step, Value, replaced
from registry.compiler.writing import line_of
from registry.edges import Output
from registry.errors import CompileError
from registry.function import Function
from registry.hookspecs import hookimpl

_CORE = (f"{Path(__file__).parents[1]}/", f"{Path(np.__file__).parent}/", "<opregistry")
_BUILT_IN = str(Path(__file__).parents[2] / "ops_builtin")
_ENDS_OPERATOR = ("registry/recording.py", "registry/backward.py")  # what calls forward and backward
Held = tuple[Any, Memory]  # an array, and the memory of its value
tracing: ContextVar[Trace | None] = ContextVar("opregistry_tracing", default=None)


class Trace:
    """What one run of a function has recorded so far; an observer of the operators that it calls.

    Parameters
    ----------
    name : str
        The function's, for messages.
    opaque : collection of type
        The operators that are run whole.
    run_whole : callable
        Makes an operator's instance record itself as one step, before its forward runs.
    unseen, seen : context manager
        Those of the witness of what runs, if there is one.
    """

    def __init__(
        self,
        name: str,
        opaque: set[type],
        run_whole: Callable[[Function], None],
        unseen: AbstractContextManager[None],
        seen: AbstractContextManager[None],
    ) -> None:
        self.unseen, self.seen = unseen, seen
        self.name = name
        self.opaque = opaque
        self.run_whole = run_whole
        self.steps: list[Step] = []
        self.constants: dict[int, Value] = {}
        self.active: list[Function] = []  # the operators whose forward or backward runs
        self.known: set[int] = set()  # the functions recorded here
        self.leaves: dict[int, tuple[Any, str]] = {}  # weak references: who holds a leaf matters to passes
        self.captured: list[Any] = []
        self.kept: dict[Value, list[Held]] = {}  # what the instances of operators run whole keep
        self.stored: list[tuple[str, Any]] = []  # results of operators run whole, for the comparison
        self.ended = False
        self.failed = ""  # where the last call of NumPy raised an error
        self.refused: CompileError | None = None  # also where the function catches it
        self.refused_in: list[Function] = []
        self.errors: dict[str, Any] = {**np.geterr()}

    def value_of(self, x: Any) -> Any:
        """Give the value of a traced array, that of a constant, or what else a call takes as it is."""
        if isinstance(x, Traced):
            if x._trace is not self:
                raise self._late()
            return x._place
        if isinstance(x, np.ndarray | np.generic):
            if id(x) not in self.constants:
                kept = _copied(x) if isinstance(x, np.ndarray) else x
                self.constants[id(x)] = Value(Layout.of(x), constant=kept)
                self.captured.append(x)  # so that no other array gets its id
            return self.constants[id(x)]
        return x

    def call(
        self,
        call: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        writes: Sequence[Any] = (),
    ) -> Any:
        """Call a function of NumPy on the values, and record that."""
        if self.ended:
            raise self._late()
        with self.unseen:
            return self._call(call, args, kwargs, writes)

    def _call(self, call: Callable[..., Any], args: Any, kwargs: Any, writes: Sequence[Any]) -> Any:
        for target in writes:
            if not isinstance(target, Traced):
                raise self.refusal(
                    "an array made from no argument is written into with traced values",
                    "make it by np.zeros_like or np.empty_like of one that was computed from an argument, or "
                    "use the result in place of out=",
                )
        step = Step(
            call, replaced(args, self.value_of), replaced(kwargs, self.value_of), [],
            writes=tuple([target._place for target in writes]),
            line=self.line(),
        )  # fmt: skip
        step.errors = tuple([(kind, mode) for kind, mode in np.geterr().items() if self.errors[kind] != mode])
        for value in step.writes:
            value.memory.write()
        self.failed = step.line
        token = tracing.set(None)  # what an operator that is run whole calls is part of its step
        args_now, kwargs_now = replaced(args, concrete), replaced(kwargs, concrete)
        try:
            with self.seen:  # it may call functions of the user's
                result = call(*args_now, **kwargs_now)
        finally:
            tracing.reset(token)
        self.failed = ""
        for target in writes:
            if result is None or result is target._value:  # what was written into is the result
                self.steps.append(step)
                return None if result is None else target
        inputs = self.held((args, kwargs))
        inputs += [held for x in traced_in((args, kwargs)) for held in self.kept.get(x._place, ())]
        results = self.results(step, result, inputs)
        self.steps.append(step)
        return results

    def held(self, tree: Any) -> list[Held]:
        """Give the arrays in a structure, constants too: what a step gives may be one of them, or a view."""
        found: list[Held] = []

        def look(x: Any) -> None:
            if isinstance(x, Traced | np.ndarray):
                found.append((concrete(x), self.value_of(x).memory))

        replaced(tree, look)
        return found

    def results(self, step: Step, result: Any, inputs: Sequence[Held]) -> Any:
        """Make traced arrays of what a step gave."""
        step.several = isinstance(result, tuple | list)
        if step.several and any(isinstance(x, tuple | list) for x in result):
            raise self.refusal(
                f"{step.name} gives lists in lists", "call it outside of the compiled function"
            )

        def made(x: Any) -> Any:
            if x is None:
                step.outs.append(Value(Layout.of(x), step=step))
                return None
            if not isinstance(x, np.ndarray | np.generic | bool | int | float | complex | Function):
                raise self.refusal(
                    f"{step.name} gives {type(x).__name__}, which is no array",
                    "call it outside of the compiled function",
                )
            value = Value(Layout.of(x), step=step)
            for other, memory in inputs:
                arrays = isinstance(x, np.ndarray) and isinstance(other, np.ndarray)
                if arrays and np.may_share_memory(x, other):
                    value.memory.join(memory)
            step.outs.append(value)
            return traced(self, value, x)

        if step.several:
            return replaced(result, made)
        return made(result)

    def branch(self, x: Traced) -> bool:
        """Say which way the function goes here, and let the plan be for this way alone."""
        question = "'if', 'while', 'and', 'or' or 'not' asks for a value of the data"
        if self.active and not (type(self.active[-1]) in self.opaque or is_whole(self.active[-1])):
            raise self.refusal(question, "use np.where")
        if any(target.memory.outside for step in self.steps for target in step.writes):
            raise self.refusal(f"{question} after an argument was written into", "write into a copy")
        way = bool(x._value)
        self.steps.append(Step(Branch(way), (x._place,), {}, [], line=self.line()))
        return way

    def _late(self) -> CompileError:
        return CompileError(
            f"{self.name}: what stands in for an array while a function is traced was kept, and is used at "
            f"{self.line()}; keep nothing outside of the function, and return it instead"
        )

    def argument(self, x: Any) -> Traced:
        """Make a traced array of an argument, which belongs to this trace alone."""
        value = Value(Layout.of(x))
        value.memory._outside = True
        return traced(self, value, x)

    def operator(self) -> str:
        """Name the operator that runs now, as the beginning of a sentence."""
        return f"{self.active[-1]}, " if self.active else ""

    def refusal(self, what: str, instead: str) -> CompileError:
        """Make the error that says what cannot be traced, where, and what to do; it is the trace's, too."""
        error = CompileError(
            f"{self.name} cannot be compiled: {self.operator()}{what}, at {self.line()}; {instead}"
        )
        if self.refused is None:
            self.refused, self.refused_in = error, [*self.active]
        return error

    def line(self) -> str:
        """Give ``file:line: text`` of the user's code that runs now."""
        frame = sys._getframe(1)
        inside = bool(self.active)
        while frame.f_back is not None:
            file = frame.f_code.co_filename
            if file.startswith(_CORE):
                inside = inside and not file.endswith(_ENDS_OPERATOR)
            elif not inside and not file.startswith(_BUILT_IN) and "/pluggy/" not in file:
                break
            frame = frame.f_back
        return line_of(frame.f_code.co_filename, frame.f_lineno)

    # The observer: which operator runs, and what the recorded graph reaches.

    @hookimpl
    def before_forward(self, function: Function, xs: tuple[Any, ...]) -> None:
        if tracing.get() is not self:
            return
        self.known.add(id(function))  # one from outside lives on, so no new one gets its id
        for edge in function._edges:
            self._check_edge(edge)
        if type(function) in self.opaque:
            self.run_whole(function)
        self.active.append(function)

    def _check_edge(self, edge: Any) -> None:
        if edge is None:
            return
        if isinstance(edge, Function | Output):
            if id(edge.function if isinstance(edge, Output) else edge) not in self.known:
                raise self.refusal(
                    "a Variable that was computed outside takes part",
                    "compute it inside, or pass its array as an argument",
                )
            return
        leaf = edge()
        if leaf is not None and not isinstance(leaf._value, Traced) and id(leaf) not in self.leaves:
            self.leaves[id(leaf)] = edge, self.line()

    @hookimpl
    def after_forward(self) -> None:
        if tracing.get() is self and self.active:
            self.active.pop()

    @hookimpl
    def before_backward(self, function: Function) -> None:
        if tracing.get() is self:
            self.active.append(function)

    @hookimpl
    def after_backward(self) -> None:
        if tracing.get() is self and self.active:
            self.active.pop()


def is_whole(function: Function) -> bool:
    """Say whether this instance of an operator is one that is run whole."""
    return hasattr(function, "_original")


def _copied(x: Any) -> Any:
    """Copy an array; of what is broadcast, one of the equal parts."""
    if 0 not in x.strides or not x.size:
        return x.copy("K")
    part = x[tuple([slice(None) if stride else slice(1) for stride in x.strides])]
    return np.broadcast_to(part.copy("K"), x.shape)
