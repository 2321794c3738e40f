"""What a drawing of a recorded graph consists of: found from its results, folded where it is long."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from registry.describing import constants_of, described, operator_name
from registry.edges import Edge, Leaf, Output, holder
from registry.errors import UnsupportedTypeError
from registry.function import Function
from registry.variable import Variable

VARIABLE, FUNCTION, MORE = "variable", "function", "more"
WALKED = 100_000  # functions that are looked at


@dataclass
class Node:
    """One shape in the picture: what kind of thing it is, and the lines that it shows."""

    kind: str
    lines: list[str]


@dataclass
class Picture:
    """Nodes in a fixed order, and arrows between their numbers, along the way of the data."""

    nodes: list[Node] = field(default_factory=list)
    arrows: dict[tuple[int, int], None] = field(default_factory=dict)  # each once, in order


def picture_of(results: Variable | Sequence[Variable], verbose: bool, max_nodes: int) -> Picture:
    """Make the picture of what computed one or several Variables.

    Raises
    ------
    UnsupportedTypeError
        If a result is no Variable.
    """
    roots: list[Any] = list(results) if isinstance(results, tuple | list) else [results]
    for root in roots:
        if not isinstance(root, Variable):
            raise UnsupportedTypeError(f"the graph of {type(root)} is asked for; pass Variables")
    return _Drawing(roots, verbose, max_nodes).picture


@dataclass
class _Box:
    """A function, or a run of functions each of which feeds the next one alone; the last one comes first."""

    functions: list[Function]

    def inputs(self) -> Iterator[tuple[Edge, Any]]:
        """Give each edge that comes from outside, with what its gradient must be like; equal ones once."""
        seen = set(map(id, self.functions))
        for function in self.functions:
            for edge, like in zip(function._edges, function._inputs_like, strict=True):
                if edge is not None and id(edge) not in seen:
                    seen.add(id(edge))
                    yield edge, like


class _Drawing:
    def __init__(self, roots: Sequence[Variable], verbose: bool, max_nodes: int) -> None:
        self.verbose = verbose
        self.picture = Picture()
        self.numbers: dict[Any, int] = {}
        functions, self.complete = _nearest([root.creator for root in roots], WALKED)
        boxes = [_Box([function]) for function in functions]
        if len(boxes) > max_nodes:
            boxes = _folded(functions, {id(root.creator) for root in roots})
        self.shown, hidden = boxes[:max_nodes], boxes[max_nodes:]
        self.box_of = {id(function): box for box in self.shown for function in box.functions}
        self.hidden = sum(len(box.functions) for box in hidden)
        self.likes: dict[Any, Any] = {}
        for root in roots:
            self.variable(root._edge if root._edge is not None else root, root._value, root)
        for box in self.shown:
            self.draw(box)

    def draw(self, box: _Box) -> None:
        own = self.node(id(box), FUNCTION, self.said_of(box))
        last = box.functions[0]
        several = isinstance(last._output, tuple) and len(last._output) > 1
        outputs: list[Edge] = [Output(last, i) for i in range(len(last._output))] if several else [last]
        for i, edge in enumerate(outputs):
            if _key(edge) in self.numbers or holder(edge) is not None:
                like = last._outputs_like[i] if several else last.ys[0] if last._saves_ys else None
                self.arrow(own, self.variable(edge, like, holder(edge)))
        for edge, like in box.inputs():
            source = edge.function if isinstance(edge, Output) else edge
            if not isinstance(source, Leaf) and id(source) not in self.box_of:
                self.arrow(self.node(MORE, MORE, [self.what_is_left()]), own)
            else:
                self.arrow(self.variable(edge, like, holder(edge)), own)

    def variable(self, edge: Edge | Variable, like: Any, held: Variable | None) -> int:
        """Give the number of the node at an edge; a Variable that nobody holds has no name."""
        lines = [held.name] if held is not None and held.name else []
        if self.verbose and like is not None:
            lines.append(f"{like.dtype} {tuple(like.shape)}")
        return self.node(_key(edge), VARIABLE, lines)

    def node(self, key: Any, kind: str, lines: list[str]) -> int:
        if key not in self.numbers:
            self.numbers[key] = len(self.picture.nodes)
            self.picture.nodes.append(Node(kind, lines))
        return self.numbers[key]

    def arrow(self, start: int, end: int) -> None:
        self.picture.arrows[start, end] = None

    def said_of(self, box: _Box) -> list[str]:
        if len(box.functions) > 1:
            names = Counter(operator_name(type(function)) for function in reversed(box.functions))
            return [f"{name} x {number:,}" for name, number in names.items()]
        (function,) = box.functions
        lines = [operator_name(type(function))]
        if self.verbose:
            lines += constants_of(function)
            constants = [(i, edge) for i, edge in enumerate(function._edges) if edge is None]
            if function._saves_xs:
                lines += [f"input {i}: {described(function.xs[i])}" for i, _ in constants]
        return lines

    def what_is_left(self) -> str:
        return f"... {'' if self.complete else 'over '}{self.hidden:,} more functions"


def _key(edge: Edge | Variable) -> Any:
    return (id(edge.function), edge.index) if isinstance(edge, Output) else id(edge)


def _nearest(roots: Sequence[Function | None], most: int) -> tuple[list[Function], bool]:
    """Give the functions behind some, the last recorded first, and whether those are all."""
    order = count()
    waiting = [(-f.generation, next(order), f) for f in {id(f): f for f in roots if f is not None}.values()]
    heapq.heapify(waiting)
    seen = {id(function) for _, _, function in waiting}
    found: list[Function] = []
    while waiting and len(found) < most:
        function = heapq.heappop(waiting)[2]
        found.append(function)
        for source in _sources(function):
            if id(source) not in seen:
                seen.add(id(source))
                heapq.heappush(waiting, (-source.generation, next(order), source))
    return found, not waiting


def _sources(function: Function) -> list[Function]:
    """Give the functions that feed one, each once."""
    sources = [edge.function if isinstance(edge, Output) else edge for edge in function._edges]
    return list({id(s): s for s in sources if s is not None and not isinstance(s, Leaf)}.values())


def _folded(functions: Sequence[Function], roots: set[int]) -> list[_Box]:
    """Put runs of functions that feed the next one alone into one box each."""
    uses = Counter(id(source) for function in functions for source in _sources(function))
    foldable = set(map(id, functions)) - roots
    boxes: list[_Box] = []
    open_ends: dict[int, _Box] = {}  # the function that a box goes on with
    for function in functions:
        box = open_ends.pop(id(function), None)
        if box is None:
            box = _Box([])
            boxes.append(box)
        box.functions.append(function)
        sources = _sources(function)
        if len(sources) == 1 and id(sources[0]) in foldable:
            (source,) = sources
            if uses[id(source)] == 1 and not isinstance(source._output, tuple) and holder(source) is None:
                open_ends[id(source)] = box
    return boxes
