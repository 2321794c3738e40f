"""Random programs on Variables, as people write them."""

from collections.abc import Callable, Sequence
from typing import Any

from random_programs.program import Program, Step, several, taken
from registry import Variable, checkpoint, no_grad, ops, stop_gradient


def run(
    program: Program, xs: Sequence[Any], before: Callable[[int, list[Any]], None] = lambda *_: None
) -> list[Any]:
    """Give every value, from leaves that are Variables, arrays, or what a transformation passes.

    `before` is called with the number of each step and the values, before it.
    """
    values = list(xs)
    for number, step in enumerate(program.steps):
        before(number, values)
        values += several(made(step, taken(step, values)))
    before(len(program.steps), values)
    return values


def made(step: Step, xs: Sequence[Any]) -> Any:
    """Make one call, by NumPy's function or by the helper, and cut it off where the step says so."""
    call = (
        by_helper(step)
        if step.operation.by_helper
        else lambda *xs: step.operation.function(*xs, **step.parameters)
    )
    if step.how == "no_grad":
        with no_grad():
            return call(*xs)
    if step.how == "stop_gradient":
        return stop_gradient(call(*xs))
    if step.how == "unchain":
        ys = call(*xs)
        for y in several(ys):
            if isinstance(y, Variable) and not any(y is x for x in xs):
                y.unchain()
        return ys if not any(y is x for y in several(ys) for x in xs) else stop_gradient(ys)
    return (checkpoint(call) if step.how == "checkpoint" else call)(*xs)


def by_helper(step: Step) -> Callable[..., Any]:
    """Give a call of the operator's helper."""
    helper = getattr(ops, step.operation.name)
    return lambda *xs: helper(*xs, **step.parameters)
