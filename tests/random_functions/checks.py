"""Each way of the library, compared with plain NumPy: the same text in another world."""

from __future__ import annotations

import copy
import random
from functools import partial
from typing import Any

import numpy as np

import registry
from random_functions.program import Discarded, Program, World
from random_functions.reference import Case, OtherError, Wrong, arrays, called, inner, plainly, same
from registry import Variable


def gradients(program: Program) -> int:
    """Value, gradient, and sometimes second derivative; and the arguments' arrays after the call."""
    case = Case(program)
    way = case.choice.choice((_by_value_and_grad, _by_value_and_grad, _by_hand, _by_jvp, _by_hvp))
    args = case.fresh()
    count = way(case, case.world().f, args)
    same(program, args, case.after, "after the call, an argument")
    return count + 1


def _by_value_and_grad(case: Case, f: Any, args: list[Any]) -> int:
    value, found = called(registry.value_and_grad(f, case.argnums), *args)
    same(case.program, value, case.value, "the value")
    return 1 + case.slope(inner(found, case.only(case.direction)), "the slope")


def _by_hand(case: Case, f: Any, args: list[Any]) -> int:
    xs = list(args)
    leaves = [(i, Variable(x)) for i, x in enumerate(args) if isinstance(x, np.ndarray) and i in case.argnums]
    copies = any("copy" in feature or "pickle" in feature for feature in case.program.all_features)
    for i, x in leaves:
        xs[i] = +x if copies else x  # a copy of a leaf is another leaf
    y = called(f, *xs)
    same(case.program, y, case.value, "the value on Variables")
    pickled = any("pickle" in feature for feature in case.program.all_features)  # as data, out of transforms
    if not isinstance(y, Variable) or len(leaves) != len(case.argnums) or pickled:
        return 1
    called(y.backward)
    pairs = [(x.grad, case.direction[i]) for i, x in leaves if x.grad is not None]
    return 1 + case.slope(float(sum(np.sum(g * d) for g, d in pairs)), "the slope by backward")


def _by_jvp(case: Case, f: Any, args: list[Any]) -> int:
    g = partial(_filled, f, args, case.argnums)
    value, tangent = called(registry.jvp, g, case.only(args), case.only(case.direction))
    same(case.program, value, case.value, "the value of jvp")
    return 1 + case.slope(float(tangent), "the tangent of jvp")


def _filled(f: Any, args: list[Any], argnums: tuple[int, ...], *xs: Any) -> Any:
    given = dict(zip(argnums, xs, strict=True))
    return f(*(given.get(i, x) for i, x in enumerate(args)))


def _by_hvp(case: Case, f: Any, args: list[Any]) -> int:
    direction = case.only(case.direction)
    found = called(registry.hvp(f, case.argnums), *args, direction)
    return (
        case.curvature(inner(found, direction), "the product with the Hessian")
        if case.program.dtype == "float64"
        else 0
    )


def vjp(program: Program) -> int:
    """Whatever the caller does to values and gradients, the next gradient is the same."""
    case = Case(program)
    differentiate = partial(registry.vjp, case.world().f)
    value, pull_back = called(differentiate, *(args := case.fresh()))
    same(program, value, case.value, "the value")
    seed = _weights(value, program.rng(2))
    expected = called(called(differentiate, *case.fresh())[1], seed)
    count = case.slope(inner(expected, case.direction), "the slope", seed)
    kept = copy.deepcopy(seed)
    spoil(value)
    same(program, args, case.after, "after the value is written into, an argument")
    for turn in ("first", "second"):
        found = called(pull_back, seed)
        same(program, found, expected, f"after the value is written into, the {turn} gradient")
        spoil(found)
        same(program, args, case.after, "after the gradient is written into, an argument")
        same(program, seed, kept, "after pull_back, the gradient that it got")
    value, auxiliary = called(
        registry.value_and_grad(lambda *xs: (_sum(f := case.world().f(*xs)), f), has_aux=True), *args
    )[0]
    spoil(auxiliary)
    same(program, args, case.after, "after the second part of the value is written into, an argument")
    return count + 7


def _sum(tree: Any) -> Any:
    return sum(np.sum(np.sin(x)) for x in arrays(tree))


