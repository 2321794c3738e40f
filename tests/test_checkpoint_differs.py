"""A checkpoint that does not compute the same again is an error, also where its result is equal."""

import copy
import functools
import threading
from collections import deque
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

import registry
from registry import Function, GradientError, Variable, checkpoint, grad, hessian

ZERO = np.zeros(6)


class Dropout(Function):
    """x * mask, with a mask of `forward`'s own."""

    saves = ()
    constants = ("mask",)

    def __init__(self, rng):
        self.rng = rng

    def forward(self, x):
        self.mask = (self.rng.random(x.shape) > 0.5) * 2.0
        return x * self.mask

    def backward(self, gy):
        return gy * self.mask


def by_constant(x, rng):
    return x * (rng.random(6) > 0.5)


def by_operator(x, rng):
    return Dropout(rng)(x)


def by_index(x, rng):
    return np.concatenate([x, x])[rng.integers(12, size=6)]


def by_shift(x, rng):
    return x * np.sin(x + rng.random(6))  # an addition keeps nothing, but sin keeps its result


def by_branch(x, rng):
    return [np.sin, np.tan, np.sinh, np.tanh, np.arctan, np.expm1, np.log1p][rng.integers(7)](x)


def by_exponent(x, rng):
    return x ** rng.integers(2, 1000)


def by_another_input(x, rng):
    return x * (x * 1, x * 2, x * 3)[rng.integers(3)]


def by_shape(x, rng):
    return np.reshape(np.reshape(x, (int(rng.integers(1, 3)), -1)), (6,))


def by_condition(x, rng):
    return np.where(rng.random(6) > 0.5, x, -x)


def within(x, rng):
    return checkpoint(lambda y: y * (rng.random(6) > 0.5))(x)


def through_data(x, rng):
    return x * Variable(rng.random(6))


def by_slice(x, rng):
    k = rng.integers(6)
    return x[k : k + 1]


def by_slice_after_an_ellipsis(x, rng):
    k = rng.integers(6)
    return x[..., k : k + 1]


def by_slice_of_rows(x, rng):
    k = rng.integers(3)
    return np.reshape(x, (3, 2))[k : k + 1]


@dataclass(frozen=True)
class Fixed:
    slope: object


class Attributes:
    __slots__ = ("slope",)


class Keeps(Function):
    """0 where x is 0, with a slope that it keeps in some object."""

    saves = ()
    constants = ("kept", "slope")

    def __init__(self, kept, slope):
        self.kept, self.slope = kept, slope

    def forward(self, x):
        return x * self.slope(self.kept)

    def backward(self, gy):
        return gy * self.slope(self.kept)


def by_set(x, rng):
    return Keeps({"kept", int(rng.integers(9))}, lambda kept: sum(k for k in kept if k != "kept"))(x)


def by_bytes(x, rng):
    return Keeps(rng.bytes(1), lambda kept: kept[0])(x)


def by_dataclass(x, rng):
    return Keeps({"kept": deque([Fixed(rng.random(6))])}, lambda kept: kept["kept"][0].slope)(x)


def by_attribute(x, rng):
    kept = Attributes()
    kept.slope = rng.random(6)
    return Keeps(kept, lambda kept: kept.slope)(x)


def by_closure(x, rng):
    slope = rng.random(6)
    return Keeps(None, lambda kept: slope)(x)


def by_partial(x, rng):
    return Keeps(None, functools.partial(lambda slope, kept: slope, rng.random(6)))(x)


def by_method(x, rng):
    return Keeps(0, (rng.random(6) + np.arange(6)).__getitem__)(x)


def by_generator(x, rng):
    """An operator that draws its slope again, from a copy of the generator."""
    return Keeps(copy.deepcopy(rng), lambda kept: copy.deepcopy(kept).random(6))(x + 0 * rng.random(6))


def by_objects(x, rng):
    return Keeps(np.array([Fixed(rng.random(6))], object), lambda kept: kept[0].slope)(x)


def by_namespace(x, rng):
    return Keeps(SimpleNamespace(slope=rng.random(6)), lambda kept: kept.slope)(x)


HIDDEN = [by_constant, by_operator, by_index, by_shift, by_branch, by_exponent, by_another_input, by_shape,
          by_condition, within, through_data, by_slice, by_slice_after_an_ellipsis, by_slice_of_rows, by_set,
          by_bytes, by_dataclass, by_attribute, by_closure, by_partial, by_method, by_generator,
          by_objects, by_namespace]  # fmt: skip


@pytest.mark.parametrize("change", HIDDEN)
class TestEqualResults:
    @pytest.mark.parametrize("create_graph", [False, True])
    def test_of_another_gradient_are_refused(self, change, create_graph):
        rng, x = np.random.default_rng(3), Variable(ZERO)
        with pytest.raises(
            GradientError, match=r"checkpoint of .*: called again .*, it came to the same result"
        ):
            for _ in range(20):  # a draw of small numbers may repeat
                np.sum(checkpoint(lambda x: change(x, rng))(x)).backward(create_graph=create_graph)
                x.grad = None

    def test_of_the_same_draw_are_right(self, change):
        if change is within:
            pytest.skip("its own checkpoint draws from what is made outside of it")

        def f(x):
            return change(x + 0.3, np.random.default_rng(3))

        plain = lambda x: np.sum(f(x) ** 2)  # noqa: E731
        twice = checkpoint(lambda x: checkpoint(f)(x * 1))
        for block in (checkpoint(f), twice):
            kept_less = lambda x: np.sum(block(x) ** 2)  # noqa: E731, B023
            np.testing.assert_array_equal(grad(kept_less)(ZERO), grad(plain)(ZERO))
            if change is not by_operator:  # whose mask is a constant of this call alone
                np.testing.assert_allclose(hessian(kept_less)(ZERO), hessian(plain)(ZERO))


