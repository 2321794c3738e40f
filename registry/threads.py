"""Blocks of work on several threads, for arrays that are large enough to be worth it."""

from __future__ import annotations

import os
import threading
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue


class Threads:
    """The threads that large arrays are computed on, beside the one that asks.

    They wait at a queue that is written in C, so that Ctrl-C leaves no lock closed, as it may
    in those of `concurrent.futures`; and they end with the process. Where the system starts no
    more, as many work as there are: the one that asks does without.

    Parameters
    ----------
    count : int
        How many work at once, that one included.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.forget()

    def forget(self) -> None:
        """Begin anew, as in a forked child, which has none of its parent's threads."""
        self._tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._waiting = 0

    def run(self, blocks: int, compute: Callable[[int], None]) -> None:
        """Call ``compute(0)`` to ``compute(blocks - 1)``, each once, on whichever thread is free.

        Context variables, NumPy's error state among them, are those of the caller. After an
        error no further block is begun, and it is raised here.
        """
        left = iter(range(blocks))  # threads share it: each block is handed out once
        begun: list[None] = []
        ended: SimpleQueue[BaseException | None] = SimpleQueue()

        def help() -> None:
            begun.append(None)
            try:
                for block in left:
                    compute(block)
            except BaseException as error:
                _exhaust(left)
                ended.put(error)
            else:
                ended.put(None)

        try:
            for _ in range(self._started(min(self.count, blocks) - 1)):
                self._tasks.put(partial(copy_context().run, help))
            for block in left:
                compute(block)
        finally:
            _exhaust(left)
            errors = [ended.get() for _ in begun]  # who begins now finds nothing to do
        for error in errors:
            if error is not None:
                raise error

    def _started(self, helpers: int) -> int:
        """Start what is missing of so many helpers; give how many of them there are."""
        try:
            while self._waiting < helpers:
                start_new_thread(_work, (self._tasks,))
                self._waiting += 1
        except (RuntimeError, MemoryError):  # a limit of the system, or the interpreter is ending
            pass
        return min(self._waiting, helpers)


def _work(tasks: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        tasks.get()()


def _exhaust(left: Iterator[int]) -> None:
    for _ in left:
        pass


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
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=threads.forget)


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
    threads.count = count


def get_num_threads() -> int:
    """Give the number of threads that large arrays are computed on."""
    return threads.count
