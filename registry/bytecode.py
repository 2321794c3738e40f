"""What a method of an operator does, with all that it calls, as far as bytecode shows it.

It is said to write unless each instruction, method and function in it is known to only read. So
what is not understood costs a copy or a declaration, and no wrong gradient.
"""

from __future__ import annotations

import builtins
import dis
import functools
import inspect
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

_CALLS = ("CALL", "CALL_KW", "CALL_FUNCTION_EX")
_OF_OBJECTS = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR")
_OF_CLOSURES = ("LOAD_DEREF", "LOAD_CLASSDEREF")
_WITHOUT_EFFECT = ("EXTENDED_ARG", "KW_NAMES", "NOP", "PRECALL")
_IN_PLACE = [n for n in dir(operator) if n.startswith("__i") and hasattr(operator, f"__{n[3:]}")]
_WRITING = frozenset(
    (
        *("at", "byteswap", "fill", "itemset", "partition", "put", "resize", "setfield", "setflags", "sort"),
        *("add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "reverse"),
        *("appendleft", "extendleft", "rotate", "setdefault", "shuffle", "update"),
        *("__setitem__", "__delitem__", "__setattr__", "__delattr__", "__setstate__", "__dict__"),
        *("delattr", "eval", "exec", "globals", "locals", "memoryview", "setattr", "vars"),
        *_IN_PLACE,
    )
)
_WRITING_FUNCTIONS = _WRITING - {"add", "partition", "resize", "sort"} | {
    *("setitem", "delitem", *(name.strip("_") for name in _IN_PLACE)),
    *("copyto", "fill_diagonal", "nan_to_num", "nditer", "place", "put_along_axis", "putmask"),
    *("apply_along_axis", "apply_over_axes", "frompyfunc", "piecewise", "vectorize"),  # these call others
}
# A method by one of these names is taken for that of an array, ufunc, tuple, dict or text.
_READING = frozenset(
    name for cls in (np.ndarray, np.ufunc, tuple, dict, str) for name in dir(cls) if name[0] != "_"
)
_OF_OPERATORS = ("forward", "backward")  # which write into nothing of others'
_READING_BUILTINS = (
    frozenset(vars(builtins)) - _WRITING - {"__import__", "compile", "getattr", "input", "open"}
)
# The arguments of a method that come before `out`; most methods take none.
_BEFORE_OUT = {
    **dict.fromkeys(("conj", "conjugate"), 0),
    **dict.fromkeys(("all", "any", "argmax", "argmin", "choose", "dot", "max", "min", "round"), 1),
    **dict.fromkeys(
        ("clip", "compress", "cumprod", "cumsum", "mean", "prod", "std", "sum", "take", "var"), 2
    ),
    **{"accumulate": 3, "reduce": 3, "reduceat": 4, "trace": 4},
}
_READING_MODULES = frozenset(("_functools", "_operator", "cmath", "inspect", "itertools", "math"))
_IMPLICIT = ("__getattr__", "__getattribute__", "__setattr__")  # which no code names
_ASKING = ("getattr", "hasattr", "isinstance", "super", "type")  # which may have `self`
_JUMPS = frozenset((*dis.hasjrel, *dis.hasjabs))
_ANY = 1000  # arguments, where nobody knows how many


@dataclass
class Effects:
    """What a method does, and whatever it calls.

    Attributes
    ----------
    assigned : set of str
        The attributes that are assigned, of whatever object.
    elsewhere : set of str
        The attributes of others than `self`, such as its class, and the names outside that are assigned.
    read : set of str
        The attributes that are read, of whatever object.
    names : dict of str to object
        What is read by a name that is global, of a closure, or of a default, with what it means now.
    writes : bool
        Whether it may write into what it can reach, `self` excepted.
    exposed : bool
        Whether others get `self`, and may assign its attributes if it `writes`.
    """

    assigned: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    names: dict[str, Any] = field(default_factory=dict)
    writes: bool = False
    exposed: bool = False


def effects(cls: type, *methods: str) -> Effects:
    """Give what methods of a class do together, those of its bases with them."""
    found = Effects()
    todo = [member for name in (*methods, *_IMPLICIT) for member in members(cls, name)]
    seen = set()
    while todo:
        function = todo.pop()
        if id(function) in seen or isinstance(function, np.ufunc):
            continue
        seen.add(id(function))
        if isinstance(function, FunctionType):
            todo += [function.__wrapped__] if hasattr(function, "__wrapped__") else []
            found.names |= _defaults(function)
            for code in _with_nested(function.__code__):
                _Reader(cls, function, code, found, todo).read()
        else:
            found.writes = found.exposed = True
    return found


@functools.lru_cache(4096)
def instructions(code: CodeType) -> tuple[dis.Instruction, ...]:
    """Give the instructions of a code object; functions are shared by operators."""
    return tuple(dis.get_instructions(code))


def assigns(cls: type, method: str) -> bool:
    """Say whether a method, or another of the class by its name, assigns attributes: a quick look."""
    codes = [f.__code__ for f in members(cls, method) if isinstance(f, FunctionType)]
    seen = set()
    while codes:
        code = codes.pop()
        seen.add(code)
        if any(step.opname == "STORE_ATTR" for step in instructions(code)):
            return True
        called = [f.__code__ for n in code.co_names for f in members(cls, n) if isinstance(f, FunctionType)]
        codes += [c for c in (*code.co_consts, *called) if isinstance(c, CodeType) and c not in seen]
    return False


def members(cls: type, name: str) -> list[Any]:
    """Give what classes of authors have by a name: functions, where these are methods or properties."""
    authors = [vars(base) for base in cls.__mro__[:-1] if base.__module__ != "registry.function"]
    found: list[Any] = []
    for member in [own[name] for own in authors if name in own]:
        found += _of_property(member) or [getattr(member, "__func__", member)]
    return [member for member in found if member is not None]


def _is_method(cls: type, function: FunctionType) -> bool:
    """Say whether classes have a function as a method, or in a property: its first argument is `self`."""
    own = [member for base in cls.__mro__ for member in vars(base).values()]
    return any(function in (f for f in (x, *_of_property(x)) if isinstance(f, FunctionType)) for x in own)


def _of_property(member: Any) -> tuple[Any, ...]:
    return (member.fget, member.fset) if isinstance(member, property) else ()


def _defaults(function: FunctionType) -> dict[str, Any]:
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    given = function.__defaults__ or ()
    return {
        **dict(zip(names[len(names) - len(given) :], given, strict=True)),
        **(function.__kwdefaults__ or {}),
    }


def _with_nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_nested(constant)


class _Reader:
    """One code object on its way through: the function that has it, and what is found."""

    def __init__(
        self, cls: type, function: FunctionType, code: CodeType, found: Effects, todo: list[Any]
    ) -> None:
        self.cls, self.function, self.code, self.found, self.todo = cls, function, code, found, todo
        names = inspect.getargs(function.__code__).args
        self.own = names[0] if names and _is_method(cls, function) else None
        self.steps = instructions(code)
        self.at = {step.offset: k for k, step in enumerate(self.steps)}
        self.known_calls: set[int] = set()

    def read(self) -> None:
        """Find what this code does."""
        found, value = self.found, None
        for k, step in enumerate(self.steps):
            name, before, value = step.argval, value, None
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", *_OF_CLOSURES) and name != self.own:
                value = self._named(name)
                if step.opname == "LOAD_GLOBAL" or name in self.function.__code__.co_freevars:
                    found.names[name] = value
                self._meet(k, value)
            elif step.opname in _OF_OBJECTS and isinstance(before, ModuleType):
                value = _in_module(before, name)
                self._meet(k, value)
            elif step.opname in _OF_OBJECTS:
                self._meet_attribute(k, name)
            elif step.opname in ("MAKE_FUNCTION", "SET_FUNCTION_ATTRIBUTE"):
                self.known_calls |= self._calls_of(k)[0]
            elif step.opname == "STORE_ATTR" and self._is_of_self(k):
                found.assigned.add(name)
                self.todo += [x for x in members(self.cls, name) if isinstance(x, FunctionType)]
            elif step.opname == "STORE_ATTR" or self._binds_outside(step):
                found.assigned.add(name)
                found.elsewhere.add(name)
                found.writes = True
            elif step.opname.startswith(("STORE_", "DELETE_")) and "FAST" not in step.opname:
                found.writes |= step.opname not in ("STORE_DEREF", "STORE_NAME")
            elif step.opname == "BINARY_OP" and step.argrepr.endswith("="):
                found.writes |= not self._is_of_own_result(k)
            elif step.opname in _CALLS and k not in self.known_calls:
                found.writes |= not self._ends_with_block(k)
            if step.opname.startswith("LOAD_FAST") or step.opname in _OF_CLOSURES:
                found.exposed |= self._is_exposed(k)
        constants = [c if isinstance(c, tuple) else (c,) for c in self.code.co_consts]
        found.writes |= any("out" in names for names in constants)

    def _named(self, name: str) -> Any:
        """Give what a global name or one of a closure means, or None."""
        if name in self.function.__code__.co_freevars:
            cell = self.function.__closure__[self.function.__code__.co_freevars.index(name)]  # type: ignore[index]
            try:
                return cell.cell_contents
            except ValueError:  # not yet assigned
                return None
        return self.function.__globals__.get(name, vars(builtins).get(name))

    def _meet(self, k: int, value: Any) -> None:
        """Look at a function or class that an instruction loads, and at its call."""
        calls, count = self._calls_of(k)
        if isinstance(value, ModuleType) or not callable(value):
            return
        if isinstance(value, FunctionType) and self._is_of_author(value):
            self.todo.append(value)
        elif not _only_reads(value, count):
            if calls or not isinstance(value, type):
                self.found.writes = True
            return
        self.known_calls |= calls
        if isinstance(value, type):  # what it makes may be called at once: an operator
            self.known_calls.update(*[self._calls_of(call)[0] for call in calls])

    def _meet_attribute(self, k: int, name: str) -> None:
        """Look at an attribute of whatever object, and at its call if it is a method."""
        calls, count = self._calls_of(k)
        self.found.read.add(name)
        own = [] if name in _OF_OPERATORS else members(self.cls, name)
        functions = [x for x in own if isinstance(x, FunctionType) and self._is_of_author(x)]
        self.todo += functions
        others = [x for x in own if callable(x) and x not in functions]
        if name in _WRITING or (calls and not all(_only_reads(x, count) for x in others)):
            self.found.writes = True
        elif own or name in _OF_OPERATORS or (name in _READING and count <= _BEFORE_OUT.get(name, _ANY)):
            self.known_calls |= calls

    def _is_of_author(self, function: FunctionType) -> bool:
        """Say whether a function is in the package of the class, or of a base, and no helper."""
        packages = {str(base.__module__).partition(".")[0] for base in self.cls.__mro__[:-1]}
        return _package(function) in packages and not hasattr(function, "operator")

    def _calls_of(self, k: int) -> tuple[set[int], int]:
        """Give where what an instruction loads is called, and with how many positional arguments at most.

        There may be several places: an argument `a if b else c` can have two ways to calls of their own.
        """
        calls: set[int] = set()
        todo, seen = [(k + 1, 0)], set()  # with the depth of the stack above it
        while todo:
            k, depth = todo.pop()
            if k in seen or k >= len(self.steps):
                continue
            seen.add(k)
            step = self.steps[k]
            if step.opname in _CALLS:
                taken = 3 + (step.arg & 1) if step.opname == "CALL_FUNCTION_EX" else 2 + step.arg  # type: ignore[operator]
                depth -= taken + (step.opname == "CALL_KW")
                if depth >= 0:
                    todo.append((k + 1, depth + 1))
                elif depth >= -2:
                    calls.add(k)
            elif step.opname in _WITHOUT_EFFECT:
                todo.append((k + 1, depth))
            elif not step.opname.startswith(("RETURN", "RAISE", "RERAISE")):
                todo += [way for way in self._ways(k, depth) if way[1] >= 0]
        return calls, max(map(self._positional, calls), default=0)

    def _ways(self, k: int, depth: int) -> Iterator[tuple[int, int]]:
        """Give where an instruction leads and the depth of the stack, -1 where it takes the value itself."""
        step = self.steps[k]
        for jump in (False, True):
            effect = dis.stack_effect(step.opcode, step.arg, jump=jump)
            taken = depth == 0 and (effect == 0 or step.opname in _OF_OBJECTS)
            if jump and step.opcode in _JUMPS:
                yield self.at[step.argval], -1 if taken else depth + effect
            elif not jump and step.opname not in ("JUMP_FORWARD", "JUMP_BACKWARD"):
                yield k + 1, -1 if taken else depth + effect

    def _positional(self, k: int) -> int:
        """Count the positional arguments of a call."""
        step = self.steps[k]
        if step.opname == "CALL_FUNCTION_EX":
            return _ANY
        before = self.steps[k - 2 if self.steps[k - 1].opname == "PRECALL" else k - 1]
        named = before.opname == "KW_NAMES" or step.opname == "CALL_KW"
        return step.arg - (len(self.code.co_consts[before.arg]) if named else 0)  # type: ignore[index, operator]

    def _loads_self(self, k: int) -> bool:
        """Say whether `self` is the last thing that an instruction loads."""
        step = self.steps[k]
        names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        return "LOAD" in step.opname and self.own is not None and names[-1] == self.own

    def _is_of_self(self, k: int) -> bool:
        """Say whether an instruction assigns an attribute of `self`."""
        if self.steps[k - 1].opname == "SWAP":  # self.count += 1, which loads `self` and copies it first
            read = [j for j in range(2, k) if self.steps[j].argval == self.steps[k].argval]
            k = next((j - 1 for j in reversed(read) if self.steps[j - 1].opname == "COPY"), k)
        return self._loads_self(k - 1)

    def _binds_outside(self, step: dis.Instruction) -> bool:
        """Say whether an instruction binds a global name, or one of the closure that the function is."""
        is_of_closure = step.opname == "STORE_DEREF" and step.argval in self.function.__code__.co_freevars
        return step.opname == "STORE_GLOBAL" or is_of_closure

    def _is_exposed(self, k: int) -> bool:
        """Say whether an instruction loads `self` for anything but an attribute of it."""
        step = self.steps[k]
        names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        if self.own is None or self.own not in names or step.opname.startswith("STORE_FAST_STORE"):
            return False
        before = self.steps[k - 1]
        if before.opname == "LOAD_GLOBAL" and before.argval in _ASKING and names[0] == self.own:
            return self._named(before.argval) is not vars(builtins)[before.argval]
        after = self.steps[k + 1].opname
        if after == "COPY":  # self.count += 1
            after = self.steps[k + 2].opname
        return not (self._loads_self(k) and after in (*_OF_OBJECTS, "STORE_ATTR"))

    def _is_of_own_result(self, k: int) -> bool:
        """Say whether `v += ...` goes to what arithmetic made here, by all that is bound to that name."""
        name = _stored(self.steps[k + 1])[:1]
        if not name or name[0] in inspect.getargs(self.code).args:
            return False
        stores = [pair for pair in pairwise(self.steps) if name[0] in _stored(pair[1])]
        return all(
            # What is stored first is the result; a jump to the store brings another value.
            before.opname == "BINARY_OP"
            and "[" not in before.argrepr
            and not store.is_jump_target
            and name[0] not in _stored(store)[1:]
            for before, store in stores
        )

    def _ends_with_block(self, k: int) -> bool:
        """Say whether a call is the one that leaves a `with` block: of None, None and None."""
        k -= self.steps[k - 1].opname == "PRECALL"
        steps = self.steps[max(k - 3, 0) : k]
        return all(s.opname == "LOAD_CONST" and s.argval is None for s in steps)


def _stored(step: dis.Instruction) -> tuple[str, ...]:
    """Give the local names that an instruction binds."""
    if step.opname == "STORE_FAST":
        return (step.argval,)
    if step.opname == "STORE_FAST_LOAD_FAST":
        return (step.argval[0],)
    return step.argval if step.opname == "STORE_FAST_STORE_FAST" else ()


def _in_module(module: ModuleType, name: str) -> Any:
    """Give what a module has by a name; of the operators in `ops`, which load plugins, any of them."""
    return _an_operator if module.__name__ == "registry.ops" else vars(module).get(name)


def _an_operator(*_: Any) -> None:
    """Stand for any helper."""


_an_operator.operator = None  # type: ignore[attr-defined]


def _package(function: Any) -> str:
    return str(getattr(function, "__module__", "")).partition(".")[0]


def _only_reads(function: Any, count: int) -> bool:
    """Say whether something that is called, with so many arguments by position, is known to only read."""
    name, module = getattr(function, "__name__", ""), str(getattr(function, "__module__", ""))
    if isinstance(function, np.ufunc):
        return count <= function.nin
    if isinstance(function, type) and (hasattr(function, "_pass_back") or issubclass(function, Exception)):
        return True  # an operator, or an error
    if module == "builtins":
        return name in _READING_BUILTINS
    if module.partition(".")[0] == "numpy" or module in _READING_MODULES:
        return name not in _WRITING_FUNCTIONS and count <= _before_out(function)
    return hasattr(function, "operator") or hasattr(function, "composite")


@functools.lru_cache
def _before_out(function: Callable[..., Any]) -> int:
    """Count the parameters that come before `out` in a function of NumPy's."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # NumPy gives some no signature, and those take no `out`
        return _ANY
    outs = [i for i, p in enumerate(parameters) if p.name == "out" and p.kind is p.POSITIONAL_OR_KEYWORD]
    return outs[0] if outs else _ANY
