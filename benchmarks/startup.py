"""What a start costs, as whole processes: imports, and plugins that are installed but not asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TypeAlias

from groups import Goal, Group

BEFORE = "numpy + pluggy"
IMPORTS = {
    "python": "pass",
    BEFORE: "import numpy, pluggy",
    "registry": "import numpy, pluggy, registry",
    "first operator": "import numpy, pluggy, registry; registry.ops.square",
}
FIRST_OF_A_PLUGIN = "first operator of any plugin"
WITH_PLUGINS = {
    "import registry": "import registry",
    "first built-in operator": "import registry; registry.ops.square",
    FIRST_OF_A_PLUGIN: "import registry; registry.load_plugins()",
}
PLUGIN = """
import registry

class Bench{number}(registry.Function):
    def forward(self, x):
        return x

    def backward(self, gy):
        return gy

@registry.hookimpl
def register_operators():
    return [Bench{number}]
"""

Start: TypeAlias = Callable[[str, Path | None], float]


def process(code: str, folder: Path | None = None) -> float:
    """Run code in a Python of its own, with the plugins of a folder alone; give the seconds of all of it."""
    environment = dict(os.environ)
    if folder is not None:
        paths = [str(folder), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        environment["OPREGISTRY_PLUGINS"] = ",".join(path.stem for path in folder.glob("*.py"))
    start = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    return perf_counter() - start


def imports(rounds: int, start: Start = process) -> Group:
    """Time `IMPORTS`."""
    return Group(
        section="start",
        name="import",
        unit="s",
        values=_in_turn({case: (code, None) for case, code in IMPORTS.items()}, rounds, start),
        goals=[Goal("registry", 0.015, above=BEFORE)],
    )


def plugins(name: str, code: str, counts: Sequence[int], rounds: int, start: Start = process) -> Group:
    """Time code with so many plugins installed."""
    with TemporaryDirectory() as folder:
        starts = {f"{count}": (code, install(count, Path(folder) / f"{count}")) for count in counts}
        values = _in_turn(starts, rounds, start)
    least, most = min(counts), max(counts)
    goals = [] if name == FIRST_OF_A_PLUGIN else [Goal(f"{most}", 0.01, above=f"{least}")]
    return Group("plugins", name, "s", values, goals=goals)


def install(count: int, folder: Path) -> Path:
    """Write distributions of one operator each, as pip would install them."""
    folder.mkdir()
    for number in range(count):
        (folder / f"bench_{number}.py").write_text(PLUGIN.format(number=number))
        info = folder / f"bench_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bench-{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[opregistry]\nbench_{number} = bench_{number}\n")
    return folder


def _in_turn(
    starts: Mapping[str, tuple[str, Path | None]], rounds: int, start: Start
) -> dict[str, list[float]]:
    for code, folder in starts.values():
        start(code, folder)  # compiles what is imported
    taken: dict[str, list[float]] = {case: [] for case in starts}
    for _ in range(rounds):
        for case, (code, folder) in starts.items():
            taken[case].append(start(code, folder))
    return taken
