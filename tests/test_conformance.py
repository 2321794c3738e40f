"""`check_operator` and what stands around it: samples, needs, expected failures, reports, names."""

import json

import numpy as np
import pytest

from registry import Function, PluginManager, Settings, composite, hookimpl, ops
from registry.errors import (
    ConformanceError,
    OperatorDefinitionError,
    PluginWarning,
    UnknownOperatorError,
)
from registry.testing import (
    CHECKS,
    Check,
    Conformance,
    Report,
    Result,
    Sample,
    check_operator,
    find_operators,
)
from registry.testing.samples import checked_samples, constant_choices, default_samples, draw, intervals
from registry.testing.subject import Subject


class Scaled(Function):
    """factor * x."""

    def __init__(self, factor=2.0):
        self.factor = factor

    def forward(self, x):
        return self.factor * x

    def backward(self, gy):
        return self.factor * gy


class Shifted(Scaled):
    """factor * x, with a gradient that is too large by one."""

    def backward(self, gy):
        return (self.factor + 1) * gy


def status(report):
    return {result.check: result.status for result in report.results}


def samples_of(target, **attributes):
    cls = type(target.__name__, (target,), attributes)
    return Conformance(cls).subject.samples


class TestReport:
    def test_a_right_operator_passes_every_check_that_applies(self):
        report = check_operator(Scaled)
        assert report.ok
        assert report.failures == ()
        assert (report.operator, report.plugin) == ("scaled", "session")
        assert set(status(report).values()) == {"passed", "skipped"}
        assert report.count == sum(result.count for result in report.results) > 100

    def test_the_checks_stand_in_their_order_each_once(self):
        report = check_operator(Scaled)
        assert [result.check for result in report.results] == list(CHECKS)

    def test_a_failure_says_both_numbers_the_tolerance_the_step_the_input_and_the_constants(self):
        report = check_operator(Shifted, [{"x": np.array([1.0, 2.0]), "factor": 5.0}])
        (failure,) = report.failures
        found, expected = 6.0, 5.0
        words = failure.message.split()
        numbers = [float(words[words.index(key) + 1].strip("(,")) for key in ("is", "differences")]
        assert numbers[0] / numbers[1] == pytest.approx(found / expected, rel=1e-6)
        for part in ("tolerance", "step 0.0001", "x = float64 (2,) [1., 2.]", "factor = 5.0"):
            assert part in failure.message

    def test_checks_that_build_on_a_failed_one_are_skipped_and_say_so(self):
        report = check_operator(Shifted)
        skipped = {r.check: r.message for r in report.results if r.status == "skipped"}
        assert skipped["zero_dimensional"] == "first_derivative did not pass"

    def test_nothing_compared_is_a_failure(self):
        report = Report("f", "p", (Result("first_derivative", "skipped", message="no"),))
        assert not report.ok
        with pytest.raises(ConformanceError, match="0 comparisons"):
            report.raise_if_failed()

    def test_raise_if_failed_has_the_whole_report(self):
        check_operator(Scaled).raise_if_failed()
        with pytest.raises(ConformanceError, match=r"(?s)operator 'shifted'.*first_derivative +FAILED.*"):
            check_operator(Shifted).raise_if_failed()

    def test_as_dict_is_json(self):
        data = json.loads(json.dumps(check_operator(Shifted).as_dict()))
        assert data["ok"] is False
        assert {"check", "status", "count", "message"} == set(data["results"][0])

    def test_str_has_one_line_a_check_and_the_reasons(self):
        lines = str(check_operator(Scaled)).splitlines()
        assert len(lines) == 1 + len(CHECKS)
        assert any(line.split() == ["first_derivative", "ok", "(9)"] for line in lines)
        assert any(line.endswith("there is one result") for line in lines)


