"""Steps of training, compiled: the weights are arguments."""

import numpy as np
import pytest

import registry
from registry.plugins import neural

RNG = np.random.default_rng(0)


def recurrent(weights, x, labels):
    states = neural.gru(x, *weights[:9])
    return neural.softmax_crossentropy(states[-1] @ weights[9], labels)


def convolutional(weights, x, labels):
    h = neural.max_pool(neural.relu(neural.conv_nd(x, weights[0], weights[1], padding=1)), 2)
    return neural.softmax_crossentropy(np.reshape(h, (len(x), -1)) @ weights[2], labels)


def attentive(weights, x, labels):
    q, k, v = (np.reshape(x @ w, (4, 3, 2, 5)) for w in weights[:3])
    y = neural.dot_product_attention(q, k, v, mask=np.tril(np.ones((3, 3), bool)))
    return neural.negative_log_likelihood(neural.logsoftmax(np.reshape(y, (4, -1)) @ weights[3]), labels)


GATE = [(5, 6), (6, 6), (6,)]


@pytest.mark.parametrize(
    ("loss", "shapes", "shape"),
    [
        (recurrent, [*GATE * 3, (6, 3)], (7, 4, 5)),
        (convolutional, [(2, 1, 3, 3), (2,), (8, 3)], (4, 1, 4, 4)),
        (attentive, [(10, 10)] * 3 + [(30, 3)], (4, 3, 10)),
    ],
)
def test_a_step_gives_the_same_loss_and_gradients(loss, shapes, shape):
    step = registry.value_and_grad(loss)
    compiled = registry.compile(step)
    weights = [RNG.normal(size=s) for s in shapes]
    for _ in range(3):
        x, labels = RNG.normal(size=shape), RNG.integers(3, size=4)
        value, gradients = compiled(weights, x, labels)
        expected, wanted = step(weights, x, labels)
        assert value == pytest.approx(expected, rel=1e-12)
        for found, gradient in zip(gradients, wanted, strict=True):
            np.testing.assert_allclose(found, gradient, rtol=1e-10, atol=1e-12)
        weights = [w - 0.1 * g for w, g in zip(weights, gradients, strict=True)]
    assert repr(compiled).endswith(" 1 plans>")


def test_a_wrong_label_is_refused_as_ever():
    compiled = registry.compile(lambda x, labels: neural.softmax_crossentropy(x, labels).data)
    x = RNG.normal(size=(2, 3))
    compiled(x, np.array([0, 2]))
    with pytest.raises(ValueError, match="must lie in 0 to 2"):
        compiled(x, np.array([0, 3]))
