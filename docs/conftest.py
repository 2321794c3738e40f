"""The page for readers of the book needs the example plugin of neural networks."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("opregistry_neural") else ["book.md"]
