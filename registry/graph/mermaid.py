"""The graph in Mermaid's language, which Markdown pages of many hosts show as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from registry.graph.dot import MAX_NODES
from registry.graph.picture import FUNCTION, MORE, VARIABLE, picture_of
from registry.variable import Variable

_SHAPES = {VARIABLE: '(["{}"])', FUNCTION: '["{}"]', MORE: '["{}"]'}
_PLAIN = frozenset(" _.,:=()[]+-/")


def get_mermaid_graph(
    results: Variable | Sequence[Variable], verbose: bool = True, *, max_nodes: int = MAX_NODES
) -> str:
    """Give the graph behind one or several Variables in Mermaid's language.

    Parameters
    ----------
    results, verbose, max_nodes
        As in `get_dot_graph`.

    Returns
    -------
    str
        A flowchart; in Markdown it belongs between lines of three backquotes, the first
        with the word ``mermaid``.

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
    >>> from registry.graph import get_mermaid_graph
    >>> x = Variable(np.array([1.0, 2.0]), name="x")
    >>> print(get_mermaid_graph(np.sum(x)))
    flowchart TD
        n0(["float64 ()"])
        n1["sum"]
        n2(["x<br>float64 (2,)"])
        n1 --> n0
        n2 --> n1
    """
    picture = picture_of(results, verbose, max_nodes)
    nodes = [
        f"    n{i}{_SHAPES[node.kind].format(_label(node.lines))}" for i, node in enumerate(picture.nodes)
    ]
    arrows = [f"    n{start} --> n{end}" for start, end in picture.arrows]
    return "\n".join(["flowchart TD", *nodes, *arrows])


def _label(lines: Sequence[str]) -> str:
    """Write lines as a label: whatever could mean something to Mermaid or HTML by its number."""
    escaped = ["".join(c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" for c in line) for line in lines]
    return "<br>".join(escaped) or " "
