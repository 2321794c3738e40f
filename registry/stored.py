"""Which of an operator's attributes are constants to its second derivative.

What `forward` leaves on `self` may depend on the inputs, in whatever object, so a recorded backward
reads it only where it holds nothing that has a derivative, or where `constants` names it. What
`__init__` assigned may be read, too, unless `forward` assigns it anew or may have written into it.
"""

from __future__ import annotations

import inspect
import sys
from enum import Enum
from types import BuiltinFunctionType, EllipsisType, FunctionType, MemberDescriptorType, ModuleType, NoneType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from registry.catalog import StandIn
from registry.errors import HigherOrderError
from registry.state import default_registry

if TYPE_CHECKING:
    from registry.bytecode import Effects
    from registry.function import Function

_CONSTANT = frozenset((NoneType, bool, int, str, range, EllipsisType))
_OF_ARRAYS = ("writeable", *dir(np.ndarray))  # assigned to results: y.shape = ...
_ANYTHING = object()
_OF_INTEGERS = (np.integer, np.bool_, np.dtype)
_IMMUTABLE = (float, complex, bytes, np.generic, np.ufunc, type, Enum)


class Rules(NamedTuple):
    """What a recorded backward of one class may read.

    Attributes
    ----------
    constants : frozenset of str
        Attributes that may hold anything: no call changes them.
    assigned_once : frozenset of str
        Those that `__init__` alone assigned.
    elsewhere : dict of str to object
        What `forward` may have written outside of `self` and `backward` reads, by its name.
    """

    constants: frozenset[str]
    assigned_once: frozenset[str]
    elsewhere: dict[str, Any]


def rules(cls: type[Function]) -> Rules:
    """Give the rules of a class, found once from the bytecode of its methods."""
    if "_rules" not in cls.__dict__:
        from registry.bytecode import effects  # 1 ms, which `import registry` need not take

        forward, backward = effects(cls, "forward"), effects(cls, "backward")
        own = effects(cls, "__new__", "__init__", "__post_init__").assigned - forward.assigned
        if forward.writes and forward.exposed:  # others may have assigned any attribute
            own = set()
        constants = set(cls.constants) if forward.writes else own.union(cls.constants)
        cls._rules = Rules(frozenset(constants), frozenset(own), _elsewhere(cls, forward, backward))
    return cls._rules


def _elsewhere(cls: type[Function], forward: Effects, backward: Effects) -> dict[str, Any]:
    """Give what `forward` may have written outside of `self` and `backward` reads, by its name."""
    from registry.bytecode import members

    read = backward.read | {*backward.names}
    found: dict[str, Any] = {}
    if forward.writes:
        theirs = {name: x for name in forward.read & backward.read for x in members(cls, name)}
        reached = list(map(id, [*forward.names.values(), *theirs.values()]))
        shared = {name: x for name, x in backward.names.items() if id(x) in reached} | theirs
        found = {name: x for name, x in shared.items() if not (callable(x) or isinstance(x, ModuleType))}
    bound = {name for name in forward.assigned & backward.read if _sets_itself(cls, name)} | forward.elsewhere
    found |= dict.fromkeys(bound & read - {*_OF_ARRAYS}, _ANYTHING)
    return {name: x for name, x in found.items() if name not in cls.constants}


def _sets_itself(cls: type, name: str) -> bool:
    """Say whether a class has a descriptor, other than a slot, that is told what is assigned."""
    member = inspect.getattr_static(cls, name, None)
    return hasattr(member, "__set__") and not isinstance(member, MemberDescriptorType)


def withheld(function: Function) -> list[str]:
    """Give the attributes that a recorded backward must not read.

    Raises
    ------
    HigherOrderError
        If it reads what `forward` may have written outside of `self`.
    """
    cls = type(function)
    constants, assigned_once, elsewhere = rules(cls)
    attributes = {} if cls._bare else getattr(function, "__dict__", {})
    if cls._own_slots:
        slots = {name: getattr(function, name) for name in cls._own_slots if hasattr(function, name)}
        attributes = {**attributes, **slots}
    for name, value in elsewhere.items():
        if name not in attributes and not is_constant(value, immutable=True):
            raise forbidden(cls, name, name)
    return [
        name
        for name, value in attributes.items()
        if type(value) not in _CONSTANT
        and name not in constants
        and not is_constant(value, immutable=name in assigned_once)
    ]


def forbidden(cls: type[Function], name: str, what: str) -> HigherOrderError:
    """Give the error of a backward that reads what must not be read."""
    return HigherOrderError(
        f"{default_registry().owner(cls)}: 'backward' reads {what}, which 'forward' stored or can have "
        "written into, and which is a constant to the second derivative; compute it again from self.xs or "
        f"self.ys, or, if the inputs do not change it, declare constants = {(*cls.constants, name)}"
    )


def is_constant(value: Any, *, immutable: bool = False) -> bool:
    """Say whether a value has no part that depends on numbers with a derivative.

    With `immutable`, the value is known to be no result of the inputs itself: it must only be
    of a type into which nobody writes.
    """
    kind = type(value)
    if kind in _CONSTANT or (kind is tuple and _CONSTANT.issuperset(map(type, value))):  # such as a shape
        return True
    if isinstance(value, _OF_INTEGERS):
        return True
    if kind is slice:
        return is_constant((value.start, value.stop, value.step), immutable=immutable)
    if kind in (tuple, frozenset):
        return all(is_constant(x, immutable=immutable) for x in value)
    if kind in (list, set):
        return all(map(is_constant, value))
    if kind is dict:
        return all(map(is_constant, value)) and all(map(is_constant, value.values()))
    if kind is np.ndarray or isinstance(value, StandIn):
        read_only = immutable and kind is np.ndarray and value.base is None and not value.flags.writeable
        return read_only or value.dtype.kind in "biuSU"
    return (immutable and isinstance(value, _IMMUTABLE)) or _is_of_module(value)


def _is_of_module(value: Any) -> bool:
    """Say whether a value is a module, or a function or class that its module has by its name."""
    if isinstance(value, ModuleType):
        return sys.modules.get(value.__name__) is value
    if isinstance(value, np.ufunc):
        modules, path = ["numpy", "scipy.special"], value.__name__
    elif callable(value) and not getattr(value, "__closure__", None):
        modules, path = [str(getattr(value, "__module__", ""))], getattr(value, "__qualname__", "")
    else:
        return False
    return any(_found(sys.modules.get(module), path) is value for module in modules)


def _found(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = inspect.getattr_static(module, name, None)
    return module


def stores_nothing(cls: type) -> bool:
    """Say that no instance holds anything: there is no `__init__`, and `forward` does not touch `self`."""
    forward = cls.forward  # type: ignore[attr-defined]
    if cls.__init__ is not object.__init__ or cls.__new__ is not object.__new__:  # type: ignore[misc, comparison-overlap]
        return False
    if not isinstance(forward, FunctionType):
        return isinstance(forward, np.ufunc | BuiltinFunctionType)
    from registry.bytecode import instructions

    code = forward.__code__
    own = code.co_varnames[0] if code.co_argcount else None
    touched = any(
        own == i.argval or (type(i.argval) is tuple and own in i.argval) for i in instructions(code)
    )
    return not touched and own not in code.co_cellvars and "super" not in code.co_names


def stores_no_result(cls: type) -> bool:
    """Say that `forward` assigns no attribute."""
    from registry.bytecode import assigns

    return not (cls._own_slots or assigns(cls, "forward"))  # type: ignore[attr-defined]
