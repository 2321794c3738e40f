"""The function that people call: its name, its signature, what it carries, how it refuses."""

from __future__ import annotations

import inspect
import pickle
import threading
import traceback
from dataclasses import dataclass, field

import numpy as np
import pytest

from registry import Function, OperatorDefinitionError, Registry, Variable, ops
from registry.definition import make_operator
from registry.helpers import snake_case


class Same(Function):
    """Its first input, given back."""

    def forward(self, x):
        return x + 0.0

    def backward(self, gy):
        return gy


def helper(cls):
    """Give the helper that a plugin with this class would bring."""
    return make_operator(cls, "fake").helper


def named(class_name, /, **attributes):
    return type(class_name, (Same,), attributes)


def variable(*values):
    return Variable(np.array(values))


# Names


@pytest.mark.parametrize(
    ("class_name", "expected"),
    [
        ("Square", "square"),
        ("LogSumExp", "log_sum_exp"),
        ("Conv2d", "conv2d"),
        ("Conv2D", "conv2d"),
        ("Conv2DTranspose", "conv2d_transpose"),
        ("Log1p", "log1p"),
        ("Arctan2", "arctan2"),
        ("FFT", "fft"),
        ("IRFFT2", "irfft2"),
        ("BCEWithLogits", "bce_with_logits"),
        ("MSELoss", "mse_loss"),
        ("L2Norm", "l2_norm"),
        ("MatMul", "mat_mul"),
        ("ReLU", "re_lu"),
        ("X", "x"),
        ("log_gamma", "log_gamma"),
        ("Log_Gamma", "log_gamma"),
    ],
)
def test_a_helper_has_its_classs_name_in_acronym_aware_snake_case(class_name, expected):
    assert snake_case(class_name) == expected
    assert helper(named(class_name)).__name__ == expected


@pytest.mark.parametrize(("class_name", "name"), [("MatMul", "matmul"), ("ReLU", "relu")])
def test_the_attribute_name_wins(class_name, name):
    assert helper(named(class_name, name=name)).__name__ == name


@pytest.mark.parametrize(
    ("class_name", "attributes", "name", "reason"),
    [
        ("Lambda", {}, "lambda", "it is a Python keyword"),
        ("Not", {}, "not", "it is a Python keyword"),
        ("_Hidden", {}, "_hidden", "it starts with an underscore"),
        ("Fine", {"name": "_private"}, "_private", "it starts with an underscore"),
        ("Fine", {"name": "two words"}, "two words", "it is not an identifier"),
        ("Fine", {"name": "2d"}, "2d", "it is not an identifier"),
        ("Fine", {"name": ""}, "", "it is not an identifier"),
        ("Fine", {"name": 3}, 3, "it is not an identifier"),
        ("Fine", {"name": "None"}, "None", "it is a Python keyword"),
    ],
)
def test_a_name_that_python_could_not_call_is_refused_with_the_reason(class_name, attributes, name, reason):
    with pytest.raises(OperatorDefinitionError) as raised:
        helper(named(class_name, **attributes))
    expected = f"{class_name} cannot have the helper {name!r}: {reason}; give it another name"
    assert str(raised.value) == expected


@pytest.mark.parametrize("name", ["match", "type", "print", "sum"])
def test_soft_keywords_and_builtins_are_good_names(name):
    assert helper(named("Fine", name=name))(variable(1.0)).data == 1


def test_a_class_in_lower_case_does_not_call_itself():
    class same(Same):
        pass

    assert helper(same)(variable(2.0)).data == 2


def test_a_parameter_may_have_the_name_of_the_class():
    class Scale(Function):
        def __init__(self, Scale):
            self.factor = Scale

        def forward(self, x):
            return x * self.factor

        def backward(self, gy):
            return gy * self.factor

    assert helper(Scale)(variable(2.0), Scale=3.0).data == 6


# Signatures


class Reshape(Same):
    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        return x.reshape(self.shape)


