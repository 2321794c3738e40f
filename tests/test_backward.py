"""The backward pass: what it adds up, what it refuses, what it leaves as it was."""

import gc
import threading
import weakref
from typing import NamedTuple

import numpy as np
import pytest

import registry
from registry import Function, GradientError, Variable, hookimpl
from registry.helpers import make_helper
from registry.ops import add, exp, sin, square


class Raises(Function):
    def forward(self, x):
        return x * 1.0

    def backward(self, gy):
        raise FloatingPointError("in the author's code")


class OfOne(NamedTuple):
    x: object


class OfTwo(NamedTuple):
    x: object
    y: object


class Doubles(Function):
    def forward(self, x):
        return x * 2.0

    def backward(self, gy):
        return OfOne(2.0 * gy)


class Product(Function):
    def forward(self, x, y):
        return x * y

    def backward(self, gy):
        x, y = self.xs
        return OfTwo(gy * y, gy * x)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("by", [lambda cls: make_helper(cls, "helper"), lambda cls: lambda *xs: cls()(*xs)])
def test_gradients_may_be_a_named_tuple(by, create_graph):
    x, y = Variable(np.full(2, 2.0)), Variable(np.full(2, 3.0))
    doubles, product = (type(cls.__name__, (cls,), {}) for cls in (Doubles, Product))
    (by(doubles)(x) * by(product)(x, y)).backward(create_graph=create_graph)  # 2 x * x y
    gradients = [v.grad.data if create_graph else v.grad for v in (x, y)]
    np.testing.assert_array_equal(gradients, [[24, 24], [8, 8]])


def test_a_failed_pass_leaves_every_grad_as_it_was_and_names_the_operator():
    x0, x1 = Variable(np.array(1.0)), Variable(np.array(2.0))
    x0.grad = before = np.array(5.0)
    y = Raises()(square(x0)) + square(x0) + x1
    with pytest.raises(FloatingPointError, match="author's") as caught:
        y.backward(retain_grad=True)
    assert "in backward of operator 'Raises' (in no plugin)" in caught.value.__notes__
    assert x0.grad is before
    assert (x1.grad, y.grad) == (None, None)


def test_gradients_add_to_those_of_earlier_passes_in_a_new_array():
    x = Variable(np.array([1.0, 2.0]))
    square(x).backward()
    first = x.grad
    square(x).backward()
    np.testing.assert_array_equal(x.grad, [4.0, 8.0])
    np.testing.assert_array_equal(first, [2.0, 4.0])


def test_a_grad_of_another_shape_is_refused():
    x, other = Variable(np.ones(2)), Variable(np.ones(2))
    x.grad = np.ones((3, 2))
    with pytest.raises(GradientError, match=r"has shape \(3, 2\), but its data has \(2,\)"):
        add(other, x).backward()
    assert other.grad is None


def test_a_gradient_that_an_operator_keeps_is_never_written_into():
    kept = np.ones(2)

    class Keeps(Function):
        def forward(self, x):
            return x * 1.0

        def backward(self, gy):
            return kept

    x = Variable(np.zeros(2))
    y = sum((Keeps()(x) for _ in range(5)), Variable(np.zeros(2)))
    y.backward()
    np.testing.assert_array_equal(x.grad, [5.0, 5.0])
    np.testing.assert_array_equal(kept, [1.0, 1.0])
    assert not np.shares_memory(x.grad, kept)


@pytest.mark.parametrize("gradient", [[1.0, 2.0], "text", {1: 2}], ids=["list in tuple", "str", "dict"])
def test_a_gradient_that_is_no_array_is_an_error(gradient):
    class Wrong(Function):
        def forward(self, x):
            return x * 1.0

        def backward(self, gy):
            return (gradient,)

    with pytest.raises(GradientError, match=f"Wrong.*returned {type(gradient)} as a gradient"):
        Wrong()(Variable(np.ones(2))).backward()


@pytest.mark.parametrize("gradient", [True, np.True_, iter([1.0]), NotImplemented, ..., np.sin])
def test_what_is_no_gradient_is_an_error_as_the_whole_return_value(gradient):
    class Wrong(Function):
        def forward(self, x):
            return x * 1.0

        def backward(self, gy):
            return gradient

    x = Variable(np.array(1.0))
    for create_graph in (False, True):
        with pytest.raises(GradientError, match=f"Wrong.*returned {type(gradient)} as a gradient"):
            Wrong()(x).backward(create_graph=create_graph)
    assert x.grad is None


def test_a_gradient_of_objects_is_an_error():
    class Wrong(Function):
        def forward(self, x):
            return x * 1.0

        def backward(self, gy):
            return np.array([None])

    with pytest.raises(GradientError, match=r"Wrong.*dtype object; expected float64"):
        Wrong()(Variable(np.ones(1))).backward()


