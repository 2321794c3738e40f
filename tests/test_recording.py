"""Two forms of one recording: a helper's source, written out, and the loop that calls by hand go through."""

import operator

import numpy as np
import pytest

import registry
from registry import (
    Function,
    GradientError,
    NotRecordedError,
    UnsupportedTypeError,
    Variable,
    hookimpl,
    no_grad,
)
from registry.definition import make_operator
from registry.recording import record


class Product(Function):
    """x0 * x1, which keeps what its methods get."""

    elementwise = True

    def forward(self, x0, x1):
        self.seen = type(x0), type(x1)
        return x0 * x1

    def backward(self, gy):
        x0, x1 = self.xs
        self.seen_back = type(gy), type(x0), type(self.ys[0])
        return gy * x1, gy * x0


class Numbers(Product):
    """The same, of numbers, too."""

    scalars = True


def helper(cls):
    return make_operator(cls, "fake").helper


def forms(cls):
    return {"helper": helper(cls), "by hand": lambda *xs: cls()(*xs), "record": lambda *xs: record(cls(), xs)}


VALUES = {
    "0-d": np.array(1.5),
    "float32": np.array([1.5, 2.0], np.float32),
    "0-d float32": np.array(1.5, np.float32),
    "integers": np.array([1, 2]),
    "bool": np.array([True, False]),
    "complex": np.array([1 + 2j, 0.5]),
    "vector": np.array([0.5, 3.0]),
    "empty": np.zeros(0),
}
OTHERS = {"number": 2.5, "int": 3, "NumPy's number": np.float64(0.5), "0-d": np.array(2.5), "list": [2.0]}


@pytest.mark.parametrize("cls", [Product, Numbers])
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("value", VALUES)
def test_every_form_gives_numpys_value_and_the_same_gradients(cls, value, other):
    x, c = VALUES[value], OTHERS[other]
    expected = np.multiply(x, c)
    for form, call in forms(cls).items():
        for swap in (False, True):
            v = Variable(x.copy())
            y = call(c, v) if swap else call(v, c)
            np.testing.assert_array_equal(y.data, expected, strict=not np.isscalar(expected))
            assert isinstance(y.data, np.ndarray), form
            y.backward()
            kept = x.dtype if x.dtype.kind in "fc" else np.dtype(float)
            slope = np.broadcast_to(c, expected.shape)
            slope = slope if x.ndim else np.sum(slope)
            assert (v.grad.dtype, v.grad.shape) == (kept, x.shape), form
            np.testing.assert_allclose(v.grad, np.real(slope) if kept.kind == "f" else slope)


@pytest.mark.parametrize("cls", [Product, Numbers])
def test_every_form_makes_the_same_graph(cls):
    a, b = Variable(np.array([1.0, 2.0])), Variable(np.array([3.0, 4.0]))
    for call in forms(cls).values():
        y = call(call(a, b), a)
        function = y.creator
        assert (y.generation, function.generation, function.needs_grad) == (2, 1, (True, True))
        assert function.inputs[1] is a
        assert function.output is y
        np.testing.assert_array_equal(function.xs[0], [3.0, 8.0])
        np.testing.assert_array_equal(function.ys[0], [3.0, 16.0])
        assert call(a, 2.0).creator.needs_grad == (True, False)


@pytest.mark.parametrize("cls", [Product, Numbers])
def test_no_form_records_constants_or_what_nobody_wants_recorded(cls):
    x = Variable(np.array(2.0))
    for call in forms(cls).values():
        constant = call(np.array(2.0), np.array(3.0))
        assert (constant.creator, constant.generation) == (None, -1)
        assert call(constant, 2.0).generation == -1
        with no_grad():
            leaf = call(x, x)
        assert (leaf.creator, leaf.generation) == (None, 0)
        leaf.grad = None
        call(leaf, 3.0).backward()
        assert float(leaf.grad) == 3.0
        recorded = call(x, x)
        with no_grad():
            leaf = call(recorded, 2.0)
        assert (leaf.creator, leaf.generation) == (None, 0)
        with pytest.raises(NotRecordedError, match="recording was off"):
            leaf.backward()


@pytest.mark.parametrize(
    ("differentiable", "why"), [(True, "every input was a constant"), (False, "Steps.* has no derivative")]
)
def test_a_result_without_a_gradient_says_why(differentiable, why):
    class Steps(Product):
        pass

    Steps.differentiable = differentiable
    x = np.array(1.0) if differentiable else Variable(np.array(1.0))
    for call in forms(Steps).values():
        with pytest.raises(NotRecordedError, match=why):
            call(x, np.array(2.0)).backward()


def test_an_operator_sees_arrays_unless_it_says_that_it_takes_numbers():
    x = Variable(np.array(2.0))
    y = helper(Product)(helper(Product)(x, 3.0), x)
    assert y.creator.seen == (np.ndarray, np.ndarray)
    y.backward()
    assert y.creator.seen_back == (np.ndarray, np.ndarray, np.ndarray)
    y = helper(Numbers)(helper(Numbers)(x, 3.0), x)
    assert y.creator.seen == (np.float64, np.float64)
    y.backward()
    assert y.creator.seen_back == (np.float64, np.float64, np.float64)
    mixed = helper(Product)(helper(Numbers)(x, 3.0), helper(Numbers)(x, x))
    assert mixed.creator.seen == (np.ndarray, np.ndarray)


