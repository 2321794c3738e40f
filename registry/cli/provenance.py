"""Which plugin each operator of a computation came from."""

from __future__ import annotations

from collections.abc import Iterable

from registry.catalog import Operator
from registry.cli.output import column, show_table
from registry.edges import reachable
from registry.state import default_registry
from registry.variable import Variable


def operators_behind(result: Variable) -> list[Operator]:
    """Give the operators that were recorded on the way to a result, by name."""
    made = {o.target: o for same in default_registry().catalog.names.values() for o in same}
    functions, _ = reachable([] if result.creator is None else [result.creator])
    kinds = set(map(type, functions))
    return sorted((made[kind] for kind in kinds if kind in made), key=lambda o: o.name)


def show_provenance(operators: Iterable[Operator]) -> None:
    """Write a table: operator, plugin, distribution, version."""
    registry = default_registry()
    plugins = [(operator.name, registry.plugin(operator.plugin)) for operator in operators]
    columns = [
        column("operator", "cyan", whole=True),
        column("plugin"),
        column("distribution"),
        column("version", whole=True),
    ]
    show_table(columns, ((name, p.name, p.distribution or "-", p.version or "-") for name, p in plugins))