def _weights(tree: Any, rng: np.random.Generator) -> Any:
    if isinstance(tree, dict):
        return {key: _weights(branch, rng) for key, branch in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(_weights(branch, rng) for branch in tree)
    return np.asarray(rng.normal(size=np.shape(tree)), getattr(tree, "dtype", None))


def spoil(tree: Any) -> None:
    """Write into every array that may be written into."""
    for x in arrays(tree):
        if isinstance(x, np.ndarray) and x.flags.writeable:
            x -= 0.375


def compiled(program: Program) -> int:
    """Called, changed, called again, with other numbers each time."""
    choice = random.Random(program.seed)
    differentiated = choice.random() < 0.5

    def wrapped(f: Any) -> Any:
        return registry.value_and_grad(f, program.argnums) if differentiated else f

    def plain_call(f: Any, args: list[Any], program: Program) -> Any:
        return wrapped(f)(*args)

    expected = []
    for call in range(len(program.changes) + 1):
        changes = program.changes[:call]
        args = program.drawn(program.rng(call), World(program, changes=changes).names)
        try:
            value = plainly(program, args, changes, plain_call)
        except Discarded as error:
            if call == 0 or "large" in str(error):
                raise
            value = error  # such as a name that is deleted
        expected.append((value, args))
    world = World(program)
    f = registry.compile(wrapped(world.f))
    for call, (value, after) in enumerate(expected):
        if call:
            world.change(program.changes[call - 1])
        args = program.drawn(program.rng(call), world.names)
        if isinstance(value, Discarded):
            try:
                found = f(*args)
            except Exception:
                return call
            raise Wrong(f"call {call + 1} gives {found}, where plain NumPy raises {value}")
        found = called(f, *args)
        same(program, found, value, f"call {call + 1} of {f.__name__}")
        same(program, args, after, f"after call {call + 1} of {f.__name__}, an argument")
    return len(expected)


def checkpointed(program: Program) -> int:
    """With the same random numbers as without it, also after something has changed in between."""
    case = Case(program)
    results = []
    for checkpoint in (None, registry.checkpoint):
        world = World(program, checkpoint=checkpoint)
        args = case.fresh()
        try:
            results.append(_with_gradient(program, case, world, args))
        except registry.RegistryError as error:
            if checkpoint is None:  # checkpoint is not what refuses it
                raise Discarded(f"{error}") from error
            raise
        except Exception as error:
            raise (Discarded if checkpoint is None else OtherError)(
                f"{type(error).__name__}: {error}"
            ) from error
    (value, found), (checked, again) = results
    same(program, value, case.value, "the value")
    same(program, checked, value, "the value of checkpoint")
    if program.changes and _unseen(program, case):
        raise Discarded("no value tells of the change")
    same(program, again, found, "the gradient through checkpoint")
    return 2


def _with_gradient(program: Program, case: Case, world: World, args: list[Any]) -> Any:
    value, pull_back = registry.vjp(partial(_filled, world.f, args, case.argnums), *case.only(args))
    for change in program.changes:
        world.change(change)
    return value, pull_back(np.ones_like(value))


def _unseen(program: Program, case: Case) -> bool:
    """Say that the function gives the same after the change."""
    try:
        value = plainly(program, case.fresh(), program.changes)
    except Discarded:
        return False
    return bool(np.all(value == case.value))


def operators(program: Program) -> int:
    """First and second derivatives; and no gradient, argument or value is written into."""
    case = Case(program)
    f, args, scalar = case.world().f, case.fresh(), "total" in program.layout
    if scalar and case.choice.random() < 0.7:
        return _by_hvp(case, f, args) + _unchanged(case, args)
    value, pull_back = called(registry.vjp, f, *args)
    same(program, value, case.value, "the value")
    seed = _weights(value, program.rng(2))
    given = copy.deepcopy(seed)
    found = [called(pull_back, seed) for _ in range(2)]
    same(program, seed, given, "after pull_back, the gradient that it got")
    same(program, *found, "the gradient at once, beside the second one,")
    return case.slope(inner(found[0], case.direction), "the slope", given) + _unchanged(case, args) + 3


def _unchanged(case: Case, args: list[Any]) -> int:
    same(case.program, args, case.args, "after the gradient, an argument")
    return 1


def check(program: Program) -> int:
    """Check a program in the way of its kind, and count the comparisons.

    Raises
    ------
    Wrong
        Where something differs from plain NumPy.
    Discarded
        Where the program says nothing; also where it overwrites what its own gradient needs.
    RegistryError, OtherError
        Where the library refuses it.
    """
    try:
        return _CHECKS[program.kind](program)
    except Wrong:
        if program.kind != "operators" and _overwrites(program):
            raise Discarded("it overwrites what its gradient needs") from None
        raise


def _overwrites(program: Program) -> bool:
    """Say whether the function writes into a plain array that its gradient needs, which only a guard sees."""
    case = Case(program)
    args = case.fresh()
    f = partial(_filled, case.world().f, args, case.argnums)
    try:
        with registry.guard():
            value, pull_back = registry.vjp(f, *case.only(args))
            pull_back(_weights(value, program.rng(2)))
    except registry.OverwrittenError:
        return True
    except Exception:  # such as what the check met
        return False
    return False


def shrunk(program: Program, failure: Wrong) -> tuple[Program, Wrong]:
    """Give the program without what its failure does not need, and how it fails then."""
    for smaller in program.smaller():
        if (found := _failure(smaller)) is not None:
            return shrunk(smaller, found)
    return program, failure


def _failure(program: Program) -> Wrong | None:
    try:
        check(program)
    except Wrong as error:
        return error
    except (Discarded, OtherError, registry.RegistryError):
        pass
    return None


_CHECKS = {
    "gradients": gradients,
    "compiled": compiled,
    "checkpoint": checkpointed,
    "vjp": vjp,
    "operators": operators,
}
