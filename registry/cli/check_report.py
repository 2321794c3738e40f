"""What came of a run of ``opregistry check``, and how it is written."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from registry.catalog import Operator, Plugin
from registry.cli.output import column, on_terminal, say, say_indented, show_table
from registry.errors import lines_of
from registry.testing import CHECKS, Report, Result

BEFORE_ALL = "declarations"  # what fails before the first check
_WORDS = {"passed": "ok", "failed": "FAILED", "expected failure": "expected", "skipped": "-"}
_COLOURS = {
    r"(\d+ )?FAILED": "bold red",
    r"^(\d+ )?ok\b": "green",
    r"(\d+ )?expected$": "yellow",
    r"^-$": "dim",
}


@dataclass
class Run:
    """What is known of the operators so far, and of the plugins that offer none."""

    operators: Sequence[Operator]
    unusable: Sequence[Plugin]
    results: dict[Operator, list[Result]] = field(default_factory=dict)
    seconds: float = 0.0
    complete: bool = False

    @property
    def reports(self) -> list[Report]:
        """One for each operator that was reached; the last has fewer results where Ctrl-C came."""
        return [Report(o.name, o.plugin, tuple(results)) for o, results in self.results.items()]

    @property
    def ok(self) -> bool:
        """Whether everything was checked, something was compared in each operator, and nothing failed."""
        return bool(self.results) and self.complete and not self.unusable and all(map(is_ok, self.reports))


def show(run: Run) -> None:
    """Write a table, then every failure, then the expected ones, then the sums."""
    if len(run.operators) == 1:
        _show_checks(run.reports)
    elif run.reports:
        (_show_groups if on_terminal() else _show_matrix)(run.reports)
    for report in run.reports:
        for result in report.failures:
            _show_reason("FAILED", f"{report.full_name} {result.check}", result.message)
        if not report.count and not report.failures and _at_end(report):
            _show_reason("FAILED", report.full_name, "nothing was compared")
    for plugin in run.unusable:
        phase = f" to {plugin.phase}" if plugin.phase else ""
        _show_reason("FAILED", f"plugin {plugin}{phase}", why(plugin))
    for report in run.reports:
        for result in report.results:
            if result.status == "expected failure":
                _show_reason("expected", f"{report.full_name} {result.check}", result.message)
    say()
    say(_sums(run), bold=True, fg="green" if run.ok else "red")


def _show_checks(reports: Iterable[Report]) -> None:
    """Write a row a check; the reasons of failures are written below the table."""
    rows = [
        (r.check, _WORDS[r.status], str(r.count), "" if r.status == "failed" else " ".join(r.message.split()))
        for report in reports
        for r in report.results
    ]
    columns = [
        column("check", "cyan", whole=True),
        column("status", whole=True),
        column("comparisons", right=True, whole=True),
        column("why not"),
    ]
    show_table(columns, rows, _COLOURS)


def _show_groups(reports: Iterable[Report]) -> None:
    """Write a row an operator and a column a group of checks, which a terminal has room for."""
    groups = list(dict.fromkeys(check.group for check in CHECKS.values()))
    rows = []
    for report in reports:
        fared = {group: Counter[str]() for group in groups}
        for result in report.results:
            check = CHECKS.get(result.check)
            fared[check.group if check else groups[0]][_WORDS[result.status]] += 1
        rows.append([report.full_name, *(_cell(fared[group]) for group in groups)])
    columns = [column("operator", "cyan", whole=True), *map(column, groups)]
    show_table(columns, rows, _COLOURS)


def _cell(fared: Mapping[str, int]) -> str:
    counted = [f"{n} {word}" for word in _WORDS.values() if (n := fared.get(word, 0)) and word != "-"]
    return ", ".join(counted) or "-"


def _show_matrix(reports: Iterable[Report]) -> None:
    """Write a row an operator and a column a check, one word a cell, for grep and awk."""
    rows = []
    for report in reports:
        words = {result.check: _WORDS[result.status] for result in report.results}
        verdict = "ok" if is_ok(report) else "FAILED" if report.failures or _at_end(report) else "-"
        rows.append(
            [report.full_name, verdict, str(report.count), *(words.get(name, "-") for name in CHECKS)]
        )
    show_table([*map(column, ("operator", "verdict", "comparisons", *CHECKS))], rows)


def _show_reason(verdict: str, what: str, reason: str) -> None:
    """Write what failed in a line, and why in indented lines below."""
    say()
    say(verdict, f" {what}", bold=True, fg="red" if verdict == "FAILED" else "yellow")
    say_indented(reason)


def _sums(run: Run) -> str:
    reports = run.reports
    fared = Counter(result.status for report in reports for result in report.results)
    checked = reports[0].full_name if len(run.operators) == 1 else plural(len(reports), "operator")
    parts = [
        plural(fared["passed"], "check") + " passed",
        plural(sum(report.count for report in reports), "comparison"),
        f"{fared['failed']} failed",
        *([plural(n, "expected failure")] if (n := fared["expected failure"]) else ()),
        f"{fared['skipped']:,} skipped",
        *([plural(len(run.unusable), "plugin") + " could not be checked"] if run.unusable else ()),
    ]
    return f"{checked}: {', '.join(parts)}, in {run.seconds:.1f} s"


def plural(n: int, what: str) -> str:
    """Count something."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def is_ok(report: Report) -> bool:
    """Say whether an operator was checked to the end, and is ok."""
    return report.ok and _at_end(report)


def _at_end(report: Report) -> bool:
    """Say whether nothing stopped the checks before the last."""
    return len(report.results) >= len(CHECKS)


def why(plugin: Plugin) -> str:
    """Say why a plugin has no operators to check."""
    if plugin.error is not None:
        return lines_of(plugin.error, traceback.format_exception_only).strip()
    return "it offers no operator" if plugin.status == "loaded" else f"it is {plugin.status}"
