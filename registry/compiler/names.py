"""What names and attributes mean, and the places that are asked whether they still mean that."""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from enum import EnumMeta
from functools import lru_cache
from keyword import iskeyword
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodWrapperType,
    ModuleType,
    SimpleNamespace,
    WrapperDescriptorType,
)
from typing import Any

import numpy as np

from registry.catalog import StandIn
from registry.compiler.guards import CONTAINERS, PREFIX, Place, place
from registry.compiler.reads import Chain
from registry.compiler.witness import root
from registry.edges import Like
from registry.variable import Variable

HEAP = 1 << 9  # the flag of a class that can change
NOTHING: Any = object()  # what a name means that means nothing
# What has no parts that could change, or parts that are documented to be constants.
ATOMS = (
    type(None), bool, int, float, complex, str, bytes, range, slice, type(Ellipsis), type(NotImplemented),
    CodeType, np.generic, np.dtype, np.ufunc, StandIn,
)  # fmt: skip
OF_C = (
    BuiltinFunctionType, MethodWrapperType, MethodDescriptorType, WrapperDescriptorType, GetSetDescriptorType,
    type(vars(Like)["shape"]),
)  # fmt: skip
WRITING = {"append", "appendleft", "extend", "extendleft", "insert", "add", "clear"}  # and reading nothing
_CODE = (FunctionType, BuiltinFunctionType, type, ModuleType)  # that of Python's own stays as it is
_LIBRARIES = ("registry", "numpy", "scipy")


class Names(ABC):
    """The places of names and attributes, found while a function's code is followed.

    Attributes
    ----------
    places : list of Place
        Each once.
    """

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._catches = self._reflects = False  # whether what is missing is an answer, too
        self._known: dict[tuple[int, Any], Any] = {}  # what names of objects and modules mean
        self._held: list[Any] = []  # so that no other object gets an id that is known

    @abstractmethod
    def _reach(self, name: str, x: Any) -> None:
        """Look at an object that may have been used in any way."""

    @abstractmethod
    def _reach_class(self, name: str, x: Any) -> None:
        """Guard which class an object is of, and look at that."""

    @abstractmethod
    def _follow(self, name: str, x: Any, chain: Chain) -> None:
        """Go along a chain of attributes."""

    @abstractmethod
    def _all_attributes(self, name: str, x: Any) -> None:
        """Look at everything that an object, a class or a module has, as any of it may have been read."""

    def _add(self, one: Place) -> None:
        self.places.append(one)

    def _global(self, name: str, namespace: dict[str, Any], key: str, *, standard: bool = False) -> Any:
        """Give what a global name means, or `NOTHING`."""
        known = id(namespace), key
        if known not in self._known:
            self._held.append(namespace)
            value = namespace.get(key, getattr(builtins, key, NOTHING))
            self._known[known] = value
            if value is NOTHING:
                self._add(place(name, "{0} in {1}", key, namespace))
            elif not (standard and isinstance(value, _CODE)):
                if _is_plain(key) and not key.startswith(PREFIX):
                    self._add(place(name, f"{key} is not {{0}}", value, namespace=namespace))
                else:
                    self._add(place(name, "{0}[{1}] is not {2}", namespace, key, value))
        return self._known[known]

    def _attribute(self, name: str, x: Any, key: str) -> Any:
        """Give what an attribute of an object means, or `NOTHING`."""
        known = id(x), key
        if known not in self._known:
            self._held.append(x)
            self._known[known] = NOTHING  # until it is known
            self._known[known] = self._found(f"{name}.{key}", x, key)
        return self._known[known]

    def _found(self, name: str, x: Any, key: str) -> Any:
        if key == "__dict__" and isinstance(x, ModuleType | type):
            self._all_attributes(name.rpartition(".")[0], x)
            return NOTHING
        if isinstance(x, ModuleType):
            return self._of_module(name, x, key)
        if isinstance(x, type):
            return self._of_class(name, x, key)
        if isinstance(x, (*ATOMS, np.ndarray)):
            return NOTHING
        if isinstance(x, CONTAINERS) and key in WRITING:
            return NOTHING
        cls: Any = type(x)
        if isinstance(x, FunctionType) or (is_of_python(cls) and not isinstance(x, Variable)):
            self._reach_class(name, x)
            return self._of_instance(name, x, key)
        self._reach(name.rpartition(".")[0], x)
        return NOTHING

    def _of_module(self, name: str, module: ModuleType, key: str) -> Any:
        if root(module.__name__) not in _LIBRARIES and (id(module), "__class__") not in self._known:
            self._known[id(module), "__class__"] = cls = type(module)  # may become one with properties
            self._add(place(f"the class of {module.__name__}", "{0}({1}) is not {2}", type, module, cls))
        if key in vars(module):
            return self._global(name, vars(module), key)
        computes = "__getattr__" in vars(module)
        if root(module.__name__) in _LIBRARIES:
            return NOTHING
        if computes or self._catches or self._reflects:
            self._add(place(name, "{0} in {1}", key, vars(module)))
            if computes:
                self._follow(module.__name__, module, ("__getattr__",))
        return NOTHING

    def _of_class(self, name: str, cls: type, key: str) -> Any:
        if not cls.__flags__ & HEAP:  # made in C, and immutable
            return NOTHING
        members = getattr(cls, "_member_map_", {}) if isinstance(cls, EnumMeta) else {}
        if key in members:  # no member of an enumeration is bound anew
            return members[key]
        owner = owner_of(cls, key)
        if owner is None:
            if key in ("__mro__", "__bases__", "__base__", "mro"):
                self._reach(cls.__name__, cls)
            if type(cls) is not type and owner_of(type(cls), key) not in (None, type, object):
                return self._of_instance(name, cls, key)
            if hasattr(type(cls), "__getattr__"):
                self._unset(name, cls, key)
                self._unset(name, type(cls), key)
            if (self._catches or self._reflects) and not hasattr(cls, key):
                self._add(place(name, "{0}({1}, {2})", hasattr, cls, key))
            return NOTHING
        value = vars(owner)[key]
        if isinstance(value, classmethod):
            self._add(place(name, f"{_read(key)}.__func__ is not {{1}}", cls, value.__func__))
            return value.__func__
        if isinstance(value, staticmethod):
            value = value.__func__
        elif not isinstance(value, FunctionType | property) and hasattr(type(value), "__get__"):
            return self._descriptor(name, cls, owner, key, value)
        self._add(place(name, f"{_read(key)} is not {{1}}", cls, value))
        return value

    def _unset(self, name: str, cls: type, key: str) -> None:
        """Guard that no class has an attribute, which is computed where none has."""
        for base in cls.__mro__:
            if base.__flags__ & HEAP:
                self._add(place(name, "{0} in {1}", key, vars(base)))

    def _of_instance(self, name: str, x: Any, key: str) -> Any:
        cls, own = type(x), own_attributes(x)
        owner = owner_of(cls, key)
        value = vars(owner)[key] if owner else NOTHING
        if key == "__dict__":
            self._all_attributes(name.rpartition(".")[0], x)
            return NOTHING
        if isinstance(value, property):
            self._add(place(name, f"{_read(key)} is not {{1}}", cls, value))
            self._reach(cls.__name__, x)
            return NOTHING
        of_c = isinstance(value, MemberDescriptorType | GetSetDescriptorType)
        if not of_c and owner and hasattr(type(value), "__set__"):
            return self._descriptor(name, x, owner, key, value)
        if key in own:
            value = own[key]
        elif of_c:
            try:
                value = getattr(x, key)
            except AttributeError:
                owner = None
        if key not in own and owner is None:
            if hasattr(cls, "__getattr__"):
                self._reach(cls.__name__, x)
                self._add(place(name, "{0} in {1}.__dict__", key, x))
                self._unset(name, cls, key)
            elif self._catches or self._reflects:
                self._add(place(name, "{0}({1}, {2})", hasattr, x, key))
            return NOTHING
        if key in own or of_c:
            pass
        elif isinstance(value, FunctionType | classmethod):
            value = value.__func__ if isinstance(value, classmethod) else value
            self._add(place(name, f"{_read(key)}.__func__ is not {{1}}", x, value))
            return value
        elif isinstance(value, staticmethod):
            value = value.__func__
        elif hasattr(type(value), "__get__"):
            assert owner is not None
            return self._descriptor(name, x, owner, key, value)
        self._add(place(name, f"{_read(key)} is not {{1}}", x, value))
        return value

    def _descriptor(self, name: str, x: Any, owner: type, key: str, value: Any) -> Any:
        """Guard what computes an attribute; what it computes is known by the code that it runs."""
        self._reach(name.rpartition(".")[0], x)
        if owner.__flags__ & HEAP:
            self._add(place(name, "{0}.__dict__[{1}] is not {2}", owner, key, value))
        if isinstance(value, OF_C):
            return NOTHING
        for part in vars(value).values() if root(type(value).__module__) == "functools" else (value,):
            self._reach(name, part)
        return NOTHING


