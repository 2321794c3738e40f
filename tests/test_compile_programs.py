"""Random programs, compiled and not: values, gradients and products with Hessians agree."""

import numpy as np
import pytest

import registry
from registry import compile as compiled
from registry import grad, hvp, value_and_grad
from registry.compiler import buffers, groups

pytestmark = pytest.mark.usefixtures("plans_do_not_fail")
UNARY = (
    np.sin, np.tanh, np.square, np.abs, np.negative, np.sort, lambda x: np.cumsum(x, 0), lambda x: x.T,
    lambda x: x[::-1], lambda x: np.exp(-np.abs(x)), lambda x: np.log1p(x * x), lambda x: x**2,
    lambda x: x**3, lambda x: np.where(x > 0, x, 0.5 * x), lambda x: 1 / (1 + x**2),
    lambda x: np.clip(x, -1, 1),
    lambda x: np.expand_dims(x * 1, 0)[0], lambda x: x * 1 + 0, lambda x: x - np.max(x),
    lambda x: x - np.mean(x, axis=0),
    lambda x: np.sum(x, axis=-1, keepdims=True) + x, lambda x: np.reshape(np.ravel(x), np.shape(x)),
    lambda x: np.astype(np.astype(x, np.float32), np.float64),
)  # fmt: skip
BINARY = (
    np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.hypot, lambda a, b: a / (2 + np.abs(b)),
    lambda a, b: np.where(a > b, a, -b), lambda a, b: np.matmul(a, b) / 4, lambda a, b: a + b[0],
    lambda a, b: a * b[:, :1], lambda a, b: np.concatenate([a[1:], b[:1]]), lambda a, b: a * np.sum(b),
)  # fmt: skip


def program(seed, steps=12):
    """Make a function of two square matrices; each value may be used again, or by nobody."""

    def f(a, b):
        rng = np.random.default_rng(seed)
        values = [a, b]
        for _ in range(steps):
            i, j = rng.integers(len(values), size=2)
            if rng.random() < 0.5:
                y = UNARY[rng.integers(len(UNARY))](values[i])
            else:
                y = BINARY[rng.integers(len(BINARY))](values[i], values[j])
            values.append(y / (1 + np.mean(np.abs(y))))  # stays of size 1
        return np.sum(values[-1] * values[-2]) + np.mean(values[-3]) * np.sum(np.sin(values[2]))

    return f


def agree(f, *calls):
    c = compiled(f)
    for args in calls:
        for _ in range(2):
            given = [x.copy() if isinstance(x, np.ndarray) else x for x in args]
            found, expected = c(*args), f(*args)
            np.testing.assert_equal(list(args), given)
            for a, b in zip(
                registry.structures.leaves(found), registry.structures.leaves(expected), strict=True
            ):
                assert type(a) is type(b)
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11 * (1 + np.max(np.abs(b))))


def arguments(size, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(size, size)), rng.normal(size=(size, size))


@pytest.mark.parametrize("seed", range(60))
def test_values_and_gradients(seed, monkeypatch):
    """With arrays of any size taken again, as large ones are."""
    monkeypatch.setattr(buffers, "REUSED", 1)
    agree(value_and_grad(program(seed), (0, 1)), arguments(3, seed), arguments(3, seed + 1))


@pytest.mark.parametrize("seed", range(20))
def test_products_with_hessians(seed):
    (a, b), (v, _) = arguments(3, seed), arguments(3, seed + 1)
    f = program(seed, steps=6)
    agree(hvp(lambda x, b: f(x, b)), (a, b, v), (b, a, v))


@pytest.mark.parametrize("seed", range(60))
def test_block_by_block(seed, monkeypatch):
    """As large arrays are computed, with small ones, in blocks of a few rows or elements."""
    monkeypatch.setattr(groups, "LARGE", 16)
    monkeypatch.setattr(groups, "WORTH", 0)
    monkeypatch.setattr("registry.compiler.blocks.BLOCK", 8 * 7)
    monkeypatch.setattr("registry.compiler.blocks.SHARED", seed % 2 * 1000)
    agree(value_and_grad(program(seed), (0, 1)), arguments(5, seed), arguments(5, seed + 1))


@pytest.mark.parametrize("seed", range(10))
def test_of_single_numbers(seed):
    one = lambda a: lambda x: program(seed, steps=4)(np.reshape(x, (1, 1)), a)  # noqa: E731
    agree(grad(one(np.ones((1, 1)))), (np.array(0.3),), (np.array(-0.8),), (0.4,))
