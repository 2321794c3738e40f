"""Blocks of work on several threads."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from _thread import start_new_thread
from contextvars import ContextVar

import numpy as np
import pytest

import registry
from registry.threads import Threads, threads


def test_every_block_runs_once() -> None:
    seen: list[int] = []
    Threads(3).run(1000, seen.append)
    assert sorted(seen) == list(range(1000))


def test_as_many_threads_work_at_once_as_are_set() -> None:
    together = threading.Barrier(3, timeout=10)
    Threads(3).run(3, lambda _: together.wait() and None)


def test_one_thread_is_the_callers() -> None:
    used: set[int] = set()
    Threads(1).run(20, lambda _: used.add(threading.get_ident()))
    assert used == {threading.get_ident()}


def test_the_number_may_change_while_threads_work() -> None:
    some = Threads(2)
    stop = threading.Event()
    errors: list[Exception] = []

    def work() -> None:
        try:
            while not stop.is_set():
                seen: list[int] = []
                some.run(20, seen.append)
                assert sorted(seen) == list(range(20))
        except Exception as error:
            errors.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for count in [1, 2, 3] * 60:
        some.count = count
        some.run(3, lambda _: None)
    stop.set()
    for worker in workers:
        worker.join()
    sys.setswitchinterval(before)
    assert errors == []


def test_an_error_ends_the_work_and_is_raised() -> None:
    seen: list[int] = []

    def compute(block: int) -> None:
        seen.append(block)
        if block == 5:
            raise KeyError("block 5")

    with pytest.raises(KeyError, match="block 5"):
        Threads(2).run(10_000, compute)
    assert len(seen) < 10_000


def test_an_error_on_another_thread_is_raised_too() -> None:
    mine = threading.get_ident()
    both = threading.Barrier(2, timeout=10)

    def compute(block: int) -> None:
        both.wait()
        if threading.get_ident() != mine:
            raise KeyError("elsewhere")

    with pytest.raises(KeyError, match="elsewhere"):
        Threads(2).run(2, compute)


def test_context_variables_and_the_error_state_are_the_callers() -> None:
    variable = ContextVar("variable", default=0)
    variable.set(7)
    both = threading.Barrier(2, timeout=10)
    seen = []

    def compute(block: int) -> None:
        both.wait()
        seen.append((variable.get(), np.geterr()["over"]))

    with np.errstate(over="raise"):
        Threads(2).run(2, compute)
    assert seen == [(7, "raise")] * 2


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_where_no_thread_can_be_started_the_callers_computes_alone(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise error

    some, used = Threads(4), set[int]()
    with monkeypatch.context() as patch:
        patch.setattr("registry.threads.start_new_thread", refused)
        some.run(20, lambda _: used.add(threading.get_ident()))
    assert used == {threading.get_ident()}
    assert some._tasks.empty(), "nothing waits where nobody reads"
    together = threading.Barrier(4, timeout=10)
    some.run(4, lambda _: together.wait() and None)  # threads can be had again


def test_where_fewer_threads_can_be_started_those_help(monkeypatch: pytest.MonkeyPatch) -> None:
    def once(*args: object) -> None:
        monkeypatch.setattr("registry.threads.start_new_thread", refused)
        start_new_thread(*args)  # type: ignore[call-overload]

    def refused(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("registry.threads.start_new_thread", once)
    some, together = Threads(4), threading.Barrier(2, timeout=10)
    some.run(2, lambda _: together.wait() and None)
    seen: list[int] = []
    some.run(1000, seen.append)
    assert sorted(seen) == list(range(1000))


def test_blocks_may_run_blocks() -> None:
    sums = np.zeros(8)
    pool = Threads(2)

    def compute(block: int) -> None:
        parts = np.zeros(8)
        pool.run(8, lambda i: parts.__setitem__(i, i))
        sums[block] = parts.sum()

    pool.run(8, compute)
    assert (sums == 28).all()


def test_the_number_of_threads_is_set_and_read() -> None:
    before = registry.get_num_threads()
    try:
        registry.set_num_threads(3)
        assert registry.get_num_threads() == 3
    finally:
        registry.set_num_threads(before)


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2"])
def test_a_number_of_threads_that_makes_no_sense_is_refused(count: object) -> None:
    with pytest.raises(ValueError, match="at least 1, not"):
        registry.set_num_threads(count)  # type: ignore[arg-type]


def _run_in_child(queue: multiprocessing.Queue[list[int]]) -> None:
    seen: list[int] = []
    threads.run(100, seen.append)
    queue.put(sorted(seen))


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own() -> None:
    threads.run(100, lambda _: None)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_run_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=30) == list(range(100))
    child.join(timeout=30)
