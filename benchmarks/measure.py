"""Comparing results and timing: every library in turn, round after round."""

from __future__ import annotations

import gc
import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import numpy as np
from libraries import Library, Run, UnsupportedError
from workloads import Workload

FLOOR = "floor"


@dataclass(frozen=True)
class Timing:
    """The times of one library at one workload, in seconds an operation."""

    workload: str
    library: str
    seconds: Sequence[float]

    @property
    def median(self) -> float:
        """The middle one, which a busy moment of the machine does not move."""
        return median(self.seconds)

    @property
    def spread(self) -> float:
        """How far apart the middle half lies, relative to the median."""
        low, _, high = quantiles(self.seconds, n=4)
        return (high - low) / self.median


class WrongResultError(Exception):
    """A library computes something else than the floor, or than another one."""


def runs_of(workload: Workload, libraries: Sequence[Library]) -> tuple[dict[str, Run], list[str]]:
    """Prepare a workload for its floor, if any, and each library that can; say why others cannot."""
    runs: dict[str, Run] = {} if workload.floor is None else {FLOOR: workload.floor}
    unable = []
    for library in libraries:
        try:
            runs[library.name] = workload.on(library)
        except UnsupportedError as reason:
            unable.append(str(reason))
    return runs, unable


def compare(workload: Workload, runs: Mapping[str, Run]) -> None:
    """Check every library's results against the floor's, or the first library's where there is none.

    Each runs several times: what the first run left behind, a gradient or changed parameters,
    shows in the last.

    Raises
    ------
    WrongResultError
        If a value or gradient has another shape, or is too far away.
    """
    results = {name: [np.asarray(a) for a in _last(run, workload.repeats)] for name, run in runs.items()}
    reference, expected = next(iter(results.items()))
    for library, found in results.items():
        if [a.shape for a in found] != [a.shape for a in expected]:
            shapes = [a.shape for a in found], [a.shape for a in expected]
            raise WrongResultError(
                f"{workload.name}: {library} gives shapes {shapes[0]}, and {reference} {shapes[1]}"
            )
        for i, (a, b) in enumerate(zip(found, expected, strict=True)):
            if not np.allclose(a, b, rtol=0, atol=workload.tolerance * max(np.abs(b).max(), 1e-300)):
                raise WrongResultError(
                    f"{workload.name}: {library}'s result {i} is {a}, and {reference}'s {b}"
                )


def _last(run: Run, repeats: int) -> Sequence[Any]:
    for _ in range(repeats - 1):
        run()
    return run()


def timings(workload: Workload, runs: Mapping[str, Run], rounds: int, seconds: float) -> list[Timing]:
    """Time all runs of a workload: in turn, each for about `seconds`, `rounds` times.

    The collector runs as it does for users; garbage of one library is gone before the
    next one's turn.
    """
    counts = {name: _count_for(run, seconds) for name, run in runs.items()}
    taken: dict[str, list[float]] = {name: [] for name in runs}
    order = list(runs)
    for _ in range(rounds):
        for name in order:
            gc.collect()
            spent = _time(runs[name], counts[name])
            taken[name].append(spent / counts[name] / workload.operations)
        order = order[1:] + order[:1]
    return [Timing(workload.name, name, times) for name, times in taken.items()]


def _time(run: Run, count: int) -> float:
    start = perf_counter()
    for _ in range(count):
        run()
    return perf_counter() - start


def _count_for(run: Run, seconds: float) -> int:
    """Find how many runs fill about so many seconds."""
    count = 1
    while (spent := _time(run, count)) < seconds / 10:
        count *= 2
    return max(1, math.ceil(count * seconds / spent))


IMPORTS: dict[str, str] = {
    "python alone": "pass",
    "numpy + pluggy": "import numpy, pluggy",
    "registry": "import numpy, pluggy, registry",
    "registry, first operator": "import numpy, pluggy, registry; registry.ops.square",
}


def import_times(rounds: int, time: Callable[[str], float] | None = None) -> list[Timing]:
    """Time imports as whole processes, in turn."""
    time = time or _process
    taken: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for code in IMPORTS.values():
        time(code)  # fills the caches of compiled modules
    for _ in range(rounds):
        for name, code in IMPORTS.items():
            taken[name].append(time(code))
    return [Timing("import", name, times) for name, times in taken.items()]


def _process(code: str) -> float:
    start = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return perf_counter() - start


def median_difference(later: Timing, earlier: Timing) -> float:
    """Give the median of the differences, round by round."""
    pairs: Any = zip(later.seconds, earlier.seconds, strict=True)
    return median(b - a for b, a in pairs)
