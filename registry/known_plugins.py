"""Packages that are known to bring operators, for messages about what is not installed.

``python -m registry.known_plugins special neural`` writes the index of these plugins anew.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from registry.catalog import Plugin

INDEX = Path(__file__).with_suffix(".toml")


def who_brings_operator(name: str, known: Container[str]) -> str:
    """Give the end of a message: which packages bring an operator, or nothing.

    Plugins that are known already, as loaded, failed or blocked, are not suggested.
    """
    entries = _index().items()
    return _advice(
        [e["distribution"] for plugin, e in entries if plugin not in known and name in e["operators"]]
    )


def who_brings_plugin(name: str) -> str:
    """Give the end of a message: which package brings a plugin, or nothing."""
    return _advice([entry["distribution"] for plugin, entry in _index().items() if plugin == name])


def _index() -> dict[str, Any]:
    return tomllib.loads(INDEX.read_text(encoding="utf-8"))


def _advice(packages: Sequence[str]) -> str:
    if not packages:
        return ""
    return f"; the package {packages[0]} brings it: python -m pip install {', or '.join(packages)}"


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
