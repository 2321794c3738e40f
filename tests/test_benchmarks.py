"""The benchmarks: every library computes what the floor does, and figures are what they say."""

import importlib.metadata
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import registry

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import calls
import children
import command
import measure
import memory
import on_arrays
import on_numbers
import page
import picture
import report
import selection
import startup
import training
from groups import COMPILED, FLOOR, JIT, OURS, PEER, Goal, Group
from libraries import Library, UnsupportedError
from measure import Effort
from ours import OpRegistry
from peers import Torch
from results import Results, conditions

ROOT = Path(__file__).parents[1]
TINY = (
    on_numbers.SmallChain(),
    on_numbers.DeepChain(steps=3),
    on_numbers.Diamond(levels=4),
    on_numbers.FanOut(uses=3),
    on_numbers.Sphere(),
    on_numbers.Matyas(),
    on_numbers.Rosenbrock(),
    on_numbers.GoldsteinPrice(),
    on_arrays.TinyMLP(batch=3, inputs=2, hidden=4),
    on_arrays.MLP(batch=3, sizes=(5, 4, 3, 2)),
    on_arrays.LogisticRegression(rows=5, columns=3),
    on_arrays.Elementwise(elements=7),
    on_arrays.Elementwise(elements=7, threads=2),
    on_arrays.ElementwiseChain(steps=3, elements=5),
    on_arrays.DeepNetwork(layers=3, batch=4, width=5),
    on_numbers.FifthDerivative(),
    on_arrays.HessianVector(dimensions=4),
)
STEPS = (
    training.TrainMLP(batch=8, sizes=(5, 4, 3)),
    training.TrainConvolution(8, batch=4, channels=(2, 3)),
    training.TrainNormalised(8, batch=4, channels=(2, 3)),
    training.TrainGRU(steps=3, batch=4, given=2, size=3),
    training.TrainAttention(batch=4, steps=3, size=4, heads=2),
)
SHORT = Effort(rounds=3, seconds=1e-4)
on_linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read from /proc")


@pytest.fixture(scope="module")
def libraries():
    return command.installed(selection.LIBRARIES)[0]


@pytest.fixture(autouse=True)
def threads(libraries):
    """Workloads set the number of threads, which other tests must not notice."""
    before = registry.get_num_threads()
    yield
    for library in libraries:
        library.use_threads(before)


def group(**medians):
    """Give a workload of three equal rounds, as each library's keyword says."""
    return Group(
        "workloads", "w", "s", {name: [value] * 3 for name, value in medians.items()},
        base=FLOOR if FLOOR in medians else None, peers=["slow", "fast"],
    )  # fmt: skip


class TestResultsAreCompared:
    @pytest.mark.parametrize("workload", TINY, ids=lambda workload: workload.name)
    @pytest.mark.filterwarnings("default")  # peers may warn about a newer NumPy
    def test_libraries_compute_what_the_floor_does(self, workload, libraries):
        runs, _ = measure.runs_of(workload, libraries)
        assert {FLOOR, OURS} <= set(runs)
        measure.compare(workload.name, runs, workload.tolerance, workload.repeats)

    def test_every_workload_is_compared(self):
        timed = {type(make()) for make in (*selection.FULL.workloads, *selection.QUICK.workloads)}
        looked_at = {type(tiny()) for _, tiny in children.STEPS}
        assert {type(workload) for workload in TINY} == timed | looked_at
        assert {type(step) for step in STEPS} == {type(make()) for make in training.TRAINING_STEPS}

    @pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
    def test_training_has_the_same_losses_as_in_pytorch(self, step):
        pytest.importorskip("opregistry_neural")
        pytest.importorskip("torch")
        ours, theirs = step.on(OpRegistry()), step.on(Torch())
        losses = [(float(ours()[0]), float(theirs()[0])) for _ in range(20)]
        np.testing.assert_allclose(*np.transpose(losses), rtol=1e-4)
        assert losses[-1][0] < losses[0][0] - 0.01  # it learns, so what comes after depends on the steps

    @pytest.mark.parametrize("workload", TINY[:-2], ids=lambda workload: workload.name)
    def test_floor_agrees_with_differences(self, workload):
        """The floor is written by hand, so it is checked without any library."""
        _, *gradients = workload.floor()
        arrays = [np.asarray(a, np.float64) for a in workload.arrays]
        rng = np.random.default_rng(1)
        direction = [rng.normal(size=a.shape) for a in arrays]
        expected = sum(float(np.sum(g * d)) for g, d in zip(gradients, direction, strict=True))
        step = 1e-3 if workload.tolerance > 1e-5 else 1e-6
        values = []
        for sign in (1, -1):
            workload.arrays = [
                np.asarray(a + sign * step * d, b.dtype)
                for a, b, d in zip(arrays, workload.arrays, direction, strict=True)
            ]
            values.append(float(workload.floor()[0]))
        workload.arrays = [np.asarray(a, b.dtype) for a, b in zip(arrays, workload.arrays, strict=True)]
        assert (values[0] - values[1]) / (2 * step) == pytest.approx(expected, rel=workload.tolerance**0.5)

    def test_wrong_result_is_refused(self):
        runs = {"floor": lambda: (1.25, 2.0), "other": lambda: (1.25, 2.1)}
        with pytest.raises(
            measure.WrongResultError, match=r"sphere: other's result 1 is 2\.1, and floor's 2\.0"
        ):
            measure.compare("sphere", runs, 1e-3, 2)

    def test_wrong_shape_is_refused(self):
        runs = {"floor": lambda: (2.0,), "other": lambda: (np.array([2.0]),)}
        with pytest.raises(measure.WrongResultError, match="other gives shapes"):
            measure.compare("sphere", runs, 1e-3, 2)

    def test_last_of_several_runs_is_compared(self):
        losses = iter([0.9, 0.8, 0.7, 0.6, 0.5])
        measure.compare("w", {"constant": lambda: [0.5], "falling": lambda: [next(losses)]}, 1e-3, 5)

    def test_nothing_is_timed_after_a_wrong_result(self):
        class Wrong(Library):
            name = "wrong"

            def gradient(self, formula, arrays, constants=()):
                return lambda: (9.0, 2.0, 1.0)

        with pytest.raises(measure.WrongResultError, match=r"wrong's result 0 is 9\.0"):
            measure.measured("workloads", on_numbers.Sphere(), [Wrong()], SHORT)


