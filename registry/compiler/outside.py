"""What a traced function read from outside: each place is found, and becomes a guard, or is refused.

Which code ran is known from the `Witness`; what that code mentions, from its bytecode. Names
are followed from the function itself to what they mean now, attribute by attribute; of an
object whose use is not known by name, each attribute that any of the code mentions.
"""

from __future__ import annotations

import abc
import builtins
import functools
import importlib.util
import operator
import sys
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from keyword import iskeyword
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    SimpleNamespace,
    WrapperDescriptorType,
)
from typing import Any

import numpy as np

from registry.catalog import StandIn
from registry.compiler.guards import CONTAINERS, PREFIX, Place, entries, place, variable
from registry.compiler.reads import Chain, reads_of
from registry.compiler.witness import Witness, is_core, is_standard, root
from registry.compiler.writing import line_of
from registry.edges import Like
from registry.function import Function
from registry.state import default_registry
from registry.variable import Variable

LIMIT = 1000  # entries of one container, which every replay looks at
_HEAP = 1 << 9  # the flag of a class that can change
_NOTHING: Any = object()  # what a name means that means nothing
# What has no parts that could change, or parts that are documented to be constants.
_ATOMS = (
    type(None), bool, int, float, complex, str, bytes, range, slice, type(Ellipsis), type(NotImplemented), CodeType,
    np.generic, np.dtype, np.ufunc, np.ndarray, StandIn, type(sys.flags),
)  # fmt: skip
_RANDOM = (np.random.Generator, np.random.BitGenerator, np.random.RandomState)
_OF_C = (
    BuiltinFunctionType, MethodWrapperType, MethodDescriptorType, WrapperDescriptorType, GetSetDescriptorType,
    type(vars(Like)["shape"]),
)  # fmt: skip
_WRITING = {"append", "appendleft", "extend", "extendleft", "insert", "add", "clear"}  # and reading nothing
_REFLECTING: list[Any] = [getattr, hasattr, vars, dir, operator.attrgetter, operator.methodcaller]
_LIBRARY = (FunctionType, BuiltinFunctionType, type, ModuleType)  # code, which nobody changes in the standard library


