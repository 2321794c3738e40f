"""Plugins that fail, clash, hide and dawdle: what becomes of them and of the others."""

import abc
import collections.abc
import contextlib
import importlib
import numbers
import re
import sys
import threading
import traceback
import warnings
from itertools import permutations
from operator import eq, lt, ne

import numpy as np
import pytest

import registry as opregistry
from registry import (
    AmbiguousOperatorError,
    Function,
    GradientError,
    NoOperatorError,
    OperatorDefinitionError,
    PluginError,
    PluginManager,
    PluginWarning,
    Registry,
    Settings,
    UnknownOperatorError,
    UnsupportedTypeError,
    Variable,
    hookimpl,
    ops,
    plugins,
)


class Twice(Function):
    """2 * x."""

    def forward(self, x):
        return x + x

    def backward(self, gy):
        return gy + gy


def variable(*values):
    return Variable(np.array(values))


@contextlib.contextmanager
def one_warning(pattern):
    """Check that a block warns once, of a plugin, with this text."""
    with pytest.warns(PluginWarning, match=pattern) as caught:
        yield
    assert len(caught) == 1, [str(w.message) for w in caught]


def load_into(registry, target, name="fake"):
    """Load an object as a plugin, whatever becomes of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        return PluginManager().load_object(registry, target, name)


class Giving:
    """A plugin object whose hooks give what it is made with."""

    def __init__(self, operators=(), constants=(), array_types=()):
        self.given = operators, constants, array_types

    @hookimpl
    def register_operators(self):
        return self.given[0]

    @hookimpl
    def register_constant_functions(self):
        return self.given[1]

    @hookimpl
    def register_array_types(self):
        return self.given[2]


# module source, the phase in which it stops, its error, a part of the message
BROKEN = {
    "raises at import": ("1 / 0", "load", ZeroDivisionError, "division by zero"),
    "exits at import": ("raise SystemExit(3)", "load", SystemExit, "3"),
    "raises what is no Exception": ("raise GeneratorExit('gone')", "load", GeneratorExit, "gone"),
    "raises what cannot be shown": (
        "class NoText(Exception):\n    def __str__(self): 1 / 0\nraise NoText",
        "load", PluginError, "NoText, whose text is an error, too: ZeroDivisionError",
    ),
    "has a syntax error": ("def (", "load", SyntaxError, "invalid syntax"),
    "imports what is missing": ("import no_such_module", "load", ModuleNotFoundError, "no_such_module"),
    "misspells a marked hook": (
        "@hookimpl\ndef register_operator(): return []",
        "register", PluginError, "there is no hook 'register_operator'; did you mean 'register_operators'?",
    ),
    "misspells an unmarked hook": (
        "def register_operator(): return []",
        "register", PluginError,
        "none of the hooks .*register_operator.*did you mean 'register_operators'.* with @hookimpl",
    ),
    "forgets the mark": (
        "def register_operators(): return []",
        "register", PluginError, "'register_operators' is not marked; write @hookimpl above it",
    ),
    "forgets one mark of two": (
        "@hookimpl\ndef register_operators(): return []\ndef before_forward(function, xs): pass",
        "register", PluginError, "'before_forward' is not marked",
    ),
    "has no hook": ("x = 1", "register", PluginError, "it implements none of the hooks register_operators, "),
    "names an unknown argument": (
        "@hookimpl\ndef before_forward(function, inputs): pass", "register", Exception, "inputs",
    ),
    "returns None": (
        "@hookimpl\ndef register_operators(): [Function]",
        "collect", PluginError, "register_operators returned None; return a list",
    ),
    "returns a class": (
        "@hookimpl\ndef register_operators(): return Function",
        "collect", PluginError, "register_operators returned <class .*>; return a list",
    ),
    "raises in its hook": ("@hookimpl\ndef register_operators(): 1 / 0", "collect", ZeroDivisionError, "by"),
    "raises midway": (
        "class Good(Function):\n"
        "    def forward(self, x): return x\n"
        "    def backward(self, gy): return gy\n"
        "@hookimpl\ndef before_forward(): pass\n"
        "@hookimpl\ndef register_operators():\n    yield Good\n    raise RuntimeError('midway')",
        "collect", RuntimeError, "midway",
    ),
    "has a bad class after a good one": (
        "class Good(Function):\n"
        "    def forward(self, x): return x\n"
        "    def backward(self, gy): return gy\n"
        "class Bad(Function): pass\n"
        "@hookimpl\ndef before_forward(): pass\n"
        "@hookimpl\ndef register_operators(): return Good, Bad",
        "validate", OperatorDefinitionError, "Bad cannot be an operator: it has no forward",
    ),
    "gives the base class": (
        "@hookimpl\ndef register_operators(): return [Function]",
        "validate", OperatorDefinitionError, "expected a subclass of registry.Function",
    ),
    "gives a number for an array type": (
        "@hookimpl\ndef register_array_types(): return [3]",
        "validate", PluginError, "register_array_types gave 3; expected a class",
    ),
    "gives an array type that nobody may ask": (
        "class Refuses(type):\n    def __subclasscheck__(cls, other): raise RuntimeError('ask me not')\n"
        "@hookimpl\ndef register_array_types(): return [Refuses('Refused', (), {})]",
        "validate", RuntimeError, "ask me not",
    ),
    "gives a list of refusals": (
        "@hookimpl\ndef register_refused_functions(): return ['numpy.put']",
        "collect", PluginError, r"register_refused_functions returned \['numpy.put'\]; return a dict",
    ),
    "refuses without a reason": (
        "@hookimpl\ndef register_refused_functions(): return {'numpy.put': ' '}",
        "collect", PluginError, "gave 'numpy.put': ' '; expected a name and a reason",
    ),
    "gives a name for a constant function": (
        "@hookimpl\ndef register_constant_functions(): return ['argmax']",
        "validate", PluginError, "register_constant_functions gave 'argmax'; expected a function",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("source", "phase", "error", "text"), list(BROKEN.values()), ids=list(BROKEN))
def test_a_broken_plugin_is_left_out_whole_and_the_others_work(site, fresh, source, phase, error, text):
    site.install("broken", source, version="2.5")
    site.install_operator("after", "After")
    site.install_operator("before", "Before")
    registry = fresh()
    origin = r"plugin broken \(broken 2\.5\)"
    with one_warning(rf"(?s){origin} is left out: {phase} failed with \w+: .*OPREGISTRY_BLOCK=broken"):
        assert ops.after(variable(1.0)).data == 1
    assert ops.before(variable(1.0)).data == 1
    assert (ops.exp(variable(0.0)) + 1).data == 2

    plugin = registry.plugin("broken")
    assert (plugin.status, plugin.phase) == ("failed", phase)
    assert (plugin.distribution, plugin.version, plugin.value) == ("broken", "2.5", "broken")
    with pytest.raises(error, match=text):
        raise plugin.error
    assert traceback.extract_tb(plugin.error.__traceback__)
    assert (plugin.operators, plugin.constants, plugin.array_types) == ((), (), ())
    assert registry.observers is None
    with pytest.raises(UnknownOperatorError, match=rf"named 'good'.*{origin} has failed"):
        ops.good
    with pytest.raises(PluginError, match=rf"^{origin} has failed: ") as raised:
        plugins.broken
    assert raised.value.__cause__ is plugin.error


def test_a_failed_plugins_traceback_reaches_its_own_line(site, fresh):
    site.install("broken", "def deep():\n    1 / 0\ndeep()")
    fresh()
    with one_warning("ZeroDivisionError"):
        (plugin,) = [p for p in opregistry.load_plugins() if p.name == "broken"]
    assert traceback.extract_tb(plugin.error.__traceback__)[-1].name == "deep"


def test_a_failed_plugin_is_not_tried_or_warned_of_again(site, fresh):
    site.install("broken", "import builtins\nbuiltins.tries = getattr(builtins, 'tries', 0) + 1\n1 / 0")
    fresh()
    with one_warning("broken"):
        opregistry.load_plugins()
    opregistry.load_plugins()
    with pytest.raises(UnknownOperatorError):
        ops.nothing_of_this_name
    import builtins

    assert builtins.__dict__.pop("tries") == 1


def test_keyboard_interrupt_during_an_import_passes_through_and_leaves_no_trace(site, fresh):
    site.install_operator("patient", "Patient", version="1.0")
    path = site.path / "patient.py"
    path.write_text("raise KeyboardInterrupt\n" + path.read_text())
    registry = fresh()
    with pytest.raises(KeyboardInterrupt):
        opregistry.load_plugins()
    assert not registry.knows("patient")
    path.write_text(path.read_text().removeprefix("raise KeyboardInterrupt\n") + "\n# again\n")
    importlib.invalidate_caches()
    assert ops.patient(variable(1.0)).data == 1


def test_strict_raises_with_the_cause_and_names_the_plugin(site, fresh):
    site.install("broken", "1 / 0", version="2.5", key="broken-key")
    fresh(strict=True)
    with pytest.raises(PluginError, match=r"plugin broken-key \(broken 2\.5\) is left out: load") as raised:
        opregistry.load_plugins()
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_a_distribution_without_metadata_neither_fails_nor_harms(site, fresh):
    site.install_operator("remains", "Remains", metadata=False)
    site.install_operator("other", "Other")
    registry = fresh()
    assert ops.other(variable(1.0)).data == 1
    assert (registry.plugin("remains").status, registry.plugin("remains").version) == ("loaded", None)


def test_an_entry_point_to_an_object_is_a_plugin(site, fresh):
    source = """
