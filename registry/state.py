"""The registry's state: which plugins are known, what they offer, where more are found.

Every publication makes a new `Catalog`; look-ups read the newest one without a lock.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Literal, Protocol, TypeVar

import pluggy

from registry import hookspecs
from registry.catalog import BUILTIN, SESSION, Catalog, Operator, Plugin, function_name
from registry.errors import (
    AmbiguousOperatorError,
    NoOperatorError,
    UnknownOperatorError,
    did_you_mean,
    text_of,
)
from registry.hookspecs import PROJECT
from registry.modes import advice
from registry.threads import lock_across_forks

Function = Callable[..., Any]
_lock = lock_across_forks()  # of whoever changes a registry
K = TypeVar("K")
V = TypeVar("V")


class Loader(Protocol):
    """Finds plugins and publishes them into a registry."""

    def load_builtins(self, registry: Registry) -> None:
        """Import the built-ins, without scanning what is installed."""

    def load_installed(self, registry: Registry) -> None:
        """Load every installed plugin that is neither blocked nor loaded."""


class Found(dict[K, V]):
    """A dict that looks for what it does not hold, and keeps what it found."""

    def __init__(self, find: Callable[[K], V]) -> None:
        self._find = find

    def __missing__(self, key: K) -> V:
        value = self[key] = self._find(key)
        return value


class Registry:
    """The plugins that are known, and the catalogue that they make together.

    Parameters
    ----------
    loader : Loader, optional
        Asked for plugins at the first miss, the built-ins first; without one, a
        registry holds just what is published into it.
    preferences : mapping of str to str, optional
        Operator name -> plugin that wins it.

    Attributes
    ----------
    catalog : Catalog
        The newest picture.
    helpers, calls, methods : dict
        Operator name -> helper; NumPy function -> what calling it on a Variable
        reaches; method name -> what it calls, or None. What is not there yet is looked for.
    observers : pluggy hook relay or None
        The observer hooks, while a plugin implements one.
    """

    def __init__(self, loader: Loader | None = None, preferences: Mapping[str, str] | None = None) -> None:
        self.loader = loader
        self.preferences = dict(preferences or {})
        self._watchers: tuple[object, ...] = ()
        self._bound: list[Callable[[], None]] = []
        self._renew({})

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """The plugins known so far, by name; the built-ins first."""
        return tuple(sorted(self._plugins.values(), key=lambda p: (p.name != BUILTIN, p.name)))

    def plugin(self, name: str) -> Plugin:
        """Give a plugin by name, looking for it among the installed ones if need be."""
        if name == BUILTIN and self.loader is not None:
            self.loader.load_builtins(self)
        if name not in self._plugins:
            self.load()
        if name in self._plugins:
            return self._plugins[name]
        from registry.known_plugins import who_brings_plugin  # only an error pays for its import

        hint = who_brings_plugin(name) or did_you_mean(name, self._plugins)
        raise UnknownOperatorError(f"no plugin is named {name!r}{hint}")

    def knows(self, name: str) -> bool:
        """Say whether a plugin of this name was loaded, failed or blocked."""
        return name in self._plugins

    def publish(self, plugin: Plugin, *, replace: bool = False) -> bool:
        """Add one plugin, whole; say whether it is new."""
        with _lock:
            if plugin.name in self._plugins and not replace:
                return False
            self._renew({**self._plugins, plugin.name: plugin})
            return True

    def unambiguous(self) -> dict[str, Operator]:
        """Give every operator that a bare name means, of what is loaded so far."""
        chosen = {}
        for name, candidates in self.catalog.names.items():
            with suppress(AmbiguousOperatorError):
                chosen[name] = self.catalog.choose(name, candidates)
        return chosen

    def watch(self, watcher: object) -> None:
        """Let an object with observer hooks watch every call from now on."""
        with _lock:
            self._set_watchers((*self._watchers, watcher))

    @contextmanager
    def observing(self, watcher: object) -> Iterator[None]:
        """Let an object with observer hooks watch every call inside a `with` block."""
        try:
            self.watch(watcher)
            yield
        finally:
            try:
                self._unwatch(watcher)
            finally:  # twice: Ctrl-C may have ended the first
                self._unwatch(watcher)

    def _unwatch(self, watcher: object) -> None:
        with _lock:
            left = tuple([w for w in self._watchers if w is not watcher])
            if len(left) < len(self._watchers):
                self._set_watchers(left)

    def _set_watchers(self, watchers: tuple[object, ...]) -> None:
        observers = self._relay(watchers)
        self._watchers, self.observers = watchers, observers  # with no call in between: both or none

    def add_to_session(self, operator: Operator) -> None:
        """Add an operator registered by hand, in place of one of the same name."""
        with _lock:
            session = self._plugins.get(SESSION, Plugin(SESSION, "loaded"))
            others = tuple(o for o in session.operators if o.name != operator.name)
            session = dataclasses.replace(session, status="loaded", operators=(*others, operator))
            self._renew({**self._plugins, SESSION: session})

    def withdraw(self, name: str) -> None:
        """Forget a plugin and all that it brought."""
        with _lock:
            self._renew({key: plugin for key, plugin in self._plugins.items() if key != name})

    def block(self, name: str) -> None:
        """Take a plugin out for this process, whether it is loaded yet or not."""
        self.publish(Plugin(name, "blocked"), replace=True)

    def prefer(self, name: str, plugin: str) -> None:
        """Let one plugin win an operator's name, NumPy function and method.

        Parameters
        ----------
        name : str
            The operator, a dotted NumPy function such as ``"numpy.exp"``, or a method.
        plugin : str
            The plugin that is to serve it.

        Raises
        ------
        UnknownOperatorError
            If the plugin does not offer it.
        """
        keys = self.plugin(plugin).keys
        if name not in keys:
            raise UnknownOperatorError(f"plugin {plugin!r} offers no {name!r}{did_you_mean(name, keys)}")
        with _lock:
            self.preferences[name] = plugin
            self._renew(dict(self._plugins))  # another one: compiled functions look at that

    def _renew(self, plugins: Mapping[str, Plugin]) -> None:
        self._plugins: Mapping[str, Plugin] = plugins
        self.catalog = Catalog.of(plugins.values(), self.preferences)
        self.observers = self._relay(self._watchers)
        self.helpers: Found[str, Function] = Found(lambda name: self.operator(name).helper)
        self.calls = Found(self.numpy_call)
        self.methods = Found(self.method)
        self.unbind()

    def bind(self, undo: Callable[[], None]) -> None:
        """Call a function as soon as what is looked up here may change."""
        self._bound.append(undo)

    def unbind(self) -> None:
        """Undo what was bound to this registry's answers."""
        while self._bound:
            self._bound.pop()()

    def _relay(self, watchers: tuple[object, ...]) -> Any:
        observers = [p.observer for p in self._plugins.values() if p.observes]
        return _relay([*observers, *watchers])

    def load(self) -> tuple[Plugin, ...]:
        """Load the built-ins and every installed plugin; give all that are known."""
        if self.loader is not None:
            self.loader.load_builtins(self)
            self.loader.load_installed(self)
        return self.plugins

    def candidates(self, table: Literal["names", "functions", "methods"], key: Any) -> tuple[Operator, ...]:
        """Give all operators that are offered for a key.

        A built-in wins unless somebody said what they prefer, so the installed plugins
        are not looked for where there is one.
        """
        if self.loader is not None:
            self.loader.load_builtins(self)
        found: tuple[Operator, ...] = getattr(self.catalog, table).get(key, ())
        if self.loader is None or (BUILTIN in (c.plugin for c in found) and not self.preferences):
            return found
        self.loader.load_installed(self)
        return getattr(self.catalog, table).get(key, ())  # type: ignore[no-any-return]

    def operator(self, name: str) -> Operator:
        """Give the operator that a bare name means, or one of a plugin, as ``plugin.name``.

        Raises
        ------
        UnknownOperatorError
            If nothing has that name; the message has near misses and lost plugins.
        AmbiguousOperatorError
            If several plugins offer a bare name.
        """
        plugin_name, dot, bare = name.rpartition(".")
        if dot:
            plugin = self.plugin(plugin_name)
            if plugin.error is not None:
                reason = text_of(plugin.error)
                raise UnknownOperatorError(f"plugin {plugin} failed to {plugin.phase}: {reason}")
            offered = {operator.name: operator for operator in plugin.operators}
            if bare in offered:
                return offered[bare]
            hint = did_you_mean(bare, offered)
            raise UnknownOperatorError(f"plugin {plugin} offers no operator {bare!r}{hint}")
        if candidates := self.candidates("names", name):
            return self.catalog.choose(name, candidates)
        hint = self._installable(name) or did_you_mean(name, self.catalog.names)
        raise UnknownOperatorError(f"no operator is named {name!r}{hint}{self._lost()}")

    def method(self, name: str) -> Function | None:
        """Give what a method of Variable calls, or None."""
        candidates = self.candidates("methods", name)
        return self.catalog.choose(name, candidates).method_call if candidates else None

    def numpy_call(self, function: Function) -> Function:
        """Give what a NumPy function reaches when it is called on a Variable.

        Raises
        ------
        NoOperatorError
            If no operator implements it and it is no constant function.
        AmbiguousOperatorError
            If several plugins implement it.
        """
        name = function_name(function)
        if candidates := self.candidates("functions", function):
            return self.catalog.choose(name, candidates).implements[function]
        if reason := self.catalog.refused.get(name):
            instead = advice(reason) if ".data" in reason else reason
            raise NoOperatorError(f"{name} cannot be differentiated: {instead}")
        bare = name.rpartition(".")[2]
        raise NoOperatorError(
            f"no operator implements {name}{self._installable(bare) or self._near(bare)}{self._lost()}; "
            "install or load a plugin that "
            f"does, or write one (a Function with 'implements = {name}'); "
            + advice("'.data' gives the plain array, without a gradient")
        )

    def entry(self, target: object) -> Operator | None:
        """Give the catalogue's entry of a class or composite, if it has one."""
        return next((o for same in self.catalog.names.values() for o in same if o.target is target), None)

    def owner(self, target: object) -> str:
        """Name the operator and plugin of a class or composite, for messages."""
        if operator := self.entry(target):
            return f"operator {operator.name!r} of plugin {self._plugins[operator.plugin]}"
        name = getattr(target, "name", None) or getattr(target, "__qualname__", target)
        return f"operator {name!r} (in no plugin)"

    def is_array_type(self, kind: type) -> bool:
        """Say whether a plugin registered this type as data for Variables."""
        if not self.catalog.is_array_type(kind):
            self.load()
        return self.catalog.is_array_type(kind)

    def why_no_array_type(self, kind: type) -> str:
        """Give the end of a message: why no plugin could register a type that one gave, or nothing."""
        found = [p for p in self.plugins if f"register_array_types gave {kind!r}" in text_of(p.error)]
        return "".join(f"; plugin {p} {p.fate}: {text_of(p.error)}" for p in found)

    def _near(self, bare: str) -> str:
        names = {n for same in self.catalog.functions.values() for o in same for n in o.function_names}
        if bare in _WITHOUT_METHOD:
            return _WITHOUT_METHOD[bare]
        if f"numpy.{bare}" in names:  # the ufunc behind a method, or that of another library
            return f"; numpy.{bare} is served: call that, and no method of a plain array"
        # Rarely a slip of the pen.
        return did_you_mean(bare, {name.rpartition(".")[2] for name in names}, cutoff=0.75)

    def _installable(self, name: str) -> str:
        from registry.known_plugins import who_brings_operator  # only an error pays for its import

        return who_brings_operator(name, self._plugins)

    def _lost(self) -> str:
        lost = [f"plugin {p} {p.fate}" for p in self.plugins if p.status != "loaded"]
        return "".join(f"; {line}" for line in lost)


