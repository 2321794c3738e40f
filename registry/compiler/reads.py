"""What code mentions of the world outside of it, from its bytecode: chains of names, as ``np.linalg.inv``."""

from __future__ import annotations

import dis
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any

Chain = tuple[str, ...]
_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_FREE = {"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"}
_ATTRIBUTE = {"LOAD_ATTR", "LOAD_METHOD"}
_OF_UNKNOWN = {"LOAD_SUPER_ATTR", "IMPORT_FROM"}
_COMPARED = ("CALL", "BUILD_TUPLE", "IS_OP", "COMPARE_OP", "BINARY_OP", "LOAD_ATTR", "LOAD_METHOD")
_REFLECTING = {"getattr", "hasattr"}
_JUMPS = {*dis.hasjrel, *dis.hasjabs}
_SILENT = {"PUSH_NULL", "EXTENDED_ARG", "NOP", "PRECALL"}


@dataclass
class Reads:
    """What one piece of code mentions, without the functions inside it.

    Attributes
    ----------
    globals, free : set of tuple of str
        Chains of attributes that begin with a global name, or with a variable of an enclosing function.
    loose : set of tuple of str
        Chains of attributes of anything else: an argument, an entry, the result of a call.
    imports : set of pair of str and int
        Modules that it imports, and how many packages up.
    types : list of pair of int and str or None
        Lines that call ``type``, with the variable that is asked; None of anything else.
    catches : bool
        Whether it has an ``except``, so that what is missing is an answer, too.
    matches : bool
        Whether it has a ``case`` that reads attributes, or asks ``getattr`` or ``hasattr``.
    computes : bool
        Whether the name that it asks for by those may be one that no code mentions.
    """

    globals: set[Chain] = field(default_factory=set)
    free: set[Chain] = field(default_factory=set)
    loose: set[Chain] = field(default_factory=set)
    imports: set[tuple[str, int]] = field(default_factory=set)
    types: list[tuple[int, str | None]] = field(default_factory=list)
    catches: bool = False
    matches: bool = False
    computes: bool = False


@lru_cache(1024)
def reads_of(code: CodeType) -> Reads:
    """Find what code mentions."""
    found = Reads()
    where = found.loose  # to which belongs
    chain: Chain = ()  # what is being read
    line = code.co_firstlineno
    stored: set[str] = set()
    every = list(dis.get_instructions(code))
    instructions = [i for i in every if i.opname not in _SILENT]
    for i, instruction in enumerate(instructions):
        name, what = instruction.opname, instruction.argval
        found.computes |= what == "__getattribute__"
        line = (instruction.positions and instruction.positions.lineno) or line
        if name in _ATTRIBUTE and not (chain and instruction.is_jump_target):
            chain = (*chain, what)
            continue
        if chain:
            where.add(chain)
        where, chain = found.loose, ()
        if name in _GLOBAL:
            where, chain = found.globals, (what,)
            if what == "type":
                called = name == "LOAD_GLOBAL" and bool(instruction.arg and instruction.arg & 1)
                found.types += [(line, asked) for asked in _asked(called, instructions[i + 1 : i + 3])]
            elif what in _REFLECTING:
                key = _key(instruction, every[every.index(instruction) + 1 :])
                found.loose |= {(key,)} if key else set()
                found.computes |= key is None
                found.matches = True
        elif name in _FREE:
            where, chain = found.free, (what,)
            found.computes |= what in _REFLECTING
        elif name in _ATTRIBUTE or name in _OF_UNKNOWN:
            found.loose.add((what,))
        elif name == "IMPORT_NAME":
            found.imports.add((what, instructions[i - 2].argval))
        elif name.startswith(("STORE_FAST", "STORE_DEREF")):
            stored.update(what if isinstance(what, tuple) else (what,))
        found.catches |= name == "PUSH_EXC_INFO"
        if name == "MATCH_CLASS":
            found.matches = True
            found.loose.add(("__match_args__",))
    found.types = [(line, None if asked in stored else asked) for line, asked in found.types]
    return found


def texts(constants: Iterable[Any]) -> Iterator[str]:
    """Give the texts among constants of code, those in tuples and frozen sets too."""
    for one in constants:
        if isinstance(one, str):
            yield one
        elif isinstance(one, tuple | frozenset):
            yield from texts(one)


def _key(loaded: dis.Instruction, following: Iterable[dis.Instruction]) -> str | None:
    """Give the name that ``getattr`` is asked for: empty if it is a global, None if it may be computed."""
    if loaded.opname != "LOAD_GLOBAL" or not (loaded.arg or 0) & 1:  # not called, but handed on
        return None
    depth, second = 0, None  # how many arguments are on the stack; what put the second one there, alone
    for one in following:
        if one.opname == "PRECALL":  # a part of the call that follows
            continue
        if one.opname == "CALL" and one.arg == depth:
            break
        if one.opcode in _JUMPS:
            return None
        before = depth
        depth += (
            -1 - (one.arg or 0) if one.opname == "CALL" else dis.stack_effect(one.opcode, one.arg, jump=False)
        )
        if depth == 2:
            second = one if before == 1 else None
        elif depth < 0:
            return None
    if second is None or second.opname not in ("LOAD_CONST", "LOAD_GLOBAL"):
        return None
    return str(second.argval) if second.opname == "LOAD_CONST" else ""


def _asked(called: bool, following: list[dis.Instruction]) -> list[str | None]:
    """Give the variable that ``type`` is asked of, or None; nothing where it asks no stand-in."""
    first, then = following
    if not called:  # but compared with, as in isinstance(x, type), or handed on
        return [] if first.opname.startswith(_COMPARED) else [None]
    if first.opname == "LOAD_CONST":  # a class is made
        return []
    is_name = first.opname.startswith("LOAD_FAST") or first.opname in _FREE
    if then.opname == "CALL" and then.arg == 1 and (is_name or first.opname in _GLOBAL):
        return [first.argval] if is_name else []
    return [None]
