"""``opregistry install`` and ``uninstall``: pip, in the environment that runs this.

No plugin is loaded here, so both work where every plugin is broken.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

import typer

from registry.cli.errors import CommandError
from registry.installed import installed


def distributions(names: Sequence[str]) -> list[str]:
    """Give for each name of a plugin its distribution, from metadata alone; other names stay as they are."""
    of = {plugin.name: plugin.distribution for plugin, _ in installed()}
    return [of.get(name) or name for name in names]


def run_pip(*arguments: str, names: Sequence[str]) -> None:
    """Run pip; exit with its code.

    Raises
    ------
    CommandError
        If this environment has no pip.
    """
    if find_spec("pip") is None:
        raise CommandError(f"{sys.executable} has no pip; get it with: {sys.executable} -m ensurepip")
    done = subprocess.run([sys.executable, "-m", "pip", *arguments, *names], check=False)
    raise typer.Exit(done.returncode)
