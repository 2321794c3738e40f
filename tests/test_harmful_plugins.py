"""Plugins whose objects answer by code of their own: only they are left out, whatever that code does."""

import sys
import traceback
import types
import warnings
from itertools import product

import numpy as np
import pytest

from registry import (
    Function,
    NoOperatorError,
    PluginError,
    PluginWarning,
    UnsupportedTypeError,
    Variable,
    default_registry,
    hookimpl,
    ops,
    plugins,
)
from registry.catalog import Plugin
from registry.errors import lines_of, text_of
from registry.plugin_manager import _half_imported


class Good(Function):
    """A copy of x."""

    def forward(self, x):
        return x + 0.0

    def backward(self, gy):
        return gy


class Giving:
    """A plugin object whose hooks call what it is made with."""

    def __init__(self, operators=list, constants=list, refused=dict):
        self.given = operators, constants, refused

    @hookimpl
    def register_operators(self):
        return self.given[0]()

    @hookimpl
    def register_constant_functions(self):
        return self.given[1]()

    @hookimpl
    def register_refused_functions(self):
        return self.given[2]()


def raises(error):
    """A method that raises."""

    def method(*_):
        raise error

    return method


def armed(cls, name, after, error):
    """Let a method of a class raise, from the call after the first few on."""
    calls, usual = [], getattr(super(cls, cls), name, None) or vars(type)[name]

    def method(self, *args):
        calls.append(name)
        if len(calls) > after:
            raise error(f"{name} of a plugin")
        return usual(self, *args)

    setattr(cls, name, method)
    return cls


@pytest.fixture
def harmed(few_builtins, fresh):
    """Give a function: load a plugin into one registry, and tell what became of it. Then all others work."""
    registry = fresh(only=frozenset())

    def load(target):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            plugin = registry.loader.load_object(registry, target, f"plugin{len(registry.plugins)}")
        assert [w.category for w in caught] == [PluginWarning] * (plugin.status == "failed")
        return plugin

    yield load
    everybody_works(registry)
    name = f"other{len(registry.plugins)}"
    assert load(Giving(lambda: [type(name.title(), (Good,), {})])).status == "loaded"
    assert getattr(ops, name)(Variable(np.ones(1))).data == 1


def everybody_works(registry):
    """Go through what others do: operators, NumPy's functions, methods, errors, lists of plugins."""
    x = Variable(np.array([1.0, 2.0]))
    np.testing.assert_array_equal((np.add(x * 0.0, 1.0) + x.sum() - 3.0).data, [1, 1])
    with pytest.raises(NoOperatorError, match=r"no operator implements numpy\.spacing"):
        np.spacing(x)
    with pytest.raises(AttributeError, match="no operator is named 'nothing'"):
        ops.nothing
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        x.nothing
    assert dir(ops)
    assert dir(x)
    for plugin in registry.plugins:
        assert isinstance(f"{plugin} {plugin.fate} {plugin.file} {plugin.reason} {sorted(plugin.keys)}", str)
        assert all(operator.source for operator in plugin.operators)


class Own:
    """A function, of a class of its own."""

    __name__ = "own"

    def __call__(self, *args):
        return args


def test_a_function_that_is_compared_by_code_of_its_own_is_refused(harmed):
    same_hash = {"__hash__": lambda self: hash(np.add)}
    for name, members in (
        ("__eq__", {"__eq__": raises(RuntimeError()), **same_hash}),
        ("__hash__", same_hash),
    ):
        evil = type("Evil", (Own,), members)()
        for function in (evil, types.MethodType(evil, 3)):
            for plugin in (
                harmed(Giving(lambda f=function: [type("Op", (Good,), {"implements": f})])),
                harmed(Giving(constants=lambda f=function: [f])),
            ):
                assert (plugin.status, plugin.phase) == ("failed", "validate")
                assert f"a function with {name} of its own" in plugin.reason


def test_a_function_that_answers_by_an_error_harms_nobody(harmed):
    names = "__getattribute__", "__repr__", "__bool__", "__dir__"
    for name, after, error in product(names, range(0, 24, 2), (RuntimeError, SystemExit)):

        def operators(name=name, after=after, error=error):
            base = type("Base", (Own,), {"__bool__": lambda self: True, "__dir__": object.__dir__})
            function = armed(type("Odd", (base,), {}), name, after, error)()
            return [type("Op", (Good,), {"implements": function})]

        harmed(Giving(operators))


def test_an_operator_whose_metaclass_answers_by_an_error_harms_nobody(harmed):
    names = "__getattribute__", "__repr__", "__eq__", "__hash__", "__dir__", "__instancecheck__"
    for name, after, error in product(names, (0, 5, 60), (RuntimeError, SystemExit)):

        def operators(name=name, after=after, error=error):
            meta = type("Meta", (type,), {"__hash__": type.__hash__})
            made = meta("Op", (Good,), {"implements": np.nextafter})
            armed(meta, name, after, error)
            return [made]

        harmed(Giving(operators))


class Text(str):
    """A text that is compared by code of its own."""

    __slots__ = ()
    __hash__ = str.__hash__
    __eq__ = raises(RuntimeError("compared"))