class Outside:
    """What a function read from outside in a trace.

    Attributes
    ----------
    places : list of Place
        Each with a guard.
    variables : list of Variable
        Those among what was reached.
    """

    def __init__(self, f: Any, arguments: Iterable[Any], witness: Witness) -> None:
        self.places: list[Place] = []
        self.variables: list[Variable] = []
        self._problems = [f"{what}, at {line}" for what, line in witness.refused]
        self._generators: list[tuple[str, Any]] = [("NumPy's global generator", np.random.mtrand._rand)]
        self._ran = witness.ran
        self._explained: set[int] = set()
        self._objects: list[tuple[str, Any]] = []  # any mentioned attribute of which may have been read
        self._seen: set[int] = set()
        self._known: dict[tuple[int, Any], Any] = {}  # what names of objects and modules mean
        self._held: list[Any] = []  # so that no other object gets an id that is known
        reads = [reads_of(code) for code, _ in self._ran.values()]
        self._loose = set[Chain]().union(*[one.loose for one in reads])
        self._catches = any(one.catches for one in reads)
        self._reflects = any(one.matches for one in reads)
        self._strings = {s for code, _ in self._ran.values() for s in code.co_consts if isinstance(s, str)}
        self._search(f, arguments, witness.classes)
        self._explain()
        self._states = [_state(x) for _, x in self._generators]

    def problem(self) -> str | None:
        """Say what forbids a plan, after another trace: what cannot be seen, or what that trace changed."""
        if self._problems:
            return self._problems[0]
        for (name, x), state in zip(self._generators, self._states, strict=True):
            if _state(x) != state:
                return f"it draws random numbers from {name}; make a generator with a fixed seed inside"
        for one in self.places:
            if not one.is_current:
                return f"it changes {one.name}, which it reads; return what is new, and pass it as an argument"
        return None

    def _search(self, f: Any, arguments: Iterable[Any], classes: Iterable[type]) -> None:
        self._reach(getattr(f, "__name__", str(f)), f)
        for argument in arguments:
            self._reach("an argument", argument)
        for cls in classes:
            self._reach(cls.__name__, cls)
        known = -1
        while known != len(self._known) + len(self._objects):
            known = len(self._known) + len(self._objects)
            chains = self._loose | ({(s,) for s in self._strings if s.isidentifier()} if self._reflects else set())
            for name, x in list(self._objects):
                for chain in chains:
                    self._follow(name, x, chain)
                if self._reflects and not isinstance(x, type | ModuleType):
                    self._all_attributes(name, x)
            for name, x in list(self._objects):
                if isinstance(x, type):
                    self._methods(name, x)

    def _explain(self) -> None:
        """Refuse code that ran, though nothing that was reached leads to it: it could be other code later."""
        missing = [code for key, (code, _) in self._ran.items() if key not in self._explained and not is_standard(code)]
        if missing:
            for plugin in default_registry().plugins:
                for one in plugin.operators:
                    self._reach(one.name, one.target)
        for code in missing:
            if id(code) not in self._explained:
                self._refuse(
                    f"{code.co_qualname} is called, at {line_of(code.co_filename, code.co_firstlineno)}, by a way "
                    "that is not seen"
                )

    def _refuse(self, what: str) -> None:
        self._problems.append(
            f"{what}, so a later change would not be noticed; pass what it needs as an argument"
        )

    # Places

    def _add(self, one: Place) -> None:
        self.places.append(one)

    def _global(self, name: str, namespace: dict[str, Any], key: str, *, standard: bool = False) -> Any:
        """Give what a global name means, or `_NOTHING`."""
        known = id(namespace), key
        if known not in self._known:
            self._held.append(namespace)
            value = namespace.get(key, getattr(builtins, key, _NOTHING))
            self._known[known] = value
            if value is _NOTHING:
                self._add(place(name, "{0} in {1}", key, namespace))
            elif not (standard and isinstance(value, _LIBRARY)):
                plain = key.isidentifier() and not iskeyword(key) and not key.startswith(PREFIX)
                if plain:
                    self._add(place(name, f"{key} is not {{0}}", value, namespace=namespace))
                else:
                    self._add(place(name, "{0}[{1}] is not {2}", namespace, key, value))
        return self._known[known]

    def _attribute(self, name: str, x: Any, key: str) -> Any:
        """Give what an attribute of an object means, or `_NOTHING`."""
        known = id(x), key
        if known not in self._known:
            self._held.append(x)
            self._known[known] = _NOTHING  # until it is known
            self._known[known] = self._found(f"{name}.{key}", x, key)
        return self._known[known]

    def _found(self, name: str, x: Any, key: str) -> Any:
        if isinstance(x, ModuleType):
            return self._of_module(name, x, key)
        if isinstance(x, type):
            return self._of_class(name, x, key)
        if isinstance(x, _ATOMS):
            return _NOTHING
        if isinstance(x, CONTAINERS) and key in _WRITING:
            return _NOTHING
        if isinstance(x, FunctionType) or (_is_of_python(type(x)) and not isinstance(x, Variable)):
            self._reach_class(name, x)
            return self._of_instance(name, x, key)
        self._reach(name.rpartition(".")[0], x)
        return _NOTHING

    def _of_module(self, name: str, module: ModuleType, key: str) -> Any:
        if key in vars(module):
            return self._global(name, vars(module), key)
        if root(module.__name__) not in ("registry", "numpy", "scipy"):
            self._add(place(name, "{0} in {1}", key, vars(module)))
            if "__getattr__" in vars(module):
                self._follow(module.__name__, module, ("__getattr__",))
        return _NOTHING

    def _of_class(self, name: str, cls: type, key: str) -> Any:
        if not cls.__flags__ & _HEAP:  # made in C, and immutable
            return _NOTHING
        members = getattr(cls, "_member_map_", {}) if isinstance(cls, type(_ENUM)) else {}
        if key in members:  # no member of an enumeration is bound anew
            return members[key]
        owner = _owner(cls, key)
        if owner is None:
            if type(cls) is not type and _owner(type(cls), key) not in (None, type, object):
                return self._of_instance(name, cls, key)
            if self._catches and not hasattr(cls, key):
                self._add(place(name, "{0}({1}, {2})", hasattr, cls, key))
            return _NOTHING
        value = vars(owner)[key]
        if isinstance(value, classmethod):
            self._add(place(name, f"{{0}}.{key}.__func__ is not {{1}}", cls, value.__func__))
            return value.__func__
        if isinstance(value, staticmethod):
            value = value.__func__
        elif not isinstance(value, FunctionType | property) and hasattr(type(value), "__get__"):
            return self._descriptor(name, cls, owner, key, value)
        self._add(place(name, f"{{0}}.{key} is not {{1}}", cls, value))
        return value

    def _of_instance(self, name: str, x: Any, key: str) -> Any:
        cls, own = type(x), _own(x)
        owner = _owner(cls, key)
        value = vars(owner)[key] if owner else _NOTHING
        if key == "__dict__":
            self._all_attributes(name, x)
            return _NOTHING
        if isinstance(value, property):
            self._add(place(name, f"{{0}}.{key} is not {{1}}", cls, value))
            self._reach(cls.__name__, x)
            return _NOTHING
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
            elif self._catches or self._reflects:
                self._add(place(name, "{0}({1}, {2})", hasattr, x, key))
            return _NOTHING
        if key in own or of_c:
            pass
        elif isinstance(value, FunctionType | classmethod):
            value = value.__func__ if isinstance(value, classmethod) else value
            self._add(place(name, f"{{0}}.{key}.__func__ is not {{1}}", x, value))
            return value
        elif isinstance(value, staticmethod):
            value = value.__func__
        elif hasattr(type(value), "__get__"):
            assert owner is not None
            return self._descriptor(name, x, owner, key, value)
        self._add(place(name, f"{{0}}.{key} is not {{1}}", x, value))
        return value

    def _descriptor(self, name: str, x: Any, owner: type, key: str, value: Any) -> Any:
        """Guard what computes an attribute of an object; what it computes is known by the code that it runs."""
        self._reach(name.rpartition(".")[0], x)
        if owner.__flags__ & _HEAP:
            self._add(place(name, "{0}.__dict__[{1}] is not {2}", owner, key, value))
        if isinstance(value, _OF_C):
            return _NOTHING
        for part in vars(value).values() if root(type(value).__module__) == "functools" else (value,):
            self._reach(name, part)
        return _NOTHING

    # What was reached

    def _follow(self, name: str, x: Any, chain: Chain) -> None:
        """Go along a chain of attributes; what is at its end may have been used in any way."""
        for key in chain:
            before, x = x, self._attribute(name, x, key)
            name = f"{name}.{key}"
            if x is _NOTHING:
                return
        if isinstance(x, FunctionType) and chain and not isinstance(before, type | ModuleType):
            self._reach(name.rpartition(".")[0], before)  # the method has it as its first argument
        self._reach(name, x)

    def _reach(self, name: str, x: Any) -> None:
        """Look at an object that may have been used in any way."""
        if isinstance(x, str):
            self._strings.add(x)
        self._reflects |= any(x is one for one in _REFLECTING)
        if x is _NOTHING or isinstance(x, _ATOMS) or id(x) in self._seen:
            return
        self._seen.add(id(x))
        self._held.append(x)
        for kind, look in _LOOKS.items():
            if isinstance(x, kind):
                look(self, name, x)
                break
        else:
            self._other(name, x)

    def _other(self, name: str, x: Any) -> None:
        cls = type(x)
        package = root(cls.__module__)
        if package in ("registry", "ops_builtin", "logging", "pluggy"):
            for part in (_own(x).get("__wrapped__"), _own(x).get("_f")):
                self._reach(name, part)
        elif _is_of_python(cls):
            self._objects.append((name, x))
            self._reach_class(name, x)
            if package in ("numpy", "scipy"):
                self._all_attributes(name, x)
        elif package.lstrip("_") not in ("numpy", "scipy", "functools", "re") and cls not in _LOCKS and not (
            callable(x) and root(getattr(x, "__module__", "")) in ("numpy", "scipy")
        ):
            self._refuse(f"it uses {name}, {_a(cls)}, whose state cannot be seen")

    def _function(self, name: str, f: FunctionType) -> None:
        code = f.__code__
        cells = dict(zip(code.co_freevars, f.__closure__ or (), strict=True))
        if is_core(f.__globals__, code):
            for part in [*map(_content, cells.values()), vars(f).get("__wrapped__")]:
                if root(f.__globals__.get("__name__")) not in ("numpy", "scipy"):
                    self._reach(name, part)
            return
        self._objects.append((name, f))
        if id(code) not in self._ran:
            return
        if not is_standard(code):
            self._add(place(f"{name}.__code__", "{0}.__code__ is not {1}", f, code))
            if f.__defaults__:
                self._add(place(f"{name}.__defaults__", "{0}.__defaults__ is not {1}", f, f.__defaults__))
            if f.__kwdefaults__:
                self._add(place(f"{name}.__kwdefaults__", "{0}.__kwdefaults__ is not {1}", f, f.__kwdefaults__))
        self._reach(f"a default of {name}", f.__defaults__)
        self._reach(f"a default of {name}", f.__kwdefaults__)
        self._code(code, f.__globals__, cells)

    def _code(self, code: CodeType, namespace: dict[str, Any], cells: dict[str, CellType]) -> None:
        """Follow the names in code, and in that of the functions inside it, if they ran."""
        self._explained.add(id(code))
        standard = is_standard(code)
        if id(code) in self._ran:
            reads = reads_of(code)
            for first, *chain in reads.globals:
                self._from(first, self._global(first, namespace, first, standard=standard), chain)
            for first, *chain in reads.free:
                if first in cells and (value := _content(cells[first])) is not _NOTHING:
                    if (id(cells[first]), "") not in self._known:
                        self._known[id(cells[first]), ""] = value
                        self._add(variable(first, cells[first]))
                    self._from(first, value, chain)
            for module, level in reads.imports:
                self._import(namespace, module, level)
        for inner in code.co_consts:
            if isinstance(inner, CodeType):
                self._code(inner, namespace, {n: c for n, c in cells.items() if n not in code.co_cellvars})

    def _from(self, name: str, value: Any, chain: Iterable[str]) -> None:
        if value is not _NOTHING:
            self._follow(name, value, tuple(chain))

    def _import(self, namespace: dict[str, Any], module: str, level: int) -> None:
        full = importlib.util.resolve_name("." * level + module, namespace.get("__package__")) if level else module
        for name in {full, full.partition(".")[0]}:
            if name in sys.modules:
                self._add(place(f"the module {name}", "{0}[{1}] is not {2}", sys.modules, name, sys.modules[name]))
                self._reach(name, sys.modules[name])

    def _class(self, name: str, cls: type) -> None:
        """Look at a class: methods that ran are guarded by name, also those that no code mentions."""
        if not cls.__flags__ & _HEAP or root(cls.__module__) in ("numpy", "scipy", "registry", "ops_builtin"):
            return
        self._objects.append((name, cls))
        if isinstance(cls, abc.ABCMeta):
            self._add(place(f"what counts as {name}", "{0}() != {1}", abc.get_cache_token, abc.get_cache_token()))
        if type(cls) is not type:
            self._reach(type(cls).__name__, type(cls))
        self._methods(name, cls)
        for base in cls.__mro__:
            self._reach(base.__name__, base)

    def _methods(self, name: str, cls: type) -> None:
        """Guard methods that ran without being mentioned: Python, the library, or nobody known calls them."""
        for key in {key for base in cls.__mro__ if base.__flags__ & _HEAP for key in vars(base)}:
            functions = [f for f in _functions(_static(cls, key)) if id(f.__code__) in self._ran]
            unknown = any(id(f.__code__) not in self._explained for f in functions)
            if functions and (unknown or key.startswith("__") or issubclass(cls, Function)):
                for found in (self._attribute(name, cls, key), *functions):
                    self._reach(f"{name}.{key}", found)

    def _reach_class(self, name: str, x: Any) -> None:
        """Guard which class an object is of, and look at that."""
        if isinstance(x, FunctionType) or (id(x), "__class__") in self._known:
            return
        cls = type(x)
        self._held.append(x)
        self._known[id(x), "__class__"] = cls
        if "__getattribute__" in dir(cls) and not isinstance(cls.__getattribute__, WrapperDescriptorType):
            self._refuse(f"it uses {name}, {_a(cls)}, which has a __getattribute__ of its own")
        self._add(place(f"the class of {name}", "{0}({1}) is not {2}", type, x, cls))
        self._reach(cls.__name__, cls)

    def _container(self, name: str, x: Any) -> None:
        if len(x) > LIMIT:
            self._refuse(
                f"it uses {name}, a {type(x).__name__} of {len(x)} entries, more than the {LIMIT} that a replay "
                "can look at"
            )
            return
        for one in entries(f"an entry of {name}", x):
            self._add(one)
        self._entries(name, x)
        if isinstance(x, defaultdict):
            self._add(place(f"{name}.default_factory", "{0}.default_factory is not {1}", x, x.default_factory))
            self._reach(name, x.default_factory)
        if type(x).__module__ not in ("builtins", "collections"):
            self._other(name, x)

    def _entries(self, name: str, x: Any) -> None:
        pairs: Iterable[tuple[Any, Any]] = x.items() if hasattr(x, "items") else enumerate(x)
        for key, value in list(pairs):
            self._reach(f"a key of {name}", key)
            self._reach(f"{name}[{key!r}]", value)
        if type(x).__module__ not in ("builtins", "collections") and isinstance(x, tuple | frozenset):
            self._other(name, x)

    def _all_attributes(self, name: str, x: Any) -> None:
        own = _own(x)
        if id(own) not in self._seen and own:
            self._reach(f"vars({name})", own)

    def _method(self, name: str, x: MethodType) -> None:
        self._reach(name, x.__self__)
        self._reach(name, x.__func__)

    def _of_c(self, name: str, x: Any) -> None:
        if not isinstance(x.__self__, ModuleType | type | type(None)) and x.__name__ not in _WRITING:
            self._reach(name, x.__self__)

    def _partial(self, name: str, x: functools.partial[Any]) -> None:
        for part in (x.func, x.args, x.keywords):
            self._reach(name, part)

    def _context(self, name: str, x: ContextVar[Any]) -> None:
        value = x.get(_NOTHING)
        self._add(place(name, "{0}.get({1}) is not {2}", x, _NOTHING, value))
        if value is not _NOTHING:
            self._reach(name, value)

    def _reference(self, name: str, x: weakref.ref[Any]) -> None:
        value = x()
        self._add(place(name, "{0}() is not {1}", x, value))
        self._reach(name, value)

    def _variable(self, name: str, x: Variable) -> None:
        self.variables.append(x)
        self._add(place(name, "{0}._node is not {1}", x, x._node))

    def _random(self, name: str, x: Any) -> None:
        self._generators.append((name, x))

    def _object(self, name: str, x: Any) -> None:
        self._objects.append((name, x))

    def _getter(self, name: str, x: Any) -> None:
        self._reflects = True
        self._strings.update([part for one in x.__reduce__()[1] for part in str(one).split(".")])

    def _wrapped(self, name: str, x: Any) -> None:
        self._reach(name, x.__wrapped__)


