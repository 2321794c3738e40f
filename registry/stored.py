"""Which attributes of an operator are constants to its second derivative, from its bytecode.

A floating array that `forward` keeps on `self` depends on the inputs, so a recorded
backward must not read it. What `__init__` assigned, and `forward` does not, is safe.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType, NoneType
from typing import Any

_WITHOUT_FLOATS = frozenset((NoneType, bool, int, str, slice))


def set_by_init(cls: type) -> frozenset[str]:
    """Give the names that `__init__` assigns as attributes and `forward` does not."""
    made = assigned(cls, "__init__") | assigned(cls, "__post_init__")
    return made - assigned(cls, "forward")


def stores_nothing(cls: type) -> bool:
    """Say that no instance holds anything: there is no `__init__`, and `forward` does not touch `self`."""
    forward = inspect.unwrap(cls.forward)  # type: ignore[attr-defined]
    if cls.__init__ is not object.__init__:  # type: ignore[misc]
        return False
    if not isinstance(forward, FunctionType):
        return True  # a ufunc, or a function of the standard library
    code = forward.__code__
    own = code.co_varnames[0] if code.co_argcount else None
    touched = any(i.argval == own for i in dis.get_instructions(code))
    return not touched and own not in code.co_cellvars and "super" not in code.co_names


def stored_floats(function: Any, safe: frozenset[str]) -> list[str]:
    """Give the attributes outside `safe` that hold a floating or complex number or array.

    A list, dict or set counts even where `__init__` made it: forward can have filled it.
    """
    attributes = vars(function)
    if function._own_slots:
        attributes = attributes | {
            n: getattr(function, n) for n in function._own_slots if hasattr(function, n)
        }
    found = []
    for name, value in attributes.items():
        if type(value) in _WITHOUT_FLOATS:
            continue
        filled = isinstance(value, list | dict | set) and name not in function.constants
        if (name not in safe or filled) and _contains_floats(value):
            found.append(name)
    return found


def assigned(cls: type, method: str) -> frozenset[str]:
    """Give the names that a method, or one that it calls, assigns as attributes."""
    names: set[str] = set()
    todo, seen = [method], set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for base in cls.__mro__:
            function = inspect.unwrap(vars(base).get(name))  # type: ignore[arg-type]
            if isinstance(function, FunctionType):
                for code in _with_nested(function.__code__):
                    todo += code.co_names
                    names |= {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_ATTR"}
    return frozenset(names)


def _with_nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_nested(constant)


def _contains_floats(value: Any) -> bool:
    if type(value) in _WITHOUT_FLOATS:
        return False
    if isinstance(value, dict):
        return any(map(_contains_floats, value.values()))
    if isinstance(value, list | tuple | set):
        return any(map(_contains_floats, value))
    dtype = getattr(value, "dtype", None)
    return isinstance(value, float | complex) if dtype is None else dtype.kind in "fc"
