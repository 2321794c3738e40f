"""What functions of functions hand out is the caller's: no later pass reads it, no argument shares it."""

import numpy as np
import pytest

import registry
from registry import Variable, elementwise_grad, grad, hvp, jacobian, jvp, value_and_grad, vjp

CONSTANT = np.array([2.0, 3.0])
PARTS = {
    "argument": lambda x: x,
    "view": lambda x: x[:1],
    "reversed": lambda x: np.reshape(x, (2, 1)),
    "result": lambda x: np.exp(x),
    "constant": lambda x: CONSTANT,
    "number in an array": lambda x: FIXED,
}
FIXED = np.array(5.0)


def arrays_of(tree):
    if isinstance(tree, np.ndarray):
        return [tree]
    branches = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, tuple | list) else ()
    return [array for branch in branches for array in arrays_of(branch)]


def spoil(tree):
    for array in arrays_of(tree):
        array[...] = np.nan


@pytest.fixture
def x():
    x = np.array([0.5, 1.0])
    yield x
    np.testing.assert_array_equal(x, [0.5, 1.0])
    np.testing.assert_array_equal(CONSTANT, [2.0, 3.0])
    assert FIXED == 5.0


@pytest.mark.parametrize("part", PARTS)
class TestValues:
    def test_of_vjp(self, part, x):
        value, pull_back = vjp(lambda x: {"part": PARTS[part](x), "exp": np.exp(x) * CONSTANT}, x)
        seed = {"part": np.ones_like(value["part"]), "exp": np.ones(2)}
        (before,) = pull_back(seed)
        spoil(value)
        (after,) = pull_back(seed)
        np.testing.assert_array_equal(after, before)
        np.testing.assert_allclose(before - np.exp(x) * CONSTANT, pulled(part, x))

    def test_of_jvp(self, part, x):
        way = np.array([1.0, -1.0])
        spoil(jvp(PARTS[part], (x,), (way,)))
        np.testing.assert_array_equal(way, [1.0, -1.0])

    @pytest.mark.parametrize("compiled", [False, True])
    def test_of_value_and_grad(self, part, x, compiled):
        f = value_and_grad(lambda x: (np.sum(x**2), [PARTS[part](x)]), has_aux=True)
        f = registry.compile(f) if compiled else f
        for _ in range(3):
            (value, aux), gradient = f(x)
            np.testing.assert_array_equal(aux[0], PARTS[part](x), strict=True)
            assert (value, gradient.tolist()) == (1.25, [1.0, 2.0])
            spoil((aux, gradient))

    def test_of_aux(self, part, x):
        spoil(grad(lambda x: (np.sum(x), PARTS[part](x)), has_aux=True)(x))


def pulled(part, x):
    """What the part adds to the gradient of the sum, by its derivative."""
    return {"argument": [1, 1], "view": [1, 0], "reversed": [1, 1], "result": np.exp(x)}.get(part, [0, 0])


def test_seeds_vectors_and_points_stay_the_callers(x):
    v = np.array([3.0, 4.0])
    value, pull_back = vjp(lambda x: x, x)
    results = [
        pull_back(v),
        jacobian(lambda x: x)(x),
        hvp(lambda x: np.sum(x**2) / 2)(x, v),
        elementwise_grad(lambda x: x)(x),
        jvp(lambda x: (x, x), (x,), (v,)),
    ]
    spoil((value, results))
    np.testing.assert_array_equal(v, [3.0, 4.0])
    first, second = jvp(lambda x: (x, x), (x,), (v,))[1]
    assert not np.shares_memory(first, second)


def test_values_of_what_is_differentiated_further_stay_variables(x):
    def f(x):
        value, pull_back = vjp(np.exp, x)
        assert isinstance(value, Variable)
        return np.sum(value * pull_back(np.ones(2))[0])

    np.testing.assert_allclose(grad(f)(x), 2 * np.exp(2 * x))


def test_numbers_and_objects_pass_through_as_they_are(x):
    kept = object()
    (value, aux), _ = value_and_grad(lambda x: (np.sum(x), (kept, "text", 3, np.sum(x))), has_aux=True)(x)
    assert (aux[0], aux[1:3], type(aux[3]), type(value)) == (kept, ("text", 3), np.float64, np.float64)


def test_the_vector_of_hvp_stands_after_the_arguments_where_scipy_has_it_second(x):
    f = lambda x, p: np.sum(p * x**3)  # noqa: E731
    p, v = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    expected = 6 * p * x * v  # of the diagonal Hessian
    np.testing.assert_allclose(hvp(f)(x, p, v), expected)
    hessp = lambda x, v, *args: hvp(f)(x, *args, v)  # noqa: E731
    np.testing.assert_allclose(hessp(x, v, p), expected)
    assert "hessp(x, p, *args)" in hvp.__doc__
