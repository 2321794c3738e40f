"""What a Variable holds, refuses, and forgets."""

import numpy as np
import pytest

from registry import (
    Function,
    GradientError,
    UnsupportedTypeError,
    Variable,
    as_array,
    as_variable,
    no_grad,
    ops,
)
from registry.numpy_protocol import plain
from registry.ops import add, exp, square


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (np.array([object()]), "dtype object"),
        (np.array(["a"]), "dtype <U1"),
        (np.zeros(2, [("a", float)]), r"dtype \[\('a', '<f8'\)\]"),
        (np.array(["2020-01-01"], "M8[D]"), r"dtype datetime64\[D\]"),
        (np.ma.array([1.0]), "MaskedArray"),
        ("text", "'str'"),
    ],
    ids=["object", "string", "structured", "datetime", "masked", "str"],
)
def test_what_is_no_plain_array_of_numbers_is_refused_by_name(data, named):
    with pytest.raises(UnsupportedTypeError, match=f"{named}.* is not supported"):
        Variable(data)


def test_a_matrix_is_refused_by_name():
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix([[1.0]])
    with pytest.raises(UnsupportedTypeError, match="matrix'> is not supported"):
        Variable(matrix)


def test_a_variable_of_a_variable_is_refused():
    with pytest.raises(UnsupportedTypeError, match="it is a Variable already"):
        Variable(Variable(np.ones(2)))


@pytest.mark.parametrize("data", [np.array(True), np.array(1), np.array(1.0), np.array(1j), np.zeros((0, 3))])
def test_booleans_and_numbers_of_any_shape_are_held_as_they_are(data):
    assert Variable(data).data is data


def test_a_subclass_that_behaves_like_an_array_is_held(tmp_path):
    data = np.memmap(tmp_path / "numbers", float, mode="w+", shape=3)
    assert Variable(data).data is data


def test_scalars_become_arrays_and_variables_stay():
    x = Variable(np.ones(2))
    assert as_variable(x) is x
    assert as_variable(np.float32(2)).dtype == np.float32
    assert as_array(3).shape == ()


def test_an_empty_variable_as_an_input_is_named():
    with pytest.raises(TypeError) as caught:
        square(Variable(None))
    assert "an empty Variable (data is None)" in caught.value.__notes__[0]


def test_the_seed_set_by_the_user_weighs_the_elements():
    x = Variable(np.array([1.0, 2.0]))
    y = square(x)
    y.grad = np.array([10.0, 100.0])
    y.backward()
    np.testing.assert_array_equal(x.grad, [20.0, 400.0])
    np.testing.assert_array_equal(y.grad, [10.0, 100.0])


def test_a_seed_of_another_shape_is_refused():
    y = square(Variable(np.ones(2)))
    y.grad = np.ones(3)
    with pytest.raises(GradientError, match=r"has shape \(3,\), but the data has \(2,\)"):
        y.backward()


def test_a_float64_seed_does_not_widen_a_float32_pass():
    seen = []
    x = Variable(np.ones(2, np.float32))
    y = square(x)
    y.grad = np.ones(2)
    y.creator.backward = lambda gy: (seen.append(gy.dtype), gy)[1]
    y.backward()
    assert seen == [np.float32]


def test_an_integer_variable_is_computed_exactly_and_differentiated_in_float64():
    x = Variable(np.array([3, 4]))
    y = square(x)
    y.backward()
    assert y.dtype == x.dtype
    assert x.grad.dtype == np.float64
    np.testing.assert_array_equal(x.grad, [6.0, 8.0])


def test_unchain_makes_a_leaf():
    x = Variable(np.array(2.0))
    a = square(x)
    y = square(a)
    a.unchain()
    square(a).backward()
    assert (a.grad, x.grad, a.generation) == (8.0, None, 0)
    y.backward()
    assert x.grad == 32.0  # what was recorded before stays


def test_unchain_backward_cuts_the_graph_behind():
    x = Variable(np.array(2.0))
    a = square(x)
    b = exp(a)
    y = add(b, b)
    y.unchain_backward()
    assert (a.creator, b.creator) == (None, None)
    y.backward()
    assert (b.grad, x.grad) == (2.0, None)
    x.unchain_backward()


def test_unchain_backward_passes_constants_by_and_takes_no_way_twice():
    x = Variable(np.array(1.0))
    y = x * np.array(1.0)
    for _ in range(60):  # 2 ** 60 ways
        y = y * y
    y.unchain_backward()
    y.backward()
    assert x.grad is None


def test_the_length_of_a_scalar_is_numpys_error():
    with pytest.raises(TypeError, match="unsized"):
        len(Variable(np.array(1.0)))


def test_a_long_value_in_the_hint_is_cut():
    with pytest.raises(UnsupportedTypeError, match=r"np\.array\(\.\.\.\)"):
        Variable(list(range(100)))


class TestConstants:
    """What an operator gives for constants, or without a derivative, is a constant again."""

    def test_a_result_of_constants_gets_no_gradient_and_records_nothing(self):
        t = ops.square(np.array([1.0, 2.0]))
        assert ops.exp(t).creator is None
        x = Variable(np.array([3.0, 4.0]))
        y = np.sum((x - t) ** 2)
        y.backward()
        np.testing.assert_array_equal(x.grad, [4.0, 0.0])
        assert (t.grad, t.generation) == (None, -1)

    def test_so_does_that_of_an_operator_without_a_derivative(self):
        class Ranks(Function):
            differentiable = False

            def forward(self, x):
                return np.argsort(np.argsort(x)) * 1.0

        x = Variable(np.array([3.0, 1.0]))
        ranks = Ranks()(x)
        (ranks * x).sum().backward()
        np.testing.assert_array_equal(x.grad, [1.0, 0.0])
        assert ranks.grad is None

    def test_what_was_computed_without_recording_is_a_leaf(self):
        x = Variable(np.array(3.0))
        with no_grad():
            updated = x * 0.5
        (updated * 2).backward()
        assert updated.grad == 2.0


def test_parts_and_axes_are_attributes_as_of_arrays():
    z = np.array([[1 + 2j, 3 - 1j]])
    x = Variable(z)
    np.testing.assert_array_equal(x.real.data, z.real)
    np.testing.assert_array_equal(x.imag.data, z.imag)
    np.testing.assert_array_equal(x.mT.data, z.mT)
    x.imag.sum().backward()
    np.testing.assert_array_equal(x.grad, np.full((1, 2), -1j))


def test_divmod_is_pythons():
    x = Variable(np.array([7.0, -7.0]))
    whole, rest = divmod(x, 2)
    np.testing.assert_array_equal([whole.data, rest.data], np.divmod(x.data, 2))
    whole, rest = divmod(20, x)
    np.testing.assert_array_equal([whole.data, rest.data], np.divmod(20, x.data))


def test_a_named_tuple_of_results_is_made_plain_as_such():
    found = np.linalg.eigh(Variable(np.diag([1.0, 2.0])))
    assert type(plain(found)) is type(found)
    np.testing.assert_array_equal(plain(found).eigenvalues, [1.0, 2.0])


@pytest.mark.parametrize("gradient", [np.array(5.0), [5.0, 5.0], 1, "a", None])
def test_a_gradient_is_not_taken_for_a_switch_of_backward(gradient):
    x = Variable(np.ones(2))
    with pytest.raises(TypeError, match="set its grad first"):
        (x * 2).backward(gradient)
    assert x.grad is None
