"""Places outside of a function, and the source that asks whether each still holds what it held.

A name of a module is asked for by a function with that module's globals, a variable of an
enclosing function by one that shares its cell, an attribute by reading it: 5 to 10 ns each,
where a look into a dict or a cell from outside takes 15.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from operator import is_
from types import CellType, CodeType, FunctionType, MappingProxyType
from typing import Any, NamedTuple

PREFIX = "_outside_"  # of names in guards, which stand among those of the user's module
_SHORT = 16  # entries that are asked for one by one
CONTAINERS = (OrderedDict, dict, MappingProxyType, list, deque, set)  # that can change


class Place(NamedTuple):
    """What a function read outside, and how to see that it is another now.

    Attributes
    ----------
    name : str
        As one writes it, for messages.
    changed : str
        An expression that is true, or raises an error, where it is; ``{0}`` is the first of `cells`.
    cells : tuple of cell
        What the expression is about.
    namespace : dict, optional
        The globals in which it stands.
    first : str
        A statement before it; names in it end in ``{n}``, a number of the place's own.
    """

    name: str
    changed: str
    cells: tuple[CellType, ...]
    namespace: dict[str, Any] | None = None
    first: str = ""

    @property
    def is_current(self) -> bool:
        """Whether it holds what it held."""
        return not any(changed() for changed in guards([self]))


def place(name: str, changed: str, *values: Any, **more: Any) -> Place:
    """Make a place of an expression and the objects in it."""
    return Place(name, changed, tuple([CellType(value) for value in values]), **more)


def variable(name: str, cell: CellType) -> Place:
    """Make the place of a variable of an enclosing function."""
    return Place(name, "{0} is not {1}", (cell, CellType(cell.cell_contents)))


def entries(name: str, x: Any) -> list[Place]:
    """Make the places of what a container holds, in its order."""
    if type(x) is dict and len(x) <= _SHORT:
        return [_of_dict(name, x)]
    kind: Any = next(base for base in CONTAINERS if isinstance(x, base))
    views = (kind.keys, kind.values) if hasattr(kind, "keys") else (kind.__iter__,)
    return [_entries(name, x, view) for view in views]


def _of_dict(name: str, x: dict[Any, Any]) -> Place:
    """Make the place of a short dict in half of the time: its keys in their order, and what each leads to."""
    names = [f"{PREFIX}{i}_{{n}}" for i in range(len(x))]
    pairs = [
        f"{one} is not {{{2 * i + 1}}} or {{0}}[{one}] is not {{{2 * i + 2}}}" for i, one in enumerate(names)
    ]
    values = [one for pair in x.items() for one in pair]
    return place(name, " or ".join(pairs), x, *values, first=f"[{', '.join(names)}] = {{0}}")


def _entries(name: str, x: Any, view: Callable[[Any], Iterable[Any]]) -> Place:
    known = tuple(view(x))
    if len(known) > _SHORT:
        values = (x, view, known, len, all, map, is_)
        return place(name, "{3}({0}) != {3}({2}) or not {4}({5}({6}, {1}({0}), {2}))", *values)
    names = [f"{PREFIX}{i}_{{n}}" for i in range(len(known))]
    changed = " or ".join([f"{one} is not {{{i}}}" for i, one in enumerate(names, 2)])
    source = "{0}" if type(x) is list else "{1}({0})"
    return place(name, changed, x, view, *known, first=f"[{', '.join(names)}] = {source}")


def guards(places: Iterable[Place]) -> list[Callable[[], bool]]:
    """Make functions that say whether any of the places is another now, one for each module."""
    groups: dict[int, list[Place]] = {}
    for one in places:
        groups.setdefault(id(one.namespace), []).append(one)
    return [_guard(group) for group in groups.values()]


def _guard(group: Sequence[Place]) -> Callable[[], bool]:
    error = f"{PREFIX}error"
    cells = {error: CellType(Exception)}
    lines: list[str] = []
    pending: list[str] = []
    numbers = count()
    for n, one in enumerate(group):
        names = [f"{PREFIX}{next(numbers)}" for _ in one.cells]
        cells.update(zip(names, one.cells, strict=True))
        if one.first:
            lines += _question(pending)
            pending = []
            lines.append(one.first.format(*names, n=n))
        if one.changed:
            pending.append(one.changed.format(*names, n=n))
    lines += _question(pending)
    source = "\n".join(
        [
            f"def outer({', '.join(cells)}):",
            f"  def {PREFIX}changed():",
            "    try:",
            *[f"      {line}" for line in lines],
            f"    except {error}:",
            "      return True",
            "    return False",
        ]
    )
    made: dict[str, Any] = {}
    exec(compile(source, "<opregistry guard>", "exec"), made)
    (code,) = [one for one in made["outer"].__code__.co_consts if isinstance(one, CodeType)]
    closure = tuple([cells[name] for name in code.co_freevars])
    namespace = group[0].namespace
    return FunctionType(code, {} if namespace is None else namespace, "changed", None, closure)


def _question(changed: Sequence[str]) -> list[str]:
    return [f"if {' or '.join(changed)}: return True"] if changed else []
