"""Threads that do everything at once, with a switch after every few bytecodes: each result is known before.

``OPREGISTRY_TEST_SCALE=100`` does it a hundred times as long. Run as a program, this file counts:
``python tests/test_stress.py 60`` works for 60 seconds and writes how many operations were done.
"""

import faulthandler
import itertools
import random
import sys
import threading
import time

import numpy as np
import pytest
from scale import scaled

import registry
from registry import Function, Variable, ops

THREADS = 6


@pytest.fixture(autouse=True)
def switching():
    """Let threads take turns as often as can be; should they wait for each other, show where."""
    before, threads = sys.getswitchinterval(), registry.get_num_threads()
    sys.setswitchinterval(1e-6)
    faulthandler.dump_traceback_later(300, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    sys.setswitchinterval(before)
    registry.set_num_threads(threads)


class Shared:
    """What all threads use at once: a graph, a Variable whose gradient adds up, a compiled function."""

    def __init__(self):
        self.x = Variable(np.array([1.0, 2.0, 3.0]))
        self.y = np.sum(np.square(self.x) * 2)
        self.backwards = itertools.count()
        self.compiled = registry.compile(registry.value_and_grad(lambda x: np.sum(x * x * x)))
        self.numbers = itertools.count()


def own_graph(shared):
    x = Variable(np.array([0.5, 1.5]))
    y = np.sum(np.exp(x) * x + np.sin(x) / (x + 1))
    y.backward()
    t = x.data
    expected = np.exp(t) * (t + 1) + np.cos(t) / (t + 1) - np.sin(t) / (t + 1) ** 2
    np.testing.assert_allclose(x.grad, expected, rtol=1e-12)


def a_shared_graph(shared):
    shared.y.backward()
    next(shared.backwards)


def a_number_in_turns(shared):
    x = Variable(np.array(3.0))
    for _ in range(5):
        x = x * 2
    assert x.data == 96.0


def nested_derivatives(shared):
    assert registry.grad(registry.grad(lambda x: x**3 * 2))(2.0) == 24.0
    assert registry.grad(lambda x: x * registry.grad(lambda y: x * y * y)(3.0))(5.0) == 60.0


def a_hessian(shared):
    h = registry.hessian(lambda x: x[0] ** 2 * x[1])(np.array([2.0, 3.0]))
    assert h.tolist() == [[6.0, 4.0], [4.0, 0.0]]


def without_recording(shared):
    x = Variable(np.array(3.0))
    with registry.no_grad():
        assert ops.square(x).creator is None
    with registry.using_config("enable_backprop", False):
        assert (x * 2).creator is None
    assert (x * 2).creator is not None


def an_error_inside(shared):
    class Fails(Function):
        def forward(self, x):
            return x + 0

        def backward(self, gy):
            raise ZeroDivisionError("mine")

    x = Variable(np.array(3.0))
    with pytest.raises(ZeroDivisionError, match="mine"):
        (Fails()(x) * 2).backward(create_graph=True)
    assert x.grad is None


def an_operator_of_its_own(shared):
    number = next(shared.numbers)

    class Shifted(Function):
        name = f"shifted_{number % 7}"  # which other threads replace meanwhile

        def forward(self, x):
            return x + 1

        def backward(self, gy):
            return gy * 1

    registry.operator(Shifted)
    x = Variable(np.array(2.0))
    y = getattr(ops, Shifted.name)(x)
    y.backward()
    assert (y.data, x.grad) == (3.0, 1.0)


def a_preference(shared):
    registry.prefer("twice", random.choice(["alpha", "beta"]))
    assert ops.twice(Variable(np.array(2.0))).data in (4.0, 4.5)


def a_look_at_everything(shared):
    assert "square" in dir(ops)
    registry.load_plugins()
    assert registry.plugins.alpha.twice(Variable(np.array(2.0))).data == 4.0


def watched(shared):
    x = Variable(np.array([1.0, 2.0]))
    with random.choice([registry.guard, registry.detect_anomaly, registry.profile])():
        (x * x).backward()
    assert x.grad.tolist() == [2.0, 4.0]


def compiled(shared):
    size = random.randrange(1, 4)
    value, gradient = shared.compiled(np.full(size, 2.0))
    assert (value, gradient.tolist()) == (8.0 * size, [12.0] * size)


def large_arrays(shared):
    registry.set_num_threads(random.randrange(1, 4))
    x = Variable(np.linspace(0.0, 1.0, 200_000))
    np.sum(np.sin(x) * x).backward()
    np.testing.assert_allclose(x.grad[[0, -1]], [0.0, np.cos(1.0) + np.sin(1.0)], rtol=1e-12)


def a_copy(shared):
    import copy
    import pickle

    x = pickle.loads(pickle.dumps(shared.x))
    assert copy.deepcopy(x).data.tolist() == [1.0, 2.0, 3.0]


JOBS = [
    own_graph, own_graph, a_shared_graph, a_shared_graph, a_number_in_turns, nested_derivatives, a_hessian,
    without_recording, an_error_inside, an_operator_of_its_own, a_preference, a_look_at_everything, watched,
    compiled, large_arrays, a_copy,
]  # fmt: skip


def run(rounds=None, seconds=None):
    """Let threads do jobs in an order of their own; give how many, and what was shared."""
    shared, done, errors = Shared(), itertools.count(), []
    end = None if seconds is None else time.monotonic() + seconds

    def work(seed):
        order = random.Random(seed)
        try:
            for i in itertools.count():
                if errors or (i >= rounds if end is None else time.monotonic() > end):
                    return
                order.choice(JOBS)(shared)
                next(done)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,), daemon=True) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return next(done), shared


