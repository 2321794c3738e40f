"""What a terminal, a full disk and a reader that goes away get to see of a command."""

import ast
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import registry.cli
from registry import Function

pytest.importorskip("typer")
from test_cli import run
from typer.testing import CliRunner

from registry.cli import output
from registry.cli.app import app
from registry.cli.output import visible

WILD = "\x1b[31m\x07\x9b2J\u202e\u2066\u200b\x7f\ufeff"
ESCAPED = r"\x1b[31m\x07\x9b2J\u202e\u2066\u200b\x7f\ufeff"


@pytest.fixture(autouse=True)
def only_builtins(fresh):
    """A registry with the built-ins and no installed plugin."""
    return fresh(only=frozenset())


class Odd(Function):
    __doc__ = f"""Odd {WILD}. [red]text[/red] [link=https://example.org]too[/link]

    More {WILD}.
    """

    def forward(self, x):
        return x + 0.0

    def backward(self, gy):
        raise RuntimeError(f"wrong {WILD}")


class TestVisible:
    @pytest.mark.parametrize("character", [chr(i) for i in (*range(9), *range(11, 32), *range(127, 160))])
    def test_control_characters_are_escaped(self, character):
        assert visible(character) == repr(character)[1:-1] != character

    @pytest.mark.parametrize(
        "character", "\u202a\u202e\u2066\u2069\u200b\u200f\u2028\u2029\ufeff\ud800\U000e0041"
    )
    def test_so_is_what_hides_or_turns_the_text_around(self, character):
        assert visible(character) == ascii(character)[1:-1]

    def test_everything_else_stays(self):
        text = "tab\tline\né ü 日本 Ω ─ '\"\\x1b"
        assert visible(text) == text


@pytest.fixture(params=["file", "terminal"])
def everywhere(request):
    """Away from a terminal, and on one."""
    if request.param == "terminal":
        request.getfixturevalue("terminal")


def harmless(*arguments, code=0):
    """Run a command; give what it wrote, in which nothing acts but this program's own colours."""
    from rich.text import Text

    result = run(*arguments, code=code)
    text = "".join(Text.from_ansi(part).plain + "\n" for part in (result.stdout, result.stderr))
    assert text == visible(text)
    assert "\x1b[31m\x07" not in result.stdout + result.stderr
    return text


@pytest.mark.usefixtures("everywhere")
class TestFromOutside:
    def test_docstrings(self, only_builtins, publish):
        publish(only_builtins, "mine", Odd)
        shown = harmless("show", "odd")
        assert f"Odd {ESCAPED}. [red]text[/red] [link=https://example.org]too[/link]\n" in shown
        assert f"More {ESCAPED}.\n" in shown
        assert r"\x1b[31m" in harmless("ops", "odd")

    def test_errors_of_operators(self, only_builtins, publish):
        publish(only_builtins, "mine", Odd)
        assert f"RuntimeError: wrong {ESCAPED}" in harmless("grad", "odd(x)", "x=1", code=1)
        assert "wrong \\x1b" in harmless("check", "mine", code=1)

    def test_versions_paths_errors_and_tracebacks_of_plugins(self, site, fresh):
        site.install("broken", f"raise ValueError({WILD!r})  # \x1b[31m\x07", version="1.0\x1b[31m\x07")
        fresh(only=frozenset({"broken"}))
        text = harmless("plugins", "--verbose", code=1)
        assert text.count(f"ValueError: {ESCAPED}") == 2
        assert r"\n    raise ValueError(" in repr(text)
        assert r"1.0\x1b[31m\x07" in text
        assert json.loads(run("plugins", "--json", code=1).stdout)[1]["error"] == f"ValueError: {WILD}"

    @pytest.mark.parametrize(
        "arguments",
        [(WILD,), ("show", WILD), ("show", "exp", WILD), ("new", WILD), ("check", WILD),
         ("grad", WILD), ("grad", "x", f"{WILD}=1"), ("grad", "x", f"x=@{WILD}.npy"),
         ("grad", "x", "x=1", f"--wrt={WILD}"), ("ops", WILD)],
    )  # fmt: skip
    def test_what_was_typed(self, arguments):
        code = 1 if arguments[0] in ("ops", "show") and len(arguments) == 2 else 2
        assert r"\u202e" in harmless(*arguments, code=code)

    def test_defects(self, monkeypatch):
        def list_operators(word, as_json):
            raise ZeroDivisionError(WILD)

        monkeypatch.setattr("registry.cli.operators.list_operators", list_operators)
        result = CliRunner().invoke(app, ["ops"])
        assert result.exit_code == 1
        assert "error: Traceback (most recent call last):\n" in result.stderr
        assert result.stderr.endswith(f"ZeroDivisionError: {ESCAPED}\n\n")


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(
    "write",
    [
        output.say, partial(output.say, "it:"), partial(output.say, bold=True), output.say_indented,
        output.show_source, output.fail, output.warn,
        lambda text: output.show_table([output.column("it")], [[text]]),
    ],
)  # fmt: skip
def test_whatever_writes_makes_it_visible(write, capsys):
    from rich.text import Text

    write(f"# {WILD} [bold]it[/bold]")
    shown = "".join(Text.from_ansi(part).plain for part in capsys.readouterr())
    assert f"# {ESCAPED} [bold]it[/bold]" in shown
    assert visible(shown) == shown