class Plugin:
    @hookimpl
    def register_operators(self):
        class Held(Function):
            def forward(self, x): return x
            def backward(self, gy): return gy
        return [Held]
plugin = Plugin()
"""
    site.install("holder", source, value="holder:plugin")
    fresh()
    assert ops.held(variable(3.0)).data == 3
    assert plugins.holder.held is ops.held


def test_a_second_object_of_one_name_is_refused(fresh):
    registry = fresh(only=frozenset())
    registry.loader.load_object(registry, Giving([Twice]), "fake")
    with pytest.raises(PluginError, match="a plugin named 'fake' is there already; give this one another"):
        registry.loader.load_object(registry, Giving([Scale]), "fake")


def test_an_entry_point_to_nothing_says_so(site, fresh):
    site.install("first", "1 / 0")
    site.install("void", "plugin = None", value="void:plugin")
    registry = fresh()
    with pytest.warns(PluginWarning):
        opregistry.load_plugins()
    with pytest.raises(PluginError, match="implements none of the hooks"):
        raise registry.plugin("void").error


# Two of a kind


def test_of_two_equal_entry_point_keys_the_later_distribution_is_left_out_loudly(site, fresh):
    site.install_operator("zeta", "Zeta", key="same")
    site.install_operator("alpha", "Alpha", key="same")
    site.install_operator("other", "Other")
    registry = fresh()
    with one_warning("the entry-point key 'same' belongs to alpha 1.0 already; one of them must rename it"):
        assert ops.other(variable(1.0)).data == 1
    assert ops.alpha(variable(1.0)).data == 1
    assert (registry.plugin("same").distribution, registry.plugin("same@zeta").status) == ("alpha", "failed")


def test_of_equal_keys_in_distributions_without_a_name_none_is_lost(site, fresh):
    for name in ("zeta", "alpha", "beta"):
        site.install_operator(name, name.title(), key="same", metadata=False)
    registry = fresh()
    with pytest.warns(
        PluginWarning,
        match="belongs to alpha, of a distribution without metadata",
    ):
        opregistry.load_plugins()
    assert ops.alpha(variable(1.0)).data == 1
    statuses = {name: registry.plugin(name).status for name in ("same", "same@None", "same@None 2")}
    assert statuses == {"same": "loaded", "same@None": "failed", "same@None 2": "failed"}


BROKEN_FILES = {
    "not in UTF-8": b"[opregistry]\nbad = \xff\n",
    "in UTF-16": "[opregistry]\nbad = os\n".encode("utf-16"),
    "without a value": b"[opregistry]\nbad\n",
}


@pytest.mark.parametrize("content", BROKEN_FILES.values(), ids=BROKEN_FILES)
@pytest.mark.parametrize("metadata", [True, False])
def test_a_distribution_whose_entry_points_cannot_be_read_hides_no_other(site, fresh, content, metadata):
    site.install_operator("alpha", "Alpha")
    site.install("broken", "", metadata=metadata)
    (site.path / "broken-1.0.dist-info" / "entry_points.txt").write_bytes(content)
    site.install_operator("zeta", "Zeta")
    registry = fresh()
    name = "broken" if metadata else "broken-1.0.dist-info"
    with one_warning(f"plugin {name} .* is left out: load failed with "):
        assert ops.alpha(variable(1.0)).data == ops.zeta(variable(1.0)).data == 1
    assert isinstance(registry.plugin(name).error, UnicodeDecodeError | TypeError)


def test_an_operator_that_cannot_be_hashed_is_one_of_two(fresh):
    class Unhashable(type):
        __hash__ = None

    registry = fresh(only=frozenset())
    rival = Unhashable("Twice", (Function,), {"forward": Twice.forward, "backward": Twice.backward})
    registry.loader.load_object(registry, Giving([Twice]), "first")
    registry.loader.load_object(registry, Giving([rival]), "second")
    with pytest.raises(AmbiguousOperatorError, match="'twice' is offered by 2 plugins"):
        ops.twice
    assert plugins.second.twice(variable(1.0)).data == 2


@pytest.mark.parametrize("key", ["ops_builtin", "session"])
def test_an_entry_point_key_of_the_projects_own_is_left_out_loudly(site, fresh, key):
    site.install_operator("pretender", "Pretend", key=key)
    fresh()
    with one_warning(f"the entry-point key '{key}' belongs to .* already"):
        opregistry.load_plugins()
    assert ops.exp(variable(0.0)).data == 1
    with pytest.raises(UnknownOperatorError, match=r"plugin .*@pretender .* has failed"):
        ops.pretend


def test_of_two_entry_points_to_one_module_the_second_is_left_out_loudly(site, fresh):
    site.install_operator("alpha", "Alpha")
    site.install("zeta", "", value="alpha")
    registry = fresh()
    with one_warning("plugin zeta .* is left out: .* names the same object as plugin alpha .*remove one"):
        assert ops.alpha(variable(1.0)).data == 1
    assert registry.plugin("zeta").phase == "register"


@pytest.mark.parametrize("order", list(permutations(["alpha", "beta", "gamma"])))
def test_two_operators_of_one_name_stay_loaded_and_only_the_bare_name_is_ambiguous(site, fresh, order):
    for distribution, (name, operator) in zip(
        order, [("x1", "Erf"), ("x2", "Erf"), ("x3", "Other")], strict=True
    ):
        site.install_operator(f"{distribution}-{name}", operator, key=name)
    fresh()
    with pytest.raises(AmbiguousOperatorError) as raised:
        ops.erf
    text = str(raised.value)
    assert text.index("x1") < text.index("x2")
    assert "'from registry.plugins import x1' and then 'x1.erf(...)'" in text
    assert "registry.prefer('erf', 'x1')" in text
    assert "OPREGISTRY_PREFER=erf=x1" in text
    for distribution, name in zip(order, ["x1", "x2"], strict=False):
        assert f"{distribution}_{name}.py:" in text
        assert f"{distribution}-{name} 1.0" in text
    assert plugins.x1.erf.operator.__module__.endswith("x1")
    assert plugins.x2.erf(variable(5.0)).data == 5
    assert ops.other(variable(5.0)).data == 5
    assert "erf" not in dir(ops)


def test_an_operator_that_shadows_a_built_in_leaves_the_built_in_its_name(site, fresh):
    site.install_operator("rival", "Exp", "implements, method = np.exp, 'sum'")
    fresh()
    opregistry.load_plugins()
    assert ops.exp.operator.__module__ == "ops_builtin.explog"
    assert plugins.rival.exp.operator.__module__ == "rival"
    np.testing.assert_allclose(np.exp(variable(0.0, 1.0)).sum().data, 1 + np.e)


def test_two_plugins_for_one_numpy_function_make_that_call_ambiguous_and_no_other(site, fresh):
    for name in ("alpha", "beta"):
        site.install_operator(name, name.title(), "implements, method = np.sort_complex, 'roots'")
    fresh()
    with pytest.raises(
        AmbiguousOperatorError, match=r"'numpy.sort_complex' is offered by 2 plugins:\n  alpha.*\n  beta"
    ):
        np.sort_complex(variable(1.0))
    with pytest.raises(AmbiguousOperatorError, match="'roots' is offered by 2 plugins"):
        variable(1.0).roots()
    assert ops.alpha(variable(1.0)).data == 1
    opregistry.prefer("numpy.sort_complex", "beta")
    assert type(np.sort_complex(variable(1.0)).creator).__module__ == "beta"
    opregistry.prefer("roots", "alpha")
    assert type(variable(1.0).roots().creator).__module__ == "alpha"
    assert type(np.sort_complex(variable(1.0)).creator).__module__ == "beta"


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ("name = 'erf'", "name = 'erf'", "Two and One have the same name, 'erf'"),
        (
            "implements = np.sort_complex",
            "implements = np.spacing, np.sort_complex",
            "have the same implements, 'numpy.sort_complex'",
        ),
        ("method = 'erf'", "method = 'erf'", "have the same method, 'erf'"),
    ],
)
def test_one_plugin_cannot_claim_a_name_a_numpy_function_or_a_method_twice(first, second, text):
    def operator(name, attributes):
        body = {}
        exec(attributes, {"np": np}, body)
        return type(name, (Twice,), body)

    plugin = load_into(Registry(), Giving([operator("One", first), operator("Two", second)]))
    assert plugin.status == "failed"
    with pytest.raises(PluginError, match=f"{text}; change it in one of them"):
        raise plugin.error


# What the user says


def test_only_the_plugins_asked_for_are_loaded(site, fresh):
    site.install_operator("alpha", "Alpha")
    site.install("broken", "1 / 0")
    registry = fresh(only=frozenset({"alpha"}))
    assert ops.alpha(variable(1.0)).data == 1
    assert [p.name for p in registry.load()] == ["ops_builtin", "alpha"]
    assert "broken" not in sys.modules


def test_no_plugin_is_loaded_where_none_is_asked_for_not_even_to_complain(site, fresh):
    site.install_operator("alpha", "Alpha", key="same")
    site.install_operator("beta", "Beta", key="same")
    registry = fresh(only=frozenset())
    assert [p.name for p in registry.load()] == ["ops_builtin"]


def test_a_blocked_plugin_is_not_imported_and_the_error_says_that_it_is_blocked(site, fresh):
    site.install("alpha", "1 / 0")
    registry = fresh(block=frozenset({"alpha"}))
    with pytest.raises(
        UnknownOperatorError, match=r"no operator is named 'alpa'.*; plugin alpha .* is blocked"
    ):
        ops.alpa
    with pytest.raises(PluginError, match=r"plugin alpha .* is blocked: by OPREGISTRY_BLOCK or registry"):
        plugins.alpha
    assert (registry.plugin("alpha").distribution, registry.plugin("alpha").version) == ("alpha", "1.0")


def test_blocking_at_run_time_takes_the_operators_away(site, fresh):
    site.install_operator("alpha", "Alpha", "implements, method = np.sort_complex, 'alpha'")
    fresh()
    assert np.sort_complex(variable(1.0)).alpha().data == 1
    opregistry.block("alpha")
    with pytest.raises(UnknownOperatorError, match="'alpha'; plugin alpha is blocked"):
        ops.alpha
    with pytest.raises(NoOperatorError, match=r"numpy.sort_complex.*; plugin alpha is blocked"):
        np.sort_complex(variable(1.0))
    assert not hasattr(variable(1.0), "alpha")


def test_the_silencing_that_a_warning_recommends_is_silent(site, fresh):
    site.install_operator("alpha", "Alpha", key="same")
    site.install_operator("zeta", "Zeta", key="same")
    fresh(block=frozenset({"same@zeta"}))
    assert ops.alpha(variable(1.0)).data == 1


def test_without_the_built_ins_plus_says_what_is_missing_and_other_plugins_work(site, fresh):
    site.install_operator("alpha", "Alpha")
    fresh(block=frozenset({"ops_builtin"}))
    with pytest.raises(TypeError) as raised:
        variable(1.0) + 1
    text = str(raised.value)
    assert text.startswith("no operator implements numpy.add")
    assert "plugin ops_builtin (opregistry" in text
    assert "is blocked" in text
    assert (
        "install or load a plugin that does, or write one (a Function with 'implements = numpy.add')" in text
    )
    assert ops.alpha(variable(1.0)).data == 1
    with pytest.raises(AttributeError, match="no attribute 'sum'"):
        variable(1.0).sum()


def test_preferences_decide_between_plugins_and_over_a_built_in(site, fresh):
    site.install_operator("alpha", "Erf")
    site.install_operator("beta", "Erf")
    site.install_operator("rival", "Exp", "implements = np.exp")
    fresh(prefer={"erf": "beta", "exp": "rival"})
    assert ops.erf.operator.__module__ == "beta"
    assert ops.exp.operator.__module__ == "rival"
    assert np.exp(variable(1.0)).data == 1
    assert np.sin(variable(0.0)).data == 0


def test_a_dotted_preference_moves_the_numpy_function_and_not_the_name(site, fresh):
    site.install_operator("rival", "Exp", "implements = np.exp")
    fresh(prefer={"numpy.exp": "rival"})
    assert np.exp(variable(1.0)).data == 1
    assert ops.exp.operator.__module__ == "ops_builtin.explog"


def test_preferring_at_run_time_moves_what_was_used_before(site, fresh):
    site.install_operator("rival", "Exp", "implements = np.exp")
    fresh()
    assert np.exp(variable(0.0)).data == 1
    opregistry.prefer("exp", "rival")
    assert np.exp(variable(0.0)).data == 0
    assert ops.exp.operator.__module__ == "rival"
    opregistry.prefer("exp", "ops_builtin")
    assert np.exp(variable(0.0)).data == 1


def test_preferring_what_a_plugin_does_not_offer_is_refused_with_a_near_miss(site, fresh):
    site.install_operator("alpha", "Special")
    fresh()
    with pytest.raises(UnknownOperatorError, match=r"'alpha' offers no 'speciale'; did you mean 'special'?"):
        opregistry.prefer("speciale", "alpha")
    with pytest.raises(UnknownOperatorError, match=r"no plugin is named 'alpa'; did you mean 'alpha'?"):
        opregistry.prefer("special", "alpa")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"only": frozenset({"alfa", "alpha"})}, "OPREGISTRY_PLUGINS names 'alfa', .* did you mean 'alpha'?"),
        ({"block": frozenset({"alfa"})}, "OPREGISTRY_BLOCK names 'alfa', but no plugin of that name"),
        ({"prefer": {"erf": "alfa"}}, "OPREGISTRY_PREFER names 'alfa', but no plugin of that name"),
        ({"prefer": {"alpah": "alpha"}}, "names 'alpah', but plugin 'alpha' offers no .*mean 'alpha'?"),
    ],
)
def test_a_setting_that_names_nothing_warns_once_with_a_near_miss(site, fresh, settings, text):
    site.install_operator("alpha", "Alpha")
    fresh(**settings)
    with one_warning(text):
        assert ops.alpha(variable(1.0)).data == 1
    opregistry.load_plugins()


def test_settings_that_name_what_exists_do_not_warn(site, fresh):
    site.install_operator("alpha", "Alpha")
    site.install_operator("beta", "Beta")
    fresh(
        only=frozenset({"alpha", "ops_builtin"}), block=frozenset({"beta"}),
        prefer={"alpha": "alpha", "mine": "session", "exp": "ops_builtin"},
    )  # fmt: skip
    assert ops.alpha(variable(1.0)).data == 1


def test_the_environment_is_read_with_blanks_and_empty_items(monkeypatch):
    for name, value in {
        "PLUGINS": " a, b,", "BLOCK": "c ,,d", "PREFER": "erf = special, numpy.exp=rival",
        "STRICT": "1", "GUARD": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"OPREGISTRY_{name}", value)
    assert Settings.from_environment() == Settings(
        frozenset("ab"), frozenset("cd"), {"erf": "special", "numpy.exp": "rival"}, True, True
    )
    monkeypatch.setenv("OPREGISTRY_PLUGINS", "")
    monkeypatch.setenv("OPREGISTRY_STRICT", "0")
    monkeypatch.setenv("OPREGISTRY_GUARD", "")
    assert Settings.from_environment().only == frozenset()
    assert not Settings.from_environment().guard
    assert not Settings.from_environment().strict
    monkeypatch.delenv("OPREGISTRY_PLUGINS")
    assert Settings.from_environment().only is None


def test_the_environment_of_a_process_decides(site):
    site.install_operator("alpha", "Erf")
    site.install_operator("beta", "Erf")
    site.install_operator("rival", "Exp")
    site.install("broken", "1 / 0")
    code = "from registry import ops; print(ops.erf.operator.__module__, ops.exp.operator.__module__)"
    only = site.python(code, OPREGISTRY_PLUGINS="alpha")
    blocked = site.python(code, OPREGISTRY_BLOCK="alpha,broken", OPREGISTRY_STRICT="1")
    preferred = site.python(code, OPREGISTRY_BLOCK="broken", OPREGISTRY_PREFER="erf=beta,exp=rival")
    assert only == "alpha ops_builtin.explog"
    assert blocked == "beta ops_builtin.explog"
    assert preferred == "beta rival"


def test_the_strict_environment_raises_at_the_first_miss(site):
    site.install("broken", "1 / 0")
    code = """
