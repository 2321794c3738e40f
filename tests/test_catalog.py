"""Who gets a name, a NumPy function, a method, when several plugins offer it."""

import operator as python_operator
from itertools import permutations

import numpy as np
import pytest

from registry import (
    AmbiguousOperatorError,
    Function,
    NoOperatorError,
    Registry,
    UnknownOperatorError,
    Variable,
    composite,
    hookimpl,
    using_registry,
)
from registry.catalog import BUILTIN, Catalog, Operator, Plugin, function_name
from registry.definition import make_operator
from registry.plugin_manager import PluginManager


def operator(class_name, **attributes):
    """Make a Function of this name that gives its input back."""
    methods = {"forward": lambda self, x: x + 0.0, "backward": lambda self, gy: gy}
    return type(class_name, (Function,), {**methods, **attributes})


def plugin(name, *targets, **details):
    return Plugin(name, "loaded", operators=tuple(make_operator(t, name) for t in targets), **details)


def published(*plugins, prefer=None):
    """Make a registry with these plugins, published in this order."""
    registry = Registry(preferences=prefer)
    for each in plugins:
        registry.publish(each)
    return registry


def every_order(*plugins, prefer=None):
    """Make a registry for each order in which the plugins may come."""
    return [published(*order, prefer=prefer) for order in permutations(plugins)]


def served_by(registry, name):
    return registry.operator(name).plugin


def variable(*values):
    return Variable(np.array(values))


EXP = {"implements": np.exp, "method": "exp"}


# Names


def test_the_only_one_of_a_name_has_it():
    registry = published(plugin("a", operator("Erf")), plugin("b", operator("Gamma")))
    assert (served_by(registry, "erf"), served_by(registry, "gamma")) == ("a", "b")


def test_a_built_in_keeps_its_name_in_any_order():
    offered = plugin(BUILTIN, operator("Exp")), plugin("a", operator("Exp")), plugin("b", operator("Exp"))
    assert {served_by(registry, "exp") for registry in every_order(*offered)} == {BUILTIN}


def test_an_ambiguous_name_raises_one_same_text_in_any_order():
    offered = (
        plugin("zeta", operator("Erf"), distribution="dist-z", version="1.5"),
        plugin("alpha", operator("Erf"), distribution="alpha", version="0.3"),
        plugin("other", operator("Gamma")),
    )
    texts = set()
    for registry in every_order(*offered):
        with pytest.raises(AmbiguousOperatorError) as raised:
            registry.operator("erf")
        texts.add(str(raised.value))
        assert served_by(registry, "gamma") == "other"
        assert list(registry.unambiguous()) == ["gamma"]
    (text,) = texts
    assert text.startswith("'erf' is offered by 2 plugins:\n  alpha (alpha 0.3): ")
    assert "\n  zeta (dist-z 1.5): " in text
    assert text.endswith(
        "choose one: 'from registry.plugins import alpha' and then 'alpha.erf(...)', or "
        "registry.prefer('erf', 'alpha'), or OPREGISTRY_PREFER=erf=alpha"
    )


def test_the_text_shows_the_line_of_each_definition():
    class Erf(Function):
        differentiable = False

        def forward(self, x):
            return x

    registry = published(plugin("a", Erf), plugin("b", operator("Erf")))
    with pytest.raises(AmbiguousOperatorError) as raised:
        registry.operator("erf")
    line = Erf.forward.__code__.co_firstlineno - 3
    assert f"  a: {__file__}:{line}\n" in str(raised.value)


def test_a_plugin_withdrawn_settles_what_was_ambiguous():
    registry = published(plugin("a", operator("Erf")), plugin("b", operator("Erf")))
    registry.withdraw("a")
    assert served_by(registry, "erf") == "b"
    registry.withdraw("b")
    with pytest.raises(UnknownOperatorError):
        registry.operator("erf")


def test_a_failed_look_up_is_not_remembered():
    registry = published(plugin("a", operator("Erf")))
    with pytest.raises(UnknownOperatorError):
        registry.helpers["gamma"]
    with pytest.raises(NoOperatorError):
        registry.calls[np.exp]
    assert registry.methods["exp"] is None
    registry.publish(plugin("b", operator("Gamma"), operator("Exp", **EXP)))
    assert registry.helpers["gamma"].operator.__name__ == "Gamma"
    assert registry.calls[np.exp].operator.__name__ == "Exp"
    assert registry.methods["exp"].operator.__name__ == "Exp"


def test_publishing_a_name_twice_keeps_the_first():
    registry = published(plugin("a", operator("Erf")))
    assert not registry.publish(plugin("a", operator("Gamma")))
    assert list(registry.catalog.names) == ["erf"]


# Preferences


