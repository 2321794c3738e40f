"""The libraries that this one is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import networks
from groups import JIT, TORCH
from libraries import Formula, Library, Network, Run, functions_of


class Autograd(Library):
    """HIPS autograd."""

    name = module = "autograd"

    def __init__(self) -> None:
        import autograd
        import autograd.numpy

        self.m = functions_of(autograd.numpy)
        self.autograd = autograd

    def gradient(self, formula: Formula, arrays: Sequence[Any], constants: Sequence[Any] = ()) -> Run:
        m = self.m
        differentiate = self.autograd.value_and_grad(
            lambda *xs: formula(m, *xs), argnum=tuple(range(len(arrays)))
        )

        def run() -> Sequence[Any]:
            value, gradients = differentiate(*arrays, *constants)
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
        self.mygrad = mygrad

    def leaf(self, array: Any) -> Any:
        return self.mygrad.tensor(array)

    def gradient(self, formula: Formula, arrays: Sequence[Any], constants: Sequence[Any] = ()) -> Run:
        m, xs = self.m, [self.leaf(array) for array in arrays]

        def run() -> Sequence[Any]:
            for x in xs:
                x.null_grad()
            y = formula(m, *xs, *constants)
            y.backward()
            return [y.data, *[x.grad for x in xs]]

        return run


class Torch(Library):
    """PyTorch, eager."""

    name = module = TORCH

    def __init__(self) -> None:
        import torch

        self.torch = torch
        self.m = functions_of(torch)
        self.m.maximum = lambda x, bound: torch.clamp_min(x, bound)

    def use_threads(self, count: int) -> None:
        self.torch.set_num_threads(count)

    def constant(self, value: Any) -> Any:
        return self.torch.as_tensor(value)

    def leaf(self, array: Any) -> Any:
        return self.torch.as_tensor(array).requires_grad_()

    def gradient(self, formula: Formula, arrays: Sequence[Any], constants: Sequence[Any] = ()) -> Run:
        m, xs = self.m, [self.leaf(array) for array in arrays]
        given = [self.constant(array) for array in constants]

        def run() -> Sequence[Any]:
            for x in xs:
                x.grad = None
            y = formula(m, *xs, *given)
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


class Jax(Library):
    """JAX, op by op; its threads cannot be changed in a process that runs."""

    name = module = "jax"

    def __init__(self) -> None:
        import jax

        jax.config.update("jax_enable_x64", True)
        self.m = functions_of(jax.numpy)
        self.jax = jax

    def finished(self, function: Formula) -> Formula:
        """Give what is called of a function that was differentiated."""
        return function

    def prepared(self, function: Formula, *arrays: Any) -> Run:
        """Prepare a call of it, which ends when all results are there."""
        function, given = self.finished(function), [self.jax.numpy.asarray(array) for array in arrays]
        return lambda: self.jax.tree.leaves(self.jax.block_until_ready(function(*given)))

    def gradient(self, formula: Formula, arrays: Sequence[Any], constants: Sequence[Any] = ()) -> Run:
        m, by = self.m, tuple(range(len(arrays)))
        differentiated = self.jax.value_and_grad(lambda *xs: formula(m, *xs), argnums=by)
        return self.prepared(differentiated, *arrays, *constants)

    def derivative(self, formula: Formula, x: Any, order: int) -> Run:
        m = self.m

        def function(x: Any) -> Any:
            return formula(m, x)

        for _ in range(order):
            function = self.jax.grad(function)
        return self.prepared(function, x)

    def hvp(self, formula: Formula, x: Any, direction: Any) -> Run:
        m = self.m
        gradient = self.jax.grad(lambda x: formula(m, x))
        return self.prepared(lambda x, v: self.jax.jvp(gradient, (x,), (v,))[1], x, direction)


class JaxJit(Jax):
    """JAX, the whole function compiled; what compiling took is not counted."""

    name = JIT
    eager_peer = False

    def finished(self, function: Formula) -> Formula:
        return self.jax.jit(function)