from registry import PluginError, ops
try:
    ops.erf
except PluginError as error:
    print(type(error.__cause__).__name__)
"""
    assert site.python(code, OPREGISTRY_STRICT="1") == "ZeroDivisionError"


# Nothing before it is needed


def test_importing_the_package_loads_no_plugin_and_scans_nothing(site):
    site.install_operator("alpha", "Alpha")
    code = """
import sys, registry, registry.ops, registry.plugins
from registry import ops, plugins
for name in ("_ipython_display_", "_repr_html_", "__wrapped__", "__path__", "_x"):
    assert not hasattr(ops, name) and not hasattr(plugins, name), name
assert registry.default_registry().plugins == ()
print({"ops_builtin", "alpha", "importlib.metadata"} & set(sys.modules))
"""
    assert site.python(code) == "set()"


def test_using_built_ins_only_never_scans_or_imports_what_is_installed(site):
    site.install("sleeper", "import time; time.sleep(30)")
    code = """
import sys, numpy as np, registry
from registry import Variable, ops, plugins
from registry.ops import exp
x = Variable(np.array([1.0, 2.0]))
y = (exp(x) * ops.square(x) + np.sin(x)).sum()
y.backward(create_graph=True)
plugins.ops_builtin.exp(x)
repr(x), len(x), x.T, x[0], x > 1, np.argmax(x)
print({"sleeper", "importlib.metadata"} & set(sys.modules))
"""
    assert site.python(code) == "set()"


@pytest.mark.parametrize("name", ["_ipython_display_", "__wrapped__", "_repr_mimebundle_", "__path__"])
def test_probing_for_a_private_name_loads_nothing(fresh, name):
    registry = fresh()
    for namespace in (ops, plugins):
        assert not hasattr(namespace, name)
    assert not hasattr(variable(1.0), name)
    assert registry.plugins == ()


# Plugins that look up operators while they are imported


def test_a_plugin_may_import_a_built_in_helper(site, fresh):
    site.install_operator("user", "User", "from registry.ops import exp; held = staticmethod(exp)")
    fresh()
    assert ops.user.operator.held is ops.exp


@pytest.mark.parametrize(("user", "used"), [("alpha", "beta"), ("beta", "alpha")])
def test_a_plugin_may_import_another_plugins_helper_whichever_comes_first(site, fresh, user, used):
    site.install_operator(used, "Used")
    site.install_operator(user, "User", "from registry.ops import used; held = staticmethod(used)")
    fresh()
    assert ops.user.operator.held is ops.used


def test_two_plugins_that_import_each_others_helper_fail_by_name_and_harm_nobody(site, fresh):
    site.install_operator("alpha", "Alpha", "from registry.ops import beta")
    site.install_operator("beta", "Beta", "from registry.ops import alpha")
    site.install_operator("other", "Other")
    fresh()
    with pytest.warns(PluginWarning, match="cannot import name"):
        assert ops.other(variable(1.0)).data == 1


def test_importing_a_plugins_module_by_hand_may_look_up_another_plugins_operator(site, fresh):
    site.install_operator("other", "Other")
    site.install_operator("mine", "Mine", "from registry.ops import other")
    fresh()
    import mine  # the look-up finds this very module, half imported, among the plugins

    assert ops.mine.operator is mine.Mine


def test_an_object_in_a_half_imported_module_is_loaded_later(site, fresh):
    source = (
        "from registry import ops\nassert 'mine' not in dir(ops)\n"
        "class Mine(Function):\n"
        "    def forward(self, x): return x\n"
        "    def backward(self, gy): return gy\n"
        "class Plugin:\n    @hookimpl\n    def register_operators(self): return [Mine]\n"
        "plugin = Plugin()\n"
    )
    site.install("mine", source, value="mine:plugin")
    registry = fresh()
    import mine

    assert not registry.knows("mine")
    assert ops.mine.operator is mine.Mine


# Threads


def in_threads(work, count):
    """Run work(i) in threads that start together; give the results, or raise the first error."""
    barrier, results, errors = threading.Barrier(count), [None] * count, []

    def run(i):
        barrier.wait()
        try:
            results[i] = work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads), "deadlock"
    if errors:
        raise errors[0]
    return results


def test_threads_that_load_at_once_each_see_every_operator(site, fresh):
    names = [f"plugin{i}" for i in range(5)]
    for name in names:
        site.install_operator(name, name.title(), "import time; time.sleep(0.02)")
    registry = fresh()

    def look_up(i):
        return [getattr(ops, name) for name in (names[i % 5], *names, "exp")]

    seen = in_threads(look_up, 8)
    assert all(helpers[1:] == seen[0][1:] for helpers in seen)
    assert {p.status for p in registry.plugins} == {"loaded"}


def test_threads_do_not_deadlock_where_importing_a_plugin_looks_up_operators(site, fresh):
    site.install_operator("alpha", "Alpha", "import time; time.sleep(0.05); from registry.ops import gamma")
    site.install_operator("beta", "Beta", "import time; time.sleep(0.05); from registry.ops import gamma")
    site.install_operator("gamma", "Gamma", "import time; time.sleep(0.05)")
    fresh()
    starts = [lambda: ops.alpha, lambda: importlib.import_module("beta"), lambda: ops.gamma, lambda: ops.beta]
    in_threads(lambda i: starts[i](), len(starts))
    assert [ops.alpha.operator.__name__, ops.beta.operator.__name__] == ["Alpha", "Beta"]


def test_threads_warn_once_of_a_broken_plugin(site, fresh):
    site.install("broken", "import time; time.sleep(0.05); 1 / 0")
    fresh()
    with one_warning("broken"):
        in_threads(lambda i: opregistry.load_plugins(), 4)


def test_threads_that_publish_lose_nothing(publish):
    registry = Registry()
    classes = [type(f"Op{i}", (Twice,), {}) for i in range(40)]

    def work(i):
        for cls in classes[i::4]:
            publish(registry, cls.__name__, cls)

    in_threads(work, 4)
    assert len(registry.plugins) == len(registry.catalog.names) == 40


# The other hooks


class Watcher:
    """A plugin that writes down what it sees."""

    def __init__(self):
        self.seen = []

    @hookimpl
    def before_forward(self, function, xs):
        self.seen.append(("before_forward", function, xs))

    @hookimpl
    def after_forward(self, function, xs, ys):
        self.seen.append(("after_forward", function, xs, ys))

    @hookimpl
    def before_backward(self, function, gys):
        self.seen.append(("before_backward", function, gys))

    @hookimpl
    def after_backward(self, function, gxs):
        self.seen.append(("after_backward", function, gxs))


def test_observers_are_called_around_each_step_with_functions_and_arrays(fresh):
    registry, watcher = fresh(only=frozenset()), Watcher()
    registry.loader.load_object(registry, watcher, "watcher")
    x = variable(1.0, 2.0)
    y = np.multiply(x, 3.0)
    y.backward()
    function = y.creator
    names = [name for name, *_ in watcher.seen]
    assert names == ["before_forward", "after_forward", "before_backward", "after_backward"]
    assert all(seen[1] is function for seen in watcher.seen)
    (_, _, xs), (_, _, xs_after, ys), (_, _, gys), (_, _, gxs) = watcher.seen
    assert xs[0] is xs_after[0] is x.data
    assert isinstance(xs[1], np.ndarray)
    assert ys[0] is y.data
    np.testing.assert_array_equal(gys, [[1.0, 1.0]])
    np.testing.assert_array_equal(gxs[0], [3.0, 3.0])
    assert gxs[1] is None


def test_an_observer_may_leave_out_arguments_and_is_found_as_an_entry_point(site, fresh):
    site.install("watching", "seen = []\n@hookimpl\ndef after_forward(ys): seen.append(ys)")
    fresh()
    opregistry.load_plugins()
    ops.exp(variable(0.0))
    np.testing.assert_array_equal(sys.modules["watching"].seen, [[[1.0]]])


def test_observers_cost_nothing_while_nobody_implements_them_and_go_with_their_plugin(fresh):
    registry, watcher = fresh(only=frozenset()), Watcher()
    ops.exp(variable(1.0))
    assert registry.observers is None
    registry.loader.load_object(registry, watcher, "watcher")
    assert registry.observers is not None
    registry.block("watcher")
    assert registry.observers is None
    ops.exp(variable(1.0))
    assert watcher.seen == []


def test_blocking_one_observer_leaves_the_other(fresh):
    registry, first, second = fresh(only=frozenset()), Watcher(), Watcher()
    registry.loader.load_object(registry, first, "first")
    registry.loader.load_object(registry, second, "second")
    registry.block("first")
    ops.exp(variable(1.0))
    assert (len(first.seen), len(second.seen)) == (0, 2)


class Duck:
    """The least that an array type can be."""

    __array_ufunc__ = __array_function__ = None

    def __init__(self, values):
        self.values = np.asarray(values)

    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.values.dtype)
    ndim = property(lambda self: self.values.ndim)
    size = property(lambda self: self.values.size)

    def __add__(self, other):
        return Duck(self.values + getattr(other, "values", other))

    def __mul__(self, other):
        return Duck(self.values * getattr(other, "values", other))

    def copy(self):
        return Duck(self.values.copy())


class Scale(Function):
    """3 * x, for any array type that multiplies."""

    saves = ()

    def forward(self, x):
        return x * 3.0

    def backward(self, gy):
        return gy * 3.0


def test_a_registered_array_type_is_data_and_passes_through_operators(fresh):
    registry = fresh(only=frozenset())
    with pytest.raises(UnsupportedTypeError, match=r"^<class '.*Duck'> is not supported"):
        Variable(Duck([1.0]))
    plugin = registry.loader.load_object(registry, Giving([Scale], array_types=[Duck]), "ducks")
    assert (plugin.error, plugin.array_types) == (None, (Duck,))
    x = Variable(Duck([1.0, 2.0]))
    y = ops.scale(x)
    assert isinstance(y.data, Duck)
    np.testing.assert_array_equal(y.data.values, [3.0, 6.0])
    y.grad = Duck([1.0, 10.0])
    y.backward()
    np.testing.assert_array_equal(x.grad.values, [3.0, 30.0])
    registry.block("ducks")
    with pytest.raises(UnsupportedTypeError):
        Variable(Duck([1.0]))


def without(name):
    """Make the class Duck without one of its members."""
    return type(
        "Lame", (), {key: value for key, value in vars(Duck).items() if key not in (name, "__dict__")}
    )


@pytest.mark.parametrize("name", ["__add__", "copy", "__array_ufunc__", "__array_function__"])
def test_an_array_type_that_lacks_what_it_needs_is_refused_by_name(fresh, name):
    registry, kind = fresh(only=frozenset()), without(name)
    with one_warning(
        rf"validate failed with PluginError: register_array_types gave .*Lame'>, which has no {name};"
    ):
        plugin = registry.loader.load_object(registry, Giving([Scale], array_types=[kind]), "lame")
    assert (plugin.status, plugin.array_types) == ("failed", ())
    with pytest.raises(
        UnsupportedTypeError, match=rf"is not supported.*; plugin lame has failed: .* has no {name};"
    ):
        Variable(kind([1.0]))


@pytest.mark.parametrize("name", ["shape", "dtype", "ndim", "size"])
def test_an_array_of_a_registered_type_without_what_arrays_have_is_refused_by_name(fresh, name):
    registry, kind = fresh(only=frozenset()), without(name)
    assert registry.loader.load_object(registry, Giving([Scale], array_types=[kind]), "lame").error is None
    with pytest.raises(
        UnsupportedTypeError, match=rf"Lame'> is registered as an array type, but this one has no {name}$"
    ):
        Variable(kind([1.0]))


class Everything(abc.ABCMeta):
    __subclasscheck__ = lambda cls, other: True  # noqa: E731


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (object, "takes every object for its own"),
        (collections.abc.Hashable, "takes every object for its own"),
        (Everything("All", (Duck,), {}), "takes every object for its own"),
        (type, "has no __add__ and no copy and no __array_ufunc__ and no __array_function__;"),
        (int, "has no copy and no __array_ufunc__"),
        (list, "has no __array_ufunc__ and no __array_function__;"),
        (dict, "has no __add__"),
        (numbers.Number, "has no __add__"),
        (collections.abc.Sequence, "has no __add__"),
        (np.ndarray, "is known without it; leave it out"),
        (np.generic, "is known without it; leave it out"),
        (np.ma.MaskedArray, "is known without it; leave it out"),
        (Variable, "is known without it; leave it out"),
    ],
)
def test_what_is_no_array_type_of_its_own_is_refused(kind, reason):
    plugin = load_into(Registry(), Giving(array_types=[kind]))
    assert (plugin.status, plugin.phase) == ("failed", "validate")
    assert reason in str(plugin.error)


def test_numpys_functions_reach_an_array_type_or_are_refused_with_what_it_lacks(fresh):
    registry = fresh(only=frozenset())
    registry.loader.load_object(registry, Giving([Scale], array_types=[Duck, Wrapped]), "ducks")
    x = Variable(Duck([1.0, 2.0]))
    with pytest.raises(TypeError, match="does not support ufuncs") as raised:
        x.sum()
    assert any(re.search(r"Duck'> has __array_ufunc__ = None", note) for note in raised.value.__notes__)
    with pytest.raises(
        GradientError, match=r"starts from np\.ones_like .*Duck'> is not taken.*set grad first"
    ):
        ops.scale(x).backward()
    for compare in (eq, ne, lt):  # the first two have an answer for anything
        with pytest.raises(TypeError, match="does not support ufuncs"):
            compare(x, Duck([1.0, 2.0]))
    y = Variable(Wrapped([1.0, 2.0, 4.0]))
    np.testing.assert_array_equal((y == Wrapped([1.0, 0.0, 4.0])).values, [True, False, True])
    total = (y * y).sum()
    assert type(total.data) is Wrapped
    total.backward()
    assert type(y.grad) is Wrapped
    np.testing.assert_array_equal(y.grad.values, [2, 4, 8])


def test_no_built_in_operator_gives_a_wrong_value_of_an_array_type_that_refuses_numpy(fresh):
    registry = fresh(only=frozenset())
    registry.loader.load_object(registry, Giving(array_types=[Duck]), "ducks")
    values = np.array([1.0, 2.0])
    answered = set()
    for operator in registry.plugin("ops_builtin").operators:
        for inputs in ([0], [0, 0], [0, 2.0]):
            try:
                y = operator.helper(*(Variable(Duck(values)) if x == 0 else x for x in inputs))
            except Exception:  # whatever it is, it is no value
                continue
            expected = operator.helper(*(values if x == 0 else x for x in inputs)).data
            assert type(y.data) is Duck, operator.name
            np.testing.assert_array_equal(y.data.values, expected, err_msg=operator.name)
            answered.add(operator.name)
    assert {"add", "multiply", "square"} <= answered


class Wrapped(np.lib.mixins.NDArrayOperatorsMixin):
    """An array type that NumPy's functions reach."""

    def __init__(self, values):
        self.values = np.asarray(values)

    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.values.dtype)
    ndim = property(lambda self: self.values.ndim)
    size = property(lambda self: self.values.size)

    def copy(self):
        return Wrapped(self.values.copy())

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return Wrapped(getattr(ufunc, method)(*_values(inputs), **kwargs))

    def __array_function__(self, function, types, args, kwargs):
        return Wrapped(function(*_values(args), **kwargs))

    def __getitem__(self, index):
        return Wrapped(self.values[index])

    def reshape(self, *shape):
        return Wrapped(self.values.reshape(*shape))


