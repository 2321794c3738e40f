"""`checkpoint`: computing a part of a program again in the backward pass, instead of keeping its arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from registry.catalog import StandIn
from registry.errors import GradientError
from registry.function import Function
from registry.modes import recording
from registry.structures import leaves, mapped
from registry.tracing import Mark, gradients_at, marked, others_behind, running, while_recording
from registry.variable import Variable

F = TypeVar("F", bound=Callable[..., Any])
_HOLE = object()


def checkpoint(f: F) -> F:
    """Give a function with the same results, whose inner arrays are not kept for the backward pass.

    The backward pass calls `f` again: memory for time. So `f` must give the same
    again, and random numbers must come from a seed or generator made inside.

    Parameters
    ----------
    f : callable
        Of arrays, numbers, and structures of them. Variables that it uses without
        getting them as arguments, such as a layer's weights, get their gradients, too.

    Raises
    ------
    GradientError
        In the backward pass, if `f` gives something else there.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import checkpoint, grad
    >>> block = checkpoint(lambda x: np.sin(np.exp(x)) ** 2)
    >>> grad(lambda x: block(block(x)))(0.5) == grad(lambda x: block.__wrapped__(block.__wrapped__(x)))(0.5)
    np.True_
    """

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not recording.get():
            return f(*args, **kwargs)
        inputs = _variables((args, kwargs))
        # The Variables themselves go into edges: kept here, they would make a cycle of x.grad and x.
        given = mapped(lambda x: _HOLE if isinstance(x, Variable) else x, (args, kwargs))
        own = [Variable(x._array) for x in inputs]
        result = _called(f, given, own)
        ys = _variables(result)
        outside = others_behind(ys, own)
        if not inputs and not outside:
            return result
        again = Recomputed(f, given, [y._array for y in ys], len(inputs))
        made = iter(again(*inputs, *outside) if ys else ())
        return mapped(lambda y: next(made) if isinstance(y, Variable) else y, result)

    return call  # type: ignore[return-value]


def _variables(tree: Any) -> list[Variable]:
    return [x for x in leaves(tree) if isinstance(x, Variable)]


def _called(f: Callable[..., Any], given: Any, inputs: Sequence[Variable]) -> Any:
    """Call `f` with Variables in the holes of what it was given."""
    filling = iter(inputs)
    args, kwargs = mapped(lambda x: next(filling) if x is _HOLE else x, given)
    return while_recording(f, *args, **kwargs)


class Recomputed(Function):
    """What a function gave, with a backward that calls it again.

    Its inputs are `count` arguments of the function and then the Variables from outside.
    """

    def __init__(self, f: Callable[..., Any], given: Any, results: Sequence[Any], count: int) -> None:
        self.f = f
        self.given = given
        self.results: Any = tuple(results)
        self.count = count

    def forward(self, *xs: Any) -> Any:
        results, self.results = self.results, None
        return results

    def backward(self, *gys: Any) -> Any:
        return self._again(self.xs, gys, create_graph=False)

    def _backward_on_variables(self, gys: Sequence[Any]) -> Any:
        return self._again(self.inputs, gys, create_graph=True)

    def _again(self, xs: Sequence[Any], gys: Sequence[Any], *, create_graph: bool) -> tuple[Any, ...]:
        pairs = [marked(x) for x in xs[: self.count]]
        marks: list[Mark | Variable] = [mark for _, mark in pairs]
        with running([mark for _, mark in pairs]):
            ys = _variables(_called(self.f, self.given, [variable for variable, _ in pairs]))
        if len(ys) != len(gys) or not all(map(_same, (y._array for y in ys), self.ys)):
            raise GradientError(
                f"{self}: called again in the backward pass, it gave another result, which has another "
                "gradient; make random generators inside it, and change nothing that it reads"
            )
        outside = self.inputs[self.count :]
        return tuple(gradients_at([*marks, *outside], list(zip(ys, gys, strict=True)), create_graph))

    def __str__(self) -> str:
        return f"checkpoint of {getattr(self.f, '__name__', self.f)}"


def _same(again: Any, before: Any) -> bool:
    """Compare two results, but for rounding, which may differ with the arrays' alignment."""
    if isinstance(again, StandIn):  # what is traced is compared with another trace
        return True
    if again.shape != before.shape or again.dtype != before.dtype:
        return False
    if before.dtype.kind not in "fc" or not before.size:
        return np.array_equal(again, before)
    rounding = np.finfo(before.dtype).eps ** 0.5
    size = np.max(np.abs(before), initial=0, where=np.isfinite(before))
    return np.allclose(again, before, rtol=0, atol=rounding * size, equal_nan=True)
