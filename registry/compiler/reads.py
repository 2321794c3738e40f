"""What code mentions of the world outside of it, from its bytecode: chains of names, as ``np.linalg.inv``."""

from __future__ import annotations

import dis
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType

Chain = tuple[str, ...]
_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_FREE = {"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"}
_ATTRIBUTE = {"LOAD_ATTR", "LOAD_METHOD"}
_OF_UNKNOWN = {"LOAD_SUPER_ATTR", "IMPORT_FROM"}
_COMPARED = ("CALL", "BUILD_TUPLE", "IS_OP", "COMPARE_OP", "BINARY_OP", "LOAD_ATTR", "LOAD_METHOD")
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
        Whether it has a ``case`` that reads attributes.
    """

    globals: set[Chain] = field(default_factory=set)
    free: set[Chain] = field(default_factory=set)
    loose: set[Chain] = field(default_factory=set)
    imports: set[tuple[str, int]] = field(default_factory=set)
    types: list[tuple[int, str | None]] = field(default_factory=list)
    catches: bool = False
    matches: bool = False


@lru_cache(1024)
def reads_of(code: CodeType) -> Reads:
    """Find what code mentions."""
    found = Reads()
    where = found.loose  # to which belongs
    chain: Chain = ()  # what is being read
    line = code.co_firstlineno
    stored: set[str] = set()
    instructions = [i for i in dis.get_instructions(code) if i.opname not in _SILENT]
    for i, instruction in enumerate(instructions):
        name, what = instruction.opname, instruction.argval
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
        elif name in _FREE:
            where, chain = found.free, (what,)
        elif name in _ATTRIBUTE or name in _OF_UNKNOWN:
            found.loose.add((what,))
        elif name == "IMPORT_NAME":
            found.imports.add((what, instructions[i - 2].argval))
        elif name.startswith(("STORE_FAST", "STORE_DEREF")):
            stored.update(what if isinstance(what, tuple) else (what,))
        found.catches |= name == "PUSH_EXC_INFO"
        found.matches |= name == "MATCH_CLASS"
    found.types = [(line, None if asked in stored else asked) for line, asked in found.types]
    return found


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
