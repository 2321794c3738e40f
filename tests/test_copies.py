"""Copies of Variables: of what is recorded they record, of leaves they are data."""

import copy
import pickle

import numpy as np
import pytest

from registry import (
    ConversionError,
    Function,
    HigherOrderError,
    Variable,
    checkpoint,
    compile,  # noqa: A004
    grad,
    hessian,
    no_grad,
    stop_gradient,
)

COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "deepcopy in a dict": lambda v: copy.deepcopy({"w": [v]})["w"][0],
    "deepcopy twice in a list": lambda v: copy.deepcopy([v, v])[1],
    "copy of a copy": lambda v: copy.copy(copy.deepcopy(v)),
    "method": lambda v: v.copy(),
    "np.copy": np.copy,
}
X = np.array([1.0, 2.0])


class Named(Variable):
    """A Variable with attributes of its own."""


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
class TestOfWhatIsRecorded:
    def test_of_an_argument(self, copied):
        f = lambda x: np.sum(copied(x) ** 3 * x)  # noqa: E731
        np.testing.assert_allclose(grad(f)(X), 4 * X**3)
        np.testing.assert_allclose(hessian(f)(X), np.diag(12 * X**2))
        np.testing.assert_allclose(compile(grad(f))(X), 4 * X**3)

    def test_of_a_result(self, copied):
        np.testing.assert_allclose(grad(lambda x: np.sum(copied(x * x) * copied(x)))(X), 3 * X**2)
        x = Variable(X)
        np.sum(copied(x * x)).backward()
        np.testing.assert_allclose(x.grad, 2 * X)

    def test_in_a_checkpoint(self, copied):
        np.testing.assert_allclose(grad(lambda x: np.sum(checkpoint(lambda y: copied(y) ** 2)(x)))(X), 2 * X)

    def test_of_one_output_of_several(self, copied):
        def f(x):
            first, second = np.split(x, 2)
            return np.sum(copied(second) ** 2 * first)

        np.testing.assert_allclose(grad(f)(X), [4, 4])

    def test_in_a_recorded_backward(self, copied):
        weight = Variable(np.array(3.0))

        class Cube(Function):
            def forward(self, x):
                return x**3 * weight.data

            def backward(self, gy):
                (x,) = self.xs
                w = copied(weight) if isinstance(x, Variable) else weight.data
                return 3 * x**2 * w * (copied(gy) if isinstance(gy, Variable) else gy)

        x = Variable(X)
        np.sum(Cube()(x)).backward(create_graph=True)
        first, x.grad = x.grad, None
        np.sum(first).backward()
        np.testing.assert_allclose(x.grad, 18 * X)
        np.testing.assert_allclose(weight.grad, np.sum(3 * X**2))


class TestOfLeaves:
    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
    @pytest.mark.parametrize("cls", [Variable, Named])
    def test_they_are_leaves_of_their_own(self, copied, cls):
        x = cls(X, name="x")
        np.sum(x * x).backward()
        same = copied(x)
        assert (type(same), same.name, same.creator, same.grad.tolist()) == (cls, "x", None, [2, 4])
        x.grad = same.grad = None
        np.sum(x * same).backward()
        np.testing.assert_array_equal(same.grad, X)
        np.testing.assert_array_equal(x.grad, X)

    def test_a_subclass_keeps_its_attributes(self):
        x = Named(X)
        x.tags = ["a"]
        assert copy.copy(x).tags is x.tags
        assert copy.deepcopy(x).tags == ["a"]
        assert copy.deepcopy(x).tags is not x.tags

    def test_without_recording_results_are_leaves_too(self):
        y = Variable(X) * 2
        with no_grad():
            assert [copied(y).creator for copied in (copy.copy, copy.deepcopy)] == [None, None]

    def test_an_empty_one(self):
        assert copy.deepcopy(Variable(None)).data is None

    def test_deep_ones_have_arrays_of_their_own_in_the_same_order(self):
        x = Variable(np.asfortranarray(np.ones((2, 3))))
        for y in (copy.deepcopy(x), copy.deepcopy(x * 2)):
            assert y.data.flags.f_contiguous
            assert not np.shares_memory(y.data, x.data)


class TestPickles:
    def test_outside_results_are_data(self):
        y = Variable(X) * 2
        again = pickle.loads(pickle.dumps(y))
        assert (again.creator, again.data.tolist()) == (None, [2, 4])

    @pytest.mark.parametrize("part", [lambda x: x, lambda x: x * 2, lambda x: {"a": [np.exp(x)]}])
    def test_inside_a_differentiated_function_they_are_refused(self, part):
        def f(x):
            pickle.dumps(Variable(X))
            return np.sum(pickle.loads(pickle.dumps(part(x))))

        with pytest.raises(ConversionError, match=r"pickling a Variable would lose its gradient.*deepcopy"):
            grad(f)(X)

    def test_inside_a_recorded_backward_they_are_refused(self):
        class Pickles(Function):
            def forward(self, x):
                return x * 2

            def backward(self, gy):
                return pickle.loads(pickle.dumps(gy)) * 2

        x = Variable(X)
        with pytest.raises(HigherOrderError, match=r"Pickles'.*'backward' reads '\.data'"):
            np.sum(Pickles()(x)).backward(create_graph=True)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_constant_is_a_constant(copied):
    made = copied(stop_gradient(Variable(X)))
    (made * Variable(X)).backward()
    assert made.grad is None
    assert made.generation == -1
