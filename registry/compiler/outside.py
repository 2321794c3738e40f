"""What a traced function read from outside: each place is found, and becomes a guard, or is refused.

Which code ran is known from the `Witness`; what that code mentions, from its bytecode. Names
are followed from the function itself to what they mean now, attribute by attribute; of an
object whose use is not known by name, each attribute that any of the code mentions.
"""

from __future__ import annotations

import abc
import functools
import importlib.util
import operator
import sys
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

import numpy as np

from registry.compiler.guards import CONTAINERS, entries, guards, place, variable
from registry.compiler.names import (
    ATOMS,
    HEAP,
    NOTHING,
    OF_C,
    WRITING,
    Names,
    is_of_python,
    own_attributes,
    static,
)
from registry.compiler.reads import Chain, reads_of, texts
from registry.compiler.witness import Witness, is_core, is_standard, root
from registry.compiler.writing import line_of
from registry.function import Function
from registry.state import default_registry
from registry.variable import Variable

_LIBRARIES = ("numpy", "scipy", "registry", "ops_builtin")
LIMIT = 1000  # entries of one container, which every replay looks at
MANY = 10_000  # places in all
_RANDOM = (np.random.Generator, np.random.BitGenerator, np.random.RandomState)
_REFLECTING: list[Any] = [getattr, hasattr, vars, dir, operator.attrgetter, operator.methodcaller]
_WRITTEN_OUT = {"_pass_back", "_pass_back_recorded"}  # which helpers set on their operators
_KNOWN_BY_NAME = {"getattr": getattr, "hasattr": hasattr}  # what these are asked for is known from bytecode


