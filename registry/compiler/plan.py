"""`Plan`: one compiled program, for arguments of one structure, with a look-out for others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from registry import state
from registry.compiler.blocks import Blocks, in_blocks
from registry.compiler.emit import Source
from registry.compiler.guards import guards
from registry.compiler.simplify import simplified
from registry.compiler.tracer import Result, Traces, is_traced
from registry.compiler.values import Branch, Memory, Value
from registry.errors import CompileError
from registry.modes import recording
from registry.structures import like, mapped
from registry.variable import Variable, new_variable

OTHER = object()  # what a plan gives for arguments that it is not for


class Plan:
    """A function of ``(args, kwargs)``, and its source.

    Attributes
    ----------
    run : callable
        Gives the results, or `OTHER` where the arguments are none that it was made for.
    program : Program
        The steps.
    """

    def __init__(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], traces: Traces) -> None:
        self.owners = [value.memory.root() for value in traces.program.results]
        self.program = in_blocks(simplified(traces.program))
        self.plugins = state.default._plugins
        self.changed = guards(traces.places)
        self.branches = [step.line for step in self.program.steps if isinstance(step.call, Branch)]
        self.writes_outside = any(v.memory.outside for step in self.program.steps for v in step.writes)
        source = self.source = Source(self.program)
        self.given: dict[Value, str] = {}
        self.guard(args, kwargs)
        source.arguments()
        source.steps()
        source.write(f"return {self.returned(traces)}")
        self.text = "\n".join(["def plan(args, kwargs):", *source.lines, ""])
        self.run: Callable[..., Any] = source.compiled(f"plan of {name}", self.text)

    @property
    def is_current(self) -> bool:
        """Whether the plugins, and what is outside, are those that it was made with."""
        return state.default._plugins is self.plugins and not any(changed() for changed in self.changed)

    def __str__(self) -> str:
        groups = [step.call.source for step in self.program.steps if isinstance(step.call, Blocks)]
        return "\n".join([self.text, *groups])

    def guard(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Write the lines that take the arguments apart, and see whether they are those expected."""
        source = self.source
        source.bind("OTHER", OTHER)
        source.bind("plugins", self.plugins)
        source.bind("state", state)
        source.bind("recording", recording.get)
        self.refuse(f"state.default._plugins is not plugins or recording() is not {recording.get()}")
        arguments = iter(self.program.arguments)
        self.take("args", args, arguments)
        self.take("kwargs", kwargs, arguments)
        for changed in self.changed:
            self.refuse(f"{source.bind('outside_changed', changed)}()")
        if self.writes_outside:
            source.write(f"{source.called(apart)}({', '.join(self.given.values())})")

    def refuse(self, condition: str, note: str = "") -> None:
        self.source.write(f"if {condition}: return OTHER", note)

    def take(self, name: str, x: Any, arguments: Iterator[Value]) -> None:
        source = self.source
        if isinstance(x, tuple | list | dict):
            kind = source.bind(f"type_{name}", type(x))
            keys = source.bind(f"keys_{name}", tuple(x)) if x and isinstance(x, dict) else len(x)
            seen = f"tuple({name})" if x and isinstance(x, dict) else f"len({name})"
            other = "" if name in ("args", "kwargs") else f"type({name}) is not {kind} or "
            self.refuse(name if name == "kwargs" and not x else f"{other}{seen} != {keys}")
            for i, (key, branch) in enumerate(x.items() if isinstance(x, dict) else enumerate(x)):
                place = source.bind(f"{name}_{i}", None)
                source.write(f"{place} = {name}[{source.expression(key)}]")
                self.take(place, branch, arguments)
        elif is_traced(x):
            value = next(arguments)
            source.names[value] = self.given[value] = name
            kind = source.bind(f"type_{name}", type(x))
            if isinstance(x, np.ndarray):
                dtype = source.bind(f"dtype_{name}", x.dtype)
                other = f"{name}.dtype is not {dtype} and {name}.dtype != {dtype}"
                shape = (
                    f"{name}.shape != {x.shape} or {name}.strides != {x.strides}"
                    if x.ndim
                    else f"{name}.ndim"
                )
                self.refuse(f"type({name}) is not {kind} or {shape} or ({other})")
            else:
                self.refuse(f"type({name}) is not {kind}")
        else:
            expected = source.bind(f"is_{name}", x)
            kind = source.bind(f"type_{name}", type(x))
            self.refuse(f"{name} is not {expected} and (type({name}) is not {kind} or {name} != {expected})")

    def returned(self, traces: Traces) -> str:
        """Write the results in the structure that the function gave."""
        finals = zip(self.program.results, self.owners, strict=True)
        owners: dict[Memory, Memory] = {}
        written = [
            self.result(result, *next(finals), owners)
            if isinstance(result.value, Value)
            else self.source.bind("k", result.value)
            for result in traces.results
        ]
        if _plain(traces.tree):
            return self.tree(traces.tree, iter(written))
        template = self.source.bind("template", mapped(lambda _: 0, traces.tree))
        return f"{self.source.called(like)}({template}, iter(({''.join(x + ', ' for x in written)})))"

    def tree(self, tree: Any, written: Iterator[str]) -> str:
        if tree is None:
            return "None"
        if isinstance(tree, dict):
            branches = [f"{self.source.expression(k)}: {self.tree(x, written)}" for k, x in tree.items()]
            return "{" + ", ".join(branches) + "}"
        if isinstance(tree, list):
            return "[" + ", ".join([self.tree(x, written) for x in tree]) + "]"
        if isinstance(tree, tuple):
            return "(" + "".join([self.tree(x, written) + ", " for x in tree]) + ")"
        return next(written)

    def result(self, result: Result, final: Value, before: Memory, owners: dict[Memory, Memory]) -> str:
        """Write one result: an array that is nobody else's, where that of the plain call is.

        `before` is whose memory it had then, `owners` whose memory each one written so far had.
        """
        source, name = self.source, self.source.name(final)
        memory = final.memory.root()
        shared = owners.setdefault(memory, before) is not before or final.is_constant
        if result.form in ("array", "leaf", "constant"):
            if final in self.given and memory is before:
                name = self.given[final]
            elif final.shape == ():
                name = f"{source.called(np.array)}({name})"
            elif shared or (memory is not before and final.memory.outside):
                name = f"{name}.copy('K')"
            if result.form == "leaf":
                return f"{source.called(Variable)}({name})"
            return name if result.form == "array" else f"{source.called(new_variable)}({name}, None, -1)"
        if result.form == "scalar":
            return name if final.layout.kind == "scalar" else f"{name}[()]"
        return f"{source.bind('form', result.form)}({name})"


def _plain(tree: Any) -> bool:
    """Say whether a structure is of Python's own tuples, lists and dicts."""
    if not isinstance(tree, tuple | list | dict):
        return True
    branches = tree.values() if isinstance(tree, dict) else tree
    return type(tree) in (tuple, list, dict) and all(map(_plain, branches))


def apart(*arguments: Any) -> None:
    """Refuse arguments that share memory, where one of them is written into."""
    arrays = [x for x in arguments if isinstance(x, np.ndarray)]
    if any(np.may_share_memory(x, y) for i, x in enumerate(arrays) for y in arrays[:i]):
        raise CompileError(
            "a compiled function that writes into an argument got two that share memory; pass a copy of one"
        )
