"""What observers know of calls: which are open now, and where in the user's code they stand."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Generic, TypeVar

import pluggy

from registry.function import Function

T = TypeVar("T")

_ROOT = Path(__file__).parents[1]
_NOT_THE_USERS = (
    f"{_ROOT}{os.sep}",
    f"{_ROOT.parent / 'ops_builtin'}{os.sep}",
    f"{Path(pluggy.__file__).parent}{os.sep}",
    "<opregistry",
)


def users_line() -> str:
    """Give ``file:line`` of the innermost caller outside of the library and its built-ins."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_NOT_THE_USERS):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


class Open(threading.local, Generic[T]):
    """The calls or backward steps that a thread is in, the innermost last, with a note on each."""

    def __init__(self) -> None:
        self.calls: list[tuple[Function, T]] = []

    def begin(self, function: Function, note: T) -> None:
        """Add one inside of the others."""
        self.calls.append((function, note))

    def end(self, function: Function) -> T | None:
        """Take one off, and give its note; None if nobody saw it begin.

        Those inside of it that raised an error never ended, and go with it.
        """
        for i in reversed(range(len(self.calls))):
            begun, note = self.calls[i]
            if begun is function:
                del self.calls[i:]
                return note
        return None
