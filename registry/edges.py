"""Edges: where a gradient goes from an input of a recorded function, and walks along them.

An edge leads to a function, to one output of a function with several, or to a leaf. Each has
a generation, and the leaves are those of generation -1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, Union
from weakref import ref

import numpy as np

if TYPE_CHECKING:
    from registry.backward import Pass
    from registry.function import Function
    from registry.variable import Variable

Edge: TypeAlias = Union["Function", "Output", "Leaf"]


class Leaf(ref):  # type: ignore[type-arg]
    """A leaf, as the end of an edge.

    It refers to the Variable weakly: the graph that ``create_graph`` hangs on ``x.grad`` must
    not keep ``x`` alive, or every such pass would leave a cycle behind.
    """

    __slots__ = ()
    generation = -1


class Output(NamedTuple):
    """One output of a function that has several, as the end of an edge."""

    function: Function
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here

    @property
    def generation(self) -> int:
        """That of the function."""
        return self.function.generation

    def _pass_back(self, gy: Any, on_its_way: Pass) -> None:
        """Let the function wait until the gradient of each of its outputs is there."""
        on_its_way.gather(self, gy)


class Like(NamedTuple):
    """Shape and dtype of an array that need not be kept."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def reachable(roots: Sequence[Function]) -> tuple[list[Function], list[Leaf]]:
    """Find the functions behind `roots`, and the leaves."""
    functions = list({id(root): root for root in roots}.values())
    leaves: list[Leaf] = []
    seen = set(map(id, functions))
    for function in functions:  # which grows on the way
        for edge in function._edges:
            kind = type(edge)  # of these three exactly, which takes half the time of isinstance
            node: Any = edge.function if kind is Output else edge  # type: ignore[union-attr]
            if node is not None and id(node) not in seen:
                seen.add(id(node))
                (leaves if kind is Leaf else functions).append(node)
    return functions, leaves


def holder(edge: Edge | None) -> Variable | None:
    """Give the Variable at the end of an edge, if somebody still holds it."""
    if edge is None:
        return None
    if isinstance(edge, Leaf):
        return edge()
    function, index = edge if isinstance(edge, Output) else (edge, 0)
    return function.output_references()[index]()


def unchain_behind(root: Function) -> None:
    """Cut every edge between functions behind `root`; what people hold becomes a leaf."""
    for function in reachable([root])[0]:
        held = [holder(edge) for edge in function._edges]
        for variable in held:
            if variable is not None:
                variable.unchain()
        function._edges = tuple([None if variable is None else variable._edge for variable in held])
