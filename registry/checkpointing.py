"""`checkpoint`: computing a part of a program again in the backward pass, instead of keeping its arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from registry.backward import reachable
from registry.function import Function
from registry.modes import recording
from registry.structures import leaves, like
from registry.tracing import Mark, gradients_at, marked, while_recording
from registry.variable import Variable, as_variable

F = TypeVar("F", bound=Callable[..., Any])


def checkpoint(f: F) -> F:
    """Give a function with the same results, whose inner arrays are not kept for the backward pass.

    The backward pass calls `f` again: memory for time. So `f` must give the same
    again, and random numbers must come from a seed or generator made inside.

    Parameters
    ----------
    f : callable
        Of arrays, numbers, and structures of them. Variables that it uses without
        getting them as arguments, such as a layer's weights, get their gradients, too.

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
        call = args, kwargs
        inputs = [x for x in leaves(call) if isinstance(x, Variable)]
        result, outside = _tried(f, call, inputs)
        if not inputs and not outside:
            return result
        made = Recomputed(f, call, result, len(inputs))(*inputs, *outside)
        return like(result, iter(made))

    return call  # type: ignore[return-value]


def _tried(f: Callable[..., Any], call: Any, inputs: Sequence[Variable]) -> tuple[Any, list[Variable]]:
    """Call `f`; give the result as plain arrays, and the Variables from outside that it depends on."""
    result, marks = _called(f, call, inputs)
    own = set(map(id, marks))
    starts = [y.creator for y in leaves(result) if isinstance(y, Variable)]
    functions, ends = reachable([start for start in starts if start is not None])
    outside = [x for end in ends if (x := end()) is not None and not any(x is other for other in inputs)]
    outside += [f.output for f in functions if isinstance(f, Mark) and f.active and id(f) not in own]
    arrays = [y._value if isinstance(y, Variable) else y for y in leaves(result)]
    return like(result, iter(arrays)), outside


def _called(f: Callable[..., Any], call: Any, inputs: Sequence[Any]) -> tuple[Any, list[Mark]]:
    """Call `f` with marked inputs in place of its Variables."""
    pairs = [marked(x) for x in inputs]
    marks = [mark for _, mark in pairs]
    own = iter([variable for variable, _ in pairs])
    args, kwargs = like(call, iter([next(own) if isinstance(x, Variable) else x for x in leaves(call)]))
    try:
        return while_recording(f, *args, **kwargs), marks
    finally:
        for mark in marks:
            mark.active = False


class Recomputed(Function):
    """What a function gave, with a backward that calls it again.

    Its inputs are `count` arguments of the function and then the Variables from outside.
    """

    saves = ("xs",)

    def __init__(self, f: Callable[..., Any], call: Any, result: Any, count: int) -> None:
        self.f = f
        self.call = call
        self.results: Any = tuple(leaves(result))
        self.count = count

    def forward(self, *xs: Any) -> Any:
        results, self.results = self.results, None
        return results

    def backward(self, *gys: Any) -> Any:
        return self._again(self.xs, gys, create_graph=False)

    def _backward_on_variables(self, gys: Sequence[Any]) -> Any:
        return self._again(self.inputs, [as_variable(gy) for gy in gys], create_graph=True)

    def _again(self, xs: Sequence[Any], gys: Sequence[Any], *, create_graph: bool) -> tuple[Any, ...]:
        result, marks = _called(self.f, self.call, xs[: self.count])
        roots = [(as_variable(y), gy) for y, gy in zip(leaves(result), gys, strict=True)]
        return tuple(gradients_at([*marks, *self.inputs[self.count :]], roots, create_graph))
