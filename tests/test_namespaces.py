"""`registry.ops` and `registry.plugins`: what people import from."""

import copy
import pickle

import numpy as np
import pytest

import registry as opregistry
from registry import Function, PluginError, RegistryError, UnknownOperatorError, Variable, ops, plugins


class Special(Function):
    """x + 1."""

    def forward(self, x):
        return x + 1

    def backward(self, gy):
        return gy


@pytest.fixture
def registry(fresh, publish):
    registry = fresh(only=frozenset())
    publish(registry, "fake", Special)
    return registry


def variable(*values):
    return Variable(np.array(values))


def test_every_form_of_import_gives_the_same_helper(registry):
    from registry.ops import special
    from registry.plugins import fake

    assert special is ops.special is fake.special is plugins.fake.special is opregistry.ops.special
    assert special(variable(1.0)).data == 2


def test_dir_lists_the_built_ins_and_all_plugins(registry):
    assert {"exp", "matmul", "sum", "special"} <= set(dir(ops))
    assert dir(ops) == sorted(dir(ops))
    assert dir(plugins) == ["fake", "ops_builtin"]
    assert dir(plugins.fake) == ["special"]


def test_everything_that_dir_lists_is_there(registry):
    for name in dir(ops):
        assert getattr(ops, name).__name__ == name
    for name in dir(plugins.ops_builtin):
        assert getattr(plugins.ops_builtin, name) is getattr(ops, name)


def test_dir_loads_what_is_installed(site, fresh):
    site.install_operator("found", "Found")
    fresh()
    assert "found" in dir(ops)
    assert "found" in dir(plugins)


def test_a_failed_plugin_is_not_listed(site, fresh):
    site.install("broken", "1 / 0")
    fresh()
    with pytest.warns(opregistry.PluginWarning):
        assert "broken" not in dir(plugins)


def test_an_unknown_operator_is_an_attribute_error_with_near_misses(registry):
    with pytest.raises(AttributeError) as raised:
        ops.specail
    assert isinstance(raised.value, RegistryError)
    assert str(raised.value).startswith("no operator is named 'specail'; did you mean 'special'")
    assert not hasattr(ops, "nothing_like_it")


def test_importing_an_unknown_operator_is_an_import_error(registry):
    with pytest.raises(ImportError, match=r"cannot import name 'specail' from 'registry.ops'"):
        from registry.ops import specail  # noqa: F401
    with pytest.raises(ImportError, match=r"cannot import name 'fakir' from 'registry.plugins'"):
        from registry.plugins import fakir  # noqa: F401


def test_an_unknown_plugin_is_an_attribute_error_with_near_misses(registry):
    with pytest.raises(UnknownOperatorError) as raised:
        plugins.fak
    assert str(raised.value) == "no plugin is named 'fak'; did you mean 'fake'?"


def test_an_unknown_operator_of_a_plugin_names_the_plugin(registry):
    with pytest.raises(UnknownOperatorError) as raised:
        plugins.fake.specials
    assert str(raised.value) == "plugin fake has no operator 'specials'; did you mean 'special'?"
    with pytest.raises(UnknownOperatorError) as raised:
        plugins.fake.exp
    assert str(raised.value) == "plugin fake has no operator 'exp'"


def test_a_blocked_plugin_says_so_in_both_forms_of_import(registry):
    registry.block("fake")
    with pytest.raises(PluginError, match=r"^plugin fake is blocked: by OPREGISTRY_BLOCK or registry\.block"):
        plugins.fake
    with pytest.raises(PluginError, match=r"^plugin fake is blocked"):
        from registry.plugins import fake  # noqa: F401
    assert "fake" not in dir(plugins)


def test_a_plugins_namespace_says_what_it_is(registry):
    assert repr(plugins.fake) == "<plugin fake: 1 operators>"
    assert not hasattr(plugins.fake, "_repr_html_")
    with pytest.raises(AttributeError, match="a plugin's namespace has no attribute '_repr_html_'"):
        plugins.fake._repr_html_


def test_a_plugins_namespace_can_be_copied(registry):
    assert copy.copy(plugins.fake).special is ops.special


def test_a_plugin_that_shares_a_name_is_reached_by_its_namespace(registry, publish):
    class Special(Function):
        differentiable = False

        def forward(self, x):
            return x + 2

    publish(registry, "other", Special)
    assert plugins.fake.special(variable(0.0)).data == 1
    assert plugins.other.special(variable(0.0)).data == 2
    with pytest.raises(opregistry.AmbiguousOperatorError):
        ops.special


def test_helpers_come_out_of_a_pickle_by_name(registry):
    assert pickle.loads(pickle.dumps(ops.special)) is ops.special


@pytest.mark.parametrize("namespace", [ops, plugins])
def test_private_names_are_attribute_errors_with_the_modules_name(namespace):
    with pytest.raises(AttributeError, match=f"^module '{namespace.__name__}' has no attribute '_hidden'$"):
        namespace._hidden
