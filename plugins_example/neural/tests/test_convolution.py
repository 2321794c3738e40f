"""Convolution by its definition, element by element; shapes, dtypes, memory, and what is refused."""

from itertools import product

import numpy as np
import pytest
from opregistry_neural import convolution
from opregistry_neural.columns import col2im, im2col
from opregistry_neural.convolution import ConvNd, ConvNdWeight, DeconvNd, conv2d, deconv2d

from registry import Variable, no_grad


def by_definition(x, W, stride, padding, dilation, groups):
    """Give the convolution as the sum that defines it."""
    n = W.ndim - 2
    padded = np.pad(x, [(0, 0), (0, 0), *zip(padding, padding, strict=True)])
    counts = [
        (padded.shape[2 + i] - dilation[i] * (W.shape[2 + i] - 1) - 1) // stride[i] + 1 for i in range(n)
    ]
    y = np.zeros((len(x), len(W), *counts))
    for o, place in product(range(len(W)), np.ndindex(*counts)):
        first = o // (len(W) // groups) * W.shape[1]
        for c, offset in product(range(W.shape[1]), np.ndindex(*W.shape[2:])):
            at = [place[i] * stride[i] + offset[i] * dilation[i] for i in range(n)]
            y[(slice(None), o, *place)] += padded[(slice(None), first + c, *at)] * W[(o, c, *offset)]
    return y


CASES = [
    ((2, 2, 6), (4, 2, 3), (1,), (1,), (2,), 1),
    ((2, 4, 5, 6), (2, 2, 2, 3), (2, 1), (1, 0), (1, 2), 2),
    ((2, 3, 5, 4), (3, 1, 2, 2), (1, 2), (0, 1), (2, 1), 3),
    ((1, 2, 4, 3, 5), (2, 2, 2, 1, 3), (1, 2, 3), (1, 0, 2), (2, 1, 1), 1),
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("block", [1, 2**20])
def test_the_sum_that_defines_it(case, block, monkeypatch):
    monkeypatch.setattr(convolution, "_BLOCK", block)  # bytes of columns at once
    rng = np.random.default_rng(0)
    x, W = rng.standard_normal(case[0]), rng.standard_normal(case[1])
    expected = by_definition(x, W, *case[2:])
    np.testing.assert_allclose(ConvNd(*case[2:])(x, W, None).data, expected, atol=1e-13)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("block", [1, 2**20])
def test_the_transpose_is_the_transpose(case, block, monkeypatch):
    monkeypatch.setattr(convolution, "_BLOCK", block)
    rng = np.random.default_rng(0)
    x, W = rng.standard_normal(case[0]), rng.standard_normal(case[1])
    y = by_definition(x, W, *case[2:])
    gy = rng.standard_normal(y.shape)
    spanned = [
        (n - 1) * s + d * (k - 1) + 1 - 2 * p
        for n, k, s, p, d in zip(y.shape[2:], W.shape[2:], *case[2:5], strict=True)
    ]
    rest = tuple(np.subtract(x.shape[2:], spanned))
    transposed = DeconvNd(*case[2:], rest)(gy, W, None).data
    assert transposed.shape == x.shape
    np.testing.assert_allclose(np.sum(transposed * x), np.sum(y * gy))
    weights = ConvNdWeight(W.shape[2:], *case[2:])(x, gy).data
    np.testing.assert_allclose(np.sum(weights * W), np.sum(y * gy))


def test_a_published_example_of_a_plane():
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    sobel = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])[np.newaxis, np.newaxis]
    np.testing.assert_array_equal(conv2d(x, sobel).data, np.full((1, 1, 2, 2), -8.0))
    np.testing.assert_array_equal(conv2d(x, sobel, np.array([8.0])).data, np.zeros((1, 1, 2, 2)))


def test_names_for_two_axes():
    rng = np.random.default_rng(0)
    x, W, b = rng.standard_normal((2, 3, 5, 5)), rng.standard_normal((4, 3, 3, 3)), rng.standard_normal(4)
    np.testing.assert_array_equal(conv2d(x, W, b, 2, 1).data, ConvNd(2, 1)(x, W, b).data)
    x = rng.standard_normal((2, 4, 3, 3))
    assert deconv2d(x, W, None, 2, 1).shape == (2, 3, 5, 5)
    larger = deconv2d(x, W, None, 2, 1, outsize=(6, 5)).data
    assert larger.shape == (2, 3, 6, 5)
    np.testing.assert_array_equal(larger[:, :, :5], deconv2d(x, W, None, 2, 1).data)


def test_columns_are_windows_in_rows():
    x = np.arange(24.0).reshape(1, 2, 3, 4)
    rows = im2col(x, 2).data
    assert rows.shape == (6, 8)
    np.testing.assert_array_equal(rows[0], [0, 1, 4, 5, 12, 13, 16, 17])
    np.testing.assert_array_equal(rows[1], [1, 2, 5, 6, 13, 14, 17, 18])
    np.testing.assert_array_equal(rows[-1], [6, 7, 10, 11, 18, 19, 22, 23])
    assert im2col(x, (2, 3), to_matrix=False).shape == (1, 2, 2, 3, 2, 2)
    counts = col2im(np.ones((6, 8)), (1, 2, 3, 4), 2).data
    np.testing.assert_array_equal(counts[0, 1], [[1, 2, 2, 1], [2, 4, 4, 2], [1, 2, 2, 1]])


