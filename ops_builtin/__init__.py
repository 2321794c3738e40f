"""The built-in operators: a plugin like any other, one module a family.

To add an operator, write its class in the module of its family; nothing lists it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ops_builtin import (
    arithmetic,
    complex_numbers,
    constants,
    explog,
    extrema,
    indexing,
    joining,
    linalg,
    reductions,
    shapes,
    trigonometry,
)
from registry import Function, hookimpl

FAMILIES = (
    arithmetic,
    explog,
    trigonometry,
    extrema,
    complex_numbers,
    reductions,
    shapes,
    joining,
    indexing,
    linalg,
)


@hookimpl
def register_operators() -> Iterator[type[Function]]:
    """Give every public class that a family module defines."""
    for family in FAMILIES:
        for name, value in list(vars(family).items()):
            if isinstance(value, type) and value.__module__ == family.__name__ and not name.startswith("_"):
                yield value


@hookimpl
def register_constant_functions() -> tuple[Callable[..., Any], ...]:
    """Give the NumPy functions whose results carry no gradient."""
    return constants.FUNCTIONS
