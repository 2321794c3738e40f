"""What a function reads from outside: constants of a plan, until their names are bound anew.

Found are the data behind the names that the code of a function mentions: variables of
enclosing functions, globals, attributes, entries of short lists and dicts, and the same
of the functions that it calls by name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from registry.variable import Variable

_DATA = (np.ndarray, np.generic, int, float, complex, str)
_NOT_SEARCHED = ("registry", "ops_builtin", "numpy")
_SHORT = 32  # entries of a list or dict that are looked at, each at every call


class Name(NamedTuple):
    """A name, or the key of an entry, and what it meant when the function was traced.

    `where` is a dict or list, or the cell of a variable.
    """

    where: Any
    name: Any
    value: Any

    @property
    def is_current(self) -> bool:
        """Whether it means that still."""
        try:
            now = self.where.cell_contents if isinstance(self.where, CellType) else self.where[self.name]
        except (LookupError, ValueError):  # deleted
            return False
        return now is self.value


class Outside:
    """The names that a function reads, and the Variables among their values."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.names: list[Name] = []
        self.variables: list[Variable] = []
        self._seen: set[tuple[int, Any]] = set()
        self._function(f)

    def _function(self, f: Any) -> None:
        """Look at the code of a callable, below whatever wraps it."""
        while not isinstance(f, FunctionType):
            if isinstance(f, functools.partial):
                f = f.func
            elif hasattr(f, "__wrapped__"):
                f = f.__wrapped__
            else:
                if not isinstance(f, MethodType):
                    f = getattr(f, "__call__", None)  # noqa: B004, the method itself is asked for
                if isinstance(f, MethodType) and isinstance(f.__func__, FunctionType):
                    self._namespace(f.__self__, f.__func__.__code__)
                    self._function(f.__func__)
                return
        if self._is_seen(f, None):
            return
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
            try:
                self._found(Name(cell, name, cell.cell_contents), f.__code__)
            except ValueError:  # not bound yet
                continue
        if str(f.__globals__.get("__name__")).partition(".")[0] not in _NOT_SEARCHED:
            self._namespace(f.__globals__, f.__code__)

    def _namespace(self, target: Any, code: CodeType) -> None:
        """Look at what code mentions of globals, or of an object and its class."""
        if self._is_seen(target, code):
            return
        names = target if isinstance(target, dict) else getattr(target, "__dict__", {})
        for name in _mentioned(code):
            if name in names:
                self._found(Name(names, name, names[name]), code)
            elif isinstance(method := getattr(type(target), name, None), FunctionType):
                self._function(MethodType(method, target))

    def _found(self, place: Name, code: CodeType) -> None:
        value = place.value
        if self._is_seen(place.where, place.name):
            return
        if isinstance(value, Variable):
            self.variables.append(value)
        elif isinstance(value, _DATA):
            self.names.append(place)
        elif isinstance(value, list | dict | tuple):
            self.names.append(place)
            if len(value) <= _SHORT:
                for key, entry in list(value.items() if isinstance(value, dict) else enumerate(value)):
                    self._found(Name(value, key, entry), code)
        elif not isinstance(value, ModuleType | type):
            if callable(value):
                self._function(value)
            if not isinstance(value, FunctionType | MethodType):
                self._namespace(value, code)

    def _is_seen(self, target: Any, key: Any) -> bool:
        seen = id(target), key
        before = seen in self._seen
        self._seen.add(seen)
        return before


def _mentioned(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _mentioned(constant)
