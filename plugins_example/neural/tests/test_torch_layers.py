"""Convolution, pooling, normalisation, attention and the recurrent unit beside PyTorch's, in float64."""

from itertools import product

import numpy as np
import pytest
from opregistry_neural.attention import dot_product_attention
from opregistry_neural.columns import Fold, Unfold
from opregistry_neural.convolution import ConvNd, DeconvNd
from opregistry_neural.normalization import batchnorm, layer_norm, normalize_batch
from opregistry_neural.pooling import AveragePool, MaxPool
from opregistry_neural.recurrent import Gru

from registry import Variable

torch = pytest.importorskip("torch")
F = torch.nn.functional
SIZES, KERNELS = (7, 6, 5), (3, 2, 2)


def compare(ours, theirs, *shapes, second=True):
    """Compare values, gradients and, along random directions, second derivatives; count the arrays."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s) if isinstance(s, tuple) else s for s in shapes]
    xs = [Variable(a) for a in arrays]
    ts = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, t = ours(*xs), theirs(*ts)
    assert y.shape == tuple(t.shape)
    gy = rng.standard_normal(y.shape)
    np.sum(y * y * gy).backward(create_graph=second)
    tgs = torch.autograd.grad((t * t * torch.tensor(gy)).sum(), ts, create_graph=second)
    pairs = [(y.data, t), *[(np.asarray(x.grad.data), tg) for x, tg in zip(xs, tgs, strict=True)]]
    if second:
        directions = [rng.standard_normal(a.shape) for a in arrays]
        slope = sum(np.sum(x.grad * d) for x, d in zip(xs, directions, strict=True))
        t_slope = sum((tg * torch.tensor(d)).sum() for tg, d in zip(tgs, directions, strict=True))
        for x in xs:
            x.cleargrad()
        slope.backward()
        t_seconds = torch.autograd.grad(t_slope, ts)
        pairs += [(x.grad, ts) for x, ts in zip(xs, t_seconds, strict=True)]
    for own, their in pairs:
        their = their.detach().numpy()
        np.testing.assert_allclose(own, their, rtol=1e-10, atol=1e-10 * max(1, np.abs(their).max(initial=0)))


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("bias", [False, True])
def test_convolution(ndim, bias):
    conv = (F.conv1d, F.conv2d, F.conv3d)[ndim - 1]
    for stride, padding, dilation, groups in product((1, 2, 3), (0, 1, 2), (1, 2), (1, 2)):
        how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        compare(
            lambda x, W, b=None, how=how: ConvNd(**how)(x, W, b),
            lambda x, W, b=None, how=how: conv(x, W, b, **how),
            (2, 4, *SIZES[:ndim]),
            (6, 4 // groups, *KERNELS[:ndim]),
            *[(6,)] * bias,
            second=stride == padding + 1,
        )


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("bias", [False, True])
def test_transposed_convolution(ndim, bias):
    conv = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[ndim - 1]
    for stride, padding, dilation, groups, more in product((1, 2, 3), (0, 1), (1, 2), (1, 2), (0, 1, 2)):
        if more < stride:
            how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
            how["output_padding"] = more
            compare(
                lambda x, W, b=None, how=how: DeconvNd(**how)(x, W, b),
                lambda x, W, b=None, how=how: conv(x, W, b, **how),
                (2, 4, 4, 3, 3)[: ndim + 2],
                (4, 6 // groups, *KERNELS[:ndim]),
                *[(6,)] * bias,
                second=stride == padding + 1,
            )


def test_a_number_for_each_axis():
    how = {"stride": (2, 1), "padding": (0, 2), "dilation": (1, 3)}
    shapes = (2, 2, 9, 8), (3, 2, 2, 3), (3,)
    compare(lambda x, W, b: ConvNd(**how)(x, W, b), lambda x, W, b: F.conv2d(x, W, b, **how), *shapes)
    shapes = (2, 3, 4, 5), (3, 2, 2, 3), (2,)
    compare(
        lambda x, W, b: DeconvNd(**how, output_padding=(1, 0))(x, W, b),
        lambda x, W, b: F.conv_transpose2d(x, W, b, **how, output_padding=(1, 0)),
        *shapes,
    )


def test_one_group_for_each_channel():
    compare(
        lambda x, W: ConvNd(padding=1, groups=4)(x, W, None),
        lambda x, W: F.conv2d(x, W, padding=1, groups=4),
        (2, 4, 5, 5),
        (8, 1, 3, 3),
    )


def test_columns_in_several_blocks():
    compare(
        lambda x, W: ConvNd(padding=2)(x, W, None),
        lambda x, W: F.conv2d(x, W, padding=2),
        (8, 8, 30, 30),
        (2, 8, 5, 5),
        second=False,
    )


def test_columns_of_an_image():
    for stride, padding, dilation in product((1, 2), (0, 1), (1, 2)):
        how = {"stride": stride, "padding": padding, "dilation": dilation}
        x = np.random.default_rng(0).standard_normal((2, 3, 7, 6))
        expected = F.unfold(torch.tensor(x), (3, 2), **how).numpy()
        own = Unfold((3, 2), **how)(x).data
        np.testing.assert_array_equal(own.reshape(expected.shape), expected)
        image = F.fold(torch.tensor(expected), (7, 6), (3, 2), **how).numpy()
        np.testing.assert_allclose(Fold((7, 6), (3, 2), **how)(own).data, image, rtol=1e-14)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_maximum_over_windows(ndim):
    pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[ndim - 1]
    for size, stride, padding, dilation in product((2, 3), (1, 2, 3), (0, 1), (1, 2)):
        how = {"stride": stride, "padding": padding, "dilation": dilation}
        if (size - 1) * dilation + 1 <= SIZES[ndim - 1] + 2 * padding:
            compare(
                lambda x, size=size, how=how: MaxPool(size, **how)(x),
                lambda x, size=size, how=how: pool(x, size, **how),
                (2, 3, *SIZES[:ndim]),
            )


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_mean_over_windows(ndim):
    pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[ndim - 1]
    for size, stride, padding in product((2, 3), (1, 2, 3), (0, 1)):
        compare(
            lambda x, size=size, how=(stride, padding): AveragePool(size, *how)(x),
            lambda x, size=size, how=(stride, padding): pool(x, size, *how),
            (2, 3, *SIZES[:ndim]),
        )


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (4, 3, 2, 3), (2, 3, 2, 2, 3)])
@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_batch_normalisation(shape, eps):
    compare(
        lambda x: batchnorm(x, eps=eps),
        lambda x: F.batch_norm(x, None, None, None, None, True, eps=eps),
        shape,
    )
    compare(
        lambda x, g, b: batchnorm(x, g, b, eps=eps),
        lambda x, g, b: F.batch_norm(x, None, None, g, b, True, eps=eps),
        shape,
        (3,),
        (3,),
    )
    mean, var = np.array([0.5, -1.0, 2.0]), np.array([0.3, 2.0, 1.0])
    compare(
        lambda x, g, b: batchnorm(x, g, b, eps=eps, mean=mean, var=var),
        lambda x, g, b: F.batch_norm(x, torch.tensor(mean), torch.tensor(var), g, b, eps=eps),
        shape,
        (3,),
        (3,),
    )


def test_statistics_of_the_batch():
    x = np.random.default_rng(0).standard_normal((4, 3, 5))
    mean, var = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    F.batch_norm(torch.tensor(x), mean, var, None, None, True, momentum=1.0)
    _, own_mean, own_var = normalize_batch(x)
    np.testing.assert_allclose(own_mean.data, mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(own_var.data * 20 / 19, var.numpy(), rtol=1e-12)


@pytest.mark.parametrize("own", [(4,), (3, 4), (2, 3, 4)])
def test_layer_normalisation(own):
    axes = tuple(range(-len(own), 0))
    compare(lambda x: layer_norm(x, axis=axes), lambda x: F.layer_norm(x, own), (5, 2, 3, 4))
    compare(
        lambda x, g, b: layer_norm(x, g, b, axis=axes, eps=0.01),
        lambda x, g, b: F.layer_norm(x, own, g, b, eps=0.01),
        (5, 2, 3, 4),
        own,
        own,
    )


@pytest.mark.parametrize("queries", [3, 5])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention(queries, scale):
    def their(q, k, v, bias=None, **how):
        q, k, v = (a.transpose(1, 2) for a in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, bias, scale=scale, **how).transpose(1, 2)

    shapes = (2, queries, 4, 3), (2, 5, 4, 3), (2, 5, 4, 2)
    compare(lambda *a: dot_product_attention(*a, scale=scale), their, *shapes)
    compare(
        lambda *a: dot_product_attention(*a, scale=scale, is_causal=True),
        lambda *a: their(*a, is_causal=True),
        *shapes,
    )
    compare(lambda *a: dot_product_attention(*a, scale=scale), their, *shapes, (2, 1, queries, 5))
    mask = np.random.default_rng(1).uniform(size=(4, queries, 5)) < 0.6
    mask[..., 0] = True
    compare(
        lambda *a: dot_product_attention(*a, mask=mask, scale=scale),
        lambda q, k, v: their(q, k, v, torch.tensor(mask)),
        *shapes,
    )
    compare(
        lambda *a: dot_product_attention(*a, scale=scale),
        lambda *a: their(*a, enable_gqa=True),
        (2, queries, 4, 3),
        (2, 5, 2, 3),
        (2, 5, 2, 2),
    )


@pytest.mark.parametrize("first", [False, True])
def test_gated_recurrent_unit(first):
    def their(X, Uz, Wz, bz, Ur, Wr, br, Uh, Wh, bh, s=None):
        states = [torch.zeros(X.shape[1], len(bz), dtype=X.dtype) if s is None else s]
        for x in X:
            s = states[-1]
            z, r = torch.sigmoid(x @ Uz + s @ Wz + bz), torch.sigmoid(x @ Ur + s @ Wr + br)
            states.append((1 - z) * torch.tanh(x @ Uh + (r * s) @ Wh + bh) + z * s)
        return torch.stack(states)

    weights = [(2, 3), (3, 3), (3,)] * 3
    compare(lambda *a: Gru()(*a, *[None] * (not first)), their, (4, 5, 2), *weights, *[(5, 3)] * first)
