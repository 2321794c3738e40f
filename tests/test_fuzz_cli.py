"""Random words against the command line: each ends in a result or an error in a line, and runs no code.

``OPREGISTRY_TEST_SCALE=100`` tries a hundred times as many, new ones in each run.
"""

import ast
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("typer")
from scale import examples
from typer.testing import CliRunner

from registry import ops
from registry.cli.app import app
from registry.cli.errors import CommandError, UsageError
from registry.cli.expression import parse
from registry.cli.scaffold import new_plugin

CODE = "registry_test_canary()"


@pytest.fixture(scope="module", autouse=True)
def canary():
    """Notice when `CODE` is run, from wherever."""
    import builtins

    run = []
    builtins.registry_test_canary = lambda: run.append(1)
    yield
    del builtins.registry_test_canary
    assert run == []


@pytest.fixture(autouse=True)
def only_builtins(fresh):
    """A registry with the built-ins alone."""
    return fresh(only=frozenset())


def ended(*arguments):
    """Run a command line; it gives a result, or an error that says what is wrong."""
    result = CliRunner().invoke(app, list(arguments), prog_name="opregistry")
    assert result.exception is None or type(result.exception) is SystemExit, (arguments, result.exception)
    assert result.exit_code in (0, 1, 2), (arguments, result.output)
    assert "Traceback" not in result.output
    if result.exit_code == 2:
        assert result.stderr.startswith("error: "), (arguments, result.stderr)
    return result


PARTS = st.sampled_from([
    "x", "y", "1", "0.5", "1e308", "1j", "-1", "9" * 30, "0x", "'a'", '"', "None", "True", "...", "_",
    "__", "é",
    "(", ")", "[", "]", "{", "}", ",", ":", ":=", "=", "==", "**", "*", "@", "/", "//", "%", "+", "-",
    "~", "!",
    ".", ";", "\\", "\n", "\t", "#", "`", "$", "?", "\0", "\x85", "\u2028", "\ud800", "ﬁ", " ", "lambda",
    "for",
    "if", "else", "await", "yield", "import", "in", "is", "not", "x.real", "x.data", "().__class__",
    "f'{x}'", CODE,
    "sin(", "sum(x,axis=", "__import__('os')", "exec(", "open('/etc/passwd')", "x for x in x", "**{",
    "*[", "[::",
])  # fmt: skip
WORDS = st.one_of(
    st.lists(PARTS, max_size=12).map("".join), st.text(max_size=30), st.lists(PARTS, max_size=6).map(" ".join)
)
CONSTANTS = st.sampled_from(
    ["0", "1", "-1", "2", "3", "7", "10000000000", "9" * 40, "1.5", "None", "True", "'reflect'",
    "(0, 1)", "[1, 0]",
     "(2, 2)", "()", "(10000000000,)", "-9" * 1, "1e300", "'x'", "((1, 2), (3, 4))"]
)  # fmt: skip


def calls(inner):
    """Give calls of whatever operator there is, with inputs and constants as they come."""
    names = st.deferred(lambda: st.sampled_from(dir(ops)))
    arguments = st.lists(st.one_of(inner, inner, CONSTANTS), max_size=4).map(", ".join)
    named = st.sampled_from(
        ["", "", ", axis=0", ", axis=-1", ", keepdims=True", ", shape=(2, 3)", ", nonsense=1"]
    )
    return st.builds("{}({}{})".format, names, arguments, named)


EXPRESSIONS = st.recursive(
    st.sampled_from(["x", "y", "1", "0.5", "x[0]", "y[1:]", "x[..., None]"]),
    lambda inner: st.one_of(
        calls(inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "**", "@", "%"]), inner),
    ),
    max_leaves=5,
)


@given(WORDS)
@examples(400)
def test_the_parser_takes_an_expression_or_says_where_it_ends(text):
    try:
        expression = parse(text)
    except UsageError:
        return
    kinds = {type(node) for node in ast.walk(expression.tree)}
    assert not kinds & {ast.Attribute, ast.Lambda, ast.NamedExpr, ast.JoinedStr, ast.Starred, ast.ListComp}


