"""What goes into `forward` and comes out of it: made arrays, or refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from registry.catalog import StandIn
from registry.errors import UnsupportedTypeError
from registry.variable import Variable, as_array

if TYPE_CHECKING:
    from registry.function import Function

_WEAK = (bool, int, float, complex)


def make_constants_arrays(function: Function, inputs: Sequence[Any], xs: list[Any]) -> None:
    """Make arrays of what is no Variable, lists too; a Python number takes the others' dtype."""
    weak = []
    for i, x in enumerate(inputs):
        if type(x) in _WEAK or (isinstance(x, StandIn) and x.weak):
            weak.append(i)
        elif x is not None and not isinstance(x, Variable):
            try:
                xs[i] = as_array(np.asarray(x) if isinstance(x, list | tuple) else x)
            except UnsupportedTypeError as error:
                raise UnsupportedTypeError(f"{function}, input {i}: {error}") from None
    if weak:
        dtype = np.result_type(
            *[x.promoted if isinstance(x, StandIn) else getattr(x, "dtype", x) for x in xs if x is not None]
        )
        for i in weak:
            x = xs[i]
            xs[i] = x.converted(dtype) if isinstance(x, StandIn) else np.asarray(x, dtype)


def explain(function: Function, error: Exception, inputs: Sequence[Any]) -> None:
    """Note on an error of `forward` which operator it came from, and what it was given."""
    given = ", ".join(
        "an empty Variable (data is None)"
        if isinstance(x, Variable) and x._value is None
        else f"{getattr(x, 'dtype', type(x).__name__)} {getattr(x, 'shape', '')}".rstrip()
        for x in inputs
    )
    error.add_note(f"in forward of {function}, given {given}")
    for kind in {type(x._value) for x in inputs if isinstance(x, Variable)}:
        for name in ("__array_ufunc__", "__array_function__"):
            if getattr(kind, name, kind) is None:
                error.add_note(f"{kind} has {name} = None: it refuses such functions of NumPy")


def checked_result(function: Function, ys: Any) -> Any:
    """Make an array of what `forward` gave, or a tuple of arrays; refuse anything else by name."""
    if isinstance(ys, tuple):
        return tuple([_checked(function, y) for y in ys])
    return _checked(function, ys)


def _checked(function: Function, y: Any) -> Any:
    if y is None:
        raise UnsupportedTypeError(
            f"{function}: forward returned None; return an array, or a tuple of arrays"
        )
    try:
        return as_array(y)
    except UnsupportedTypeError as error:
        raise UnsupportedTypeError(
            f"{function}: forward returned {type(y)}; return an array, or a tuple of arrays ({error})"
        ) from None