class TestWhatIsLeftOut:
    def test_training_without_the_neural_package_says_so(self, monkeypatch):
        monkeypatch.setattr(training, "find_spec", lambda name: None)
        with pytest.raises(UnsupportedError, match="opregistry-neural is not installed: no training steps"):
            measure.measured("training", STEPS[0], [OpRegistry()], SHORT)

    def test_library_without_second_derivatives_is_named(self, libraries):
        runs, unable = measure.runs_of(on_numbers.FifthDerivative(), libraries)
        able = {library.name for library in libraries} - {"mygrad"}
        assert set(runs) == {FLOOR, *able}
        assert len(unable) == len(libraries) - len(able)

    def test_reasons_are_kept_with_the_figures_and_reported_once(self):
        class Neither(Library):
            name = "neither"

            def gradient(self, formula, arrays, constants=()):
                raise NotImplementedError

        found = measure.measured("workloads", on_numbers.FifthDerivative(), [OpRegistry(), Neither()], SHORT)
        assert list(found.values) == [FLOOR, OURS]
        assert found.left_out == ["neither has no higher derivatives"]
        assert report.summary(Results({}, [found, found])).count("neither has no higher derivatives") == 1

    def test_slow_library_is_left_out_of_the_deepest_chain(self):
        slow = SimpleNamespace(name="slow")
        with pytest.raises(UnsupportedError, match="slow would take minutes at deep_chain 200,000"):
            on_numbers.DeepChain(200_000).on(slow)

    def test_library_that_is_not_installed_is_named(self):
        class Nowhere(OpRegistry):
            name = "nowhere"
            module = "no_such_module_anywhere"

        assert command.installed([Nowhere]) == ([], ["nowhere"])


class TestTimings:
    def test_every_run_is_timed_each_round_and_divided_by_operations(self, monkeypatch):
        clock = iter(range(1000))
        monkeypatch.setattr(measure, "perf_counter", lambda: next(clock))
        effort = Effort(rounds=4, seconds=1.0)
        assert measure.timings({"one": list, "other": list}, effort, operations=2) == {
            "one": [0.5] * 4, "other": [0.5] * 4,
        }  # fmt: skip

    def test_slow_run_drops_out_after_three_rounds(self, monkeypatch):
        now = [0.0]
        monkeypatch.setattr(measure, "perf_counter", lambda: now[0])

        def takes(seconds):
            def run():
                now[0] += seconds

            return run

        found = measure.timings({"quick": takes(1), "slow": takes(50)}, Effort(rounds=10, seconds=1))
        assert found == {"quick": [1] * 10, "slow": [50] * 3}

    def test_libraries_use_as_many_threads_as_a_workload_says(self):
        used = []

        class Counting(OpRegistry):
            def use_threads(self, count):
                used.append(count)

        measure.runs_of(on_arrays.Elementwise(elements=2, threads=2), [Counting()])
        measure.runs_of(on_numbers.Sphere(), [Counting()])
        assert used == [2, 1]