def _values(args):
    return [arg.values if isinstance(arg, Wrapped) else arg for arg in args]


def test_a_result_of_forward_that_is_no_array_and_of_no_registered_type_is_refused(fresh):
    class Odd(Function):
        def forward(self, x):
            return Duck(x)

        def backward(self, gy):
            return gy

    registry = fresh(only=frozenset())
    registry.loader.load_object(registry, Giving([Odd]), "odd")
    with pytest.raises(
        UnsupportedTypeError, match=r"operator 'odd' .*: forward returned <class .*Duck'>; return"
    ):
        ops.odd(variable(1.0))


def test_constant_functions_of_a_plugin_give_plain_arrays(fresh):
    registry = fresh(only=frozenset())
    with pytest.raises(NoOperatorError, match=r"numpy.spacing"):
        np.spacing(variable(2.0, 1.0))
    fake = Giving(constants=[np.spacing])
    registry.loader.load_object(registry, fake, "asking")
    result = np.spacing(variable(2.0, 1.0))
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, [2.0**-51, 2.0**-52])


# Operators registered by hand


def test_an_operator_registered_by_hand_is_in_the_session_and_runs(fresh):
    registry = fresh(only=frozenset())
    assert opregistry.operator(Twice) is Twice
    assert ops.twice(variable(2.0)).data == 4
    assert plugins.session.twice is ops.twice
    assert registry.plugin("session").status == "loaded"


