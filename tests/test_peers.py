"""The same expressions in PyTorch and in HIPS autograd: equal values, gradients and second derivatives."""

from types import SimpleNamespace

import numpy as np
import pytest

from registry import Variable

A = np.array([[0.5, -1.2, 2.0], [1.5, 0.3, -0.7]])
B = np.array([[1.1, 0.4, -0.9], [-0.2, 2.2, 0.6]])
ROW = np.array([0.7, -1.1, 0.3])
SQUARE = np.array([[1.0, 0.2, -0.5], [0.3, 1.4, 0.1], [-0.6, 0.8, 0.9]])

EXPRESSIONS = {
    "arithmetic": (lambda np, a, b: a * b - a / (b * b + 1) + 2 * b - 3 / (a * a + 2), A, B),
    "broadcast sum": (lambda np, a, b: (a + b) * b, A, ROW),
    "broadcast column": (lambda np, a, b: a * b[:, :1] - b[:, 1:2] / (a * a + 1), A, B),
    "constant power": (lambda np, a, b: a**3 + b**2 - (a * a + 1) ** -0.5, A, B),
    "power": (lambda np, a, b: (a * a + 0.5) ** b, A, B),
    "power of a number": (lambda np, a, b: 2.0 ** (a * b), A, B),
    "exp and log": (lambda np, a, b: np.exp(a) * np.log(b * b + 0.1), A, B),
    "log1p and expm1": (lambda np, a, b: np.log1p(a * a) * np.expm1(b), A, B),
    "sqrt": (lambda np, a, b: np.sqrt(a * a + b * b), A, B),
    "sin and cos": (lambda np, a, b: np.sin(a * b) + np.cos(a) ** 2, A, B),
    "tan": (lambda np, a, b: np.tan(a / 3) * b, A, B),
    "tanh": (lambda np, a, b: np.tanh(a) * np.tanh(b) - np.tanh(a * b), A, B),
    "abs": (lambda np, a, b: np.abs(a) * a * b, A, B),
    "maximum and minimum": (lambda np, a, b: np.maximum(a, b) ** 2 * np.minimum(a, b), A, B),
    "tied maximum": (lambda np, a, b: np.maximum(a * a, a * a) * b, A, B),
    "tied maximum of many": (lambda np, a, b: np.max(np.concatenate([a, a], 1), 1) ** 2 * b[:, 0], A, B),
    "where": (lambda np, a, b: np.where(a > b, a * b, b * b * b), A, B),
    "clip": (lambda np, a, b: np.clip(a, -1.0, 1.0) * b * a, A, B),
    "sum and mean": (lambda np, a, b: np.sum(a * b, axis=0) * np.mean(b, axis=1)[0] * np.mean(a), A, B),
    "normalized": (lambda np, a, b: a / np.sum(a * a, axis=1, keepdims=True) * b, A, B),
    "softmax": (lambda np, a, b: np.exp(a) / np.sum(np.exp(a), axis=-1, keepdims=True) * b, A, B),
    "max along an axis": (lambda np, a, b: np.max(a * b, axis=1) ** 2, A, B),
    "min of all": (lambda np, a, b: np.min(a) * np.min(a) * b, A, B),
    "matmul": (lambda np, a, b: np.matmul(a, b) @ b, A, SQUARE),
    "matrix and vector": (lambda np, a, b: (a @ b) ** 2, A, ROW),
    "batched matmul": (lambda np, a, b: np.matmul(a, b[None, :, :] * b[0, 0]), A[None], SQUARE),
    "vectors": (lambda np, a, b: (a @ b) * (a @ a), ROW, SQUARE[0]),
    "layer": (lambda np, a, b: np.tanh(np.matmul(np.tanh(a @ b), b)), A, SQUARE),
    "repeated index": (lambda np, a, b: a[[0, 0, 1]] ** 3 * b[0], A, B),
    "strides and None": (lambda np, a, b: a[:, None, ::2] * b[None, :, 1:] * b[0, 0], A, B),
    "reshape and transpose": (lambda np, a, b: np.reshape(a * a, (3, 2)) * np.transpose(b, (1, 0)), A, B),
    "concatenate": (lambda np, a, b: np.concatenate([a * b, b, a], 1) ** 2, A, B),
    "stack": (lambda np, a, b: np.stack([a, a * b, b], 1) ** 3, A, B),
}


class Torch(SimpleNamespace):
    """The NumPy names that the expressions use, as PyTorch has them."""

    def __init__(self, torch):
        names = (
            "exp log log1p expm1 sqrt sin cos tan tanh abs maximum minimum where clip reshape matmul stack"
        )
        super().__init__(**{name: getattr(torch, name) for name in names.split()})
        self.sum, self.mean, self.max, self.min = torch.sum, torch.mean, torch.amax, torch.amin
        self.transpose, self.concatenate = torch.permute, torch.cat


def weights(shape):
    return np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape) + 0.2


def ours(expression, arrays):
    """Give the value, both gradients of its weighted sum, and those of the gradients' squares."""
    xs = [Variable(a) for a in arrays]
    y = expression(np, *xs)
    (y * weights(y.shape)).sum().backward(create_graph=True)
    firsts = [x.grad for x in xs]
    for x in xs:
        x.cleargrad()
    sum((g * g).sum() for g in firsts).backward()
    return [y.data, *(g.data for g in firsts), *(x.grad for x in xs)]


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_torch_has_the_same_value_gradients_and_second_derivatives(name):
    torch = pytest.importorskip("torch")
    expression, *arrays = EXPRESSIONS[name]
    xs = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = expression(Torch(torch), *xs)
    firsts = torch.autograd.grad((y * torch.tensor(weights(y.shape))).sum(), xs, create_graph=True)
    seconds = torch.autograd.grad(sum((g * g).sum() for g in firsts), xs)
    assert_same(ours(expression, arrays), [t.detach().numpy() for t in (y, *firsts, *seconds)])


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_autograd_has_the_same_value_gradients_and_second_derivatives(name):
    autograd = pytest.importorskip("autograd")
    anp = pytest.importorskip("autograd.numpy")
    expression, *arrays = EXPRESSIONS[name]

    def loss(a, b):
        y = expression(anp, a, b)
        return anp.sum(y * weights(y.shape))

    firsts = autograd.grad(loss, (0, 1))

    def squares(a, b):
        return sum(anp.sum(g * g) for g in firsts(a, b))

    expected = [expression(np, *arrays), *firsts(*arrays), *autograd.grad(squares, (0, 1))(*arrays)]
    assert_same(ours(expression, arrays), expected)