class TestGroup:
    def test_ratios_go_round_by_round(self):
        """The machine took ten times as long in the second round: the ratio stays."""
        drifted = Group("workloads", "w", "s", {"a": [2, 20, 2.2], "b": [1, 10, 1]})
        assert drifted.ratio("a", "b") == 2
        assert drifted.difference("a", "b") == pytest.approx(1.2)

    def test_case_with_fewer_rounds_is_compared_in_those(self):
        assert Group("w", "w", "s", {"a": [2, 2, 2, 9], "b": [1, 1, 1]}).ratio("a", "b") == 2

    def test_spread_is_that_of_the_middle_half(self):
        assert Group("w", "w", "s", {"a": [8, 9, 10, 11, 100]}).spread("a") == 0.2
        assert Group("w", "w", "s", {"a": [8, 9]}).spread("a") is None

    def test_fastest_peer_is_an_eager_one(self):
        found = group(floor=1, opregistry=4, **{JIT: 1}, slow=9, fast=2)
        assert found.fastest_peer == "fast"
        assert found.found(Goal(OURS, 1, times=PEER)) == 2

    def test_goals_are_multiples_or_distances_or_bounds(self):
        found = group(floor=1, opregistry=4)
        assert found.found(Goal(OURS, 6, times=FLOOR)) == 4
        assert found.found(Goal(OURS, 6, above=FLOOR)) == 3
        assert found.found(Goal(OURS, 6)) == 4

    @pytest.mark.parametrize(
        "goal", [Goal(COMPILED, 1), Goal(OURS, 1, times=PEER), Goal(OURS, 1, above="no such case")]
    )
    def test_goal_whose_cases_are_not_there_is_not_measured(self, goal):
        assert group(floor=1, opregistry=4).found(goal) is None


@pytest.fixture
def results(tmp_path):
    """Some of everything, as it is read from a file."""
    goals = [Goal(OURS, 6, times=FLOOR), Goal(OURS, 1.5, times=PEER), Goal(COMPILED, 1.5, times=FLOOR)]
    timed = Group(
        "workloads", "small", "s", {FLOOR: [1e-6] * 3, OURS: [4e-6, 4.4e-6, 4e-6], "fast": [2e-6] * 3},
        base=FLOOR, peers=["fast"], goals=goals,
    )  # fmt: skip
    started = Group(
        "start", "import", "s", {"numpy": [0.1], "registry": [0.11]},
        goals=[Goal("registry", 0.015, above="numpy")],
    )  # fmt: skip
    held = Group("memory", "live", "B", {OURS: [450.0], "torch": [8.7e6]})
    sized = Group("sizes", "graphs", "s", {"1,000": [1e-6], "10,000": [2e-6]})
    Results({"run": "full"}, [timed, started, held, sized], ["slow is missing"]).save(tmp_path / "run.json")
    return Results.load(tmp_path / "run.json")


def test_verdicts_are_kept_beside_the_figures(results, tmp_path):
    kept = json.loads((tmp_path / "run.json").read_text())["verdicts"]
    assert [(v["of"], v["case"], v["times"], v["verdict"]) for v in kept] == [
        ("small", OURS, FLOOR, "met"),
        ("small", OURS, PEER, "missed"),
        ("small", COMPILED, FLOOR, "not measured"),
        ("import", "registry", None, "met"),
    ]
    assert kept[0]["found"] == pytest.approx(4)


class TestReport:
    def test_block_shows_figures_and_what_came_of_goals(self, results):
        assert [" ".join(line.split()) for line in report.block(results.groups[0]).splitlines()] == [
            "",
            "small (workloads)",
            "floor 1.00 us 1.00 0.50 0%",
            "opregistry 4.00 us 4.00 2.00 5%",
            "fast 2.00 us 2.00 1.00 0%",
            "goal met: opregistry at most 6 x floor: 4.00",
            "goal missed: opregistry at most 1.5 x the fastest eager peer: 2.00",
            "goal not measured: compiled at most 1.5 x floor",
        ]

    def test_block_of_other_units_has_no_ratios(self, results):
        _, start, memory_, _ = (" ".join(report.block(g).split()) for g in results.groups)
        assert "registry 110 ms - - -" in start
        assert "goal met: registry at most 15.0 ms above numpy: 10.0 ms" in start
        assert "opregistry 450 B - - - torch 8.70 MB - - -" in memory_

    def test_summary_has_notes_noise_and_what_was_missed(self, results):
        assert report.summary(results).splitlines()[1:] == [
            "slow is missing",
            "spread of the floor: median 0%, at most 0% (small)",
            "goals: 2 of 3 met",
            "  small: goal missed: opregistry at most 1.5 x the fastest eager peer: 2.00",
        ]

    def test_conditions_name_versions(self, libraries):
        found = conditions("full", libraries)
        assert found["numpy"] == np.__version__
        assert {"run", "cores", "Python"} < set(found)
        assert "registry" not in found


