"""The libraries compared: how each differentiates a formula of its own functions.

A formula is a plain function ``formula(m, *xs)``: `m` holds a library's functions under
NumPy's names, `xs` are its variables. What is prepared here is called many times; it
gives the value, where it computes one, and the derivatives. A network is a function of
the layers in `networks`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any, ClassVar, TypeAlias

import networks
import numpy as np

Formula: TypeAlias = Callable[..., Any]
Network: TypeAlias = Callable[[SimpleNamespace], Any]
Run: TypeAlias = Callable[[], Sequence[Any]]

FUNCTIONS = ("exp", "matmul", "maximum", "mean", "sin", "square", "sum", "tanh")


class UnsupportedError(Exception):
    """A library cannot do what a workload asks for."""


class Library(ABC):
    """One library: its functions under NumPy's names, and its ways to differentiate."""

    name: ClassVar[str]
    module: ClassVar[str]
    m: SimpleNamespace

    def constant(self, value: Any) -> Any:
        """Give an array or number as this library takes one that is not differentiated."""
        return value

    @abstractmethod
    def gradient(self, formula: Formula, arrays: Sequence[Any]) -> Run:
        """Prepare the value of a formula and its gradient by each array."""

    def derivative(self, formula: Formula, x: Any, order: int) -> Run:
        """Prepare the derivative of some order by one number."""
        raise UnsupportedError(f"{self.name} has no higher derivatives")

    def hvp(self, formula: Formula, x: Any, direction: Any) -> Run:
        """Prepare the product of a formula's Hessian with a direction."""
        raise UnsupportedError(f"{self.name} has no higher derivatives")

    def training_step(self, network: Network, x: Any, labels: Any) -> Run:
        """Prepare a step of Adam, which gives the loss before it."""
        raise UnsupportedError(f"{self.name} has no layers")


def functions_of(module: Any) -> SimpleNamespace:
    """Take the functions that formulas use, so that every library looks them up alike."""
    return SimpleNamespace(**{name: getattr(module, name) for name in FUNCTIONS})


class OpRegistry(Library):
    """The library of this checkout, through its generated helpers and Python's operators."""

    name = "opregistry"
    module = "registry"

    def __init__(self) -> None:
        from registry import Variable, ops

        self.m = functions_of(ops)
        self.variable = Variable

    def gradient(self, formula: Formula, arrays: Sequence[Any]) -> Run:
        m, xs = self.m, [self.variable(array) for array in arrays]

        def run() -> Sequence[Any]:
            for x in xs:
                x.cleargrad()
            y = formula(m, *xs)
            y.backward()
            return [y.data, *[x.grad for x in xs]]

        return run

    def derivative(self, formula: Formula, x: Any, order: int) -> Run:
        m, v = self.m, self.variable(x)

        def run() -> Sequence[Any]:
            y = formula(m, v)
            for left in range(order - 1, -1, -1):
                v.cleargrad()
                y.backward(create_graph=left > 0)
                y = v.grad
            return [y]

        return run

    def hvp(self, formula: Formula, x: Any, direction: Any) -> Run:
        m, v = self.m, self.variable(x)

        def run() -> Sequence[Any]:
            v.cleargrad()
            formula(m, v).backward(create_graph=True)
            gradient = v.grad
            v.cleargrad()
            gradient.grad = direction
            gradient.backward()
            return [v.grad]

        return run

    def training_step(self, network: Network, x: Any, labels: Any) -> Run:
        n = networks.neural_layers()
        model = network(n)
        adam = n.Adam(model.parameters())

        def run() -> Sequence[Any]:
            loss = n.cross_entropy(model(x), labels)
            adam.cleargrads()
            loss.backward()
            adam.step()
            return [loss.data]

        return run


