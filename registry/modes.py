"""Whether operators record, and whose backward is being recorded.

Both are context-local: another thread or asyncio task keeps its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from registry.errors import UnknownConfigError

if TYPE_CHECKING:
    from registry.function import Function

recording: ContextVar[bool] = ContextVar("opregistry_recording", default=True)
differentiating: ContextVar[Function | None] = ContextVar("opregistry_differentiating", default=None)


_INSIDE = "call an operator that does it ('opregistry ops'), or declare once_differentiable = True"


def advice(outside: str, inside: str = _INSIDE) -> str:
    """Say what to do where a Variable is not taken: as given, but for a backward that is being recorded.

    There a plain array is an error itself.
    """
    if differentiating.get() is None:
        return outside
    return inside


_CONFIG = {"enable_backprop": recording}


@contextmanager
def using_config(name: str, value: bool) -> Iterator[None]:
    """Set a mode for the length of a `with` block or of a decorated function.

    Parameters
    ----------
    name : str
        The mode; ``"enable_backprop"`` says whether operators record.
    value : bool
        Its value inside the block; the old one is restored, also on an exception.

    Raises
    ------
    UnknownConfigError
        If no mode has this name.
    """
    if name not in _CONFIG:
        raise UnknownConfigError(f"no mode is named {name!r}; there is {', '.join(_CONFIG)}")
    before = _CONFIG[name].get()
    try:  # around the setting, too: Ctrl-C may come right after it
        _CONFIG[name].set(value)
        yield
    finally:
        _CONFIG[name].set(before)


@contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing inside the block: results are plain leaves.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import Variable, no_grad
    >>> with no_grad():
    ...     y = Variable(np.array(3.0)) ** 2
    >>> y, y.creator
    (variable(9.0), None)
    """
    with using_config("enable_backprop", False):
        yield
