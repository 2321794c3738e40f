"""The kit in pytest: which tests are collected, what they say, and what the fixtures leave behind."""

import subprocess
import sys

import numpy as np
import pytest

from registry import Function, Variable, composite, default_registry, hookimpl, ops
from registry.errors import PluginError, UnknownOperatorError
from registry.testing import CHECKS

pytest_plugins = ["pytester"]

SLIP = '''
class Cube(Function):
    """x ** 3, with a slip in its derivative."""

    {body}

    def forward(self, x):
        return x**3

    def backward(self, gy):
        (x,) = self.xs
        return 2 * gy * x**2

class Twice(Function):
    """2 * x."""

    def forward(self, x):
        return 2 * x

    def backward(self, gy):
        return 2 * gy

@hookimpl
def register_operators():
    return [{published}]
'''
EXPECTED = "expected_failures = {{'first_derivative': 'its factor is wrong', {more}}}"
HALF = EXPECTED.format(more="'special_values': 'its factor is wrong', 'complex': 'its factor is wrong'")


@pytest.fixture
def mine(site, fresh):
    """Give a function: publish plugin `mine`, with a wrong operator `cube` and a right one `twice`."""

    def publish(body="pass", published="Cube, Twice"):
        site.install("mine", SLIP.format(body=body, published=published))
        return fresh(only=frozenset({"mine"}))

    return publish


