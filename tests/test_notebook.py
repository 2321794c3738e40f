"""The study notebook, step by step, with the numbers that its reader sees."""

import gc
import threading
import tracemalloc

import numpy as np
import pytest

import registry
from registry import Function, Variable, as_array, no_grad, numerical_diff, using_config
from registry.ops import add, exp, sin, square, tanh


class Square(Function):
    def forward(self, x):
        return x**2

    def backward(self, gy):
        x = self.input.data  # as the book writes it
        return 2 * x * gy


class Exp(Function):
    def forward(self, x):
        return np.exp(x)

    def backward(self, gy):
        (x,) = self.xs
        return np.exp(x) * gy


class Add(Function):
    def forward(self, x0, x1):
        return x0 + x1

    def backward(self, gy):
        return gy, gy


def scalar(value):
    return Variable(np.array(value))


def composition(x):
    return square(exp(square(x)))


def test_step_01_a_variable_is_a_box():
    data = np.array(1.0)
    x = Variable(data)
    assert x.data is data
    x.data = np.array(2.0)
    assert x.data == 2.0


def test_step_02_a_function_makes_a_variable():
    y = Square()(Variable(np.array(10)))
    assert isinstance(y, Variable)
    assert y.data == 100
    with pytest.raises(NotImplementedError):
        Function().forward(np.array(1.0))


def test_step_03_functions_chain():
    y = Square()(Exp()(Square()(scalar(0.5))))
    assert y.data == 1.648721270700128


def test_step_04_numerical_differentiation():
    assert numerical_diff(Square(), scalar(2.0)) == 4.000000000004
    assert numerical_diff(composition, scalar(0.5)) == pytest.approx(3.2974426293330694, rel=1e-12)


@pytest.mark.parametrize("first", [Square, Exp], ids=["self.input.data", "self.xs"])
def test_step_06_backward_by_hand(first):
    A, B, C = Square(), Exp(), Square()
    x = scalar(0.5)
    assert x.grad is None
    a = A(x)
    b = B(a)
    y = C(b)
    y.grad = np.array(1.0)
    b.grad = C.backward(y.grad)
    a.grad = B.backward(b.grad)
    x.grad = A.backward(a.grad)
    assert x.grad == 3.297442541400256
    function = first()
    function(scalar(1.0))
    assert function.backward(np.array(1.0)) == pytest.approx({Square: 2.0, Exp: np.e}[first], rel=1e-12)
    with pytest.raises(NotImplementedError):
        Function().backward(np.array(1.0))


def test_step_07_the_graph():
    A, B, C = Square(), Exp(), Square()
    x = scalar(0.5)
    a = A(x)
    b = B(a)
    y = C(b)
    assert y.creator == C
    assert y.creator.input == b
    assert y.creator.input.creator == B
    assert y.creator.input.creator.input == a
    assert y.creator.input.creator.input.creator == A
    assert y.creator.input.creator.input.creator.input == x
    assert A.output is a
    y.grad = np.array(1.0)
    y.backward()
    assert x.grad == 3.297442541400256


def test_step_07_set_creator_by_hand():
    function = Square()
    function(scalar(3.0))
    y = scalar(9.0)
    y.set_creator(function)
    assert y.creator is function
    assert y.generation == 1


def test_step_08_a_loop_instead_of_recursion():
    x = y = scalar(1.0)
    one = np.array(1.0)
    for _ in range(200_000):
        y = y + one
    y.backward()
    assert y.data == 200_001.0
    assert x.grad == 1.0


def test_step_09_helpers():
    x = scalar(0.5)
    y = square(exp(square(x)))
    y.backward()
    assert x.grad == 3.297442541400256
    assert isinstance(square(scalar(3.0)).data, np.ndarray)
    assert isinstance(as_array(np.float64(1.0)), np.ndarray)
    assert Variable(None).data is None


