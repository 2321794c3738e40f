"""The checks, in the order in which they run: one module a group, one generator a check.

A check is given a `Subject`, yields once for each comparison that went well, and
raises `Failed` at the first that did not. Its docstring is its documentation.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType

from registry.testing.checks import call, catalogue, gradient, result, shape
from registry.testing.subject import Subject


@dataclass(frozen=True)
class Check:
    """One check: its name, its group, the checks that must not have failed before it, and itself."""

    name: str
    group: str
    needs: tuple[str, ...]
    run: Callable[[Subject], Iterator[None]]

    @property
    def description(self) -> str:
        """What it makes sure of."""
        return inspect.getdoc(self.run) or ""


def _checks_of(module: ModuleType) -> Iterator[Check]:
    group = module.__name__.rpartition(".")[2]
    for name, needs in module.NEEDS.items():
        yield Check(name, group, needs, getattr(module, name))


CHECKS: Mapping[str, Check] = {
    check.name: check for module in (result, gradient, shape, call, catalogue) for check in _checks_of(module)
}
