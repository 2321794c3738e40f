"""One hierarchy, and messages that say what failed, what was expected and what to do."""

import inspect

import numpy as np
import pytest

import registry as opregistry
from registry import Function, Variable, errors, ops

BUILTINS = {
    "UnsupportedTypeError": TypeError,
    "ConversionError": TypeError,
    "NoOperatorError": TypeError,
    "UnknownOperatorError": AttributeError,
    "AmbiguousOperatorError": LookupError,
    "AnomalyError": FloatingPointError,
    "OperatorDefinitionError": TypeError,
    "UnknownConfigError": LookupError,
    "NotRecordedError": RuntimeError,
    "GradientError": ValueError,
    "GraphError": OSError,
    "HigherOrderError": RuntimeError,
    "OverwrittenError": RuntimeError,
    "CompileError": TypeError,
    "PluginError": RuntimeError,
    "ConformanceError": AssertionError,
}
CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and value.__module__ == errors.__name__
}


def test_every_error_is_listed_here():
    assert CLASSES.keys() == {*BUILTINS, "RegistryError", "PluginWarning"}


@pytest.mark.parametrize(("name", "builtin"), BUILTINS.items())
def test_each_error_is_a_registry_error_and_what_a_caller_would_catch(name, builtin):
    assert CLASSES[name].__bases__ == (opregistry.RegistryError, builtin)
    assert CLASSES[name].__doc__


def test_the_warning_is_a_user_warning():
    assert CLASSES["PluginWarning"].__bases__ == (UserWarning,)


@pytest.mark.parametrize("name", CLASSES)
def test_each_is_exported_at_the_top(name):
    assert getattr(opregistry, name) is CLASSES[name]
    assert name in opregistry.__all__


class Plain(Function):
    """x, with whatever backward the test gives it."""

    wrong = None

    def forward(self, x):
        if np.size(x) == 0:
            raise ValueError("nothing there")
        return x + 0.0

    def backward(self, gy):
        return self.wrong(gy)


def variable(*values):
    return Variable(np.array(values))


@pytest.fixture
def plain(fresh, publish, request):
    """Publish `Plain` as the operator of a plugin; give a function that sets what backward does."""

    def with_backward(wrong):
        registry = fresh(only=frozenset())
        cls = type("Plain", (Plain,), {"wrong": staticmethod(wrong), "saves": ()})
        publish(registry, "fake", cls)
        return ops.plain

    return with_backward


@pytest.mark.parametrize(
    ("wrong", "error", "found", "expected"),
    [
        (lambda gy: (gy, gy), ValueError, "returned 2 gradients for 1 inputs", "return one for each input"),
        (lambda gy: (), ValueError, "returned 0 gradients for 1 inputs", "return one for each input"),
        (
            lambda gy: np.ones(5),
            ValueError,
            "has shape (5,), but the input has (2,)",
            "must return the input's",
        ),
        (lambda gy: "text", ValueError, "returned <class 'str'> as a gradient", "not supported"),
    ],
)
def test_a_bad_gradient_names_operator_plugin_found_and_expected(plain, wrong, error, found, expected):
    x = variable(1.0, 2.0)
    y = plain(wrong)(x)
    with pytest.raises(error) as raised:
        y.backward()
    text = str(raised.value)
    assert isinstance(raised.value, opregistry.GradientError)
    assert "operator 'plain' of plugin fake" in text
    assert found in text
    assert expected in text
    assert x.grad is None


def test_an_error_of_forward_keeps_its_type_and_gets_a_note_of_the_operator(plain):
    with pytest.raises(ValueError, match="nothing there") as raised:
        plain(lambda gy: gy)(Variable(np.zeros((0, 3), np.float32)))
    (note,) = raised.value.__notes__
    assert note.startswith("in forward of operator 'plain' of plugin fake")
    assert "float32 (0, 3)" in note


def test_an_error_of_backward_keeps_its_type_and_gets_a_note_of_the_operator(plain):
    y = plain(lambda gy: 1 / 0)(variable(1.0))
    with pytest.raises(ZeroDivisionError) as raised:
        y.backward()
    assert raised.value.__notes__ == ["in backward of operator 'plain' of plugin fake"]


def test_an_unsupported_input_names_operator_and_input(plain):
    with pytest.raises(TypeError) as raised:
        plain(lambda gy: gy)("text")
    assert isinstance(raised.value, opregistry.UnsupportedTypeError)
    assert str(raised.value).startswith("operator 'plain' of plugin fake, input 0: <class 'str'> is not supp")


def test_an_operator_of_no_plugin_is_named_by_its_class(fresh):
    fresh(only=frozenset())

    class Stray(Plain):
        def backward(self, gy):
            return gy, gy

    y = Stray()(variable(1.0))
    with pytest.raises(opregistry.GradientError, match=r"operator '.*Stray' \(in no plugin\)"):
        y.backward()


def test_an_unknown_mode_names_those_there_are():
    expected = "^no mode is named 'enable_backpro'.*enable_backprop"
    with pytest.raises(LookupError, match=expected), opregistry.using_config("enable_backpro", True):
        pass
