"""Whole programs: a function and its surroundings as text, drawn from a seed, and worlds to run them in."""

from __future__ import annotations

import functools
import linecache
import random
import re
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from types import CodeType, ModuleType
from typing import Any, NamedTuple

import numpy as np

import registry
from random_functions import statements as pieces
from random_functions.expressions import SHAPES, Expressions
from random_functions.operators import indented, operator_text
from random_functions.outside import COMMON, OWN, reading

# Python does not tell whether `y *= 2` writes to a result that has another name, too: `y` is bound anew.
SECOND_NAMES = False
FILE = "<random function>"  # whose lines errors show


class Discarded(Exception):
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
            function = "def enclosing():\n" + indented(f"{self.enclosing}\n{function}\nreturn f") + "f = enclosing()"
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
        np.random.seed(0)  # noqa: NPY002, the state that programs draw from
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


class _Draft:
    """Draws the blocks of a body one by one."""

    def __init__(self, rng: random.Random, names: dict[str, str], numbers: Collection[str]) -> None:
        self.rng = rng
        self.expressions = Expressions(rng, names)
        self.count = 0
        self.results: set[str] = set()
        self.numbers = numbers

    def block(self, templates: tuple[str, ...], features: tuple[str, ...], name: str = "{new}", shape: str = "", **given: str) -> Block:
        """Fill templates, one after the other: each may use what those before it gave as {source} and {t}."""
        shape = shape or self.expressions.names[self.array()]
        self.count += 1
        given |= {"new": f"a{self.count}", "i": str(self.count)}
        *before, template = templates
        for part in before:
            given["source"] = self.expressions.filled(part, shape, **given)
        text = re.sub(r"\bbox\b", f"box{self.count}", self.expressions.filled(template, shape, 2, **given))
        new = re.sub(r"\bbox\b", f"box{self.count}", name.format(**given))
        if new not in self.expressions.names:
            self.results.add(new)
        self.expressions.names[new] = shape
        return Block(text, (new,), features)

    def array(self, without: Collection[str] = ()) -> str:
        """Give a name that stands for an array, if possible, and none of some."""
        names = [name for name in self.expressions.names if name not in without]
        return self.rng.choice([name for name in names if name not in self.numbers] or names)

    def control(self) -> Block:
        what = self.rng.choice(list(pieces.CONTROL))
        return self.block((pieces.CONTROL[what],), (f"statement: {what}",))

    def copied(self) -> Block:
        what = self.rng.choice(list(pieces.COPIES))
        return self.block((pieces.COPIES[what], "{new} = {source}"), (f"copy: {what}",))

    def written(self) -> Block:
        """Write into an argument or result under another name, a view, a copy, or a new result."""
        kinds = {"name": pieces.NAMES, "view": pieces.VIEWS, "copy": {**pieces.COPIES, "result": "{x} * 1.0"}}
        kind = self.rng.choice(("name", "view", "copy"))
        source, target = self.rng.choice(list(kinds[kind])), self.rng.choice(list(pieces.TARGETS))
        how, old = self.rng.choice(list(pieces.IN_PLACE)), self.array()
        if not SECOND_NAMES and (
            (kind == "name" and old in self.results)
            or (how in pieces.BY_SECOND_NAMES and (kind == "copy" or old in self.results))
        ):
            return self.written()
        setup, place = pieces.TARGETS[target]
        features = (f"written: {source}", f"in: {target}", f"by: {how}")
        how = pieces.IN_PLACE[how].replace("{t}", place)
        shape = self.expressions.names[old]
        return self.block((kinds[kind][source], f"{setup}\n{how}"), features, place, shape, old=old)

    def argument_written(self) -> Block:
        name = self.array(self.results)
        how = self.rng.choice(list(pieces.IN_PLACE))
        shape = self.expressions.names[name]
        return self.block((pieces.IN_PLACE[how],), ("written: argument", f"by: {how}"), name, shape, t=name)

    def refusable(self) -> Block:
        what, around = self.rng.choice(list(pieces.REFUSABLE)), self.rng.choice(pieces.AROUND)
        return self.block((around % pieces.REFUSABLE[what],), (f"arrays only: {what}",))

    def random(self, draws: dict[str, str]) -> Block:
        what = self.rng.choice(list(draws))
        draw = draws[what].format(shape="np.shape({old})")
        how = self.rng.choice(("{new} = {old} * (%s > 0.5)", "{new} = np.where(%s > 0.4, {old}, 0.5 * {old})", "{new} = {old} * %s"))
        return self.block((how % draw,), (f"random: {what}",))


