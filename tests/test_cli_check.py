"""``opregistry check``: what it says, to people and to programs, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

pytest.importorskip("typer")
from test_cli import run

from registry import default_registry
from registry.cli import check
from registry.testing import CHECKS, Conformance, check_operator

CUBE = '''
class Cube(Function):
    """x ** 3, with a slip in its derivative."""

    def forward(self, x):
        return x**3

    def backward(self, gy):
        (x,) = self.xs
        return 2 * x**2 * gy
'''
DOUBLE = '''
class {name}(Function):
    """2 * x."""

    {body}

    def forward(self, x):
        {first}
        return 2.0 * x

    def backward(self, gy):
        return {gradient}
'''
HOOK = "\n@hookimpl\ndef register_operators():\n    return [{}]\n"


def double(name, *, body="pass", first="pass", gradient="2.0 * gy"):
    return DOUBLE.format(name=name, body=body, first=first, gradient=gradient)


EXPECTED = double(
    "Flat", body="expected_failures = {'complex': 'only the real part'}", gradient="2.0 * np.real(gy)"
)


@pytest.fixture(autouse=True)
def only_builtins(fresh):
    """A registry that finds the built-ins, and of the installed plugins those that a test names."""
    return fresh(only=frozenset())


@pytest.fixture
def mine(site, fresh):
    """Give a function: install a plugin `mine` of these classes."""

    def install(**classes):
        site.install("mine", "".join(classes.values()) + HOOK.format(", ".join(classes)))
        return fresh(only=frozenset({"mine"}))

    return install


def matrix(shown):
    """Give the rows of the plain table as dicts."""
    header, *rows = [line.split() for line in shown.partition("\n\n")[0].splitlines()]
    return {row[0]: dict(zip(header, row, strict=True)) for row in rows}


def sums(shown):
    return shown.splitlines()[-1]


def plain(shown):
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown).replace("\r", "")


class TestWhatIsChecked:
    def test_without_a_name_everything_installed_is(self, site, few_builtins, fresh):
        site.install_operator("one", "Thing")
        fresh(only=frozenset({"one"}))
        shown = run("check", code=1).stdout  # power and others miss the built-ins that are left out
        names = {f"{o.plugin}.{o.name}" for same in default_registry().catalog.names.values() for o in same}
        assert set(matrix(shown)) == names >= {"one.thing", "ops_builtin.add"}
        assert sums(shown).startswith(f"{len(names)} operators: ")

    def test_names_are_plugins_and_operators_each_checked_once(self, site, fresh):
        site.install("two", double("One") + double("Two") + HOOK.format("One, Two"))
        fresh(only=frozenset({"two"}))
        shown = run("check", "two", "square", "two.one", "ops_builtin.square", "exp").stdout
        assert list(matrix(shown)) == ["two.one", "two.two", "ops_builtin.square", "ops_builtin.exp"]

    def test_the_report_is_that_of_check_operator(self):
        data = json.loads(run("check", "exp", "matmul", "--json", "--seed", "7").stdout)
        expected = [check_operator(name, seed=7).as_dict() for name in ("exp", "matmul")]
        assert data["operators"] == json.loads(json.dumps(expected))

    def test_full_compares_more(self):
        counts = [
            json.loads(run("check", "exp", "--json", *more).stdout)["operators"][0]["results"]
            for more in ((), ("--full",))
        ]
        first, full = ({r["check"]: r["count"] for r in results} for results in counts)
        assert full["first_derivative"] > first["first_derivative"] > 0

    def test_the_seed_is_passed_on_and_is_no_negative_number(self, mine):
        mine(Cube=CUBE)
        shown = [run("check", "mine", "--seed", seed, code=1).stdout for seed in ("1", "1", "2")]
        first, again, other = (re.findall(r"on x = .*", text) for text in shown)
        assert first == again != other
        assert "'--seed'" in run("check", "mine", "--seed", "-1", code=2).stderr

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("expp", "error: no plugin and no operator is named 'expp'; did you mean 'exp'"),
            (
                "ops_bultin",
                "error: no plugin and no operator is named 'ops_bultin'; did you mean 'ops_builtin'",
            ),
            ("ops_builtin.expp", "error: plugin ops_builtin (opregistry"),
        ],
    )
    def test_a_name_that_nothing_has_is_a_usage_error_before_anything_runs(self, name, message):
        result = run("check", "exp", name, code=2)
        assert result.stderr.startswith(message)
        assert "did you mean" in result.stderr
        assert result.stdout == ""

    def test_an_ambiguous_name_says_how_to_check_one(self, site, fresh):
        site.install_operator("one", "Thing")
        site.install_operator("two", "Thing")
        fresh(only=frozenset({"one", "two"}))
        stderr = run("check", "thing", code=2).stderr
        assert stderr.startswith("error: 'thing' is offered by 2 plugins:\n")
        assert stderr.endswith("to check one: opregistry check one.thing or opregistry check two.thing\n")


class TestPlainOutput:
    def test_the_matrix_has_a_column_a_check_and_a_word_a_cell(self, mine):
        mine(Cube=CUBE, Flat=EXPECTED)
        shown = run("check", "mine", code=1).stdout
        assert shown.splitlines()[0].split() == ["operator", "verdict", "comparisons", *CHECKS]
        cube, flat = matrix(shown).values()
        assert (cube["operator"], cube["verdict"], cube["first_derivative"]) == (
            "mine.cube",
            "FAILED",
            "FAILED",
        )
        assert (cube["result_type"], cube["special_values"], flat["complex"]) == ("ok", "-", "expected")
        assert flat["verdict"] == "ok"
        assert int(flat["comparisons"]) == check_operator("flat").count

    def test_a_failure_is_told_with_operator_check_and_the_whole_message(self, mine):
        mine(Cube=CUBE, Flat=EXPECTED)
        shown = run("check", "mine", code=1).stdout
        (failure,) = check_operator("cube").failures
        indented = "\n".join(f"    {line}" for line in failure.message.splitlines())
        assert f"\n\nFAILED mine.cube first_derivative\n{indented}\n\n" in shown
        assert "along a random direction is" in failure.message

    def test_an_expected_failure_is_told_with_its_reason_after_the_failures(self, mine):
        mine(Flat=EXPECTED, Cube=CUBE)
        shown = run("check", "mine", code=1).stdout
        assert "\n\nexpected mine.flat complex\n    only the real part\n\n" in shown
        assert shown.index("FAILED mine.cube") < shown.index("expected mine.flat")

    def test_the_last_line_has_the_sums(self, mine):
        mine(Flat=EXPECTED, Cube=CUBE)
        results = [r for name in ("flat", "cube") for r in check_operator(name).results]
        count = {s: sum(r.status == s for r in results) for s in ("passed", "skipped")}
        compared = sum(r.count for r in results)
        assert re.fullmatch(
            rf"2 operators: {count['passed']} checks passed, {compared} comparisons, 1 failed, "
            rf"1 expected failure, {count['skipped']} skipped, in \d+\.\d s",
            sums(run("check", "mine", code=1).stdout),
        )

    def test_large_numbers_are_grouped(self):
        assert re.search(
            r" checks passed, \d,\d{3} comparisons, 0 failed, ", run("check", "add", "stack").stdout
        )

    def test_for_one_operator_a_row_a_check_says_why_it_did_not_run(self, mine):
        mine(Cube=CUBE)
        shown = run("check", "cube", code=1).stdout
        header, *rows = shown.partition("\n\n")[0].splitlines()
        assert header.split() == ["check", "status", "comparisons", "why", "not"]
        told = {row.split()[0]: row.split(maxsplit=3)[1:] for row in rows}
        assert list(told) == list(CHECKS)
        assert told["result_type"] == ["ok", str(Conformance("cube").run("result_type").count)]
        assert told["first_derivative"] == ["FAILED", "0"]
        assert told["special_values"] == ["-", "0", "first_derivative did not pass"]
        assert "\nFAILED mine.cube first_derivative\n    the first derivative" in shown
        assert sums(shown).startswith("mine.cube: ")


class TestOnATerminal:
    def test_groups_fit_and_failures_stand_out(self, mine, terminal):
        mine(Cube=CUBE, Flat=EXPECTED)
        coloured = run("check", "mine", code=1).stdout
        shown = plain(coloured)
        header, rule, cube, flat = (line.rstrip() for line in shown.splitlines()[:4])
        assert header.split() == ["operator", *dict.fromkeys(c.group for c in CHECKS.values())]
        assert set(rule) == {"─"}
        assert cube.split()[0] == "mine.cube"
        assert ", 1 FAILED" in cube
        assert ", 1" in flat
        table = shown[: shown.index("FAILED mine.cube")]
        assert max(map(len, table.splitlines())) <= 80
        assert re.search(r"\x1b\[1;31m1 FAILED", coloured)
        assert re.search(r"\x1b\[32m5 ok", coloured)

    def test_reasons_are_indented_and_wrapped_between_words(self, mine, terminal):
        mine(Cube=CUBE, Flat=EXPECTED)
        lines = plain(run("check", "mine", code=1).stdout).splitlines()
        at = lines.index("FAILED mine.cube first_derivative")
        reason = lines[at + 1 : lines.index("", at)]
        assert len(reason) > 2
        assert all(line.startswith("    ") and len(line) <= 80 for line in reason)

    def test_one_operator_has_a_row_a_check(self, mine, terminal):
        mine(Cube=CUBE)
        rows = plain(run("check", "mine", code=1).stdout).partition("\n\n")[0].splitlines()[2:]
        assert [row.split()[0] for row in rows] == list(CHECKS)


class TestJson:
    def test_one_object_with_stable_keys(self, mine):
        mine(Cube=CUBE, Flat=EXPECTED)
        result = run("check", "mine", "--json", code=1)
        data = json.loads(result.stdout)
        assert set(data) == {"ok", "complete", "operators", "failed_plugins", "seconds"}
        assert (data["ok"], data["complete"], data["failed_plugins"]) == (False, True, [])
        assert data["seconds"] > 0
        cube, flat = data["operators"]
        assert set(cube) == {"operator", "plugin", "ok", "results"}
        assert (cube["operator"], cube["plugin"], cube["ok"], flat["ok"]) == ("cube", "mine", False, True)
        assert [r["check"] for r in cube["results"]] == list(CHECKS)
        assert all(set(r) == {"check", "status", "count", "message"} for r in cube["results"])
        assert result.stderr == ""

    def test_all_right_is_ok(self):
        assert json.loads(run("check", "exp", "--json").stdout)["ok"] is True

    def test_what_operators_print_and_warn_goes_to_stderr(self, mine):
        mine(
            Loud=double("Loud", first="print('hello'); import warnings; warnings.warn('old', FutureWarning)")
        )
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            result = run("check", "mine", "--json", code=0)
        assert json.loads(result.stdout)["ok"] is True
        assert result.stderr.startswith("hello\n")
        assert "FutureWarning: old\n" in result.stderr

    def test_numpys_warnings_at_the_edges_are_not_shown(self, site):
        site.install("mine", double("Hollow", first="np.mean(np.zeros(0))") + HOOK.format("Hollow"))
        done = process(site, "check", "mine")
        assert (done.returncode, done.stderr) == (0, "")

    def test_a_failed_plugin_is_named_with_its_error(self, site, fresh):
        site.install("broken", "1 / 0")
        fresh(only=frozenset({"broken"}))
        result = run("check", "broken", "exp", "--json", code=1)
        data = json.loads(result.stdout)
        assert data["failed_plugins"] == [
            {
                "name": "broken",
                "status": "failed",
                "phase": "load",
                "error": "ZeroDivisionError: division by zero",
            }
        ]
        assert [o["operator"] for o in data["operators"]] == ["exp"]
        assert not data["ok"]
        assert result.stderr.startswith("warning: plugin broken (broken 1.0) is left out")


class TestFailures:
    def test_a_failed_plugin_is_a_failure_among_all(self, site, fresh):
        site.install("broken", "1 / 0")
        fresh(only=frozenset({"broken"}), block=frozenset({"ops_builtin"}))
        shown = run("check", code=1).stdout
        assert shown.startswith(
            "\nFAILED plugin broken (broken 1.0) to load\n    ZeroDivisionError: division by zero\n"
        )
        assert ", 1 plugin could not be checked, in " in sums(shown)

    def test_a_failed_plugin_does_not_matter_to_another_name(self, site, fresh):
        site.install("broken", "1 / 0")
        fresh(only=frozenset({"broken"}))
        assert "broken" not in run("check", "exp").stdout

    def test_a_blocked_plugin_is_a_failure_only_where_it_is_named(self, site, fresh):
        site.install_operator("one", "Thing")
        fresh(only=frozenset({"one"}), block=frozenset({"one"}))
        assert check._found([]).unusable == []
        assert run("check", "one", code=1).stdout.startswith(
            "\nFAILED plugin one (one 1.0)\n    it is blocked\n"
        )

    def test_a_plugin_without_operators_compares_nothing(self, site, fresh):
        source = "@hookimpl\ndef register_constant_functions():\n    return [np.signbit]\n"
        site.install("quiet", source)
        fresh(only=frozenset({"quiet"}))
        shown = run("check", "quiet", code=1).stdout
        assert "FAILED plugin quiet (quiet 1.0)\n    it offers no operator\n" in shown

    def test_nothing_installed_is_a_failure(self, fresh):
        fresh(only=frozenset(), block=frozenset({"ops_builtin"}))
        assert run("check", code=1).stderr == "error: no operator is installed, so nothing was compared\n"
        data = json.loads(run("check", "--json", code=1).stdout)
        assert (data["ok"], data["operators"]) == (False, [])

    def test_an_operator_of_which_nothing_was_compared_is_a_failure(self, mine, monkeypatch):
        mine(Mute=double("Mute"), Twice=double("Twice"))
        monkeypatch.setattr(
            check.Conformance,
            "run",
            lambda self, name: check.Result(name, "skipped", int(self.operator.name == "twice"), "not today"),
        )
        shown = run("check", "mine", code=1).stdout
        assert "FAILED mine.mute\n    nothing was compared\n" in shown
        assert [row["verdict"] for row in matrix(shown).values()] == ["FAILED", "ok"]

    def test_declarations_that_the_kit_refuses_fail_and_the_others_go_on(self, mine):
        mine(Bad=double("Bad", body="expected_failures = {'complex': ''}"), Good=double("Good"))
        shown = run("check", "mine", code=1).stdout
        assert {name: row["verdict"] for name, row in matrix(shown).items()} == {
            "mine.bad": "FAILED",
            "mine.good": "ok",
        }
        assert "FAILED mine.bad declarations\n    ValueError: expected_failures['complex'] is ''" in shown

    @pytest.mark.parametrize(
        ("error", "told"),
        [("SystemExit(3)", "SystemExit: 3"), ("Unspeakable()", "mine.Unspeakable: <exception str() failed>")],
    )
    def test_what_breaks_the_kit_fails_and_the_others_go_on(self, mine, error, told):
        unspeakable = "\nclass Unspeakable(Exception):\n    def __str__(self):\n        1 / 0\n"
        samples = f"samples = classmethod(lambda cls, rng: fall({error}))"
        fall = "\ndef fall(error):\n    raise error\n"
        mine(Bad=unspeakable + fall + double("Bad", body=samples), Good=double("Good"))
        result = run("check", "mine", code=1)
        rows = matrix(result.stdout)
        assert {name: row["verdict"] for name, row in rows.items()} == {
            "mine.bad": "FAILED",
            "mine.good": "ok",
        }
        assert f"FAILED mine.bad result_type\n    {told}\n" in result.stdout
        assert "Traceback" not in result.stdout
        assert ", 1 failed, " in sums(result.stdout)

    def test_what_breaks_the_kit_shows_in_the_groups_too(self, mine, terminal):
        mine(Bad=double("Bad", body="expected_failures = {'complex': ''}"), Good=double("Good"))
        (row,) = [
            line
            for line in plain(run("check", "mine", code=1).stdout).splitlines()
            if line.startswith("mine.bad")
        ]
        assert row.split() == ["mine.bad", "1", "FAILED", "-", "-", "-", "-"]


def environment(site):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OPREGISTRY_")}
    paths = os.pathsep.join([str(site.path), str(Path(__file__).parents[1])])
    return {**clean, "PYTHONPATH": paths, "OPREGISTRY_PLUGINS": "mine", "PYTHONUNBUFFERED": "1"}


def process(site, *arguments):
    """Run a command line in a process of its own, away from a terminal."""
    command = [sys.executable, "-m", "registry", *arguments]
    return subprocess.run(command, env=environment(site), capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to a process there")
class TestCtrlC:
    SLOW = double("Slow", body="calls = []", first="fall_asleep(self.calls)")
    SLEEP = """
