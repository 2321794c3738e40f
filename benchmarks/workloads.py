"""What is timed: each workload as a formula, with its derivatives written out in NumPy.

To add one, write a `Workload` and name it in `WORKLOADS`. The formula is the same code
for every library; where a library needs another, override `on`. Steps of training are in
`training`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from libraries import Library, Run


class Workload:
    """A scalar formula, its gradient by some arrays, and the floor.

    Attributes
    ----------
    name : str
        What the table calls it.
    operations : int
        What the time of one run is divided by.
    arrays : sequence of numpy.ndarray
        What the formula is differentiated by.
    constants : sequence
        What else it takes, after those.
    tolerance : float
        How far a library may be from the floor, relative to the largest element.
    repeats : int
        After how many runs results are compared.
    """

    name: str
    operations: int = 1
    arrays: Sequence[Any] = ()
    constants: Sequence[Any] = ()
    tolerance: float = 1e-10
    repeats: int = 2

    def formula(self, m: Any, *xs: Any) -> Any:
        """Compute the value with a library's functions `m`."""
        raise NotImplementedError

    def floor(self) -> Sequence[Any]:
        """Compute value and gradients in NumPy, by hand: the least that anybody has to do."""
        raise NotImplementedError

    def bound(self, library: Library) -> Any:
        """Give the formula with its constants as a library takes them."""
        constants = [library.constant(c) for c in self.constants]
        return lambda m, *xs: self.formula(m, *xs, *constants)

    def on(self, library: Library) -> Run:
        """Prepare one run with a library."""
        return library.gradient(self.bound(library), self.arrays)


class SmallChain(Workload):
    """square(exp(square(x))) of one number: what one operation costs beside its arithmetic."""

    name = "small_chain"
    operations = 3

    def __init__(self) -> None:
        self.arrays = [np.array(0.5)]

    def formula(self, m: Any, x: Any) -> Any:
        return m.square(m.exp(m.square(x)))

    def floor(self) -> Sequence[Any]:
        (x,) = self.arrays
        y = np.exp(np.square(x))
        return np.square(y), (y + y) * y * (x + x)


class DeepChain(Workload):
    """y * c + c again and again: depth, and what a live graph costs."""

    def __init__(self, steps: int = 10_000) -> None:
        self.name = f"deep_chain {steps:,}"
        self.operations = 2 * steps
        self.steps = steps
        self.arrays = [np.array(0.5)]
        self.constants = [np.array(0.9999)]

    def formula(self, m: Any, x: Any, c: Any) -> Any:
        y = x
        for _ in range(self.steps):
            y = y * c + c
        return y

    def floor(self) -> Sequence[Any]:
        y, c = self.arrays[0][()], self.constants[0][()]
        for _ in range(self.steps):
            y = y * c + c
        gx = np.float64(1)
        for _ in range(self.steps):
            gx = gx * c
        return y, gx


class Diamond(Workload):
    """y + y again and again: as many paths as 2 ** levels, one visit a function."""

    def __init__(self, levels: int = 60) -> None:
        self.name = "diamond"
        self.operations = self.levels = levels
        self.arrays = [np.array(0.5)]

    def formula(self, m: Any, x: Any) -> Any:
        y = x
        for _ in range(self.levels):
            y = y + y
        return y

    def floor(self) -> Sequence[Any]:
        y, gx = self.arrays[0][()], np.float64(1)
        for _ in range(self.levels):
            y = y + y
        for _ in range(self.levels):
            gx = gx + gx
        return y, gx


class FanOut(Workload):
    """One x in many operations: accumulation, and many functions of one generation."""

    def __init__(self, uses: int = 5_000) -> None:
        self.name = "fan_out"
        self.operations = 2 * uses
        self.uses = uses
        self.arrays = [np.array(0.5)]

    def formula(self, m: Any, x: Any) -> Any:
        y = m.square(x)
        for _ in range(self.uses - 1):
            y = y + m.square(x)
        return y

    def floor(self) -> Sequence[Any]:
        x = self.arrays[0][()]
        y = gx = np.float64(0)
        for _ in range(self.uses):
            y = y + np.square(x)
        for _ in range(self.uses):
            gx = gx + (x + x)
        return y, gx


