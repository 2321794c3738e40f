"""``opregistry ops`` and ``opregistry show``: the operators, all together and one by one."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from inspect import Signature

from registry.catalog import Catalog, Operator, function_name
from registry.cli.errors import CommandError
from registry.cli.output import column, say, show_source, show_table
from registry.errors import AmbiguousOperatorError, did_you_mean
from registry.function import Function
from registry.helpers import signature
from registry.state import default_registry

_FLAGS = ("differentiable", "once_differentiable", "elementwise", "scalars", "saves", "constants")


@dataclass(frozen=True)
class Entry:
    """One operator as the list shows it.

    `status` is "" where its bare name means it, "shadowed" where that means another
    one, "ambiguous" where it means none; `reach` is what to write in code.
    """

    name: str
    signature: str
    doc: str
    plugin: str
    status: str
    reach: str

    @classmethod
    def of(cls, operator: Operator, catalog: Catalog) -> Entry:
        """Describe one operator beside the others of its name."""
        status = _status(operator, catalog)
        reach = f"registry.plugins.{operator.plugin}" if status else "registry.ops"
        doc = (inspect.getdoc(operator.helper) or "").partition("\n")[0]
        return cls(
            operator.name, _parameters(operator), doc, operator.plugin, status, f"{reach}.{operator.name}"
        )

    def mentions(self, word: str) -> bool:
        """Say whether a word occurs in the name, the first line or the plugin's name."""
        return any(word.lower() in text.lower() for text in (self.name, self.doc, self.plugin))


def _parameters(operator: Operator) -> str:
    """Show a helper's parameters, without their types."""
    parameters = signature(operator.helper).parameters.values()
    return str(Signature([p.replace(annotation=p.empty) for p in parameters]))


def _status(operator: Operator, catalog: Catalog) -> str:
    try:
        chosen = catalog.choose(operator.name, catalog.names[operator.name])
    except AmbiguousOperatorError:
        return "ambiguous"
    return "" if chosen is operator else "shadowed"


def list_operators(word: str, *, as_json: bool) -> None:
    """Write the operators that mention a word: name, signature, first line, plugin."""
    registry = default_registry()
    registry.load()
    catalog = registry.catalog
    entries = [
        Entry.of(operator, catalog) for name in sorted(catalog.names) for operator in catalog.names[name]
    ]
    found = sorted((e for e in entries if e.mentions(word)), key=lambda e: (e.name, bool(e.status)))
    if as_json:
        say(json.dumps([asdict(entry) for entry in found], indent=2))
    elif not found:
        raise CommandError(f"no operator mentions {word!r}" + did_you_mean(word, catalog.names))
    else:
        _show_entries(found)


def _show_entries(entries: Iterable[Entry]) -> None:
    columns = [
        column("name", "cyan", whole=True),
        column("signature"),
        column("what it computes"),
        column("plugin", "dim", whole=True),
    ]
    marked = [(f"{e.name} ({e.status})" if e.status else e.name, e) for e in entries]
    show_table(columns, ((name, e.signature, e.doc, e.plugin) for name, e in marked))
    for _, entry in marked:
        if entry.status:
            say(f"the {entry.status} {entry.name} of {entry.plugin} is reached as {entry.reach}", fg="yellow")


def show_operator(name: str) -> None:
    """Write all that is known of one operator, given as ``name`` or ``plugin.name``."""
    default_registry().load()
    operator = _found(name)
    say(f"{operator.name}{_parameters(operator)}", fg="cyan", bold=True)
    say()
    say(inspect.getdoc(operator.helper) or "")
    say()
    facts = list(_facts(operator))
    width = max(len(label) for label, _ in facts) + 2
    for label, fact in facts:
        say(f"{label + ':':<{width}}{fact}")
    say()
    try:
        show_source(inspect.getsource(operator.target))
    except (OSError, TypeError):
        say("(its source code is not available)")


def _found(name: str) -> Operator:
    registry = default_registry()
    try:
        return registry.operator(name)
    except AmbiguousOperatorError as error:
        names = " or ".join(f"opregistry show {c.plugin}.{name}" for c in registry.catalog.names[name])
        raise CommandError(f"{error}\nto see one: {names}") from None


def _facts(operator: Operator) -> Iterator[tuple[str, str]]:
    registry = default_registry()
    plugin = registry.plugin(operator.plugin)
    yield "plugin", operator.plugin
    yield "distribution", f"{plugin.distribution} {plugin.version}" if plugin.distribution else "-"
    yield "defined at", operator.source
    yield "implements", ", ".join(map(function_name, operator.implements)) or "-"
    yield "method", operator.method or "-"
    if status := _status(operator, registry.catalog):
        yield "bare name", f"{status}; reach it as registry.plugins.{operator.plugin}.{operator.name}"
    if isinstance(operator.target, type) and issubclass(operator.target, Function):
        for flag in _FLAGS:
            value = getattr(operator.target, flag)
            shown = ", ".join(value) if isinstance(value, tuple) else "yes" if value else "no"
            yield flag, shown or "none"
    else:
        yield "kind", "composite: its derivatives are those of the operators it calls"
