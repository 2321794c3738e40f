"""The library of this checkout, eager and compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import networks
from groups import COMPILED, OURS
from libraries import Formula, Library, Network, Run, functions_of


class _OfThisCheckout(Library):
    """What both ways to use this library share."""

    module = "registry"
    eager_peer = False

    def __init__(self) -> None:
        import registry

        self.m = functions_of(registry.ops)
        self.registry = registry

    def use_threads(self, count: int) -> None:
        self.registry.set_num_threads(count)


class OpRegistry(_OfThisCheckout):
    """The library of this checkout, through its generated helpers and Python's operators."""

    name = OURS

    def leaf(self, array: Any) -> Any:
        return self.registry.Variable(array)

    def gradient(self, formula: Formula, arrays: Sequence[Any], constants: Sequence[Any] = ()) -> Run:
        m, xs = self.m, [self.leaf(array) for array in arrays]

        def run() -> Sequence[Any]:
            for x in xs:
                x.cleargrad()
            y = formula(m, *xs, *constants)
            y.backward()
            return [y.data, *[x.grad for x in xs]]

        return run

    def derivative(self, formula: Formula, x: Any, order: int) -> Run:
        m, v = self.m, self.leaf(x)

        def run() -> Sequence[Any]:
            y = formula(m, v)
            for left in range(order - 1, -1, -1):
                v.cleargrad()
                y.backward(create_graph=left > 0)
                y = v.grad
            return [y]

        return run

    def hvp(self, formula: Formula, x: Any, direction: Any) -> Run:
        m, v = self.m, self.leaf(x)

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


class Compiled(_OfThisCheckout):
    """Its functions, traced once and replayed without recording."""

    name = COMPILED

    def gradient(self, formula: Formula, arrays: Sequence[Any], constants: Sequence[Any] = ()) -> Run:
        m, by = self.m, tuple(range(len(arrays)))
        differentiated = self.registry.value_and_grad(lambda *xs: formula(m, *xs), argnums=by)
        compiled = self.registry.compile(differentiated)

        def run() -> Sequence[Any]:
            value, gradients = compiled(*arrays, *constants)
            return [value, *gradients]

        return run

    def derivative(self, formula: Formula, x: Any, order: int) -> Run:
        m = self.m

        def function(x: Any) -> Any:
            return formula(m, x)

        for _ in range(order):
            function = self.registry.grad(function)
        compiled = self.registry.compile(function)
        return lambda: [compiled(x)]

    def hvp(self, formula: Formula, x: Any, direction: Any) -> Run:
        m = self.m
        compiled = self.registry.compile(self.registry.hvp(lambda x: formula(m, x)))
        return lambda: [compiled(x, direction)]
