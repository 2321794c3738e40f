"""The graph as lines of text, one an operator, in the order of the computation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from registry.graph.dot import MAX_NODES
from registry.graph.picture import FUNCTION, picture_of
from registry.variable import Variable


def get_text_graph(
    results: Variable | Sequence[Variable], verbose: bool = True, *, max_nodes: int = MAX_NODES
) -> str:
    """Give the graph behind one or several Variables as lines of text.

    Parameters
    ----------
    results, verbose, max_nodes
        As in `get_dot_graph`.

    Returns
    -------
    str
        A line an operator: what it makes, its inputs, its constants. What has no name has a
        number.

    Raises
    ------
    UnsupportedTypeError
        If a result is no Variable.
    ValueError
        If `max_nodes` is no whole number from 1 on.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import Variable
    >>> from registry.graph import get_text_graph
    >>> x = Variable(np.array([1.0, 2.0]), name="x")
    >>> print(get_text_graph(np.sum(np.exp(x) * x, axis=0)))
    v1: float64 (2,) = exp(x: float64 (2,))
    v2: float64 (2,) = multiply(v1, x)
    v3: float64 () = sum(v2), axis=0
    """
    picture = picture_of(results, verbose, max_nodes)
    into: dict[int, list[int]] = {}
    out_of: dict[int, list[int]] = {}
    for start, end in picture.arrows:
        into.setdefault(end, []).append(start)
        out_of.setdefault(start, []).append(end)
    taken = {node.name for node in picture.nodes}
    unused = (name for name in map("v{}".format, count(1)) if name not in taken)
    said: dict[int, str] = {}

    def mention(i: int) -> str:
        """Name a node; the first time, with all that is known of it."""
        node = picture.nodes[i]
        if i in said:
            return said[i]
        said[i] = node.name or next(unused)
        return ": ".join([said[i], *node.facts])

    lines = []
    for i, node in reversed(list(enumerate(picture.nodes))):
        if node.kind == FUNCTION:
            inputs = ", ".join(map(mention, into.get(i, [])))
            outputs = ", ".join(map(mention, out_of.get(i, [])))
            call = f"{node.name}({inputs})"
            lines.append(", ".join([f"{outputs} = {call}" if outputs else call, *node.facts]))
        elif i not in out_of and i not in into:
            lines.append(mention(i))
    return "\n".join(lines)