_LOCKS = type(threading.Lock()), type(threading.RLock())  # which keep nothing that is read
_ENUM: Any = __import__("enum").Enum
_LOOKS: dict[Any, Callable[[Outside, str, Any], None]] = {
    Variable: Outside._variable,
    _RANDOM: Outside._random,
    FunctionType: Outside._function,
    MethodType: Outside._method,
    (BuiltinFunctionType, MethodWrapperType): Outside._of_c,
    (*_OF_C[2:], MemberDescriptorType, property, classmethod, staticmethod, operator.itemgetter): (
        lambda self, name, x: None
    ),
    functools.partial: Outside._partial,
    type(functools.lru_cache(lambda: None)): Outside._wrapped,
    operator.attrgetter | operator.methodcaller: Outside._getter,
    ModuleType: Outside._object,
    type: Outside._class,
    CONTAINERS: Outside._container,
    tuple | frozenset: Outside._entries,
    ContextVar: Outside._context,
    weakref.ref: Outside._reference,
}


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return _NOTHING


def _state(x: Any) -> Any:
    """Give the state of a generator of random numbers, as a text."""
    generator = x if isinstance(x, np.random.BitGenerator) else getattr(x, "bit_generator", None) or x._bit_generator
    return repr(generator.state)


def _own(x: Any) -> dict[str, Any]:
    """Give the attributes that an object itself holds in its ``__dict__``."""
    found = getattr(x, "__dict__", {})
    return found if isinstance(found, dict) else {}


