"""The graph as lines of text, one an operator, in the order of the computation."""

from __future__ import annotations

from collections.abc import Sequence

from registry.graph.dot import MAX_NODES
from registry.graph.picture import VARIABLE, picture_of
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
    said: dict[int, str] = {}

    def mention(i: int) -> str:
        """Name a node; the first time, with all that is known of it."""
        node = picture.nodes[i]
        if i in said:
            return said[i]
        if node.kind != VARIABLE:
            return "".join(node.lines)
        name, rest = _name(node.lines, verbose), node.lines[-1:] if verbose else []
        said[i] = name or f"v{sum(text.startswith('v') for text in said.values()) + 1}"
        return f"{said[i]}: {rest[0]}" if rest else said[i]

    lines = []
    for i, node in reversed(list(enumerate(picture.nodes))):
        if i not in out_of and i not in into and node.kind == VARIABLE:
            lines.append(mention(i))
        if node.kind == VARIABLE or i not in into:
            continue
        inputs = ", ".join(map(mention, into[i]))
        outputs = ", ".join(map(mention, out_of.get(i, [])))
        call = f"{node.lines[0]}({inputs})"
        lines.append(", ".join([f"{outputs} = {call}" if outputs else call, *node.lines[1:]]))
    return "\n".join(lines)


def _name(lines: Sequence[str], verbose: bool) -> str:
    """Give the name among a Variable's lines, if it has one."""
    names = lines[:-1] if verbose else lines
    return names[0] if names else ""