class Sum(Same):
    def __init__(self, axis=None, keepdims=False):
        self.axis, self.keepdims = axis, keepdims

    def forward(self, x):
        return np.sum(x, axis=self.axis, keepdims=self.keepdims)


class Concatenate(Same):
    def __init__(self, axis=0):
        self.axis = axis

    def forward(self, *xs):
        return np.concatenate(xs, axis=self.axis)


class Linear(Same):
    def __init__(self, scale=1.0):
        self.scale = scale

    def forward(self, x, W, b=None):
        return self.scale * (x @ W if b is None else x @ W + b)


class Clip(Same):
    def __init__(self, low, *, high=np.inf):
        self.low, self.high = low, high

    def forward(self, x):
        return np.clip(x, self.low, self.high)


class Leading(Same):
    def __init__(self, factor, /, offset=0.0):
        self.factor, self.offset = factor, offset

    def forward(self, x, /):
        return x * self.factor + self.offset


class Exp(Function):
    implements = np.exp

    def backward(self, gy):
        return gy * self.ys[0]


class Hypot(Function):
    implements = np.hypot
    differentiable = False


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (Reshape, "(x, shape)"),
        (Sum, "(x, axis=None, keepdims=False)"),
        (Concatenate, "(*xs, axis=0)"),
        (Linear, "(x, W, b=None, *, scale=1.0)"),
        (Clip, "(x, low, *, high=inf)"),
        (Leading, "(x, /, factor, offset=0.0)"),
        (Same, "(x)"),
        (Exp, "(x)"),
        (Hypot, "(x0, x1)"),
    ],
)
def test_the_signature_is_forwards_parameters_and_then_the_constructors(cls, expected):
    assert str(inspect.signature(helper(cls))) == expected


def test_constants_go_by_position_and_by_name_where_forward_has_a_fixed_number_of_inputs():
    x = variable([1.0, 2.0], [3.0, 4.0])
    assert helper(Reshape)(x, (4,)).shape == helper(Reshape)(x, shape=(4,)).shape == (4,)
    assert helper(Sum)(x, 1, True).shape == (2, 1)
    assert helper(Sum)(x, keepdims=True).shape == (1, 1)
    np.testing.assert_array_equal(helper(Clip)(x, 2, high=3.0).data, [[2, 2], [3, 3]])
    np.testing.assert_array_equal(helper(Leading)(x, 2.0, 1.0).data, [[3, 5], [7, 9]])
    np.testing.assert_array_equal(helper(Leading)(x, offset=1.0, factor=0.0).data, np.ones((2, 2)))


def test_constants_go_by_name_only_behind_inputs_of_an_open_number():
    x, W = variable([1.0]), variable([2.0])
    assert helper(Concatenate)(x, x, x, axis=1).shape == (1, 3)
    assert helper(Linear)(x, W, scale=3.0).data == 6
    assert helper(Linear)(x, W, x, scale=3.0).data == 9
    with pytest.raises(TypeError, match=r"^linear\(\) takes from 2 to 3 positional arguments but 4 were"):
        helper(Linear)(x, W, x, 3.0)


@pytest.mark.parametrize(
    ("cls", "args", "kwargs", "text"),
    [
        (Reshape, 1, {}, "reshape() missing 1 required positional argument: 'shape'"),
        (Same, 0, {}, "same() missing 1 required positional argument: 'x'"),
        (Same, 2, {}, "same() takes 1 positional argument but 2 were given"),
        (Sum, 1, {"where": 0}, "sum() got an unexpected keyword argument 'where'"),
        (Sum, 1, {"x": 0}, "sum() got multiple values for argument 'x'"),
        (Hypot, 1, {}, "hypot() missing 1 required positional argument: 'x1'"),
    ],
)
def test_a_wrong_call_is_pythons_own_type_error_and_names_the_helper(cls, args, kwargs, text):
    with pytest.raises(TypeError) as raised:
        helper(cls)(*[variable(1.0)] * args, **kwargs)
    assert str(raised.value) == text


