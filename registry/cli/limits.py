"""How much time and memory an expression from the command line may take, and what it reads."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from registry.cli.output import fail

SECONDS = 120.0
MEMORY = 8 << 30  # bytes, beyond what the process has already


@contextmanager
def limited(what: str = "the expression") -> Iterator[None]:
    """Let a block run out of memory, or end the process, where it takes too much; the error says what does.

    The limit of memory is the operating system's, where it has one; an array beyond it is a
    `MemoryError`. Time ends the process from a thread of its own, because code in C does not
    look at signals.
    """
    timer = threading.Timer(SECONDS, _end, [what])
    timer.daemon = True
    timer.start()
    try:
        with _less_memory():
            yield
    finally:
        timer.cancel()


def _end(what: str) -> None:
    fail(f"{what} takes more than {SECONDS:g} s, and is given up")
    sys.stderr.flush()
    os._exit(1)


@contextmanager
def _less_memory() -> Iterator[None]:
    try:
        import resource
    except ImportError:  # Windows
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _in_use() + MEMORY
    if soft != resource.RLIM_INFINITY:
        most = min(most, soft)
    with suppress(ValueError, OSError):  # a system that does not let it be set
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _in_use() -> int:
    """Give the bytes of address space that the process has; 0 where the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
