"""Large arrays through elementwise operators: in blocks, on threads, and the same bit for bit."""

import contextlib
import threading
import tracemalloc

import numpy as np
import pytest

import registry
from registry import Function, GradientError, Variable, hookimpl, large, ops
from registry.backward import Pass
from registry.testing import find_operators
from registry.testing.subject import Subject
from registry.threads import LARGE

SIZE = LARGE + 3
SLOW = {"boxcox", "boxcox1p", "inv_boxcox", "inv_boxcox1p"}  # a series, each element by itself


@pytest.fixture(autouse=True)
def _helped_with_anything(monkeypatch):
    monkeypatch.setattr(large, "_WORTH_HELP", 0.0)


@contextlib.contextmanager
def on_threads(count):
    before = registry.get_num_threads()
    registry.set_num_threads(count)
    try:
        yield count
    finally:
        registry.set_num_threads(before)


@pytest.fixture(params=[1, 2], ids="{} threads".format)
def threads(request):
    with on_threads(request.param):
        yield request.param


@pytest.fixture
def one_thread():
    with on_threads(1):
        yield


@pytest.fixture
def two_threads():
    with on_threads(2):
        yield


def elementwise_operators():
    subjects = [Subject(operator) for operator in find_operators()]
    return [s for s in subjects if s.elementwise and s.operator.name not in SLOW]


LAYOUTS = {
    "a line": lambda new, i: new(203),
    "rows": lambda new, i: new(5, 7, 6),
    "columns": lambda new, i: np.asfortranarray(new(13, 15)),
    "every other": lambda new, i: new(401)[::2],
    "a part": lambda new, i: new(20, 26)[::2, 1::2],
    "upside down": lambda new, i: new(13, 15)[::-1],
    "axes swapped": lambda new, i: new(5, 7, 6).transpose(1, 0, 2),
    "both": lambda new, i: new(13, 15) if i % 2 else np.asfortranarray(new(13, 15)),
    "broadcast": lambda new, i: new(*[(19, 13), (13,), (19, 1), ()][i % 4]),
}
DTYPES = {
    "float64": lambda values, rng: values,
    "float32": lambda values, rng: values.astype(np.float32),
    "complex128": lambda values, rng: values + 0.3j * rng.permutation(values),
    "integers": lambda values, rng: values.astype(np.int64),
}


def calls(subject):
    """Give an instance and inputs, for each way that the arrays can lie in memory and each dtype it takes."""
    rng = np.random.default_rng(0)
    sample = next(s for s in subject.samples if s.kind == "plain")
    for layout in LAYOUTS.values():
        for of_dtype in DTYPES.values():
            values = [None if x is None else of_dtype(x.ravel(), rng) for x in sample.inputs]
            xs = [
                x if x is None else layout(lambda *shape, x=x: rng.choice(x, size=shape), i)
                for i, x in enumerate(values)
            ]
            function = subject.cls(**sample.constants)
            try:
                y = function.forward(*xs)
            except (TypeError, ValueError, AssertionError):  # a dtype that it does not take
                continue
            yield function, xs, y


def assert_same_array(found, expected):
    """Assert the same bits, in the same order in memory, so that a sum over them is the same, too."""
    assert (found.dtype, found.shape, found.strides) == (expected.dtype, expected.shape, expected.strides)
    assert found.tobytes() == expected.tobytes()


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::numpy.exceptions.ComplexWarning")
@pytest.mark.parametrize(
    "subject", elementwise_operators(), ids=lambda s: f"{s.operator.plugin}.{s.operator.name}"
)
def test_blocks_give_the_same_bits(subject, two_threads):
    values = gradients = 0
    for function, xs, y in calls(subject):
        if not isinstance(y, np.ndarray):
            pytest.skip("several results are computed as a whole")
        in_blocks = large.forward_in_blocks(function, xs, 16)
        if in_blocks is not None:
            assert_same_array(in_blocks, y)
            values += 1
        gradients += compared_gradients(function, xs, y) if subject.cls.differentiable else 1
    assert values or subject.operator.name == "real"  # a view of real numbers, which no block makes
    assert gradients or subject.operator.name in PASSED_ON


