"""Nested tuples, lists and dicts of arrays: taken apart into their leaves, and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def leaves(tree: Any) -> list[Any]:
    """Give what a structure holds, from left to right; a dict by its own order."""
    return [leaf for _, leaf in places(tree)]


def places(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Give each leaf with its place, as one writes it: ``"['w'][0]"``."""
    if isinstance(tree, tuple | list):
        for i, branch in enumerate(tree):
            yield from places(branch, f"{name}[{i}]")
    elif isinstance(tree, dict):
        for key, branch in tree.items():
            yield from places(branch, f"{name}[{key!r}]")
    elif tree is not None:
        yield name, tree


def like(tree: Any, new_leaves: Iterator[Any]) -> Any:
    """Put leaves into a structure of the same form; None stays None."""
    if isinstance(tree, tuple):
        branches = [like(branch, new_leaves) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else tuple(branches)
    if isinstance(tree, list):
        return [like(branch, new_leaves) for branch in tree]
    if isinstance(tree, dict):
        return {key: like(branch, new_leaves) for key, branch in tree.items()}
    return None if tree is None else next(new_leaves)


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """Apply a function to each leaf."""
    return like(tree, map(function, leaves(tree)))