def test_a_name_that_is_no_plain_text_is_refused(harmed):
    for given in (
        Giving(lambda: [type("Op", (Good,), {"method": Text("sums")})]),
        Giving(lambda: [type("Op", (Good,), {"name": Text("op")})]),
        Giving(refused=lambda: {Text("numpy.spacing"): "no"}),
        Giving(refused=lambda: {"numpy.put": Text("no")}),
    ):
        assert harmed(given).status == "failed"


def test_a_documentation_that_raises_is_the_plugins_own_error(harmed):
    meta = type("Meta", (type,), {"__doc__": property(raises(SystemExit(0)))})
    plugin = harmed(Giving(lambda: [meta("Op", (Good,), {})]))
    assert (plugin.phase, type(plugin.error)) == ("validate", SystemExit)


def test_an_array_type_is_found_without_asking_its_metaclass(harmed):
    class Meta(type):
        asked = 0

        def __subclasscheck__(cls, other):
            Meta.asked += 1
            if Meta.asked > 1:
                raise RuntimeError("asked again")
            return False

        __instancecheck__ = raises(RuntimeError("asked"))

    names = "__add__", "copy", "__array_ufunc__", "__array_function__"
    kind = Meta(
        "Kind", (), {**dict.fromkeys(names), "shape": (), "ndim": 0, "size": 1, "dtype": np.dtype(float)}
    )

    class Plugin:
        @hookimpl
        def register_array_types(self):
            return [kind]

    assert harmed(Plugin()).reason is None
    with pytest.raises(UnsupportedTypeError, match="is not supported"):
        Variable(object())
    data = type.__call__(kind)
    assert Variable(data).data is data


# Observers


def test_a_plugin_that_watches_is_asked_for_its_hooks_once(harmed):
    class Watcher:
        seen = 0

        @hookimpl
        def before_forward(self, function):
            self.seen += 1

    watcher = Watcher()
    assert harmed(watcher).observes
    for name in ("__dir__", "__eq__", "__bool__", "__hash__", "__repr__"):
        setattr(Watcher, name, raises(RuntimeError(name)))
    harmed(Giving())
    ops.square(Variable(np.array(0.0)))
    assert watcher.seen == 1


def test_two_watchers_of_one_name_both_watch(harmed):
    def watcher():
        class Plugin:
            seen = []

            @staticmethod
            @hookimpl
            def before_forward(function):
                Plugin.seen.append(function)

        Plugin.__name__ = "Plugin"
        return Plugin

    first, second = watcher(), watcher()
    assert (harmed(first).status, harmed(second).status) == ("loaded", "loaded")
    ops.square(Variable(np.array(0.0)))
    assert (len(first.seen), len(second.seen)) == (1, 1)


def test_a_hook_under_another_name_watches(harmed):
    class Plugin:
        seen = []

        @hookimpl(specname="after_forward")
        def look(self, ys):
            self.seen.append(ys)

    harmed(Plugin())
    ops.square(Variable(np.array(0.0)))
    assert len(Plugin.seen) == 1


# Errors


def test_an_error_without_a_text_ends_nothing(harmed):
    others = SystemExit, KeyboardInterrupt, GeneratorExit, RuntimeError, RecursionError
    for another, after in product(others, (0, 1, 4)):

        def operators(another=another, after=after):
            base = type("Base", (Exception,), {})
            error = armed(type("Unspeakable", (base,), {}), "__str__", after, another)
            error.__repr__ = error.__bool__ = raises(another("no"))
            raise error("spoken")

        plugin = harmed(Giving(operators))
        assert (plugin.status, plugin.phase) == ("failed", "collect")
        assert "Unspeakable" in plugin.reason
        with pytest.raises(PluginError, match=f"plugin {plugin} has failed: ."):
            getattr(plugins, plugin.name)
        with pytest.raises(AttributeError, match=f"plugin {plugin} failed to collect: ."):
            default_registry().operator(f"{plugin.name}.op")


def test_the_text_of_an_error_is_a_plain_one():
    own = type("Own", (str,), {"__format__": raises(SystemExit(0))})
    odd = type("Odd", (Exception,), {"__str__": lambda self: own("text")})()
    assert (text_of(odd), type(text_of(odd))) == ("text", str)
    meta = type("Meta", (type,), {"__name__": property(raises(SystemExit(0)))})
    unspeakable = meta("Unspeakable", (Exception,), {"__str__": raises(SystemExit(0))})()
    assert text_of(unspeakable) == "Unspeakable, whose text is an error, too: SystemExit"
    assert "Unspeakable" in lines_of(unspeakable, traceback.format_exception)
    assert lines_of(ValueError("x"), traceback.format_exception_only) == "ValueError: x\n"


def test_a_process_goes_on_after_an_error_whose_text_exits(site):
    source = "class Gone(Exception):\n    def __str__(self): raise SystemExit(0)\nraise Gone"
    site.install("exiting", source)
    code = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "import registry; print([p.reason for p in registry.load_plugins() if p.name == 'exiting'])"
    )
    said = site.python(code, OPREGISTRY_PLUGINS="exiting")
    assert said == "['PluginError: Gone, whose text is an error, too: SystemExit']"


def test_what_stands_for_a_module_need_be_none(monkeypatch):
    mask = type("Mask", (), {"__getattr__": raises(RuntimeError("asked"))})()
    monkeypatch.setitem(sys.modules, "masked", mask)
    assert not _half_imported(Plugin("masked", "loaded", value="masked"))
