"""Random plugins, valid, invalid and half-broken, and the loader: nothing is lost, nobody harms others.

``OPREGISTRY_TEST_SCALE=100`` tries a hundred times as many, new ones in each run.
"""

import importlib
import inspect
import shutil
import sys
import types
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scale import examples

from registry import (
    Function,
    PluginError,
    PluginWarning,
    Registry,
    RegistryError,
    Settings,
    composite,
    hookimpl,
)
from registry.plugin_manager import connect

PHASES = {"load", "register", "collect", "validate"}


class Good(Function):
    """A copy of x."""

    def forward(self, x):
        return x + 0.0

    def backward(self, gy):
        return gy


def good(name, /, **members):
    """Give a function that makes a new operator of this name."""
    return lambda: type(name, (Good,), {"__doc__": name, **members})


def raises(error):
    def give(*_, **__):
        raise error

    return give


class NoTextError(Exception):
    """An error that cannot be shown."""

    __str__ = __repr__ = raises(ValueError("no text"))


class ExitingTextError(Exception):
    """An error that ends the program where it is shown."""

    __str__ = __repr__ = raises(SystemExit(0))


class Compared:
    """A function that is found in place of another, and compared by code of its own."""

    __name__ = "compared"

    def __call__(self, *args):
        return args

    def __hash__(self):
        return hash(np.exp)

    def __eq__(self, other):
        raise RuntimeError("compared")


class Shy(type):
    """The type of classes that refuse what one may ask."""

    __repr__ = __eq__ = __dir__ = __instancecheck__ = __subclasscheck__ = raises(RuntimeError("ask me not"))
    __hash__ = None


class Asked:
    """An object on which every attribute is an error."""

    def __getattribute__(self, name):
        raise RuntimeError(f"no {name}")


def with_default(value):
    return lambda self, x, y=value: x


class Unhashable:
    __hash__ = None

    def __call__(self, *args):
        return args

    def __repr__(self):
        raise RuntimeError("no repr")


GOOD = {
    **{name.lower(): good(name) for name in ("One", "Two", "Three")},
    "implements": good("Implements", implements=np.spacing),
    "method": good("Method", method="twice"),
    "composite": lambda: composite(name="joined")(lambda x: x),
    "dataclass": lambda: dataclass(good("Held")()),
    "unicode": good("Größe"),
}
NAMES = "class", "_x", "a b", "", "1", "a.b", "e\u0301", "x\n"
BAD = {
    "no forward": lambda: type("Empty", (Function,), {}),
    "the base": lambda: Function,
    "an instance": lambda: Good(),
    "a number": lambda: 3,
    "None": lambda: None,
    "a text": lambda: "Good",
    "a plain function": lambda: len,
    "another class": lambda: int,
    "a refusing class": lambda: Shy("Refusing", (), {}),
    "a refusing operator": lambda: Shy("Refuses", (Good,), {}),
    "an object": Asked,
    "a mock composite": lambda: types.SimpleNamespace(composite=True),
    "a composite without a name": lambda: composite()(lambda x: x),
    "a composite of bad functions": lambda: composite(name="odd", implements=(np.exp, 3))(lambda x: x),
    "a frozen dataclass": lambda: dataclass(frozen=True)(good("Frozen")()),
    "an odd default": good("Defaulted", forward=with_default(Asked())),
    **{f"name {name!r}": good("Named", name=name) for name in NAMES},
    **{f"class {name!r}": good(name) for name in ("lambda_", "", "a-b", "X;import os", "None", "_Hidden")},
    **{
        f"{key} {i}": good("Odd", **{key: value})
        for i, (key, value) in enumerate((
            ("name", 3), ("name", Asked()), ("implements", 3), ("implements", "np.exp"),
            ("implements", [np.exp]),
            ("implements", Unhashable()), ("implements", Asked()), ("implements", Compared()),
            ("implements", np.add), ("method", 3),
            ("method", "data"), ("method", "a b"), ("saves", "xs"), ("saves", ("zs",)), ("saves", None),
            ("constants", 3), ("forward", 3), ("forward", None),
            ("forward", property(raises(ValueError("no")))),
            ("forward", staticmethod(abs)), ("backward", classmethod(abs)),
            ("__init__", lambda self, *a: None),
            ("__init__", lambda self, x: None), ("forward", lambda self, *, x: x), ("forward", lambda: 0),
            ("differentiable", Asked()), ("__doc__", 3), ("__module__", None), ("samples", 3),
            ("elementwise", "no"),
        ))
    },
}  # fmt: skip
RETURNS = {
    "list": list,
    "tuple": tuple,
    "iterator": iter,
    "dict": lambda items: {id(item): item for item in items},
    "None": lambda items: None,
    "number": lambda items: 3,
    "text": lambda items: "operators",
    "class": lambda items: Good,
    "midway": lambda items: _then(items, RuntimeError("midway")),
    "exits midway": lambda items: _then(items, SystemExit(1)),
    "raises": lambda items: raises(ZeroDivisionError())(),
    "stops": lambda items: raises(StopIteration())(),
    "shy": lambda items: Asked(),
    "nested": lambda items: [items],
}


