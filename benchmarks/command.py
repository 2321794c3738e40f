"""The command behind ``benchmarks/run.py``: measure, or take an earlier run; print and write."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter

import page
import picture
import report
from libraries import Library, UnsupportedError
from results import Results, conditions
from selection import FULL, LIBRARIES, QUICK


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks; see ``--help``."""
    options = _parser().parse_args(arguments)
    if options.earlier:
        results = Results.load(options.earlier)
        print(report.text(results))
    else:
        results = measure(options.quick, options.only)
    if options.json:
        results.save(options.json)
    if options.picture:
        picture.draw(results, options.picture)
    if options.markdown:
        page.write(results, options.markdown)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Time this library beside NumPy and its peers.")
    parser.add_argument("--quick", action="store_true", help="fewer, shorter and smaller: a minute or so")
    parser.add_argument("--only", metavar="NAME", action="append", help="what has this in its name")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all numbers there, too")
    parser.add_argument("--picture", metavar="FILE", type=Path, help="draw them (needs matplotlib)")
    parser.add_argument("--markdown", metavar="PAGE", type=Path, help="write the tables into this page")
    parser.add_argument(
        "--from", metavar="FILE", type=Path, dest="earlier", help="measure nothing: take this JSON"
    )
    return parser


def measure(quick: bool, only: Sequence[str] | None) -> Results:
    """Measure what is selected, and print each group when it is there."""
    start = perf_counter()
    libraries, missing = installed(LIBRARIES)
    notes = [f"{name} is not installed: not measured" for name in missing]
    groups = []
    print(report.HEADER)
    for name, measurement in (QUICK if quick else FULL).measurements(libraries):
        if not any(part in name for part in only or [""]):
            continue
        try:
            groups.append(measurement().rounded())
        except UnsupportedError as reason:
            notes.append(f"{reason}")
        else:
            print(report.block(groups[-1]), flush=True)
    kind = " ".join(["--quick" if quick else "full", *(f"--only {part}" for part in only or [])])
    took = {"took": f"{perf_counter() - start:.0f} s"}
    results = Results({**conditions(kind, libraries), **took}, groups, notes)
    print(report.summary(results))
    return results


def installed(libraries: Iterable[type[Library]]) -> tuple[list[Library], list[str]]:
    """Give the libraries that are installed here, and the names of those that are not."""
    present, missing = [], []
    for library in libraries:
        if library.is_installed():
            present.append(library())
        else:
            missing.append(library.name)
    return present, missing