@pytest.mark.parametrize("data", [1, 1.0, [1.0], np.float64(1.0)], ids=lambda d: type(d).__name__)
def test_step_09_a_variable_holds_arrays_only(data):
    with pytest.raises(TypeError, match=f"^{type(data)} is not supported".replace("(", r"\(")):
        Variable(data)
    x = scalar(1.0)
    with pytest.raises(TypeError, match="is not supported"):
        x.data = data
    assert x.data == 1.0


def test_step_10_tests():
    assert square(scalar(2.0)).data == 4.0
    x = scalar(3.0)
    square(x).backward()
    assert x.grad == 6.0
    x = Variable(np.random.default_rng(0).random(1))
    square(x).backward()
    assert np.allclose(x.grad, numerical_diff(square, x))


@pytest.mark.parametrize("operator", [Add(), add], ids=["class", "helper"])
def test_step_11_and_12_variadic_forward(operator):
    assert operator(scalar(2), scalar(3)).data == 5


def test_step_11_several_outputs():
    class Both(Function):
        def forward(self, x):
            return x + 1, x * 2

        def backward(self, g0, g1):
            return g0 + 2 * g1

    x = scalar(3.0)
    y0, y1 = Both()(x)
    assert (y0.data, y1.data) == (4.0, 6.0)
    (y0 * y1).backward()
    assert x.grad == 6.0 + 2 * 4.0


def test_step_13_variadic_backward():
    x, y = scalar(2.0), scalar(3.0)
    z = add(square(x), square(y))
    z.backward()
    assert (z.data, x.grad, y.grad) == (13.0, 4.0, 6.0)


def test_step_14_one_variable_used_again():
    x = scalar(3.0)
    add(x, x).backward()
    assert x.grad == 2.0
    x.cleargrad()
    assert x.grad is None
    add(add(x, x), x).backward()
    assert x.grad == 3.0


def test_step_14_no_gradient_array_is_shared():
    x0, x1 = Variable(np.ones(3)), Variable(np.ones(3))
    y = add(x0, x1)
    y.backward(retain_grad=True)
    grads = [x0.grad, x1.grad, y.grad]
    for i, grad in enumerate(grads):
        assert grad.flags.writeable
        assert not any(np.shares_memory(grad, other) for other in grads[:i])


def test_step_15_and_16_complex_graphs():
    x = scalar(2.0)
    a = square(x)
    y = add(square(a), square(a))
    assert (x.generation, a.generation, y.generation) == (0, 1, 3)
    y.backward()
    assert (y.data, x.grad) == (32.0, 64.0)


def test_step_16_each_function_runs_its_backward_once():
    runs = []

    class Same(Function):
        def forward(self, x):
            return x.copy()

        def backward(self, gy):
            runs.append(self)
            return gy

    x = y = scalar(1.0)
    for _ in range(60):
        y = Same()(y)
        y = y + y
    y.backward()
    assert x.grad == 2.0**60
    assert len(runs) == 60


@pytest.mark.parametrize("create_graph", [False, True])
def test_step_17_memory_stays_flat_without_the_collector(create_graph):
    def work():
        x = Variable(np.ones(10_000))
        y = square(square(square(x)))
        y.backward(create_graph=create_graph)

    work()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        work()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(50):
            work()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert after - before < 10_000 * 8  # one array of the 50 x 10 or so


def test_step_18_memory_saving():
    x0, x1 = scalar(1.0), scalar(1.0)
    t = add(x0, x1)
    y = add(x0, t)
    y.backward()
    assert (y.grad, t.grad) == (None, None)
    assert (x0.grad, x1.grad) == (2.0, 1.0)
    x0.cleargrad()
    x1.cleargrad()
    y.backward(retain_grad=True)
    assert (y.grad, t.grad, x0.grad, x1.grad) == (1.0, 1.0, 2.0, 1.0)