class ForgetsToReturn(Function):
    """A sum, whose backward computes and does not return."""

    def forward(self, *xs):
        return sum(xs)

    def backward(self, gy):
        (gy,) * len(self.needs_grad)


class ForgetsOne(ForgetsToReturn):
    elementwise = True

    def forward(self, x):
        return 1.0 * x


class ForgetsOneOfNumbers(ForgetsOne):
    scalars = True


class ForgetsTwo(ForgetsToReturn):
    def forward(self, x, z):
        return x + z


class ForgetsOneOfTwoResults(ForgetsToReturn):
    def forward(self, x):
        return 1.0 * x, 2.0 * x

    def backward(self, gy, gz):
        gy + 2 * gz


@pytest.mark.parametrize("way", ["helper", "instance"])
@pytest.mark.parametrize("options", [{}, {"create_graph": True}, {"retain_grad": True}], ids=str)
@pytest.mark.parametrize("size", [0, 3, 300_000])
@pytest.mark.parametrize(
    ("operator", "inputs"),
    [
        (ForgetsOne, 1), (ForgetsOneOfNumbers, 1), (ForgetsTwo, 2), (ForgetsToReturn, 3),
        (ForgetsOneOfTwoResults, 1),
    ],
)  # fmt: skip
def test_a_forgotten_return_is_an_error_in_every_way_of_a_step_back(operator, inputs, size, options, way):
    xs = [Variable(np.ones(size) if size else np.array(1.0)) for _ in range(inputs)]
    y = (make_helper(operator, "helper") if way == "helper" else operator())(*xs)
    with pytest.raises(GradientError, match=rf"'{operator.__name__}'.*returned None alone.*'return'"):
        (y[0] if isinstance(y, tuple) else y).backward(**options)
    assert all(x.grad is None for x in xs)


def test_none_in_a_tuple_is_no_gradient():
    class Constant(Function):
        def forward(self, x):
            return 1.0 * x

        def backward(self, gy):
            return (None,)

    class OfTheSecond(ForgetsTwo):
        def backward(self, gy):
            return None, gy

    x, z = Variable(np.ones(2)), Variable(np.ones(2))
    (Constant()(x) + make_helper(Constant, "helper")(x) + OfTheSecond()(x, z)).backward()
    assert x.grad is None
    np.testing.assert_array_equal(z.grad, [1.0, 1.0])


def test_gradients_may_come_as_a_list_and_none_for_left_out_inputs():
    class Affine(Function):
        def forward(self, x, w, b=None):
            return x * w if b is None else x * w + b

        def backward(self, gy):
            x, w = self.xs[:2]
            return [gy * w, gy * x, None if len(self.xs) < 3 else gy]

    x, w = Variable(np.array(2.0)), Variable(np.array(3.0))
    Affine()(x, w).backward()
    assert (x.grad, w.grad) == (3.0, 2.0)


@pytest.mark.parametrize(
    ("shape", "gradient"),
    [((3,), (3, 3)), ((1, 3), (7, 3)), ((2, 3), (3,)), ((2, 1), (3, 1)), ((), (2,))],
)
def test_only_a_true_broadcast_is_summed(shape, gradient):
    class Wrong(Function):
        def forward(self, x):
            return x * 1.0

        def backward(self, gy):
            return np.ones(gradient)

    with pytest.raises(GradientError, match="true broadcast"):
        Wrong()(Variable(np.ones(shape))).backward()


def test_a_complex_gradient_of_a_real_input_is_its_real_part():
    class Turn(Function):
        def forward(self, x):
            return x * np.exp(1j)

        def backward(self, gy):
            return gy * np.exp(1j)

    x = Variable(np.array(1.0))
    Turn()(x).backward()
    assert x.grad.dtype == np.float64
    assert x.grad == pytest.approx(np.cos(1.0))


@pytest.mark.parametrize("dtype", ["O", "S5"])
def test_a_result_that_is_no_array_of_numbers_is_an_error(dtype):
    with pytest.raises(registry.UnsupportedTypeError, match=r"operator 'astype'.*forward returned"):
        registry.ops.astype(Variable(np.ones(2)), dtype)


def test_sixty_levels_of_doubling_run_sixty_steps():
    x = y = Variable(np.array(1.0))
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad == 2.0**60


def test_retained_gradients_are_those_of_the_variables_in_between():
    x = Variable(np.array(2.0))
    a = square(x)
    b = sin(a)
    y = exp(b)
    y.backward(retain_grad=True)
    assert y.grad == 1.0
    assert b.grad == pytest.approx(np.exp(np.sin(4.0)))
    assert a.grad == pytest.approx(np.exp(np.sin(4.0)) * np.cos(4.0))


