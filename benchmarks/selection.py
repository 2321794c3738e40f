"""What a run measures: the libraries, and what is taken in full and with ``--quick``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import calls
import children
import memory
import startup
import watching
from groups import OURS, TORCH, Group
from libraries import Library
from measure import Effort, measured
from on_arrays import MLP, Elementwise, HessianVector, LogisticRegression, TinyMLP
from on_numbers import (
    DeepChain,
    Diamond,
    FanOut,
    FifthDerivative,
    GoldsteinPrice,
    Matyas,
    Rosenbrock,
    SmallChain,
    Sphere,
)
from ours import Compiled, OpRegistry
from peers import Autograd, Jax, JaxJit, MyGrad, Torch
from training import TRAINING_STEPS
from workload import Workload

LIBRARIES: tuple[type[Library], ...] = (OpRegistry, Compiled, MyGrad, Torch, Autograd, Jax, JaxJit)

Made: TypeAlias = Callable[[], Workload]
Measurement: TypeAlias = tuple[str, Callable[[], Group]]


@dataclass(frozen=True)
class Selection:
    """What one kind of run takes."""

    effort: Effort
    workloads: Sequence[Made]
    starts: int  # rounds of processes that only start
    children: int  # rounds of processes whose memory is looked at
    operators: Sequence[int]
    plugins: Sequence[int]
    graphs: Sequence[int]
    graphs_of_torch: Sequence[int]

    def measurements(self, libraries: Sequence[Library]) -> Iterator[Measurement]:
        """Give the name of each group and how to measure it; nothing is measured yet."""
        for section, kinds in {"workloads": self.workloads, "training": TRAINING_STEPS}.items():
            for make in kinds:
                workload = make()
                yield workload.name, partial(measured, section, workload, libraries, self.effort)
        yield "calls", partial(calls.ways, self.effort)
        for name, call in calls.BY_NAME.items():
            yield "registered operators", partial(calls.among, name, call, self.operators, self.effort)
        for made, times in watching.WORKLOADS:
            yield "watching", partial(watching.watched, made(), times, self.effort)
        yield "import", partial(startup.imports, self.starts)
        for name, code in startup.WITH_PLUGINS.items():
            yield "installed plugins", partial(startup.plugins, name, code, self.plugins, self.starts)
        names = [library.name for library in libraries if library.name in (OURS, TORCH)]
        yield "memory", partial(memory.live_graph, names, self.children)
        for index in range(len(children.STEPS)):
            yield "memory", partial(memory.peak, index, names, self.children)
        for name, counts in {OURS: self.graphs, TORCH: self.graphs_of_torch}.items():
            if name in names:
                yield "graph sizes", partial(memory.graph_sizes, name, counts)


SMALL: tuple[Made, ...] = (
    Sphere,
    Matyas,
    Rosenbrock,
    GoldsteinPrice,
    FifthDerivative,
    HessianVector,
    TinyMLP,
)
FULL = Selection(
    effort=Effort(rounds=11, seconds=0.1),
    workloads=(
        SmallChain,
        partial(DeepChain, 10_000),
        partial(DeepChain, 200_000),
        Diamond,
        partial(FanOut, 5_000),
        *SMALL,
        MLP,
        LogisticRegression,
        partial(Elementwise, 4_000_000),
        partial(Elementwise, 4_000_000, threads=2),
    ),
    starts=20,
    children=3,
    operators=(10, 100, 1_000, 10_000),
    plugins=(0, 50, 200),
    graphs=(1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    graphs_of_torch=(1_000, 10_000, 100_000, 1_000_000),
)
QUICK = Selection(
    effort=Effort(rounds=5, seconds=0.02),
    workloads=(
        SmallChain,
        partial(DeepChain, 1_000),
        Diamond,
        partial(FanOut, 500),
        *SMALL,
        MLP,
        LogisticRegression,
        partial(Elementwise, 500_000),
        partial(Elementwise, 500_000, threads=2),
    ),
    starts=3,
    children=1,
    operators=(10, 1_000),
    plugins=(0, 200),
    graphs=(1_000, 10_000, 100_000),
    graphs_of_torch=(1_000, 10_000, 100_000),
)