def test_step_18_modes_are_restored_on_exceptions():
    x = scalar(2.0)
    for mode in (no_grad(), using_config("enable_backprop", False)):
        with pytest.raises(ZeroDivisionError), mode:
            assert square(x).creator is None
            raise ZeroDivisionError
        assert square(x).creator is not None


def test_step_19_ease_of_use():
    x = Variable(np.array([[1, 2, 3], [4, 5, 6]]), "x")
    assert (x.name, x.shape, x.ndim, x.size, x.dtype, len(x)) == ("x", (2, 3), 2, 6, np.int64, 2)
    assert repr(x) == "variable([[1 2 3]\n          [4 5 6]])"
    assert repr(Variable(np.array([1, 2, 3]))) == "variable([1 2 3])"
    assert repr(Variable(None)) == "variable(None)"


def test_step_20_operators():
    a, b, c = scalar(3.0), scalar(2.0), scalar(1.0)
    y = a * b + c
    y.backward()
    assert (y.data, a.grad, b.grad) == (7.0, 2.0, 3.0)


def test_step_21_mixed_operands():
    x = scalar(2.0)
    assert (x + np.array(3.0)).data == 5.0
    assert (x + 3.0).data == 5.0
    assert (3.0 * x + 1.0).data == 7.0
    y = np.array(3.0) * x
    assert isinstance(y, Variable)
    assert y.data == 6.0


@pytest.mark.parametrize(
    ("f", "value", "gradient"),
    [
        (lambda x: -x, -2.0, -1.0),
        (lambda x: 2.0 - x, 0.0, -1.0),
        (lambda x: x - 1.0, 1.0, 1.0),
        (lambda x: 3.0 / x, 1.5, -0.75),
        (lambda x: x**3, 8.0, 12.0),
        (lambda x: x**x, 4.0, 4.0 * (np.log(2.0) + 1.0)),
        (lambda x: 2**x, 4.0, 4.0 * np.log(2.0)),
    ],
    ids=["-x", "2 - x", "x - 1", "3 / x", "x ** 3", "x ** x", "2 ** x"],
)
def test_step_22_more_operators(f, value, gradient):
    x = scalar(2.0)
    y = f(x)
    y.backward()
    assert y.data == value
    assert x.grad == pytest.approx(gradient, rel=1e-15)


def test_step_23_a_package():
    x = scalar(1.0)
    y = (x + 3) ** 2
    y.backward()
    assert (y.data, x.grad) == (16.0, 8.0)


def goldstein(x, y):
    return (
        1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)
    ) * (30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2))  # fmt: skip


@pytest.mark.parametrize(
    ("f", "value", "gradients"),
    [
        (lambda x, y: x**2 + y**2, 2.0, (2.0, 2.0)),
        (
            lambda x, y: 0.26 * (x**2 + y**2) - 0.48 * x * y,
            0.040000000000000036,
            (0.040000000000000036, 0.040000000000000036),
        ),
        (goldstein, 1876.0, (-5376.0, 8064.0)),
    ],
    ids=["sphere", "matyas", "goldstein-price"],
)
def test_step_24_known_functions(f, value, gradients):
    x, y = scalar(1.0), scalar(1.0)
    z = f(x, y)
    z.backward()
    assert z.data == value
    assert (x.grad, y.grad) == gradients


def test_step_27_a_function_of_ones_own_and_a_taylor_series():
    class Sin(Function):
        def forward(self, x):
            return np.sin(x)

        def backward(self, gy):
            (x,) = self.xs
            return gy * np.cos(x)

    x = scalar(np.pi / 4)
    y = Sin()(x)
    y.backward()
    assert y.data == pytest.approx(0.7071067811865475, rel=1e-15)
    assert x.grad == pytest.approx(0.7071067811865476, rel=1e-15)

    x = scalar(np.pi / 4)
    y, i, coefficient = 0, 0, 1.0
    while True:
        t = coefficient * x ** (2 * i + 1)
        y = y + t
        if abs(t.data) < 1e-4:
            break
        i += 1
        coefficient /= -(2 * i) * (2 * i + 1)
    y.backward()
    assert y.data == pytest.approx(0.7071064695751781, rel=1e-12)
    assert x.grad == pytest.approx(0.7071032148228457, rel=1e-12)


