"""Large arrays in compiled functions: block by block, on several threads."""

import multiprocessing
import sys
import time
import tracemalloc

import numpy as np
import pytest

import registry
from registry import compile as compiled
from registry import value_and_grad
from registry.compiler.blocks import Blocks

pytestmark = pytest.mark.usefixtures("plans_do_not_fail")
RNG = np.random.default_rng(0)
SIZE = 300_001  # some blocks, and a part of one


@pytest.fixture(params=[1, 2, 5], autouse=True)
def threads(request):
    before = registry.get_num_threads()
    registry.set_num_threads(request.param)
    yield request.param
    registry.set_num_threads(before)


def groups(c, *args):
    return [step.call for step in c.plan(*args).program.steps if isinstance(step.call, Blocks)]


def agrees(f, *args, count=1, rtol=1e-12):
    """Compare on two calls, and the number of groups; a sum of many numbers of both signs loses digits."""
    c = compiled(f)
    for _ in range(2):
        found, expected = c(*args), f(*args)
        for a, b in zip(registry.structures.leaves(found), registry.structures.leaves(expected), strict=True):
            assert type(a) is type(b)
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-10)
    assert len(groups(c, *args)) == count
    return c


def test_value_and_gradient_are_one_group():
    f = value_and_grad(lambda x: np.sum(np.tanh(x) * np.exp(-(x**2)) + np.sin(x) * x))
    agrees(f, RNG.normal(size=SIZE))


def test_a_gradient_of_its_own_memory():
    x = RNG.normal(size=SIZE)
    c = compiled(value_and_grad(lambda x: np.sum(x * x)))
    _, first = c(x), c(x)
    second = c(x)
    assert not np.shares_memory(first[1], second[1])
    assert not np.shares_memory(first[1], x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.int64])
def test_dtypes(dtype):
    x = (10 * RNG.normal(size=SIZE)).astype(dtype)
    agrees(lambda x: (x * 2 + x * x, x - 1), x, rtol=1e-6 if dtype == np.float32 else 1e-12)


def test_choices_conversions_and_comparisons():
    def f(x, y):
        chosen = np.where(x > y, x * 2, y)
        return chosen, np.where(x > 0, 0.0, chosen), x.astype(np.float32) * 2, (x > y) & (y > 0), np.isnan(x)

    agrees(f, RNG.normal(size=SIZE), RNG.normal(size=SIZE))


def test_every_whole_reduction():
    def f(x):
        y = x * 2
        return (
            np.sum(y),
            np.max(y),
            np.min(x),
            np.prod(1 + y * 1e-9),
            np.any(y > 3),
            np.all(y > 3),
            np.mean(y),
        )

    agrees(f, RNG.normal(size=SIZE))


def test_numbers_and_small_arrays_beside():
    x, row, column = RNG.normal(size=(700, 300)), RNG.normal(size=300), RNG.normal(size=(700, 1))
    number = np.array([[2.0]])
    agrees(lambda x, n: (x * n + 1.5, np.sum(x * n)), x, number)
    agrees(lambda x, row, column: ((x + row) * column, np.sum(x * row + column)), x, row, column)


def test_memory_orders(monkeypatch):
    monkeypatch.setattr("registry.compiler.groups.WORTH", 0)
    x, y = np.asfortranarray(RNG.normal(size=(600, 500))), RNG.normal(size=(600, 500))
    agrees(lambda x, y: (x * y + x) * y, x, y, count=1)
    agrees(lambda x: x * x + x, x, count=0)  # in the order of columns, as NumPy leaves it
    agrees(lambda x, y: x[:, ::2] * y[:, ::2] + y[:, ::2], x, y)


def test_what_needs_the_whole_comes_between_two_groups():
    def softmax(x):
        shifted = np.exp(x - np.max(x))
        return shifted / np.sum(shifted)

    agrees(softmax, RNG.normal(size=SIZE), count=1)
    agrees(lambda x: softmax(softmax(x * 3) * 2), RNG.normal(size=SIZE), count=4)


def test_what_is_written_into_keeps_its_order():
    def f(x):
        y = np.zeros_like(x)
        before = y * 2 + x
        y[:5] = 1
        after = y * 2 + x
        y[:5] = 2
        return before, after, y * 2 + x

    agrees(f, RNG.normal(size=SIZE), count=1)


def test_little_work_is_done_by_one_thread():
    assert not groups(compiled(lambda x: x * 2 + 1), RNG.normal(size=SIZE))[0].is_shared
    assert groups(compiled(lambda x: np.sin(x) + np.exp(x)), RNG.normal(size=SIZE))[0].is_shared


def test_small_arrays_are_computed_at_once():
    agrees(lambda x: x * 2 + 1, RNG.normal(size=1000), count=0)
    agrees(lambda x: x * 2 + 1, RNG.normal(size=70_000), count=0)
    agrees(lambda x: np.sin(x) + 1, RNG.normal(size=70_000), count=1)


def test_numpys_error_state_reaches_every_thread():
    c = agrees(lambda x: np.log(x) * 2, np.ones(SIZE))
    x = np.ones(SIZE)
    x[-1] = 0
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        c(x)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        c(x)
    with np.errstate(divide="ignore"):
        assert c(x)[-1] == -np.inf


def test_an_error_state_inside_holds_in_blocks():
    def f(x):
        with np.errstate(divide="ignore"):
            return np.log(x) * 2

    agrees(f, np.zeros(SIZE))


def test_steps_of_another_error_state_are_no_part_of_a_group():
    def f(x):
        with np.errstate(divide="ignore"):
            y = np.log(x) + 1
        return y, np.log(x + 0) * 2

    c = compiled(f)
    c(np.ones(SIZE))
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        c(np.zeros(SIZE))
    with np.errstate(divide="ignore"):
        assert len(groups(c, np.ones(SIZE))) == 2


def test_nothing_is_kept_between_calls():
    x = RNG.normal(size=SIZE)
    c = compiled(value_and_grad(lambda x: np.sum(np.tanh(x) * np.exp(-(x**2)))))
    c(x), c(x)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            c(x)
        until = time.monotonic() + 5  # a thread of the pool may still be letting go of the last block
        while (kept := tracemalloc.get_traced_memory()[0] - before) > 100_000 and time.monotonic() < until:
            time.sleep(0.01)
        assert kept < 100_000
    finally:
        tracemalloc.stop()


def test_the_group_can_be_read():
    text = str(compiled(lambda x: np.sum(np.exp(x) * 2)).plan(np.ones(SIZE)))
    assert "def blocks(x0):" in text
    assert "exp(x0_, out=t0)" in text


def _in_child(queue):
    x = np.ones(SIZE)
    queue.put(float(_FORKED(x)))


_FORKED = compiled(lambda x: np.sum(np.exp(x) * 2))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork is not everywhere")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork(threads):
    expected = _FORKED(np.ones(SIZE))
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == pytest.approx(expected)
    child.join()
