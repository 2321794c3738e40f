import ast
import inspect
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import registry
from registry import Function, composite, ops, stubs

ROOT = Path(registry.__file__).parents[1]
# An editable install is an import hook, which type checkers do not see: they are told its path.
UNSEEN = [] if ROOT.name == "site-packages" else [ROOT]

RIGHT = """\
import numpy as np

import registry
from registry import Function, Variable, ops, plugins
from registry.calculus import numerical_diff
from registry.errors import RegistryError
from registry.ops import softplus, square
from registry.plugins import softplus as plugin
from registry.state import load_plugins

x = Variable(np.ones(3))
total: Variable = ops.sum(square(x), axis=0, keepdims=True)
joined: Variable = registry.ops.concatenate(x, np.ones(2), 1.0, axis=None)
clipped: Variable = ops.clip(x, None, 2)
smooth: Variable = plugin.softplus(softplus(plugins.softplus.softplus(x)))
slope = numerical_diff(ops.square, x)
known: tuple[registry.Plugin, ...] = load_plugins()
"""
WRONG_ARGUMENTS = """\
from registry import ops

ops.square(y=1.0)
ops.square(1.0, 2.0)
ops.square("one")
"""
UNKNOWN = """\
from registry import ops, plugins
from registry.ops import sqare
from registry.plugins import softplos

ops.sqare(1.0)
plugins.softplus.softplos(1.0)
"""


def checker(name, *arguments, **environment):
    """Run a type checker that stands beside this Python; give its report."""
    command = [str(Path(sysconfig.get_path("scripts")) / name), *map(str, arguments)]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout + done.stderr


def mypy(folder, cache):
    paths = os.pathsep.join(map(str, [folder / "typings", *UNSEEN]))
    environment = {"MYPYPATH": paths, "NO_COLOR": "1"}
    options = ["--strict", "--config-file", os.devnull, "--cache-dir", cache]
    return checker("mypy", *options, *sorted(folder.glob("*.py")), **environment)


def pyright(folder):
    # `stubPath` is not set: its default, typings, is what users have.
    (folder / "pyrightconfig.json").write_text(f'{{"extraPaths": ["{ROOT.as_posix()}"]}}')
    return checker(
        "pyright", "-p", folder, "--pythonpath", sys.executable, PYRIGHT_PYTHON_IGNORE_WARNINGS="1"
    )