PASSED_ON = {"add", "positive", "add_sequence", "real"}  # their gradient is that of the result itself


def compared_gradients(function, xs, y):
    """Compare the gradients by all inputs, or by the last one where others have no formula; count them."""
    for constant in (0, len(xs) - 1):
        recorded = function._unrecorded_copy()
        recorded(*xs[:constant], *[x if x is None else Variable(x) for x in xs[constant:]])
        with contextlib.suppress(GradientError):
            return count_same_gradients(recorded, y)
    return 0


def count_same_gradients(recorded, y):
    if not large.takes_parts(recorded, y.shape, {}):
        return 0
    rng, dtype = np.random.default_rng(1), y.dtype if y.dtype.kind in "fc" else np.dtype(float)
    compared = 0
    for gy in (rng.normal(size=y.shape).astype(dtype), np.broadcast_to(dtype.type(1), y.shape)):
        whole = Pass(create_graph=False)
        whole.step(recorded, (gy,))
        in_blocks = large.backward_in_blocks([recorded], {id(recorded): gy}, 16) or ()
        for edge, gradient, ours in in_blocks:
            assert_same_array(gradient, whole.gradients.pop(id(edge)))
            assert ours == (gradient is not gy)
            compared += 1
        assert not in_blocks or not whole.gradients
    return compared


def program(x, w):
    """Use arrays in several places, in an order in which sums round differently."""
    a = np.tanh(x) * np.exp(-(x**2)) + np.sin(x) * w
    b = a / (1 + w * w) - np.where(a > 0, a, x * 0.1)
    return np.sum(b * a + w) + np.mean(np.abs(x) ** 1.5) + np.sum(np.maximum(a, x)[::3])


def gradients_of(f, *arrays, **options):
    xs = [Variable(a) for a in arrays]
    y = f(*xs)
    y.backward(**options)
    return [y.data, *[x.grad for x in xs]]


@pytest.mark.parametrize("shape", [(SIZE,), (7, 20000), (50001, 3), (2, 3, 30001)], ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_programs_give_the_same_bits(shape, dtype, threads):
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype)
    found = gradients_of(program, x, w)
    expected = gradients_of(program, x, w, retain_grad=True)  # such a pass goes through whole arrays
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found[0], program(x, w))


class Seen(Function):
    """The double, which notes the arrays that its code gets."""

    elementwise = True
    saves = ()
    arrays: list = []

    def forward(self, x):
        self.arrays.append(x)
        return x * 2.0

    def backward(self, gy):
        self.arrays.append(gy)
        return gy * 2.0


@pytest.fixture
def seen(monkeypatch):
    monkeypatch.setattr(Seen, "arrays", [])
    return Seen


def sizes(seen):
    return {x.size for x in seen.arrays}


def test_up_to_a_size_arrays_are_not_cut(seen, two_threads):
    seen()(seen()(seen()(Variable(np.ones(LARGE))))).backward()
    assert sizes(seen) == {LARGE}


def test_large_arrays_come_in_parts(seen, two_threads):
    x = Variable(np.ones(SIZE))
    seen()(x).backward()
    assert max(sizes(seen)) < SIZE / 2
    assert sum(a.size for a in seen.arrays) == 2 * SIZE
    np.testing.assert_array_equal(x.grad, 2.0)


def test_on_one_thread_only_what_follows_each_other_backwards_is_cut(seen, one_thread):
    seen()(Variable(np.ones(SIZE))).backward()
    assert sizes(seen) == {SIZE}
    x = Variable(np.ones(SIZE))
    y = seen()(seen()(seen()(x)))
    seen.arrays.clear()
    y.backward()
    assert max(sizes(seen)) < SIZE / 2
    np.testing.assert_array_equal(x.grad, 8.0)


