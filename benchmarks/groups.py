"""What a run gives: groups of cases that were measured in turn, and the goals set for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median, quantiles
from typing import Any

FLOOR = "floor"
OURS = "opregistry"
COMPILED = "compiled"
TORCH = "torch"
JIT = "jax.jit"
PEER = "the fastest eager peer"


@dataclass(frozen=True)
class Goal:
    """A bound on what one case costs.

    Attributes
    ----------
    case : str
        Whose figure is bounded.
    at_most : float
        The bound: a multiple where `times` is given, else in the unit of the group.
    times, above : str or None
        The case, or `PEER`, of which the figure is a multiple, or from which it is counted.
    """

    case: str
    at_most: float
    times: str | None = None
    above: str | None = None


@dataclass(frozen=True)
class Group:
    """Cases measured in turn, round after round.

    Attributes
    ----------
    section, name : str
        The table, and what the row or block of it is called.
    unit : str
        "s" or "B", of one operation where the name says nothing else.
    values : mapping of str to sequence of float
        What each round gave, by case; a slow case may have fewer rounds.
    base : str or None
        The case that others are shown as multiples of.
    peers : sequence of str
        The cases among which the fastest eager peer is found.
    goals : sequence of Goal
        What is asked of the figures.
    left_out : sequence of str
        Why other cases were not measured.
    """

    section: str
    name: str
    unit: str
    values: Mapping[str, Sequence[float]]
    base: str | None = None
    peers: Sequence[str] = ()
    goals: Sequence[Goal] = ()
    left_out: Sequence[str] = ()

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Group:
        """Make a group of what `to_json` gave."""
        return cls(**{**fields, "goals": [Goal(**goal) for goal in fields["goals"]]})

    def to_json(self) -> dict[str, Any]:
        """Give everything as dicts, lists, strings and numbers."""
        return asdict(self)

    def rounded(self) -> Group:
        """Give it with four digits, more than mean anything, so that files hold just what is printed."""
        values = {case: [float(f"{value:.4g}") for value in given] for case, given in self.values.items()}
        return replace(self, values=values)

    def median(self, case: str) -> float:
        """Give the middle one, which a busy moment of the machine does not move."""
        return median(self.values[case])

    def spread(self, case: str) -> float | None:
        """Say how far apart the middle half lies, relative to the median; two values say nothing."""
        if len(self.values[case]) < 3:
            return None
        low, _, high = quantiles(self.values[case], n=4, method="inclusive")
        return (high - low) / self.median(case)

    def ratio(self, case: str, other: str) -> float:
        """Give the median of the ratios, round by round: a drift of the machine cancels."""
        return median(a / b for a, b in zip(self.values[case], self.values[other], strict=False))

    def difference(self, case: str, other: str) -> float:
        """Give the median of the differences, round by round."""
        return median(a - b for a, b in zip(self.values[case], self.values[other], strict=False))

    @property
    def fastest_peer(self) -> str | None:
        """The eager peer with the least median, of those that were measured."""
        return min((peer for peer in self.peers if peer in self.values), key=self.median, default=None)

    def found(self, goal: Goal) -> float | None:
        """Give the figure that a goal bounds, or None where a case of it was not measured."""
        other = goal.times or goal.above
        if other == PEER:
            other = self.fastest_peer
        if goal.case not in self.values or ((goal.times or goal.above) and other not in self.values):
            return None
        if other is None:
            return self.median(goal.case)
        return self.ratio(goal.case, other) if goal.times else self.difference(goal.case, other)
