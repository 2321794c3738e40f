"""What is asked for and not installed: the message names the package that would bring it."""

import numpy as np
import pytest

from registry import NoOperatorError, UnknownOperatorError, Variable, ops, plugins
from registry.known_plugins import INDEX, index_of
from registry.state import default_registry

PLUGINS = ["softplus", "special", "neural"]
BRINGS = "the package opregistry-softplus brings it: python -m pip install opregistry-softplus"


@pytest.fixture
def nothing_installed(fresh):
    fresh(only=frozenset())


@pytest.mark.usefixtures("nothing_installed")
class TestNothingInstalled:
    def test_an_operator_asked_for_names_each_package_that_has_it(self):
        with pytest.raises(UnknownOperatorError, match=r"'conv2d'; the package opregistry-neural brings it"):
            ops.conv2d
        text = rf"^no operator is named 'softplus'; {BRINGS}, or opregistry-neural$"
        with pytest.raises(UnknownOperatorError, match=text):
            ops.softplus

    def test_a_plugin_asked_for_names_its_package(self):
        with pytest.raises(UnknownOperatorError, match=rf"^no plugin is named 'softplus'; {BRINGS}$"):
            plugins.softplus

    def test_a_ufunc_names_the_package_of_its_operator(self):
        special = pytest.importorskip("scipy.special")
        text = r"no operator implements erf; the package opregistry-special brings it: python -m pip install"
        with pytest.raises(NoOperatorError, match=text):
            special.erf(Variable(np.array(1.0)))

    def test_what_no_known_package_brings_has_near_misses_as_ever(self):
        with pytest.raises(UnknownOperatorError, match=r"'sqare'; did you mean 'square'") as caught:
            ops.sqare
        assert "pip" not in str(caught.value)


def test_a_blocked_plugin_is_not_suggested(fresh):
    fresh(only=frozenset({"softplus"}), block=frozenset({"softplus"}))
    with pytest.raises(UnknownOperatorError, match=r"plugin softplus .*is blocked") as caught:
        ops.softplus
    assert "opregistry-softplus brings" not in str(caught.value)


def test_the_index_has_what_the_plugins_bring(fresh):
    """Run ``python -m registry.known_plugins`` with their names to write it anew."""
    pytest.importorskip("opregistry_neural")
    pytest.importorskip("opregistry_special")
    fresh()
    assert INDEX.read_text() == index_of(map(default_registry().plugin, PLUGINS))
