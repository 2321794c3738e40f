"""The recorded graph to look at: as text for graphviz and Mermaid, as a picture, in notebooks."""

from registry.graph.dot import get_dot_graph, plot_dot_graph
from registry.graph.mermaid import get_mermaid_graph
from registry.graph.text import get_text_graph

__all__ = ["get_dot_graph", "get_mermaid_graph", "get_text_graph", "plot_dot_graph"]