def test_defaults_are_the_authors_own_objects():
    array, options = np.arange(3.0), {"a": [1]}

    class Holds(Same):
        def __init__(self, array=array, options=options, text="a'b\n", nothing=...):
            self.given = array, options, text, nothing

    holds = helper(Holds)
    assert inspect.signature(holds).parameters["array"].default is array
    given = holds(variable(1.0)).creator.given
    assert given[0] is array
    assert given[1] is options
    assert given[2:] == ("a'b\n", ...)


def test_a_default_of_an_input_may_be_an_array():
    class Shift(Function):
        def forward(self, x, by=np.array(10.0)):  # noqa: B008
            return x + by

        def backward(self, gy):
            return gy, gy

    assert helper(Shift)(variable(1.0)).data == 11


def test_annotations_are_never_evaluated():
    class Annotated(Function):
        def __init__(self, axis: NoSuchName[int] = 0, *, k: 1 / 0 = 2) -> ThisToo:  # noqa: F821
            self.axis = axis

        def forward(self, x: neither.does.this) -> nor[this]:  # noqa: F821
            return x + self.axis

        def backward(self, gy: print("evaluated")):
            return gy

    annotated = helper(Annotated)
    assert str(inspect.signature(annotated)) == "(x, axis=0, *, k=2)"
    assert annotated(variable(1.0), 2).data == 3
    assert annotated.__annotations__ == {}


def test_a_dataclass_is_an_operator_with_its_fields_as_constants():
    @dataclass
    class Affine(Function):
        factor: float
        offset: float = 0.0
        tags: list = field(default_factory=list)

        def forward(self, x):
            return self.factor * x + self.offset

        def backward(self, gy):
            return self.factor * gy

    affine = helper(Affine)
    x = variable(1.0)
    y, z = affine(x, 3.0), affine(x, 3.0, offset=1.0)
    assert (y.data, z.data) == (3, 4)
    assert y.creator.tags == []
    assert y.creator.tags is not z.creator.tags
    (y + z).backward()
    assert x.grad == 6


def test_a_class_with_slots_is_an_operator_and_its_instance_can_be_called_twice():
    class Slotted(Function):
        __slots__ = ("factor", "seen")

        def __init__(self, factor):
            self.factor = factor

        def forward(self, x):
            self.seen = x.shape
            return self.factor * x

        def backward(self, gy):
            return self.factor * gy

    x, y = variable(1.0), variable(2.0, 3.0)
    assert helper(Slotted)(x, 3.0).data == 3
    instance = Slotted(5.0)
    a, b = instance(x), instance(y)
    assert (a.creator.seen, b.creator.seen) == ((1,), (2,))
    a.backward()
    b.backward()
    np.testing.assert_array_equal([*x.grad, *y.grad], [5.0] * 3)


# Refused definitions


def definition(init=None, forward=None, **attributes):
    methods = {"forward": forward or Same.forward, "backward": Same.backward}
    return type("Odd", (Function,), {**({"__init__": init} if init else {}), **methods, **attributes})


