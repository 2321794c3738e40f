import json
import os
import subprocess
import sys
import warnings
from importlib.metadata import version

import numpy as np
import pytest

import registry
from registry import Function, composite, default_registry
from registry.__main__ import main

pytest.importorskip("typer")
from typer.testing import CliRunner

from registry.cli.app import app
from registry.cli.pip import distributions

COMMANDS = "plugins ops show grad check coverage new demo install uninstall stubs".split()  # noqa: SIM905


def run(*arguments, code=0):
    """Run a command line in this process; it must exit, not raise, with this code."""
    result = CliRunner().invoke(app, list(arguments), prog_name="opregistry")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.stderr
    return result


def python(*arguments, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OPREGISTRY_")}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True, timeout=60)


@pytest.fixture(autouse=True)
def only_builtins(fresh):
    """A registry that finds the built-ins, and of the installed plugins those that a test names."""
    return fresh(only=frozenset())


class Erf(Function):
    """The error function.

    What else there is to say.
    """

    method = "erf"
    once_differentiable = True
    elementwise = True
    saves = ("xs",)

    def __init__(self, exact=True):
        self.exact = exact

    def forward(self, x):
        return x

    def backward(self, gy):
        return gy


class OtherErf(Function):
    """Another error function."""

    name = "erf"

    def forward(self, x):
        return x

    def backward(self, gy):
        return gy


class Sum(Function):
    """A sum that no bare name reaches."""

    def forward(self, x):
        return x

    def backward(self, gy):
        return gy


def test_without_arguments_the_help_lists_every_command():
    shown = run().stdout
    assert all(f"\n  {command} " in shown for command in COMMANDS)
    assert shown == run("--help").stdout


def test_the_version_is_that_of_the_package():
    assert run("--version").stdout == f"opregistry {registry.__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",), ("grad", "--help")])
def test_help_and_version_load_no_plugin(arguments, only_builtins):
    run(*arguments)
    assert only_builtins.plugins == ()


def test_an_unknown_command_is_a_usage_error():
    assert run("opss", code=2).stderr.startswith("error: No such command 'opss'.")


def test_a_missing_argument_names_it_and_where_help_is():
    stderr = run("show", code=2).stderr
    assert stderr.startswith("error: Missing argument 'NAME'.\n")
    assert "see 'opregistry show --help'" in stderr


def test_importing_the_registry_imports_no_extra():
    code = "import sys, registry; print({'typer', 'click', 'rich', 'sklearn'} & set(sys.modules))"
    assert python("-c", code).stdout == "set()\n"


def test_the_package_runs_as_a_module():
    done = python("-m", "registry", "--version")
    assert (done.returncode, done.stdout) == (0, f"opregistry {registry.__version__}\n")


def test_the_console_script_runs_main(monkeypatch, capsys):
    from importlib.metadata import entry_points

    (script,) = set(entry_points(group="console_scripts", name="opregistry"))
    assert script.load() is main
    monkeypatch.setattr(sys, "argv", ["opregistry", "--version"])
    with pytest.raises(SystemExit) as stopped:
        script.load()()
    assert not stopped.value.code
    assert capsys.readouterr().out == f"opregistry {registry.__version__}\n"


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_the_command_line_says_what_to_install(missing):
    code = f"import sys; sys.modules[{missing!r}] = None; from registry.__main__ import main; main()"
    done = python("-c", code)
    assert done.returncode == 1
    assert done.stderr == f'error: the command line needs {missing}: pip install "opregistry[cli]"\n'
    assert done.stdout == ""


def test_any_other_missing_module_is_not_blamed_on_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "registry.cli.app", None)
    with pytest.raises(ModuleNotFoundError, match=r"registry\.cli\.app"):
        main()


def test_plugins_lists_name_distribution_version_status_count_and_whole_file(site, fresh):
    site.install_operator("a-plugin-" + "long" * 20, "Thing", key="thing", version="1.2.3")
    fresh(only=frozenset({"thing"}))
    result = run("plugins")
    header, builtins, thing = result.stdout.splitlines()
    assert header.split() == ["name", "distribution", "version", "status", "operators", "load", "ms", "file"]
    assert builtins.split()[:4] == ["ops_builtin", "opregistry", registry.__version__, "loaded"]
    name, distribution, shown_version, status, count, milliseconds, file = thing.split()
    assert (name, shown_version, status, count) == ("thing", "1.2.3", "loaded", "1")
    assert distribution == "a-plugin-" + "long" * 20
    assert float(milliseconds) > 0
    assert file == str(site.path / f"{distribution.replace('-', '_')}.py")
    assert result.stderr == ""


