"""Finding plugins and loading them, each kept from harming the others.

A plugin is loaded in four phases: *load* imports it, *register* checks its hooks with
a pluggy manager of its own, *collect* runs its iterables, *validate* makes catalogue
entries. Only a plugin that passed all four is published, whole.
"""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from registry.catalog import BUILTIN, SESSION, Plugin
from registry.definition import make_operator
from registry.errors import PluginError, PluginWarning, did_you_mean, text_of
from registry.loading import Phases
from registry.state import Registry, default_registry
from registry.version import __version__


@dataclass(frozen=True)
class Settings:
    """What the user says about plugins: which to load, block and prefer; and whether calls are guarded.

    `only` is None for all installed ones; `strict` raises instead of leaving out.
    """

    only: frozenset[str] | None = None
    block: frozenset[str] = frozenset()
    prefer: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    guard: bool = False

    @classmethod
    def from_environment(cls) -> Settings:
        """Read ``OPREGISTRY_PLUGINS``, ``_BLOCK``, ``_PREFER``, ``_STRICT`` and ``_GUARD``."""
        only = os.environ.get("OPREGISTRY_PLUGINS")
        pairs = (item.partition("=") for item in _items(os.environ.get("OPREGISTRY_PREFER", "")))
        return cls(
            only=None if only is None else frozenset(_items(only)),
            block=frozenset(_items(os.environ.get("OPREGISTRY_BLOCK", ""))),
            prefer={name.strip(): plugin.strip() for name, _, plugin in pairs},
            strict=_is_on(os.environ.get("OPREGISTRY_STRICT")),
            guard=_is_on(os.environ.get("OPREGISTRY_GUARD")),
        )


def _is_on(value: str | None) -> bool:
    return value not in (None, "", "0")


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


class PluginManager:
    """Loads the built-ins and the installed plugins into registries."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._scanned = False
        self._this_thread = threading.local()

    def load_builtins(self, registry: Registry) -> None:
        """Import the built-ins by name, without reading what is installed."""
        plugin = Plugin(BUILTIN, "loaded", "opregistry", __version__, BUILTIN)
        self._load(registry, plugin, lambda: importlib.import_module(BUILTIN))

    def load_installed(self, registry: Registry) -> None:
        """Load every entry point of the group, ordered by distribution and key."""
        if self._scanned:
            return
        from registry.installed import installed, raising  # slow to import, and only needed here

        outermost, found = not self._loading, installed()
        taken = {BUILTIN: "the built-ins", SESSION: "@registry.operator"}
        for plugin, get in found:
            if self.settings.only is not None and plugin.name not in self.settings.only:
                continue
            if plugin.name in taken:
                reason = f"the entry-point key {plugin.name!r} belongs to {taken[plugin.name]} already"
                plugin = replace(plugin, name=_free(f"{plugin.name}@{plugin.distribution}", taken))
                taken[plugin.name] = _owner(plugin)
                self._load(registry, plugin, raising(PluginError(f"{reason}; one of them must rename it")))
                continue
            taken[plugin.name] = _owner(plugin)
            self._load(registry, plugin, get)
        if outermost and all(map(registry.knows, taken.keys() - {BUILTIN, SESSION})):
            self._warn_of_unknown_names(registry, [plugin.name for plugin, _ in found])
            self._scanned = True

    def load_object(self, registry: Registry, target: object, name: str) -> Plugin:
        """Load a module or object that no entry point names; give what became of it."""
        if registry.knows(name):
            raise PluginError(f"a plugin named {name!r} is there already; give this one another name")
        self._load(registry, Plugin(name, "loaded"), lambda: target)
        return registry.plugin(name)

    @property
    def _loading(self) -> set[str]:
        """What this thread is loading now: a plugin's import may ask for others."""
        names: set[str] = self._this_thread.__dict__.setdefault("names", set())
        return names

    def _load(self, registry: Registry, plugin: Plugin, get: Callable[[], object]) -> None:
        """Take one plugin through its phases and publish it, or what went wrong.

        No lock is held while plugin code runs; of two threads that load the same
        plugin at once, the first to finish publishes.
        """
        if registry.knows(plugin.name) or plugin.name in self._loading:
            return
        if plugin.name in self.settings.block:
            registry.publish(replace(plugin, status="blocked"))
            return
        self._loading.add(plugin.name)
        phases = Phases()
        start = time.perf_counter()
        try:
            plugin = phases.run(plugin, get, registry.plugins)
        except KeyboardInterrupt:
            raise
        # A plugin may raise anything, SystemExit too, and must not take the others along.
        except BaseException as error:
            plugin = replace(plugin, status="failed", phase=phases.current, error=_showable(error))
        finally:
            self._loading.discard(plugin.name)
        plugin = replace(plugin, seconds=time.perf_counter() - start)
        if _half_imported(plugin) or not registry.publish(plugin):
            return
        if plugin.error is not None:
            self._report(plugin)

    def _report(self, plugin: Plugin) -> None:
        error = plugin.error
        message = (
            f"plugin {plugin} is left out: {plugin.phase} failed with {plugin.reason}; "
            "'opregistry plugins --verbose' shows the traceback, OPREGISTRY_BLOCK="
            f"{plugin.name} silences this"
        )
        if self.settings.strict:
            raise PluginError(message) from error
        warnings.warn(message, PluginWarning, stacklevel=2)

    def _warn_of_unknown_names(self, registry: Registry, installed: Iterable[str]) -> None:
        known = {*installed, BUILTIN, SESSION, *(plugin.name for plugin in registry.plugins)}
        asked = {
            "OPREGISTRY_PLUGINS": self.settings.only or (),
            "OPREGISTRY_BLOCK": self.settings.block,
            "OPREGISTRY_PREFER": self.settings.prefer.values(),
        }
        for variable, names in asked.items():
            for name in sorted(set(names) - known):
                text = f"{variable} names {name!r}, but no plugin of that name is installed"
                warnings.warn(f"{text}{did_you_mean(name, known)}", PluginWarning, stacklevel=2)
        offered = {p.name: p.keys for p in registry.plugins if p.status == "loaded" and p.name != SESSION}
        for name, plugin in self.settings.prefer.items():
            if name not in offered.get(plugin, {name}):
                text = f"OPREGISTRY_PREFER names {name!r}, but plugin {plugin!r} offers no such operator"
                warnings.warn(f"{text}{did_you_mean(name, offered[plugin])}", PluginWarning, stacklevel=2)