def test_one_module_alone_writes():
    writers = {"echo", "secho", "style", "print", "Text", "Syntax", "Padding", "write", "showwarning"}
    for path in Path(registry.cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node, "id", getattr(node, "attr", getattr(node, "name", "")))
            assert path.name == "output.py" or name not in writers, f"{path}:{node.lineno} has {name}"


def test_a_plugin_that_exits_does_not_end_in_success(monkeypatch):
    def list_operators(word, as_json):
        raise SystemExit(code)

    monkeypatch.setattr("registry.cli.operators.list_operators", list_operators)
    for code in (0, None, 256, "bye"):
        assert f"error: a plugin ends the process by SystemExit({code!r})\n" == run("ops", code=1).stderr


STREAMS = """
import os
from registry import load_plugins
from registry.cli import demo
from registry.cli.app import app

demo.run_demo = lambda seed: print("what a plugin prints, and does not flush")
load_plugins()
for stdout, stderr, *arguments in CASES:
    read, write = os.pipe()
    if not (child := os.fork()):
        os.dup2(write, 2)
        for fd, path in ((1, stdout), (2, stderr)):
            if path == "gone":
                end, fd_write = os.pipe()
                os.close(end)
                os.dup2(fd_write, fd)
            elif path:
                os.dup2(os.open(path, os.O_RDWR), fd)
        app(arguments, prog_name="opregistry")
    os.close(write)
    said = os.fdopen(read).read()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), repr(said), flush=True)
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
class TestStreams:
    def test_one_that_is_full_or_has_no_reader_is_an_error(self):
        full = "error: cannot write to standard output: No space left on device\n"
        cases = {
            ("/dev/full", "", "ops", "exp2"): (1, full),
            ("/dev/full", "", "ops", "exp2", "--json"): (1, full),
            ("/dev/full", "", "--help"): (1, full),
            ("gone", "", "show", "exp2"): (1, ""),
            ("gone", "", "--version"): (1, ""),
            ("/dev/null", "/dev/full", "show", "nothing"): (1, ""),
            ("/dev/null", "gone", "nothing"): (2, ""),
            ("/dev/full", "", "demo"): (1, full),
            ("gone", "", "demo"): (1, ""),
            ("/dev/null", "/dev/full", "--version"): (0, ""),
        }
        command = [sys.executable, "-c", f"CASES = {list(cases)}\n{STREAMS}"]
        environment = {**os.environ, "OPREGISTRY_PLUGINS": "", "PYTHONUNBUFFERED": ""}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.stderr == ""
        ended = [
            (int(code), ast.literal_eval(said))
            for code, _, said in (line.partition(" ") for line in done.stdout.splitlines())
        ]
        assert dict(zip(cases, ended, strict=True)) == cases

    def test_a_closed_one_is_an_error(self):
        opregistry = f"{sys.executable} -m registry"
        script = f"{opregistry} --version >&-; echo $?; {opregistry} nothing 2>&-; echo $?"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.stderr) == ("1\n2\n", "error: standard output is closed\n")