def test_plugins_as_json_has_operators_and_load_time(site, fresh):
    site.install_operator("one", "Thing")
    fresh(only=frozenset({"one"}))
    builtins, one = json.loads(run("plugins", "--json").stdout)
    assert "add" in builtins["operators"]
    assert one["operators"] == ["thing"]
    assert one["load_time_ms"] > 0
    assert (one["distribution"], one["version"], one["status"]) == ("one", "1.0", "loaded")
    assert one["error"] is None


def test_plugins_names_the_operators_when_verbose(site, fresh):
    site.install_operator("one", "Thing")
    fresh(only=frozenset({"one"}))
    assert "one offers thing\n" in run("plugins", "--verbose").stdout
    assert "one offers" not in run("plugins").stdout


def test_a_failed_plugin_is_shown_with_phase_and_error_and_the_exit_code_is_1(site, fresh):
    site.install("broken", "import no_such_module_anywhere")
    fresh(only=frozenset({"broken"}))
    result = run("plugins", code=1)
    assert (
        "broken failed to load: ModuleNotFoundError: No module named 'no_such_module_anywhere'"
        in result.stdout
    )
    assert "Traceback" not in result.stdout
    assert result.stderr == ""


def test_a_failed_plugins_traceback_is_shown_when_verbose(site, fresh):
    site.install("broken", "1 / 0")
    fresh(only=frozenset({"broken"}))
    shown = run("plugins", "--verbose", code=1).stdout
    assert "Traceback (most recent call last)" in shown
    assert 'broken.py", line 3' in shown


def test_a_failed_plugin_in_json_has_phase_and_error(site, fresh):
    site.install("hookless", "")
    fresh(only=frozenset({"hookless"}))
    record = json.loads(run("plugins", "--json", code=1).stdout)[1]
    assert (record["status"], record["phase"]) == ("failed", "register")
    assert record["error"].startswith("PluginError: it implements none of the hooks")


def test_plugins_lists_all_where_the_environment_says_strict(site, fresh):
    site.install("broken", "1 / 0")
    site.install_operator("sound", "Thing")
    fresh(only=frozenset({"broken", "sound"}), strict=True)
    statuses = {p["name"]: p["status"] for p in json.loads(run("plugins", "--json", code=1).stdout)}
    assert statuses == {"ops_builtin": "loaded", "broken": "failed", "sound": "loaded"}


def test_plugins_warns_of_names_that_are_not_installed(fresh):
    fresh(only=frozenset(), block=frozenset({"ops_bultin"}))
    result = run("plugins")
    assert result.stderr.startswith("warning: OPREGISTRY_BLOCK names 'ops_bultin'")
    assert "did you mean 'ops_builtin'?" in result.stderr


def test_a_blocked_plugin_is_listed_as_blocked(fresh):
    fresh(only=frozenset(), block=frozenset({"ops_builtin"}))
    assert run("plugins").stdout.splitlines()[1].split()[3:5] == ["blocked", "0"]


def test_other_commands_warn_of_a_failed_plugin_in_one_line(site, fresh):
    site.install("broken", "1 / 0")
    fresh(only=frozenset({"broken"}))
    (line,) = run("ops", "add").stderr.splitlines()
    assert line.startswith(
        "warning: plugin broken (broken 1.0) is left out: load failed with ZeroDivisionError"
    )


def test_other_warnings_are_shown_as_python_shows_them(monkeypatch):
    def list_operators(word, as_json):
        warnings.simplefilter("always")
        warnings.warn("mind the step", UserWarning, stacklevel=1)

    monkeypatch.setattr("registry.cli.operators.list_operators", list_operators)
    assert f"{__file__}:" in (shown := run("ops").stderr)
    assert "UserWarning: mind the step\n  warnings.warn" in shown


def test_a_strict_environment_turns_a_failed_plugin_into_an_error(site, fresh):
    site.install("broken", "1 / 0")
    fresh(only=frozenset({"broken"}), strict=True)
    assert run("ops", code=1).stderr.startswith("error: plugin broken (broken 1.0) is left out: load failed")


def test_ctrl_c_ends_without_a_traceback(monkeypatch):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("registry.cli.operators.show_operator", interrupted)
    run("show", "exp", code=130)


