"""The values of an expression's names, as the command line gives them: ``x=0.5``, ``w=@w.npy``."""

from __future__ import annotations

import keyword
from collections.abc import Iterable

import numpy as np

from registry.cli.errors import UsageError
from registry.cli.files import FORMS, read_numbers
from registry.numpy_protocol import Array


def read_values(given: Iterable[str]) -> dict[str, Array]:
    """Read ``name=value`` pairs into arrays of floating numbers.

    Raises
    ------
    UsageError
        If one cannot be read, or a name is given twice.
    """
    values: dict[str, Array] = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals:
            raise UsageError(f"{item!r} is no value: write name=value, where value is {FORMS}")
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UsageError(f"{name!r} in {item!r} cannot be a name; use a Python identifier such as x")
        if name in values:
            raise UsageError(f"the value {name!r} is given twice")
        values[name] = _floating(_read(name, text))
    return values


def _read(name: str, text: str) -> Array:
    try:
        return read_numbers(text[1:]) if text.startswith("@") else np.asarray(float(text))
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
    except ValueError:
        raise UsageError(f"{name}: {text!r} is not a number; write {FORMS}") from None


def _floating(array: Array) -> Array:
    """Give integers and booleans as float64; keep the floating types."""
    return array.astype(np.float64) if array.dtype.kind in "biu" else array