class TestPage:
    def test_tables_take_the_place_of_those_before(self, results, tmp_path):
        path = tmp_path / "page.md"
        path.write_text(f"# Title\n\n{page.BEGIN}\nold\n{page.END}\n\nProse.\n")
        for _ in range(2):
            page.write(results, path)
            assert path.read_text() == (
                f"# Title\n\n{page.BEGIN}\n\n{page.tables(results)}\n\n{page.END}\n\nProse.\n"
            )

    def test_tables_have_goals_and_a_column_for_each_case(self, results):
        lines = page.tables(results).splitlines()
        assert "| small | opregistry at most 6 x floor | 4.00 | met |" in lines
        assert "| small | opregistry at most 1.5 x the fastest eager peer | 2.00 | **missed** |" in lines
        assert "| small | 1.00 us | 4.00 | 2.00 | 2.00 (fast) |" in lines
        assert "| live | 450 B | 8.70 MB |" in lines

    def test_page_without_a_place_for_them_is_refused(self, results, tmp_path):
        (tmp_path / "page.md").write_text("# Title\n")
        with pytest.raises(SystemExit, match="has no place for the tables"):
            page.write(results, tmp_path / "page.md")

    def test_the_page_shows_the_run_that_is_kept(self):
        kept = Results.load(ROOT / "docs" / "performance.json")
        assert page.tables(kept) in (ROOT / "docs" / "performance.md").read_text()


@pytest.mark.filterwarnings("default")
class TestPicture:
    @pytest.mark.parametrize("sections", [{"workloads", "start", "memory", "sizes"}, {"memory"}], ids=len)
    def test_it_is_drawn_of_whatever_was_measured(self, results, sections, tmp_path):
        pytest.importorskip("matplotlib")
        some = Results(results.conditions, [g for g in results.groups if g.section in sections])
        picture.draw(some, tmp_path / "run.png")
        assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


class TestStarts:
    def test_imports_are_timed_in_turn(self):
        order = []

        def start(code, folder):
            order.append(code)
            return float(len(order))

        found = startup.imports(2, start)
        assert order == list(startup.IMPORTS.values()) * 3
        assert found.found(found.goals[0]) == 1

    def test_plugins_are_there_as_if_installed(self, tmp_path):
        folder = startup.install(3, tmp_path / "three")
        found = [d.entry_points for d in importlib.metadata.distributions(path=[str(folder)])]
        assert [entry.group for (entry,) in found] == ["opregistry"] * 3
        startup.process("import registry; assert registry.ops.bench2(3.0) == 3.0", folder)
        with pytest.raises(startup.subprocess.CalledProcessError):
            startup.process("import registry, sys; sys.stderr = None; registry.ops.bench3", folder)

    def test_starts_with_few_and_many_plugins_are_compared(self):
        seconds = {0: 1.0, 5: 1.5}
        found = startup.plugins(
            "import", "pass", (0, 5), 2, lambda code, folder: seconds[len(list(folder.glob("*.py")))]
        )
        assert found.values == {"0": [1.0, 1.0], "5": [1.5, 1.5]}
        assert found.found(found.goals[0]) == 0.5


class TestCalls:
    def test_ways_to_call_are_beside_the_class(self):
        found = calls.ways(SHORT)
        assert list(found.values) == ["the class", "the helper", "ops.square", "np.square"]
        assert found.found(found.goals[0]) > 0

    def test_registries_have_as_many_operators_as_said(self):
        assert [len(calls.registry_of(count).unambiguous()) for count in (1, 7)] == [1, 7]

    def test_calls_are_made_in_the_registry_of_each_count(self, monkeypatch):
        sizes = []

        def counting(call):
            def run():
                sizes.append(len(registry.default_registry().unambiguous()))
                return [0.0]

            return run

        monkeypatch.setattr(calls, "repeated", counting)
        calls.among("name", len, (2, 5), SHORT)
        assert set(sizes) == {2, 5}

    @pytest.mark.parametrize("name", calls.BY_NAME)
    def test_calls_reach_the_operator_among_others(self, name):
        found = calls.among(name, calls.BY_NAME[name], (1, 1_000), SHORT)
        assert {case: len(rounds) for case, rounds in found.values.items()} == {"1": 3, "1,000": 3}
        with registry.using_registry(calls.registry_of(2)):
            y = calls.BY_NAME[name](registry.Variable(np.array(3.0)))
        assert y.creator.__class__.__module__ == "calls"


