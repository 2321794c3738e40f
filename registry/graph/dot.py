"""The graph in DOT, the language of graphviz, and the pictures that graphviz makes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from registry.errors import GraphError
from registry.graph.picture import FUNCTION, MORE, VARIABLE, picture_of
from registry.variable import Variable

MAX_NODES = 60
FORMATS = ("png", "svg", "pdf", "jpg", "gif", "ps")
_SECONDS = 60
_LOOKS = {
    VARIABLE: 'color=orange, style=filled',
    FUNCTION: 'color=lightblue, style=filled, shape=box',
    MORE: 'shape=plaintext',
}  # fmt: skip


def get_dot_graph(
    results: Variable | Sequence[Variable], verbose: bool = True, *, max_nodes: int = MAX_NODES
) -> str:
    r"""Give the graph behind one or several Variables in the DOT language.

    Parameters
    ----------
    results : Variable, or sequence of Variable
        What was computed; gradients of ``backward(create_graph=True)`` are Variables, too.
    verbose : bool
        Show dtypes and shapes, and the constants of operators; names alone otherwise.
    max_nodes : int
        How many operators to show. In a graph of more, functions that feed the next one
        alone share a box, and what is still too far from the results is left out. Of one
        operator, 20 inputs and outputs are shown.

    Returns
    -------
    str
        The same text for the same program. Arrows go the way of the data. Constants have no
        node; a Variable that nobody holds any more has no name.

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
    >>> from registry.graph import get_dot_graph
    >>> x = Variable(np.array([1.0, 2.0]), name="x")
    >>> print(get_dot_graph(np.sum(x)))
    digraph g {
    n0 [label="float64 ()", color=orange, style=filled]
    n1 [label="sum", color=lightblue, style=filled, shape=box]
    n2 [label="x\nfloat64 (2,)", color=orange, style=filled]
    n1 -> n0
    n2 -> n1
    }
    """
    picture = picture_of(results, verbose, max_nodes)
    nodes = [
        f"n{i} [label={_quoted(node.lines)}, {_LOOKS[node.kind]}]" for i, node in enumerate(picture.nodes)
    ]
    arrows = [f"n{start} -> n{end}" for start, end in picture.arrows]
    return "\n".join(["digraph g {", *nodes, *arrows, "}"])


def plot_dot_graph(
    results: Variable | Sequence[Variable],
    verbose: bool = True,
    to_file: str | os.PathLike[str] = "graph.png",
    *,
    max_nodes: int = MAX_NODES,
) -> Path:
    """Draw the graph behind one or several Variables into a file, by graphviz.

    Parameters
    ----------
    results, verbose, max_nodes
        As in `get_dot_graph`.
    to_file : str or path
        Its suffix says the format: png, svg, pdf, jpg, gif or ps.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ValueError
        If the suffix names no format, or `max_nodes` is no whole number from 1 on.
    GraphError
        If graphviz's ``dot`` is not installed, or fails. No file is written then.
    """
    path = Path(to_file)
    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise ValueError(f"{path.name!r} names no format; its suffix must be one of {', '.join(FORMATS)}")
    path.write_bytes(drawn(get_dot_graph(results, verbose, max_nodes=max_nodes), kind))
    return path


def is_installed() -> bool:
    """Say whether graphviz is there to draw."""
    return shutil.which("dot") is not None


def drawn(text: str, kind: str) -> bytes:
    """Let graphviz draw a text in DOT."""
    program = shutil.which("dot")
    if program is None:
        raise GraphError(
            "graphviz's program 'dot' is not installed; get it by 'apt install graphviz', "
            "'brew install graphviz' or from https://graphviz.org, or use the text of get_dot_graph"
        )
    try:
        done = subprocess.run(
            [program, f"-T{kind}"], input=text.encode(), capture_output=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise GraphError(
            f"graphviz's program 'dot' drew for {_SECONDS} s; ask for a smaller graph by max_nodes"
        ) from None
    except OSError as error:
        raise GraphError(f"graphviz's program 'dot' failed: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise GraphError(f"graphviz's program 'dot' failed: {said}")
    return done.stdout


def _quoted(lines: Sequence[str]) -> str:
    """Write lines as one string of DOT; graphviz reads quotes, backslashes and HTML's ``&lt;`` in it."""
    escaped = [line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(escaped) + '"'
