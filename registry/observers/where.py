"""Where in the user's code a call stands."""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = str(Path(__file__).parents[1])


def users_line() -> str:
    """Give ``file:line`` of the innermost caller outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and not _is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _is_users(filename: str) -> bool:
    return not filename.startswith((_HERE, "<opregistry")) and "pluggy" not in Path(filename).parts
