"""Composites: plain functions of Variables that are operators."""

import pickle

import numpy as np
import pytest

import registry as opregistry
from registry import (
    NoOperatorError,
    OperatorDefinitionError,
    PluginWarning,
    Variable,
    composite,
    hookimpl,
    ops,
    plugins,
)


@composite(implements=np.unique, method="spread")
def spread(a, axis=None):
    """Largest minus smallest."""
    return np.max(a, axis=axis) - np.min(a, axis=axis)


@composite(name="renamed")
def original(x):
    return x * x


@composite(name="pair_up", implements=(np.sort_complex, np.spacing))
def pair(x):
    return x + 1


@pytest.fixture
def registry(fresh, publish):
    registry = fresh(only=frozenset())
    publish(registry, "fake", spread, original, pair)
    return registry


def variable(*values):
    return Variable(np.array(values))


def test_the_decorator_gives_the_function_itself():
    assert spread(variable(1.0, 5.0)).data == 4
    assert spread.composite[:3] == (None, np.unique, "spread")


def test_it_is_named_listed_and_found_like_a_class(registry):
    assert ops.spread is plugins.fake.spread is spread
    assert {"spread", "renamed", "pair_up"} <= set(dir(ops))
    (operator,) = [o for o in registry.plugin("fake").operators if o.name == "spread"]
    assert operator.source.startswith(f"{__file__}:")
    assert ops.spread.__doc__ == "Largest minus smallest."


def test_it_is_reached_by_its_numpy_functions_with_numpys_arguments(registry):
    x = variable([1.0, 5.0], [2.0, 4.0])
    np.testing.assert_array_equal(np.unique(x, 1).data, [4, 2])
    np.testing.assert_array_equal(np.unique(x, axis=0).data, [1, 1])
    assert np.sort_complex(variable(1.0)).data == np.spacing(variable(1.0)).data == 2


def test_it_is_a_method_of_variable(registry):
    assert variable(1.0, 5.0).spread(axis=0).data == 4
    assert "spread" in dir(variable(1.0))


def test_its_derivatives_are_those_of_what_it_calls(registry):
    x = variable(1.0, 5.0, 2.0)
    y = np.unique(x) ** 3
    y.backward(create_graph=True)
    np.testing.assert_array_equal(x.grad.data, [-48.0, 48.0, 0.0])
    g = x.grad
    x.cleargrad()
    g[1].backward()
    np.testing.assert_array_equal(x.grad, [-24.0, 24.0, 0.0])


def test_its_name_may_differ_from_the_functions(registry):
    assert ops.renamed is original
    assert not hasattr(ops, "original")


def test_it_pickles_as_what_it_is(registry):
    assert pickle.loads(pickle.dumps(ops.spread)) is spread


def test_an_argument_that_it_does_not_take_is_named(registry):
    with pytest.raises(NoOperatorError, match=r"^numpy\.unique on Variables takes no equal_nan=: "):
        np.unique(variable(1.0), equal_nan=False)


def test_a_composite_of_operators_that_are_missing_says_which(fresh):
    registry = fresh(only=frozenset(), block=frozenset({"ops_builtin"}))
    registry.loader.load_builtins(registry)
    with pytest.raises(NoOperatorError, match=r"no operator implements numpy\.multiply"):
        original(variable(1.0))


def test_it_can_be_registered_by_hand_and_again(fresh):
    fresh(only=frozenset())
    for factor in (2, 3):

        @opregistry.operator
        @composite(method="scaled")
        def scaled(x, factor=factor):
            return x * factor

    assert variable(1.0).scaled().data == ops.scaled(variable(1.0)).data == 3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": "lambda"}, "f cannot have the helper 'lambda': it is a Python keyword; give it another"),
        ({"name": "_f"}, "f cannot have the helper '_f': it starts with an underscore; give it another"),
        ({"implements": "ptp"}, "f cannot be an operator: implements has 'ptp'; it must be a function"),
        ({"implements": (np.unique, None)}, "f cannot be an operator: implements has None; it must be a"),
        ({"method": "shape"}, "f cannot be an operator: method 'shape' is an attribute that every Variable"),
        ({"method": "_f"}, "f cannot be an operator: method is '_f'; it must be a public name"),
    ],
)
def test_a_bad_option_is_refused_at_registration(fresh, options, text):
    fresh(only=frozenset())

    def f(x):
        return x

    f.__qualname__ = "f"
    with pytest.raises(OperatorDefinitionError) as raised:
        opregistry.operator(composite(**options)(f))
    assert str(raised.value).startswith(text)


def test_an_unmarked_function_says_how_to_mark_it(fresh):
    registry = fresh(only=frozenset())

    class Fake:
        @hookimpl
        def register_operators(self):
            return [len]

    expected = "function len> is no operator: expected .* or a function marked with @registry.composite"
    with pytest.warns(PluginWarning, match=expected):
        plugin = registry.loader.load_object(registry, Fake(), "fake")
    assert (plugin.status, plugin.phase) == ("failed", "validate")


def test_the_decorator_without_parentheses_is_a_type_error():
    with pytest.raises(TypeError, match="takes 0 positional arguments"):

        @composite
        def f(x):
            return x


def test_annotations_of_a_composite_are_never_evaluated(fresh):
    fresh(only=frozenset())
    space = {"composite": composite, "np": np}
    exec(
        "from __future__ import annotations\n"
        "@composite(implements=np.frexp, method='noted')\n"
        "def noted(x: NoSuch, k: 1 / 0 = 2) -> Nothing:\n"
        "    return x * k\n",
        space,
    )
    opregistry.operator(space["noted"])
    assert variable(2.0).noted(k=3).data == 6
    assert np.frexp(variable(2.0)).data == 4
    assert np.frexp(variable(2.0), dtype=None).data == 4


def test_expected_failures_are_kept():
    @opregistry.composite(expected_failures={"numpy_function": "a reason"})
    def mine(x):
        return x

    assert mine.composite.expected_failures == {"numpy_function": "a reason"}
