"""``opregistry plugins``: what is installed, and how each one fared."""

from __future__ import annotations

import json
import traceback
import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import typer

from registry.catalog import Plugin
from registry.cli.output import column, on_terminal, say, show_table, warn
from registry.errors import PluginWarning, lines_of
from registry.installed import installed
from registry.plugin_manager import PluginManager, Settings
from registry.state import default_registry


def list_plugins(*, as_json: bool, verbose: bool, load: bool) -> None:
    """Write every plugin with its status; exit with 1 where one failed."""
    plugins = _loaded_without_raising() if load else _installed()
    if as_json:
        say(json.dumps([_record(plugin) for plugin in plugins], indent=2))
    else:
        _show(plugins, verbose)
    if any(plugin.status == "failed" for plugin in plugins):
        raise typer.Exit(1)


def _loaded_without_raising() -> tuple[Plugin, ...]:
    """Load all plugins, also under ``OPREGISTRY_STRICT``; warn of what the table does not say."""
    registry = default_registry()
    if isinstance(registry.loader, PluginManager):
        registry.loader.settings = replace(registry.loader.settings, strict=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PluginWarning)
        plugins = registry.load()
    shown = tuple(f"plugin {plugin} is left out" for plugin in plugins)
    for message in (str(warning.message) for warning in caught):
        if not message.startswith(shown):
            warn(message)
    return plugins


def _installed() -> tuple[Plugin, ...]:
    """Give what is installed, by its metadata alone, and what would become of it."""
    loader = default_registry().loader
    settings = loader.settings if isinstance(loader, PluginManager) else Settings()

    def status(name: str) -> str:
        if name in settings.block:
            return "blocked"
        return "installed" if settings.only is None or name in settings.only else "not asked for"

    return tuple(replace(plugin, status=status(plugin.name)) for plugin, _ in installed())


def _record(plugin: Plugin) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "status": plugin.status,
        "operators": sorted(operator.name for operator in plugin.operators),
        "load_time_ms": round(plugin.seconds * 1e3, 3),
        "file": plugin.file,
        "phase": plugin.phase,
        "error": plugin.reason,
    }


def _show(plugins: Iterable[Plugin], verbose: bool) -> None:
    plugins = list(plugins)
    columns = [
        column("name", "cyan", whole=True),
        column("distribution", whole=True),
        column("version", whole=True),
        column("status", whole=True),
        column("operators", right=True, whole=True),
        column("load ms", right=True, whole=True),
    ]
    if on_terminal():  # too narrow for paths
        show_table(columns, map(_row, plugins))
        width = max((len(plugin.name) for plugin in plugins), default=0)
        for plugin in plugins:
            say(f"\n{plugin.name:<{width}}  {_place(plugin)}", dim=True, nl=False)
        say("\n")
    else:
        show_table([*columns, column("file")], ((*_row(plugin), _place(plugin)) for plugin in plugins))
    for plugin in plugins:
        if verbose and plugin.operators:
            names = ", ".join(sorted(operator.name for operator in plugin.operators))
            say(f"{plugin.name} offers {names}\n")
        if plugin.error is not None:
            say(f"{plugin.name} failed to {plugin.phase}: {plugin.reason}", fg="red")
            if verbose:
                say(lines_of(plugin.error, traceback.format_exception))


def _row(plugin: Plugin) -> tuple[str, ...]:
    return (
        plugin.name,
        plugin.distribution or "-",
        plugin.version or "-",
        plugin.status,
        str(len(plugin.operators)),
        f"{plugin.seconds * 1e3:.1f}",
    )


def _place(plugin: Plugin) -> str:
    """Give the file, or what the entry point names where nothing was imported."""
    return plugin.file or plugin.value or "-"
