"""`Witness`: what runs while a function is traced: Python code, and functions in C that ask for more."""

from __future__ import annotations

import gc
import sys
import sysconfig
from collections.abc import Callable
from types import CodeType, FrameType, ModuleType
from typing import Any

import numpy as np

from registry.compiler.reads import reads_of
from registry.compiler.traced import Traced
from registry.compiler.writing import line_of

# Packages whose code is what it is; what they keep is no part of what a function reads.
_OF_THE_CORE = {
    "registry", "ops_builtin", "numpy", "scipy", "pluggy", "logging", "warnings",
    "functools", "contextlib", "re", "enum", "abc", "typing",
}  # fmt: skip
_STANDARD = (sysconfig.get_path("stdlib"), "<frozen ")
# Functions in C that give the same for the same arguments; methods of what these modules make, too.
_PURE = {
    "builtins", "math", "cmath", "operator", "itertools", "functools", "collections", "numpy", "scipy", "re",
    "sre", "abc", "types", "enum", "typing", "weakref", "contextvars", "string", "decimal", "warnings",
    "registry",
}  # fmt: skip
_ASKING = {"open", "input", "globals", "eval", "exec", "__import__", "breakpoint", "compile"}
_STATE = {f.__code__ for f in (np.geterr, np.geterrcall, np.getbufsize, np.get_printoptions)}


def root(name: Any) -> str:
    """Give the package of a module's name."""
    return str(name).partition(".")[0]


def is_core(namespace: dict[str, Any], code: CodeType) -> bool:
    """Say whether code belongs to the library itself, to NumPy, or to what only tells people something."""
    package = root(namespace.get("__name__"))
    generated = code.co_filename.startswith("<opregistry") or package.startswith("namedtuple_")
    return package in _OF_THE_CORE or generated


def is_standard(code: CodeType) -> bool:
    """Say whether code belongs to Python's standard library."""
    return code.co_filename.startswith(_STANDARD) and "site-packages" not in code.co_filename


class _Sight:
    """Whether there is a witness in a `with` block, and afterwards."""

    def __init__(self, inside: Any, afterwards: Any) -> None:
        self.inside, self.afterwards = inside, afterwards

    def __enter__(self) -> None:
        sys.setprofile(self.inside)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self.afterwards)


class Witness:
    """What runs in one trace, as `sys.setprofile` tells it to the thread that traces.

    Attributes
    ----------
    ran : dict of int to (CodeType, dict)
        The code that ran and is not of the core, by its id, with its globals.
    classes : set of type
        Those of the first arguments of what ran.
    refused : list of pair of str
        What cannot be replayed, and the line of it.
    draws : bool
        Whether code of SciPy's ran, which may draw from NumPy's global generator by itself.
    unseen, seen : context manager
        In the first the witness looks away, as from the library's own work, which costs four
        times as much under its eyes; in the second, inside of that, it looks again.
    """

    def __init__(self) -> None:
        self.ran: dict[int, tuple[CodeType, dict[str, Any]]] = {}
        self.classes: set[type] = set()
        self.refused: list[tuple[str, str]] = []
        self.draws = False
        self._codes: dict[int, Callable[[FrameType], None] | None] = {}
        self._kept: list[CodeType] = []  # so that no other code gets its id
        self._told = self._tell()
        self.unseen = _Sight(None, self._told)
        self.seen = _Sight(self._told, None)

    def __enter__(self) -> Witness:
        self._before: Any = sys.getprofile()
        sys.setprofile(self._told)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        if hasattr(self._before, "enable"):  # cProfile's, which is no function
            self._before.enable()
        elif self._before is not None:
            sys.setprofile(self._before)

    def _tell(self) -> Callable[[FrameType, str, Any], None]:
        """Make what Python calls at each event; a closure, as most are of the core, and ignored."""
        known, ran, new = self._codes.get, self.ran, self._new

        def tell(frame: FrameType, event: str, what: Any) -> None:
            if event == "call":
                if (look := known(id(frame.f_code), new)) is not None:
                    look(frame)
            elif event == "c_call" and id(frame.f_code) in ran and not _is_pure(what, frame.f_code):
                self._refuse(
                    f"{_name(what)} is called, which may give something else each time", _caller(frame)
                )

        return tell

    def _new(self, frame: FrameType) -> None:
        """Settle what is done at each call of code that was not seen before, and do it."""
        code = frame.f_code
        self._kept.append(code)
        look: Callable[[FrameType], None] | None
        if code.co_name == "__del__" or code in [getattr(one, "__code__", None) for one in gc.callbacks]:
            look = None  # Python calls these at any time
        elif is_core(frame.f_globals, code):
            self.draws |= root(frame.f_globals.get("__name__")) == "scipy"
            look = self._look_at_state if code in _STATE else None
        else:
            look = self._look_at_standard if is_standard(code) else self._look_at
        self._codes[id(code)] = look
        if look is not None:
            look(frame)

    def _look_at(self, frame: FrameType) -> None:
        """See whose method it is, and whether it asks for the type of what stands in for an array."""
        code, given = frame.f_code, frame.f_locals
        self.ran[id(code)] = code, frame.f_globals
        if code.co_argcount and code.co_varnames[0] in given:
            first = given[code.co_varnames[0]]
            self.classes |= {type(first), first if isinstance(first, type) else object}
        for line, asked in reads_of(code).types:
            if asked is None or isinstance(given.get(asked), Traced):
                text = "type is asked, which tells a stand-in from an array; ask by isinstance"
                self.refused.append((text, line_of(code.co_filename, line)))

    def _look_at_standard(self, frame: FrameType) -> None:
        if _caller(frame) is not None:
            self.ran[id(frame.f_code)] = frame.f_code, frame.f_globals

    def _look_at_state(self, frame: FrameType) -> None:
        self._refuse(f"np.{frame.f_code.co_name} is called, whose result may change", _caller(frame.f_back))

    def _refuse(self, what: str, frame: FrameType | None) -> None:
        if frame is not None:
            self.refused.append((what, line_of(frame.f_code.co_filename, frame.f_lineno)))


def _caller(frame: FrameType | None) -> FrameType | None:
    """Give the frame of the user's code that called what runs; None where the core did."""
    while frame is not None and is_standard(frame.f_code) and not is_core(frame.f_globals, frame.f_code):
        frame = frame.f_back
    return None if frame is None or is_core(frame.f_globals, frame.f_code) else frame


def _is_pure(function: Any, caller: CodeType) -> bool:
    """Say whether a function in C gives the same for the same arguments, or is a method of plain data."""
    if function.__name__ == "__subclasses__":
        return False
    if function is id:  # which the standard library only compares
        return is_standard(caller)
    owner = getattr(function, "__self__", None)
    if owner is None or isinstance(owner, ModuleType):
        if function.__name__ in _ASKING and function.__module__ in ("builtins", "_io", "io"):
            return False
        return root(function.__module__).lstrip("_") in _PURE
    classes = owner.__mro__ if isinstance(owner, type) else type(owner).__mro__
    made_by = next((cls for cls in classes if function.__name__ in vars(cls)), type(owner))
    if made_by.__module__ == "_thread" and function.__name__ in ("__enter__", "__exit__"):  # with lock
        return True
    return root(made_by.__module__).lstrip("_") in _PURE


def _name(function: Any) -> str:
    owner = getattr(function, "__self__", None)
    if owner is None or isinstance(owner, ModuleType):
        return f"{function.__module__}.{function.__name__}"
    return f"{(owner if isinstance(owner, type) else type(owner)).__name__}.{function.__name__}"
