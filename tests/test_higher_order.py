"""Higher derivatives: right where backward allows them, an error where they would be wrong."""

import math
import re

import numpy as np
import pytest

import registry
from registry import Function, HigherOrderError, Variable, ops


def grad(y, x):
    """Give dy/dx, recorded, and leave no trace on x."""
    x.cleargrad()
    y.backward(create_graph=True)
    g, x.grad = x.grad, None
    return g


def derivatives(function, at, order):
    """Give the values of the first derivatives of a function of one number."""
    x = Variable(np.array(at))
    y, found = function(x), []
    for _ in range(order):
        y = grad(y, x)
        found.append(y.item())
    return found


class Cube(Function):
    """What the operators below share; their backward differs."""

    def forward(self, x):
        return x**3


class BookStyle(Cube):
    def backward(self, gy):
        return 3 * self.input.data**2 * gy


class TakesItem(Cube):
    def backward(self, gy):
        return 3 * self.xs[0].item() ** 2 * gy


class TakesOutputData(Cube):
    def backward(self, gy):
        return 3 * self.output.data / self.xs[0] * gy


class TakesGradientItem(Cube):
    def backward(self, gy):
        return 3 * self.xs[0] ** 2 * gy.item()


class Compares(Cube):
    def backward(self, gy):
        return 3 * self.xs[0] ** 2 * gy if self.xs[0] != self.ys[0] else gy


class Converts(Cube):
    def backward(self, gy):
        return 3 * np.asarray(self.xs[0]) ** 2 * gy


class WritesInPlace(Cube):
    def backward(self, gy):
        gx = np.zeros_like(self.xs[0])
        gx += 3 * self.xs[0] ** 2 * gy
        return gx


LEAVING = {
    BookStyle: r"BookStyle.*reads '\.data' of a Variable.*once_differentiable",
    TakesOutputData: r"reads '\.data'",
    TakesItem: r"reads '\.data'",
    TakesGradientItem: r"reads '\.data'",
    Compares: r"'==' of Variables compares identity.*np\.equal",
    Converts: "would lose its gradient",
    WritesInPlace: "takes no out=",
}


@pytest.mark.parametrize(
    "of",
    [
        registry.plain, lambda x: registry.plain([x])[0], lambda x: registry.plain({"x": (1, x)})["x"][1],
        lambda x: registry.plain(slice(x)).stop, lambda x: np.array(x.tolist()), lambda x: float(f"{x:.17g}"),
    ],
)  # fmt: skip
def test_plain_values_of_what_backward_gets_serve_the_first_derivative_only(of):
    class Plain(Cube):
        def backward(self, gy):
            return gy * 3 * of(self.xs[0]) ** 2

    x = Variable(np.array(2.0))
    with pytest.raises(HigherOrderError, match=r"Plain.*which is a constant to the second derivative"):
        Plain()(x).backward(create_graph=True)


def test_plain_masks_and_indices_and_constant_functions_are_no_error_in_backward():
    class Largest(Function):
        def forward(self, x, places):
            return x[places] ** 3

        def backward(self, gy):
            x, places = self.xs
            assert registry.plain(places) == 1
            return 3 * (np.arange(3) == np.argmax(x)) * x**2 * gy, None

    x = Variable(np.array([1.0, 3.0, 2.0]))
    Largest()(x, Variable(np.array(1))).backward(create_graph=True)
    g = x.grad
    x.cleargrad()
    g.backward()
    np.testing.assert_array_equal(x.grad, [0.0, 18.0, 0.0])


ADVISED = {
    "an array": np.asarray, "a number": float, "the math module": math.sin, "a method": lambda x: x.tobytes(),
    "an unknown ufunc": np.frompyfunc(math.erf, 1, 1), "a refused function": np.histogram,
}  # fmt: skip


@pytest.mark.parametrize("call", ADVISED.values(), ids=ADVISED)
def test_no_message_in_a_recorded_backward_advises_what_is_an_error_there(call):
    class Calls(Cube):
        def backward(self, gy):
            call(self.xs[0])

    x = Variable(np.array(2.0))
    with pytest.raises((registry.RegistryError, AttributeError)) as inside:
        Calls()(x).backward(create_graph=True)
    assert re.search("call .*, or declare once_differentiable = True", str(inside.value))
    with pytest.raises((registry.RegistryError, AttributeError), match=r"\.(data|item)") as outside:
        call(x)
    assert not re.search(r"\.(data|item)", str(inside.value))
    assert "once_differentiable" not in str(outside.value)