def rosenbrock(x0, x1):
    return 100 * (x1 - x0**2) ** 2 + (x0 - 1) ** 2


def test_step_28_rosenbrock():
    x0, x1 = scalar(0.0), scalar(2.0)
    rosenbrock(x0, x1).backward()
    assert (x0.grad, x1.grad) == (-2.0, 400.0)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (1_000, (0.6837118569138317, 0.4659526837427042)),
        (10_000, (0.9944984367782456, 0.9890050527419593)),
    ],
)
def test_step_28_gradient_descent(steps, expected):
    x0, x1 = scalar(0.0), scalar(2.0)
    for _ in range(steps):
        x0.cleargrad()
        x1.cleargrad()
        rosenbrock(x0, x1).backward()
        x0.data -= 0.001 * x0.grad
        x1.data -= 0.001 * x1.grad
    assert (x0.item(), x1.item()) == pytest.approx(expected, rel=1e-12)


def test_step_29_and_33_newton():
    x = scalar(2.0)
    visited = []
    for _ in range(10):
        visited.append(x.item())
        y = x**4 - 2 * x**2
        x.cleargrad()
        y.backward(create_graph=True)
        gx = x.grad
        x.cleargrad()
        gx.backward()
        x.data -= gx.data / x.grad
    assert visited == pytest.approx(
        [2.0, 1.4545454545454546, 1.1510467893775467, 1.0253259289766978, 1.0009084519430513]
        + [1.0000012353089454, 1.000000000002289, 1.0, 1.0, 1.0],
        rel=1e-12,
    )


@pytest.mark.parametrize(("clear", "second"), [(True, 44.0), (False, 68.0)])
def test_step_33_double_backward(clear, second):
    x = scalar(2.0)
    (x**4 - 2 * x**2).backward(create_graph=True)
    gx = x.grad
    assert isinstance(gx, Variable)
    assert gx.data == 24.0
    if clear:
        x.cleargrad()
    gx.backward()
    assert x.grad == second


def derivatives(f, x, order):
    """Values of the first derivatives of f at x."""
    y = f(x)
    for _ in range(order):
        x.cleargrad()
        y.backward(create_graph=True)
        y = x.grad
        yield y.data


def test_step_34_derivatives_of_sin():
    data = np.linspace(-7, 7, 200)
    expected = np.cos(data), -np.sin(data), -np.cos(data)
    np.testing.assert_allclose(list(derivatives(sin, Variable(data), 3)), expected, rtol=1e-12, atol=1e-15)


def test_step_35_derivatives_of_tanh():
    x = scalar(1.0)
    assert tanh(x).data == pytest.approx(0.7615941559557649, rel=1e-12)
    expected = [0.41997434161402614, -0.6397000084492246, 0.6216266807712962]
    expected += [0.6650910447505024, -5.556893558473722, 13.624075441312101]
    assert list(derivatives(tanh, x, 6)) == pytest.approx(expected, rel=1e-12)


def test_step_36_a_gradient_inside_a_computation():
    x = scalar(2.0)
    y = x**2
    y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    z = gx**3 + y
    z.backward()
    assert x.grad == 100.0


def test_trap_backward_on_a_leaf_or_under_no_grad_says_why():
    with pytest.raises(registry.NotRecordedError, match="it is a leaf"):
        scalar(1.0).backward()
    with no_grad():
        y = square(scalar(1.0))
    with pytest.raises(registry.NotRecordedError, match="recording was off"):
        y.backward()