def test_threads_do_not_help_with_what_is_cheap(seen, two_threads, monkeypatch):
    monkeypatch.setattr(large, "_WORTH_HELP", 3600.0)
    seen()(Variable(np.ones(SIZE))).backward()
    assert [x.size for x in seen.arrays if x.size > SIZE / 2] == [SIZE, SIZE]
    y = seen()(seen()(seen()(Variable(np.ones(SIZE)))))
    seen.arrays.clear()
    monkeypatch.setattr(large.threads, "run", None)
    y.backward()
    assert max(sizes(seen)) < SIZE / 2


def test_two_threads_share_the_work(two_threads):
    both = threading.Barrier(2, timeout=10)

    class Meets(Function):
        elementwise = True
        met = 0

        def forward(self, x):
            return x * 2.0

        def backward(self, gy):
            Meets.met += 1
            if Meets.met in (2, 3):  # the first part is tried before threads begin
                both.wait()
            return gy * 2.0

    x = Variable(np.ones(SIZE))
    Meets()(x).backward()
    np.testing.assert_array_equal(x.grad, 2.0)


class StoresInForward(Seen):
    def forward(self, x):
        self.mean = x.mean()
        return super().forward(x)


class HoldsAnArray(Seen):
    def __init__(self):
        self.weights = np.ones(SIZE)


class NotElementwise(Seen):
    elementwise = False


@pytest.mark.parametrize("cls", [StoresInForward, HoldsAnArray, NotElementwise])
def test_what_a_part_does_not_tell_is_not_cut(cls, seen, two_threads):
    cls()(cls()(cls()(Variable(np.ones(SIZE))))).backward()
    assert sizes(seen) == {SIZE}


def test_a_large_array_beside_an_empty_one(two_threads):
    x = Variable(np.ones((SIZE, 1)))
    y = x + np.ones(0)
    y.backward()
    assert y.shape == (SIZE, 0)
    np.testing.assert_array_equal(x.grad, 0.0)


def test_observers_see_whole_arrays(two_threads):
    class Watcher:
        @hookimpl
        def before_forward(self, function, xs):
            sizes.add(xs[0].size)

        @hookimpl
        def after_backward(self, function, gxs):
            sizes.add(gxs[0].size)

    sizes = set()
    x = Variable(np.ones(SIZE))
    with registry.default_registry().observing(Watcher()):
        ops.exp(ops.sin(x)).backward()
    assert sizes == {SIZE}


def test_guard_works_with_large_arrays(two_threads):
    x = Variable(np.ones(SIZE))
    with registry.guard():
        y = ops.exp(ops.sin(x))
        x.data[-1] = 2.0
        with pytest.raises(registry.OverwrittenError):
            y.backward()


def test_higher_derivatives_of_large_arrays(two_threads):
    x = Variable(np.linspace(-2, 2, SIZE))
    np.sum(np.sin(x) * x).backward(create_graph=True)
    first = x.grad
    x.cleargrad()
    np.sum(first).backward()
    np.testing.assert_allclose(x.grad, 2 * np.cos(x.data) - x.data * np.sin(x.data), rtol=1e-12, atol=1e-12)


DATA = np.linspace(-1, 1, SIZE)


class Odd(Function):
    """The square, whose backward is by chance different in the last of all blocks."""

    elementwise = True

    def forward(self, x):
        return x * x

    def backward(self, gy):
        (x,) = self.xs
        return self.of(x, gy)


class GivesItsInputToSome(Odd):
    def forward(self, x):
        return x * x if x[-1] < 1 else np.square(x).astype(complex)

    def of(self, x, gy):
        return 2 * x * gy


class GivesNoneForSome(Odd):
    def of(self, x, gy):
        return 2 * x * gy if x[-1] < 1 or x.size == SIZE else None


class PassesOnSome(Odd):
    def of(self, x, gy):
        return gy if x[-1] < 1 and x.size < SIZE else 2 * x * gy