def _owner(cls: type, key: str) -> type | None:
    """Give the class, of those that it is made of, that has an attribute."""
    return next((base for base in cls.__mro__ if key in vars(base)), None)


def _static(cls: type, key: str) -> Any:
    """Give an attribute as its class has it, without computing anything."""
    owner = _owner(cls, key)
    return _NOTHING if owner is None else vars(owner)[key]


def _functions(x: Any) -> Iterator[FunctionType]:
    """Give the functions in an attribute of a class."""
    if isinstance(x, FunctionType):
        yield x
    elif isinstance(x, property):
        yield from (f for f in (x.fget, x.fset, x.fdel) if isinstance(f, FunctionType))
    elif isinstance(x, classmethod | staticmethod):
        yield from _functions(x.__func__)
    elif root(type(x).__module__) in ("functools", "registry"):
        for part in _own(x).values():
            yield from _functions(part)


@functools.lru_cache(1024)
def _is_of_python(cls: type) -> bool:
    """Say whether a class is made of Python's code alone, on classes of plain data."""
    plain = {object, tuple, frozenset, int, float, complex, str, bytes, BaseException, SimpleNamespace, *CONTAINERS}
    return all(base in plain or _is_written(base) for base in cls.__mro__)


def _is_written(cls: type) -> bool:
    return bool(cls.__flags__ & _HEAP) and not any(
        isinstance(x, _OF_C) and getattr(x, "__objclass__", None) is cls and key not in ("__dict__", "__weakref__")
        for key, x in vars(cls).items()
    )


def _a(cls: type) -> str:
    return f"an object of {cls.__module__}.{cls.__qualname__}"