def test_trap_a_function_called_twice_keeps_both_graphs():
    f = Square()
    x0, x1 = scalar(2.0), scalar(3.0)
    y0, y1 = f(x0), f(x1)
    y0.backward()
    y1.backward()
    assert (x0.grad, x1.grad) == (4.0, 6.0)
    assert y0.creator is f
    assert y1.creator is not f


def test_trap_an_unused_or_deleted_output_is_a_zero_gradient():
    class Split(Function):
        def forward(self, x):
            return x[0], x[1:]

        def backward(self, g0, g1):
            return np.concatenate([np.reshape(g0, (1,)), g1])

    x = Variable(np.array([1.0, 2.0, 3.0]))
    _, rest = Split()(x)
    del _
    (rest * rest).backward()
    np.testing.assert_array_equal(x.grad, [0.0, 4.0, 6.0])


def test_trap_none_stops_a_gradient():
    class NoGradient(Function):
        def forward(self, x):
            return x * 1

        def backward(self, gy):
            return (None,)

    x = scalar(3.0)
    (NoGradient()(square(x)) + x).backward()
    assert x.grad == 1.0


@pytest.mark.parametrize("count", [1, 3])
def test_trap_a_wrong_number_of_gradients_is_an_error(count):
    class Wrong(Function):
        def forward(self, x0, x1):
            return x0 + x1

        def backward(self, gy):
            return (gy,) * count

    x0, x1 = scalar(1.0), scalar(2.0)
    x0.grad = np.array(7.0)
    y = Wrong()(x0, x1)
    with pytest.raises(registry.GradientError, match=rf"Wrong.*returned {count} gradients for 2 inputs"):
        y.backward()
    assert (x0.grad, x1.grad) == (7.0, None)


def test_trap_a_wrong_shape_is_an_error():
    class Wrong(Function):
        def forward(self, x):
            return x * 1

        def backward(self, gy):
            return np.ones(5)

    x = scalar(1.0)
    with pytest.raises(registry.GradientError, match=r"input 0 has shape \(5,\), but the input has \(\)"):
        Wrong()(x).backward()
    assert x.grad is None


def test_trap_numbers_as_inputs_and_matmul():
    x = scalar(2.0)
    assert add(1.0, x).data == 3.0
    a, b = Variable(np.ones((2, 3))), Variable(np.full((3, 1), 2.0))
    y = a @ b
    y.backward()
    np.testing.assert_array_equal(y.data, [[6.0], [6.0]])
    np.testing.assert_array_equal(a.grad, np.full((2, 3), 2.0))
    np.testing.assert_array_equal(b.grad, np.full((3, 1), 2.0))


def test_trap_float32_stays_float32():
    x = Variable(np.ones(3, np.float32))
    y = 2.0 * (x + 1.0) ** 2 - 1
    y.backward()
    assert (y.dtype, x.grad.dtype) == (np.float32, np.float32)


def test_trap_no_grad_is_not_seen_by_other_threads():
    recorded = []
    with no_grad():
        thread = threading.Thread(target=lambda: recorded.append(square(scalar(1.0)).creator))
        thread.start()
        thread.join()
        assert square(scalar(1.0)).creator is None
    assert recorded[0] is not None


def test_trap_an_array_kept_by_forward_is_no_silent_constant():
    class Keeps(Function):
        def forward(self, x):
            self.y = np.exp(x)
            return self.y

        def backward(self, gy):
            return gy * self.y

    x = scalar(1.0)
    y = Keeps()(x)
    y.backward()
    assert x.grad == pytest.approx(np.e, rel=1e-12)
    with pytest.raises(registry.HigherOrderError, match=r"Keeps.*reads self\.y"):
        y.backward(create_graph=True)


def test_trap_an_array_overwritten_after_forward_is_an_error():
    x = Variable(np.array([1.0, 2.0]))
    with registry.guard():
        y = square(x)
        x.data[0] = 5.0
        with pytest.raises(registry.OverwrittenError, match=r"input 0 of operator 'square'"):
            y.backward()
    assert x.grad is None