@given(EXPRESSIONS)
@examples(120)
def test_grad_computes_any_expression_or_says_what_fails(text):
    ended("grad", text, "x=0.5", "y=0.25")
    ended("grad", text, "x=0.5")


@given(WORDS, WORDS)
@examples(60)
def test_grad_takes_any_words(text, value):
    ended("grad", "--", text, value)
    ended("grad", f"x * ({text})", f"x={value}")


@given(
    st.binary(max_size=300), st.sampled_from([".npy", ".npz", ".csv", ".npz:a", ".txt", ""]), st.booleans()
)
@examples(120)
def test_grad_reads_any_bytes(tmp_path_factory, data, suffix, with_header):
    heads = {".npy": b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', ", ".npz": b"PK\x03\x04", ".csv": b"1,2\n"}
    path = tmp_path_factory.getbasetemp() / f"bytes{suffix.partition(':')[0]}"
    path.write_bytes((heads.get(suffix, b"") if with_header else b"") + data)
    ended("grad", "sum(x)", f"x=@{path}{':a' if ':' in suffix else ''}")


COMMANDS = st.sampled_from(["plugins", "ops", "show", "check", "coverage", "grad", "new", "nonsense", ""])
OPTIONS = st.sampled_from(
    ["--json", "--verbose", "--no-load", "--help", "--seed", "--seed=3", "--order", "--order=2", "--wrt",
    "--wrt=x",
     "--full", "--markdown", "--", "-", "--nonsense", "--seed=x", "--order=-1", "square",
     "ops_builtin.square"]
)  # fmt: skip


@given(COMMANDS, st.lists(st.one_of(WORDS, OPTIONS), max_size=4))
@examples(120)
def test_any_command_with_any_words(tmp_path_factory, command, words):
    if command == "check" and not any(word.isidentifier() for word in words):
        words = [*words, "nonsense"]  # none at all would check every operator
    if command == "new":
        words += ["--out", str(tmp_path_factory.getbasetemp() / "new")]
    ended(command, *words)


@given(WORDS)
@examples(150)
def test_new_writes_below_its_folder_alone(tmp_path_factory, name):
    out = tmp_path_factory.mktemp("out")
    before = set(out.parent.iterdir())
    try:
        new_plugin(name, out)
    except CommandError:  # or a UsageError, which is one
        assert list(out.iterdir()) == []
    assert set(out.parent.iterdir()) == before


class TestProcesses:
    """What a shell sees, where the process itself matters."""

    @staticmethod
    def opregistry(*arguments, **environment):
        command = [sys.executable, "-m", "registry", *arguments]
        environment = {**os.environ, "OPREGISTRY_PLUGINS": "", **environment}
        done = subprocess.run(command, env=environment, capture_output=True, timeout=120)
        assert b"Traceback" not in done.stderr, done.stderr
        return done

    @pytest.mark.parametrize("argument", [b"\xff\xfe", b"x\xc3", "é".encode(), b"\xed\xa0\x80"])
    def test_words_that_are_no_text(self, argument):
        assert self.opregistry(b"grad", argument, b"x=0.5").returncode in (1, 2)
        assert self.opregistry(b"show", argument).returncode in (1, 2)

    def test_output_that_takes_ascii_alone(self):
        assert self.opregistry("show", "é", PYTHONIOENCODING="ascii").returncode in (1, 2)
        assert self.opregistry("ops", PYTHONIOENCODING="ascii").returncode == 0

    def test_a_reader_that_goes_away(self):
        script = f"{sys.executable} -m registry ops | head -1; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120)
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
        assert len(done.stdout.splitlines()) == 1

    def test_too_much_memory(self):
        done = self.opregistry("grad", "sum(repeat(x, 1500000000))", "x=0.5")
        assert done.returncode == 1
        assert b"MemoryError" in done.stderr

    def test_too_much_time(self):
        code = (
            "import registry.cli.limits as limits, sys\n"
            "limits.SECONDS = 0.5\n"
            "words = 'grad', 'sum(cumsum(repeat(x, 90000000)))', 'x=0.5', '--order', '3', '--check'\n"
            "sys.argv[1:] = words\n"
            "from registry.__main__ import main\nmain()"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (
            1, "error: the expression takes more than 0.5 s, and is given up\n"
        )  # fmt: skip