@pytest.mark.parametrize("memory", ["C", "F"])
def test_memory_orders_of_inputs_give_one_result(memory):
    rng = np.random.default_rng(0)
    x, W = rng.standard_normal((3, 2, 5, 5)), rng.standard_normal((2, 2, 3, 3))
    expected = ConvNd(padding=1)(x, W, None).data
    np.testing.assert_allclose(
        ConvNd(padding=1)(np.asarray(x, order=memory), W[::-1], None).data[:, ::-1], expected, atol=1e-14
    )


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.int64])
def test_dtypes_are_kept(dtype):
    x, W = np.ones((1, 2, 4), dtype), np.ones((3, 2, 2), dtype)
    assert ConvNd()(x, W, np.ones(3, dtype)).dtype == dtype
    assert DeconvNd()(x, np.ones((2, 1, 2), dtype), None).dtype == dtype


def test_an_empty_batch_gives_empty_images_and_gradients_of_zero():
    x, W = Variable(np.zeros((0, 2, 5, 5))), Variable(np.ones((3, 2, 2, 2)))
    y = ConvNd(2)(x, W, None)
    y.backward()
    assert y.shape == (0, 3, 2, 2)
    assert x.grad.shape == x.shape
    np.testing.assert_array_equal(W.grad, np.zeros(W.shape))


def test_the_gradient_of_a_constant_image_is_not_computed(monkeypatch):
    x, W = np.ones((1, 1, 3)), Variable(np.ones((1, 1, 2)))
    y = ConvNd()(x, W, None)
    monkeypatch.setattr(DeconvNd, "forward", None)
    y.backward()
    np.testing.assert_array_equal(W.grad, [[[2, 2]]])


def test_columns_take_little_memory_beside_large_images():
    import tracemalloc

    x, W = np.zeros((4, 8, 128, 128), np.float32), np.zeros((8, 8, 5, 5), np.float32)
    x = ConvNd(padding=2)(x, W, None).data  # in the order of results
    tracemalloc.start()
    with no_grad():
        ConvNd(padding=2)(x, W, None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * x.nbytes  # 25 times with the columns of all windows at once


X, W = np.zeros((2, 4, 5, 5)), np.zeros((6, 4, 3, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ConvNd()(X[:, :3], W, None), r"x has shape \(2, 3, 5, 5\), 3 channels; expected 4 channels"),
        (lambda: ConvNd(groups=2)(X, W, None), "expected 8 channels for W of shape .* and groups=2"),
        (lambda: ConvNd(groups=4)(X, W[:, :1], None), "groups is 4; expected a divisor of 6, for W"),
        (lambda: ConvNd(groups=0)(X, W, None), "groups is 0; expected a divisor of 6"),
        (lambda: ConvNd()(X[0], W, None), r"x has shape \(4, 5, 5\) and W \(6, 4, 3, 3\); expected"),
        (lambda: ConvNd()(X[0, 0], W[0, 0], None), "with one or more spatial ones"),
        (lambda: ConvNd()(X[:, :, :2], W, None), r"lengths \(2, 5\) with padding \(0, 0\) have \(2, 5\)"),
        (lambda: ConvNd(dilation=3)(X, W, None), r"with dilation \(3, 3\) spans \(7, 7\)"),
        (lambda: ConvNd(stride=0)(X, W, None), "stride is 0; expected an int of at least 1"),
        (lambda: ConvNd(stride=1.5)(X, W, None), "stride is 1.5; expected an int"),
        (lambda: ConvNd(padding=(1, 2, 3))(X, W, None), r"padding is \(1, 2, 3\); .* a tuple of 2"),
        (lambda: ConvNd(padding=-1)(X, W, None), "padding is -1; expected an int of at least 0"),
        (lambda: ConvNd()(X, W, np.zeros(4)), r"b has shape \(4,\); expected \(6,\)"),
        (lambda: DeconvNd()(X, W, None), "4 channels; expected 6 channels"),
        (
            lambda: DeconvNd(2, output_padding=2)(X, W[:4], None),
            "expected one window at least, an output_padd",
        ),
        (lambda: DeconvNd(padding=9)(X, W[:4], None), "lengths of 0 or more"),
        (lambda: ConvNdWeight((3, 3))(X, X), r"gy has shape .*; expected \(2, O, 3, 3\) for x of shape"),
        (lambda: conv2d(X[0], W), r"conv2d: the images have shape \(4, 5, 5\); expected \(N, C, H, W\)"),
        (lambda: col2im(np.zeros((5, 36)), X.shape, 3), "cannot reshape"),
    ],
)
def test_shapes_that_do_not_go_together_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
