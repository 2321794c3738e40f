"""What is measured of one library in a process of its own: memory, and graphs of any size.

``python children.py live torch 200000`` prints a list of numbers. Memory is what the operating
system counts as resident, so whatever allocates it is counted; only Linux says it.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

from libraries import Library
from on_arrays import MLP, DeepNetwork, Elementwise, ElementwiseChain
from on_numbers import DeepChain
from workload import Workload

Made: TypeAlias = Callable[[], Workload]

# Each with a tiny one of its kind, whose steps load the code that the measured ones run.
STEPS: tuple[tuple[Made, Made], ...] = (
    (ElementwiseChain, lambda: ElementwiseChain(steps=2, elements=10)),
    (Elementwise, lambda: Elementwise(elements=10)),
    (MLP, lambda: MLP(batch=2, sizes=(4, 4, 4, 4))),
    (DeepNetwork, lambda: DeepNetwork(layers=2, batch=4, width=4)),
)


def live(library: Library, operations: int) -> list[float]:
    """Give the bytes an operation that a graph of numbers holds while it waits for its backward."""
    workload = DeepChain(operations // 2)
    x, c = library.leaf(workload.arrays[0]), library.constant(workload.constants[0])
    DeepChain(1).formula(library.m, x, c)
    gc.collect()
    before = _memory("VmRSS")
    y = workload.formula(library.m, x, c)
    after = _memory("VmRSS")
    del y
    return [(after - before) / operations]


def peak(library: Library, index: int) -> list[float]:
    """Give the bytes by which steps of a workload of `STEPS` raise the memory at most."""
    make, make_tiny = STEPS[index]
    tiny, workload = make_tiny(), make()
    library.use_threads(1)
    tiny.on(library)()
    run = workload.on(library)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of the imports
    before = _memory("VmRSS")
    for _ in range(3):
        run()
    return [float(_memory("VmHWM") - before)]


def sizes(library: Library, *counts: int) -> list[list[float]]:
    """Give the seconds an operation, forward and backward, of graphs of so many operations, in turn.

    Each size is measured three times, the largest, which take minutes, once.
    """
    runs = {count: DeepChain(count // 2).on(library) for count in counts}
    taken: dict[int, list[float]] = {count: [] for count in counts}
    runs[min(counts)]()
    for done in range(3):
        for count, run in runs.items():
            if done and count > 1_000_000:
                continue
            repeats = max(1, 30_000 // count)
            gc.collect()
            start = perf_counter()
            for _ in range(repeats):
                run()
            taken[count].append((perf_counter() - start) / repeats / count)
    return list(taken.values())


def _memory(field: str) -> int:
    """Read a field of /proc/self/status, which is in KiB, as bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def main(arguments: Sequence[str]) -> None:
    """Measure, and print what came of it."""
    from selection import LIBRARIES

    kind, name, *numbers = arguments
    (library,) = (library for library in LIBRARIES if library.name == name)
    measures: dict[str, Callable[..., Any]] = {"live": live, "peak": peak, "sizes": sizes}
    print(json.dumps(measures[kind](library(), *map(int, numbers))))


if __name__ == "__main__":
    main(sys.argv[1:])
