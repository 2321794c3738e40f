"""Rules by which gradients change parameters.

A step writes into the parameters' arrays, in place; a parameter without a gradient
stays as it is. Of complex parameters, the conjugate of the gradient is the direction in
which a real loss rises most steeply.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Any

import numpy as np

from registry import Variable


class Optimizer:
    """What all rules share: the parameters, and going over those that have a gradient.

    Parameters
    ----------
    parameters : iterable of Variable
        Such as ``model.parameters()``.
    lr : float
        The learning rate, by which a step is scaled; may be set anew between steps.

    Raises
    ------
    TypeError
        If something among them is no Variable, such as a layer.
    ValueError
        If there are no parameters, one stands there twice, or one is of integers.
    """

    def __init__(self, parameters: Iterable[Variable], lr: float) -> None:
        name = type(self).__name__
        self.parameters = _checked(name, parameters)
        self.lr = lr
        if not self.parameters:
            raise ValueError(f"{name}: there are no parameters; pass model.parameters()")
        if kinds := {str(p.dtype) for p in self.parameters if p.dtype.kind not in "fc"}:
            raise ValueError(f"{name}: expected parameters of floating or complex numbers, found {kinds}")

    def cleargrads(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.cleargrad()

    def step(self) -> None:
        """Change each parameter that has a gradient."""
        for i, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                self.update(i, parameter.data, _plain(parameter.grad).conj())

    def update(self, i: int, x: Any, gradient: Any) -> None:
        """Change the array x of parameter number i, in place."""
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent: v = momentum * v + gradient, x = x - lr * v.

    Examples
    --------
    >>> import numpy as np
    >>> from opregistry_neural import SGD
    >>> from registry import Variable
    >>> x = Variable(np.array([1.0, -2.0]))
    >>> optimizer = SGD([x], lr=0.25)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    variable([ 0.5 -1. ])
    """

    def __init__(self, parameters: Iterable[Variable], lr: float = 0.01, momentum: float = 0.0) -> None:
        super().__init__(parameters, lr)
        self.momentum = momentum
        self.velocities = [np.zeros_like(p.data) for p in self.parameters] if momentum else []

    def update(self, i: int, x: Any, gradient: Any) -> None:
        if self.momentum:
            v = self.velocities[i]
            v *= self.momentum
            v += gradient
            gradient = v
        x -= self.lr * gradient


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square (Kingma and Ba, 2015).

    m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) |g|**2, x = x - lr m' / (sqrt(v') + eps), where
    m' = m / (1 - b1**t) and v' = v / (1 - b2**t) in step t.

    Parameters
    ----------
    betas : pair of float
        b1 and b2.
    eps : float
        Keeps the denominator from 0.
    weight_decay : float
        What share of x is taken off it before each step, times lr (Loshchilov and Hutter, 2019).
    """

    def __init__(
        self,
        parameters: Iterable[Variable],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr)
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay
        # without the factors 1 - b1 and 1 - b2, which would take a pass over the array each
        self.moments = [(np.zeros_like(p.data), np.zeros_like(p.data.real)) for p in self.parameters]
        self.scratch = [np.empty_like(p.data) for p in self.parameters]  # new arrays would take longer
        self.steps = [0] * len(self.parameters)

    def update(self, i: int, x: Any, gradient: Any) -> None:
        (m, v), (b1, b2), s = self.moments[i], self.betas, self.scratch[i]
        self.steps[i] += 1
        m *= b1
        m += gradient
        v *= b2
        v += np.multiply(gradient, gradient.conj(), out=s).real
        first = (1 - b1) / (1 - b1 ** self.steps[i])
        second = sqrt((1 - b2) / (1 - b2 ** self.steps[i]))
        np.sqrt(v, out=s)
        s += self.eps / second
        np.divide(m, s, out=s)
        s *= self.lr * first / second
        if self.weight_decay:
            x *= 1 - self.lr * self.weight_decay
        x -= s


def clip_grads(parameters: Iterable[Variable], max_norm: float) -> float:
    """Scale all gradients, in place, so that their common Euclidean norm is at most `max_norm`.

    Gives the norm that they had. Gradients that are not finite stay as they are.

    Raises
    ------
    TypeError
        If something among the parameters is no Variable, such as a layer.
    ValueError
        If one stands there twice, or two have one array as their gradient: it would be scaled twice.
    """
    parameters = _checked("clip_grads", parameters)
    gradients = [_plain(p.grad) for p in parameters if p.grad is not None]
    if len(set(map(id, gradients))) < len(gradients):
        raise ValueError("clip_grads: two parameters have one array as their gradient; give each its own")
    norm = sqrt(sum(float(np.vdot(g, g).real) for g in gradients))
    if max_norm < norm < np.inf:
        for gradient in gradients:
            gradient *= max_norm / norm
    return norm


def _checked(name: str, parameters: Iterable[Variable]) -> list[Variable]:
    """Give the parameters in a list, each of them a Variable that stands there once."""
    found = list(parameters) if isinstance(parameters, Iterable) else [parameters]
    if wrong := [type(p).__name__ for p in found if not isinstance(p, Variable)]:
        raise TypeError(f"{name}: {wrong[0]} is no parameter; pass model.parameters()")
    if len(set(found)) < len(found):
        raise ValueError(f"{name}: a parameter stands twice among parameters; pass each once")
    return found


def _plain(gradient: Any) -> Any:
    return gradient.data if isinstance(gradient, Variable) else gradient
