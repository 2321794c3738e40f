"""All that one run found, kept in a file: pictures and pages are made of that, and never typed."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

from groups import FLOOR, Goal, Group
from libraries import Library


@dataclass(frozen=True)
class Verdict:
    """A goal of a group, and the figure that was found, or None."""

    group: Group
    goal: Goal
    found: float | None

    @property
    def word(self) -> str:
        """Say what came of it."""
        if self.found is None:
            return "not measured"
        return "met" if self.found <= self.goal.at_most else "missed"


@dataclass(frozen=True)
class Results:
    """What was measured, under which conditions, and why other things were not."""

    conditions: Mapping[str, str]
    groups: Sequence[Group]
    notes: Sequence[str] = ()

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what `save` wrote."""
        found = json.loads(path.read_text(encoding="utf-8"))
        return cls(found["conditions"], [Group.from_json(g) for g in found["groups"]], found["notes"])

    def save(self, path: Path) -> None:
        """Write everything as JSON, and what came of the goals."""
        verdicts = [
            {"of": v.group.name, **asdict(v.goal), "found": v.found, "verdict": v.word}
            for v in self.verdicts()
        ]
        found = {
            "conditions": self.conditions,
            "verdicts": verdicts,
            "groups": [group.to_json() for group in self.groups],
            "notes": list(self.notes),
        }
        path.write_text(json.dumps(found) + "\n", encoding="utf-8")

    def sections(self) -> dict[str, list[Group]]:
        """Give the groups of each section."""
        found: dict[str, list[Group]] = {}
        for group in self.groups:
            found.setdefault(group.section, []).append(group)
        return found

    def verdicts(self) -> list[Verdict]:
        """Hold every goal against its figure."""
        return [verdict for group in self.groups for verdict in verdicts_of(group)]

    def noise(self) -> dict[str, float]:
        """Give the spread of the floor of each workload: of what is the same in every run."""
        spreads = {group.name: group.spread(FLOOR) for group in self.groups if FLOOR in group.values}
        return {name: spread for name, spread in spreads.items() if spread is not None}

    def noise_in_words(self) -> str:
        """Say how noisy the machine was; goals ask for less than 20 %."""
        noise = self.noise()
        if not noise:
            return "no floor was measured"
        worst = max(noise, key=lambda name: noise[name])
        return f"median {median(noise.values()):.0%}, at most {noise[worst]:.0%} ({worst})"


def verdicts_of(group: Group) -> list[Verdict]:
    """Hold a group's goals against its figures."""
    return [Verdict(group, goal, group.found(goal)) for goal in group.goals]


def conditions(kind: str, libraries: Iterable[Library]) -> dict[str, str]:
    """Say on what a run takes place."""
    modules = dict.fromkeys(["numpy", *(library.module for library in libraries)])
    modules.pop("registry", None)
    return {
        "run": kind,
        "date": date.today().isoformat(),
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        **{module: version(module).partition("+")[0] for module in modules},
    }
