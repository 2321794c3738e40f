"""Comparing results and timing: every library in turn, round after round."""

from __future__ import annotations

import gc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from groups import FLOOR, Group
from libraries import Library, Run, UnsupportedError
from workload import Workload


@dataclass(frozen=True)
class Effort:
    """How often everything is measured, and for how long each time."""

    rounds: int
    seconds: float


class WrongResultError(Exception):
    """A library computes something else than the floor, or than another one."""


def measured(section: str, workload: Workload, libraries: Sequence[Library], effort: Effort) -> Group:
    """Compare and time a workload for its floor, if any, and each library that can.

    Raises
    ------
    UnsupportedError
        If fewer than two can.
    """
    runs, unable = runs_of(workload, libraries)
    if len(runs) < 2:
        raise UnsupportedError(
            f"{workload.name}: nothing to compare with ({'; '.join(dict.fromkeys(unable))})"
        )
    compare(workload.name, runs, workload.tolerance, workload.repeats)
    return Group(
        section=section,
        name=workload.name,
        unit="s",
        values=timings(runs, effort, workload.operations),
        base=FLOOR if FLOOR in runs else None,
        peers=[library.name for library in libraries if library.eager_peer],
        goals=workload.goals,
        left_out=unable,
    )


def runs_of(workload: Workload, libraries: Sequence[Library]) -> tuple[dict[str, Run], list[str]]:
    """Prepare a workload for its floor, if any, and each library that can; say why others cannot."""
    runs: dict[str, Run] = {} if workload.floor is None else {FLOOR: workload.floor}
    unable = []
    for library in libraries:
        library.use_threads(workload.threads)
        try:
            runs[library.name] = workload.on(library)
        except UnsupportedError as reason:
            unable.append(str(reason))
    return runs, unable


def compare(name: str, runs: Mapping[str, Run], tolerance: float, repeats: int) -> None:
    """Check all results against those of the first, which is the floor where there is one.

    Each runs several times: what the first run left behind, a gradient or changed parameters,
    shows in the last.

    Raises
    ------
    WrongResultError
        If a value or gradient has another shape, or is too far away.
    """
    results = {case: [np.asarray(a) for a in _last(run, repeats)] for case, run in runs.items()}
    reference, expected = next(iter(results.items()))
    for case, found in results.items():
        if [a.shape for a in found] != [a.shape for a in expected]:
            shapes = [a.shape for a in found], [a.shape for a in expected]
            raise WrongResultError(f"{name}: {case} gives shapes {shapes[0]}, and {reference} {shapes[1]}")
        for i, (a, b) in enumerate(zip(found, expected, strict=True)):
            if not np.allclose(a, b, rtol=0, atol=tolerance * max(np.abs(b).max(), 1e-300)):
                raise WrongResultError(f"{name}: {case}'s result {i} is {a}, and {reference}'s {b}")


def _last(run: Run, repeats: int) -> Sequence[Any]:
    for _ in range(repeats - 1):
        run()
    return run()


def timings(runs: Mapping[str, Run], effort: Effort, operations: int = 1) -> dict[str, list[float]]:
    """Time all runs in turn, each for about ``effort.seconds``, ``effort.rounds`` times.

    After three rounds, whatever has taken three times its share drops out. The collector runs as
    it does for users, who have not imported all these libraries: what is there before is frozen, so
    that it looks at what the runs make. Garbage of one library is gone before the next one's turn.

    Returns
    -------
    dict of str to list of float
        Seconds an operation, a value for each round.
    """
    counts = {case: _count_for(run, effort.seconds) for case, run in runs.items()}
    spent = dict.fromkeys(runs, 0.0)
    taken: dict[str, list[float]] = {case: [] for case in runs}
    order = list(runs)
    gc.collect()
    gc.freeze()
    for done in range(effort.rounds):
        for case in order:
            if done >= 3 and spent[case] > 3 * effort.rounds * effort.seconds:
                continue
            gc.collect()
            seconds = _time(runs[case], counts[case])
            spent[case] += seconds
            taken[case].append(seconds / counts[case] / operations)
        order = order[1:] + order[:1]
    gc.unfreeze()
    return taken


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
