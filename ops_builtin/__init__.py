"""The built-in operators: a plugin like any other, one module a family.

To add an operator, write its class, or its composite, in the module of its family;
nothing lists it twice.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

from ops_builtin import constants, refused
from registry import hookimpl


@hookimpl
def register_operators() -> Iterator[Any]:
    """Give every public class and composite that a family module defines."""
    for module in pkgutil.iter_modules(__path__):
        family = import_module(f"{__name__}.{module.name}")
        for name, value in list(vars(family).items()):
            is_operator = isinstance(value, type) or hasattr(value, "composite")
            if is_operator and value.__module__ == family.__name__ and not name.startswith("_"):
                yield value


@hookimpl
def register_constant_functions() -> tuple[Callable[..., Any], ...]:
    """Give the NumPy functions whose results carry no gradient."""
    return constants.FUNCTIONS


@hookimpl
def register_refused_functions() -> Mapping[str, str]:
    """Give the NumPy functions that cannot be differentiated, and why."""
    return refused.FUNCTIONS