class Autograd(Library):
    """HIPS autograd."""

    name = module = "autograd"

    def __init__(self) -> None:
        import autograd
        import autograd.numpy

        self.m = functions_of(autograd.numpy)
        self.autograd = autograd

    def gradient(self, formula: Formula, arrays: Sequence[Any]) -> Run:
        m = self.m
        differentiate = self.autograd.value_and_grad(
            lambda *xs: formula(m, *xs), argnum=tuple(range(len(arrays)))
        )

        def run() -> Sequence[Any]:
            value, gradients = differentiate(*arrays)
            return [value, *gradients]

        return run

    def derivative(self, formula: Formula, x: Any, order: int) -> Run:
        m = self.m

        def function(x: Any) -> Any:
            return formula(m, x)

        for _ in range(order):
            function = self.autograd.grad(function)
        return lambda: [function(x)]

    def hvp(self, formula: Formula, x: Any, direction: Any) -> Run:
        m = self.m
        make = self.autograd.make_hvp(lambda x: formula(m, x))
        return lambda: [make(x)[0](direction)]


class MyGrad(Library):
    """MyGrad, with its memory guard off: it costs more than the computation."""

    name = "mygrad"
    module = "mygrad"

    def __init__(self) -> None:
        import mygrad

        mygrad.turn_memory_guarding_off()
        self.m = functions_of(mygrad)
        self.tensor = mygrad.tensor

    def gradient(self, formula: Formula, arrays: Sequence[Any]) -> Run:
        m, xs = self.m, [self.tensor(array) for array in arrays]

        def run() -> Sequence[Any]:
            for x in xs:
                x.null_grad()
            y = formula(m, *xs)
            y.backward()
            return [y.data, *[x.grad for x in xs]]

        return run


class Torch(Library):
    """PyTorch, eager, on one thread."""

    name = module = "torch"

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(1)
        self.torch = torch
        self.m = functions_of(torch)
        self.m.maximum = lambda x, bound: torch.clamp_min(x, bound)

    def constant(self, value: Any) -> Any:
        return self.torch.as_tensor(value) if isinstance(value, np.ndarray) else value

    def leaf(self, array: Any) -> Any:
        """Make a tensor that is differentiated."""
        return self.torch.as_tensor(array).requires_grad_()

    def gradient(self, formula: Formula, arrays: Sequence[Any]) -> Run:
        m, xs = self.m, [self.leaf(array) for array in arrays]

        def run() -> Sequence[Any]:
            for x in xs:
                x.grad = None
            y = formula(m, *xs)
            y.backward()
            return [y.detach(), *[x.grad for x in xs]]

        return run

    def derivative(self, formula: Formula, x: Any, order: int) -> Run:
        m, leaf, grad = self.m, self.leaf(x), self.torch.autograd.grad

        def run() -> Sequence[Any]:
            y = formula(m, leaf)
            for left in range(order - 1, -1, -1):
                (y,) = grad(y, leaf, create_graph=left > 0)
            return [y]

        return run

    def hvp(self, formula: Formula, x: Any, direction: Any) -> Run:
        m, leaf, grad = self.m, self.leaf(x), self.torch.autograd.grad
        weights = self.torch.as_tensor(direction)

        def run() -> Sequence[Any]:
            (gradient,) = grad(formula(m, leaf), leaf, create_graph=True)
            return grad(gradient, leaf, grad_outputs=weights)

        return run

    def training_step(self, network: Network, x: Any, labels: Any) -> Run:
        n = networks.torch_layers()
        model = network(n)
        networks.load_weights(model, [p.data for p in network(networks.neural_layers()).parameters()])
        adam = n.Adam(model.parameters())
        x, labels = self.constant(x), self.constant(labels)

        def run() -> Sequence[Any]:
            loss = n.cross_entropy(model(x), labels)
            adam.zero_grad()
            loss.backward()
            adam.step()
            return [loss.detach()]

        return run


LIBRARIES: tuple[type[Library], ...] = (OpRegistry, MyGrad, Torch, Autograd)


def installed(libraries: Iterable[type[Library]] = LIBRARIES) -> tuple[list[Library], list[str]]:
    """Give the libraries that are installed here, and the names of those that are not."""
    present, missing = [], []
    for library in libraries:
        if find_spec(library.module) is None:
            missing.append(library.name)
        else:
            present.append(library())
    return present, missing