def _then(items, error):
    yield from items
    raise error


ERRORS = {
    "division": ZeroDivisionError, "exit": lambda: SystemExit(3), "import": lambda: ImportError("gone"),
    "recursion": RecursionError, "memory": MemoryError, "no text": NoTextError, "stop": StopIteration,
    "exiting text": ExitingTextError,
    "unicode": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"),
    "warning": lambda: PluginWarning("mine"),
    "generator exit": GeneratorExit, "base": lambda: BaseException("any"), "empty": lambda: RegistryError(""),
    "braces": lambda: PluginError("{braces} %s\n"),
    "group": lambda: BaseExceptionGroup("two", [SystemExit()]),
}  # fmt: skip


def own_type():
    """Make an array type that NumPy's functions refuse."""
    names = "__array_ufunc__", "__array_function__", "__add__", "copy"
    return type("Own", (), dict.fromkeys(names))


OTHER_HOOKS = {
    "observer": ("before_forward", hookimpl(lambda function, xs: None)),
    "unknown": ("register_operator", hookimpl(lambda: [])),
    "unmarked": ("register_constant_functions", lambda: []),
    "odd arguments": ("after_forward", hookimpl(lambda inputs: None)),
    "constants": ("register_constant_functions", hookimpl(lambda: [np.nextafter])),
    "odd constants": ("register_constant_functions", hookimpl(lambda: [3])),
    "compared constants": ("register_constant_functions", hookimpl(lambda: [Compared()])),
    "unhashable constants": ("register_constant_functions", hookimpl(lambda: [Unhashable()])),
    "types": ("register_array_types", hookimpl(lambda: [own_type()])),
    "every type": ("register_array_types", hookimpl(lambda: [object])),
    "odd types": ("register_array_types", hookimpl(lambda: [3])),
    "refusing types": ("register_array_types", hookimpl(lambda: [Shy("Refusing", (), {})])),
    "refused": ("register_refused_functions", hookimpl(lambda: {"numpy.put": "it writes"})),
    "odd refused": ("register_refused_functions", hookimpl(lambda: {"numpy.put": 3})),
    "odd keys": ("register_refused_functions", hookimpl(lambda: {Asked: "no"})),
    "raising attribute": ("anything", property(raises(ValueError("no")))),
    "wrapper": ("register_constant_functions", hookimpl(hookwrapper=True)(lambda: (yield))),
}
BROKEN_TARGETS = {
    "None": lambda: None, "number": lambda: 3, "text": lambda: "x", "object": Asked, "list": list,
    "class": lambda: Shy("Refusing", (), {}), "module": lambda: types.ModuleType("empty"),
    "unhashable": Unhashable,
}  # fmt: skip
KEYS = "alpha", "beta", "gamma", "alpha", "ops_builtin", "session", "a b", "a@b", "", "é", "x.y"


class Distribution:
    def __init__(self, name, version):
        self.name, self.version = name, version