class TestMemory:
    class Wasteful(Library):
        """Holds 40 MB an operation, more than the C library keeps; a gradient is an array of ones."""

        name = "wasteful"
        m = None

        def leaf(self, array):
            return Node(None)

        def gradient(self, formula, arrays, constants=()):
            return lambda: [np.ones(int(arrays[0].size))]

    @on_linux
    def test_bytes_of_a_live_graph_are_those_that_it_holds(self):
        (found,) = children.live(self.Wasteful(), 4)
        assert found == pytest.approx(40e6, rel=0.02)

    @on_linux
    def test_peak_is_above_what_was_there_before(self, monkeypatch):
        big = on_arrays.Elementwise(elements=6_250_000)
        monkeypatch.setattr(children, "STEPS", [(lambda: big, lambda: on_arrays.Elementwise(elements=1))])
        (found,) = children.peak(self.Wasteful(), 0)
        assert found == pytest.approx(50e6, rel=0.02)

    def test_every_size_is_timed_three_times(self):
        assert [len(seconds) for seconds in children.sizes(OpRegistry(), 20_000, 30_000)] == [3, 3]

    @on_linux
    def test_child_says_what_it_measured(self):
        (found,) = memory.child("live", OURS, 20_000)
        assert 100 < found < 2_000

    def test_libraries_are_measured_in_turn(self):
        order = []

        def child(*arguments):
            order.append(arguments)
            return [float(len(order))]

        found = memory.live_graph(["a", "b"], 2, child)
        assert order == [("live", "a", 200_000), ("live", "b", 200_000)] * 2
        assert found.values == {"a": [1.0, 3.0], "b": [2.0, 4.0]}
        assert memory.peak(2, ["a"], 1, child).name == "peak, mlp 784-256-128-10"

    def test_graph_that_takes_longer_than_linear_misses_its_goal(self):
        found = memory.graph_sizes(OURS, (10, 1_000), lambda *_: [[1.0], [3.1]])
        assert [found.found(goal) > goal.at_most for goal in found.goals] == [True]


class Node:
    """A graph's node, which holds its parent and 40 MB."""

    def __init__(self, parent):
        self.parent = parent
        self.held = None if parent is None else b"x" * 40_000_000

    def __mul__(self, _):
        return Node(self)

    __add__ = __mul__


class TestCommand:
    @pytest.fixture
    def selected(self, monkeypatch):
        """Three measurements: two of this group, and one that cannot be made."""

        def unsupported():
            raise UnsupportedError("other: nothing to compare with")

        names = {"small": lambda: group(floor=1.0, opregistry=1.99999), "large": lambda: group(floor=2.0)}
        measurements = SimpleNamespace(measurements=lambda _: {**names, "other": unsupported}.items())
        monkeypatch.setattr(command, "FULL", measurements)
        monkeypatch.setattr(command, "LIBRARIES", (OpRegistry,))

    @pytest.mark.usefixtures("selected")
    def test_run_is_printed_and_kept(self, tmp_path, capsys):
        command.main(["--json", str(tmp_path / "run.json")])
        printed = capsys.readouterr().out
        assert "opregistry" in printed
        assert "other: nothing to compare with" in printed
        kept = json.loads((tmp_path / "run.json").read_text())
        assert [g["values"][FLOOR] for g in kept["groups"]] == [[1.0] * 3, [2.0] * 3]

        assert kept["groups"][0]["values"][OURS] == [2.0] * 3

        command.main(["--from", str(tmp_path / "run.json")])
        assert capsys.readouterr().out == printed

    @pytest.mark.usefixtures("selected")
    def test_only_what_is_named_is_measured(self, tmp_path, capsys):
        command.main(["--only", "larg", "--json", str(tmp_path / "run.json")])
        assert Results.load(tmp_path / "run.json").conditions["run"] == "full --only larg"
        printed = capsys.readouterr().out
        assert "opregistry" not in printed
        assert "other" not in printed

    def test_quick_run_takes_every_kind_that_a_full_one_does(self):
        def names(selected):
            return [name.split()[0] for name, _ in selected.measurements([OpRegistry(), OpRegistry()])]

        assert set(names(selection.QUICK)) == set(names(selection.FULL))