def test_registering_again_replaces_the_operator_and_keeps_the_others(fresh):
    fresh(only=frozenset())

    class Other(Twice):
        pass

    def cell(factor):
        class Scaled(Function):
            def forward(self, x):
                return x * factor

            def backward(self, gy):
                return gy * factor

        opregistry.operator(Scaled)

    opregistry.operator(Other)
    cell(2.0)
    assert ops.scaled(variable(1.0)).data == 2
    cell(3.0)
    assert ops.scaled(variable(1.0)).data == 3
    assert sorted(dir(plugins.session)) == ["other", "scaled"]


def test_registering_the_name_of_a_built_in_warns_and_says_how_to_reach_it(fresh):
    fresh(only=frozenset())

    class Exp(Twice):
        pass

    with one_warning(
        r"'exp' is also an operator of ops_builtin, so ops.exp is not this one; call "
        r"registry.prefer\('exp', 'session'\), or use it as registry.plugins.session.exp"
    ):
        opregistry.operator(Exp)
    assert ops.exp(variable(0.0)).data == 1
    assert plugins.session.exp(variable(1.0)).data == 2
    opregistry.prefer("exp", "session")
    assert ops.exp(variable(1.0)).data == 2
    opregistry.operator(Exp)


def test_registering_after_the_session_was_blocked_brings_it_back(fresh):
    registry = fresh(only=frozenset())
    registry.block("session")
    opregistry.operator(Twice)
    assert ops.twice is plugins.session.twice


