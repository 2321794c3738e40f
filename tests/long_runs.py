"""Long runs: a million steps of training, ten million functions, and Ctrl-C in the middle of everything.

    python tests/long_runs.py steps 1000000
    python tests/long_runs.py graph 10000000
    python tests/long_runs.py interrupts 20000

Each prints what it measured, and fails where something grows or is not as it was.
`test_long_runs.py` does the same on a small scale.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import threading
import time

import numpy as np

import registry
from registry import Variable, ops


def in_use():
    """Give the bytes that the system counts for this process; open files; threads."""
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resident, len(os.listdir("/proc/self/fd")), threading.active_count()


def train(steps, collector=True, samples=10):
    """Train a small network; give what was in use after each tenth of the steps, and the last loss."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 2))
    t = x[:, :1] * x[:, 1:]
    w1, b1 = Variable(rng.normal(size=(2, 4))), Variable(np.zeros(4))
    w2, b2 = Variable(rng.normal(size=(4, 1))), Variable(np.zeros(1))
    weights = [w1, b1, w2, b2]
    found = []
    gc.collect()
    (gc.enable if collector else gc.disable)()
    try:
        for step in range(1, steps + 1):
            loss = ops.mean(ops.square(ops.tanh(x @ w1 + b1) @ w2 + b2 - t))
            loss.backward()
            for weight in weights:
                weight.data -= 0.01 * weight.grad
                weight.cleargrad()
            if step % (steps // samples) == 0:
                found.append((len(gc.get_objects()), *in_use()))
    finally:
        gc.enable()
    return found, float(loss.data)


def is_flat(found):
    """Say that objects, memory, files and threads do not grow after the first samples."""
    objects, memory, files, threads = zip(*found[1:], strict=True)
    return (
        max(objects) - min(objects) < 1000
        and memory[-1] - memory[0] < 1 << 20
        and len(set(files)) == len(set(threads)) == 1
    )


def chain(count):
    """Make a graph of so many functions; give both ends."""
    x = y = Variable(np.array(1.0))
    half, one = np.float64(0.5), np.float64(1.0)
    for _ in range(count // 2):
        y = y * half + one
    return x, y


def interrupted(x, y, after):
    """Interrupt a backward pass after some seconds; see that nothing has changed."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which jobs in the background ignore
    threading.Timer(after, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    try:
        y.backward()
    except KeyboardInterrupt:
        assert x.grad is None
        assert (Variable(np.array(1.0)) * 2).creator is not None
        return True
    x.cleargrad()
    return False


def interrupts(count, seed=0):
    """Interrupt many kinds of work at random times; give how often it was, and how often in time."""
    rng, hits = random.Random(seed), 0
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    x = Variable(np.array([0.5, 1.5]))
    for work in WORK:  # imports, whose files Python itself may leave open, are made before
        work(x)
    for i in range(count):
        x.cleargrad()
        before = None
        if i % 3 == 0:  # a gradient that is there already
            x.grad, before = np.array([1.0, 2.0]), np.array([1.0, 2.0])
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-6, 2e-3))
            rng.choice(WORK)(x)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            hits += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        check(x, before)
    return hits


def check(x, before):
    """See that modes, observers, gradients and results are right, whatever was interrupted."""
    assert registry.default_registry().observers is None
    slope = np.exp(x.data) * (x.data + 1)
    allowed = [slope] if before is None else [before, before + slope]
    if before is not None or x.grad is not None:
        assert any(np.allclose(x.grad, g, rtol=1e-12) for g in allowed), x.grad
    y = Variable(np.array([0.5, 1.5]))
    z = np.sum(np.exp(y) * y)
    assert z.creator is not None
    z.backward()
    np.testing.assert_allclose(y.grad, np.exp(y.data) * (y.data + 1), rtol=1e-12)
    assert registry.grad(registry.grad(lambda t: t**3))(2.0) == 12.0
    assert registry.get_num_threads() >= 1


def _first_order(x):
    np.sum(np.exp(x) * x).backward()


def _guarded(x):
    with registry.guard(), registry.detect_anomaly():
        np.sum(np.exp(x) * x).backward()


def _profiled(x):
    with registry.profile():
        np.sum(np.exp(x) * x).backward()


def _recorded(x):
    y = Variable(x.data.copy())
    np.sum(np.exp(y) * y).backward(create_graph=True)


def _nested(x):
    registry.hessian(lambda t: np.sum(np.exp(t) * t))(x.data)


def _compiled(x):
    registry.compile(registry.grad(lambda t: np.sum(np.exp(t) * t)))(x.data)


def _without_recording(x):
    with registry.no_grad():
        np.sum(np.exp(x) * x)


def _large(x):
    y = Variable(np.ones(200_000))
    np.sum(np.exp(y) * y).backward()


def _first_call(x):
    with registry.using_registry(registry.Registry(registry.PluginManager())):
        ops.square(x)


WORK = [
    _first_order, _first_order, _guarded, _profiled, _recorded, _nested, _compiled, _without_recording,
    _large, _first_call,
]  # fmt: skip


def main(what, size):
    """Run one of them, and say what was found."""
    started = time.perf_counter()
    if what == "steps":
        for collector in (True, False):
            found, loss = train(size, collector)
            objects, memory, files, threads = zip(*found[1:], strict=True)
            print(
                f"{size:,} steps, collector {'on' if collector else 'off'}: "
                f"{max(objects) - min(objects)} objects more or less, "
                f"{(memory[-1] - memory[0]) / 1e6:+.2f} MB, {files[-1]} files, {threads[-1]} threads, "
                f"loss {loss:.3g}"
            )
            assert is_flat(found), found
    elif what == "graph":
        before = in_use()[0]
        x, y = chain(size)
        made = time.perf_counter()
        held = in_use()[0] - before
        assert interrupted(x, y, 0.3 * (made - started))
        y.backward()
        done = time.perf_counter()
        assert x.grad == 0.5 ** (size // 2)
        del y
        freed = time.perf_counter()
        print(
            f"{size:,} functions: {1e6 * (made - started) / size:.2f} us and {held / size:.0f} bytes each "
            f"to record, an interrupted and a whole pass {1e6 * (done - made) / size:.2f} us, "
            f"freed in {freed - done:.1f} s"
        )
    else:
        hits = interrupts(size)
        print(f"{size:,} pieces of work, {hits:,} of them interrupted: all as it was")
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
