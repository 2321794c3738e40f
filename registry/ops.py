"""The helpers of all operators: ``from registry.ops import square``, ``ops.square(x)``."""

from __future__ import annotations

from typing import Any

from registry.errors import UnknownOperatorError
from registry.state import default_registry


def __getattr__(name: str) -> Any:
    if name.startswith("_"):  # what notebooks and debuggers probe for loads nothing
        raise UnknownOperatorError(f"module 'registry.ops' has no attribute {name!r}")
    return default_registry().helpers[name]


def __dir__() -> list[str]:
    registry = default_registry()
    registry.load()
    return sorted(registry.unambiguous())
