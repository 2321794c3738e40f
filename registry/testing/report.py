"""What came of the checks of one operator."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from registry.errors import ConformanceError

Status: TypeAlias = Literal["passed", "failed", "skipped", "expected failure"]

_MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "-", "expected failure": "expected failure"}


@dataclass(frozen=True)
class Result:
    """What came of one check.

    `count` is the number of comparisons made; `message` says why it failed or was
    skipped, or, for an expected failure, the author's reason.
    """

    check: str
    status: Status
    count: int = 0
    message: str = ""


@dataclass(frozen=True)
class Report:
    """What came of all checks of one operator.

    Examples
    --------
    >>> from registry.testing import check_operator
    >>> report = check_operator("square")
    >>> report.ok, report.failures
    (True, ())
    """

    operator: str
    plugin: str
    results: tuple[Result, ...]

    @property
    def full_name(self) -> str:
        """The operator's name after its plugin's."""
        return f"{self.plugin}.{self.operator}"

    @property
    def failures(self) -> tuple[Result, ...]:
        """The failed checks."""
        return tuple(result for result in self.results if result.status == "failed")

    @property
    def count(self) -> int:
        """The number of comparisons made."""
        return sum(result.count for result in self.results)

    @property
    def ok(self) -> bool:
        """Whether something was compared, and nothing failed."""
        return self.count > 0 and not self.failures

    def raise_if_failed(self) -> None:
        """Raise `ConformanceError` with the whole report, unless it is ok."""
        if not self.ok:
            raise ConformanceError(str(self))

    def as_dict(self) -> dict[str, Any]:
        """Give the report as plain dicts and lists, for JSON."""
        return {**asdict(self), "ok": self.ok, "results": [asdict(result) for result in self.results]}

    def __str__(self) -> str:
        width = max((len(result.check) for result in self.results), default=0)
        lines = [f"operator {self.operator!r} of plugin {self.plugin}: {self.summary}"]
        for result in self.results:
            counted = f" ({result.count})" if result.count else ""
            reason = result.message.replace("\n", "\n" + " " * (width + 4))
            line = f"  {result.check:<{width}}  {_MARKS[result.status]}{counted}"
            lines.append(f"{line}: {reason}" if reason else line)
        return "\n".join(lines)

    @property
    def summary(self) -> str:
        """How many checks fared how, in a few words."""
        counts: dict[str, int] = {}
        for result in self.results:
            counts[result.status] = counts.get(result.status, 0) + 1
        fared = ", ".join(f"{n} {status}" for status, n in sorted(counts.items()))
        return f"{fared}; {self.count} comparisons"