def test_two_threads_differentiate_one_graph():
    x = Variable(np.array(2.0))
    y = square(square(x))
    barrier = threading.Barrier(2)

    def work():
        barrier.wait()
        for _ in range(200):
            y.backward()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.grad == 400 * 32.0


def test_one_instance_called_from_two_threads_records_both_calls():
    function = registry.ops.square.operator()
    inputs = [Variable(np.array(float(i))) for i in range(200)]
    outputs = [None] * 200

    def work(start):
        for i in range(start, 200, 2):
            outputs[i] = function(inputs[i])

    threads = [threading.Thread(target=work, args=(start,)) for start in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for y in outputs:
        y.backward()
    assert [float(x.grad) for x in inputs] == [2.0 * i for i in range(200)]


def test_an_intermediate_array_that_nobody_needs_is_freed():
    x = Variable(np.ones(3))
    a = x + 1.0
    array = weakref.ref(a.data)
    y = a + 1.0  # adding saves nothing
    del a
    assert array() is None
    y.backward()
    np.testing.assert_array_equal(x.grad, np.ones(3))


def test_a_graph_is_freed_without_the_collector():
    gc.disable()
    try:
        x = Variable(np.array(2.0))
        y = square(exp(x))
        function = weakref.ref(y.creator)
        y.backward(create_graph=True)
        del x, y
        assert function() is None
    finally:
        gc.enable()


def test_observers_see_each_step():
    seen = []

    class Watcher:
        @hookimpl
        def after_forward(self, function, xs, ys):
            seen.append(("forward", type(function).__name__, xs[0].item(), ys[0].item()))

        @hookimpl
        def after_backward(self, function, gxs):
            seen.append(("backward", type(function).__name__, float(gxs[0])))

    x = Variable(np.array(3.0))
    with registry.default_registry().observing(Watcher()):
        square(x).backward()
    square(x).backward()
    assert seen == [("forward", "Square", 3.0, 9.0), ("backward", "Square", 6.0)]
    assert registry.default_registry().observers is None


class Halves(Function):
    """x / 2 and x / 2, which notes the gradients that it gets."""

    materialize_grads = False
    saves = ()
    got: list = []

    def forward(self, x):
        return x / 2, x / 2

    def backward(self, g0, g1):
        self.got.append((g0, g1))
        return sum(gy / 2 for gy in (g0, g1) if gy is not None)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("retain_grad", [False, True])
def test_an_operator_may_ask_for_none_as_the_gradient_of_an_unused_output(create_graph, retain_grad):
    Halves.got.clear()
    x = Variable(np.array([2.0, 4.0]))
    first, second = Halves()(x)
    (second * 6).backward(retain_grad=retain_grad, create_graph=create_graph)
    ((g0, g1),) = Halves.got
    assert g0 is None
    assert np.array_equal(getattr(g1, "data", g1), [6.0, 6.0])
    assert np.array_equal(getattr(x.grad, "data", x.grad), [3.0, 3.0])
    assert first.grad is None


def test_without_a_word_an_unused_output_has_zeros_as_its_gradient():
    class Zeros(Halves):
        materialize_grads = True

    Halves.got.clear()
    x = Variable(np.array([2.0, 4.0]))
    Zeros()(x)[1].backward()
    assert np.array_equal(Halves.got[0][0], [0.0, 0.0])
    assert np.array_equal(x.grad, [0.5, 0.5])


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, np.bool_])
@pytest.mark.parametrize("other", [np.float32(0.5), np.float64(0.5), 0.5 + 2j])
def test_integers_have_real_gradients_in_float64(dtype, other):
    x = Variable(np.array([1, 0, 1], dtype))
    (x * np.array([other] * 3)).backward()
    assert x.grad.dtype == np.float64
    np.testing.assert_array_equal(x.grad, [np.real(other)] * 3)


class Columns(Function):
    """x, with a gradient that lies in memory column by column."""

    def forward(self, x):
        return x.copy()

    def backward(self, gy):
        return gy.T.copy().T


