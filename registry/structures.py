"""Nested tuples, lists and dicts of arrays: taken apart into their leaves, and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

_CONTAINERS = (tuple, list, dict)


def leaves(tree: Any) -> list[Any]:
    """Give what a structure holds, from left to right; a dict by its own order."""
    found: list[Any] = []
    stack = [tree]
    while stack:
        branch = stack.pop()
        if isinstance(branch, _CONTAINERS):
            stack += reversed(branch.values() if isinstance(branch, dict) else branch)
        elif branch is not None:
            found.append(branch)
    return found


def places(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Give each leaf with its place, as one writes it: ``"['w'][0]"``."""
    if isinstance(tree, _CONTAINERS):
        for key, branch in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from places(branch, f"{name}[{key!r}]")
    elif tree is not None:
        yield name, tree


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """Apply a function to each leaf; None stays None, and a subclass of list or dict itself."""
    if not isinstance(tree, _CONTAINERS):
        return None if tree is None else function(tree)
    if isinstance(tree, tuple):
        branches = [mapped(function, branch) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else tuple(branches)
    made = copy(tree)
    for key in tree if isinstance(tree, dict) else range(len(tree)):
        made[key] = mapped(function, tree[key])
    return made


def like(tree: Any, new_leaves: Iterator[Any]) -> Any:
    """Put leaves into a structure of the same form."""
    return mapped(lambda _: next(new_leaves), tree)