@pytest.mark.parametrize("watched", [False, True])
def test_the_gradient_of_a_number_has_its_shape(watched):
    class Wide(Numbers):
        def backward(self, gy):
            return np.ones(2), gy

    y = helper(Wide)(Variable(np.array(1.0)), 2.0)
    with pytest.raises(GradientError, match=r"has shape \(2,\), but the input has \(\)"):
        y.backward(retain_grad=watched)


def test_what_an_operator_on_numbers_gives_is_an_array_to_everybody():
    x = Variable(np.array(2.0))
    y = helper(Numbers)(x, 3.0)
    assert y.data is y.data
    assert repr(y) == "variable(6.0)"
    assert (y.shape, y.ndim, y.size, y.dtype) == ((), 0, 1, np.float64)
    y.data[...] = 7.0
    assert float(helper(Numbers)(y, 1.0).data) == 7.0
    y.backward(retain_grad=True)
    assert isinstance(x.grad, np.ndarray)
    assert isinstance(y.grad, np.ndarray)
    assert bool(y)
    with pytest.raises(TypeError, match="0-d"):
        iter(y).__next__()


@pytest.mark.parametrize("number", [2.0, np.nan])
def test_the_very_variables_are_inputs_and_outputs_of_a_call_on_numbers(number):
    x = Variable(np.array(number))
    b = helper(Numbers)(x, 3.0)
    y = helper(Numbers)(b, b)
    assert (b.creator.inputs[0] is x, y.creator.inputs[1] is b, y.creator.output is y) == (True, True, True)
    assert isinstance(b.data, np.ndarray)
    assert y.creator.inputs[0] is b
    x.data = np.array(7.0)
    assert b.creator.inputs[0] is not x


def test_overwriting_the_data_of_a_number_does_not_change_a_recorded_gradient():
    x = Variable(np.array(2.0))
    y = helper(Numbers)(x, x)
    z = helper(Numbers)(y, y)
    y.data[...] = 100.0
    z.backward()
    assert float(x.grad) == 2 * 4.0 * 4.0


def test_a_watched_call_and_a_subclass_of_variable_go_the_same_way():
    class Parameter(Variable):
        __slots__ = ()

    class Watcher:
        seen = ()

        @hookimpl
        def after_forward(self, function, xs, ys):
            self.seen = (type(xs[0]), type(ys[0]))

    x, watcher = Parameter(np.array(2.0)), Watcher()
    y = helper(Numbers)(x, x)
    with registry.default_registry().observing(watcher):
        z = helper(Numbers)(y, x)
    assert watcher.seen == (np.ndarray, np.ndarray)
    z.backward()
    assert float(x.grad) == 12.0


def test_numbers_without_a_variable_are_computed_as_arrays_are():
    for call in forms(Numbers).values():
        with np.errstate(over="ignore"):
            y = call(1e200, 1e200)
        assert (float(y.data), y.creator) == (np.inf, None)


def test_a_failure_in_forward_leaves_no_record_and_names_the_operator():
    for call in forms(Product).values():
        with pytest.raises(ValueError, match="broadcast") as caught:
            call(Variable(np.zeros(2)), np.zeros(3))
        (note,) = caught.value.__notes__
        assert note.startswith("in forward of operator 'Product'")
        with pytest.raises(UnsupportedTypeError, match=r"operator 'Product' .*input 1: .*object"):
            call(Variable(np.zeros(2)), np.array([None, 1], object))


@pytest.mark.parametrize("name", ["type", "isinstance"])
def test_a_parameter_may_have_the_name_of_what_the_source_uses(name):
    namespace = {"Function": Function}
    exec(
        f"class Named(Function):\n def forward(self, {name}): return {name} * 2.0\n"
        " def backward(self, gy): return gy * 2.0",
        namespace,
    )
    x = Variable(np.array(2.0))
    y = helper(namespace["Named"])(x)
    y.backward()
    assert (float(y.data), float(x.grad)) == (4.0, 2.0)


@pytest.mark.parametrize("op", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("number", [3.0, 2, np.float64(1.5), np.float32(1.5)])
def test_pythons_operators_on_0d_variables_have_numpys_types(op, dtype, number):
    a = np.array(2.0, dtype)
    for x, y in ((a, number), (number, a), (a, a)):
        found = op(*[Variable(z) if z is a else z for z in (x, y)])
        expected = op(*[z.copy() if z is a else z for z in (x, y)])
        assert found.data.dtype == np.asarray(expected).dtype
        np.testing.assert_array_equal(found.data, expected)


def test_numbers_reach_forward_as_arrays_of_the_dtype_that_they_take():
    seen = []

    class Sees(Function):
        saves = ()

        def forward(self, x, y):
            seen.append(y)
            return x * y

        def backward(self, gy):
            return gy, None

    for call in forms(Sees).values():
        for number in (2, 2.0, True):
            call(Variable(np.ones(2, np.float32)), number)
    assert [(type(y), y.shape) for y in seen] == [(np.ndarray, ())] * 9
    assert [y.dtype for y in seen][:2] == [np.float32] * 2
