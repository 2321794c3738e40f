"""What a refused conversion says: which line asked for it, and what to call there instead.

Only an error pays for this: the line is found by the frames that led to it.
"""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from opcode import opname
from types import FrameType
from typing import Any

import numpy as np

from registry import state
from registry.known_plugins import who_brings_operator

_OWN = frozenset(("registry", "ops_builtin"))
_LIBRARIES = frozenset(("numpy", "scipy", "pandas", "sklearn")) | _OWN  # whose own lines tell a user little
_FULL = "write np.broadcast_to(v, shape) for an array full of v"
_NAMED = (ast.Call, ast.BinOp, ast.AugAssign, ast.Subscript)
INTEGER = "an integer"  # which no operator gives
_SPECIAL = {
    "array": "call np.stack for a list of Variables; a Variable is an array already",
    "dot": "no method of a plain array reaches Variables: write a @ v, or np.dot(a, v)",
    "fill": _FULL,
    "full": _FULL,
    "full_like": _FULL,
}


def lost_gradient(made: str, usual: str) -> str:
    """Give the start of an error: what would be lost, on which line, and what to call there instead.

    Parameters
    ----------
    made : str
        What a Variable should become, such as ``"a NumPy array"``.
    usual : str
        What to do where nothing more is known of the line.
    """
    inside, frame = _callers(sys._getframe(2))
    place = _expression(frame)
    if not inside and opname[frame.f_code.co_code[frame.f_lasti]].startswith("STORE_"):
        into = ast.unparse(place) if isinstance(place, ast.Subscript) else "b[i]"
        return (
            f"writing a Variable into a plain array, as {into} = ... does, would lose its gradient; make "
            f"a new array: {_set_item(place)}, or np.stack for a list of Variables"
        )
    does = f", as {_shown(place)} does," if isinstance(place, _NAMED) else ""
    instead = None if made == INTEGER else _instead(inside, frame, place)
    return f"making {made} of a Variable{does} would lose its gradient; {instead or usual}"


def _callers(frame: FrameType) -> tuple[Sequence[FrameType], FrameType]:
    """Give the frames of libraries that take arrays, innermost first, and that which called them."""
    inside = []
    while frame.f_back and _package(frame) in _LIBRARIES:
        inside.append(frame)
        frame = frame.f_back
    return inside, frame


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _expression(frame: FrameType) -> ast.AST | None:
    """Read what a frame is at from its source, as far as there is one."""
    first, last, start, end = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
    if first is None or last is None or start is None or end is None:
        return None
    name = frame.f_code.co_filename
    lines = [linecache.getline(name, i, frame.f_globals).encode() for i in range(first, last + 1)]
    lines[-1] = lines[-1][:end]
    text = b"".join(lines)[start:].decode(errors="replace")
    if text:
        with suppress(SyntaxError):
            return ast.parse(f"({text})", mode="eval").body
        with suppress(SyntaxError):
            return ast.parse(text).body[0]
    return None


def _shown(place: ast.AST) -> str:
    text = ast.unparse(place)
    if len(text) <= 60:
        return text
    return f"{ast.unparse(place.func)[:60]}(...)" if isinstance(place, ast.Call) else f"{text[:60]}..."


def _set_item(place: ast.AST | None) -> str:
    if isinstance(place, ast.Subscript):
        array, index = ast.unparse(place.value), ast.unparse(place.slice)
        if not isinstance(place.slice, ast.Slice) and ":" not in index:
            return f"{array} = ops.set_item({array}, v, {index})"
    return "b = ops.set_item(b, v, index)"


def _instead(inside: Sequence[FrameType], frame: FrameType, place: ast.AST | None) -> str | None:
    """Say what to call in place of what was called, if something is known of it."""
    if inside and _package(inside[-1]) in _OWN:
        return None
    if inside and inside[-1].f_code.co_name != "__init__":
        holder = inside[-1].f_locals.get("self")
        for method in ("toarray", "to_numpy"):  # of sparse matrices; of tables
            if callable(getattr(type(holder), method, None)):
                kind = type(holder).__name__
                return f"use the plain array that .{method}() gives in place of the {kind}"
    if not isinstance(place, ast.Call):
        return None
    called = place.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    if name in _SPECIAL:
        return _SPECIAL[name]
    if _is_numpy(called, frame):
        return None  # it is served, but not for what it was called with
    return next(_serving([*_densities(inside), name]), None)


def _is_numpy(called: ast.expr, frame: FrameType) -> bool:
    while isinstance(called, ast.Attribute):
        called = called.value
    name = getattr(called, "id", "")
    return {**frame.f_globals, **frame.f_locals}.get(name) is np


def _densities(inside: Sequence[FrameType]) -> Iterator[str]:
    """Give the names that operators for methods of SciPy's distributions have, such as norm_logpdf."""
    for frame in inside:
        kind, _, end = type(frame.f_locals.get("self")).__name__.rpartition("_")
        if end == "gen":
            yield f"{kind}_{frame.f_code.co_name}"


def _serving(names: Sequence[str]) -> Iterator[str]:
    """Give what serves one of these names: a NumPy function, or an operator, of a package maybe."""
    registry: Any = state.default_registry()
    registry.load()
    for name in names:
        for module, shown in ((np, "np"), (np.linalg, "np.linalg"), (np.fft, "np.fft")):
            if vars(module).get(name) in registry.catalog.functions:
                yield f"call {shown}.{name}"
        if reason := registry.catalog.refused.get(f"numpy.{name}"):
            yield f"np.{name} cannot be differentiated either: {reason}"
        if name in registry.catalog.names:
            yield f"call ops.{name}"
        if package := who_brings_operator(name, {plugin.name for plugin in registry.plugins}):
            yield f"call ops.{name} ({package.removeprefix('; ')})"
