"""Pooling by its definition, at ties and in the padding; what is refused."""

import numpy as np
import pytest
from opregistry_neural.pooling import AveragePool, MaxPool, average_pooling, pooling

from registry import Variable

X = np.array([[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 7.0, 6.0], [9.0, 8.0, 1.0, 1.0], [0.0, 2.0, 3.0, 4.0]])
IMAGE = X[np.newaxis, np.newaxis]


def test_numbers_by_hand():
    np.testing.assert_array_equal(MaxPool(2)(IMAGE).data[0, 0], [[5, 7], [9, 4]])
    np.testing.assert_array_equal(AveragePool(2)(IMAGE).data[0, 0], [[3.25, 3.75], [4.75, 2.25]])
    np.testing.assert_array_equal(MaxPool(3, 1)(IMAGE).data[0, 0], [[9, 8], [9, 8]])


def test_a_tuple_says_which_axes_are_spatial():
    np.testing.assert_array_equal(MaxPool((2, 4))(X).data, [[7], [9]])
    np.testing.assert_array_equal(MaxPool((4,))(X).data, [[5], [7], [9], [4]])
    np.testing.assert_array_equal(AveragePool((4, 1), 1)(X).data, X.mean(axis=0, keepdims=True))


def test_names_for_two_axes_have_a_stride_of_one():
    np.testing.assert_array_equal(pooling(IMAGE, 2).data[0, 0], [[5, 7, 7], [9, 8, 7], [9, 8, 4]])
    np.testing.assert_array_equal(pooling(IMAGE, 2, 2, 1).data[0, 0], [[1, 5, 0], [9, 8, 6], [0, 3, 4]])
    np.testing.assert_array_equal(average_pooling(IMAGE, 2, 2).data[0, 0], [[3.25, 3.75], [4.75, 2.25]])


def test_the_first_of_equal_elements_has_the_gradient():
    x = Variable(np.array([[[1.0, 1.0, 1.0, 0.0, 0.0]]]))
    MaxPool(3, 1)(x).backward()
    np.testing.assert_array_equal(x.grad, [[[1, 1, 1, 0, 0]]])


def test_an_element_that_is_largest_in_several_windows_gets_all_their_gradients():
    x = Variable(IMAGE)
    MaxPool(3, 1)(x).backward()
    expected = np.zeros((4, 4))
    expected[2, 0] = expected[2, 1] = 2
    np.testing.assert_array_equal(x.grad[0, 0], expected)


def test_the_padding_is_never_the_largest_but_counts_in_a_mean():
    lowest = np.full((1, 1, 2, 2), np.finfo(float).min)
    np.testing.assert_array_equal(MaxPool(2, 2, 1)(lowest).data, lowest)
    x = Variable(-np.ones((1, 1, 2, 2)))
    np.testing.assert_array_equal(MaxPool(2, 1, 1)(x).data, -np.ones((1, 1, 3, 3)))
    np.testing.assert_array_equal(AveragePool(2, 2, 1)(x).data, np.full((1, 1, 2, 2), -0.25))
    MaxPool(2, 2, 1)(x).backward()
    np.testing.assert_array_equal(x.grad, np.ones((1, 1, 2, 2)))


def test_integers():
    x = np.arange(-8, 0).reshape(1, 1, 8)
    np.testing.assert_array_equal(MaxPool(2, 2, 1)(x).data, [[[-8, -6, -4, -2, -1]]])
    np.testing.assert_array_equal(AveragePool(2)(x.astype(np.int8)).data, [[[-7.5, -5.5, -3.5, -1.5]]])


def test_nan_is_the_largest():
    np.testing.assert_array_equal(MaxPool((2,))(np.array([1.0, np.nan, 2.0, 3.0])).data, [np.nan, 3])


def test_large_windows_have_places_of_their_own():
    x = Variable(np.arange(400.0).reshape(1, 1, 20, 20))
    MaxPool(20)(x).backward()
    expected = np.zeros((20, 20))
    expected[-1, -1] = 1
    np.testing.assert_array_equal(x.grad[0, 0], expected)


@pytest.mark.parametrize("pool", [MaxPool, AveragePool])
@pytest.mark.parametrize(
    ("how", "message"),
    [
        ((5,), r"spans \(5, 5\), but axes of lengths \(4, 4\) with padding \(0, 0\) have \(4, 4\)"),
        ((0,), "the kernel's shape is 0; expected an int of at least 1"),
        ((2, 0), "stride is 0; expected an int of at least 1"),
        ((2, 2, 2), r"padding is \(2, 2\); expected no more than half of what a window spans, \(2, 2\)"),
        (((2, 2, 2, 2, 2),), "or a tuple of one length for each of x's last axes"),
        (((),), "with one or more spatial axes"),
    ],
)
def test_windows_that_do_not_fit_are_refused(pool, how, message):
    with pytest.raises(ValueError, match=message):
        pool(*how)(IMAGE)


def test_complex_numbers_have_no_largest():
    with pytest.raises(TypeError, match="x is complex128, of which none is the largest"):
        MaxPool(2)(IMAGE + 0j)


def test_mean_of_more_numbers_than_float16_can_add_up_by_one():
    n = 8_000
    x = Variable(np.tile(np.array([0.25, 0.75], np.float16), n // 2).reshape(1, 1, n))
    y = AveragePool(n)(x)
    y.backward()
    assert (y.data, y.dtype) == (0.5, np.float16)
    np.testing.assert_array_equal(x.grad, np.full((1, 1, n), np.float16(1 / n)))
