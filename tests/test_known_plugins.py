"""What is asked for and not installed: the message names the package that would bring it."""

import pytest

from registry import UnknownOperatorError, ops, plugins
from registry.known_plugins import INDEX, index_of
from registry.state import default_registry

PLUGINS = ["softplus"]
BRINGS = "the package opregistry-softplus brings it: python -m pip install opregistry-softplus"


@pytest.fixture
def nothing_installed(fresh):
    fresh(only=frozenset())


@pytest.mark.usefixtures("nothing_installed")
class TestNothingInstalled:
    def test_an_operator_asked_for_names_its_package(self):
        with pytest.raises(UnknownOperatorError, match=rf"^no operator is named 'softplus'; {BRINGS}$"):
            ops.softplus

    def test_a_plugin_asked_for_names_its_package(self):
        with pytest.raises(UnknownOperatorError, match=rf"^no plugin is named 'softplus'; {BRINGS}$"):
            plugins.softplus

    def test_what_no_known_package_brings_has_near_misses_as_ever(self):
        with pytest.raises(UnknownOperatorError, match=r"'sqare'; did you mean 'square'") as caught:
            ops.sqare
        assert "pip" not in str(caught.value)


def test_a_blocked_plugin_is_not_suggested(fresh):
    fresh(only=frozenset({"softplus"}), block=frozenset({"softplus"}))
    with pytest.raises(UnknownOperatorError, match=r"plugin softplus .*is blocked") as caught:
        ops.softplus
    assert "pip" not in str(caught.value)


def test_the_index_has_what_the_plugins_bring(fresh):
    """Run ``python -m registry.known_plugins`` with their names to write it anew."""
    fresh()
    assert INDEX.read_text() == index_of(map(default_registry().plugin, PLUGINS))
