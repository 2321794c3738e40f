"""Optimisers: their formulas, what they refuse, gradients without bounds."""

import numpy as np
import pytest
from opregistry_neural import SGD, Adam, Linear, Optimizer, clip_grads

from registry import Variable

GRADIENTS = np.random.default_rng(0).normal(size=(5, 3))


def run(optimizer, x):
    """Step along the same gradients as every other optimiser here."""
    for gradient in GRADIENTS:
        x.grad = gradient.astype(x.dtype)
        optimizer.step()
    return x.data


def by_hand(make, x, gradients=GRADIENTS):
    for t, gradient in enumerate(gradients, 1):
        x = make(x, gradient, t)
    return x


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_follows_its_formula(momentum):
    velocity = np.zeros(3)

    def step(x, g, t):
        nonlocal velocity
        velocity = momentum * velocity + g
        return x - 0.1 * velocity

    x = Variable(np.ones(3))
    found = run(SGD([x], lr=0.1, momentum=momentum), x)
    np.testing.assert_allclose(found, by_hand(step, np.ones(3)), rtol=1e-14)


@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_adam_follows_its_formula(decay):
    m, v = np.zeros(3), np.zeros(3)

    def step(x, g, t):
        nonlocal m, v
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g**2
        corrected = (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-3)
        return x - 0.1 * decay * x - 0.1 * corrected

    x = Variable(np.ones(3))
    adam = Adam([x], lr=0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=decay)
    np.testing.assert_allclose(run(adam, x), by_hand(step, np.ones(3)), rtol=1e-13)


@pytest.mark.parametrize("rule", [SGD, Adam])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
def test_steps_write_into_the_parameters_own_array_and_leave_gradients_alone(rule, dtype):
    x = Variable(np.ones((), dtype))
    array, x.grad = x.data, np.array(2, dtype)
    optimizer = rule([x], 0.5)
    optimizer.step()
    assert x.data is array
    assert array.dtype == dtype
    assert array < 1
    assert x.grad == 2


def test_a_parameter_without_a_gradient_stays_and_its_steps_do_not_count():
    x, y = Variable(np.ones(2)), Variable(np.ones(2))
    adam = Adam([x, y], lr=0.1)
    x.grad = np.ones(2)
    adam.step()
    np.testing.assert_array_equal(y.data, 1)
    assert adam.steps == [1, 0]
    adam.cleargrads()
    before = x.data.copy()
    adam.step()
    np.testing.assert_array_equal(x.data, before)


@pytest.mark.parametrize(("rule", "lr"), [(SGD, 0.1), (Adam, 0.05)])
def test_a_real_loss_of_complex_numbers_falls(rule, lr):
    """|z - a|**2 is least at a; without the conjugate of the gradient, the steps would lead away."""
    z, a = Variable(np.array([1 + 2j, -1j])), np.array([2 - 1j, 1 + 1j])
    optimizer = rule([z], lr)
    for _ in range(300):
        optimizer.cleargrads()
        np.sum(np.abs(z - a) ** 2).backward()
        optimizer.step()
    np.testing.assert_allclose(z.data, a, atol=1e-3)


def test_gradients_of_a_recorded_pass_serve_as_well():
    x = Variable(np.array([3.0]))
    (x * x).backward(create_graph=True)
    SGD([x], lr=0.5).step()
    np.testing.assert_array_equal(x.data, 0)


def test_the_learning_rate_may_change_between_steps():
    x = Variable(np.zeros(1))
    sgd = SGD([x], lr=1.0)
    for sgd.lr in (1.0, 0.5):
        x.grad = np.ones(1)
        sgd.step()
    assert x.data == -1.5


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ([], r"Adam: there are no parameters; pass model.parameters\(\)"),
        ([Variable(np.ones(1))] * 2, "Adam: a parameter stands twice"),
        ([Variable(np.ones(1, int))], "Adam: expected parameters of floating.*found {'int64'}"),
    ],
)
def test_parameters_that_cannot_be_are_refused(parameters, words):
    with pytest.raises(ValueError, match=words):
        Adam(parameters)


def test_a_rule_of_ones_own_gives_update():
    class Sign(Optimizer):
        def update(self, i, x, gradient):
            x -= self.lr * np.sign(gradient)

    x = Variable(np.zeros(3))
    x.grad = np.array([2.0, 0.0, -0.1])
    Sign([x], 0.5).step()
    np.testing.assert_array_equal(x.data, [-0.5, 0, 0.5])


def test_clipping_scales_all_gradients_by_their_common_norm():
    x, y, z = (Variable(np.zeros(n)) for n in (1, 1, 2))
    x.grad, y.grad = np.array([3.0]), np.array([4.0])
    assert clip_grads(iter([x, y, z]), 10.0) == 5
    assert (x.grad, y.grad) == (3, 4)
    assert clip_grads([x, y, z], 1.0) == 5
    np.testing.assert_allclose([x.grad[0], y.grad[0]], [0.6, 0.8], rtol=1e-15)
    assert z.grad is None
    x.grad[0] = np.inf
    assert clip_grads([x, y], 1.0) == np.inf
    assert y.grad[0] == pytest.approx(0.8)


def test_clipping_refuses_to_scale_a_gradient_twice():
    x, y = Variable(np.zeros(1)), Variable(np.zeros(1))
    x.grad = y.grad = np.array([3.0])
    with pytest.raises(ValueError, match="clip_grads: a parameter stands twice among parameters; pass each"):
        clip_grads([x, x], 1.0)
    with pytest.raises(ValueError, match="clip_grads: two parameters have one array as their gradient"):
        clip_grads([x, y], 1.0)
    with pytest.raises(TypeError, match=r"clip_grads: list is no parameter; pass model.parameters\(\)"):
        clip_grads([[x]], 1.0)
    assert x.grad == 3


@pytest.mark.parametrize("wrong", [Linear(2, 2), [Linear(2, 2)], [np.ones(2)], 3])
def test_what_is_no_parameter_is_refused(wrong):
    with pytest.raises(TypeError, match=r"Adam: \w+ is no parameter; pass model.parameters\(\)"):
        Adam(wrong)
