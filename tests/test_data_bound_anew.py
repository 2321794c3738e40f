"""`.data` bound to another array between uses, and seeds that do not fit: the pass raises."""

import numpy as np
import pytest

from registry import Function, GradientError, Variable, grad, no_grad, ops
from registry.backward import Pass


@pytest.fixture(autouse=True)
def _never_bound_anew(monkeypatch):
    """Let passes compare only once a test has bound data anew."""
    monkeypatch.setattr(Pass, "compares", False)


SHAPES = [((3,), (1,)), ((1,), (3,)), ((), (3,)), ((3,), ()), ((2, 3), (3, 2)), ((3,), (3, 1))]


class TestAnotherShape:
    @pytest.mark.parametrize("create_graph", [False, True])
    @pytest.mark.parametrize(("first", "second"), SHAPES)
    def test_gradients_of_two_shapes_do_not_meet(self, first, second, create_graph):
        x = Variable(np.ones(first), name="x")
        a = np.sum(x * 2) + np.sum(x * 4)
        x.data = np.ones(second)
        z = a + np.sum(x * 3)
        with pytest.raises(GradientError, match=r"x has gradients of shapes \(.*bound to another array"):
            z.backward(create_graph=create_graph)
        assert x.grad is None

    @pytest.mark.parametrize(("first", "second"), SHAPES)
    def test_a_gradient_has_the_shape_of_the_data(self, first, second):
        x, other = Variable(np.ones(first), name="x"), Variable(np.ones(first))
        y = np.sum(x * other)
        x.data = np.ones(second)
        with pytest.raises(GradientError, match=r"x has a gradient and data of shapes \(.*, dtypes float64"):
            y.backward()
        assert other.grad is None

    @pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")
    @pytest.mark.parametrize("uses", [1, 2])
    def test_an_array_that_is_given_another_shape_in_place(self, uses):
        x = Variable(np.ones((3, 1)), name="x")
        y = np.sum(x + np.ones((3, 1)))
        x.data.shape = (3,)
        y = y + np.sum(x + np.ones(3)) if uses == 2 else y
        with pytest.raises(GradientError, match=r"x has .* of shapes \(3,.* and .*\(3,"):
            y.backward()

    def test_from_nothing_to_an_array_and_back(self):
        x = Variable(None)
        for data in (None, np.ones(3), None, np.ones(2)):
            x.data = data
        np.sum(x * 2).backward()
        np.testing.assert_array_equal(x.grad, [2, 2])

    def test_inside_a_differentiated_function(self):
        w = Variable(np.ones(3))

        def f(x):
            a = np.sum(w * x)
            w.data = np.ones(1)
            return a + np.sum(w * x)

        with pytest.raises(GradientError, match=r"gradients of shapes \(.,\) and \(.,\)"):
            grad(f)(np.ones(3))

    @pytest.mark.parametrize("before", [np.ones(1), np.ones((3, 1)), np.array(1.0), 1.0])
    def test_a_grad_of_a_shape_that_broadcasts_is_refused(self, before):
        x = Variable(np.ones(3))
        x.grad = before
        with pytest.raises(GradientError, match=r"has shape \(.*, but its data has \(3,\); call cleargrad"):
            np.sum(x * 2).backward()
        assert x.grad is before

    def test_a_result_keeps_its_shape(self):
        y = np.sum(Variable(np.ones(3)))
        with pytest.raises(GradientError, match=r"is the result of operator 'sum'.*shape.*unchain"):
            y.data = np.ones(3)
        y.data = np.array(2.0)
        y.unchain()
        y.data = np.ones(3)
        assert y.shape == (3,)

    def test_between_passes_it_is_free(self):
        x = Variable(np.ones(3))
        np.sum(x**2).backward()
        x.cleargrad()
        x.data = np.full((2, 2), 3.0)
        np.sum(x**2).backward()
        np.testing.assert_array_equal(x.grad, np.full((2, 2), 6.0))
        with no_grad():
            y = x * 2
        y.data = np.ones(4)
        assert y.shape == (4,)


class TestAnotherDtype:
    @pytest.mark.parametrize(
        ("first", "second"), [(np.float64, np.float32), (np.float32, np.float64), (np.float32, np.int64)]
    )
    def test_the_gradient_has_that_of_the_data_as_they_are_now(self, first, second):
        x = Variable(np.full(3, 2, first))
        a = np.sum(x * x) + np.sum(x * 5)
        x.data = np.full(3, 7, second)
        (a + np.sum(x * 3)).backward()
        assert x.grad.dtype == (np.float64 if second is np.int64 else second)
        np.testing.assert_array_equal(x.grad, [12, 12, 12])

    @pytest.mark.parametrize(("first", "second"), [(float, complex), (complex, float)])
    @pytest.mark.parametrize("uses", [1, 2, 3])
    def test_complex_and_real_do_not_mix(self, first, second, uses):
        x = Variable(np.ones(3, first), name="x")
        total = sum(np.sum(np.real(x * 2)) for _ in range(max(uses - 1, 1)))
        x.data = np.ones(3, second)
        if uses > 1:
            total = total + np.sum(np.real(x * 3))
        with pytest.raises(
            GradientError, match=r"x has .* dtypes (float64 and complex128|complex128 and float64)"
        ):
            total.backward()


class TestComplexSeeds:
    def test_a_real_result_has_a_real_seed(self):
        for data in (np.ones(2), np.ones(2, np.float32), np.ones(2, int)):
            x = Variable(data)
            y = x * 2
            y.grad = np.array([1j, 1.0])
            with pytest.raises(GradientError, match=r"grad set on this Variable is complex, but the data is"):
                y.backward()
            assert x.grad is None

    @pytest.mark.parametrize("create_graph", [False, True])
    def test_a_real_leaf_has_a_real_grad(self, create_graph):
        x = Variable(np.ones(2))
        x.grad = np.array([1j, 1.0])
        with pytest.raises(GradientError, match="the grad of a Variable is complex, but its data is float64"):
            np.sum(x * 2).backward(create_graph=create_graph)

    def test_complex_ones_of_complex_data_add_up(self):
        x = Variable(np.ones(2, complex))
        x.grad = np.array([1j, 1.0])
        np.sum(x * 2).backward()
        np.testing.assert_array_equal(x.grad, [2 + 1j, 3])


def test_gradients_of_several_outputs_keep_their_shapes():
    class Two(Function):
        def forward(self, x):
            return x * 2, x * 3

        def backward(self, a, b):
            return 2 * a + 3 * b

    x = Variable(np.ones(3))
    first, second = Two()(x)
    np.sum(first * first + first + second).backward()
    np.testing.assert_array_equal(x.grad, np.full(3, 2 * (4 + 1) + 3.0))
    np.testing.assert_array_equal(ops.square(first).data, [4, 4, 4])
