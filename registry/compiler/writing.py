"""Source code as it grows: names for values and for what is called, and calls written out."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Hashable
from itertools import count
from keyword import iskeyword
from typing import Any

import numpy as np

from registry.compiler.values import Step, Value

_ARITHMETIC = {np.add, np.subtract, np.multiply, np.true_divide, np.maximum, np.minimum}
_numbers = count()


class Writer:
    """The names in a source, and what they mean."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {}
        self.names: dict[Value, str] = {}
        self._called: dict[Any, str] = {}

    def bind(self, name: str, x: Any) -> str:
        """Give something a name in the source, which is free."""
        while name in self.namespace:
            name += "_"
        self.namespace[name] = x
        return name

    def name(self, value: Value) -> str:
        """Give the name of a value."""
        if value not in self.names:
            self.names[value] = (
                self.bind(f"c{len(self.names)}", _number_of(value))
                if value.is_constant
                else f"v{len(self.names)}"
            )
        return self.names[value]

    def expression(self, x: Any) -> str:
        """Write an argument of a call."""
        if isinstance(x, Value):
            return self.name(x)
        if isinstance(x, tuple) and not hasattr(x, "_fields"):
            return "(" + "".join(f"{self.expression(branch)}, " for branch in x) + ")"
        if isinstance(x, list):
            return "[" + ", ".join(map(self.expression, x)) + "]"
        if isinstance(x, dict):
            return "{" + ", ".join(f"{self.expression(k)}: {self.expression(v)}" for k, v in x.items()) + "}"
        if isinstance(x, slice):
            return f"slice({', '.join(map(self.expression, (x.start, x.stop, x.step)))})"
        if x is None or x is Ellipsis or type(x) in (bool, int, str):
            return repr(x)
        if type(x) is float and np.isfinite(x):
            return repr(x)
        if isinstance(x, np.dtype) and x.isnative and x.kind in "biufc":
            return self.called(x.type)
        return self.bind(f"k{len(self.namespace)}", x)

    def operands(self, step: Step) -> list[str]:
        """Write the arguments; numbers beside arrays as NumPy's, which saves 0.5 us."""
        dtypes = {value.dtype for value in (*step.inputs(), *step.outs)}
        if step.call in _ARITHMETIC and step.outs and len(dtypes) == 1 and step.outs[0].dtype.kind in "fc":
            return [self.number(x, step.outs[0].dtype) for x in step.args]
        return [self.expression(x) for x in step.args]

    def index(self, x: Any) -> str:
        """Write an index as one does by hand."""
        if isinstance(x, tuple) and x:
            return ", ".join(map(self.index, x)) + ("," if len(x) == 1 else "")
        if isinstance(x, slice):
            ends = ["" if end is None else self.expression(end) for end in (x.start, x.stop, x.step)]
            return ":".join(ends if ends[2] else ends[:2])
        return self.expression(x)

    def number(self, x: Any, dtype: Any) -> str:
        """Write a number; Python's as NumPy's of the result's dtype, which takes half of the time."""
        if isinstance(x, Value):
            return self.name(x)
        if isinstance(x, np.generic) or dtype is None:
            return self.expression(x)
        return self.bind(f"k{len(self.namespace)}", dtype.type(x))

    def called(self, call: Callable[..., Any]) -> str:
        """Give the name of what is called."""
        key = call if isinstance(call, Hashable) else id(call)
        if key not in self._called:
            owner = getattr(call, "__self__", None)
            name = getattr(call, "__name__", "call")
            name = f"{owner.__name__}_{name}" if isinstance(owner, np.ufunc) else name
            self._called[key] = self.bind(name if is_name(name) else "call", call)
        return self._called[key]

    def compiled(self, title: str, source: str) -> Any:
        """Make the first function of a source, which tracebacks can show."""
        filename = f"<opregistry {title} {next(_numbers)}>"
        linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
        exec(compile(source, filename, "exec"), self.namespace)
        return self.namespace[source[4 : source.index("(")]]


def line_of(file: str, number: int) -> str:
    """Give ``file:line: text``, as far as the text is known."""
    text = linecache.getline(file, number).strip()
    return f"{file}:{number}" + (f": {text}" if text else "")


def is_name(text: Any) -> bool:
    """Say whether a text can stand in a source as a name, and nothing else."""
    return type(text) is str and text.isidentifier() and not iskeyword(text)


def _number_of(value: Value) -> Any:
    return np.asarray(value.constant)[()] if not value.memory.written else value.constant
