"""What a workload is: a formula, the same code for every library, and its derivatives by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from groups import COMPILED, FLOOR, JIT, OURS, PEER, Goal
from libraries import Library, Run

AHEAD = Goal(OURS, 0.4, times=PEER)
COMPILED_AHEAD = (Goal(COMPILED, 1.5, times=FLOOR), Goal(COMPILED, 1.0, times=JIT))


class Workload:
    """A scalar formula, its gradient by some arrays, and the floor.

    Where a library needs another way than the formula's gradient, override `on`.

    Attributes
    ----------
    name : str
        What the table calls it.
    operations : int
        What the time of one run is divided by.
    arrays : sequence of numpy.ndarray
        What the formula is differentiated by.
    constants : sequence of numpy.ndarray
        What else it takes, after those.
    tolerance : float
        How far a library may be from the floor, relative to the largest element.
    repeats : int
        After how many runs results are compared.
    threads : int
        On how many threads libraries may compute; the floor uses one.
    goals : sequence of Goal
        What is asked of its figures.
    """

    name: str
    operations: int = 1
    arrays: Sequence[Any] = ()
    constants: Sequence[Any] = ()
    tolerance: float = 1e-10
    repeats: int = 2
    threads: int = 1
    goals: Sequence[Goal] = ()

    def formula(self, m: Any, *xs: Any) -> Any:
        """Compute the value with a library's functions `m`."""
        raise NotImplementedError

    def floor(self) -> Sequence[Any]:
        """Compute value and gradients in NumPy, by hand: the least that anybody has to do."""
        raise NotImplementedError

    def on(self, library: Library) -> Run:
        """Prepare one run with a library."""
        return library.gradient(self.formula, self.arrays, self.constants)