class Outside(Names):
    """What a function read from outside in a trace.

    Attributes
    ----------
    places : list of Place
        Each with a guard.
    variables : list of Variable
        Those among what was reached.
    """

    def __init__(self, f: Any, arguments: Iterable[Any], witness: Witness) -> None:
        super().__init__()
        self.variables: list[Variable] = []
        self._problems = [f"{what}, at {line}" for what, line in witness.refused]
        self._generators: list[tuple[str, Any]] = []
        if witness.draws:
            self._random("", np.random.mtrand._rand)
        self._ran = witness.ran
        self._explained: set[int] = set()
        self._objects: list[tuple[str, Any]] = []  # any mentioned attribute of which may have been read
        self._seen: set[int] = set()
        reads = [reads_of(code) for code, _ in self._ran.values()]
        self._loose = set[Chain]().union(*[one.loose for one in reads])
        self._catches = any(one.catches for one in reads)
        self._reflects = any(one.matches for one in reads)
        self._computes = any(one.computes for one in reads)
        self._strings = {text for code, _ in self._ran.values() for text in texts(code.co_consts)}
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
        if any(changed() for changed in guards(self.places)):
            name = next((one.name for one in self.places if not one.is_current), "something")
            return f"it changes {name}, which it reads; return what is new, and pass it as an argument"
        return None

    def _search(self, f: Any, arguments: Iterable[Any], classes: Iterable[type]) -> None:
        self._reach(getattr(f, "__name__", str(f)), f)
        for argument in arguments:
            self._reach("an argument", argument)
        for cls in classes:
            self._reach(cls.__name__, cls)
        known = -1
        while known != len(self._known) + len(self._objects) + len(self._loose):
            known = len(self._known) + len(self._objects) + len(self._loose)
            chains = self._loose | (
                {(s,) for s in self._strings if s.isidentifier()} if self._reflects else set()
            )
            for name, x in list(self._objects):
                for chain in chains:
                    self._follow(name, x, chain)
                if self._computes:
                    self._all_attributes(name, x)
            for name, x in list(self._objects):
                if isinstance(x, type):
                    self._methods(name, x)

    def _explain(self) -> None:
        """Refuse code that ran, though nothing that was reached leads to it: it could be other code later."""
        missing = [
            code
            for key, (code, _) in self._ran.items()
            if key not in self._explained and not is_standard(code)
        ]
        if missing:
            for plugin in default_registry().plugins:
                for one in plugin.operators:
                    self._reach(one.name, one.target)
        for code in missing:
            if id(code) not in self._explained:
                self._refuse(
                    f"{code.co_qualname} is called, at {line_of(code.co_filename, code.co_firstlineno)}, by "
                    "a way that is not seen"
                )

    def _refuse(self, what: str) -> None:
        self._problems.append(
            f"{what}, so a later change would not be noticed; pass what it needs as an argument"
        )

    # What was reached

    def _follow(self, name: str, x: Any, chain: Chain) -> None:
        """Go along a chain of attributes; what is at its end may have been used in any way."""
        for i, key in enumerate(chain):
            before, x = x, self._attribute(name, x, key)
            name = f"{name}.{key}"
            if x is NOTHING:  # computed, maybe, and what it gave has the rest
                self._loose.add(chain[i + 1 :])
                return
        if isinstance(x, FunctionType) and chain and not isinstance(before, type | ModuleType):
            self._reach(name.rpartition(".")[0], before)  # the method has it as its first argument
        self._reach(name, x)

    def _reach(self, name: str, x: Any) -> None:
        """Look at an object that may have been used in any way."""
        if isinstance(x, str):
            self._strings.add(x)
        if any(x is one for one in _REFLECTING):
            self._reflects = True
            self._computes |= _KNOWN_BY_NAME.get(name) is not x
        if x is NOTHING or isinstance(x, ATOMS) or id(x) in self._seen or self._problems:
            return
        if len(self.places) > MANY:
            self._refuse(f"it reads more than {MANY:,} places outside, {name} among them")
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
        cls: Any = type(x)
        package = root(cls.__module__)
        if package in ("registry", "ops_builtin", "logging", "pluggy"):
            for part in (own_attributes(x).get("__wrapped__"), own_attributes(x).get("_f")):
                self._reach(name, part)
        elif is_of_python(cls):
            self._objects.append((name, x))
            self._reach_class(name, x)
            if package in ("numpy", "scipy"):
                self._all_attributes(name, x)
        elif (
            package.lstrip("_") not in ("numpy", "scipy", "functools", "re")
            and cls not in _LOCKS
            and not (callable(x) and root(getattr(x, "__module__", "")) in ("numpy", "scipy"))
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
                self._add(
                    place(f"{name}.__kwdefaults__", "{0}.__kwdefaults__ is not {1}", f, f.__kwdefaults__)
                )
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
                if first in cells and (value := _content(cells[first])) is not NOTHING:
                    if (id(cells[first]), "") not in self._known:
                        self._known[id(cells[first]), ""] = value
                        self._add(variable(first, cells[first]))
                    self._from(first, value, chain)
                elif first not in cells:  # bound while the function ran, to whatever it met
                    self._loose.add(tuple(chain))
            for module, level in reads.imports:
                self._import(namespace, module, level)
        for inner in code.co_consts:
            if isinstance(inner, CodeType):
                self._code(inner, namespace, {n: c for n, c in cells.items() if n not in code.co_cellvars})

    def _from(self, name: str, value: Any, chain: Iterable[str]) -> None:
        if value is not NOTHING:
            self._follow(name, value, tuple(chain))

    def _import(self, namespace: dict[str, Any], module: str, level: int) -> None:
        full = (
            importlib.util.resolve_name("." * level + module, namespace.get("__package__"))
            if level
            else module
        )
        for name in {full, full.partition(".")[0]}:
            if name in sys.modules:
                self._add(
                    place(f"the module {name}", "{0}[{1}] is not {2}", sys.modules, name, sys.modules[name])
                )
                self._reach(name, sys.modules[name])

    def _class(self, name: str, cls: type) -> None:
        """Look at a class: methods that ran are guarded by name, also those that no code mentions."""
        if not cls.__flags__ & HEAP or root(cls.__module__) in _LIBRARIES:
            return
        self._objects.append((name, cls))
        if isinstance(cls, abc.ABCMeta):
            self._add(
                place(f"what counts as {name}", "{0}() != {1}", abc.get_cache_token, abc.get_cache_token())
            )
        if type(cls) is not type:
            self._reach(type(cls).__name__, type(cls))
        self._methods(name, cls)
        for base in cls.__mro__:
            self._reach(base.__name__, base)

    def _methods(self, name: str, cls: type) -> None:
        """Guard methods that ran without being mentioned: Python, the library, or nobody known calls them."""
        for key in {key for base in cls.__mro__ if base.__flags__ & HEAP for key in vars(base)}:
            functions = [f for f in _functions(static(cls, key)) if id(f.__code__) in self._ran]
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
        if cls.__flags__ & HEAP:  # or it is that of the object for good
            self._add(place(f"the class of {name}", "{0}({1}) is not {2}", type, x, cls))
        self._reach(cls.__name__, cls)

    def _container(self, name: str, x: Any) -> None:
        if len(x) > LIMIT:
            self._refuse(
                f"it uses {name}, a {type(x).__name__} of {len(x)} entries, more than the {LIMIT} that a "
                "replay can look at"
            )
            return
        for one in entries(f"an entry of {name}", x):
            self._add(one)
        self._entries(name, x)
        if isinstance(x, defaultdict):
            self._add(
                place(f"{name}.default_factory", "{0}.default_factory is not {1}", x, x.default_factory)
            )
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
        if isinstance(x, ModuleType):
            self._all_of_module(name, x)
            return
        of = x if isinstance(x, type) else type(x)
        ours = _WRITTEN_OUT if issubclass(of, Function) else set()
        for cls in of.__mro__:
            if cls.__flags__ & HEAP and root(cls.__module__) not in _LIBRARIES:
                self._all_of_class(cls)
                for key in list(vars(cls)):
                    if not key.startswith("__") and key not in ours:
                        self._follow(name, x, (key,))
        if not isinstance(x, type) and "__dict__" in dir(x):
            self._reach(f"vars({name})", own_attributes(x))

    def _all_of_class(self, cls: type) -> None:
        if (id(cls), "__dict__ as a whole") not in self._known:
            self._known[id(cls), "__dict__ as a whole"] = cls
            self.places += entries(f"an attribute of {cls.__name__}", vars(cls))

    def _all_of_module(self, name: str, module: ModuleType) -> None:
        """Guard what a library's module holds, as its own code is what it is; refuse others."""
        if (id(module), "__dict__ as a whole") in self._known:
            return
        self._known[id(module), "__dict__ as a whole"] = module
        if root(module.__name__) in (*_LIBRARIES, "math", "cmath", "operator"):
            self._reach("", np.random.mtrand._rand)  # which any name of np.random may lead to
            self.places += entries(f"an attribute of {name}", vars(module))
        else:
            self._refuse(f"it may read any attribute of the module {name}, by a name that is computed")

    def _method(self, name: str, x: MethodType) -> None:
        self._reach(name, x.__self__)
        self._reach(name, x.__func__)

    def _of_c(self, name: str, x: Any) -> None:
        if not isinstance(x.__self__, ModuleType | type | type(None)) and x.__name__ not in WRITING:
            self._reach(name, x.__self__)

    def _array(self, name: str, x: Any) -> None:
        if x.dtype.hasobject:
            self._refuse(f"it uses {name}, an array of objects, which can become others")

    def _partial(self, name: str, x: functools.partial[Any]) -> None:
        self._add(place(name, "{0}.func is not {1} or {0}.args is not {2}", x, x.func, x.args))
        for part in (x.func, x.args, x.keywords):
            self._reach(name, part)

    def _context(self, name: str, x: ContextVar[Any]) -> None:
        self._add(place(name, "{0}.get({1}) is not {2}", x, NOTHING, x.get(NOTHING)))
        with suppress(LookupError):
            self._reach(name, x.get())  # which may be its default

    def _reference(self, name: str, x: weakref.ref[Any]) -> None:
        value = x()
        self._add(place(name, "{0}() is not {1}", x, value))
        self._reach(name, value)

    def _variable(self, name: str, x: Variable) -> None:
        self.variables.append(x)
        self._add(place(name, "{0}._node is not {1}", x, x._node))

    def _random(self, name: str, x: Any) -> None:
        name = "NumPy's global generator" if x is np.random.mtrand._rand else name
        self._generators.append((name, x))

    def _object(self, name: str, x: Any) -> None:
        self._objects.append((name, x))

    def _getter(self, name: str, x: Any) -> None:
        self._reflects = self._computes = True
        self._strings.update([part for one in x.__reduce__()[1] for part in str(one).split(".")])

    def _wrapped(self, name: str, x: Any) -> None:
        self._reach(name, x.__wrapped__)


_LOCKS = type(threading.Lock()), type(threading.RLock())  # which keep nothing that is read
_LOOKS: dict[Any, Callable[[Outside, str, Any], None]] = {
    Variable: Outside._variable,
    _RANDOM: Outside._random,
    FunctionType: Outside._function,
    MethodType: Outside._method,
    (BuiltinFunctionType, MethodWrapperType): Outside._of_c,
    (*OF_C[2:], MemberDescriptorType, property, classmethod, staticmethod, operator.itemgetter): (
        lambda self, name, x: None
    ),
    np.ndarray: Outside._array,
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
        return NOTHING


def _state(x: Any) -> Any:
    """Give the state of a generator of random numbers, as a text."""
    if isinstance(x, np.random.RandomState):
        return repr(x.get_state(legacy=False))  # with the second of two normal numbers, which it keeps
    return repr((x.bit_generator if isinstance(x, np.random.Generator) else x).state)


def _functions(x: Any) -> Iterator[FunctionType]:
    """Give the functions in an attribute of a class."""
    if isinstance(x, FunctionType):
        yield x
    elif isinstance(x, property):
        yield from (f for f in (x.fget, x.fset, x.fdel) if isinstance(f, FunctionType))
    elif isinstance(x, classmethod | staticmethod):
        yield from _functions(x.__func__)
    elif root(type(x).__module__) in ("functools", "registry"):
        for part in own_attributes(x).values():
            yield from _functions(part)


def _a(cls: type) -> str:
    return f"an object of {cls.__module__}.{cls.__qualname__}"