def test_ops_lists_every_operator_with_signature_doc_and_plugin():
    lines = run("ops").stdout.splitlines()
    assert lines[0].split() == ["name", "signature", "what", "it", "computes", "plugin"]
    assert len(lines) - 1 == len(default_registry().catalog.names)
    (exp,) = [line for line in lines if line.startswith("exp ")]
    assert " ".join(exp.split()) == "exp (x) Exponential: e ** x. ops_builtin"


@pytest.mark.parametrize("word", ["error fun", "THE ERROR F", "special"])
def test_ops_filters_by_name_doc_and_plugin(word, only_builtins, publish):
    publish(only_builtins, "special", Erf)
    (line,) = run("ops", word).stdout.splitlines()[1:]
    assert " ".join(line.split()) == "erf (x, exact=True) The error function. special"


def test_ops_that_match_nothing_exit_with_1_and_a_near_miss():
    stderr = run("ops", "expp", code=1).stderr
    assert stderr.startswith("error: no operator mentions 'expp'; did you mean 'exp'")
    assert run("ops", "expp", "--json").stdout == "[]\n"


def test_ops_marks_what_is_ambiguous_and_says_how_to_reach_it(only_builtins, publish):
    publish(only_builtins, "one", Erf)
    publish(only_builtins, "two", OtherErf)
    shown = run("ops", "erf").stdout
    assert shown.count("erf (ambiguous)") == 2
    assert "the ambiguous erf of one is reached as registry.plugins.one.erf\n" in shown
    assert "the ambiguous erf of two is reached as registry.plugins.two.erf\n" in shown


def test_ops_marks_what_a_builtin_shadows(only_builtins, publish):
    publish(only_builtins, "one", Sum)
    entries = [e for e in json.loads(run("ops", "sum", "--json").stdout) if e["name"] == "sum"]
    assert [(e["plugin"], e["status"], e["reach"]) for e in entries] == [
        ("ops_builtin", "", "registry.ops.sum"),
        ("one", "shadowed", "registry.plugins.one.sum"),
    ]


def test_show_tells_everything_about_an_operator(only_builtins, publish):
    publish(only_builtins, "special", Erf)
    shown = run("show", "erf").stdout
    line = Erf.__init__.__code__.co_firstlineno - 11
    assert shown.startswith("erf(x, exact=True)\n\nThe error function.\n\nWhat else there is to say.\n")
    facts = dict(part.split(":", 1) for part in shown.splitlines() if ":  " in part)
    assert {key: value.strip() for key, value in facts.items()} == {
        "plugin": "special",
        "distribution": "-",
        "defined at": f"{__file__}:{line}",
        "implements": "-",
        "method": "erf",
        "differentiable": "yes",
        "elementwise": "yes",
        "scalars": "no",
        "saves": "xs",
        "constants": "none",
    }
    assert "once_differentiable: yes" in shown
    assert '    """The error function.' in shown
    assert "        return gy\n" in shown


def test_show_names_distribution_version_and_numpy_functions():
    shown = run("show", "exp").stdout
    assert f"opregistry {registry.__version__}\n" in shown
    assert "implements:          numpy.exp\n" in shown
    assert version("opregistry") == registry.__version__


def test_show_says_that_a_composite_has_the_derivatives_of_its_parts(only_builtins, publish):
    @composite()
    def rms(x):
        """Root of the mean square."""
        return np.sqrt(np.mean(x * x))

    publish(only_builtins, "special", rms)
    shown = run("show", "rms").stdout
    assert "composite: its derivatives are those of the operators it calls" in shown
    assert "return np.sqrt(np.mean(x * x))" in shown


def test_show_picks_one_plugins_operator(only_builtins, publish):
    publish(only_builtins, "one", Erf)
    publish(only_builtins, "two", OtherErf)
    shown = run("show", "two.erf").stdout
    assert "Another error function." in shown
    assert "ambiguous; reach it as registry.plugins.two.erf" in shown


def test_show_of_an_ambiguous_name_lists_the_ways_out(only_builtins, publish):
    publish(only_builtins, "one", Erf)
    publish(only_builtins, "two", OtherErf)
    stderr = run("show", "erf", code=1).stderr
    assert stderr.startswith("error: 'erf' is offered by 2 plugins:\n")
    assert stderr.endswith("to see one: opregistry show one.erf or opregistry show two.erf\n")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("expp", "error: no operator is named 'expp'; did you mean 'exp'"),
        ("ops_bultin.exp", "error: no plugin is named 'ops_bultin'; did you mean 'ops_builtin'?"),
        ("ops_builtin.expp", "error: plugin ops_builtin (opregistry"),
    ],
)
def test_show_of_an_unknown_name_gives_near_misses(name, message):
    stderr = run("show", name, code=1).stderr
    assert stderr.startswith(message)
    assert "did you mean" in stderr


