"""The benchmarks' workloads: every library installed computes what the floor, or PyTorch, does."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import measure
import report
import training
import workloads
from libraries import LIBRARIES, OpRegistry, Torch, installed

TINY = (
    workloads.SmallChain(),
    workloads.DeepChain(steps=3),
    workloads.Diamond(levels=4),
    workloads.FanOut(uses=3),
    workloads.Sphere(),
    workloads.Matyas(),
    workloads.Rosenbrock(),
    workloads.GoldsteinPrice(),
    workloads.TinyMLP(batch=3, inputs=2, hidden=4),
    workloads.MLP(batch=3, sizes=(5, 4, 3, 2)),
    workloads.FifthDerivative(),
    workloads.HessianVector(dimensions=4),
)
STEPS = (
    training.TrainMLP(batch=8, sizes=(5, 4, 3)),
    training.TrainConvolution(8, batch=4, channels=(2, 3)),
    training.TrainNormalised(8, batch=4, channels=(2, 3)),
    training.TrainGRU(steps=3, batch=4, given=2, size=3),
    training.TrainAttention(batch=4, steps=3, size=4, heads=2),
)


@pytest.fixture(scope="module")
def libraries():
    return installed()[0]


@pytest.mark.parametrize("workload", TINY, ids=lambda workload: workload.name)
@pytest.mark.filterwarnings("default")  # peers may warn about a newer NumPy
def test_libraries_compute_what_the_floor_does(workload, libraries):
    runs, _ = measure.runs_of(workload, libraries)
    assert {measure.FLOOR, OpRegistry.name} <= set(runs)
    measure.compare(workload, runs)


def test_every_workload_is_compared():
    assert {type(workload) for workload in TINY} == set(workloads.WORKLOADS)
    assert {type(step) for step in STEPS} == {type(make()) for make in training.TRAINING_STEPS}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_training_has_the_same_losses_as_in_pytorch(step):
    pytest.importorskip("opregistry_neural")
    pytest.importorskip("torch")
    ours, theirs = step.on(OpRegistry()), step.on(Torch())
    losses = [(float(ours()[0]), float(theirs()[0])) for _ in range(20)]
    np.testing.assert_allclose(*np.transpose(losses), rtol=1e-4)
    assert losses[-1][0] < losses[0][0] - 0.01  # it learns, so what comes after depends on the steps


def test_training_without_the_neural_package_says_so(monkeypatch):
    monkeypatch.setattr(training, "find_spec", lambda name: None)
    runs, unable = measure.runs_of(STEPS[0], [OpRegistry()])
    assert runs == {}
    assert unable == ["opregistry-neural is not installed: no training steps"]


def test_different_losses_are_refused():
    runs = {"one": lambda: [1.0], "other": lambda: [1.1]}
    with pytest.raises(measure.WrongResultError, match=r"other's result 0 is 1\.1, and one's 1\.0"):
        measure.compare(STEPS[0], runs)


def test_last_of_several_runs_is_compared():
    losses = iter([0.9, 0.8, 0.7, 0.6, 0.5])
    measure.compare(STEPS[0], {"constant": lambda: [0.5], "falling": lambda: [next(losses)]})


@pytest.mark.parametrize("workload", TINY[:-2], ids=lambda workload: workload.name)
def test_floor_agrees_with_differences(workload):
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


def test_wrong_result_is_refused():
    workload = workloads.Sphere()
    runs = {measure.FLOOR: workload.floor, "other": lambda: (1.0, 2.0, 3.0)}
    with pytest.raises(
        measure.WrongResultError, match=r"sphere: other's result 0 is 1\.0, and floor's 1\.25"
    ):
        measure.compare(workload, runs)


def test_wrong_shape_is_refused():
    workload = workloads.Sphere()
    runs = {measure.FLOOR: workload.floor, "other": lambda: (1.25, np.array([2.0]), 1.0)}
    with pytest.raises(measure.WrongResultError, match="other gives shapes"):
        measure.compare(workload, runs)


def test_library_without_second_derivatives_is_named(libraries):
    runs, unable = measure.runs_of(workloads.FifthDerivative(), libraries)
    able = {library.name for library in libraries} - {"mygrad"}
    assert set(runs) == {measure.FLOOR, *able}
    assert len(unable) == len(libraries) - len(able)


def test_library_that_is_not_installed_is_named():
    class Nowhere(LIBRARIES[0]):
        name = "nowhere"
        module = "no_such_module_anywhere"

    assert installed([Nowhere]) == ([], ["nowhere"])


def test_timing_covers_every_run_and_divides_by_operations():
    workload = workloads.Diamond(levels=4)
    found = measure.timings(workload, {"floor": workload.floor, "again": workload.floor}, 3, 1e-4)
    assert [(t.library, len(t.seconds)) for t in found] == [("floor", 3), ("again", 3)]


def test_row_compares_with_floor_and_fastest_peer():
    group = [
        measure.Timing("w", library, [seconds] * 3)
        for library, seconds in (("floor", 1.0), ("opregistry", 4.0), ("slow", 9.0), ("fast", 2.0))
    ]
    rows = {row["library"]: row for row in report.rows_of(group)}
    assert (rows["opregistry"]["to_floor"], rows["opregistry"]["to_best_peer"]) == (4.0, 2.0)
    assert rows["fast"]["spread"] == 0


def test_row_without_peers_shows_none():
    group = [measure.Timing("w", name, [1.0, 1.0]) for name in ("floor", "opregistry")]
    line = report.line(report.rows_of(group)[1])
    assert " ".join(line.split()) == "w opregistry 1000000.000 us 1.0 - 0%"


def test_row_without_floor_shows_none():
    group = [measure.Timing("w", name, [1.0, 1.0]) for name in ("opregistry", "torch")]
    line = report.line(report.rows_of(group)[0])
    assert " ".join(line.split()) == "w opregistry 1000000.000 us - 1.00 0%"


def test_imports_are_timed_in_turn():
    order = []

    def time(code):
        order.append(code)
        return float(len(order))

    found = measure.import_times(2, time)
    codes = list(measure.IMPORTS.values())
    assert order == codes * 3
    assert measure.median_difference(found[2], found[1]) == 1