def install(site):
    """Install two plugins that offer the same name."""
    for name, factor in (("alpha", "2"), ("beta", "2.25")):
        site.install_operator(name, "Twice", body=f"factor = {factor}")
        path = site.path / f"{name}.py"
        path.write_text(
            path.read_text()
            .replace("x + 0.0", "x * self.factor")
            .replace("return gy", "return gy * self.factor")
        )


def test_everything_at_once(site, fresh):
    install(site)
    fresh(prefer={"twice": "alpha"})
    done, shared = run(rounds=scaled(100))
    assert done == THREADS * scaled(100)
    calls = next(shared.backwards)
    np.testing.assert_array_equal(shared.x.grad, calls * 4 * shared.x.data)
    assert registry.default_registry().observers is None


def test_the_first_call_of_a_helper_in_all_threads(fresh):
    """It writes itself out then."""
    for _ in range(scaled(6)):
        fresh(only=frozenset())
        barrier, wrong = threading.Barrier(THREADS), []

        def work(barrier=barrier, wrong=wrong):
            x = Variable(np.array([2.0, 3.0]))
            barrier.wait()
            y = np.sum(ops.log(ops.square(x)) * ops.tanh(x))
            y.backward()
            t = x.data
            expected = 2 / t * np.tanh(t) + 2 * np.log(t) * (1 - np.tanh(t) ** 2)
            if not np.allclose(x.grad, expected, rtol=1e-12):
                wrong.append(x.grad)

        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_plugins_are_loaded_once_by_all_threads(site, fresh):
    for k in range(scaled(3)):
        site.install_operator(f"many_{k}", f"Many{k}")
        fresh()
        barrier, seen = threading.Barrier(THREADS), []

        def work(k=k, barrier=barrier, seen=seen):
            barrier.wait()
            seen.append(getattr(ops, f"many{k}"))

        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == THREADS
        assert len(set(map(id, seen))) == 1


if __name__ == "__main__":
    import tempfile
    from pathlib import Path

    from conftest import Site

    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        install(Site(Path(folder)))
        registry.prefer("twice", "alpha")
        sys.setswitchinterval(1e-6)
        seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
        jobs, together = run(seconds=seconds)
        backwards = next(together.backwards)
        np.testing.assert_array_equal(together.x.grad, backwards * 4 * together.x.data)
        print(f"{THREADS} threads, {jobs:,} jobs in {seconds:g} s, {backwards:,} shared passes: no error")
