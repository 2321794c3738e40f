"""Whole programs: a function and its surroundings as text, and worlds to run them in."""

from __future__ import annotations

import functools
import linecache
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import CodeType, ModuleType
from typing import Any, NamedTuple

import numpy as np

import registry
from random_functions.expressions import SHAPES
from random_functions.operators import indented
from random_functions.outside import COMMON, OWN

FILE = "<random function>"  # whose lines errors show


class Discarded(Exception):  # noqa: N818, no error of the library
    """A program that says nothing: plain NumPy refuses it, or its numbers are beyond all bounds."""


class Block(NamedTuple):
    """Some lines of a body, the names whose values the function gives, and what is tried by them."""

    text: str
    names: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """A function as text, and how its surroundings change from call to call.

    Attributes
    ----------
    arguments : dict of str to str
        Of each parameter: the letter of a shape, ``float``, ``dict``, ``tuple``, ``constant``,
        ``integers``, or the name of what the program's text passes.
    declared, enclosing : str
        What stands before the function, and in the function around it.
    layout : str
        A template of the function, whose {body} and {results} are those of the blocks.
    zeros : bool
        Whether some of the arguments' elements are zero.
    """

    kind: str
    seed: int
    arguments: dict[str, str]
    declared: str
    enclosing: str
    body: tuple[Block, ...]
    layout: str
    changes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    dtype: str = "float64"
    zeros: bool = False
    cache: dict[str, CodeType] = field(default_factory=dict, compare=False)

    @property
    def text(self) -> str:
        names = [*dict.fromkeys(name for block in self.body for name in block.names)]
        function = self.layout.format(
            arguments=", ".join(self.arguments), results=", ".join(names) + ",",
            body="\n".join(block.text for block in self.body).replace("\n", "\n" + self.indentation),
        )  # fmt: skip
        if self.enclosing:
            inside = indented(f"{self.enclosing}\n{function}\nreturn f")
            function = f"def enclosing():\n{inside}f = enclosing()"
        return f"{OWN}\n{self.declared}\n{function}\n"

    @property
    def indentation(self) -> str:
        return self.layout[: self.layout.index("{body}")].rpartition("\n")[2]

    @property
    def all_features(self) -> set[str]:
        return {*self.features, *(feature for block in self.body for feature in block.features)}

    def code(self) -> CodeType:
        """Give the compiled text; errors show its lines."""
        if not self.cache:
            try:
                self.cache["code"] = compile(self.text, FILE, "exec")
            except SyntaxError as error:
                raise Discarded(f"{error}") from error
        linecache.cache[FILE] = (len(self.text), None, self.text.splitlines(keepends=True), FILE)
        return self.cache["code"]

    def rng(self, *numbers: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *numbers])

    def drawn(self, rng: np.random.Generator, names: dict[str, Any] | None = None) -> list[Any]:
        """Draw arguments, or a direction in which they move (0 for what does not)."""
        return [_argument(kind, rng, self, names) for kind in self.arguments.values()]

    @property
    def argnums(self) -> tuple[int, ...]:
        """Give the places of what is differentiated by."""
        return tuple(i for i, kind in enumerate(self.arguments.values()) if kind in MOVING)

    def smaller(self) -> Iterator[Program]:
        """Give the programs with one block or change less, the last first."""
        for i in reversed(range(len(self.body))):
            yield replace(self, body=self.body[:i] + self.body[i + 1 :], cache={})
        for i in range(len(self.changes)):
            yield replace(self, changes=self.changes[:i] + self.changes[i + 1 :], cache={})


MOVING = {*SHAPES, "float", "dict", "tuple"}


def _argument(kind: str, rng: np.random.Generator, program: Program, names: dict[str, Any] | None) -> Any:
    if kind in SHAPES:
        x = np.asarray(0.8 * rng.normal(size=SHAPES[kind]), program.dtype)
        return np.asarray(x * (rng.random(x.shape) > 0.5), x.dtype) if program.zeros else x
    if kind == "float":
        return float(0.8 * rng.normal())
    if kind == "dict":
        return {"w": _argument("v", rng, program, names), "b": _argument("s", rng, program, names)}
    if kind == "tuple":
        return _argument("m", rng, program, names), _argument("v", rng, program, names)
    if names is None:  # a direction
        return None
    if kind == "constant":
        return 0.8 * rng.normal(size=3)
    return rng.integers(1, 4, size=3) if kind == "integers" else names[kind]


class World:
    """What a program's text makes, with some changes done; `checkpoint` is what the text finds so named."""

    def __init__(
        self, program: Program, checkpoint: Callable[[Any], Any] | None = None, changes: tuple[str, ...] = ()
    ) -> None:
        np.random.seed(0)
        random.seed(0)
        self.names: dict[str, Any] = {**_common(), "checkpoint": checkpoint or (lambda f: f)}
        exec(program.code(), self.names)
        for change in changes:
            self.change(change)

    def change(self, text: str) -> None:
        exec(text, self.names)

    @property
    def f(self) -> Any:
        return self.names["f"]


@functools.cache
def _common() -> dict[str, Any]:
    """Give what all worlds share: a module, as data classes and pickle want it."""
    sys.modules["random_function"] = module = ModuleType("random_function")
    exec(COMMON, vars(module))
    for name in ("Function", "no_grad", "plain", "stop_gradient"):
        setattr(module, name, getattr(registry, name))
    return vars(module)
