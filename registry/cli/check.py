"""``opregistry check``: operators against the whole contract, and what came of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from registry.catalog import Operator
from registry.cli.check_report import BEFORE_ALL, Run, is_ok, plural, show, why
from registry.cli.errors import UsageError, message_of
from registry.cli.output import fail, say, visible
from registry.errors import AmbiguousOperatorError, UnknownOperatorError
from registry.state import default_registry
from registry.testing import CHECKS, Conformance, Result, find_operators

_INTERRUPTED = 130


def check_operators(names: Sequence[str], *, as_json: bool, full: bool, seed: int) -> None:
    """Check what the names mean, or everything; exit with 1 where something failed.

    Raises
    ------
    UsageError
        If a name means nothing, or several operators.
    """
    run = _found(names)
    _check(run, full, seed)
    if as_json:
        say(json.dumps(_record(run), indent=2))
    else:
        show(run)
    if not run.operators and not run.unusable:
        fail("no operator is installed, so nothing was compared")
    if not run.complete:
        fail(_how_far(run))
        raise typer.Exit(_INTERRUPTED)
    if not run.ok:
        raise typer.Exit(1)


def _found(names: Sequence[str]) -> Run:
    plugins = {plugin.name: plugin for plugin in default_registry().load()}
    if not names:
        failed = [plugin for plugin in plugins.values() if plugin.status == "failed"]
        return Run(find_operators(), failed)
    unusable = {name: plugins[name] for name in names if name in plugins and not plugins[name].operators}
    meant = [operator for name in names if name not in unusable for operator in _meant(name)]
    return Run(tuple(dict.fromkeys(meant)), tuple(unusable.values()))


def _meant(name: str) -> tuple[Operator, ...]:
    try:
        return find_operators(name)
    except UnknownOperatorError as error:
        raise UsageError(message_of(error)) from None
    except AmbiguousOperatorError as error:
        offered = default_registry().catalog.names[name]
        ways = " or ".join(f"opregistry check {o.plugin}.{o.name}" for o in offered)
        raise UsageError(f"{error}\nto check one: {ways}") from None


def _check(run: Run, full: bool, seed: int) -> None:
    """Check one operator after the other, until all are done or Ctrl-C comes."""
    start = time.perf_counter()
    with suppress(KeyboardInterrupt), _progress(len(run.operators)) as advance, _kept_off_stdout():
        for operator in run.operators:
            results = run.results[operator] = []
            advance(operator)
            for result in _results(operator, full, seed):
                results.append(result)
                advance(operator)
        run.complete = True
    run.seconds = time.perf_counter() - start


def _results(operator: Operator, full: bool, seed: int) -> Iterator[Result]:
    """Give what comes of each check, one by one."""
    try:
        conformance = Conformance(operator, full=full, seed=seed)
    except ValueError as error:  # what the operator declares cannot be
        yield Result(BEFORE_ALL, "failed", message=f"ValueError: {error}")
        yield from (Result(name, "skipped", message=f"{BEFORE_ALL} did not pass") for name in CHECKS)
    else:
        yield from map(conformance.run, CHECKS)


@contextmanager
def _kept_off_stdout() -> Iterator[None]:
    """Send what operators print to stderr."""
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Operator], None]]:
    """Show a bar where somebody watches; give the function that moves it by one check."""
    if not sys.stderr.isatty():
        yield lambda operator: None
        return
    columns: tuple[Any, ...] = (
        TextColumn("checking"),
        BarColumn(),
        TextColumn("{task.fields[done]}/{task.fields[of]}  {task.description}", markup=False),
        TimeElapsedColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=total * (len(CHECKS) + 1), done=0, of=total)

    def advance(operator: Operator) -> None:
        bar.advance(task)
        done = int(bar.tasks[0].completed) // (len(CHECKS) + 1)
        bar.update(task, description=visible(f"{operator.plugin}.{operator.name}"), done=done)

    with bar:
        yield advance


def _record(run: Run) -> dict[str, Any]:
    return {
        "ok": run.ok,
        "complete": run.complete,
        "operators": [{**report.as_dict(), "ok": is_ok(report)} for report in run.reports],
        "failed_plugins": [
            {"name": plugin.name, "status": plugin.status, "phase": plugin.phase, "error": why(plugin)}
            for plugin in run.unusable
        ],
        "seconds": round(run.seconds, 3),
    }


def _how_far(run: Run) -> str:
    """Say where Ctrl-C came: in which check, after how many operators."""
    reports = run.reports
    if not reports:
        return "stopped before the first operator"
    check = next(iter([*CHECKS][len(reports[-1].results) :]), "the last check")
    done = f"{len(reports) - 1} of {plural(len(run.operators), 'operator')}"
    return f"stopped in {check} of {reports[-1].full_name}; {done} had been checked to the end"