class OfTwoNumbers(Workload):
    """A test function of optimisation, of two numbers."""

    def __init__(self) -> None:
        self.arrays = [np.array(1.0), np.array(0.5)]


class Sphere(OfTwoNumbers):
    """x ** 2 + y ** 2."""

    name = "sphere"

    def formula(self, m: Any, x: Any, y: Any) -> Any:
        return x**2 + y**2

    def floor(self) -> Sequence[Any]:
        x, y = self.arrays
        return x * x + y * y, x + x, y + y


class Matyas(OfTwoNumbers):
    """0.26 * (x ** 2 + y ** 2) - 0.48 * x * y."""

    name = "matyas"

    def formula(self, m: Any, x: Any, y: Any) -> Any:
        return 0.26 * (x**2 + y**2) - 0.48 * x * y

    def floor(self) -> Sequence[Any]:
        x, y = self.arrays
        value = 0.26 * (x * x + y * y) - 0.48 * x * y
        return value, 0.52 * x - 0.48 * y, 0.52 * y - 0.48 * x


class Rosenbrock(OfTwoNumbers):
    """100 * (y - x ** 2) ** 2 + (x - 1) ** 2."""

    name = "rosenbrock"

    def formula(self, m: Any, x: Any, y: Any) -> Any:
        return 100 * (y - x**2) ** 2 + (x - 1) ** 2

    def floor(self) -> Sequence[Any]:
        x, y = self.arrays
        u, v = y - x * x, x - 1
        gu = 200 * u
        return 100 * (u * u) + v * v, (v + v) - gu * (x + x), gu


class GoldsteinPrice(OfTwoNumbers):
    """The Goldstein-Price function: 50 operations on two numbers."""

    name = "goldstein-price"

    def formula(self, m: Any, x: Any, y: Any) -> Any:
        return (
            1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)
        ) * (
            30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
        )  # fmt: skip

    def floor(self) -> Sequence[Any]:
        x, y = self.arrays
        xx, xy, yy = x * x, x * y, y * y
        s, t = x + y + 1, 2 * x - 3 * y
        p = 19 - 14 * x + 3 * xx - 14 * y + 6 * xy + 3 * yy
        q = 18 - 32 * x + 12 * xx + 48 * y - 36 * xy + 27 * yy
        a, b = 1 + s * s * p, 30 + t * t * q
        gs, gt = 2 * s * p, 2 * t * q
        gp = s * s * (6 * x + 6 * y - 14)
        ax = gs + gp
        bx = 2 * gt + t * t * (24 * x - 36 * y - 32)
        by = t * t * (54 * y - 36 * x + 48) - 3 * gt
        return a * b, ax * b + a * bx, ax * b + a * by


class TinyMLP(Workload):
    """Loss and gradients of a regression with one hidden layer of tanh: batch 16, 8-16-1."""

    name = "mlp 8-16-1"

    def __init__(self, batch: int = 16, inputs: int = 8, hidden: int = 16) -> None:
        rng = np.random.default_rng(0)
        self.arrays = [
            rng.normal(size=(inputs, hidden)),
            np.zeros(hidden),
            rng.normal(size=(hidden, 1)),
            np.zeros(1),
        ]
        self.constants = [rng.normal(size=(batch, inputs)), rng.normal(size=(batch, 1))]

    def formula(self, m: Any, w1: Any, b1: Any, w2: Any, b2: Any, x: Any, t: Any) -> Any:
        return m.mean(m.square(m.matmul(m.tanh(m.matmul(x, w1) + b1), w2) + b2 - t))

    def floor(self) -> Sequence[Any]:
        w1, b1, w2, b2 = self.arrays
        x, t = self.constants
        h = np.tanh(x @ w1 + b1)
        error = h @ w2 + b2 - t
        ge = error * (2 / error.size)
        gh = ge @ w2.T * (1 - h * h)
        loss = np.add.reduce(error * error, None) / error.size
        return loss, x.T @ gh, np.add.reduce(gh), h.T @ ge, np.add.reduce(ge)