def test_an_object_that_shows_no_state_is_the_same_only_if_it_is_the_very_object():
    lock, x = threading.Lock(), Variable(ZERO)
    np.sum(checkpoint(lambda x: Keeps(lock, lambda kept: 2.0)(x))(x)).backward()
    np.testing.assert_array_equal(x.grad, ZERO + 2)
    for made in (threading.Lock, object):
        y = checkpoint(lambda x: Keeps(made(), lambda kept: 2.0)(x))(x)  # noqa: B023
        with pytest.raises(GradientError, match="it came to the same result another way"):
            np.sum(y).backward()


def test_a_generator_that_moved_on_is_the_same_one():
    rng, x = np.random.default_rng(0), Variable(ZERO)
    y = checkpoint(lambda x: Keeps(rng, lambda kept: 2.0)(x))(x)
    rng.random()
    np.sum(y).backward()
    np.testing.assert_array_equal(x.grad, ZERO + 2)


def test_another_of_two_equal_arguments_is_refused():
    calls = []

    def f(a, b):
        calls.append(None)
        return -(b if len(calls) > 1 else a)

    a, b = Variable(ZERO), Variable(ZERO)
    with pytest.raises(GradientError, match="it came to the same result another way"):
        np.sum(checkpoint(f)(a, b)).backward()
    assert (a.grad, b.grad) == (None, None)


def test_the_smallest_elements_count_as_much_as_the_largest():
    rng = np.random.default_rng(0)
    x = Variable(np.array([1.0, 2.0]))
    y = checkpoint(lambda x: np.stack([x[0] * 1e10, rng.random() * x[1]]))(x)
    with pytest.raises(GradientError, match="it gave another result"):
        np.sum(y).backward()


class TestParameters:
    def test_data_bound_anew_are_refused(self):
        w, x = Variable(np.ones(3)), Variable(np.zeros(3))
        y = checkpoint(lambda x: x * w)(x)
        w.data = np.ones(3) * 7
        with pytest.raises(
            GradientError, match=r"it would read a Variable whose '\.data' was bound to another"
        ):
            np.sum(y).backward()
        assert w.grad is None

    def test_steps_between_passes_are_not(self):
        w = Variable(np.ones(3))
        for _ in range(3):
            np.sum(checkpoint(lambda x: (x * w) ** 2)(np.ones(3))).backward()
            w.data = w.data - 0.25 * w.grad
            w.cleargrad()
        np.testing.assert_array_equal(w.data, np.full(3, 0.125))


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.clongdouble, np.complex128])
def test_numbers_of_every_kind_repeat(dtype):
    x = Variable((np.arange(5) / 4).astype(dtype))
    y = checkpoint(lambda x: np.real(np.exp(np.sin(x).T[::-1]) * np.ones(5, dtype)))(x)
    np.sum(y).backward()
    slope = np.exp(np.sin(x.data)) * np.cos(x.data)
    np.testing.assert_allclose(x.grad, slope, rtol=1e-2 if dtype is np.float16 else 1e-15)


def test_nan_repeats():
    with np.errstate(invalid="ignore"):
        gradient = grad(lambda x: np.sum(checkpoint(np.log)(x)))(np.array([-1.0, 2.0]))
    np.testing.assert_array_equal(gradient, [-1, 0.5])


@pytest.mark.parametrize("kind", [float, np.float32])
def test_bits_repeat_through_blas_and_without_it(kind):
    """A sample of what was tried 20,000 times, in docs/reliability.md."""
    rng = np.random.default_rng(0)

    def f(a):
        b = (a * 1.5) @ (a + 1) / len(a) + 3 * np.eye(len(a), dtype=kind)
        return np.sum(np.linalg.solve(b, np.sin(a))) + np.sum(np.linalg.svd(b, compute_uv=False)) + np.var(b)

    for n in (1, 2, 3, 7, 16, 33, 64):
        a = rng.normal(size=(n, n)).astype(kind)
        kept = [np.empty(int(size), np.uint8) for size in rng.integers(1, 5000, size=9)]  # what shifts arrays
        np.testing.assert_array_equal(grad(checkpoint(f))(a), grad(f)(a))
        del kept


def test_compiled_and_guarded_ones_are_right():
    f = lambda x: np.sum(checkpoint(lambda y: np.exp(y) * np.sin(y) @ np.ones(6))(x))  # noqa: E731
    x = np.linspace(0, 1, 6)
    expected = np.exp(x) * (np.sin(x) + np.cos(x))
    np.testing.assert_allclose(registry.compile(grad(f))(x), expected)
    with registry.guard():
        np.testing.assert_allclose(grad(f)(x), expected)