@pytest.fixture
def run(pytester):
    """Give a function: run pytest here, in an empty folder, and give its result."""
    return lambda *args: pytester.runpytest("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *args)


def collected(result):
    return [line for line in result.outlines if line.startswith("opregistry::")]


def ids_of(operator):
    return [f"opregistry::{operator}::{name}" for name in CHECKS]


class TestCollection:
    def test_a_plugin_has_a_test_an_operator_and_check(self, mine, run):
        mine()
        result = run("--operators", "mine", "--collect-only", "-q")
        assert collected(result) == ids_of("mine.cube") + ids_of("mine.twice")

    def test_an_operator_by_its_name_alone_or_with_its_plugins(self, mine, run):
        mine()
        for name in ("twice", "mine.twice"):
            result = run("--operators", name, "--collect-only", "-q")
            assert collected(result) == ids_of("mine.twice")

    def test_the_option_may_be_given_several_times_each_operator_is_there_once(self, mine, run):
        mine()
        result = run("--operators=twice", "--operators=exp", "--operators=mine.twice", "--collect-only", "-q")
        assert collected(result) == ids_of("mine.twice") + ids_of("ops_builtin.exp")

    def test_without_a_request_nothing_is_collected(self, mine, run):
        mine()
        assert run().ret == pytest.ExitCode.NO_TESTS_COLLECTED

    def test_an_ini_line_asks_too(self, mine, run, pytester):
        mine()
        pytester.makepyprojecttoml('[tool.pytest.ini_options]\noperators = ["twice"]\n')
        result = run("-v")
        result.stdout.fnmatch_lines(["operators: twice", "opregistry::mine.twice::chain_rule PASSED*"])

    def test_an_ini_line_holds_for_runs_of_folders_not_of_single_files(self, mine, run, pytester):
        mine()
        pytester.makeini("[pytest]\noperators = twice\n")
        file = pytester.makepyfile("def test_mine(): pass")
        assert collected(run("--collect-only", "-q", ".")) == ids_of("mine.twice")
        assert collected(run("--collect-only", "-q", file)) == []

    def test_the_option_holds_beside_a_file(self, mine, run, pytester):
        mine()
        file = pytester.makepyfile("def test_mine(): pass")
        run(file, "--operators", "twice", "-k", "test_mine or chain_rule").assert_outcomes(
            passed=2, deselected=len(CHECKS) - 1
        )


class TestSelection:
    def test_an_id_can_be_pasted(self, mine, run):
        mine()
        result = run("-v", "opregistry::mine.twice::chain_rule")
        result.assert_outcomes(passed=1)
        assert "chain_rule PASSED" in "\n".join(result.outlines)

    def test_ids_of_an_operator_and_of_a_plugin(self, mine, run):
        mine()
        assert collected(run("--collect-only", "-q", "opregistry::mine.twice")) == ids_of("mine.twice")
        ids = collected(run("--collect-only", "-q", "opregistry::mine", "opregistry::exp::helper"))
        assert ids == [
            *ids_of("mine.cube"),
            *ids_of("mine.twice"),
            "opregistry::ops_builtin.exp::helper",
        ]

    def test_by_keyword(self, mine, run):
        mine()
        result = run("--operators", "mine", "--collect-only", "-q", "-k", "twice and (empty or helper)")
        assert collected(result) == ["opregistry::mine.twice::empty", "opregistry::mine.twice::helper"]

    def test_deselected_by_id(self, mine, run):
        mine()
        result = run("--operators", "twice", "--deselect", "opregistry::mine.twice::threads", "-v")
        assert "threads" not in "\n".join(result.outlines)
        assert result.parseoutcomes()["deselected"] == 1

    def test_from_a_folder_below_the_root(self, mine, run, pytester, monkeypatch):
        mine()
        pytester.makeini("[pytest]\n")
        monkeypatch.chdir(pytester.mkdir("below"))
        run("../opregistry::mine.twice::chain_rule").assert_outcomes(passed=1)


class TestWrongNames:
    @pytest.mark.parametrize(
        ("args", "says"),
        [
            (["--operators", "twcie"], "--operators twcie: no plugin and no operator is named *'twice'*"),
            (["--operators", "mine.cub"], "--operators mine.cub: *'cube'*"),
            (["opregistry::nothing::here"], "opregistry::nothing::here: no plugin and no operator is named*"),
            (["opregistry::twice::chain"], "*no check is named 'chain'; did you mean 'chain_rule'*"),
            (["opregistry::twice::xyz"], "*no check is named 'xyz'; there are result_type, deterministic, *"),
        ],
        ids=lambda value: value[-1] if isinstance(value, list) else "",
    )  # fmt: skip
    def test_end_the_run_before_it_starts(self, mine, run, args, says):
        mine()
        result = run(*args)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: {says}"])

    def test_in_an_ini_line_name_the_file(self, mine, run, pytester):
        mine()
        ini = pytester.makeini("[pytest]\noperators = twcie\n")
        run().stderr.fnmatch_lines(
            [f"ERROR: operators in {ini}: twcie: no plugin and no operator is named 'twcie'*"]
        )

    def test_a_plugin_that_failed_says_why(self, site, fresh, run):
        site.install("broken", "1 / 0")
        fresh(only=frozenset({"broken"}))
        result = run("--operators", "broken", "-W", "ignore")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: --operators broken: plugin broken *division by zero"])

    def test_a_plugin_without_operators_has_nothing_to_check(self, site, fresh, run):
        site.install("quiet", "@hookimpl\ndef register_constant_functions():\n    return [np.signbit]\n")
        fresh(only=frozenset({"quiet"}))
        result = run("--operators", "quiet")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: --operators quiet: plugin 'quiet' has no operators*"])


class TestOutcomes:
    def test_a_right_operator_passes_and_what_does_not_apply_is_skipped_with_a_reason(self, mine, run):
        mine()
        result = run("--operators", "twice", "-rs")
        counts = result.parseoutcomes()
        assert set(counts) == {"passed", "skipped"}
        assert sum(counts.values()) == len(CHECKS)
        result.stdout.fnmatch_lines(["SKIPPED*: it implements no NumPy function"])

    def test_a_failure_says_what_is_wrong_where_and_how_to_see_it_again(self, mine, run):
        mine(published="Cube")
        result = run("--operators", "cube")
        assert result.parseoutcomes()["failed"] == 1
        result.stdout.fnmatch_lines(
            [
                "*cube: first_derivative*",
                "the first derivative along a random direction is *, by differences *",
                "on x = float64 (3,) *",
                "run it again: pytest opregistry::mine.cube::first_derivative, or in Python "
                "registry.testing.Conformance('mine.cube').run('first_derivative')",
                "FAILED opregistry::mine.cube::first_derivative - the first derivative*",
            ]
        )
        assert "Traceback" not in result.stdout.str()
        assert "conformance.py" not in result.stdout.str()

    def test_a_skipped_check_whose_ground_failed_fails_where_it_is_run_alone(self, mine, run):
        mine()
        result = run("opregistry::mine.cube::second_derivative")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["it builds on first_derivative, which failed:"])

    def test_nothing_compared_is_a_failure(self, site, fresh, run):
        source = SLIP.format(body="samples = ()", published="Cube")
        site.install("mine", source)
        fresh(only=frozenset({"mine"}))
        result = run("--operators", "cube")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["samples is empty; *"])

    def test_verbose_collection_tells_what_a_check_does(self, mine, run):
        mine()
        result = run("opregistry::mine.cube::special_values", "-v", "--collect-only")
        result.stdout.fnmatch_lines(["*<CheckItem special_values>", "*Check the gradients at 0, 1, -1, 2*"])

    def test_the_place_of_a_test_is_the_operators_own(self, mine, pytester, site):
        mine()
        line = (site.path / "mine.py").read_text().splitlines().index("class Cube(Function):") + 1
        default_registry().load()  # what pytester's run imports, it forgets
        (item,), _ = pytester.inline_genitems("opregistry::mine.cube::helper")
        assert item.reportinfo() == (str(site.path / "mine.py"), line - 1, "cube: helper")