@pytest.mark.parametrize("operator", LEAVING)
def test_backward_that_leaves_the_recorded_computation_serves_the_first_derivative_only(operator):
    x = Variable(np.array(2.0))
    operator()(x).backward()
    assert x.grad == 12
    x.cleargrad()
    with pytest.raises((HigherOrderError, TypeError), match=LEAVING[operator]):
        operator()(x).backward(create_graph=True)
    assert x.grad is None


def test_copies_of_what_backward_gets_are_differentiated():
    class Copies(Cube):
        def backward(self, gy):
            return 3 * self.xs[0].copy() * self.xs[0] * gy.copy()

    assert derivatives(Copies(), 2.0, 2) == [12.0, 12.0]


def test_a_plain_pass_inside_a_recorded_backward_may_read_data():
    class Doubled(Cube):
        def backward(self, gy):
            return self.input.data * 2

    class Inner(Cube):
        def backward(self, gy):
            v = Variable(np.array(3.0))
            Doubled()(v).backward()
            return gy * v.grad

    x = Variable(np.array(1.0))
    assert grad(Inner()(x), x).item() == 6.0


def test_once_differentiable_operator_has_a_first_derivative_and_refuses_a_second():
    class Once(BookStyle):
        once_differentiable = True

    x = Variable(np.array(2.0))
    Once()(x).backward()
    assert x.grad == 12
    with pytest.raises(HigherOrderError, match=r"Once.*is declared once_differentiable"):
        Once()(x).backward(create_graph=True)


def test_second_derivative_flows_through_the_outputs():
    class Exponential(Function):
        def forward(self, x):
            return np.exp(x)

        def backward(self, gy):
            return gy * self.ys[0]

    class SquareRoot(Function):
        def forward(self, x):
            return np.sqrt(x)

        def backward(self, gy):
            return gy / (2 * self.output)

    np.testing.assert_allclose(derivatives(Exponential(), 0.5, 4), [np.exp(0.5)] * 4)
    np.testing.assert_allclose(derivatives(SquareRoot(), 4.0, 3), [1 / 4, -1 / 32, 3 / 256])


TANH_AT_1 = [
    0.41997434161402614, -0.6397000084492246, 0.6216266807712962,
    0.6650910447505024, -5.556893558473722, 13.624075441312101,
]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "at", "expected"),
    [
        (np.tanh, 1.0, TANH_AT_1),
        (np.sin, 0.7, [math.sin(0.7 + n * math.pi / 2) for n in range(1, 7)]),
        (np.cos, 0.7, [math.cos(0.7 + n * math.pi / 2) for n in range(1, 7)]),
        (np.exp, 0.3, [math.exp(0.3)] * 6),
        (np.log, 2.0, [1 / 2, -1 / 4, 2 / 8, -6 / 16, 24 / 32, -120 / 64]),
        (np.log1p, 1.0, [1 / 2, -1 / 4, 2 / 8, -6 / 16, 24 / 32, -120 / 64]),
        (lambda x: x**4, 1.5, [4 * 1.5**3, 12 * 1.5**2, 24 * 1.5, 24, 0, 0]),
        (lambda x: 1 / x, 2.0, [-1 / 4, 2 / 8, -6 / 16, 24 / 32, -120 / 64, 720 / 128]),
        (lambda x: 2**x, 3.0, [8 * math.log(2) ** n for n in range(1, 7)]),
        (lambda x: x * np.square(x), -1.5, [3 * 1.5**2, 6 * -1.5, 6]),
    ],
)  # fmt: skip
def test_derivatives_up_to_the_sixth_are_exact(function, at, expected):
    np.testing.assert_allclose(derivatives(function, at, len(expected)), expected, rtol=1e-10, atol=1e-10)


