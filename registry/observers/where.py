"""What observers say of a call: where in the user's code it stands, and their notes on it."""

from __future__ import annotations

import sys
from pathlib import Path

import pluggy

_ROOT = Path(__file__).parents[1]
_NOT_THE_USERS = (
    f"{_ROOT}/",
    f"{_ROOT.parent / 'ops_builtin'}/",
    f"{Path(pluggy.__file__).parent}/",
    "<opregistry",
)


def users_line() -> str:
    """Give ``file:line`` of the innermost caller outside of the library and its built-ins."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_NOT_THE_USERS):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
