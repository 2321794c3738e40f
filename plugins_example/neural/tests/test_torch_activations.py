"""The values and gradients of PyTorch on a grid with all kinks; those of JAX where PyTorch lacks the name."""

import numpy as np
import pytest

from registry import Variable
from registry.plugins import neural

GRID = np.concatenate([np.linspace(-12, 12, 97), [-1e-9, 1e-9, -80, 80]])  # with 0 and all kinks
SCORES = np.random.default_rng(0).normal(size=(6, 5)) * 4
LABELS = np.array([0, 4, 2, 2, 1, 3])
SIGNS = np.where(LABELS > 1, 1, -1)
SHARES = np.concatenate([np.random.default_rng(1).uniform(size=10), [0, 1, 1e-11]])
TARGETS = np.arange(13) % 2


def compare(ours, theirs, x, rtol):
    """Compare value and gradient (of a sum with weights) with those of PyTorch."""
    torch = pytest.importorskip("torch")
    v, t = Variable(x), torch.tensor(x, requires_grad=True)
    y, expected = ours(v), theirs(t)
    weights = np.random.default_rng(2).normal(size=y.shape)
    np.sum(y * weights).backward()
    (expected * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(y.data, expected.detach().numpy(), rtol=rtol, atol=1e-14)
    np.testing.assert_allclose(v.grad, t.grad.numpy(), rtol=rtol, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "constants", "theirs", "their_constants"),
    [
        ("relu", {}, "relu", {}),
        ("relu6", {}, "relu6", {}),
        ("leaky_relu", {}, "leaky_relu", {}),
        ("leaky_relu", {"slope": 0.3}, "leaky_relu", {"negative_slope": 0.3}),
        ("hard_tanh", {}, "hardtanh", {}),
        ("hard_tanh", {"lower_bound": -3, "upper_bound": 0.5}, "hardtanh", {"min_val": -3, "max_val": 0.5}),
        ("hard_sigmoid", {}, "hardsigmoid", {}),
        ("hard_silu", {}, "hardswish", {}),
        ("hard_swish", {}, "hardswish", {}),
        ("elu", {}, "elu", {}),
        ("elu", {"alpha": 0.7}, "elu", {"alpha": 0.7}),
        ("celu", {}, "celu", {}),
        ("celu", {"alpha": 2.5}, "celu", {"alpha": 2.5}),
        ("selu", {}, "selu", {}),
        ("soft_sign", {}, "softsign", {}),
        ("sigmoid", {}, "sigmoid", {}),
        ("softplus", {}, "softplus", {"threshold": 100}),
        ("log_sigmoid", {}, "logsigmoid", {}),
        ("silu", {}, "silu", {}),
        ("mish", {}, "mish", {}),
        ("gelu", {"approximate": False}, "gelu", {}),
        ("gelu", {}, "gelu", {"approximate": "tanh"}),
    ],
)
def test_activations_agree_with_pytorch(name, constants, theirs, their_constants):
    functional = pytest.importorskip("torch.nn.functional")
    compare(
        lambda x: getattr(neural, name)(x, **constants),
        lambda x: getattr(functional, theirs)(x, **their_constants),
        GRID,
        rtol=1e-7 if name == "hard_sigmoid" else 1e-12,  # their sixth is a float32
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "x"),
    [
        (lambda x: neural.softmax(x, 0), lambda f, x: f.softmax(x, 0), SCORES),
        (neural.softmax, lambda f, x: f.softmax(x, -1), SCORES),
        (neural.logsoftmax, lambda f, x: f.log_softmax(x, -1), SCORES),
        (lambda x: neural.logmeanexp(x, 1), lambda f, x: x.logsumexp(1) - np.log(5), SCORES),
        (lambda x: neural.glu(x, 0), lambda f, x: f.glu(x, 0), SCORES),
        (
            lambda x: neural.softmax_crossentropy(x, LABELS),
            lambda f, x: f.cross_entropy(x, x.new_tensor(LABELS).long()),
            SCORES,
        ),
        (
            lambda x: neural.negative_log_likelihood(x, LABELS),
            lambda f, x: f.nll_loss(x, x.new_tensor(LABELS).long()),
            SCORES,
        ),
        (
            lambda x: neural.multiclass_hinge(x, LABELS, 0.7) / 5,
            lambda f, x: f.multi_margin_loss(x, x.new_tensor(LABELS).long(), margin=0.7),
            SCORES,
        ),
        (
            lambda x: neural.margin_ranking_loss(x[:, 0], x[:, 1], SIGNS, 0.5),
            lambda f, x: f.margin_ranking_loss(x[:, 0], x[:, 1], x.new_tensor(SIGNS), margin=0.5),
            SCORES,
        ),
        (
            lambda x: neural.margin_ranking_loss(x, np.zeros(3), 1, 1.0),
            lambda f, x: f.margin_ranking_loss(x, x.new_zeros(3), x.new_ones(3), margin=1.0),
            np.array([1.0, 0.5, 2.0]),  # the first at the kink
        ),
        (
            lambda x: neural.mean_squared_error(x, SCORES[::-1]) / 5,
            lambda f, x: f.mse_loss(x, x.new_tensor(SCORES[::-1].copy())),
            SCORES,
        ),
        (
            lambda x: neural.binary_cross_entropy(x, TARGETS),
            lambda f, x: f.binary_cross_entropy(x, x.new_tensor(TARGETS)),
            SHARES,
        ),
        (
            lambda x: neural.sigmoid_cross_entropy(x, np.linspace(0, 1, 101)),
            lambda f, x: f.binary_cross_entropy_with_logits(x, x.new_tensor(np.linspace(0, 1, 101))),
            GRID,
        ),
        (
            lambda x: neural.linear(x, SCORES[:5], SCORES[5]),
            lambda f, x: f.linear(x, x.new_tensor(SCORES[:5].T), x.new_tensor(SCORES[5])),
            SCORES,
        ),
        (
            lambda W: neural.embed_id(LABELS, W),
            lambda f, W: f.embedding(W.new_tensor(LABELS).long(), W),
            SCORES,
        ),
    ],
)
def test_operators_agree_with_pytorch(ours, theirs, x):
    functional = pytest.importorskip("torch.nn.functional")
    compare(ours, lambda t: theirs(functional, t), x, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("log1mexp", np.geomspace(1e-6, 50, 40)),
        ("squareplus", GRID),
        ("sparse_plus", GRID),
        ("sparse_sigmoid", GRID[abs(GRID) != 1]),  # at its ends JAX halves the slope
        ("logmeanexp", SCORES),
    ],
)
def test_activations_agree_with_jax(name, x):
    jax = pytest.importorskip("jax")
    v = Variable(x)
    y = getattr(neural, name)(v)
    np.sum(y).backward()
    theirs = getattr(jax.nn, name)
    with jax.enable_x64(True):
        expected, slope = theirs(x), jax.grad(lambda x: theirs(x).sum())(x)
    np.testing.assert_allclose(y.data, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(v.grad, slope, rtol=1e-12, atol=1e-14)
