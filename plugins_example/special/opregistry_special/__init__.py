"""SciPy's special functions, distributions and equations: a plugin of opregistry, one module a family."""

from collections.abc import Iterator
from typing import Any

from registry import hookimpl, operators_in


@hookimpl
def register_operators() -> Iterator[Any]:
    """Give every public class and composite that a family module defines."""
    return operators_in(__name__)
