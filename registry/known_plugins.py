"""Packages that are known to bring operators, for messages about what is not installed.

``python -m registry.known_plugins special neural`` writes the index of these plugins anew.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Container, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry.catalog import Plugin

INDEX = Path(__file__).with_suffix(".toml")


def how_to_get(name: str, known: Container[str] = ()) -> str:
    """Give the end of a message: which package brings a plugin or an operator, or nothing.

    Plugins that are known already, as loaded, failed or blocked, are not suggested.
    """
    for plugin, entry in tomllib.loads(INDEX.read_text(encoding="utf-8")).items():
        if plugin not in known and (name == plugin or name in entry["operators"]):
            distribution = entry["distribution"]
            return f"; the package {distribution} brings it: python -m pip install {distribution}"
    return ""


def index_of(plugins: Iterable[Plugin]) -> str:
    """Give the text of the index, with all operators of some plugins."""
    sections = []
    for plugin in plugins:
        names = "".join(f'    "{name}",\n' for name in sorted(o.name for o in plugin.operators))
        sections.append(f'[{plugin.name}]\ndistribution = "{plugin.distribution}"\noperators = [\n{names}]\n')
    return "\n".join(sections)


if __name__ == "__main__":
    from registry.state import default_registry

    INDEX.write_text(index_of(map(default_registry().plugin, sys.argv[1:])), encoding="utf-8")
