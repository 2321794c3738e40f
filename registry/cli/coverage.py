"""``opregistry coverage``: which of the names that people expect are served, by whom, and how checked."""

from __future__ import annotations

import json
import operator
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from importlib import import_module
from importlib.resources import files
from typing import Any

from registry.catalog import Operator
from registry.cli.output import column, say, show_table
from registry.errors import AmbiguousOperatorError
from registry.state import default_registry
from registry.testing import Conformance

_SPECIAL: dict[str, Any] = {"__getitem__": operator.getitem, "__setitem__": operator.setitem}
_CHECKED = {
    "first": "first_derivative",
    "second": "second_derivative",
    "float32": "float32",
    "complex": "complex",
}


@dataclass(frozen=True)
class Row:
    """One name of the list: ``"served"``, ``"refused"`` or ``"missing"``.

    `by` is the operator that serves it, `checked` what the checker compared without a
    failure, `why` the reason of a refusal, or the plugin that a missing one belongs to.
    """

    name: str
    group: str
    status: str
    by: str = ""
    checked: str = ""
    why: str = ""


def show_coverage(*, as_json: bool, markdown: bool, check: bool) -> None:
    """Write the sums, then what is refused and what is missing; with `markdown` a page of every name."""
    rows = list(_rows(check=check or markdown))
    if as_json:
        say(json.dumps([asdict(row) for row in rows], indent=2))
    elif markdown:
        say(_page(rows))
    else:
        columns = [column("group"), *(column(s, right=True) for s in ("served", "refused", "missing", "of"))]
        show_table(columns, _sums(rows))
        for status in ("refused", "missing"):
            _list(status, [row for row in rows if row.status == status])


def _rows(*, check: bool) -> Iterator[Row]:
    default_registry().load()
    text = (files("registry.cli") / "coverage.toml").read_text(encoding="utf-8")
    checked: dict[Operator, str] = {}
    for group in tomllib.loads(text)["group"]:
        for name in group["names"]:
            library = group.get("library", "")
            dotted = f"{library}.{name}".lstrip(".")
            served = _served(library, name.partition("(")[0])
            if served is None:
                reason = default_registry().catalog.refused.get(dotted, "")
                why = reason or f"belongs to plugin {group['plugin']}"
                yield Row(dotted, group["title"], "refused" if reason else "missing", why=why)
                continue
            if check and served not in checked:
                checked[served] = _what_is_checked(served)
            by = f"{served.plugin}.{served.name}"
            yield Row(dotted, group["title"], "served", by, checked.get(served, ""))


def _served(library: str, name: str) -> Operator | None:
    """Find the operator that a call of a name reaches."""
    registry = default_registry()
    function = _SPECIAL.get(name) or _function(library, name)
    key = name.replace(".", "_")
    found = () if function is None else registry.catalog.functions.get(function, ())
    found = tuple(o for o in found if o.target not in o.implements) or registry.catalog.names.get(key, ())
    try:
        return registry.catalog.choose(key, found) if found else None
    except AmbiguousOperatorError:
        return found[0]


def _function(library: str, name: str) -> Any:
    try:
        return reduce(getattr, name.split("."), import_module(library)) if library else None
    except (ImportError, AttributeError):  # it is not installed, or this version does not have it
        return None


def _what_is_checked(served: Operator) -> str:
    conformance = Conformance(served)
    fared = {word: conformance.run(check).status for word, check in _CHECKED.items()}
    failed = [result.check for result in conformance.report().failures]
    passed = [word for word, status in fared.items() if status == "passed"]
    return ", ".join(passed + [f"FAILED {check}" for check in failed])


def _sums(rows: Sequence[Row]) -> list[list[str]]:
    groups = {group: Counter(r.status for r in rows if r.group == group) for group in _groups(rows)}
    groups["all"] = Counter(row.status for row in rows)
    return [
        [group, *(str(counts[s]) for s in ("served", "refused", "missing")), str(counts.total())]
        for group, counts in groups.items()
    ]


def _groups(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(row.group for row in rows))


def _list(status: str, rows: Sequence[Row]) -> None:
    if rows:
        say(f"\n{status}:", bold=True)
        for group, why in dict.fromkeys((row.group, row.why) for row in rows):
            names = ", ".join(row.name for row in rows if (row.group, row.why) == (group, why))
            say(f"  {names}: {why}")


def _page(rows: Sequence[Row]) -> str:
    lines = [
        "# Coverage",
        "",
        "Every name that a NumPy library with derivatives serves, and further ones: what a call on Variables",
        "reaches here. `opregistry coverage --markdown` writes this page; *checked* is what the",
        "[checker](guide/checks.md) compared with differences, or with float64, and found right.",
        "",
        *_table(["group", "served", "refused", "missing", "of"], _sums(rows)),
    ]
    for group in _groups(rows):
        cells = [
            [f"`{row.name}`", f"`{row.by}`" if row.by else row.status, row.checked or row.why]
            for row in rows
            if row.group == group
        ]
        lines += ["", f"## {group.capitalize()}", "", *_table(["name", "served by", "checked"], cells)]
    return "\n".join(lines)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]