class TestWhatIsChecked:
    def test_a_name_a_helper_a_class_and_an_entry_mean_the_same_operator(self):
        (entry,) = find_operators("square")
        for target in ("square", "ops_builtin.square", ops.square, ops.square.operator, entry):
            assert Conformance(target).operator is entry

    def test_a_composite_is_checked_by_its_function(self):
        @composite(samples=[{"x": (3,)}])
        def cubed(x):
            """x ** 3."""
            return x * x * x

        report = check_operator(cubed)
        assert report.ok, str(report)
        assert status(report)["second_derivative"] == "passed"
        assert status(report)["saves"] == "skipped"

    def test_an_unknown_name_has_near_misses(self):
        with pytest.raises(UnknownOperatorError, match="did you mean 'square'"):
            find_operators("sqare")

    def test_a_plugin_name_gives_its_operators(self, fresh, publish):
        registry = fresh()
        publish(registry, "mine", Scaled, Shifted)
        assert {o.name for o in find_operators("mine")} == {"scaled", "shifted"}
        assert {o.plugin for o in find_operators()} >= {"mine", "ops_builtin"}
        assert find_operators("mine.scaled")[0].target is Scaled

    def test_a_plugin_that_failed_says_why(self, fresh, site):
        site.install("broken", "1 / 0\n")
        fresh()
        with pytest.warns(PluginWarning), pytest.raises(UnknownOperatorError, match="division by zero"):
            find_operators("broken")


