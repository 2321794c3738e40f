"""The command behind ``benchmarks/run.py``: what to run, and the table it prints."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from libraries import OpRegistry, installed
from measure import FLOOR, Timing, compare, import_times, median_difference, runs_of, timings
from training import TRAINING_STEPS
from workloads import WORKLOADS

OURS = OpRegistry.name
HEADER = f"{'workload':<22}{'library':<12}{'an operation':>14}{'x floor':>10}{'x best peer':>13}{'spread':>9}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, time and print; see ``--help``."""
    options = _parser().parse_args(arguments)
    libraries, missing = installed()
    rounds, seconds = (5, 0.02) if options.quick else (15, 0.1)
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {rounds} rounds, medians\n")
    print(HEADER)
    rows: list[dict[str, Any]] = []
    notes = [f"{name} is not installed: not measured" for name in missing]
    for kind in WORKLOADS + TRAINING_STEPS:
        workload = kind()
        if not any(part in workload.name for part in options.only or [""]):
            continue
        runs, unable = runs_of(workload, libraries)
        notes += unable
        if len(runs) < 2:
            notes.append(f"{workload.name}: nothing to compare with, not measured")
            continue
        compare(workload, runs)
        group = rows_of(timings(workload, runs, rounds, seconds))
        print("\n".join(map(line, group)), end="\n\n", flush=True)
        rows += group
    print("\n".join(dict.fromkeys(notes)))
    if not options.only:
        rows += _report_imports(rounds)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Time this library beside NumPy and its peers.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there, too")
    parser.add_argument("--only", metavar="NAME", action="append", help="workloads with this in their name")
    return parser


def rows_of(group: Sequence[Timing]) -> list[dict[str, Any]]:
    """Give each timing of one workload with its ratios to the floor, if any, and to the fastest peer."""
    floor = next((t.median for t in group if t.library == FLOOR), None)
    peers = [t.median for t in group if t.library not in (FLOOR, OURS)]
    return [
        {
            "workload": t.workload,
            "library": t.library,
            "seconds": t.median,
            "to_floor": t.median / floor if floor else None,
            "to_best_peer": t.median / min(peers) if peers else None,
            "spread": t.spread,
        }
        for t in group
    ]


def line(row: dict[str, Any]) -> str:
    """Give a row of the table."""
    to_floor = "-" if row["to_floor"] is None else f"{row['to_floor']:.1f}"
    to_peer = "-" if row["to_best_peer"] is None else f"{row['to_best_peer']:.2f}"
    return (
        f"{row['workload']:<22}{row['library']:<12}{row['seconds'] * 1e6:>11.3f} us"
        f"{to_floor:>10}{to_peer:>13}{row['spread']:>8.0%}"
    )


def _report_imports(rounds: int) -> Iterable[dict[str, Any]]:
    found = import_times(2 * rounds)
    before = next(t for t in found if t.library == "numpy + pluggy")
    print(f"\n{'whole process':<34}{'median':>10}{'above numpy + pluggy':>24}")
    rows = []
    for t in found:
        above = median_difference(t, before)
        print(f"{t.library:<34}{t.median * 1e3:>7.1f} ms{above * 1e3:>+21.1f} ms")
        rows.append({"workload": t.workload, "library": t.library, "seconds": t.median, "above": above})
    return rows
