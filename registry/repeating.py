"""A text for whatever an operator keeps, by which `checkpoint` sees whether it was made again."""

from __future__ import annotations

import functools
from collections import deque
from types import (
    BuiltinMethodType,
    FunctionType,
    MappingProxyType,
    MethodType,
    MethodWrapperType,
    SimpleNamespace,
)
from typing import Any
from zlib import crc32

import numpy as np

from registry.function import Function
from registry.variable import Variable

_BY_REPR = (int, float, complex, bool, str, bytes, bytearray, range, type(None), type(...))
_OF_NUMPY = (np.dtype, np.generic)


class Kept(dict[int, tuple[Any, str]]):
    """Objects by their ids, with their texts; they are held, so that no other object gets their id."""


class Texts:
    """Texts that are equal where two calls kept the same: numbers and bits, as deep as objects show theirs.

    What shows none is the same if it is the very object.

    Parameters
    ----------
    results : sequence of ndarray
        Arrays that are compared by themselves.
    before : Kept
        The `kept` of the first call, where this is the second.

    Attributes
    ----------
    kept : Kept
        Objects which show no state, or one that may move on, such as generators.
    """

    def __init__(self, results: list[Any], before: Kept) -> None:
        self.before = before
        self.kept = Kept()
        self.found = {id(y): (y, f"result {i}") for i, y in enumerate(results)}

    def of(self, x: Any) -> str:
        """Give the text of anything."""
        if type(x) in _BY_REPR or (isinstance(x, _OF_NUMPY) and not isinstance(x, np.void)):
            return f"{type(x).__name__} {x!r}"
        if id(x) not in self.found:
            self.found[id(x)] = x, f"loop {len(self.found)}"  # what x leads to may lead to x
            text = self._of_array(x) if isinstance(x, np.ndarray) else self._of_parts(x)
            self.found[id(x)] = x, str(crc32(text.encode("utf-8", "surrogatepass")))
        return self.found[id(x)][1]

    def _of_array(self, x: Any) -> str:
        bits = self.of(x.tolist()) if x.dtype.hasobject else crc32(_bytes(x))
        added = f"{self.of(type(x))} {self.of(vars(x))}" if hasattr(x, "__dict__") else ""
        kind = x.dtype.str if x.dtype.names is None else repr(x.dtype)
        return f"array {kind} {x.shape} {bits} {added}"

    def _of_parts(self, x: Any) -> str:
        if isinstance(x, Kept):  # of a checkpoint inside, whose checksum says it all
            return "kept"
        kind = self._of_itself(type(x))
        if isinstance(x, set | frozenset):
            return f"{kind} {sorted(map(self.of, x))}"
        parts = _parts(x)
        if parts is None:
            moving = _moving_state(x)
            return self._of_itself(x, "" if moving is None else self.of(moving))
        return f"{kind} {list(map(self.of, parts))}"

    def _of_itself(self, x: Any, state: str = "") -> str:
        """Give the text of an object that equals itself, and otherwise what has the same state."""
        if id(x) not in self.kept:
            _, text = self.before.get(id(x), (x, state or f"object {id(x)}"))
            self.kept[id(x)] = x, text
        return self.kept[id(x)][1]


def stored(function: Function) -> list[Any]:
    """Give what an operator's `__init__` and `forward` left on it."""
    own = [getattr(function, name, None) for name in function._own_slots]
    return own if function._bare else [*own, *getattr(function, "__dict__", {}).values()]


def _parts(x: Any) -> list[Any] | None:
    """Give all that makes an object what it is, or None, where that is unknown."""
    if isinstance(x, dict | MappingProxyType):
        return [*(part for item in x.items() for part in item), getattr(x, "__dict__", None)]
    if isinstance(x, list | tuple | deque):
        return [*x, getattr(x, "__dict__", None)]
    if isinstance(x, SimpleNamespace):
        return [vars(x)]
    if isinstance(x, slice):
        return [x.start, x.stop, x.step]
    if isinstance(x, FunctionType):
        cells = [cell.cell_contents for cell in x.__closure__ or () if _is_filled(cell)]
        return [x.__code__, x.__defaults__, x.__kwdefaults__, vars(x), *cells]
    if isinstance(x, MethodType):
        return [x.__func__, x.__self__]
    if isinstance(x, BuiltinMethodType | MethodWrapperType):
        return [x.__name__, x.__self__]
    if isinstance(x, functools.partial):
        return [x.func, x.args, x.keywords]
    if isinstance(x, np.void):
        return [np.asarray(x)]
    if isinstance(x, Variable):
        return [x._array]
    return stored(x) if isinstance(x, Function) else _state(x)


def _state(x: Any) -> list[Any] | None:
    """Give all attributes of an object whose class hides nothing in C, or says another way to copy it."""
    kind = type(x)
    if isinstance(x, type) or any(getattr(kind, n) is not getattr(object, n) for n in _COPYING):
        return None
    try:
        state = x.__reduce_ex__(2)[2]  # the attributes, and those in slots
    except TypeError:
        return None
    return None if state is None else [state]


_COPYING = ("__reduce_ex__", "__reduce__", "__getstate__")


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _moving_state(x: Any) -> Any:
    """Give the state of a generator of random numbers, None for other objects."""
    module = str(type(x).__module__)
    if module.startswith("numpy.random"):
        return getattr(getattr(x, "bit_generator", getattr(x, "_bit_generator", x)), "state", None)
    return x.getstate() if module == "random" and hasattr(x, "getstate") else None


def _bytes(x: Any) -> Any:
    """Give the bytes of an array's numbers; of a long double's, some are filling."""
    if x.dtype.char in "gG":
        x = x.astype(np.complex128 if x.dtype.char == "G" else np.float64)
    return x.data if x.flags.c_contiguous and x.dtype.kind not in "mMV" else x.tobytes()
