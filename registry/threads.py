"""Blocks of work on several threads, for arrays that are large enough to be worth it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


class Threads:
    """The threads that large arrays are computed on, beside the one that asks.

    Parameters
    ----------
    count : int
        How many work at once, that one included.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ThreadPoolExecutor | None = None

    def set(self, count: int) -> None:
        """Say how many work at once from now on."""
        self.count = count
        self._pool = None  # whose threads end when nobody is at work there any more

    def run(self, blocks: int, compute: Callable[[int], None]) -> None:
        """Call ``compute(0)`` to ``compute(blocks - 1)``, each once, on whichever thread is free.

        Context variables, NumPy's error state among them, are those of the caller. After an
        error no further block is begun, and it is raised here.
        """
        left = iter(range(blocks))  # threads share it: each block is handed out once

        def work() -> None:
            try:
                for block in left:
                    compute(block)
            finally:
                for _ in left:
                    pass

        others: list[Future[None]] = []
        count = self.count  # which another thread may set meanwhile
        if (helping := min(count, blocks) - 1) > 0:
            pool = self._started(count - 1)
            others = [pool.submit(copy_context().run, work) for _ in range(helping)]
        try:
            work()
        finally:  # whatever has not begun is not needed any more
            begun = [other for other in others if not other.cancel()]
            errors = [other.exception() for other in begun]
        for error in errors:
            if error is not None:
                raise error

    def _started(self, helpers: int) -> ThreadPoolExecutor:
        pool = self._pool
        if pool is None:
            from concurrent.futures import ThreadPoolExecutor  # 7 ms, which few need

            pool = self._pool = ThreadPoolExecutor(helpers, thread_name_prefix="opregistry")
        return pool


def lock_across_forks() -> threading.RLock:
    """Make a lock that nobody holds at a fork: a child has none of the threads that would let it go."""
    lock = threading.RLock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


LARGE = 131_072  # elements above which an array is worth it

threads = Threads(_usable_cores())
if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads
    os.register_at_fork(after_in_child=lambda: setattr(threads, "_pool", None))


def set_num_threads(count: int) -> None:
    """Say on how many threads large arrays are computed; by default the cores that this process may use.

    Parameters
    ----------
    count : int
        At least 1. It does not change BLAS, which has threads of its own.

    Raises
    ------
    ValueError
        If `count` is no positive integer.

    Examples
    --------
    >>> import registry
    >>> before = registry.get_num_threads()
    >>> registry.set_num_threads(1)
    >>> registry.get_num_threads()
    1
    >>> registry.set_num_threads(before)
    """
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(f"the number of threads must be an integer of at least 1, not {count!r}")
    threads.set(count)


def get_num_threads() -> int:
    """Give the number of threads that large arrays are computed on."""
    return threads.count
