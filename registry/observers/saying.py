"""How observers say things: times, sizes and tables, in plain text and for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def in_seconds(seconds: float) -> str:
    """Give a time with its unit, three digits.

    Examples
    --------
    >>> [in_seconds(t) for t in (0.0, 2.5e-6, 0.0123, 61.5)]
    ['0.00 us', '2.50 us', '12.3 ms', '61.5 s']
    """
    for unit, size in (("us", 1e-6), ("ms", 1e-3)):
        if seconds < 999.5 * size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds)} s"


def in_bytes(count: int) -> str:
    """Give a size with its unit, three digits.

    Examples
    --------
    >>> [in_bytes(n) for n in (0, 999, 16_000, 1_234_567_890)]
    ['0 B', '999 B', '16.0 kB', '1.23 GB']
    """
    if count < 1000:
        return f"{count} B"
    size = float(count)
    for unit in ("kB", "MB"):
        size /= 1000
        if size < 999.5:
            return f"{_three_digits(size)} {unit}"
    return f"{_three_digits(size / 1000)} GB"


def _three_digits(x: float) -> str:
    return f"{x:.{2 if x < 9.995 else 1 if x < 99.95 else 0}f}"


def text_table(lines: Sequence[Sequence[str]]) -> str:
    """Align cells in columns, the first two to the left, the others to the right.

    Examples
    --------
    >>> print(text_table([["name", "of", "n"], ["a", "b", "12"]]))
    name  of   n
    a     b   12
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def html_table(lines: Sequence[Sequence[str]]) -> str:
    """Give the same as a table for notebooks."""
    header, *rows = lines
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
