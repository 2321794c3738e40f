"""Results as text: a block for each group, and what came of the goals."""

from __future__ import annotations

from groups import Goal, Group
from results import Results, Verdict, verdicts_of

HEADER = f"{'':<22}{'median':>12}{'x first':>10}{'x fastest peer':>17}{'spread':>9}"
SCALES = {
    "s": ((1, "s"), (1e-3, "ms"), (1e-6, "us")),
    "B": ((1e6, "MB"), (1, "B")),
}


def text(results: Results) -> str:
    """Give the whole report."""
    return "\n".join([HEADER, *(block(group) for group in results.groups), summary(results)])


def block(group: Group) -> str:
    """Give the figures of one group, and its goals."""
    lines = [_line(group, case) for case in group.values]
    verdicts = [f"  {verdict_of(v)}" for v in verdicts_of(group)]
    return "\n".join([f"\n{group.name} ({group.section})", *lines, *verdicts])


def _line(group: Group, case: str) -> str:
    to_base = "-" if group.base is None else multiple(group.ratio(case, group.base))
    peer = group.fastest_peer
    to_peer = "-" if peer is None else multiple(group.ratio(case, peer))
    spread = group.spread(case)
    shown_spread = "-" if spread is None else f"{spread:.0%}"
    median = shown(group.median(case), group.unit)
    return f"  {case:<20}{median:>12}{to_base:>10}{to_peer:>17}{shown_spread:>9}"


def summary(results: Results) -> str:
    """Give what was not measured, how noisy the machine was, and the goals that were missed."""
    verdicts = [v for v in results.verdicts() if v.found is not None]
    missed = [v for v in verdicts if v.word == "missed"]
    return "\n".join(
        [
            "",
            *dict.fromkeys([*results.notes, *(reason for g in results.groups for reason in g.left_out)]),
            f"spread of the floor: {results.noise_in_words()}",
            f"goals: {len(verdicts) - len(missed)} of {len(verdicts)} met",
            *(f"  {v.group.name}: {verdict_of(v)}" for v in missed),
        ]
    )


def verdict_of(verdict: Verdict) -> str:
    """Say in a line what was asked, and what was found."""
    asked = statement(verdict.goal, verdict.group)
    return f"goal {verdict.word}: {asked}{found(verdict, ': {}')}"


def statement(goal: Goal, group: Group) -> str:
    """Say what a goal asks for."""
    if goal.times is not None:
        return f"{goal.case} at most {goal.at_most:g} x {goal.times}"
    above = "" if goal.above is None else f" above {goal.above}"
    return f"{goal.case} at most {shown(goal.at_most, group.unit)}{above}"


def found(verdict: Verdict, around: str = "{}") -> str:
    """Give the figure of a verdict, or nothing."""
    if verdict.found is None:
        return ""
    figure = multiple(verdict.found) if verdict.goal.times else shown(verdict.found, verdict.group.unit)
    return around.format(figure)


def multiple(ratio: float) -> str:
    """Give a ratio with as many digits as mean something."""
    size = abs(ratio)
    return f"{ratio:.{2 if round(size, 2) < 10 else 1 if round(size, 1) < 100 else 0}f}"


def shown(value: float, unit: str) -> str:
    """Give a number with a unit that suits it."""
    scale, name = next((s for s in SCALES[unit] if abs(value) >= s[0]), SCALES[unit][-1])
    return f"{multiple(value / scale)} {name}"