def test_the_preferred_plugin_serves_the_name_the_numpy_function_and_the_method():
    offered = plugin("a", operator("Exp", **EXP)), plugin("b", operator("Exp", **EXP))
    for registry in every_order(*offered, prefer={"exp": "b"}):
        assert served_by(registry, "exp") == "b"
        assert registry.calls[np.exp] is registry.methods["exp"] is registry.helpers["exp"]


def test_a_preference_beats_a_built_in_in_any_order():
    offered = plugin(BUILTIN, operator("Exp", **EXP)), plugin("a", operator("Exp", **EXP))
    registries = every_order(*offered, prefer={"exp": "a"})
    assert {served_by(registry, "exp") for registry in registries} == {"a"}


def test_a_numpy_function_may_be_preferred_against_its_operators_name():
    offered = plugin("a", operator("Exp", **EXP)), plugin("b", operator("Quick", **EXP))
    for registry in every_order(*offered, prefer={"numpy.exp": "b", "exp": "a"}):
        assert registry.calls[np.exp] is registry.helpers["quick"]
        assert served_by(registry, "exp") == "a"


def test_a_preference_for_a_plugin_that_is_not_there_decides_nothing():
    registry = published(plugin("a", operator("Erf")), prefer={"erf": "absent"})
    assert served_by(registry, "erf") == "a"
    registry.publish(plugin("b", operator("Erf")))
    with pytest.raises(AmbiguousOperatorError):
        registry.operator("erf")


def test_each_way_out_that_the_text_names_works():
    offered = [
        plugin(name, operator("Erf", implements=np.spacing, method="special_erf"), operator("Gamma"))
        for name in ("a", "b")
    ]
    for look_up, key in [
        (lambda registry: registry.helpers["erf"], "erf"),
        (lambda registry: registry.calls[np.spacing], "numpy.spacing"),
        (lambda registry: registry.methods["special_erf"], "special_erf"),
    ]:
        registry = published(*offered)
        with pytest.raises(AmbiguousOperatorError) as raised:
            look_up(registry)
        assert f"registry.prefer({key!r}, 'a')" in str(raised.value)
        registry.prefer(key, "a")
        assert look_up(registry) is registry.plugin("a").operators[0].helper


@pytest.mark.parametrize(
    ("name", "plugin_name", "text"),
    [
        ("erff", "a", "plugin 'a' offers no 'erff'; did you mean 'erf'?"),
        ("numpy.io", "a", "plugin 'a' offers no 'numpy.io'; did you mean 'numpy.i0'?"),
        ("erf", "aa", "no plugin is named 'aa'; did you mean 'a'?"),
        ("erf", "zzz", "no plugin is named 'zzz'"),
    ],
)
def test_preferring_what_is_not_offered_changes_nothing_and_says_what_is(name, plugin_name, text):
    registry = published(plugin("a", operator("Erf", implements=np.i0)))
    with pytest.raises(UnknownOperatorError) as raised:
        registry.prefer(name, plugin_name)
    assert str(raised.value) == text
    assert registry.preferences == {}


# NumPy functions, methods, constants


def asking(*functions):
    class Fake:
        @hookimpl
        def register_constant_functions(self):
            return functions

    return Fake()


def test_several_plugins_may_say_that_a_function_is_constant():
    registry = Registry()
    PluginManager().load_object(registry, asking(np.partition), "a")
    PluginManager().load_object(registry, asking(np.partition), "b")
    with using_registry(registry):
        np.testing.assert_array_equal(np.partition(variable(2.0, 1.0), 0), [1.0, 2.0])


def test_constant_against_operator_is_ambiguous_until_somebody_says_which():
    registry = published(plugin("a", operator("Floor", implements=np.floor)))
    PluginManager().load_object(registry, asking(np.floor), "b")
    with using_registry(registry):
        with pytest.raises(AmbiguousOperatorError, match=r"'numpy\.floor' is offered by 2 plugins"):
            np.floor(variable(1.5))
        registry.prefer("numpy.floor", "b")
        assert np.floor(variable(1.5)) == 1.0
        registry.prefer("numpy.floor", "a")
        assert np.floor(variable(1.5)).data == 1.5


def test_a_constant_function_has_no_bare_name():
    registry = Registry()
    PluginManager().load_object(registry, asking(np.partition), "a")
    assert list(registry.catalog.names) == []
    with pytest.raises(UnknownOperatorError):
        registry.operator("partition")
    assert registry.methods["partition"] is not None


