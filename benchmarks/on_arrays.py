"""Workloads on arrays, from small ones to 32 MB.

To add one, write a `Workload` and name it in `selection`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from groups import COMPILED, FLOOR, JIT, OURS, TORCH, Goal
from libraries import Library, Run
from workload import AHEAD, COMPILED_AHEAD, Workload


class TinyMLP(Workload):
    """Loss and gradients of a regression with one hidden layer of tanh: batch 16, 8-16-1."""

    name = "mlp 8-16-1"
    goals = (AHEAD, *COMPILED_AHEAD)

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
    goals = (Goal(OURS, 1.2, times=FLOOR),)

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


class LogisticRegression(Workload):
    """The loss of two classes, labelled -1 and 1, and its gradient by weights and bias."""

    goals = (Goal(OURS, 1.2, times=FLOOR),)

    def __init__(self, rows: int = 10_000, columns: int = 100) -> None:
        self.name = f"logistic {rows:,} x {columns}"
        rng = np.random.default_rng(0)
        self.arrays = [rng.normal(size=columns) / np.sqrt(columns), np.array(0.1)]
        self.constants = [rng.normal(size=(rows, columns)), rng.choice([-1.0, 1.0], size=rows)]

    def formula(self, m: Any, w: Any, b: Any, x: Any, t: Any) -> Any:
        return m.mean(m.log(1 + m.exp(-t * (m.matmul(x, w) + b))))

    def floor(self) -> Sequence[Any]:
        w, b = self.arrays
        x, t = self.constants
        e = np.exp(-t * (x @ w + b))
        sums = 1 + e
        g = e / sums * (t * (-1 / t.size))
        return np.add.reduce(np.log(sums)) / t.size, g @ x, np.add.reduce(g)


class Elementwise(Workload):
    """sum(tanh(x) exp(-x^2) + sin(x) x): what large arrays cost, whose size leaves no cache warm."""

    def __init__(self, elements: int = 4_000_000, threads: int = 1) -> None:
        self.name = f"elementwise {elements:,}"
        self.threads = threads
        self.arrays = [np.random.default_rng(0).normal(size=elements)]
        self.goals = (Goal(OURS, 1.15, times=FLOOR),)
        if threads > 1:
            self.name += f", {threads} threads"
            self.goals = (
                Goal(OURS, 0.85, times=FLOOR),
                Goal(COMPILED, 0.45, times=FLOOR),
                Goal(COMPILED, 1.0, times=TORCH),
                Goal(COMPILED, 1.0, times=JIT),
            )

    def formula(self, m: Any, x: Any) -> Any:
        return m.sum(m.tanh(x) * m.exp(-m.square(x)) + m.sin(x) * x)

    def floor(self) -> Sequence[Any]:
        (x,) = self.arrays
        t, e, s = np.tanh(x), np.exp(-x * x), np.sin(x)
        te = t * e
        return np.sum(te + s * x), (1 - t * t) * e - 2 * x * te + np.cos(x) * x + s


class ElementwiseChain(Workload):
    """tanh(y * c + y) again and again on one large array: which arrays a deep graph keeps."""

    def __init__(self, steps: int = 20, elements: int = 1_000_000) -> None:
        self.name = f"elementwise chain of {3 * steps}"
        self.steps = steps
        self.arrays = [np.random.default_rng(0).normal(size=elements)]
        self.constants = [np.array(0.1)]

    def formula(self, m: Any, x: Any, c: Any) -> Any:
        y = x
        for _ in range(self.steps):
            y = m.tanh(y * c + y)
        return m.sum(y)

    def floor(self) -> Sequence[Any]:
        (y,), (c,) = self.arrays, self.constants
        kept = []
        for _ in range(self.steps):
            y = np.tanh(y * c + y)
            kept.append(y)
        value, g = np.sum(y), np.ones_like(y)
        while kept:
            y = kept.pop()
            g = g * (1 - y * y)
            g = g * c + g
        return value, g


class DeepNetwork(Workload):
    """Layers of relu, all of one width, in float32, without a bias."""

    tolerance = 1e-4

    def __init__(self, layers: int = 30, batch: int = 256, width: int = 256) -> None:
        self.name = f"network of {layers} layers, batch {batch}"
        rng = np.random.default_rng(0)
        scale = np.sqrt(2 / width)
        self.arrays = [(rng.normal(size=(width, width)) * scale).astype(np.float32) for _ in range(layers)]
        self.constants = [rng.normal(size=(batch, width)).astype(np.float32)]

    def formula(self, m: Any, *given: Any) -> Any:
        *weights, h = given
        for w in weights:
            h = m.maximum(m.matmul(h, w), 0)
        return m.mean(m.square(h))

    def floor(self) -> Sequence[Any]:
        hs = list(self.constants)
        for w in self.arrays:
            hs.append(np.maximum(hs[-1] @ w, 0))
        y = hs[-1]
        g = y * np.float32(2 / y.size)
        gradients = []
        for w in reversed(self.arrays):
            g = g * (hs.pop() > 0)
            gradients.append(hs[-1].T @ g)
            g = g @ w.T
        return np.add.reduce(y * y, None) / np.float32(y.size), *reversed(gradients)


class HessianVector(Workload):
    """The Hessian of Rosenbrock's function in many dimensions, times a direction."""

    name = "rosenbrock, hvp"
    goals = (AHEAD,)

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