def errors(report):
    """Give where a report has errors: file and line, each once."""
    return sorted(set(re.findall(r"([a-z_]+\.pyi?:\d+):.*error", report)))


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Errors by checker and stubs, each checker run once on all files."""
    found = {}
    cache = tmp_path_factory.mktemp("cache")
    for kind in ("shipped", "strict"):
        folder = tmp_path_factory.mktemp(kind)
        (folder / "right.py").write_text(RIGHT)
        (folder / "wrong_arguments.py").write_text(WRONG_ARGUMENTS)
        (folder / "unknown.py").write_text(UNKNOWN)
        if kind == "strict":
            stubs.write_stubs(folder / "typings")
        found["mypy", kind] = errors(mypy(folder, cache))
        found["pyright", kind] = errors(pyright(folder))
    return found


WRONG_LINES = ["wrong_arguments.py:3", "wrong_arguments.py:4", "wrong_arguments.py:5"]
UNKNOWN_LINES = ["unknown.py:2", "unknown.py:3", "unknown.py:5", "unknown.py:6"]


@pytest.mark.parametrize("name", ["mypy", "pyright"])
def test_the_shipped_stub_refuses_wrong_arguments_and_lets_other_names_pass(reports, name):
    assert reports[name, "shipped"] == WRONG_LINES


@pytest.mark.parametrize("name", ["mypy", "pyright"])
def test_strict_stubs_refuse_unknown_names_too_and_nothing_else(reports, name):
    assert reports[name, "strict"] == UNKNOWN_LINES + WRONG_LINES


def test_the_shipped_stub_is_fresh():
    assert stubs.SHIPPED.read_text(encoding="utf-8") == stubs.builtin_stub()


def test_the_shipped_stub_is_what_stubtest_finds_at_run_time(tmp_path):
    # mypy's own comparison of names, parameters and defaults with the generated helpers
    command = [sys.executable, "-m", "mypy.stubtest", "registry.ops"]
    environment = {**os.environ, "OPREGISTRY_PLUGINS": "", "MYPYPATH": "".join(map(str, UNSEEN))}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no issues found in 1 module" in done.stdout


def test_the_shipped_stub_depends_on_the_built_ins_only(fresh, publish):
    crowded = fresh(only=frozenset())
    publish(crowded, "mine", Halve)
    crowded.prefer("halve", "mine")
    assert stubs.builtin_stub() == stubs.SHIPPED.read_text(encoding="utf-8")


def test_sum_has_the_signature_of_its_helper():
    (shown,) = [
        node
        for node in ast.parse(stubs.builtin_stub()).body
        if isinstance(node, ast.FunctionDef) and node.name == "sum"
    ]
    parameters = inspect.signature(ops.sum).parameters.values()
    assert [argument.arg for argument in shown.args.args] == [p.name for p in parameters]
    defaults = [ast.literal_eval(default) for default in shown.args.defaults]
    assert defaults == [p.default for p in parameters if p.default is not p.empty]
    assert defaults[:2] == [None, False]
    assert ast.get_docstring(shown) == ops.sum.__doc__


TWO = np.float64(2)


class Halve(Function):
    """Half of x, a \\ and a "quote"."""

    def __init__(self, axis: "int" = None, *, scale: "np.floating" = TWO, mode: set[str]):  # noqa: RUF013
        pass

    def forward(self, x):
        return x / 2

    def backward(self, gy):
        return gy / 2


class Parted(Halve):
    __doc__ = None

    def __init__(self, undefined: "Nowhere[3]", broken: "1 +" = "a", floats: "float | None" = None):  # noqa: F821, F722
        pass

    def forward(self, x, b=None) -> tuple[np.ndarray, np.ndarray]:
        return x / 2, x / 2


class Frexp(Function):
    """Mantissa and exponent."""

    implements = np.frexp
    differentiable = False


class Int(Function):
    """An operator with the name of a type."""

    def __init__(self, size: "int" = 1):
        pass

    def forward(self, *xs):
        return xs[0]

    def backward(self, gy):
        return gy


@composite()
def size_of(x: "Variable", /, *rest: "Any", ord: int | str = 2, **options: "Other") -> "Variable":  # noqa: F821
    return x


def stub_of(fresh, publish, tmp_path, *operators):
    mine = fresh(only=frozenset())
    publish(mine, "mine", *operators)
    texts = [path.read_text() for path in stubs.write_stubs(tmp_path)]
    assert [ast.parse(text) is not None for text in texts] == [True] * 3
    return texts


@pytest.mark.parametrize(
    ("operator", "line"),
    [
        (
            Halve,
            "def halve(x: _Input, axis: int | None = None, *, scale: Any = ..., mode: set[str]) -> Variable:",
        ),
        (
            Parted,
            "def parted(x: _Input, b: _Input | None = None, *, undefined: Any, broken: Any = 'a', "
            "floats: float | None = None) -> tuple[Variable, ...]:",
        ),
        (Frexp, "def frexp(x: _Input) -> tuple[Variable, ...]:"),
        (Int, "def int(*xs: _Input, size: Any = 1) -> Variable:"),
        (size_of, "def size_of(x: Variable, /, *rest: Any, ord: int | str = 2, **options: Any) -> Variable:"),
    ],
)
def test_a_stub_shows_what_the_author_wrote_without_evaluating_it(fresh, publish, tmp_path, operator, line):
    _, operators, plugins = stub_of(fresh, publish, tmp_path, operator)
    assert line in operators.splitlines()
    assert f"    {line}" in plugins.partition("class _mine:\n    @staticmethod\n")[2].splitlines()


def test_a_docstring_of_any_characters_stays_one(fresh, publish, tmp_path):
    _, operators, _ = stub_of(fresh, publish, tmp_path, Halve)
    (halve,) = [node for node in ast.parse(operators).body if getattr(node, "name", "") == "halve"]
    assert ast.get_docstring(halve) == Halve.__doc__


def test_a_plugin_without_an_importable_name_is_left_out_of_the_plugins(fresh, publish, tmp_path):
    mine = fresh(only=frozenset())
    publish(mine, "my-plugin", Halve)
    text = (stubs.write_stubs(tmp_path)[2]).read_text()
    assert "# plugin 'my-plugin': no name to import" in text
    assert "my-plugin:" not in text.replace("# plugin 'my-plugin': no", "")


def test_checking_a_stale_stub_says_what_to_run_and_writing_makes_it_fresh(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stubs, "SHIPPED", tmp_path / "ops.pyi")
    for stale in (None, "old\n"):
        if stale:
            stubs.SHIPPED.write_text(stale)
        assert stubs.main(["--check"]) == 1
        assert f"{stubs.SHIPPED} is stale: run 'python -m registry.stubs'" in capsys.readouterr().out
    assert stubs.main([]) == 0
    assert stubs.main(["--check"]) == 0
    assert capsys.readouterr().out == ""
