"""Tasks and processes: modes stay where they are, and workers give values and gradients back."""

import asyncio
import contextvars
import copy
import inspect
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from scale import scaled

import registry
from registry import Variable, errors, ops

METHODS = [
    name for name in ("fork", "spawn", "forkserver") if name in multiprocessing.get_all_start_methods()
]
# Python warns of a fork where threads run, BLAS's among them.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def gradient_of(x):
    """Differentiate in a worker; give the Variable, whose graph does not travel."""
    y = np.sum(ops.square(x) * 3)
    y.backward()
    return x, y


def large_gradient(count):
    x = Variable(np.linspace(0.0, 1.0, count))
    np.sum(np.sin(x) * x).backward()
    return x.grad[-1]


def failing(x):
    return (x * 2).backward(np.ones(2))


def refused(kind):
    if kind == "leaf":
        return Variable(np.ones(2)).backward()
    return Variable([1.0])


class TestTasks:
    def test_each_task_has_its_own_modes(self):
        async def off(go):
            with registry.no_grad():
                await go.wait()
                return (Variable(np.array(2.0)) * 2).creator

        async def on(go):
            await go.wait()
            return (Variable(np.array(2.0)) * 2).creator

        async def main():
            go = asyncio.Event()
            tasks = [asyncio.create_task(f(go)) for f in (off, on, off, on)]
            await asyncio.sleep(0)
            go.set()
            return await asyncio.gather(*tasks)

        assert [creator is None for creator in asyncio.run(main())] == [True, False, True, False]

    def test_a_task_begins_with_the_modes_of_who_made_it(self):
        async def recorded():
            return (Variable(np.array(2.0)) * 2).creator is not None

        async def main():
            with registry.no_grad():
                inside = asyncio.create_task(recorded())
            return await inside, await asyncio.create_task(recorded())

        assert asyncio.run(main()) == (False, True)

    def test_to_thread_takes_the_modes_along_and_an_executor_does_not(self):
        def recorded():
            return (Variable(np.array(2.0)) * 2).creator is not None

        async def main():
            loop = asyncio.get_running_loop()
            with registry.no_grad(), ThreadPoolExecutor(1) as pool:
                context = contextvars.copy_context()
                return (
                    await asyncio.to_thread(recorded),
                    await loop.run_in_executor(pool, recorded),
                    await loop.run_in_executor(pool, context.run, recorded),
                )

        assert asyncio.run(main()) == (False, True, False)

    def test_nested_derivatives_in_many_tasks(self):
        async def derivative(k):
            def inner(y):
                return k * y**2

            def outer(x):
                return x * registry.grad(inner)(x)

            await asyncio.sleep(0)
            return registry.grad(outer)(3.0)

        async def main():
            return await asyncio.gather(*map(derivative, range(20)))

        assert asyncio.run(main()) == [12.0 * k for k in range(20)]


@pytest.mark.parametrize("method", METHODS)
class TestWorkers:
    def test_values_and_gradients_come_back(self, method):
        context = multiprocessing.get_context(method)
        xs = [Variable(np.array([1.0, k]), name=f"x{k}") for k in range(4)]
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            for k, (x, y) in enumerate(pool.map(gradient_of, xs)):
                assert (x.name, x.data.tolist(), x.grad.tolist()) == (f"x{k}", [1.0, k], [6.0, 6.0 * k])
                assert (y.data, y.creator) == (3.0 + 3 * k * k, None)
        assert all(x.grad is None for x in xs)
        with context.Pool(2) as pool:
            assert [x.grad[1] for x, _ in pool.map(gradient_of, xs)] == [0.0, 6.0, 12.0, 18.0]

    def test_helpers_are_found_by_name(self, method):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
            y = pool.submit(ops.square, Variable(np.array(3.0))).result()
            assert (y.data, y.creator) == (9.0, None)

    def test_errors_come_back_as_they_are(self, method):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
            with pytest.raises(registry.NotRecordedError, match="it is a leaf, which nothing computed"):
                pool.submit(refused, "leaf").result()
            with pytest.raises(registry.UnsupportedTypeError, match=r"^<class 'list'> is not supported"):
                pool.submit(refused, "list").result()

    def test_large_arrays_have_threads_of_their_own(self, method):
        before = registry.get_num_threads()
        registry.set_num_threads(2)
        try:
            here = large_gradient(300_000)
            with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
                assert [f.result(timeout=120) for f in [pool.submit(large_gradient, 300_000)] * 2] == [
                    here
                ] * 2
        finally:
            registry.set_num_threads(before)


@pytest.mark.skipif("fork" not in METHODS, reason="no fork there")
def test_a_fork_while_other_threads_hold_locks():
    """A child has only the thread that forked: what the others had locked must be free there."""
    stop = threading.Event()
    x = Variable(np.array([1.0, 2.0]))
    y = np.sum(x * x)

    def busy():
        while not stop.is_set():
            y.backward()
            registry.prefer("square", "ops_builtin")
            with registry.guard():
                registry.compile(np.square)(np.ones(2))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(scaled(40)):
            child = os.fork()
            if child == 0:
                signal.alarm(20)  # which ends a child that waits for ever
                own = Variable(np.array(3.0))
                (own * own).backward()
                registry.prefer("square", "ops_builtin")
                registry.compile(np.exp)(np.ones(2))
                os._exit(0 if own.grad == 6.0 else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
        registry.default_registry().preferences.pop("square", None)


class TestPickles:
    def test_a_variable_travels_as_data_name_and_gradient(self):
        x = Variable(np.array([1.0, 2.0]), name="x")
        y = x * x
        y.backward()
        for again in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), copy.copy(x)):
            assert (again.name, again.data.tolist(), again.grad.tolist()) == ("x", [1.0, 2.0], [2.0, 4.0])
        assert pickle.loads(pickle.dumps(y)).creator is None
        assert "without the graph" in Variable.__reduce__.__doc__

    @pytest.mark.parametrize(
        "kind", [e for _, e in inspect.getmembers(errors, inspect.isclass) if issubclass(e, Exception)]
    )
    def test_every_error_keeps_its_text(self, kind):
        error = kind("what, expected, found")
        error.add_note("in backward of operator 'x'")
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.__notes__) == (kind, str(error), error.__notes__)


def test_threads_that_begin_inside_a_mode_do_not_have_it():
    seen = []
    with registry.no_grad():
        thread = threading.Thread(target=lambda: seen.append((Variable(np.array(1.0)) * 2).creator))
        thread.start()
        thread.join()
    assert seen[0] is not None