def _is_plain(key: str) -> bool:
    """Say whether source in which a name stands asks for just that name: Python normalises other letters."""
    return key.isascii() and key.isidentifier() and not iskeyword(key)


def _read(key: str) -> str:
    """Give the source, for a `Place`, that reads an attribute of its first object."""
    escaped = ascii(key).replace("{", "{{").replace("}", "}}")
    return f"{{0}}.{key}" if _is_plain(key) else f"getattr({{0}}, {escaped})"


def own_attributes(x: Any) -> dict[str, Any]:
    """Give the attributes that an object itself holds in its ``__dict__``."""
    found = getattr(x, "__dict__", {})
    return found if isinstance(found, dict) else {}


def owner_of(cls: type, key: str) -> type | None:
    """Give the class, of those that it is made of, that has an attribute."""
    return next((base for base in cls.__mro__ if key in vars(base)), None)


def static(cls: type, key: str) -> Any:
    """Give an attribute as its class has it, without computing anything."""
    owner = owner_of(cls, key)
    return NOTHING if owner is None else vars(owner)[key]


@lru_cache(1024)
def is_of_python(cls: Any) -> bool:
    """Say whether a class is made of Python's code alone, on classes of plain data."""
    plain = {
        object,
        tuple,
        frozenset,
        int,
        float,
        complex,
        str,
        bytes,
        BaseException,
        SimpleNamespace,
        *CONTAINERS,
    }
    return all(base in plain or _is_written(base) for base in cls.__mro__)


def _is_written(cls: type) -> bool:
    return bool(cls.__flags__ & HEAP) and not any(
        isinstance(x, OF_C)
        and getattr(x, "__objclass__", None) is cls
        and key not in ("__dict__", "__weakref__")
        for key, x in vars(cls).items()
    )
