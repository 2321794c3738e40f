"""The standard streams of a process: one that is closed or full, and a reader that goes away."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from registry.cli.output import fail


def with_all_written(command: Callable[[], int]) -> int:
    """Run a command; give its exit code, which is not 0 where stdout did not take all that it wrote.

    Nothing is said of a reader that went away, as ``head`` does.
    """
    if sys.stderr is None:  # closed by the shell
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, for the rest of the process
    if sys.stdout is None:
        fail("standard output is closed")
        return 1
    code = 1
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # not every encoding has every character
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or 1
    except OSError as error:
        of_a_stream = error.errno is not None and error.filename is None
        fail(f"cannot write to standard output: {error.strerror}" if of_a_stream else str(error))
        code = code or 1
    for stream in (sys.stdout, sys.stderr):
        _let_go(stream)
    return code


def _let_go(stream: TextIO) -> None:
    """Write out what is left, or let Python drop it at its exit without another error."""
    try:
        stream.flush()
    except OSError:
        with suppress(OSError):  # a stream without a descriptor
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
