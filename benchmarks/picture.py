"""Results as a picture: every library beside the floor, goals, and time against graph size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from groups import COMPILED, FLOOR, JIT, OURS, Group
from report import statement
from results import Results

MARKERS = {OURS: "o", COMPILED: "D", JIT: "^"}


def draw(results: Results, path: Path) -> None:
    """Draw what was measured, and write it there, in the format of the name's ending."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with plt.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplot_mosaic(
            [["libraries", "goals"], ["sizes", "goals"]],
            figsize=(15, 11),
            height_ratios=[1.5, 1],
            layout="constrained",
        )
        _libraries(axes["libraries"], [group for group in results.groups if group.base == FLOOR])
        _sizes(axes["sizes"], results.sections().get("sizes", []))
        _goals(axes["goals"], results)
        figure.savefig(path, dpi=100)
        plt.close(figure)


def _libraries(axes: Any, groups: list[Group]) -> None:
    """Draw a row for each workload, a mark for each library: how many times the floor it takes."""
    cases = dict.fromkeys(case for group in groups for case in group.values if case != FLOOR)
    for case in cases:
        rows = [row for row, group in enumerate(groups) if case in group.values]
        ratios = [groups[row].ratio(case, FLOOR) for row in rows]
        ours = case in (OURS, COMPILED)
        style = {"s": 60, "zorder": 3} if ours else {"s": 28, "alpha": 0.75}
        axes.scatter(ratios, rows, marker=MARKERS.get(case, "s"), label=case, **style)
    axes.set(xscale="log", title="time as a multiple of hand-written NumPy")
    _rows(axes, [group.name for group in groups])
    if cases:
        axes.legend(loc="lower right")


def _goals(axes: Any, results: Results) -> None:
    """Draw a bar for each goal: the figure as a fraction of what is asked at most."""
    verdicts = [v for v in results.verdicts() if v.found is not None]
    fractions = [v.found / v.goal.at_most for v in verdicts if v.found is not None]
    colours = ["tab:green" if v.word == "met" else "tab:red" for v in verdicts]
    axes.barh(range(len(verdicts)), fractions, color=colours, height=0.7)
    axes.set(xlim=(0, max([2, *fractions])), title="figure / goal: up to the line is met")
    _rows(axes, [f"{v.group.name}: {statement(v.goal, v.group)}" for v in verdicts])


def _rows(axes: Any, names: list[str]) -> None:
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)


def _sizes(axes: Any, groups: list[Group]) -> None:
    """Draw seconds of a whole graph against its operations, and a dotted line for what is linear."""
    for group in groups:
        counts = [int(case.replace(",", "")) for case in group.values]
        seconds = [group.median(case) * count for case, count in zip(group.values, counts, strict=True)]
        (line,) = axes.plot(counts, seconds, marker="o", label=group.name)
        linear = [seconds[0] * count / counts[0] for count in counts]
        axes.plot(counts, linear, color=line.get_color(), linestyle=":", alpha=0.6)
    axes.set(xscale="log", yscale="log", xlabel="operations", ylabel="seconds")
    axes.set_title("a graph forward and backward (dotted: linear)")
    axes.grid(alpha=0.3)
    if groups:
        axes.legend()
