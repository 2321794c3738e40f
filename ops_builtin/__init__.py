"""The built-in operators: a plugin like any other, one module a family.

To add an operator, write its class, or its composite, in the module of its family;
nothing lists it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ops_builtin import constants, refused
from registry import hookimpl, operators_in


@hookimpl
def register_operators() -> Iterator[Any]:
    """Give every public class and composite that a family module defines."""
    return operators_in(__name__)


@hookimpl
def register_constant_functions() -> tuple[Callable[..., Any], ...]:
    """Give the NumPy functions whose results carry no gradient."""
    return constants.FUNCTIONS


@hookimpl
def register_refused_functions() -> Mapping[str, str]:
    """Give the NumPy functions that cannot be differentiated, and why."""
    return refused.FUNCTIONS