def _owner(plugin: Plugin) -> str:
    if plugin.distribution is None:
        return f"{plugin.value}, of a distribution without metadata,"
    return f"{plugin.distribution} {plugin.version}"


def _free(name: str, taken: Iterable[str]) -> str:
    """Give a name that is not taken, with a number behind it if need be."""
    names = itertools.chain([name], (f"{name} {i}" for i in itertools.count(2)))
    return next(name for name in names if name not in taken)


def _showable(error: BaseException) -> BaseException:
    """Give an error as it is, or what stands for one whose text cannot be had."""
    try:
        str(error)
    except BaseException:  # SystemExit, too; no Ctrl-C: nobody waits for a text
        shown = PluginError(text_of(error))
        shown.__cause__ = error
        return shown.with_traceback(error.__traceback__)
    return error


def _half_imported(plugin: Plugin) -> bool:
    """Say whether the plugin's module is in the middle of its import, further up or in another thread.

    It looked up an operator, and so came back here; it is loaded at the next miss.
    """
    module = sys.modules.get((plugin.value or "").partition(":")[0].strip())
    try:
        return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))
    except Exception:  # what stands there need be no module, and may answer so
        return False


def operator(target: Any) -> Any:
    """Register a `Function` subclass or composite for this process, in a notebook say.

    Running it again with an operator of the same name replaces the old one. The
    operators registered so form the plugin ``session``.

    Raises
    ------
    OperatorDefinitionError
        If it cannot be an operator; the message says why.

    Examples
    --------
    >>> import numpy as np
    >>> import registry
    >>> from registry import Function, Variable, ops
    >>> @registry.operator
    ... class Gaussian(Function):
    ...     '''exp(-x**2).'''
    ...
    ...     def forward(self, x):
    ...         return np.exp(-(x**2))
    ...
    ...     def backward(self, gy):
    ...         (x,) = self.xs
    ...         return -2 * x * np.exp(-(x**2)) * gy
    >>> ops.gaussian(Variable(np.array(0.0)))
    variable(1.0)
    """
    registry = default_registry()
    made = make_operator(target, SESSION)
    registry.add_to_session(made)
    candidates = registry.candidates("names", made.name)
    others = [plugin for plugin in (c.plugin for c in candidates) if plugin != SESSION]
    if others and registry.preferences.get(made.name) != SESSION:
        warnings.warn(
            f"{made.name!r} is also an operator of {', '.join(others)}, so ops.{made.name} is not this "
            f"one; call registry.prefer({made.name!r}, {SESSION!r}), or use it as "
            f"registry.plugins.{SESSION}.{made.name}",
            PluginWarning,
            stacklevel=2,
        )
    return target


def connect(registry: Registry, settings: Settings) -> None:
    """Let a registry find the built-ins and what is installed, as the settings say."""
    registry.loader = PluginManager(settings)
    registry.preferences = dict(settings.prefer)
    if settings.guard:
        from registry.observers.guard import Guard

        registry.watch(Guard())
