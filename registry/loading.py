"""One plugin on its way into the catalogue: import, hooks, iterables, validation.

Each phase has a name, so that a failure can say how far the plugin came.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pluggy

from registry import hookspecs
from registry.catalog import Operator, Plugin, function_name
from registry.definition import make_operator, own_comparison
from registry.errors import PluginError, did_you_mean
from registry.hookspecs import PROJECT
from registry.numpy_protocol import NumPyProtocol, on_plain_values

HOOKS = tuple(name for name in vars(hookspecs) if name.startswith(("register_", "before_", "after_")))
_MISSING = object()
OBSERVERS = tuple(name for name in HOOKS if not name.startswith("register_"))


class Phases:
    """The way of one plugin from its entry point to its catalogue entries."""

    current = "load"

    def run(self, plugin: Plugin, get: Callable[[], object], others: Iterable[Plugin]) -> Plugin:
        target = get()
        self.current = "register"
        for other in others:
            if other.target is target is not None:
                raise PluginError(f"it names the same object as plugin {other}; remove one entry point")
        hooks = _checked_hooks(target, plugin.name)
        self.current = "collect"
        operators = _collected(hooks.register_operators)
        constants = _collected(hooks.register_constant_functions)
        array_types = _collected(hooks.register_array_types)
        refused = _refusals(hooks.register_refused_functions)
        self.current = "validate"
        return replace(
            plugin,
            target=target,
            operators=_made(operators, plugin),
            constants=tuple(_constant(function, plugin.name) for function in constants),
            refused=refused,
            array_types=tuple(map(_array_type, array_types)),
            observer=_observer(hooks),
        )


def _checked_hooks(target: object, name: str) -> Any:
    """Check one plugin's hooks in a manager of its own, and give a way to call them."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(target, name)
    callers = manager.get_hookcallers(target) or []
    for caller in callers:
        if not caller.has_spec():
            raise PluginError(f"there is no hook {caller.name!r}{did_you_mean(caller.name, HOOKS)}")
    implemented = {caller.name for caller in callers}
    for hook in HOOKS:
        if hook not in implemented and callable(getattr(target, hook, None)):
            raise PluginError(f"{hook!r} is not marked; write @hookimpl above it")
    if not implemented:
        near = [name + hint for name in dir(target) if (hint := did_you_mean(name, HOOKS))]
        seen = f"; it has {near[0]} Mark it with @hookimpl" if near else ""
        raise PluginError(f"it implements none of the hooks {', '.join(HOOKS)}{seen}")
    return manager.hook


def _observer(hooks: Any) -> object:
    """Give an object that holds a plugin's observer hooks and nothing else, or None where there are none.

    So nobody asks the plugin itself again, which may answer by code of its own.
    """
    members: dict[str, Any] = {}
    for name in OBSERVERS:
        for implementation in getattr(hooks, name).get_hookimpls():
            hook: Any = staticmethod(implementation.function)
            setattr(hook, f"{PROJECT}_impl", implementation.opts)
            members[f"{name}_{len(members)}" if implementation.opts["specname"] else name] = hook
    return type("Observer", (), members)() if members else None


def _collected(hook: pluggy.HookCaller) -> list[Any]:
    results = hook()
    if len(results) < len(hook.get_hookimpls()):  # pluggy drops what is None
        results = [None]
    for items in results:
        if not isinstance(items, Iterable):
            raise PluginError(f"{hook.name} returned {items!r}; return a list, or yield one after another")
    return [item for items in results for item in items]


def _refusals(hook: pluggy.HookCaller) -> dict[str, str]:
    refused: dict[str, str] = {}
    for reasons in hook():
        if not isinstance(reasons, Mapping):
            raise PluginError(f"{hook.name} returned {reasons!r}; return a dict from a name to the reason")
        for name, reason in reasons.items():
            if type(name) is not str or type(reason) is not str or not reason.strip():
                raise PluginError(f"{hook.name} gave {name!r}: {reason!r}; expected a name and a reason")
            refused[name] = reason
    return refused


def _made(targets: Iterable[Any], plugin: Plugin) -> tuple[Operator, ...]:
    operators: list[Operator] = []
    taken: dict[tuple[str, Any], Any] = {}
    for target in targets:
        operator = make_operator(target, plugin.name)
        operators.append(operator)
        functions = (("implements", function) for function in operator.implements)
        for claim in (("name", operator.name), ("method", operator.method), *functions):
            if claim in taken:
                kind, key = claim
                raise PluginError(
                    f"{target.__qualname__} and {taken[claim].__qualname__} have the same {kind}, "
                    f"{function_name(key) if callable(key) else key!r}; change it in one of them"
                )
            if claim[1] is not None:
                taken[claim] = target
    return tuple(operators)


_ARRAY_METHODS = ("__add__", "copy", "__array_ufunc__", "__array_function__")


def _array_type(kind: Any) -> type:
    """Check that a class can be an array type: one of its own, which NumPy asks before it computes."""
    if not isinstance(kind, type):
        raise PluginError(f"register_array_types gave {kind!r}; expected a class")
    if issubclass(object, kind):
        raise PluginError(f"register_array_types gave {kind!r}, which takes every object for its own")
    if issubclass(kind, (np.ndarray, np.generic, NumPyProtocol)):
        raise PluginError(f"register_array_types gave {kind!r}, which is known without it; leave it out")
    has = inspect.getattr_static
    if missing := [name for name in _ARRAY_METHODS if has(kind, name, _MISSING) is _MISSING]:
        raise PluginError(
            f"register_array_types gave {kind!r}, which has no {' and no '.join(missing)}; write it, or "
            "say '__array_ufunc__ = None' and '__array_function__ = None' where NumPy's functions are to "
            "refuse it"
        )
    return kind


def _constant(function: Callable[..., Any], plugin: str) -> Operator:
    if not callable(function):
        raise PluginError(f"register_constant_functions gave {function!r}; expected a function")
    if own := own_comparison(function):
        raise PluginError(f"register_constant_functions gave a function with {own}; expected a plain one")
    call, name = on_plain_values(function), getattr(function, "__name__", "")
    method = name if hasattr(np.ndarray, name) else None
    return Operator(function_name(function), function, call, plugin, {function: call}, method, call)