def test_a_gradient_keeps_the_memory_order_that_its_operator_gave():
    x = Variable(np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    Columns()(x).backward()
    assert x.grad.flags.f_contiguous


def test_a_gradient_that_nobody_else_holds_is_not_copied():
    class Kept(Function):
        kept = None

        def forward(self, x):
            return 2 * x

        def backward(self, gy):
            gx = 2 * gy
            if Kept.kept == "keep":
                Kept.kept = gx
            elif Kept.kept == "view":
                gx = gx[:]
            elif Kept.kept == "read-only":
                gx.flags.writeable = False
            self.made = gx.__array_interface__["data"]
            return gx

    def gradient(how):
        x, Kept.kept = Variable(np.ones(3)), how
        y = Kept()(x)
        y.backward()
        np.testing.assert_array_equal(x.grad, [2.0, 2.0, 2.0])
        x.grad += 1  # an array of its own, and writeable
        return x.grad.__array_interface__["data"] == y.creator.made

    assert gradient(None)
    assert [gradient(how) for how in ("keep", "view", "read-only")] == [False] * 3
    shared = Variable(np.ones(2)), Variable(np.ones(2))
    (shared[0] + shared[1]).backward()
    assert shared[0].grad is not shared[1].grad


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
def test_backward_gets_arrays_where_gradients_of_numbers_add_up(dtype):
    class Seen(Function):
        def forward(self, x):
            return 2 * x

        def backward(self, gy):
            self.seen = type(gy), gy.shape, gy.dtype
            return 2 * gy

    x = Variable(np.array(3, dtype))
    y = Seen()(x)
    (y * 2 + y * 3).backward()
    assert y.creator.seen == (np.ndarray, (), dtype)
    assert (x.grad.dtype, x.grad) == (dtype, 10)
    (y + np.ones(3, dtype)).backward()  # summed over what it was broadcast to
    assert y.creator.seen == (np.ndarray, (), dtype)
    assert (x.grad.dtype, x.grad) == (dtype, 16)


class Spread(Function):
    """x repeated to the shape (2, 3, 4), whose backward leaves the sum to the engine."""

    saves = ()

    def forward(self, x):
        return np.broadcast_to(x, (2, 3, 4)) * 1

    def backward(self, gy):
        return gy


@pytest.mark.parametrize(
    ("shape", "count"),
    [((3, 4), 2), ((4,), 6), ((), 24), ((3, 1), 8), ((1, 4), 6), ((1, 1, 1), 24), ((2, 1, 4), 3)],
)
def test_a_gradient_is_summed_over_leading_and_inner_axes_at_once(shape, count):
    x = Variable(np.ones(shape))
    Spread()(x).backward()
    np.testing.assert_array_equal(x.grad, np.full(shape, count))


@pytest.mark.parametrize("shape", [(4,), (2, 1, 4), (2, 3, 4)])
def test_a_summed_gradient_has_the_inputs_dtype(shape):
    class Wide(Spread):
        def forward(self, x):
            return super().forward(x).astype(np.float64)

    x = Variable(np.ones(shape, np.float32))
    Wide()(x).backward()
    assert x.grad.dtype == np.float32


def test_a_gradient_of_the_outputs_shape_is_no_broadcast_of_a_longer_input():
    class Column(Spread):
        def forward(self, x):
            return np.full((4, 1), x.sum())

    with pytest.raises(GradientError, match=r"the gradient of input 0 has shape \(4, 1\)"):
        Column()(Variable(np.ones(3))).backward()


def test_a_gradient_shorter_than_the_output_is_no_broadcast():
    class Short(Spread):
        def backward(self, gy):
            return gy[:, :2]

    x = Variable(np.ones((1, 1, 4)))
    with pytest.raises(GradientError, match=r"the gradient of input 0 has shape \(2, 2, 4\)"):
        Short()(x).backward()


def test_a_seed_is_kept_as_it_was_with_all_gradients():
    x = Variable(np.array([1.0, 2.0]))
    y = square(x)
    y.grad = np.array([1.0, 10.0])
    y.backward(retain_grad=True)
    assert (y.grad.tolist(), x.grad.tolist()) == ([1.0, 10.0], [2.0, 40.0])


def test_recorded_gradients_of_two_leaves_share_no_array():
    x, y = Variable(np.ones(2)), Variable(np.ones(2))
    add(x, y).backward(create_graph=True)
    assert not np.shares_memory(x.grad.data, y.grad.data)


def test_a_gradient_that_depends_on_nothing_is_a_constant():
    x = Variable(np.array(2.0))
    (x * 3).backward(create_graph=True)
    assert (x.grad.data, x.grad.creator, x.grad.generation) == (3.0, None, -1)


def test_inputs_and_outputs_of_what_keeps_no_arrays_are_those_that_people_hold():
    x, y = Variable(np.ones(2)), Variable(np.ones(2))
    z = add(x, y)
    assert z.creator.inputs == (x, y)
    assert z.creator.outputs == (z,)


def test_gradients_of_other_byte_order_add_up_at_results_too():
    v = Variable(np.arange(3.0).astype(">f8"))
    y = v[:2]
    (np.sum(y[:1]) + np.sum(y[1:]) + np.sum(y * y)).backward()
    np.testing.assert_array_equal(v.grad, [1.0, 3.0, 0.0])