class TestExpectedFailures:
    def test_are_xfails_with_their_reason(self, mine, run):
        mine("expected_failures = {'first_derivative': 'its factor is wrong'}", "Cube")
        result = run("--operators", "cube", "-rx")
        counts = result.parseoutcomes()
        assert (counts["xfailed"], "failed" in counts) == (1, False)
        result.stdout.fnmatch_lines(["XFAIL opregistry::mine.cube::first_derivative - its factor is wrong"])

    def test_that_pass_fail(self, mine, run):
        mine("expected_failures = {'chain_rule': 'once it was wrong'}", "Cube")
        result = run("opregistry::mine.cube::chain_rule")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["it was expected to fail (once it was wrong), but it passed; *"])

    def test_can_be_looked_at(self, mine, run):
        mine("expected_failures = {'first_derivative': 'its factor is wrong'}", "Cube")
        result = run("opregistry::mine.cube::first_derivative", "--runxfail")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["the first derivative along *"])

    def test_need_a_reason(self, mine, run):
        mine("expected_failures = {'first_derivative': ''}", "Cube")
        result = run("--operators", "cube")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*expected_failures*first_derivative*it must say why it fails"])

    def test_must_name_a_check(self, mine, run):
        mine("expected_failures = {'first_derivatve': 'hm'}", "Cube")
        result = run("--operators", "cube")
        result.stdout.fnmatch_lines(["*names 'first_derivatve', which is no check; did you mean 'first_derivative'*"])  # fmt: skip  # noqa: E501


class TestParametrize:
    FILE = """
        from registry.testing import parametrize_operators

        @parametrize_operators({})
        def test_operator(check):
            check()
    """

    def test_makes_a_test_a_check(self, mine, run, pytester):
        mine()
        pytester.makepyfile(test_it=self.FILE.format("'twice', 'exp'"))
        result = run("--collect-only", "-q")
        names = [f"test_it.py::test_operator[{o}-{name}]" for o in ("twice", "exp") for name in CHECKS]
        assert [line for line in result.outlines if "::" in line] == names

    def test_runs_them(self, mine, run, pytester):
        mine()
        pytester.makepyfile(self.FILE.format("'mine'"))
        result = run()
        assert result.parseoutcomes()["failed"] == 1
        result.stdout.fnmatch_lines(
            [
                "E *ConformanceError: the first derivative along *",
                "FAILED *::test_operator[[]cube-first_derivative[]] - *",
            ]
        )

    def test_expected_failures_and_samples_by_operator(self, mine, run, pytester):
        mine()
        expected = (
            "expected_failures={'cube': {'first_derivative': 'a slip'}}, samples={'cube': [{'x': (2,)}]}"
        )
        pytester.makepyfile(self.FILE.format(f"'cube', {expected}"))
        result = run("-rx")
        assert result.parseoutcomes()["xfailed"] == 1
        result.stdout.fnmatch_lines(["XFAIL *first_derivative[]] - *a slip"])

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ("", "there is no operator to check"),
            ("'twcie'", "no plugin and no operator is named 'twcie'"),
            ("'twice', samples={'cube': []}", "samples names 'cube', which is not checked here"),
            ("'twice', expected_failures={'twcie': {}}", "expected_failures names 'twcie'*'twice'"),
        ],
    )
    def test_mistakes_are_told_while_collecting(self, mine, run, pytester, arguments, says):
        mine()
        pytester.makepyfile(self.FILE.format(arguments))
        result = run()
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines([f"*{says}*"])