@pytest.mark.parametrize(
    ("cls", "text"),
    [
        (
            definition(lambda self, x: None),
            "Odd cannot have a helper: 'x' is a parameter of both forward and __init__; rename one",
        ),
        (
            definition(lambda self, *args: None),
            "Odd cannot have a helper: __init__ takes '*args'; name each constant, so that the helper can",
        ),
        (
            definition(lambda self, **kwargs: None),
            "Odd cannot have a helper: __init__ takes '**kwargs'; name each constant, so that the helper can",
        ),
        (
            definition(forward=lambda self, x, *, axis: x),
            "Odd cannot have a helper: forward's parameter 'axis' must be positional; "
            "constants belong to __init__",
        ),
        (
            definition(forward=lambda self, x, **rest: x),
            "Odd cannot have a helper: forward's parameter 'rest' must be positional; "
            "constants belong to __init__",
        ),
        (
            type("Odd", (Function,), {}),
            "Odd cannot be an operator: it has no forward; write one, or set implements to a ufunc",
        ),
        (
            type("Odd", (Function,), {"implements": np.exp}),
            "Odd cannot be an operator: it has no backward; write one, or set differentiable = False",
        ),
        (
            definition(saves="xs"),
            "Odd cannot be an operator: saves is 'xs'; it must be a tuple of names, such as ('xs',)",
        ),
        (
            definition(saves=("x",)),
            "Odd cannot be an operator: saves names ['x']; there are 'xs' and 'ys'",
        ),
        (
            definition(constants=["mask"]),
            "Odd cannot be an operator: constants is ['mask']; it must be a tuple of names, such as ('xs',)",
        ),
        (
            definition(implements="exp"),
            "Odd cannot be an operator: implements has 'exp'; it must be a function such as np.exp",
        ),
        (
            definition(implements=np.hypot),
            "Odd cannot be an operator: forward takes 1 inputs, but <ufunc 'hypot'> has 2",
        ),
        (
            definition(forward=lambda self, x, y: x, implements=np.exp),
            "Odd cannot be an operator: forward takes 2 inputs, but <ufunc 'exp'> has 1",
        ),
        (
            definition(method="two words"),
            "Odd cannot be an operator: method is 'two words'; it must be a public name",
        ),
        (
            definition(method="_hidden"),
            "Odd cannot be an operator: method is '_hidden'; it must be a public name",
        ),
        (
            definition(method="shape"),
            "Odd cannot be an operator: method 'shape' is an attribute that every Variable has already",
        ),
        (
            definition(forward=staticmethod(lambda ctx, x: x)),
            "Odd cannot be an operator: forward is a static or class method; write 'def forward(self, ...)'",
        ),
        (
            dataclass(frozen=True)(type("Odd", (Same,), {})),
            "Odd cannot be an operator: it is a frozen dataclass, but a call is recorded on the instance",
        ),
    ],
)
def test_a_definition_without_a_good_helper_is_refused_with_the_reason(cls, text):
    with pytest.raises(OperatorDefinitionError) as raised:
        make_operator(cls, "fake")
    assert str(raised.value) == text


def test_a_static_backward_is_refused_too():
    class Torch(Same):
        @staticmethod
        def backward(ctx, gy):
            return gy

    with pytest.raises(OperatorDefinitionError, match="Torch cannot be an operator: backward is a static"):
        make_operator(Torch, "fake")


@pytest.mark.parametrize("target", [Function, 3, "exp", np.exp, lambda x: x, Same(), int, None])
def test_what_is_neither_a_class_of_operators_nor_a_composite_is_refused(target):
    with pytest.raises(OperatorDefinitionError, match=r"is no operator: expected a subclass of registry\.F"):
        make_operator(target, "fake")


def test_more_inputs_than_the_ufunc_are_fine_where_they_are_optional_or_adapted():
    class Optional(Function):
        implements = np.exp

        def forward(self, x, scale=1.0):
            return np.exp(x) * scale

        def backward(self, gy):
            return gy * self.ys[0]

    class Adapted(Optional):
        def forward(self, x, y):
            return np.exp(x) * y

        @classmethod
        def from_numpy(cls, x):
            return cls()(x, 1.0)

    assert make_operator(Optional, "fake").implements[np.exp](variable(0.0)).data == 1
    assert make_operator(Adapted, "fake").implements[np.exp](variable(0.0)).data == 1


# What a helper carries


def test_a_helper_says_what_it_is():
    same = helper(Same)
    assert (same.__name__, same.__qualname__, same.__module__) == ("same", "same", "registry.ops")
    assert same.__doc__ == "Its first input, given back."
    assert same.operator is Same


def test_a_docstring_of_several_lines_loses_its_indentation():
    class Long(Same):
        """First.

        Second.
            Third.
        """

    assert helper(Long).__doc__ == "First.\n\nSecond.\n    Third."