import time
import warnings
from pathlib import Path

def fall_asleep(calls):
    calls.append(1)
    if len(calls) > 60:
        Path(__file__).with_name("asleep").touch()
        time.sleep(60)
"""

    def interrupted(self, site, *arguments):
        classes = double("Quick") + CUBE + self.SLEEP + self.SLOW + double("Later")
        site.install("mine", classes + HOOK.format("Quick, Cube, Slow, Later"))
        command = [sys.executable, "-m", "registry", "check", "mine", *arguments]
        started = subprocess.Popen(
            command, env=environment(site), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # shells take it from jobs
        )  # fmt: skip
        while not (site.path / "asleep").exists():
            assert started.poll() is None, started.communicate()
            time.sleep(0.02)
        start = time.perf_counter()
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=30)
        assert time.perf_counter() - start < 5
        assert started.returncode == 130
        assert "Traceback" not in out + err
        return out, err

    def test_it_stops_at_once_and_tells_what_is_known(self, site):
        out, err = self.interrupted(site)
        assert {name: row["verdict"] for name, row in matrix(out).items()} == {
            "mine.quick": "ok",
            "mine.cube": "FAILED",
            "mine.slow": "-",
        }
        assert "FAILED mine.cube first_derivative\n" in out
        assert re.fullmatch(
            r"error: stopped in \w+ of mine\.slow; 2 of 4 operators had been checked to the end\n", err
        )

    def test_the_json_says_that_it_is_not_complete(self, site):
        data = json.loads(self.interrupted(site, "--json")[0])
        assert (data["ok"], data["complete"]) == (False, False)
        quick, _, slow = data["operators"]
        assert (quick["ok"], slow["ok"]) == (True, False)
        assert 0 < len(slow["results"]) < len(quick["results"]) == len(CHECKS)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
class TestProgress:
    def seen(self, site, *, out):
        """Run with a terminal as stderr, and as stdout if asked; give what each one got."""
        import pty

        site.install("mine", double("One") + double("Two") + HOOK.format("One, Two"))
        parent, child = pty.openpty()
        command = [sys.executable, "-m", "registry", "check", "mine"]
        env = {**environment(site), "TERM": "xterm-256color", "COLUMNS": "80"}
        piped = site.path / "stdout"
        with piped.open("w") as file:
            started = subprocess.Popen(command, env=env, stdout=child if out else file, stderr=child)
        os.close(child)
        read = bytearray()
        try:
            while part := os.read(parent, 65536):
                read += part
        except OSError:  # Linux says so at the end
            pass
        os.close(parent)
        assert started.wait(60) == 0
        return read.decode(), piped.read_text()

    def test_a_bar_runs_on_the_terminal_and_is_gone_at_the_end(self, site):
        shown, _ = self.seen(site, out=True)
        assert re.search(r"checking .*\d/2  mine\.two ", plain(shown))
        bar, table = shown.rsplit("checking", 1)[1].split("operator", 1)
        assert "\x1b[2K" in bar
        assert "━" not in table
        assert "2 operators: " in table

    def test_it_runs_on_stderr_where_stdout_is_no_terminal(self, site):
        shown, piped = self.seen(site, out=False)
        assert "checking" in shown
        assert list(matrix(piped)) == ["mine.one", "mine.two"]
        assert "\x1b" not in piped

    def test_away_from_a_terminal_there_is_none(self):
        assert run("check", "exp").stderr == ""
