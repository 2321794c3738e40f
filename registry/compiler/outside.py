"""What a function reads from outside: names whose values are constants of a plan, until they are bound anew."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any, NamedTuple

import numpy as np

_DATA = (np.ndarray, np.generic, int, float, complex, str, tuple, list, dict)
_NOT_SEARCHED = ("registry", "ops_builtin", "numpy")


class Name(NamedTuple):
    """A name outside of a function, and what it meant when the function was traced."""

    where: CellType | dict[str, Any]
    name: str
    value: Any


def names_outside(f: Callable[..., Any]) -> list[Name]:
    """Find the names of data that a function reads, and the functions that it calls by name."""
    found: dict[tuple[int, str], Name] = {}
    seen: set[int] = set()
    left = [f]
    while left:
        function = _plain(left.pop())
        if function is None or id(function) in seen:
            continue
        seen.add(id(function))
        for place in _read(function):
            if isinstance(place.value, _DATA):
                found[id(place.where), place.name] = place
            elif callable(place.value):
                left.append(place.value)
    return list(found.values())


def _plain(f: Any) -> FunctionType | None:
    """Give the function written in Python that a callable is of."""
    while not isinstance(f, FunctionType):
        if isinstance(f, functools.partial):
            f = f.func
        elif isinstance(f, MethodType):
            f = f.__func__
        elif hasattr(f, "__wrapped__"):
            f = f.__wrapped__
        else:
            return None
    return f


def _read(function: FunctionType) -> Iterator[Name]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield Name(cell, name, cell.cell_contents)
        except ValueError:  # not bound yet
            continue
    names = function.__globals__
    if str(names.get("__name__")).partition(".")[0] not in _NOT_SEARCHED:
        for name in _names_in(function.__code__):
            if name in names:
                yield Name(names, name, names[name])


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)