def test_without_a_docstring_the_helper_says_where_it_comes_from():
    class Bare(Same):
        pass

    assert helper(Bare).__doc__.startswith("The operator test_without")
    assert helper(Bare).__doc__.endswith("Bare of test_helpers.")


def test_helpers_pickle_by_name():
    assert pickle.loads(pickle.dumps(ops.exp)) is ops.exp
    assert pickle.dumps(ops.exp, 0).startswith(b"cregistry.ops\nexp")


def test_the_traceback_shows_the_generated_line():
    class Fails(Function):
        def __init__(self, axis=None):
            self.axis = axis

        def forward(self, x):
            raise ValueError("no")

        def backward(self, gy):
            return gy

    def lines(fails):
        with pytest.raises(ValueError, match="no") as raised:
            fails(variable(1.0), axis=2)
        frames = [f for f in traceback.extract_tb(raised.value.__traceback__) if f.name == "fails"]
        assert all(f.filename.startswith("<opregistry helper fails of test_helpers.") for f in frames)
        return [frame.line for frame in frames]

    fails = helper(Fails)
    assert lines(fails) == ["return _written_out()(x, axis=axis, )", "_y = _function.forward(_x0)"]
    assert lines(fails) == ["_y = _function.forward(_x0)"]


def test_each_call_makes_an_instance_of_its_own():
    same, x = helper(Same), variable(1.0)
    first, second = same(x), same(x)
    assert first.creator is not second.creator


def test_a_helper_takes_variables_arrays_and_numbers(publish):
    registry = Registry()
    publish(registry, "fake", Linear)
    linear = registry.helpers["linear"]
    W = np.array([2.0])
    assert linear(np.array([1.0]), W).data == linear(variable(1.0), W, None).data == 2
    assert linear(variable(1.0), W, 1.0).data == 3


def test_the_first_call_writes_a_helper_out_and_gives_what_others_give():
    class Scaled(Function):
        def __init__(self, factor=2.0, *, shift=0.0):
            self.factor, self.shift = factor, shift

        def forward(self, x):
            return self.factor * x + self.shift

        def backward(self, gy):
            return self.factor * gy

    scaled = helper(Scaled)
    before = scaled.__code__
    for _ in range(2):
        x = variable(1.0, 2.0)
        y = scaled(x, 3.0, shift=1.0)
        y.backward()
        np.testing.assert_array_equal(y.data, [4.0, 7.0])
        np.testing.assert_array_equal(x.grad, [3.0, 3.0])
        assert scaled.__code__ is not before
    with pytest.raises(TypeError, match=r"scaled\(\) got an unexpected keyword argument 'axis'"):
        scaled(x, axis=1)


def test_first_calls_from_several_threads_are_all_right():
    for _ in range(20):

        class Doubled(Function):
            def forward(self, x):
                return 2 * x

            def backward(self, gy):
                return 2 * gy

        doubled, barrier, found = helper(Doubled), threading.Barrier(4), []

        def work(doubled=doubled, barrier=barrier, found=found):
            x = variable(1.0)
            barrier.wait()
            doubled(doubled(x)).backward()
            found.append(float(x.grad[0]))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [4.0] * 4


class TestArityOfNumPyFunctions:
    """A ufunc may be implemented by what takes its number of inputs, and then some."""

    def test_any_number_of_inputs_fits_every_ufunc(self):
        class Total(Function):
            implements = np.add

            def forward(self, *xs):
                return sum(xs)

            def backward(self, gy):
                return (gy,) * len(self.xs)

        assert make_operator(Total, "mine").name == "total"

    def test_an_optional_input_counts(self):
        class Offset(Function):
            implements = np.add

            def forward(self, x, y=None):
                return x if y is None else x + y

            def backward(self, gy):
                return gy, gy

        assert make_operator(Offset, "mine").name == "offset"
