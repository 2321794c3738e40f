"""Results as tables of a Markdown page, between two marks, so that nobody types figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from groups import OURS, Group
from report import found, multiple, shown, statement
from results import Results

BEGIN, END = "<!-- figures: written by benchmarks/run.py -->", "<!-- end of the figures -->"
TITLES = {
    "workloads": "Forward and backward: the floor's time an operation, and multiples of it",
    "training": "Steps of training",
    "calls": "Ways to call an operator, as multiples of the first",
    "watching": "Inside blocks that watch, as multiples of outside",
    "registered": "A call by the number of registered operators, as multiples of the first",
    "start": "Starts, as whole processes",
    "plugins": "Starts by the number of installed plugins, as whole processes",
    "memory": "Memory",
    "sizes": "Time an operation, by the operations of the graph",
}


def write(results: Results, path: Path) -> None:
    """Put the tables in place of those that stand in a page."""
    text = path.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{path} has no place for the tables: lines {BEGIN!r} and {END!r}")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n\n{tables(results)}\n\n{END}{after}", encoding="utf-8")


def tables(results: Results) -> str:
    """Give the conditions, the goals, and a table for each section."""
    conditions = ", ".join(f"{name} {value}" for name, value in results.conditions.items())
    parts = [f"{conditions}. Spread of the floor: {results.noise_in_words()}.", "### Goals", _goals(results)]
    for section, groups in results.sections().items():
        parts += [f"### {TITLES[section]}", _pivot(groups)]
    return "\n\n".join(parts)


def _goals(results: Results) -> str:
    rows = []
    for v in results.verdicts():
        word = f"**{v.word}**" if v.word == "missed" else v.word
        rows.append([v.group.name, statement(v.goal, v.group), found(v), word])
    return _table(["", "goal", "found", ""], rows, texts=2)


def _pivot(groups: Sequence[Group]) -> str:
    """Give a row for each group, a column for each case."""
    cases = list(dict.fromkeys(case for group in groups for case in group.values))
    with_peers = any(group.fastest_peer for group in groups)
    columns = ["", *cases, *[f"{OURS} to the fastest eager peer"] * with_peers]
    rows = []
    for group in groups:
        row = [group.name, *(_cell(group, case) for case in cases)]
        rows.append(row + [_to_peer(group)] * with_peers)
    return _table(columns, rows)


def _cell(group: Group, case: str) -> str:
    if case not in group.values:
        return "-"
    if group.base is None or case == group.base:
        return shown(group.median(case), group.unit)
    return multiple(group.ratio(case, group.base))


def _to_peer(group: Group) -> str:
    peer = group.fastest_peer
    return (
        "-" if peer is None or OURS not in group.values else f"{multiple(group.ratio(OURS, peer))} ({peer})"
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """Give a table whose columns after the first `texts` are of numbers."""
    lines = [columns, ["---"] * texts + ["---:"] * (len(columns) - texts), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
