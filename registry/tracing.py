"""Where the differentiation of a function begins: marks in the graph at its arguments.

A mark is an identity that keeps, in a pass of its own function, the gradient that
arrives, and lets it through in any other: so a derivative inside another is a
constant to neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from registry.backward import Output, pass_back
from registry.function import Function
from registry.modes import differentiating, recording
from registry.variable import Variable, as_variable

T = TypeVar("T")
_arrived: ContextVar[dict[int, Any]] = ContextVar("opregistry_arrived")


class Mark(Function):
    """The identity, at an argument of a function that is being differentiated.

    It is `active` while that function runs.
    """

    saves = ("ys",)
    active = True

    def forward(self, x: Any) -> Any:
        return x

    def backward(self, gy: Any) -> Any:
        arrived = _arrived.get({})
        if id(self) in arrived:
            arrived[id(self)] = gy
            return None
        return gy

    def _backward_on_variables(self, gys: Sequence[Any]) -> Any:
        return self.backward(as_variable(gys[0]))


def marked(x: Any) -> tuple[Variable, Mark]:
    """Give a Variable and the mark behind it, connected to `x` if that is recorded itself."""
    if not isinstance(x, Variable) or x._edge is False:
        x = Variable(x._value if isinstance(x, Variable) else x)
    mark = Mark()
    return while_recording(mark, x), mark


def while_recording(f: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a function with recording on, outside whatever backward is being recorded."""
    modes = recording.set(True), differentiating.set(None)
    try:
        return f(*args, **kwargs)
    finally:
        recording.reset(modes[0])
        differentiating.reset(modes[1])


def gradients_at(
    places: Sequence[Mark | Variable], roots: Sequence[tuple[Variable, Any]], create_graph: bool
) -> list[Any]:
    """Differentiate the sum of roots, each weighed by a gradient, by what stands at marks or in leaves.

    Gives an array for each place, or a Variable with `create_graph`; None where nothing arrives.
    """
    keys = [id(_mark_of(place) or place) for place in places]
    arrived: dict[int, Any] = dict.fromkeys(keys)
    token = _arrived.set(arrived)
    try:
        found = pass_back(roots, create_graph)
    finally:
        _arrived.reset(token)
    arrived.update((id(leaf), gradient) for leaf, gradient in found)
    return [np.asarray(g) if isinstance(g, np.generic) else g for g in map(arrived.get, keys)]


def _mark_of(place: Mark | Variable) -> Function | None:
    return place if isinstance(place, Mark) else place.creator


def depends_on_others(roots: Sequence[Variable], marks: Sequence[Mark]) -> bool:
    """Say whether anything else that may be differentiated is behind some Variables, beside these marks.

    That is a Variable that somebody holds, or the argument of a function that runs now.
    """
    own = set(map(id, marks))
    stack: list[Function] = [function for root in roots if (function := root.creator) is not None]
    seen = set(map(id, stack))
    while stack:
        function = stack.pop()
        if isinstance(function, Mark) and function.active and id(function) not in own:
            return True
        for edge in function._edges:
            if edge is None:
                continue
            node = edge.function if isinstance(edge, Output) else edge
            if not isinstance(node, Function):
                if node() is not None:
                    return True
            elif id(node) not in seen:
                seen.add(id(node))
                stack.append(node)
    return False