class Removed:
    """One whose metadata cannot be read."""

    name = version = property(raises(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no")))


DISTRIBUTIONS = {
    "first": lambda: Distribution("first", "1.0"), "second": lambda: Distribution("second", "2"),
    "third": lambda: Distribution("third", None), "removed": Removed, "none": lambda: None,
    "no name": lambda: Distribution(None, None),
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """What an entry point is, from which it is made anew for each registry."""

    key: str
    distribution: str
    value: str
    operators: tuple = ()
    returns: str = "list"
    hooks: tuple = ()
    error: str = ""
    target: str = ""

    @property
    def is_good(self):
        kinds = [name for name in self.operators if name in GOOD]
        return (
            not self.error and not self.target and len(set(kinds)) == len(self.operators)
            and self.returns in ("list", "tuple", "iterator")
            and set(self.hooks) <= {"observer", "constants", "types", "refused"}
        )  # fmt: skip

    def entry(self):
        return types.SimpleNamespace(
            name=self.key, group="opregistry", value=self.value, load=self.load,
            dist=DISTRIBUTIONS[self.distribution](),
        )  # fmt: skip

    def load(self):
        if self.error:
            raise ERRORS[self.error]()
        if self.target:
            return BROKEN_TARGETS[self.target]()
        members = dict(OTHER_HOOKS[name] for name in self.hooks)
        members["register_operators"] = hookimpl(
            lambda _: RETURNS[self.returns]([{**GOOD, **BAD}[name]() for name in self.operators])
        )
        for name, hook in members.items():
            if name != "register_operators" and inspect.isfunction(hook):
                members[name] = staticmethod(hook)
        return type("Plugin", (), members)()


def recipes():
    """Draw plugins, half of which have nothing bad."""
    where = {
        "key": st.sampled_from(KEYS), "distribution": st.sampled_from(sorted(DISTRIBUTIONS)),
        "value": st.sampled_from(["fake", "fake:plugin", "a b:c", ""]),
    }  # fmt: skip
    plain = {
        "operators": st.lists(st.sampled_from(sorted(GOOD)), max_size=3).map(tuple),
        "hooks": st.lists(st.sampled_from(["observer", "constants", "types", "refused"]), max_size=2).map(
            tuple
        ),
    }
    odd = {
        "operators": st.lists(st.sampled_from([*GOOD, *BAD]), max_size=3).map(tuple),
        "returns": st.sampled_from(sorted(RETURNS)),
        "hooks": st.lists(st.sampled_from(sorted(OTHER_HOOKS)), max_size=2).map(tuple),
    }
    one_bad = {**plain, "operators": st.tuples(st.sampled_from(sorted(GOOD)), st.sampled_from(sorted(BAD)))}
    return st.one_of(
        st.builds(Recipe, **where, **plain), st.builds(Recipe, **where, **plain),
        st.builds(Recipe, **where, **odd), st.builds(Recipe, **where, **one_bad),
        st.builds(Recipe, **where, error=st.sampled_from(sorted(ERRORS))),
        st.builds(Recipe, **where, target=st.sampled_from(sorted(BROKEN_TARGETS))),
    )  # fmt: skip


def several(most):
    """Draw plugins of which no two have the same key and value: they would be one."""
    return st.lists(recipes(), min_size=1, max_size=most, unique_by=lambda recipe: (recipe.key, recipe.value))


def loaded(recipes, **settings):
    """Give a registry that found these entry points and no built-ins, and the warnings."""
    registry = Registry()
    connect(registry, Settings(block=frozenset({"ops_builtin"}), **settings))
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        patch.setattr("registry.installed.entry_points", lambda group: [recipe.entry() for recipe in recipes])
        registry.load()
        registry.load()
    return registry, [str(w.message) for w in caught if w.category is PluginWarning]


def picture(registry):
    """Give all that a registry says, without what differs between two plugins made alike."""
    catalog = registry.catalog
    return (
        [(p.name, p.distribution, p.version, p.status, p.phase, type(p.error)) for p in registry.plugins],
        {name: [c.plugin for c in candidates] for name, candidates in catalog.names.items()},
        sorted(registry.unambiguous()), sorted(catalog.methods), sorted(catalog.refused),
    )  # fmt: skip


@examples(200)
@given(several(4), st.randoms())
def test_no_plugin_is_lost_and_none_harms_another(recipes, random):
    registry, told = loaded(recipes)
    plugins = [p for p in registry.plugins if p.name not in ("ops_builtin", "session")]
    assert len(plugins) == len(recipes), "each is loaded or failed"
    failed = [p for p in plugins if p.status == "failed"]
    assert len(told) == len(failed), told
    for plugin in failed:
        assert plugin.phase in PHASES
        assert plugin.error is not None
        assert plugin.error.__traceback__ is not None
        assert (plugin.operators, plugin.constants, plugin.array_types) == ((), (), ())
        assert not plugin.observes
        assert any(f"plugin {plugin} is left out: {plugin.phase}" in text for text in told)
    for plugin in plugins:
        assert plugin.status in ("loaded", "failed")
    # In another order, the same.
    shuffled = list(recipes)
    random.shuffle(shuffled)
    assert _sorted(picture(loaded(shuffled)[0])) == _sorted(picture(registry))
    # What is good is there, and as it is without the others.
    for recipe in recipes:
        if (
            recipe.is_good
            and sum(other.key == recipe.key for other in recipes) == 1
            and recipe.key not in RESERVED
        ):
            plugin, (alone, told) = registry.plugin(recipe.key), loaded([recipe])
            assert plugin.status == "loaded", plugin.error
            assert not told
            assert plugin.keys == alone.plugin(recipe.key).keys
            assert len(plugin.operators) == len(recipe.operators)


RESERVED = "ops_builtin", "session"


def _sorted(picture):
    return sorted(picture[0], key=repr), *picture[1:]


def answer(ask, what):
    """Give what a registry says, None if it has none: then it says why."""
    try:
        return ask(what)
    except RegistryError as error:
        text = str(error)
    assert text
    return None


@examples(60)
@given(several(4))
def test_every_answer_is_a_helper_or_an_error_that_says_why(recipes):
    registry, _ = loaded(recipes)
    names = {*registry.catalog.names, "one", "nothing"}
    for name in [*names, *(f"{p.name}.{name}" for p in registry.plugins for name in names)]:
        operator = answer(registry.operator, name)
        if operator is None:
            continue
        assert operator.source
        assert isinstance(operator.helper.__doc__, str | None)
        inspect.signature(operator.helper)
    for function in (np.spacing, np.exp, np.nextafter, np.put):
        answer(registry.numpy_call, function)
    for plugin in registry.plugins:
        assert isinstance(f"{plugin} {plugin.fate} {plugin.file}", str)
    assert not registry.is_array_type(str)


@examples(60)
@given(several(3))
def test_a_strict_registry_raises_at_the_first_broken_one(recipes):
    registry, _ = loaded(recipes)
    failed = [p for p in registry.plugins if p.status == "failed"]
    if not failed:
        loaded(recipes, strict=True)
        return
    with pytest.raises(PluginError, match="is left out") as raised:
        loaded(recipes, strict=True)
    assert raised.value.__cause__ is not None


BYTES = st.binary(max_size=30)
TEXTS = {
    "METADATA": ["Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n", "Name:", "Name: odd\n", ""],
    "entry_points.txt": ["[opregistry]\nodd = odd_plugin\n", "[opregistry]\nodd\n", "odd = o"],
    "odd_plugin.py": ["import registry\n", "from registry.ops import good_one\n", "(", "# coding: utf-16\n"],
}  # fmt: skip


def contents(name):
    """Draw what is in a file: what is usual, broken off, or any bytes, in an encoding of its own."""
    usual = st.builds(
        str.encode, st.sampled_from(TEXTS[name]), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"])
    )
    return usual | BYTES | st.builds(lambda start, end: start + end, usual, BYTES) | st.none()


def test_whatever_is_in_its_files_a_distribution_hides_no_other(site):
    site.install_operator("good-plugin", "GoodOne")
    info = site.path / "odd-1.0.dist-info"

    @examples(60)
    @given(st.fixed_dictionaries({name: contents(name) for name in TEXTS}))
    def found(files):
        shutil.rmtree(info, ignore_errors=True)
        (site.path / "odd_plugin.py").unlink(missing_ok=True)
        info.mkdir()
        for name, content in files.items():
            if content is not None:
                ((site.path if name.endswith(".py") else info) / name).write_bytes(content)
        importlib.invalidate_caches()
        sys.modules.pop("odd_plugin", None)
        registry = Registry()
        connect(registry, Settings(block=frozenset({"ops_builtin"})))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            registry.load()
        assert registry.plugin("good_plugin").status == "loaded"
        assert registry.operator("good_one").plugin == "good_plugin"
        others = [p for p in registry.plugins if "odd" in (p.distribution or "")]
        assert all(p.status == "failed" and p.error is not None for p in others)

    found()