class NeedsTheShape(Odd):
    def forward(self, x):
        return x * np.ones(SIZE) * x

    def of(self, x, gy):
        return 2 * x * np.ones(SIZE) * gy


@pytest.mark.parametrize("cls", [GivesItsInputToSome, GivesNoneForSome, PassesOnSome, NeedsTheShape])
def test_where_parts_do_not_make_the_whole_it_is_computed_as_one(cls, two_threads):
    x = Variable(DATA)
    y = cls()(x)
    assert y.dtype == cls().forward(DATA).dtype
    np.testing.assert_array_equal(y.data, DATA * DATA)
    y.backward()
    np.testing.assert_array_equal(x.grad, 2 * DATA)


def test_errors_are_those_of_the_whole_and_leave_everything_as_it_was(two_threads):
    data = np.ones(SIZE)
    data[-1] = 0.0
    x = Variable(data)
    y = ops.reciprocal(x + 1) + ops.sqrt(x)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError, match="divide by zero") as caught:
        y.backward()
    assert any(note.startswith("in backward of operator 'sqrt'") for note in caught.value.__notes__)
    assert x.grad is None
    with np.errstate(all="raise"), pytest.raises(FloatingPointError, match="divide by zero") as caught:
        ops.log(x)
    assert any(note.endswith(f"given float64 ({SIZE},)") for note in caught.value.__notes__)


def test_gradients_are_added_to_those_that_are_there(two_threads):
    x = Variable(DATA)
    x.grad = before = np.ones(SIZE)
    np.sum(x * x * x).backward()
    np.testing.assert_allclose(x.grad, 1 + 3 * DATA**2)
    assert (before == 1).all()
    first = x.grad
    np.sum(np.exp(x)).backward()
    np.testing.assert_allclose(x.grad, first + np.exp(DATA))


def test_gradients_share_no_memory(two_threads):
    x, w = Variable(DATA), Variable(DATA + 0.5)
    np.sum(x + w - x * 2).backward()
    assert not np.shares_memory(x.grad, w.grad)
    for gradient, expected in ((x.grad, -1.0), (w.grad, 1.0)):
        np.testing.assert_array_equal(gradient, expected)
        gradient[...] = 7  # it is ours to write into


def test_functions_of_other_shapes_wait_for_their_turn(threads):
    x, rows = Variable(DATA), np.array([[1.0], [2.0], [4.0]])
    y = np.sum(np.multiply(x, rows)) + np.sum(ops.positive(-ops.negative(x * 3.0)))
    y.backward()
    np.testing.assert_array_equal(x.grad, 10.0)


def test_gradients_between_elementwise_operators_are_no_large_arrays(threads):
    data = np.linspace(-1, 1, 20 * SIZE)
    x = Variable(data)
    np.sum(np.tanh(x) * np.exp(-np.square(x)) + np.sin(x) * x).backward()  # what is loaded once
    x.cleargrad()
    tracemalloc.start()
    try:
        y = np.sum(np.tanh(x) * np.exp(-np.square(x)) + np.sin(x) * x)
        saved = tracemalloc.get_traced_memory()[0] / data.nbytes
        tracemalloc.reset_peak()
        y.backward()
        peak = tracemalloc.get_traced_memory()[1] / data.nbytes
    finally:
        tracemalloc.stop()
    assert saved == pytest.approx(3, abs=0.1)  # tanh, exp and sin
    assert peak < 4.5  # and the gradient, and some blocks


def test_inputs_that_are_left_out_go_through_blocks():
    x = np.linspace(-2, 2, 200_000)
    v = Variable(x)
    np.sum(np.exp(np.sin(np.clip(np.sin(np.exp(v)), None, 0.5)))).backward()
    e = np.exp(x)
    s = np.sin(e)
    expected = np.where(s <= 0.5, np.exp(np.sin(s)) * np.cos(s) * np.cos(e) * e, 0)
    np.testing.assert_allclose(v.grad, expected, rtol=1e-12, atol=1e-15)