def drawn(kind: str, seed: int) -> Program:
    """Draw a program of a kind: gradients, compiled, checkpoint, vjp or operators."""
    rng = random.Random(f"{kind} {seed}")
    arguments = _arguments(rng)
    names: dict[str, str] = {}
    for name, its in arguments.items():
        names |= {"dict": {f"{name}['w']": "v", f"{name}['b']": "s"}, "tuple": {f"{name}[0]": "m", f"{name}[1]": "v"}}.get(
            its, {name: {"float": "s", "constant": "v", "integers": "v"}.get(its, its)}
        )  # fmt: skip
    start = Block("pass", tuple(names))
    draft = _Draft(rng, names, {name for name, its in arguments.items() if its == "float"})
    program = Program(kind, seed, arguments, "", "", (start,), "def f({arguments}):\n    {body}\n    return total(({results}))")
    return _DRAWN[kind](program, rng, draft)


def _arguments(rng: random.Random) -> dict[str, str]:
    first = rng.choice(("v", "v", "m", "p", "s", "float", "dict", "tuple"))
    others = rng.choices(("v", "m", "s", "constant", "integers", "float"), k=rng.randrange(3))
    return dict(zip("xyz", [first, *others], strict=False))


def _gradients(program: Program, rng: random.Random, draft: _Draft) -> Program:
    tried = rng.choices((draft.written, draft.copied, draft.argument_written, draft.control), (4, 2, 1, 3), k=rng.choice((1, 1, 2)))
    blocks = [*(draft.control() for _ in range(rng.randrange(3))), *(draw() for draw in tried)]
    blocks += [draft.control() for _ in range(rng.randrange(2))]
    dtype = "float32" if rng.random() < 0.1 else "float64"
    return replace(program, body=(*program.body, *blocks), dtype=dtype)


def _vjp(program: Program, rng: random.Random, draft: _Draft) -> Program:
    """Of several results, some of which share memory with arguments and with each other."""
    program = _gradients(program, rng, draft)
    shared = [draft.block((source, "{new} = {source}"), (f"given: {name}",)) for name, source in rng.sample(list({**pieces.NAMES, **pieces.VIEWS}.items()), 2)]
    given = rng.choice(("({results})", "[{results}]", "dict(enumerate(({results})))", "({results})[-1]", "[({results})]"))
    arguments = {name: kind if kind in MOVING else "v" for name, kind in program.arguments.items()}
    return replace(program, body=(*program.body, *shared), arguments=arguments, layout=f"def f({{arguments}}):\n    {{body}}\n    return {given}")


