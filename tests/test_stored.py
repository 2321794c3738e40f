"""What forward stores on self: a float among it is a constant, which a second derivative must not use."""

import numpy as np
import pytest

from registry import Function, HigherOrderError, Variable


class Stores(Function):
    """exp, whose backward reads what forward kept on self."""

    def forward(self, x):
        y = np.exp(x)
        self.keep(y)
        return y

    def keep(self, y):
        self.kept = y

    def backward(self, gy):
        return gy * self.kept


def put(function, y):
    function.kept = y


class StoresDirectly(Stores):
    def forward(self, x):
        self.kept = np.exp(x)
        return self.kept.copy()


class StoresByAssigningTwo(Stores):
    def forward(self, x):
        self.kept, self.shape = np.exp(x), x.shape
        return np.exp(x)


class StoresThroughSuper(StoresDirectly):
    def forward(self, x):
        return super().forward(x)


class StoresThroughAFunction(Stores):
    def forward(self, x):
        put(self, np.exp(x))
        return np.exp(x)


class StoresBySetattr(Stores):
    def forward(self, x):
        setattr(self, "kept", np.exp(x))  # noqa: B010
        return np.exp(x)


class StoresInATuple(Stores):
    def keep(self, y):
        self.kept = (1, y)

    def backward(self, gy):
        return gy * self.kept[1]


class StoresInADict(StoresInATuple):
    def keep(self, y):
        self.kept = {1: [y]}

    def backward(self, gy):
        return gy * self.kept[1][0]


class StoresInADictOfInit(StoresInADict):
    def __init__(self):
        self.kept = {}

    def keep(self, y):
        self.kept[1] = [y]


class StoresAScalar(Stores):
    def keep(self, y):
        self.kept = y.max()


class StoresAFloat(Stores):
    def keep(self, y):
        self.kept = float(y.max())


STORING = [
    Stores, StoresDirectly, StoresByAssigningTwo, StoresThroughSuper, StoresThroughAFunction, StoresBySetattr,
    StoresInATuple, StoresInADict, StoresInADictOfInit, StoresAScalar, StoresAFloat,
]  # fmt: skip


@pytest.mark.parametrize("operator", STORING)
def test_floats_that_forward_stored_serve_the_first_derivative_only(operator):
    x = Variable(np.array([0.5]))
    operator()(x).backward()
    np.testing.assert_allclose(x.grad, np.exp(0.5))
    x.cleargrad()
    with pytest.raises(
        HigherOrderError, match=rf"{operator.__name__}.*reads self\.kept.*constants = \('kept',\)"
    ):
        operator()(x).backward(create_graph=True)
    assert x.grad is None


class Masked(Function):
    """Dropout in small: a mask, its scale and a shape are no functions of x."""

    constants = "scale", "scales"

    def __init__(self, rate):
        self.rate = rate

    def forward(self, x):
        self.mask = np.arange(x.size).reshape(x.shape) % 2 == 0
        self.places = {"all": np.arange(x.size)}
        self.scale = np.full(x.shape, 1 / (1 - self.rate))
        self.scales = {"all": self.scale}
        return x**3 * self.mask * self.scale

    def backward(self, gy):
        assert self.places["all"].dtype.kind == "i"
        return 3 * self.xs[0] ** 2 * self.mask * self.scales["all"] * gy


def test_masks_integers_parameters_and_declared_constants_are_no_error():
    x = Variable(np.array([1.0, 2.0, 3.0]))
    Masked(0.5)(x).backward(create_graph=True)
    first = x.grad
    x.cleargrad()
    first.backward()
    np.testing.assert_allclose(x.grad, [12, 0, 36])
