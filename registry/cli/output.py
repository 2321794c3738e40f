"""Writing for people: colours and tables on a terminal, plain whole lines elsewhere."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Column, Table
from rich.text import Text

from registry.errors import PluginWarning

_NO_LIMIT = 100_000


def on_terminal() -> bool:
    """Say whether somebody reads what is written now."""
    return sys.stdout.isatty()


def console() -> Console:
    """Give a console that is as wide as the terminal; without one, as wide as need be."""
    if on_terminal():
        return Console(highlight=False)
    return Console(width=_NO_LIMIT, force_terminal=False, color_system=None, highlight=False)


def say(text: str = "", **style: Any) -> None:
    """Write a line to stdout; the style shows on a terminal only."""
    typer.secho(text, **style)


def fail(text: str) -> None:
    """Write an error to stderr."""
    typer.echo(typer.style("error: ", fg="red", bold=True) + text, err=True)


def warn(text: str) -> None:
    """Write a warning to stderr."""
    typer.echo(typer.style("warning: ", fg="yellow", bold=True) + text, err=True)


def column(header: str, style: str | None = None, *, whole: bool = False, right: bool = False) -> Column:
    """Describe a table's column; a `whole` one is never wrapped, the others never cut."""
    return Column(
        header, style=style or "", no_wrap=whole, overflow="fold", justify="right" if right else "left"
    )


def show_table(columns: Sequence[Column], rows: Iterable[Sequence[str | Text]]) -> None:
    """Write a table: ruled and coloured on a terminal, in aligned plain lines elsewhere."""
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
        table.add_row(*[cell if isinstance(cell, Text) else Text(cell) for cell in row])
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
        console().print(Syntax(source, "python", background_color="default", word_wrap=True))
    else:
        say(source)


@contextmanager
def plugin_warnings_as_lines() -> Iterator[None]:
    """Write each `PluginWarning` of the block as one line on stderr, without its file and line."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", PluginWarning)
        show_others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, PluginWarning):
                warn(str(message))
            else:
                show_others(message, category, *where, **more)

        warnings.showwarning = show
        yield
