"""Each page of the guide runs with a registry of its own, so that none sees another's operators."""

from collections.abc import Iterator

import pytest

from registry import Registry, Settings, connect, using_registry


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    """Make a registry that finds the built-ins and what is installed the default for one page."""
    registry = Registry()
    connect(registry, Settings())
    with using_registry(registry):
        yield