def _relay(observers: list[object]) -> Any:
    """Make the hook calls that reach all observers, or None where there are none."""
    if not observers:
        return None
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    for observer in observers:
        manager.register(observer)
    return manager.hook


default = Registry()  # the hot path reads it here; everybody else calls default_registry()


def default_registry() -> Registry:
    """Give the registry that helpers, Variables and NumPy calls of this process use."""
    return default


def load_plugins() -> tuple[Plugin, ...]:
    """Load every installed plugin now, instead of at the first miss; give all of them."""
    return default_registry().load()


def prefer(name: str, plugin: str) -> None:
    """Let one plugin win an operator's name; see `Registry.prefer`."""
    default_registry().prefer(name, plugin)


def block(name: str) -> None:
    """Take a plugin out for this process; see `Registry.block`."""
    default_registry().block(name)


@contextmanager
def using_registry(registry: Registry) -> Iterator[Registry]:
    """Make another registry the process's default inside a `with` block (for tests)."""
    global default
    before = default
    try:
        default = registry
        before.unbind()
        yield registry
    finally:
        default = before
        registry.unbind()


_WITHOUT_METHOD = {
    "reduce": "; functools.reduce(f, x) goes along the first axis",
    "accumulate": "; np.stack(list(itertools.accumulate(x, f))) goes along the first axis",
    "reduceat": "; reduce the slices, and join the results by np.stack",
    "outer": "; call the function itself on np.reshape(A, np.shape(A) + (1,) * np.ndim(B)) and B",
    "at": "; what is recorded is not written into",
}
