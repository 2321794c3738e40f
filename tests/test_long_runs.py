"""The long runs on a small scale; `long_runs.py` has the commands for the whole ones."""

import re
import signal
import subprocess
import sys

import long_runs
import pytest
from scale import scaled


@pytest.fixture(autouse=True)
def signals():
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("collector", [True, False])
def test_training_leaves_nothing_behind(collector):
    found, loss = long_runs.train(scaled(3000), collector)
    assert long_runs.is_flat(found), found
    assert loss < 1.0


def test_what_grows_is_not_flat():
    flat = [(1000, 10**6, 5, 1)] * 10
    assert long_runs.is_flat(flat)
    for i, more in enumerate((2000, 2**21, 1, 1)):
        assert not long_runs.is_flat([*flat[:-1], tuple(n + more * (j == i) for j, n in enumerate(flat[0]))])


def test_a_deep_graph_is_recorded_passed_back_and_freed():
    x, y = long_runs.chain(scaled(100_000))
    y.backward()
    assert x.grad == 0.5 ** (scaled(100_000) // 2)
    del y


def test_an_interrupt_in_the_middle_of_backward_changes_nothing():
    x, y = long_runs.chain(300_000)
    assert any(long_runs.interrupted(x, y, 0.03) for _ in range(20))
    y.backward()
    assert x.grad == 0.0  # 0.5 to the power of 150,000


def test_interrupts_at_any_time():
    """In a process of its own: here, some would come to callbacks of pytest's and Hypothesis's."""
    command = [sys.executable, long_runs.__file__, "interrupts", str(scaled(300))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(re.search(r"([\d,]+) of them interrupted", done.stdout)[1].replace(",", "")) > 0
