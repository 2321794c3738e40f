"""What `forward` stores on `self`, found in its bytecode.

A floating array that `forward` keeps is a constant to the second derivative, so the
backward pass must know which attributes could hold one.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any


def stored_by_forward(cls: type) -> frozenset[str]:
    """Give the names that `forward`, or a method that it calls, assigns as attributes."""
    names: set[str] = set()
    todo, seen = ["forward"], set()
    while todo:
        method = todo.pop()
        function = getattr(cls, method, None)
        if method in seen or not isinstance(function, FunctionType):
            continue
        seen.add(method)
        function = inspect.unwrap(function)
        for code in _with_nested(function.__code__):
            todo += code.co_names
            names |= {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_ATTR"}
    return frozenset(names)


def _with_nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_nested(constant)


def contains_floats(value: Any) -> bool:
    """Say whether a value is, or holds, a floating or complex number or array."""
    if isinstance(value, dict):
        return any(map(contains_floats, value.values()))
    if isinstance(value, list | tuple | set):
        return any(map(contains_floats, value))
    dtype = getattr(value, "dtype", None)
    return isinstance(value, float | complex) if dtype is None else dtype.kind in "fc"