def test_a_ufunc_and_its_methods_are_keys_of_their_own():
    registry = published(
        plugin("a", operator("Total", implements=np.add.reduce), operator("Exp", implements=np.exp))
    )
    assert registry.calls[np.add.reduce] is registry.helpers["total"]
    with pytest.raises(NoOperatorError, match=r"^no operator implements numpy\.add\.accumulate; "):
        registry.calls[np.add.accumulate]
    with pytest.raises(NoOperatorError, match=r"^no operator implements numpy\.add; "):
        registry.calls[np.add]


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (np.add, "numpy.add"),
        (np.add.reduce, "numpy.add.reduce"),
        (np.sum, "numpy.sum"),
        (np.linalg.inv, "numpy.linalg.inv"),
        (np.fft.fft, "numpy.fft.fft"),
        (python_operator.getitem, "operator.getitem"),
    ],
)
def test_functions_are_named_as_people_write_them(function, name):
    assert function_name(function) == name


def test_no_operator_gives_near_misses_lost_plugins_and_ways_on():
    registry = published(
        plugin("a", operator("Expm1", implements=np.expm1)),
        Plugin("gone", "blocked"),
        Plugin("bad", "failed", "bad-dist", "1.0", error=ValueError("x")),
    )
    with pytest.raises(NoOperatorError) as raised:
        registry.calls[np.exp]
    assert str(raised.value) == (
        "no operator implements numpy.exp; did you mean 'expm1'?; plugin bad (bad-dist 1.0) has failed; "
        "plugin gone is blocked; install or load a plugin that does, or write one (a Function with "
        "'implements = numpy.exp'); '.data' gives the plain array, without a gradient"
    )


def test_an_unknown_name_gives_near_misses_and_lost_plugins():
    registry = published(
        plugin("a", operator("LogSumExp")), Plugin("gone", "blocked"), Plugin("bad", "failed", "bad", "1.0")
    )
    with pytest.raises(UnknownOperatorError) as raised:
        registry.operator("logsumxp")
    assert str(raised.value) == (
        "no operator is named 'logsumxp'; did you mean 'log_sum_exp'?; plugin bad (bad 1.0) has failed; "
        "plugin gone is blocked"
    )


# Records


def test_a_catalog_does_not_change_when_more_is_published():
    registry = published(plugin("a", operator("Erf")))
    before = registry.catalog
    registry.publish(plugin("b", operator("Erf")))
    registry.block("a")
    assert [o.plugin for o in before.names["erf"]] == ["a"]
    assert [o.plugin for o in registry.catalog.names["erf"]] == ["b"]


def test_a_catalog_is_the_same_in_any_order():
    offered = [plugin(name, operator("Erf", implements=np.i0, method="erf")) for name in "abc"]
    catalogs = [Catalog.of(order, {}) for order in permutations(offered)]
    for catalog in catalogs:
        assert catalog.names == catalogs[0].names
        assert catalog.functions == catalogs[0].functions
        assert catalog.methods == catalogs[0].methods


@pytest.mark.parametrize("record", [plugin("a"), make_operator(operator("Erf"), "a")])
def test_records_cannot_be_changed(record):
    with pytest.raises(AttributeError):
        record.name = "b"


def test_a_plugin_shows_name_distribution_and_version():
    assert str(Plugin("erf", "loaded")) == "erf"
    assert str(Plugin("erf", "loaded", "erf", "1.0")) == "erf (erf 1.0)"
    assert str(Plugin("erf", "loaded", "opregistry-erf", "1.0")) == "erf (opregistry-erf 1.0)"


def test_what_a_plugin_offers_to_be_preferred_is_names_functions_and_methods():
    @composite(implements=(np.ptp, np.i0), method="spread")
    def ptp(x):
        return x

    assert plugin("a", ptp, operator("Erf")).keys == {"ptp", "numpy.ptp", "numpy.i0", "spread", "erf"}


def test_source_of_what_has_no_file_is_its_module():
    made = make_operator(operator("Erf", __module__="nowhere"), "a")
    assert made.source == "module nowhere"
    assert isinstance(made, Operator)


def test_owner_names_the_operator_and_the_plugin():
    erf, stray = operator("Erf"), operator("Stray")
    registry = published(plugin("a", erf, distribution="dist-a", version="1.0"))
    assert registry.owner(erf) == "operator 'erf' of plugin a (dist-a 1.0)"
    assert registry.owner(stray) == "operator 'Stray' (in no plugin)"


def test_blocking_one_that_is_not_there_yet_keeps_it_out():
    registry = published()
    registry.block("a")
    assert not registry.publish(plugin("a", operator("Erf")))
    with pytest.raises(UnknownOperatorError, match="plugin a is blocked"):
        registry.operator("erf")


def test_a_catalogue_cannot_be_changed(fresh):
    with pytest.raises(AttributeError):
        fresh(only=frozenset()).catalog.names = {}


def test_the_built_ins_are_given_without_a_look_at_what_is_installed(fresh, monkeypatch):
    registry = fresh()
    monkeypatch.setattr(registry.loader, "load_installed", lambda _: pytest.fail("it was looked at"))
    assert registry.plugin(BUILTIN).name == BUILTIN
