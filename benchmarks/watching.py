"""What it costs to watch, and that not watching costs nothing: workloads inside each block and outside."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from groups import Group
from libraries import Run
from measure import Effort, compare, timings
from on_arrays import MLP, Elementwise, TinyMLP
from on_numbers import SmallChain
from ours import OpRegistry
from workload import Workload

import registry

OFF = "off"
MODES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    OFF: nullcontext,
    "off again": nullcontext,  # after the others: nothing of them stays
    "guard": registry.guard,
    "detect_anomaly": registry.detect_anomaly,
    "profile": registry.profile,
    "trace": lambda: registry.trace(io.StringIO()),
}
# With how often each is run in one block: to enter and leave one takes a millisecond.
WORKLOADS: tuple[tuple[Callable[[], Workload], int], ...] = (
    (SmallChain, 300),
    (TinyMLP, 30),
    (MLP, 5),
    (partial(Elementwise, 1_000_000), 1),
)


def watched(workload: Workload, times: int, effort: Effort) -> Group:
    """Time a workload in each block, as multiples of it outside of all."""
    run = workload.on(OpRegistry())
    runs = {mode: _in(block, run, times) for mode, block in MODES.items()}
    compare(workload.name, runs, workload.tolerance, workload.repeats)
    return Group("watching", workload.name, "s", timings(runs, effort, times * workload.operations), base=OFF)


def _in(block: Callable[[], AbstractContextManager[Any]], run: Run, times: int) -> Run:
    def inside() -> Sequence[Any]:
        with block():
            for _ in range(times):
                result = run()
        return result

    return inside