def test_an_invalid_operator_registered_by_hand_raises_and_changes_nothing(fresh):
    registry = fresh(only=frozenset())

    class Empty(Function):
        pass

    with pytest.raises(OperatorDefinitionError, match="Empty cannot be an operator: it has no forward"):
        opregistry.operator(Empty)
    assert not registry.knows("session")


def test_two_registries_do_not_know_of_each_other(fresh):
    first = fresh(only=frozenset())
    opregistry.operator(Twice)
    second = fresh(only=frozenset())
    with pytest.raises(UnknownOperatorError):
        ops.twice
    assert first.knows("session")
    assert not second.knows("session")


def test_a_refused_function_says_what_to_use_instead_unless_somebody_implements_it(site, fresh):
    site.install(
        "refuser", "@hookimpl\ndef register_refused_functions(): return {'numpy.spacing': 'write a step'}"
    )
    fresh(only=frozenset({"refuser"}))
    with pytest.raises(NoOperatorError, match=r"^numpy\.spacing cannot be differentiated: write a step$"):
        np.spacing(variable(1.0))
    site.install("other", "@hookimpl\ndef register_constant_functions(): return [np.spacing]")
    fresh(only=frozenset({"refuser", "other"}))
    assert np.spacing(variable(1.0)) == 2.0**-52


def test_the_time_of_loading_is_that_of_loading(site, fresh):
    site.install_operator("alpha", "Alpha")
    fresh()
    (plugin,) = [plugin for plugin in opregistry.load_plugins() if plugin.name == "alpha"]
    assert 0 < plugin.seconds < 60


def test_a_preference_for_what_a_plugin_does_not_have_is_warned_of_whatever_its_name(site, fresh):
    site.install_operator("zeta", "Zeta")
    fresh(prefer={"nothing": "zeta"})
    with pytest.warns(opregistry.PluginWarning, match="names 'nothing', but plugin 'zeta' offers no such"):
        opregistry.load_plugins()
