"""Drawing programs with Hypothesis."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from random_programs.growing import MOST, Growing, NoStepError
from random_programs.operations import OPERATIONS, Operation
from random_programs.preparations import prepared
from random_programs.program import Leaf, Program, Ref, Step

DTYPES = (np.float64, np.float64, np.float64, np.float32, np.complex128, np.int64)
LAYOUTS = ("C", "F", "reversed", "strided")
HOWS = ("", "", "", "", "", "", "no_grad", "stop_gradient", "unchain", "checkpoint")
SHAPES = ((3,), (2, 3), (), (1,), (3, 1), (1, 3), (2, 2), (2, 1, 3), (0,), (2, 0), (4,), (3, 3))


@st.composite
def programs(
    draw: Any,
    operations: Sequence[Operation] = OPERATIONS,
    steps: int = 8,
    dtypes: Sequence[Any] = DTYPES,
    hows: Sequence[str] = HOWS,
) -> Program:
    """Draw a program of at most so many steps, beside those that make their inputs fit."""
    growing = Growing()
    for _ in range(draw(st.integers(1, 3))):
        shape, dtype, layout = (_one(draw, kinds) for kinds in (SHAPES, dtypes, LAYOUTS))
        growing.add_leaf(Leaf(shape, dtype, layout, draw(st.integers(0, 999))))
    for _ in range(draw(st.integers(1, steps))):
        operation, how = _one(draw, operations), _one(draw, hows)
        with suppress(NoStepError):
            growing.add(_step(draw, growing, operation, how))
    candidates = growing.differentiable()
    assume(candidates)
    others = draw(st.lists(st.sampled_from(candidates), max_size=2))
    growing.program.roots = list(dict.fromkeys([candidates[-1], *others]))
    return growing.program


def _one(draw: Any, choices: Sequence[Any]) -> Any:
    """Draw one of some; `sampled_from` looks at each of them first, which takes half of the time."""
    return choices[draw(st.integers(0, len(choices) - 1))]


def _step(draw: Any, growing: Growing, operation: Operation, how: str) -> Step:
    before = (
        operation.before if isinstance(operation.before, tuple) else (operation.before,) * operation.count
    )
    inputs: list[Any] = []
    for domain in before:
        if inputs and domain != "fits" and draw(st.integers(0, 5)) == 0:
            inputs.append(draw(_constants(growing, inputs[0], domain)))
            continue
        fitting = _fitting(growing, operation, inputs)
        x = Ref(_one(draw, fitting[::-1]))
        inputs.append(prepared(growing, x, domain, inputs))
    parameters = {name: draw(may(*map(growing.value, inputs))) for name, may in operation.parameters.items()}
    return Step(operation, tuple(inputs), parameters, how)


def _fitting(growing: Growing, operation: Operation, others: Sequence[Any]) -> list[int]:
    """Give the places of values whose shapes go with those of the other inputs."""
    shapes = [growing.value(x).shape for x in others]
    everything = range(len(growing.values))
    if not shapes or operation.together == "any":
        return list(everything)
    fits = _equal if operation.together == "same" else _broadcast
    return [i for i in everything if fits(np.shape(growing.values[i]), *shapes)] or list(everything)


def _equal(shape: Any, *others: Any) -> bool:
    return all(shape == other for other in others)


def _broadcast(*shapes: Any) -> bool:
    try:
        return bool(np.prod(np.broadcast_shapes(*shapes)) <= MOST)
    except ValueError:
        return False


def _constants(growing: Growing, beside: Ref, domain: str) -> Any:
    """Draw a Python number, or an array of any dtype, to be used beside a value."""
    shape = growing.value(beside).shape
    spread = np.linspace(0.2, 0.8, max(int(np.prod(shape)), 1))[: int(np.prod(shape))].reshape(shape)
    arrays = st.sampled_from([spread, spread.astype(np.float32)])
    if domain in ("positive", "small"):
        return arrays | st.sampled_from([0.5, 0.25])
    if domain in ("", "real"):
        integers = np.arange(1, spread.size + 1).reshape(shape)
        return arrays | st.sampled_from([0.5, -2, 3, 1.5, np.float32(0.75), np.array(1.25), integers])
    return arrays