class MLP(Workload):
    """Loss and gradients of a network with two hidden layers of relu, in float32."""

    tolerance = 1e-4

    def __init__(self, batch: int = 64, sizes: Sequence[int] = (784, 256, 128, 10)) -> None:
        self.name = "mlp " + "-".join(map(str, sizes))
        rng = np.random.default_rng(0)
        layers = list(pairwise(sizes))
        weights = [rng.normal(size=shape) / np.sqrt(shape[0]) for shape in layers]
        biases = [np.zeros(shape[1]) for shape in layers]
        self.arrays = [a.astype(np.float32) for layer in zip(weights, biases, strict=True) for a in layer]
        x = rng.normal(size=(batch, sizes[0])).astype(np.float32)
        t = np.eye(sizes[-1], dtype=np.float32)[rng.integers(sizes[-1], size=batch)]
        self.constants = [x, t]

    def formula(self, m: Any, *given: Any) -> Any:
        w1, b1, w2, b2, w3, b3, x, t = given
        h1 = m.maximum(m.matmul(x, w1) + b1, 0)
        h2 = m.maximum(m.matmul(h1, w2) + b2, 0)
        return m.mean(m.square(m.matmul(h2, w3) + b3 - t))

    def floor(self) -> Sequence[Any]:
        w1, b1, w2, b2, w3, b3 = self.arrays
        x, t = self.constants
        h1 = np.maximum(x @ w1 + b1, 0)
        h2 = np.maximum(h1 @ w2 + b2, 0)
        error = h2 @ w3 + b3 - t
        g3 = error * np.float32(2 / error.size)
        g2 = g3 @ w3.T * (h2 > 0)
        g1 = g2 @ w2.T * (h1 > 0)
        loss = np.add.reduce(error * error, None) / np.float32(error.size)
        return (
            loss,
            x.T @ g1, np.add.reduce(g1),
            h1.T @ g2, np.add.reduce(g2),
            h2.T @ g3, np.add.reduce(g3),
        )  # fmt: skip


class FifthDerivative(Workload):
    """The fifth derivative of sin at one number: recording a backward pass, repeatedly."""

    name = "sin, 5th derivative"

    def __init__(self) -> None:
        self.arrays = [np.array(0.5)]

    def formula(self, m: Any, x: Any) -> Any:
        return m.sin(x)

    def floor(self) -> Sequence[Any]:
        return (np.cos(self.arrays[0]),)

    def on(self, library: Library) -> Run:
        return library.derivative(self.formula, self.arrays[0], order=5)


class HessianVector(Workload):
    """The Hessian of Rosenbrock's function in many dimensions, times a direction."""

    name = "rosenbrock, hvp"

    def __init__(self, dimensions: int = 100) -> None:
        rng = np.random.default_rng(0)
        self.arrays = [rng.normal(size=dimensions)]
        self.direction = rng.normal(size=dimensions)

    def formula(self, m: Any, x: Any) -> Any:
        x0, x1 = x[:-1], x[1:]
        return m.sum(100 * m.square(x1 - m.square(x0)) + m.square(1 - x0))

    def floor(self) -> Sequence[Any]:
        (x,), v = self.arrays, self.direction
        x0, x1, v0, v1 = x[:-1], x[1:], v[:-1], v[1:]
        cross = -400 * x0
        product = np.zeros_like(x)
        product[:-1] = (1200 * (x0 * x0) - 400 * x1 + 2) * v0 + cross * v1
        product[1:] += cross * v0 + 200 * v1
        return (product,)

    def on(self, library: Library) -> Run:
        return library.hvp(self.formula, self.arrays[0], self.direction)


WORKLOADS: tuple[type[Workload], ...] = (
    SmallChain,
    DeepChain,
    Diamond,
    FanOut,
    Sphere,
    Matyas,
    Rosenbrock,
    GoldsteinPrice,
    TinyMLP,
    MLP,
    FifthDerivative,
    HessianVector,
)
