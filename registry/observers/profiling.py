"""Where the time of a block goes, by operator and plugin, forward and backward."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from registry.describing import described
from registry.function import Function
from registry.hookspecs import hookimpl
from registry.observers.calls import Open, users_line
from registry.observers.saying import html_table, in_bytes, in_seconds, text_table
from registry.state import default_registry

EVENTS = 100_000
FORWARD, BACKWARD = "forward", "backward"


@dataclass
class Cost:
    """What calls in one direction took.

    Attributes
    ----------
    calls : int
        How many there were.
    seconds : float
        Time inside of them, without that of operators which they called themselves.
    nbytes : int
        Bytes of new arrays that they gave; views of their inputs do not count.
    """

    calls: int = 0
    seconds: float = 0.0
    nbytes: int = 0


@dataclass
class Row:
    """What one operator took."""

    operator: str
    plugin: str
    forward: Cost = field(default_factory=Cost)
    backward: Cost = field(default_factory=Cost)

    @property
    def seconds(self) -> float:
        """Both directions together."""
        return self.forward.seconds + self.backward.seconds

    @property
    def nbytes(self) -> int:
        """Both directions together."""
        return self.forward.nbytes + self.backward.nbytes


@dataclass
class _Call:
    """A call that has begun: with what, when, and how long others inside of it took."""

    given: Sequence[Any]
    started: float
    inside: float = 0.0


@dataclass
class _Event:
    """A call that has ended, for a picture over time."""

    operator: str
    direction: str
    started: float
    seconds: float
    thread: int
    arrays: str
    line: str


class Profile:
    """What `profile` found; print it for a table.

    Attributes
    ----------
    rows : list of Row
        One an operator, the slowest first.
    seconds : float
        How long the block took.
    outside : float
        Seconds of the block in which its thread was in no operator.
    """

    def __init__(self, events: int = EVENTS) -> None:
        self._rows: dict[type, Row] = {}
        self._events: list[_Event] = []
        self._left_out, self._most = 0, events
        self._open: Open[_Call] = Open()
        self._lock = threading.Lock()
        self._inside = 0.0
        self._owner = threading.get_ident()
        self._started = perf_counter()
        self._ended: float | None = None

    @property
    def rows(self) -> list[Row]:
        with self._lock:
            return sorted(self._rows.values(), key=lambda row: -row.seconds)

    @property
    def seconds(self) -> float:
        return (perf_counter() if self._ended is None else self._ended) - self._started

    @property
    def outside(self) -> float:
        return max(self.seconds - self._inside, 0.0)

    @hookimpl
    def before_forward(self, function: Function, xs: tuple[Any, ...]) -> None:
        self._open.begin(function, _Call(xs, perf_counter()))

    @hookimpl
    def after_forward(self, function: Function, ys: tuple[Any, ...]) -> None:
        self._end(function, FORWARD, ys)

    @hookimpl
    def before_backward(self, function: Function, gys: tuple[Any, ...]) -> None:
        self._open.begin(function, _Call(gys, perf_counter()))

    @hookimpl
    def after_backward(self, function: Function, gxs: tuple[Any, ...]) -> None:
        self._end(function, BACKWARD, gxs)

    def _end(self, function: Function, direction: str, made: Sequence[Any]) -> None:
        now = perf_counter()
        call = self._open.end(function)
        if call is None:  # it began before the block
            return
        whole = now - call.started
        if self._open.calls:
            self._open.calls[-1][1].inside += whole
        nbytes = sum(_new_bytes(call.given, made))
        with self._lock:
            row = self._row(type(function))
            cost = row.forward if direction == FORWARD else row.backward
            cost.calls += 1
            cost.seconds += whole - call.inside
            cost.nbytes += nbytes
            if threading.get_ident() == self._owner:
                self._inside += whole - call.inside
            if len(self._events) == self._most:
                self._left_out += 1
                return
            arrays = f"{', '.join(map(described, call.given))} -> {', '.join(map(described, made))}"
            self._events.append(
                _Event(
                    row.operator, direction, call.started, whole, threading.get_ident(), arrays, users_line()
                )
            )

    def _row(self, cls: type) -> Row:
        if cls not in self._rows:
            entry = default_registry().entry(cls)
            self._rows[cls] = Row(cls.__qualname__, "-") if entry is None else Row(entry.name, entry.plugin)
        return self._rows[cls]

    def _table(self) -> list[list[str]]:
        """Give the cells: a header, the operators, and at last what is outside of them."""
        whole = self.seconds or 1.0
        lines = [["operator", "plugin", "calls", "forward", "calls", "backward", "share", "memory"]]
        for row in self.rows:
            costs = [
                cell
                for cost in (row.forward, row.backward)
                for cell in ([f"{cost.calls:,}", in_seconds(cost.seconds)] if cost.calls else ["-", "-"])
            ]
            share = f"{100 * row.seconds / whole:.1f} %"
            lines.append([row.operator, row.plugin, *costs, share, in_bytes(row.nbytes)])
        share = f"{100 * self.outside / whole:.1f} %"
        lines.append(["outside of operators", "", "", in_seconds(self.outside), "", "", share, ""])
        return lines

    def __str__(self) -> str:
        return f"{text_table(self._table())}\n{in_seconds(self.seconds)} in all"

    def __repr__(self) -> str:
        return f"<profile of {in_seconds(self.seconds)}, {len(self._rows)} operators>"

    def _repr_html_(self) -> str:
        return f"{html_table(self._table())}<p>{in_seconds(self.seconds)} in all</p>"

    def to_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write what ``chrome://tracing`` and https://ui.perfetto.dev show: each call over time.

        Parameters
        ----------
        path : str or path
            The file, JSON in the Trace Event Format; it is overwritten. Times are in
            microseconds since the block began.
        """
        with self._lock:
            events = list(self._events)
        trace = {
            "traceEvents": [*_thread_names(events), *[self._as_json(event) for event in events]],
            "displayTimeUnit": "ms",
            "otherData": {"calls left out": self._left_out},
        }
        Path(path).write_text(json.dumps(trace), encoding="utf-8")

    def _as_json(self, event: _Event) -> dict[str, Any]:
        return {
            "name": event.operator,
            "cat": event.direction,
            "ph": "X",
            "ts": 1e6 * (event.started - self._started),
            "dur": 1e6 * event.seconds,
            "pid": os.getpid(),
            "tid": event.thread,
            "args": {"direction": event.direction, "arrays": event.arrays, "line": event.line},
        }

    def plot(self, ax: Any = None, most: int = 15) -> Any:
        """Draw the slowest operators as bars, forward and backward.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure otherwise.
        most : int
            How many operators.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on; ``.figure.savefig("profile.png")`` keeps it.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        try:
            figure = import_module("matplotlib.figure")
        except ImportError:
            raise ImportError("plot needs matplotlib: python -m pip install matplotlib") from None
        rows = self.rows[:most][::-1]
        if ax is None:
            ax = figure.Figure(figsize=(7, 1 + 0.3 * len(rows)), layout="constrained").subplots()
        names = [
            row.operator if row.plugin == "ops_builtin" else f"{row.plugin}.{row.operator}" for row in rows
        ]
        forward = np.array([1e3 * row.forward.seconds for row in rows])
        backward = np.array([1e3 * row.backward.seconds for row in rows])
        ax.barh(names, forward, label="forward")
        ax.barh(names, backward, left=forward, label="backward")
        ax.set_xlabel("time in ms")
        ax.legend(loc="lower right")
        return ax


def _new_bytes(given: Sequence[Any], made: Sequence[Any]) -> Iterator[int]:
    """Give the bytes of each array that is no view of what was given.

    Gradients that are Variables were made by operators, which are counted themselves.
    """
    known = [x for x in given if isinstance(x, np.ndarray)]
    for y in made:
        if isinstance(y, np.ndarray) and not any(np.may_share_memory(x, y) for x in known):
            low, high = byte_bounds(y)
            yield min(y.nbytes, high - low)  # which is less where it was broadcast


def _thread_names(events: Sequence[_Event]) -> list[dict[str, Any]]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return [
        {
            "name": "thread_name",
            "ph": "M",
            "pid": os.getpid(),
            "tid": tid,
            "args": {"name": names.get(tid, "")},
        }
        for tid in dict.fromkeys(event.thread for event in events)
    ]


@contextmanager
def profile(events: int = EVENTS) -> Iterator[Profile]:
    """Find where the time of a block goes, by operator and plugin.

    Parameters
    ----------
    events : int
        How many calls to keep for `Profile.to_chrome_trace`, at 500 bytes each; later ones
        are only counted.

    Yields
    ------
    Profile
        It can be printed, plotted, and read by its `rows`, inside the block and after it.

    Notes
    -----
    Time is that of the operators' own code, and of some 3 us a call for being watched. A
    recorded backward calls operators itself; their time is theirs, not counted twice. Calls of
    all threads count. Compiled functions call no operators: their time is outside of them.

    Examples
    --------
    >>> import numpy as np
    >>> import registry
    >>> x = registry.Variable(np.ones((50, 40)))
    >>> with registry.profile() as p:
    ...     np.sum(np.exp(x.T) * 2).backward()
    >>> for row in sorted(p.rows, key=lambda row: row.operator):
    ...     print(row.operator, row.forward.calls, row.backward.calls, row.nbytes)
    exp 1 1 32000
    multiply 1 1 32000
    sum 1 1 16
    transpose 1 1 0
    """
    found = Profile(events)
    with default_registry().observing(found):
        try:
            yield found
        finally:
            found._ended = perf_counter()