def test_show_of_a_failed_plugins_operator_says_why_it_failed(site, fresh):
    site.install("broken", "1 / 0")
    fresh(only=frozenset({"broken"}))
    stderr = run("show", "broken.erf", code=1).stderr
    assert "error: plugin broken (broken 1.0) failed to load: division by zero\n" in stderr


def test_show_without_source_code_still_tells_the_rest(only_builtins, publish):
    namespace = {"Function": Function}
    exec(
        "class Ghost(Function):\n    def forward(self, x): return x\n    def backward(self, gy): return gy",
        namespace,
    )
    namespace["Ghost"].__module__ = "builtins"
    publish(only_builtins, "special", namespace["Ghost"])
    shown = run("show", "ghost").stdout
    assert "plugin:              special\n" in shown
    assert shown.endswith("(its source code is not available)\n")


def test_on_a_terminal_tables_are_ruled_and_fit(terminal, site, fresh):
    site.install_operator("one", "Thing")
    fresh(only=frozenset({"one"}))
    lines = run("ops").stdout.splitlines()
    assert "───" in lines[1]
    from rich.text import Text

    assert max(len(Text.from_ansi(line)) for line in lines) <= 80
    shown = run("plugins").stdout
    assert "───" in shown
    assert str(site.path / "one.py") in shown


def test_on_a_terminal_source_is_highlighted(terminal):
    assert "\x1b[" in run("show", "exp").stdout


def test_elsewhere_nothing_is_coloured(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for arguments in (("plugins",), ("ops",), ("show", "exp"), ("grad", "exp(x)", "x=1", "--check")):
        assert "\x1b" not in run(*arguments).stdout


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [
        (("install", "a", "b"), ("install", "a", "b")),
        (("install", "-e", "./path", "--upgrade"), ("install", "-e", "./path", "--upgrade")),
        (("uninstall", "a"), ("uninstall", "-y", "a")),
    ],
)
def test_install_and_uninstall_hand_everything_to_pip(arguments, passed, monkeypatch, only_builtins):
    seen = []

    def fake(command, **options):
        seen.append(command)
        return subprocess.CompletedProcess(command, 7)

    monkeypatch.setattr("registry.cli.pip.subprocess.run", fake)
    run(*arguments, code=7)
    assert seen == [[sys.executable, "-m", "pip", *passed]]
    assert only_builtins.plugins == ()


def test_installing_nothing_is_a_usage_error():
    assert run("install", code=2).stderr.startswith("error: Missing argument 'NAME...'")


def test_without_pip_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("registry.cli.pip.find_spec", lambda name: None)
    assert "has no pip; get it with: " in run("install", "a", code=1).stderr


def test_a_broken_plugin_can_be_uninstalled(site):
    site.install("broken", "raise SystemExit(5)")
    done = python(
        *("-m", "registry", "uninstall", "opregistry-that-is-not-installed"),
        PYTHONPATH=str(site.path),
        OPREGISTRY_STRICT="1",
    )
    assert done.returncode == 0, done.stderr
    assert "not installed" in done.stderr
    assert "broken" not in done.stderr + done.stdout


def test_a_plugin_is_uninstalled_by_its_name_too(site, monkeypatch):
    site.install("opregistry-broken", "raise SystemExit(5)", key="broken")
    assert distributions(["broken", "opregistry-broken", "other"]) == ["opregistry-broken"] * 2 + ["other"]


def test_a_plugin_is_uninstalled_where_another_distribution_cannot_be_read(site):
    site.install("opregistry-good", "", key="good")
    site.install("broken", "")
    (site.path / "broken-1.0.dist-info" / "entry_points.txt").write_bytes(b"[opregistry]\nbad = \xff\n")
    assert distributions(["good", "broken"]) == ["opregistry-good", "broken"]


def test_pips_failure_is_passed_on(tmp_path):
    done = python("-m", "registry", "install", "--no-index", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "nowhere" in done.stderr


def test_stubs_are_written_and_named(tmp_path):
    shown = run("stubs", "--out", str(tmp_path / "typings")).stdout.splitlines()
    assert shown
    assert all((tmp_path / "typings") in type(tmp_path)(line).parents for line in shown)
    assert any("def exp(" in type(tmp_path)(line).read_text() for line in shown)
