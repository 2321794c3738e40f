"""Memory, and time against the size of a graph, of this library beside PyTorch, in child processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import children
from groups import OURS, TORCH, Goal, Group

Child: TypeAlias = Callable[..., Any]

LIVE = 200_000
SMALLER = Goal(OURS, 1.0, times=TORCH)


def child(*arguments: object) -> Any:
    """Measure something in a process of its own; see `children`."""
    command = [sys.executable, str(Path(children.__file__)), *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def live_graph(libraries: Sequence[str], rounds: int, child: Child = child) -> Group:
    """Measure the bytes an operation of a graph of `LIVE` operations."""
    values = _in_turn(libraries, rounds, lambda library: child("live", library, LIVE))
    goals = [Goal(OURS, 600), SMALLER]
    return Group("memory", f"a live graph of {LIVE:,}, an operation", "B", values, goals=goals)


def peak(index: int, libraries: Sequence[str], rounds: int, child: Child = child) -> Group:
    """Measure the peak of a step of ``children.STEPS[index]``."""
    name = children.STEPS[index][0]().name
    values = _in_turn(libraries, rounds, lambda library: child("peak", library, index))
    return Group("memory", f"peak, {name}", "B", values, goals=[SMALLER])


def graph_sizes(library: str, counts: Sequence[int], child: Child = child) -> Group:
    """Time graphs of so many operations; in linear time, each costs the same but for caches."""
    cases = [f"{count:,}" for count in counts]
    values = dict(zip(cases, child("sizes", library, *counts), strict=True))
    # Caches and the collector cost a factor; n ** 1.5 would be 100 from 1,000 to 10 million.
    goals = [Goal(cases[-1], 3, times=cases[0])] if library == OURS else []
    return Group("sizes", f"graphs of {library}", "s", values, goals=goals)


def _in_turn(
    libraries: Sequence[str], rounds: int, measure: Callable[[str], list[float]]
) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {library: [] for library in libraries}
    for _ in range(rounds):
        for library in libraries:
            taken[library] += measure(library)
    return taken
