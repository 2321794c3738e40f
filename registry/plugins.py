"""The plugins by name: ``from registry.plugins import special``, ``special.erf(x)``."""

from __future__ import annotations

from typing import Any

from registry.catalog import Plugin
from registry.errors import PluginError, UnknownOperatorError, did_you_mean, text_of
from registry.state import default_registry


class PluginNamespace:
    """The helpers of one plugin, whoever else has operators of the same names."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin
        self._helpers = {operator.name: operator.helper for operator in plugin.operators}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # also while copy and pickle make an empty one
            raise UnknownOperatorError(f"a plugin's namespace has no attribute {name!r}")
        if name not in self._helpers:
            hint = did_you_mean(name, self._helpers)
            raise UnknownOperatorError(f"plugin {self._plugin} has no operator {name!r}{hint}")
        return self._helpers[name]

    def __dir__(self) -> list[str]:
        return sorted(self._helpers)

    def __repr__(self) -> str:
        return f"<plugin {self._plugin}: {len(self._helpers)} operators>"


def __getattr__(name: str) -> PluginNamespace:
    if name.startswith("_"):
        raise UnknownOperatorError(f"module 'registry.plugins' has no attribute {name!r}")
    plugin = default_registry().plugin(name)
    if plugin.status == "blocked":
        raise PluginError(
            f"plugin {plugin} is blocked: by OPREGISTRY_BLOCK or registry.block; take it out there to use it"
        )
    if plugin.error is not None:
        raise PluginError(f"plugin {plugin} has failed: {text_of(plugin.error)}") from plugin.error
    return PluginNamespace(plugin)


def __dir__() -> list[str]:
    return sorted(plugin.name for plugin in default_registry().load() if plugin.status == "loaded")