class Twofold(Function):
    """2 * x."""

    def forward(self, x):
        return 2 * x

    def backward(self, gy):
        return 2 * gy


@composite()
def squared_twofold(x):
    """(2 * x) ** 2."""
    return Twofold()(x) ** 2


class TestFixtures:
    def test_a_fresh_registry_is_the_default_and_has_the_builtins(self, fresh_registry):
        assert default_registry() is fresh_registry
        assert ops.square(np.array(3.0)).item() == 9.0

    def test_a_temporary_plugin_is_reached_by_name(self, fresh_registry, temporary_plugin):
        plugin = temporary_plugin(Twofold, squared_twofold)
        assert (plugin.name, [o.name for o in plugin.operators]) == (
            "temporary",
            ["twofold", "squared_twofold"],
        )
        x = Variable(np.array(3.0))
        ops.squared_twofold(x).backward()
        assert x.grad == 24.0

    def test_one_object_with_hooks_is_a_plugin_of_its_own_name(self, fresh_registry, temporary_plugin):
        class Plugin:
            @hookimpl
            def register_operators(self):
                return [Twofold]

        assert temporary_plugin(Plugin(), name="other").name == "other"
        assert fresh_registry.operator("other.twofold").target is Twofold

    def test_without_a_fresh_registry_it_goes_to_the_default_one_and_is_gone_afterwards(
        self, fresh, pytester, run
    ):
        fresh(only=frozenset())
        pytester.makepyfile(
            """
            import pytest
            from registry import Function, ops
            from registry.errors import UnknownOperatorError

            class Thrice(Function):
                def forward(self, x): return 3 * x
                def backward(self, gy): return 3 * gy

            def test_first(temporary_plugin):
                temporary_plugin(Thrice)
                assert ops.thrice(2.0).item() == 6.0

            def test_then():
                with pytest.raises(UnknownOperatorError):
                    ops.thrice
            """
        )
        run().assert_outcomes(passed=2)
        with pytest.raises(UnknownOperatorError):
            default_registry().operator("thrice")

    def test_what_is_wrong_with_it_is_raised_and_nothing_stays(self, fresh_registry, temporary_plugin):
        class Nothing(Function):
            """No backward."""

            def forward(self, x):
                return x * 1

        with pytest.raises(PluginError, match="it has no backward; write one"):
            temporary_plugin(Nothing)
        assert not fresh_registry.knows("temporary")
        temporary_plugin(Twofold)

    def test_a_fresh_registry_is_not_the_next_tests(self, pytester, run):
        before = default_registry()
        pytester.makepyfile(
            """
            from registry import default_registry
            seen = [default_registry()]

            def test_one(fresh_registry):
                assert default_registry() is fresh_registry and fresh_registry not in seen
                seen.append(fresh_registry)

            def test_other(fresh_registry):
                assert fresh_registry not in seen

            def test_without():
                assert default_registry() is seen[0]
            """
        )
        run().assert_outcomes(passed=3)
        assert default_registry() is before


class TestCost:
    def test_pytest_loads_the_kit_only_when_operators_are_asked_for(self, pytester):
        pytester.makepyfile(
            """
            import sys

            def test_nothing_of_it():
                assert "registry.pytest_plugin" in sys.modules
                assert not {"registry.testing.checks", "ops_builtin"} & set(sys.modules)
            """
        )
        pytester.runpytest_subprocess().assert_outcomes(passed=1)

    def test_the_library_never_loads_pytest(self):
        code = "import sys, registry.testing, registry.ops; sys.exit('pytest' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code]).returncode == 0
