"""What a drawing of a recorded graph consists of: found from its results, folded where it is long."""

from __future__ import annotations

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np

from registry.describing import constants_of, described, operator_name
from registry.edges import Edge, Leaf, Output, holder
from registry.errors import UnsupportedTypeError
from registry.function import Function
from registry.variable import Variable

VARIABLE, FUNCTION, MORE = "variable", "function", "more"
WALKED = 100_000  # functions that are looked at
_WIDE = 20  # inputs, outputs or constants of one operator that are shown
_LONG = 60  # characters of a line


@dataclass
class Node:
    """One shape in the picture: what kind of thing it is, its name if it has one, and what is known of it."""

    kind: str
    name: str
    facts: list[str]

    @property
    def lines(self) -> list[str]:
        """What it shows."""
        return [self.name, *self.facts] if self.name else self.facts


@dataclass
class Picture:
    """Nodes in a fixed order, and arrows between their numbers, along the way of the data.

    An operator that takes one Variable twice has two arrows from it.
    """

    nodes: list[Node] = field(default_factory=list)
    arrows: list[tuple[int, int]] = field(default_factory=list)


def picture_of(results: Variable | Sequence[Variable], verbose: bool, max_nodes: int) -> Picture:
    """Make the picture of what computed one or several Variables.

    Raises
    ------
    UnsupportedTypeError
        If a result is no Variable.
    ValueError
        If `max_nodes` is no whole number from 1 on.
    """
    if not isinstance(max_nodes, int | np.integer) or max_nodes < 1:
        raise ValueError(f"max_nodes is {max_nodes!r}; pass a whole number from 1 on")
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
        """Give each edge that comes from outside, with what its gradient is like; in a run, once each."""
        seen: set[Any] = set(map(id, self.functions))
        for function in self.functions:
            for edge, like in zip(function._edges, function._inputs_like, strict=True):
                if edge is not None and _key(edge) not in seen:
                    if len(self.functions) > 1:
                        seen.add(_key(edge))
                    yield edge, like

    def outputs(self) -> Iterator[tuple[Edge, Any]]:
        """Give the edges that lead to what comes out, with what they are like where that is known."""
        last = self.functions[0]
        if isinstance(last._output, tuple) and len(last._output) > 1:
            for i, like in enumerate(last._outputs_like):
                yield Output(last, i), like
        else:
            yield last, last.ys[0] if last._saves_ys else None


_HIDDEN = _Box([])  # what all functions that are left out are in


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
        self.rests: defaultdict[int, list[int]] = defaultdict(list)  # what a box gives beyond what is shown
        for root in roots[:max_nodes]:
            self.variable(root._edge if root._edge is not None else root, root._value, root)
        for box in self.shown:
            self.draw(box)

    def draw(self, box: _Box) -> None:
        name, facts = self.said_of(box)
        own = self.node(id(box), FUNCTION, name, facts)
        self.draw_outputs(box, own)
        self.draw_inputs(box, own)

    def draw_outputs(self, box: _Box, own: int) -> None:
        """Draw what is there already, since something takes it, and some of what people hold."""
        taken, held = [], []
        for edge, like in box.outputs():
            if _key(edge) in self.numbers:
                taken.append(self.numbers[_key(edge)])
            elif holder(edge) is not None:
                held.append((edge, like))
        few = [self.variable(edge, like, holder(edge)) for edge, like in held[:_WIDE]]
        for number in taken + few + self.rests[id(box)]:
            self.arrow(own, number)
        if len(held) > _WIDE:
            self.arrow(own, self.more((id(box), "outputs"), f"{len(held) - _WIDE:,} more"))

    def draw_inputs(self, box: _Box, own: int) -> None:
        """Draw some of what comes in, and one node for the rest."""
        inputs = [(edge, like, self.source_of(edge)) for edge, like in box.inputs()]
        known = [(edge, like, source) for edge, like, source in inputs if source is not _HIDDEN]
        for edge, like, _ in known[:_WIDE]:
            self.arrow(self.variable(edge, like, holder(edge)), own)
        if len(known) > _WIDE:
            rest = self.more((id(box), "inputs"), f"{len(known) - _WIDE:,} more")
            self.arrow(rest, own)
            for source in {id(source) for _, _, source in known[_WIDE:] if source is not None}:
                self.rests[source].append(rest)  # for when it is drawn, which is later
        if len(known) < len(inputs):
            self.arrow(self.more(MORE, self.what_is_left()), own)

    def source_of(self, edge: Edge) -> _Box | None:
        """Give the box that an edge comes from, None for a leaf."""
        source = edge.function if isinstance(edge, Output) else edge
        return None if isinstance(source, Leaf) else self.box_of.get(id(source), _HIDDEN)

    def variable(self, edge: Edge | Variable, like: Any, held: Variable | None) -> int:
        """Give the number of the node at an edge; a Variable that nobody holds has no name."""
        facts = [f"{like.dtype} {tuple(like.shape)}"] if self.verbose and like is not None else []
        name = "" if held is None or held.name is None else str(held.name)
        return self.node(_key(edge), VARIABLE, name, facts)

    def more(self, key: Any, text: str) -> int:
        return self.node(key, MORE, f"... {text}", [])

    def node(self, key: Any, kind: str, name: str, facts: list[str]) -> int:
        if key not in self.numbers:
            self.numbers[key] = len(self.picture.nodes)
            few = facts if len(facts) <= _WIDE else [*facts[:_WIDE], "..."]
            self.picture.nodes.append(Node(kind, _readable(name), [_readable(fact) for fact in few]))
        return self.numbers[key]

    def arrow(self, start: int, end: int) -> None:
        self.picture.arrows.append((start, end))

    def said_of(self, box: _Box) -> tuple[str, list[str]]:
        """Give the name of what is in a box, and its constants."""
        if len(box.functions) > 1:
            names = Counter(operator_name(type(function)) for function in reversed(box.functions))
            first, *others = [f"{name} x {number:,}" for name, number in names.items()]
            return first, others
        (function,) = box.functions
        facts: list[str] = []
        if self.verbose:
            facts += constants_of(function)
            if function._saves_xs:
                constants = [i for i, edge in enumerate(function._edges) if edge is None]
                facts += [f"input {i}: {described(function.xs[i])}" for i in constants[: _WIDE + 1]]
        return operator_name(type(function)), facts

    def what_is_left(self) -> str:
        if self.complete:
            return f"{self.hidden:,} more functions"
        return f"over {self.hidden:,} more functions" if self.hidden else "more functions"


def _readable(text: str) -> str:
    """Shorten a text to one line of characters that can be seen; addresses differ from run to run."""
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    text = text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


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