class TestSamples:
    def test_the_signature_alone_gives_every_form(self):
        kinds = {sample.kind for sample in Conformance(Scaled).subject.samples}
        assert kinds == {"plain", "0-d", "empty", "special"}
        shapes = {s.inputs[0].shape for s in Conformance(Scaled).subject.samples}
        assert shapes == {(3,), (2, 3), (3, 3), (2, 3, 4), (16,), (6,), (), (0,), (2, 0)}

    def test_two_inputs_give_broadcasting_pairs(self):
        class Product(Function):
            """x * w."""

            def forward(self, x, w):
                return x * w

            def backward(self, gy):
                x, w = self.xs
                return gy * w, gy * x

        pairs = {tuple(x.shape for x in s.inputs) for s in samples_of(Product) if s.kind == "broadcast"}
        assert pairs == {((3,), ()), ((), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((1,), (3,))}

    def test_axis_switches_optional_and_variadic_parameters_are_tried(self):
        class Total(Scaled):
            """A sum along an axis."""

            def __init__(self, axis=None, keepdims=False):
                self.axis, self.keepdims = axis, keepdims

            def forward(self, x):
                return np.sum(x, axis=self.axis, keepdims=self.keepdims)

        constants = [dict(s.constants) for s in Conformance(Total).subject.samples]
        assert {"axis": -1} in constants
        assert {"axis": 0, "keepdims": True} in constants
        assert {"axis": 1} in constants
        assert {len(s.inputs) for s in Conformance("clip").subject.samples} == {1, 2, 3}
        assert {len(s.inputs) for s in Conformance("concatenate").subject.samples} == {1, 2, 3}

    def test_an_operator_of_part_of_the_line_is_sampled_there_without_a_word(self):
        for name, inside in (("log", lambda x: x > 0), ("sqrt", lambda x: x > 0)):
            samples = [s for s in Conformance(name).subject.samples if s.kind == "plain"]
            assert len(samples) > 3
            assert all(inside(s.inputs[0]).all() for s in samples)

    def test_a_domain_narrows_the_default_samples(self):
        for sample in samples_of(Scaled, domain=(0.5, 0.75)):
            assert ((sample.inputs[0] > 0.5) & (sample.inputs[0] < 0.75)).all()

    @pytest.mark.parametrize("domain", [(-np.inf, np.inf), (0, np.inf), (-np.inf, 3), (2, 2.5)])
    def test_draws_stay_inside_an_open_interval(self, domain):
        for wide in (False, True):
            x = draw(np.random.default_rng(0), (1000,), domain, wide=wide)
            assert (x > domain[0]).all()
            assert (x < domain[1]).all()

    def test_the_authors_samples_replace_the_default_ones(self):
        samples = samples_of(Scaled, samples=({"x": (2, 2), "factor": 3.0}, {"x": np.float32([1.5])}))
        assert [(s.kind, s.inputs[0].shape) for s in samples] == [
            ("plain", (2, 2)), ("special", (2, 2)), ("plain", (1,)),
        ]  # fmt: skip
        assert samples[0].constants == {"factor": 3.0}
        assert samples[2].inputs[0].dtype == np.float64

    def test_what_is_drawn_is_tried_with_zeros_and_equal_numbers_of_its_domain_too(self):
        _, special = samples_of(Scaled, samples=({"x": (2, 2)},))
        np.testing.assert_array_equal(special.inputs[0], [[0, 1], [-1, 2]])
        _, special = samples_of(Scaled, samples=({"x": (2, 2)},), domain=(0, 2))
        np.testing.assert_array_equal(special.inputs[0], [[1, 1], [1, 1]])

    def test_a_sample_of_constants_alone_takes_the_default_inputs(self):
        samples = samples_of(Scaled, samples=({"factor": 3.0},))
        assert {s.kind for s in samples} == {"plain", "0-d", "empty", "special"}
        assert all(s.constants == {"factor": 3.0} for s in samples)

    def test_a_list_in_a_composites_sample_is_a_list_of_inputs(self):
        @composite(samples=({"rows": [[(2,), (3,)], [(5,)]]},))
        def laid_out(rows):
            """Rows of blocks, one row after the other."""
            return [np.concatenate(row) for row in rows]

        report = check_operator(laid_out)
        assert report.ok, report
        (sample,) = Conformance(laid_out).subject.samples
        assert sample.names == ("rows[0][0]", "rows[0][1]", "rows[1][0]")
        assert [y.shape for y in Conformance(laid_out).subject.values(sample)] == [(5,), (5,)]

    def test_numbers_in_a_signature_are_tried_a_little_changed(self):
        assert {s.constants.get("factor") for s in Conformance(Scaled).subject.samples} == {None, 1.0}

    def test_each_optional_input_is_tried_alone(self):
        class Affine(Function):
            """x * gain + bias."""

            def forward(self, x, gain=None, bias=None):
                return (x if gain is None else x * gain) + (0 if bias is None else bias)

            def backward(self, gy):
                x, gain, _ = (*self.xs, None, None)[:3]
                return gy if gain is None else gy * gain, gy * x, gy

        given = {tuple(x is not None for x in s.inputs) for s in samples_of(Affine)}
        assert given == {(True,), (True, True), (True, False, True), (True, True, True)}

    def test_samples_may_be_a_class_method_of_a_generator(self):
        class Own(Scaled):
            """factor * x."""

            @classmethod
            def samples(cls, rng):
                yield {"x": rng.uniform(5, 6, size=4)}

        (one,), (other,) = (Conformance(Own, seed=seed).subject.samples for seed in (0, 1))
        assert (one.inputs[0] > 5).all()
        assert not np.array_equal(one.inputs[0], other.inputs[0])

    def test_an_elementwise_operators_samples_are_tried_in_the_other_shapes(self):
        samples = samples_of(Scaled, elementwise=True, samples=({"x": (3,), "factor": 3.0},))
        assert {(s.kind, s.inputs[0].shape) for s in samples} == {
            ("plain", (3,)), ("special", (3,)), ("0-d", ()), ("empty", (0,)), ("empty", (2, 0)),
        }  # fmt: skip
        assert all(s.constants == {"factor": 3.0} for s in samples)

    def test_a_negative_axis_and_an_empty_array_of_the_author_are_known_as_such(self):
        samples = [{"x": (2, 3), "axis": (0, -1)}, {"x": (0,), "axis": 0}, {"x": (2,), "axis": 0}]
        kinds = [s.kind for s in Conformance("sum", samples).subject.samples]
        assert [kind for kind in kinds if kind != "special"] == ["negative axis", "empty", "plain"]

    def test_constants_are_copied_for_each_call(self):
        class Masked(Function):
            """x where a coin shows heads."""

            constants = ("mask",)

            def __init__(self, rng):
                self.rng = rng

            def forward(self, x):
                self.mask = (self.rng.uniform(size=x.shape) < 0.5).astype(x.dtype)
                return x * self.mask

            def backward(self, gy):
                return gy * self.mask

        report = check_operator(Masked, [{"x": (4,), "rng": np.random.default_rng(0)}])
        assert report.ok, str(report)
        assert status(report)["deterministic"] == "passed"

    def test_a_sample_prints_as_one_line_of_arguments(self):
        sample = Sample((np.array([1.0, 2.0]), None), {"axis": 0}, ("x", "b"))
        assert str(sample) == "x = float64 (2,) [1., 2.], axis = 0"

    @pytest.mark.parametrize(
        ("domain", "text"),
        [
            ((1, 0), r"domain has \(1, 0\); expected a pair \(low, high\) with low < high"),
            ("positive", "domain has 'positive'"),
            ({"y": (0, 1)}, "domain names 'y'; the inputs are 'x'"),
        ],
    )
    def test_a_domain_that_is_none_is_refused(self, domain, text):
        with pytest.raises(OperatorDefinitionError, match=text):
            intervals(domain, Conformance(Scaled).subject.inputs)

    def test_samples_that_are_no_dicts_are_refused(self):
        with pytest.raises(OperatorDefinitionError, match=r"expected a dict of arguments by name"):
            checked_samples([(2, 3)], None)

    def test_a_required_constant_needs_samples_and_the_message_says_how(self):
        class Cut(Scaled):
            """The first elements."""

            def __init__(self, length):
                self.length = length

        (failure,) = check_operator(Cut).failures
        assert failure.check == "result_type"
        assert "no value is known for 'length' of __init__" in failure.message
        assert "samples = ({'length': ...},), or " in failure.message
        assert "samples = ({'x': (2, 3), 'length': ...},)" in failure.message

    def test_no_samples_at_all_are_a_failure(self):
        (failure,) = check_operator("reshape", []).failures
        assert failure.message == "samples is empty; give the arguments of one call at least"

    def test_no_default_samples_are_made_where_a_constant_is_required(self):
        subject = Conformance("reshape").subject
        choices = list(constant_choices(subject.constants))
        assert choices == list(default_samples(subject.inputs, choices, {"x": (0, 1)}, subject.rng())) == []

    def test_equal_seeds_give_equal_samples(self):
        first, second, other = (Conformance(Scaled, seed=s).subject.samples[0].inputs[0] for s in (1, 1, 2))
        np.testing.assert_array_equal(first, second)
        assert not np.array_equal(first, other)


class TestFull:
    def test_full_compares_the_whole_jacobian(self):
        sample = [{"x": (2, 3)}]
        some, everything = (check_operator(Scaled, sample, full=full) for full in (False, True))
        count = {r.check: r.count for r in everything.results}["first_derivative"]
        assert {r.check: r.count for r in some.results}["first_derivative"] == 1
        assert count == 6 * 6

    def test_full_names_the_element_that_is_wrong(self):
        class Odd(Scaled):
            """2 x, with a wrong second derivative of the second element."""

            def backward(self, gy):
                return gy * np.array([2.0, 3.0])

        (failure,) = check_operator(Odd, [{"x": (2,)}], full=True).failures
        assert "first derivative of result 0 at (1,) by x at (1,) is 3, by differences 2" in failure.message


class TestExpectedFailures:
    def test_an_expected_failure_has_its_reason_and_the_report_is_ok(self):
        report = check_operator(Shifted, expected_failures={"first_derivative": "known"})
        assert report.ok
        assert report.results[list(CHECKS).index("first_derivative")] == Result(
            "first_derivative", "expected failure", 0, "known"
        )

    def test_the_class_may_say_it_itself(self):
        cls = type("Told", (Shifted,), {"expected_failures": {"first_derivative": "known"}, "__doc__": "x."})
        assert check_operator(cls).ok

    def test_a_composite_may_say_it_too(self):
        @composite(expected_failures={"helper": "no docstring on purpose"})
        def silent(x):
            return x * 2

        assert status(check_operator(silent))["helper"] == "expected failure"

    def test_a_pass_is_a_failure(self):
        (failure,) = check_operator(Scaled, expected_failures={"first_derivative": "known"}).failures
        assert failure.message == (
            "it was expected to fail (known), but it passed; take it out of expected_failures"
        )

    def test_one_that_did_not_run_is_a_failure(self):
        (failure,) = check_operator(Scaled, expected_failures={"negative_axis": "known"}).failures
        assert "did not run (no sample is of the kind 'negative axis')" in failure.message

    def test_what_builds_on_it_is_skipped(self):
        report = check_operator(Shifted, expected_failures={"first_derivative": "known"})
        assert status(report)["special_values"] == "skipped"

    @pytest.mark.parametrize("reason", ["", "  ", None, 3])
    def test_a_reason_is_mandatory(self, reason):
        with pytest.raises(ValueError, match="it must say why it fails"):
            check_operator(Scaled, expected_failures={"complex": reason})

    def test_a_check_that_does_not_exist_is_refused_with_near_misses(self):
        with pytest.raises(ValueError, match="which is no check; did you mean 'first_derivative'"):
            check_operator(Scaled, expected_failures={"first_derivativ": "known"})


class TestErrors:
    def test_an_error_of_backward_is_the_failure_with_the_line_it_came_from(self):
        class Broken(Scaled):
            """2 x."""

            def backward(self, gy):
                raise KeyError("missing")

        failure = check_operator(Broken).failures[0]
        assert failure.message.startswith("KeyError: 'missing'")
        assert "test_conformance.py" in failure.message
        assert 'raise KeyError("missing")' in failure.message

    def test_a_samples_method_that_raises_is_the_failure(self):
        def samples(rng):
            raise RuntimeError("no numbers today")

        report = check_operator(Scaled, samples)
        assert report.failures[0].check == "result_type"
        assert "no numbers today" in report.failures[0].message

    def test_the_process_is_left_as_it_was(self):
        import gc
        import sys

        before = gc.isenabled(), sys.getswitchinterval(), np.geterr()
        check_operator(Shifted)
        assert (gc.isenabled(), sys.getswitchinterval(), np.geterr()) == before


class TestChecks:
    def test_each_has_a_description_a_group_and_needs_that_exist(self):
        for name, check in CHECKS.items():
            assert isinstance(check, Check)
            assert check.name == name
            assert check.description.startswith("Check ")
            assert check.group in {"result", "gradient", "shape", "call", "catalogue"}
            assert set(check.needs) <= set(CHECKS)

    def test_run_runs_what_a_check_builds_on_and_each_once(self):
        conformance = Conformance(Scaled)
        result = conformance.run("second_derivative")
        assert result.status == "passed"
        assert conformance.run("second_derivative") is result

    def test_a_published_operators_helper_pickles_and_its_name_is_its_own(self, fresh):
        class Plugin:
            @hookimpl
            def register_operators(self):
                return [type("Square", (Scaled,), {"__doc__": "2 x."})]

        registry = fresh()
        PluginManager(Settings(strict=True)).load_object(registry, Plugin(), "mine")
        (failure,) = check_operator("mine.square").failures
        assert failure.check == "helper"
        assert "the name 'square' is taken: ops.square is that of plugin ops_builtin" in failure.message
        assert Subject(find_operators("mine")[0]).samples


def test_a_name_that_another_plugin_has_too_is_no_failure(fresh, publish):
    class Twice(Function):
        """2 * x."""

        def forward(self, x):
            return 2 * x

        def backward(self, gy):
            return 2 * gy

    registry = fresh(only=frozenset())
    publish(registry, "mine", Twice)
    publish(registry, "yours", type("Twice", (Twice,), {"__doc__": "2 * x."}))
    report = check_operator("mine.twice")
    assert next(r for r in report.results if r.check == "helper").status == "passed"
