"""Writing for people: colours and tables on a terminal, plain whole lines elsewhere.

Whatever a command writes goes through here, and comes from outside as far as this module
knows: characters that would act on a terminal, or hide in it, are shown as escapes.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Column, Table
from rich.text import Text

from registry.errors import PluginWarning

_NO_LIMIT = 100_000


def on_terminal() -> bool:
    """Say whether somebody reads what is written now."""
    return sys.stdout is not None and sys.stdout.isatty()


def console() -> Console:
    """Give a console that is as wide as the terminal; without one, as wide as need be."""
    if on_terminal():
        return Console(highlight=False)
    return Console(width=_NO_LIMIT, force_terminal=False, color_system=None, highlight=False)


def visible(text: str, shown: str = "\n\t") -> str:
    r"""Write as escapes what `repr` would: control, invisible and bidirectional characters.

    Those in `shown` stay, which are line ends and tabs.

    Examples
    --------
    >>> print(visible("\x1b[31mred\x07 é \u202e"))
    \x1b[31mred\x07 é \u202e
    >>> print(visible("two\nlines", shown=""))
    two\nlines
    """
    return "".join(c if c.isprintable() or c in shown else repr(c)[1:-1] for c in text)


def say(text: str = "", after: str = "", *, nl: bool = True, **style: Any) -> None:
    """Write a line to stdout; the style shows on a terminal only, and not on what comes `after`."""
    typer.echo(typer.style(visible(text), **style) + visible(after), nl=nl)


def fail(text: str) -> None:
    """Write an error to stderr."""
    _note(typer.style("error: ", fg="red", bold=True), text)


def warn(text: str) -> None:
    """Write a warning to stderr."""
    _note(typer.style("warning: ", fg="yellow", bold=True), text)


def _note(head: str, text: str) -> None:
    """Write something else to stderr; what it cannot take is lost, and the exit code still tells."""
    with suppress(OSError):
        typer.echo(head + visible(text), err=True)


def say_indented(text: str) -> None:
    """Write lines to stdout, four columns in; a terminal wraps them there."""
    if on_terminal():
        console().print(Padding(Text(visible(text)), (0, 0, 0, 4), expand=False))
    else:
        for line in text.splitlines():
            say(f"    {line}")


def column(header: str, style: str | None = None, *, whole: bool = False, right: bool = False) -> Column:
    """Describe a table's column; a `whole` one is never wrapped, the others never cut."""
    return Column(
        header, style=style or "", no_wrap=whole, overflow="fold", justify="right" if right else "left"
    )


def show_table(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], colours: Mapping[str, str] | None = None
) -> None:
    """Write a table: ruled and coloured on a terminal, in aligned plain lines elsewhere.

    `colours` gives regular expressions -> styles of what matches in all columns but the first.
    """
    plain = not on_terminal()
    table = Table(
        *columns,
        box=None if plain else SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, 2, 0, 0) if plain else (0, 1),
        header_style="" if plain else "bold",
    )
    for row in rows:
        cells = [Text(visible(cell, shown="")) for cell in row]
        for cell in cells[1:]:
            for pattern, style in (colours or {}).items():
                cell.highlight_regex(pattern, style)
        table.add_row(*cells)
    to = console()
    if not plain:
        to.print(table)
        return
    with to.capture() as text:
        to.print(table)
    for line in text.get().splitlines():
        say(line.rstrip())


def show_source(source: str) -> None:
    """Write Python source, highlighted on a terminal."""
    if on_terminal():
        console().print(Syntax(visible(source), "python", background_color="default", word_wrap=True))
    else:
        say(source)


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Write each `PluginWarning` of the block as one line on stderr, and others as Python does."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", PluginWarning)

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, PluginWarning):
                warn(str(message))
            else:
                _note("", warnings.formatwarning(message, category, *where[:2]).rstrip())

        warnings.showwarning = show
        yield
