"""What one call costs: by its helper beside by hand, and among how many operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from groups import Goal, Group
from libraries import Run
from measure import Effort, compare, timings

import registry

CALLS = 100  # a run, so that calling the run itself does not count
BY_NAME: dict[str, Callable[[Any], Any]] = {
    "ops.square": lambda x: registry.ops.square(x),
    "np.square": np.square,
}


def repeated(call: Callable[[Any], Any]) -> Run:
    """Give a run of `CALLS` calls on a Variable of one number."""
    x = registry.Variable(np.array(0.5))

    def run() -> Sequence[Any]:
        for _ in range(CALLS):
            y = call(x)
        return [y.data]

    return run


def ways(effort: Effort) -> Group:
    """Time the ways to call one operator."""
    square: Any = registry.ops.square
    Square = square.operator
    runs = {
        "the class": repeated(lambda x: Square()(x)),
        "the helper": repeated(lambda x: square(x)),
        "ops.square": repeated(BY_NAME["ops.square"]),
        "np.square": repeated(np.square),
    }
    compare("a call", runs, 1e-15, 1)
    goals = [Goal("the helper", 1.0, times="the class")]
    return Group("calls", "a call", "s", timings(runs, effort, CALLS), base="the class", goals=goals)


def among(name: str, call: Callable[[Any], Any], counts: Sequence[int], effort: Effort) -> Group:
    """Time a call where so many operators are registered."""
    runs = {f"{count:,}": _in(registry_of(count), repeated(call)) for count in counts}
    compare(name, runs, 1e-15, 1)
    return Group("registered", name, "s", timings(runs, effort, CALLS), base=next(iter(runs)))


def registry_of(count: int) -> registry.Registry:
    """Make a registry of `Square` and operators that nobody calls, without the built-ins."""

    class Other(registry.Function):
        def forward(self, x: Any) -> Any:
            return x * x

        def backward(self, gy: Any) -> Any:
            (x,) = self.xs
            return gy * (x + x)

    class Square(Other):
        implements = np.square

    class Plugin:
        @registry.hookimpl
        def register_operators(self) -> list[type[registry.Function]]:
            return [Square, *(type(f"Other{number}", (Other,), {}) for number in range(count - 1))]

    settings = registry.Settings(only=frozenset(), block=frozenset({"ops_builtin"}), strict=True)
    manager = registry.PluginManager(settings)
    made = registry.Registry(manager)
    manager.load_object(made, Plugin(), "many")
    return made


def _in(operators: registry.Registry, run: Run) -> Run:
    def inside() -> Sequence[Any]:
        with registry.using_registry(operators):
            return run()

    return inside
