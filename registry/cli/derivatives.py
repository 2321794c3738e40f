"""Derivatives of any order of a function of named arrays, and their numerical check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from registry.errors import NotRecordedError
from registry.modes import no_grad
from registry.numpy_protocol import Array
from registry.testing.differences import Slope, central_slope
from registry.variable import Variable

OfVariables: TypeAlias = Callable[[Mapping[str, Variable]], Variable]

_FULL = 1000


def value_of(f: OfVariables, arrays: Mapping[str, Array]) -> Array:
    """Compute without recording."""
    with no_grad():
        return np.asarray(f({name: Variable(np.asarray(array)) for name, array in arrays.items()}).data)


def derivatives(f: OfVariables, arrays: Mapping[str, Array], wrt: str, order: int) -> list[Array]:
    """Differentiate the sum of a function's value, then the sum of that, and so on.

    Returns
    -------
    list of numpy.ndarray
        The gradients of order 1 to `order`, each of the shape of ``arrays[wrt]``. The
        gradient of what does not depend on ``wrt`` is zero.
    """
    variables = {name: Variable(np.asarray(array), name) for name, array in arrays.items()}
    x = variables[wrt]
    y: Variable | None = f(variables)
    gradients = []
    for k in range(1, order + 1):
        y = _gradient(y, x, variables, create_graph=k < order)
        gradients.append(np.zeros_like(x.data) if y is None else y.data)
    return gradients


def _gradient(
    y: Variable | None, x: Variable, variables: Mapping[str, Variable], *, create_graph: bool
) -> Variable | None:
    """Give the gradient of the sum of y, or None where it is zero."""
    if y is x:
        return Variable(np.ones_like(x.data))
    for variable in variables.values():
        variable.cleargrad()
    try:
        if y is not None:
            with np.errstate(all="ignore"):  # nan and inf are reported by name, in the result
                y.backward(create_graph=create_graph)
    except NotRecordedError:
        return None
    return Variable(x.grad) if isinstance(x.grad, np.ndarray) else x.grad


@dataclass(frozen=True)
class Comparison:
    """A gradient beside central differences.

    `method` says how it was compared; `slopes` has the differences, and `found` what the
    gradient says in their place, computed in `dtype`.
    """

    method: str
    found: tuple[float, ...]
    slopes: tuple[Slope, ...]
    dtype: np.dtype[np.generic]

    @property
    def ok(self) -> bool:
        """Whether all agree."""
        return all(slope.agrees(f, self.dtype) for f, slope in zip(self.found, self.slopes, strict=True))

    def __str__(self) -> str:
        errors = [abs(f - slope.value) for f, slope in zip(self.found, self.slopes, strict=True)]
        largest = max(
            (abs(number) for f, s in zip(self.found, self.slopes, strict=True) for number in (f, s.value)),
            default=0.0,
        )
        worst = max(errors, default=0.0)
        verdict = "ok" if self.ok else "NOT ok"
        if rough := sum(not slope.smooth for slope in self.slopes):
            verdict += f" (but a kink or jump is too near to measure {rough} of {len(self.slopes)})"
        relative = worst / largest if largest else 0.0
        return f"{verdict}, max error {worst:.2g}, relative {relative:.2g} ({self.method})"


def compare(f: OfVariables, arrays: Mapping[str, Array], wrt: str, order: int, gradient: Array) -> Comparison:
    """Compare a gradient of some order with central differences of the order before.

    Every element is compared where there are at most 1000 values in all; otherwise the
    gradient's product with one random direction.
    """
    if sum(array.size for array in arrays.values()) <= _FULL:
        method, directions = "central differences, every element", list(_unit_directions(arrays[wrt]))
    else:
        method, directions = "central difference, one random direction", [_random_direction(arrays[wrt])]
    before = _of_order(f, wrt, order - 1)
    exact = {name: array.astype(np.float64) for name, array in arrays.items()}
    slopes = tuple([_slope(before, exact, wrt, direction) for direction in directions])
    found = tuple([float(np.sum(gradient * direction, dtype=np.float64)) for direction in directions])
    return Comparison(method, found, slopes, gradient.dtype)


def _of_order(f: OfVariables, wrt: str, order: int) -> Callable[[Mapping[str, Array]], Array]:
    if order == 0:
        return lambda arrays: value_of(f, arrays)
    return lambda arrays: derivatives(f, arrays, wrt, order)[-1]


def _unit_directions(x: Array) -> Iterator[Array]:
    for i in range(x.size):
        direction = np.zeros(x.size)
        direction[i] = 1.0
        yield direction.reshape(x.shape)


def _random_direction(x: Array) -> Array:
    return np.asarray(np.random.default_rng(0).standard_normal(x.shape))


def _slope(
    before: Callable[[Mapping[str, Array]], Array], arrays: Mapping[str, Array], wrt: str, direction: Array
) -> Slope:
    """Give the slope along a direction, with steps as long as the numbers are large."""
    x = arrays[wrt]
    scale = max(1.0, float(np.max(np.abs(x * (direction != 0)), initial=0.0)))
    with np.errstate(all="ignore"):
        return central_slope(lambda t: before({**arrays, wrt: x + t * scale * direction}), scale)