def _compiled(program: Program, rng: random.Random, draft: _Draft) -> Program:
    arguments, declared, enclosing, changes, blocks = dict(program.arguments), "", "", [], []
    for i in range(rng.choice((1, 1, 2))):
        read = reading(rng, i)
        declared += read.declared + "\n"
        enclosing += read.enclosing + "\n" if read.enclosing else ""
        changes.append(rng.choice(read.changes))
        blocks.append(draft.block(("{new} = " + read.use,), (read.feature, read.held)))
        if "arg.k" in read.use:
            arguments["arg"] = "ARG"
        if "call()" in read.use:
            arguments["call"] = "CALL"
    others = rng.choices((draft.control, draft.argument_written, draft.written, draft.refusable), (8, 1, 1, 1), k=rng.choice((0, 1, 1, 2)))
    blocks += [draw() for draw in others]
    if rng.random() < 0.05:
        declared += pieces.GENERATORS
        blocks.append(draft.random({k: v for k, v in pieces.RANDOM.items() if k != "argument"}))
    rng.shuffle(changes)
    features = tuple(f"change: {i}" for i in range(len(changes)))
    return replace(program, arguments=arguments, declared=declared, enclosing=enclosing.rstrip(), body=(*program.body, *blocks), changes=tuple(changes[:2]))


_PARTS = (
    "def part({arguments}, rng):\n    {body}\n    return ({results})\n"
    "def f({arguments}):\n    return total(checkpoint(part)({arguments}, RNG))",
    "def part({arguments}, rng):\n    {body}\n    return ({results})\ndef f({arguments}):\n"
    "    first = checkpoint(part)({arguments}, RNG)\n    return total((*first, *checkpoint(part)({arguments}, RNG)))",
    "def part({arguments}, rng):\n    {body}\n    return [{results}]\ndef f({arguments}):\n"
    "    first = checkpoint(part)({arguments}, RNG)\n    return total(first) * (1.0 + RNG.random())",
    "def part({arguments}, rng):\n    {body}\n    return dict(enumerate(({results})))\ndef f({arguments}):\n"
    "    return total(checkpoint(lambda *args: checkpoint(part)(*args))({arguments}, RNG).values())",
    "def f({arguments}):\n    rng = RNG\n    def part():\n        {body}\n        return ({results})\n"
    "    return total(checkpoint(part)())",
)  # fmt: skip


def _checkpoint(program: Program, rng: random.Random, draft: _Draft) -> Program:
    """With random numbers, zeros among the arguments, and a change between the function and its gradient."""
    declared, changes, blocks = pieces.GENERATORS, [], []
    layout = rng.choice(_PARTS)
    steady = rng.random() < 0.6
    if steady:
        blocks += [draft.random(pieces.RANDOM) for _ in range(rng.choice((1, 1, 2)))]
    elif rng.random() < 0.3:
        blocks.append(draft.random(pieces.UNSTEADY))
    else:
        read = reading(rng, 0)
        while read.enclosing or "arg" in read.feature:
            read = reading(rng, 0)
        declared += read.declared
        changes = [rng.choice(read.changes)]
        blocks.append(draft.block(("{new} = " + read.use,), (read.feature, read.held)))
    blocks += [draw() for draw in rng.choices((draft.control, draft.copied, draft.written), (4, 1, 1), k=rng.randrange(3))]
    return replace(program, declared=declared, layout=layout, body=(*program.body, *blocks), changes=tuple(changes), zeros=steady)


def _operators(program: Program, rng: random.Random, draft: _Draft) -> Program:
    shape = rng.choice("svm")
    text, features = operator_text(rng, SHAPES[shape])
    uses = ("{new} = apply(x)", "{new} = apply(x) * {x}", "{new} = apply(x) + x", "{new} = apply(np.sin(x) + {x})", "{new} = apply(apply(x))", "{new} = apply(x) * apply({x})",
        "{new} = apply(np.sin(x)) + np.cos(x)", "{new} = np.sin(x) * 1.0 + apply(np.tanh(x))")
    layout = program.layout if rng.random() < 0.7 else "def f({arguments}):\n    {body}\n    return ({results})[0]"
    draft.expressions.names = {"x": shape}
    used = draft.block((rng.choice(uses),), features, shape=shape)
    return replace(program, arguments={"x": shape}, declared=text, body=(Block("pass", ()), used), layout=layout)


_DRAWN = {"gradients": _gradients, "compiled": _compiled, "checkpoint": _checkpoint, "vjp": _vjp, "operators": _operators}