def test_hessian_of_a_function_of_two_variables_is_symmetric_and_right():
    x, y = Variable(np.array(1.5)), Variable(np.array(-0.5))
    f = np.exp(x * y) + x**3 * y**2 / (1 + y**2)
    a, b, e = 1.5, -0.5, math.exp(-0.75)
    q = b**2 / (1 + b**2)
    q1, q2 = 2 * b / (1 + b**2) ** 2, (2 - 6 * b**2) / (1 + b**2) ** 3
    expected = [[b * b * e + 6 * a * q, e * (1 + a * b) + 3 * a**2 * q1], [0, a * a * e + a**3 * q2]]
    expected[1][0] = expected[0][1]
    found = [[grad(grad(f, first), second).item() for second in (x, y)] for first in (x, y)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


W = np.array([[1.0, -2.0, 0.5], [0.3, 1.2, -0.7]])


def _of_a_quotient(a, b, _):
    return [[0, -1 / b**2, 0], [-1 / b**2, 2 * a / b**3, 0], [0, 0, 0]]


def _of_a_norm(x):
    return (np.eye(3) - np.outer(x, x) / (x @ x)) / np.sqrt(x @ x)


FORMULAS = {
    "broadcasting": (lambda x: (x[:, None] * x * W[0]).sum(), lambda x: W[0] + W[0][:, None]),
    "matmul": (lambda x: (x @ (W.T @ W)) @ x, lambda x: 2 * W.T @ W),
    "repeated indices": (lambda x: (x[[0, 0, 2]] ** 3).sum(), lambda x: np.diag([12 * x[0], 0, 6 * x[2]])),
    "where": (lambda x: np.where(x > 0, x**3, x**2).sum(), lambda x: np.diag(np.where(x > 0, 6 * x, 2))),
    "max": (lambda x: np.max(x) ** 3, lambda x: np.diag((x == x.max()) * 6 * x)),
    "maximum": (lambda x: np.maximum(x, 0.0).sum() ** 2, lambda x: 2 * np.outer(x > 0, x > 0)),
    "mean": (lambda x: np.mean(x) ** 2, lambda x: np.full((3, 3), 2 / 9)),
    "outer": (lambda x: (x.reshape(3, 1) @ np.expand_dims(x, 0)).T.sum(), lambda x: np.full((3, 3), 2.0)),
    "joined": (lambda x: (np.concatenate([x, x[::-1]]) ** 2).sum(), lambda x: 4 * np.eye(3)),
    "quotient": (lambda x: x[0] / x[1], lambda x: _of_a_quotient(*x)),
    "norm": (lambda x: np.sqrt((x * x).sum()), _of_a_norm),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_hessian_equals_its_formula(name):
    function, formula = FORMULAS[name]
    x = Variable(np.array([1.5, -0.5, 2.0]))
    g = grad(function(x), x)
    hessian = [grad(g[i], x).data for i in range(3)]
    np.testing.assert_allclose(hessian, formula(x.data), atol=1e-12)


class PowersOfIt(Function):
    """x ** 2 and x ** 3, two outputs."""

    def forward(self, x):
        return x**2, x**3

    def backward(self, g2, g3):
        x = self.xs[0]
        return 2 * x * g2 + 3 * x**2 * g3


@pytest.mark.parametrize(("used", "first", "second"), [(0, 4.0, 2.0), (1, 12.0, 12.0)])
def test_unused_output_counts_as_zero_in_both_derivatives(used, first, second):
    x = Variable(np.array(2.0))
    g = grad(PowersOfIt()(x)[used], x)
    assert (g.item(), grad(g, x).item()) == (first, second)


def test_outputs_that_are_both_used_are_added_in_both_derivatives():
    x = Variable(np.array(2.0))
    square, cube = PowersOfIt()(x)
    g = grad(square * cube, x)
    assert (g.item(), grad(g, x).item()) == (5 * 2.0**4, 20 * 2.0**3)


def test_an_output_that_its_own_backward_reads_is_added_to_its_other_uses():
    class GrowthAndSquare(Function):
        def forward(self, x):
            return np.exp(x), x**2

        def backward(self, growth, square):
            return growth * self.ys[0] + 2 * square * self.xs[0]

    x = Variable(np.array(0.5))
    growth, square = GrowthAndSquare()(x)
    g = grad(growth * growth * square, x)  # exp(2 x) x ** 2
    np.testing.assert_allclose(g.item(), np.exp(1.0) * 1.5)  # exp(2 x) (2 x ** 2 + 2 x)
    np.testing.assert_allclose(grad(g, x).item(), np.exp(1.0) * 7)  # exp(2 x) (4 x ** 2 + 8 x + 2)


def test_gradient_penalty_has_the_gradients_of_its_formula():
    x = Variable(np.array([1.0, 2.0, -1.0]))
    w, b = Variable(np.array([0.5, -0.3, 0.2])), Variable(np.array(0.1))
    g = grad(np.tanh(x @ w + b), x)
    for v in (x, w, b):
        v.cleargrad()
    ((np.sqrt((g * g).sum()) - 1) ** 2).backward()
    t = np.tanh(x.data @ w.data + b.data)
    slope, length = 1 - t**2, np.linalg.norm(w.data)
    by_slope, by_length = 2 * (slope * length - 1) * length, 2 * (slope * length - 1) * slope
    by_sum = by_slope * -2 * t * slope
    np.testing.assert_allclose(b.grad, by_sum)
    np.testing.assert_allclose(x.grad, by_sum * w.data)
    np.testing.assert_allclose(w.grad, by_sum * x.data + by_length * w.data / length)


@pytest.mark.parametrize(
    "function", [lambda x: x * 3, lambda x: x + 1, lambda x: +x, lambda x: x.sum(), np.sin]
)
def test_gradient_is_differentiable_by_its_seed(function):
    x = Variable(np.array([0.5, 1.5]))
    y = function(x)
    seed = y.grad = Variable(np.full(y.shape, 2.0))
    y.backward(create_graph=True)
    directions = np.array([1.0, 10.0])
    (x.grad * directions).sum().backward()
    h = 1e-6
    after, before = (function(x.data + s * h * directions) for s in (1, -1))
    np.testing.assert_allclose(seed.grad, (after - before) / (2 * h), rtol=1e-6)


def test_first_pass_after_a_recorded_one_is_not_recorded():
    x = Variable(np.array([1.0, 2.0]))
    g = grad((x**3).sum(), x)
    g.backward()
    assert type(x.grad) is np.ndarray
    np.testing.assert_array_equal(x.grad, [6, 12])


def test_recorded_gradients_add_up_over_passes():
    x = Variable(np.array(2.0))
    for _ in range(2):
        (x**3).backward(create_graph=True)
    assert x.grad.item() == 24
    assert grad(x.grad, x).item() == 24


def test_composition_of_many_operators_has_the_second_derivative_of_finite_differences():
    def function(x):
        z = np.stack([np.sin(x), np.clip(x, -1, 1) * x, ops.where(x > 0, np.exp(-x), x * x)])
        return (np.max(z @ (W.T @ W), axis=0) * np.mean(z, axis=0)).sum()

    array = np.array([0.4, -0.6, 1.7])
    x = Variable(array)
    g = grad(function(x), x)
    found = [grad(g[i], x).data for i in range(3)]
    expected = []
    for step in 1e-6 * np.eye(3):
        after, before = (grad(function(v), v).data for v in (Variable(array + step), Variable(array - step)))
        expected.append((after - before) / 2e-6)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_a_plain_array_from_a_recorded_backward_is_a_constant():
    class Halfway(Function):
        def forward(self, x):
            return 2.0 * x

        def backward(self, gy):
            return np.full(3, 2.0)

    x = Variable(np.ones(3))
    Halfway()(x).backward(create_graph=True)
    np.testing.assert_array_equal(x.grad.data, [2.0, 2.0, 2.0])
    assert x.grad.creator is None


class Scaled(Function):
    """A number and an array that `__init__` stored do not depend on the input."""

    saves = ("xs",)

    def __init__(self, factor, weights):
        self.factor = factor
        self.weights = weights

    def forward(self, x):
        return self.factor * self.weights * x**2

    def backward(self, gy):
        (x,) = self.xs
        return gy * self.factor * self.weights * 2 * x


def test_floats_that_init_stored_may_be_read_in_a_recorded_backward():
    x = Variable(np.array([1.0, 2.0]))
    Scaled(1.5, np.array([1.0, 3.0]))(x).backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    gx.backward()
    assert (gx.data.tolist(), x.grad.tolist()) == ([3.0, 18.0], [3.0, 9.0])


def test_floats_that_forward_stored_under_a_name_of_init_may_not():
    class Overwriting(Scaled):
        def forward(self, x):
            self.weights = self.weights * x
            return self.factor * self.weights

    x = Variable(np.array([1.0, 2.0]))
    with pytest.raises(HigherOrderError, match=r"reads self\.weights, which 'forward' stored"):
        Overwriting(1.5, np.array([1.0, 3.0]))(x).backward(create_graph=True)
