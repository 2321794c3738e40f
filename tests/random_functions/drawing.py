"""Programs drawn from a seed, block by block."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from random_functions import statements as pieces
from random_functions.expressions import SHAPES, Expressions
from random_functions.operators import operator_text
from random_functions.outside import reading
from random_functions.program import MOVING, Block, Program

# Python does not tell whether `y *= 2` writes to a result that has another name, too: `y` is bound anew.
SECOND_NAMES = True


class _Draft:
    """Draws the blocks of a body one by one."""

    def __init__(self, rng: random.Random, names: dict[str, str], numbers: Collection[str]) -> None:
        self.rng = rng
        self.expressions = Expressions(rng, names)
        self.count = 0
        self.results: set[str] = set()
        self.numbers = numbers

    def block(
        self,
        templates: Sequence[str],
        features: tuple[str, ...],
        name: str = "{new}",
        shape: str = "",
        **given: str,
    ) -> Block:
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
        masked = "{new} = {old} * (%s > 0.5)", "{new} = np.where(%s > 0.4, {old}, 0.5 * {old})"
        how = self.rng.choice((*masked, "{new} = {old} * %s"))
        return self.block((how % draw,), (f"random: {what}",))


def drawn(kind: str, seed: int) -> Program:
    """Draw a program of a kind: gradients, compiled, checkpoint, vjp or operators."""
    rng = random.Random(f"{kind} {seed}")
    arguments = _arguments(rng)
    names: dict[str, str] = {}
    for name, its in arguments.items():
        parts = {"dict": {"['w']": "v", "['b']": "s"}, "tuple": {"[0]": "m", "[1]": "v"}}
        shape = {"float": "s", "constant": "v", "integers": "v"}.get(its, its)
        names |= {name + part: letter for part, letter in parts.get(its, {"": shape}).items()}
    start = Block("pass", tuple(names))
    draft = _Draft(rng, names, {name for name, its in arguments.items() if its == "float"})
    layout = "def f({arguments}):\n    {body}\n    return total(({results}))"
    program = Program(kind, seed, arguments, "", "", (start,), layout)
    return _DRAWN[kind](program, rng, draft)


def _arguments(rng: random.Random) -> dict[str, str]:
    first = rng.choice(("v", "v", "m", "p", "s", "float", "dict", "tuple"))
    others = rng.choices(("v", "m", "s", "constant", "integers", "float"), k=rng.randrange(3))
    return dict(zip("xyz", [first, *others], strict=False))


def _gradients(program: Program, rng: random.Random, draft: _Draft) -> Program:
    draws = (draft.written, draft.copied, draft.argument_written, draft.control)
    blocks = [draft.control() for _ in range(rng.randrange(3))]
    blocks += [draw() for draw in rng.choices(draws, (4, 2, 1, 3), k=rng.choice((1, 1, 2)))]
    blocks += [draft.control() for _ in range(rng.randrange(2))]
    dtype = "float32" if rng.random() < 0.1 else "float64"
    return replace(program, body=(*program.body, *blocks), dtype=dtype)


def _vjp(program: Program, rng: random.Random, draft: _Draft) -> Program:
    """Of several results, some of which share memory with arguments and with each other."""
    program = _gradients(program, rng, draft)
    sources = rng.sample(list({**pieces.NAMES, **pieces.VIEWS}.items()), 2)
    shared = [draft.block((source, "{new} = {source}"), (f"given: {name}",)) for name, source in sources]
    given = rng.choice(("({results})", "[{results}]", "dict(enumerate(({results})))", "({results})[-1]"))
    arguments = {name: kind if kind in MOVING else "v" for name, kind in program.arguments.items()}
    layout = f"def f({{arguments}}):\n    {{body}}\n    return {given}"
    return replace(program, body=(*program.body, *shared), arguments=arguments, layout=layout)


def _compiled(program: Program, rng: random.Random, draft: _Draft) -> Program:
    arguments, declared, enclosing, changes, blocks = dict(program.arguments), "", "", [], []
    if rng.random() < 0.15:  # nothing changes but the numbers
        blocks, changes = [draft.refusable()], ["pass", "pass"]
    for i in range(0 if changes else rng.choice((1, 1, 2))):
        read = reading(rng, i)
        declared += read.declared + "\n"
        enclosing += read.enclosing + "\n" if read.enclosing else ""
        changes.append(rng.choice(read.changes))
        blocks.append(draft.block(("{new} = " + read.use,), read.features))
        if read.holder == "argument":
            arguments["arg"] = "ARG"
        if read.holder == "callable argument":
            arguments["call"] = "CALL"
    draws = (draft.control, draft.argument_written, draft.written, draft.refusable)
    blocks += [draw() for draw in rng.choices(draws, (8, 1, 1, 1), k=rng.choice((0, 1, 1, 2)))]
    if rng.random() < 0.05:
        declared += pieces.GENERATORS
        blocks.append(draft.random({k: v for k, v in pieces.RANDOM.items() if k != "argument"}))
    rng.shuffle(changes)
    return replace(
        program, arguments=arguments, declared=declared, enclosing=enclosing.rstrip(),
        body=(*program.body, *blocks), changes=tuple(changes),
    )  # fmt: skip


_PARTS = (
    "def part({arguments}, rng):\n    {body}\n    return ({results})\n"
    "def f({arguments}):\n    return total(checkpoint(part)({arguments}, RNG))",
    "def part({arguments}, rng):\n    {body}\n    return ({results})\ndef f({arguments}):\n"
    "    first = checkpoint(part)({arguments}, RNG)\n"
    "    return total((*first, *checkpoint(part)({arguments}, RNG)))",
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
        while read.enclosing or "argument" in read.holder:
            read = reading(rng, 0)
        declared += read.declared
        changes = [rng.choice(read.changes)]
        blocks.append(draft.block(("{new} = " + read.use,), read.features))
    draws = (draft.control, draft.copied, draft.written)
    blocks += [draw() for draw in rng.choices(draws, (4, 1, 1), k=rng.randrange(3))]
    return replace(
        program, declared=declared, layout=layout, body=(*program.body, *blocks), changes=tuple(changes),
        zeros=steady,
    )  # fmt: skip


def _operators(program: Program, rng: random.Random, draft: _Draft) -> Program:
    shape = rng.choice("svm")
    text, features = operator_text(rng, SHAPES[shape])
    whole = "def f({arguments}):\n    {body}\n    return ({results})[0]"
    layout = rng.choice((program.layout, program.layout, whole))
    draft.expressions.names = {"x": shape}
    used = draft.block((f"{{new}} = {rng.choice(_USES)}",), features, shape=shape)
    return replace(program, arguments={"x": shape}, declared=text, body=(used,), layout=layout)


_USES = (
    "apply(x)", "apply(x) * {x}", "apply(x) + x", "apply(np.sin(x) + {x})", "apply(apply(x))",
    "apply(x) * apply({x})", "apply(np.sin(x)) + np.cos(x)", "np.sin(x) * 1.0 + apply(np.tanh(x))",
)  # fmt: skip
_DRAWN = {
    "gradients": _gradients,
    "compiled": _compiled,
    "checkpoint": _checkpoint,
    "vjp": _vjp,
    "operators": _operators,
}
