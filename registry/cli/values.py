"""The values of an expression's names, as the command line gives them: ``x=0.5``, ``w=@w.npy``."""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.lib.npyio import NpzFile

from registry.cli.errors import UsageError
from registry.numpy_protocol import Array

_FORMS = "a number such as 0.5, or @file.npy, @file.npz, @file.npz:key, @file.csv"


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
            raise UsageError(f"{item!r} is no value: write name=value, where value is {_FORMS}")
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UsageError(f"{name!r} in {item!r} cannot be a name; use a Python identifier such as x")
        if name in values:
            raise UsageError(f"the value {name!r} is given twice")
        values[name] = _floating(name, _read(name, text))
    return values


def _read(name: str, text: str) -> Array:
    if text.startswith("@"):
        return _read_file(name, text[1:])
    try:
        return np.asarray(float(text))
    except ValueError:
        raise UsageError(f"{name}: {text!r} is not a number; write {_FORMS}") from None


def _read_file(name: str, text: str) -> Array:
    text, _, key = text.partition(".npz:") if ".npz:" in text else (text, "", "")
    path = Path(text + ".npz" if key else text)
    readers = {".npy": _load, ".npz": _load, ".csv": _load_csv}
    if path.suffix.lower() not in readers:
        raise UsageError(f"{name}: cannot tell what {str(path)!r} holds; write {_FORMS}")
    try:
        loaded = readers[path.suffix.lower()](path)
        return _chosen(loaded, key) if isinstance(loaded, dict) else loaded
    except OSError as error:
        raise UsageError(f"{name}: cannot read {str(path)!r}: {error.strerror or error}") from None
    except (ValueError, KeyError, EOFError, BadZipFile, MemoryError) as error:
        reason = error.args[0] if error.args else type(error).__name__
        raise UsageError(f"{name}: cannot read numbers from {str(path)!r}: {reason}") from None


def _load(path: Path) -> Any:
    with path.open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        return dict(loaded) if isinstance(loaded, NpzFile) else loaded


def _chosen(arrays: dict[str, Array], key: str) -> Array:
    names = ", ".join(arrays) or "no array at all"
    if key:
        if key not in arrays:
            raise KeyError(f"it has no {key!r}, but {names}")
        return arrays[key]
    if len(arrays) != 1:
        raise KeyError(f"it holds {names}; choose one: @file.npz:key")
    return next(iter(arrays.values()))


def _load_csv(path: Path) -> Array:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    if lines and lines[0].strip(" ,") and not any(map(_is_number, lines[0].split(","))):
        lines = lines[1:]  # a header
    if not any(map(str.strip, lines)):
        raise ValueError("it holds none")
    return np.loadtxt(lines, delimiter=",")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _floating(name: str, array: Array) -> Array:
    """Give integers and booleans as float64; keep the floating types."""
    if array.dtype.kind in "biu":
        return array.astype(np.float64)
    if array.dtype.kind != "f":
        raise UsageError(f"{name} holds {array.dtype}, not real numbers")
    return array
