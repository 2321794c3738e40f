"""What plugins offer together: operators by name, NumPy function and method.

A `Catalog` is immutable. Conflicts are decided here, from the set of plugins alone,
never from the order in which they came.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from registry.errors import AmbiguousOperatorError, text_of, type_name

Function = Callable[..., Any]
K = TypeVar("K", bound=Hashable)

BUILTIN = "ops_builtin"
SESSION = "session"


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator as the catalogue lists it.

    `target` is what the author wrote (a `Function` subclass or a composite), `helper`
    what people call; `implements` gives for each NumPy function what calling it on
    Variables reaches, `function_names` how these are called, `method_call` what the method
    of Variable does. A constant function is its own target, and has no bare name.
    """

    name: str
    target: Function
    helper: Function
    plugin: str
    implements: Mapping[Function, Function] = field(default_factory=dict)
    method: str | None = None
    method_call: Function | None = None
    function_names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Ask for the names now: a plugin's function may answer by code of its own."""
        object.__setattr__(self, "function_names", tuple(map(function_name, self.implements)))

    @property
    def source(self) -> str:
        """``file:line`` of the author's definition, as far as it is known."""
        with suppress(Exception):  # there is no file; or a class answers so, in messages to others
            return f"{inspect.getsourcefile(self.target)}:{inspect.getsourcelines(self.target)[1]}"
        with suppress(Exception):
            return f"module {function_name(self.target).rpartition('.')[0] or 'unknown'}"
        return "unknown"


@dataclass(frozen=True, eq=False)
class Plugin:
    """One plugin and how it fared: what it brought, or where it failed and why.

    `status` is ``"loaded"``, ``"failed"`` or ``"blocked"``; `phase` says in which step
    a failed one stopped; `seconds` is the time that loading took; `observer` holds the
    observer hooks that it implements, if any.
    """

    name: str
    status: str
    distribution: str | None = None
    version: str | None = None
    value: str | None = None
    target: object = None
    operators: tuple[Operator, ...] = ()
    constants: tuple[Operator, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    array_types: tuple[type, ...] = ()
    observer: object = None
    seconds: float = 0.0
    phase: str | None = None
    error: BaseException | None = None

    @property
    def observes(self) -> bool:
        """Whether it watches calls."""
        return self.observer is not None

    @property
    def keys(self) -> set[str]:
        """What it offers that others may offer too: names, NumPy functions, methods."""
        return {o.name for o in self.operators} | {
            key
            for o in (*self.operators, *self.constants)
            for key in (*o.function_names, o.method)
            if key is not None
        }

    @property
    def fate(self) -> str:
        """How it fared, as the end of a sentence."""
        return f"{'has' if self.status == 'failed' else 'is'} {self.status}"

    @property
    def file(self) -> str | None:
        """Where the plugin's code stands."""
        try:
            module = inspect.getmodule(self.target) if self.target is not None else None
            return getattr(module, "__file__", None)
        except Exception:  # an object of the plugin's may answer so
            return None

    @property
    def reason(self) -> str | None:
        """Why it failed: the kind and text of its error."""
        return None if self.error is None else f"{type_name(self.error)}: {text_of(self.error)}"

    def __str__(self) -> str:
        if self.distribution is None:
            return self.name
        return f"{self.name} ({self.distribution} {self.version})"


def function_name(function: Function) -> str:
    """Give the dotted name of a NumPy function, ufunc method or `operator` function."""
    owner = getattr(function, "__self__", None)
    name = getattr(function, "__name__", None)
    if name is None:
        name = repr(function)
    if isinstance(owner, Hashable) and hasattr(owner, "nin"):
        return f"{function_name(owner)}.{name}"  # type: ignore[arg-type]
    module = getattr(function, "__module__", None)
    if module is None:  # a ufunc does not say whose it is
        return f"numpy.{name}" if getattr(np, name, None) is function else str(name)
    return f"{module.removeprefix('_')}.{name}"


class StandIn:
    """What stands in for arrays while a function is traced: an array type that no plugin registers."""

    __slots__ = ()

    @property
    def weak(self) -> bool:
        """Whether it stands for a Python number, which takes the dtype of what it meets."""
        raise NotImplementedError

    @property
    def promoted(self) -> Any:
        """What `numpy.result_type` takes for it: a dtype, or a Python number."""
        raise NotImplementedError

    def strong(self) -> Any:
        """Give an array, where it stands for a Python number."""
        raise NotImplementedError

    def converted(self, dtype: Any) -> Any:
        """Give an array of a dtype."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Catalog:
    """An immutable picture of what the loaded plugins offer together."""

    names: Mapping[str, tuple[Operator, ...]] = field(default_factory=dict)
    functions: Mapping[Function, tuple[Operator, ...]] = field(default_factory=dict)
    methods: Mapping[str, tuple[Operator, ...]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    array_types: tuple[type, ...] = ()
    preferences: Mapping[str, str] = field(default_factory=dict)
    plugins: Mapping[str, Plugin] = field(default_factory=dict)

    @classmethod
    def of(cls, plugins: Iterable[Plugin], preferences: Mapping[str, str]) -> Catalog:
        """Put the plugins' operators side by side, in an order of their own."""
        plugins = sorted(plugins, key=lambda plugin: plugin.name)
        operators = [operator for plugin in plugins for operator in plugin.operators]
        everything = operators + [c for plugin in plugins for c in plugin.constants]
        return cls(
            names=_grouped((o.name, o) for o in operators),
            functions=_grouped((function, o) for o in everything for function in o.implements),
            methods=_grouped((o.method, o) for o in everything if o.method),
            refused={name: reason for plugin in plugins for name, reason in plugin.refused.items()},
            array_types=(StandIn, *[kind for plugin in plugins for kind in plugin.array_types]),
            preferences=dict(preferences),
            plugins={plugin.name: plugin for plugin in plugins},
        )

    def is_array_type(self, kind: type) -> bool:
        """Say whether a class is a registered one or a subclass, without asking a plugin's metaclass."""
        return any(base is known for base in kind.__mro__ for known in self.array_types)

    def choose(self, key: str, candidates: tuple[Operator, ...]) -> Operator:
        """Decide between the operators that are offered for one key.

        The preferred plugin's first, then the built-in, then the only one there is;
        of several that all say "constant", any.

        Raises
        ------
        AmbiguousOperatorError
            If several are left.
        """
        prefer = self.preferences
        preferred = [c for c in candidates if c.plugin == prefer.get(key)]
        by_name = [c for c in candidates if c.plugin == prefer.get(c.name)]
        builtin = [c for c in candidates if c.plugin == BUILTIN]
        constant = candidates[:1] if all(any(c.target is f for f in c.implements) for c in candidates) else ()
        for group in (preferred, by_name, builtin, constant, candidates):
            if len(group) == 1:
                return group[0]
        first = candidates[0]
        raise AmbiguousOperatorError(
            f"{key!r} is offered by {len(candidates)} plugins:\n"
            + "\n".join(f"  {self.plugins[c.plugin]}: {c.source}" for c in candidates)
            + f"\nchoose one: 'from registry.plugins import {first.plugin}' and then "
            f"'{first.plugin}.{first.name}(...)', or registry.prefer({key!r}, {first.plugin!r}), "
            f"or OPREGISTRY_PREFER={key}={first.plugin}"
        )


def _grouped(pairs: Iterable[tuple[K, Operator]]) -> dict[K, tuple[Operator, ...]]:
    groups: dict[K, tuple[Operator, ...]] = {}
    for key, operator in pairs:
        groups[key] = (*groups.get(key, ()), operator)
    return groups
