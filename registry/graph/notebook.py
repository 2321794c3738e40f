"""How a Variable shows itself in a notebook: value, gradient, and how it came about."""

from __future__ import annotations

from html import escape
from typing import Any

from registry.errors import GraphError
from registry.graph.dot import drawn, get_dot_graph, is_installed
from registry.graph.text import get_text_graph
from registry.variable import Variable

_FEW = 20  # operators, of which a graph stays small


def html_of(variable: Variable) -> str:
    """Give the HTML of a Variable; the graph is a picture where graphviz is installed, else text."""
    lines = [f"{variable.name} = {variable!r}" if variable.name else repr(variable)]
    if variable.grad is not None:
        lines.append(f"grad = {_plainly(variable.grad)}")
    html = f"<pre>{escape(chr(10).join(lines))}</pre>"
    if variable.creator is None:
        return html
    style = "max-height: 30em; overflow: auto"
    return f"{html}<details><summary>graph</summary><div style='{style}'>{_graph(variable)}</div></details>"


def _plainly(gradient: Any) -> str:
    return repr(gradient) if isinstance(gradient, Variable) else str(gradient)


def _graph(variable: Variable) -> str:
    if is_installed():
        try:
            picture = drawn(get_dot_graph(variable, max_nodes=_FEW), "svg").decode(errors="replace")
        except GraphError:
            picture = ""  # the text says the same
        if "<svg" in picture:
            return picture[picture.index("<svg") :]
    return f"<pre>{escape(get_text_graph(variable, max_nodes=_FEW))}</pre>"
