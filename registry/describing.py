"""How arrays, operators and their constants are shown to people, in a line."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import Parameter
from typing import Any

import numpy as np

from registry.catalog import BUILTIN, StandIn
from registry.function import Function
from registry.helpers import constant_parameters
from registry.state import default_registry
from registry.variable import Variable

_FEW = 3  # elements that are shown
_LONG = 60  # characters that are shown


def described(x: Any) -> str:
    """Describe an array by dtype and shape, a small one by its numbers, and anything else briefly.

    Examples
    --------
    >>> [described(x) for x in (np.ones((2, 3), np.float32), np.array([1.0, 0.5]), np.float64(2), None)]
    ['float32 (2, 3)', '[1. 0.5]', '2.0', 'None']
    >>> described((slice(None), np.arange(100)))
    '(slice(None, None, None), int64 (100,))'
    """
    if isinstance(x, Variable):
        x = x._value
    if isinstance(x, tuple | list):
        return f"({', '.join(map(described, x))})"
    if isinstance(x, StandIn):
        return repr(x)
    if isinstance(x, np.ndarray) and x.ndim and not (x.ndim == 1 and x.size <= _FEW):
        return f"{x.dtype} {x.shape}"
    text = " ".join(str(x).split())
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."


def operator_name(cls: type[Function]) -> str:
    """Name an operator as people call it, with its plugin where that is none of the built-ins."""
    entry = default_registry().entry(cls)
    if entry is None:
        return cls.__qualname__.rpartition(".")[2]
    return entry.name if entry.plugin == BUILTIN else f"{entry.plugin}.{entry.name}"


def constants_of(function: Function) -> Iterator[str]:
    """Give the constants that were kept under their own names and are not the defaults, as ``axis=0``."""
    for parameter in constant_parameters(type(function)):
        value = getattr(function, parameter.name, Parameter.empty)
        if value is not Parameter.empty and repr(value) != repr(parameter.default):
            yield f"{parameter.name}={described(value)}"
