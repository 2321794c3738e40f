"""`registry.profile`: where the time of a block goes."""

import json
import sys
from threading import Thread

import numpy as np
import pytest

import registry
from registry import Function, Variable, ops
from registry.observers import profiling
from registry.observers.calls import Open


@pytest.fixture
def clock(monkeypatch):
    """Let time pass by what operators say alone."""

    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(profiling, "perf_counter", made)
    return made


@pytest.fixture
def slow(clock):
    """Give an operator that takes 2 s forward and 3 s backward."""

    class Slow(Function):
        saves = ()

        def forward(self, x):
            clock.now += 2
            return x + 1

        def backward(self, gy):
            clock.now += 3
            return gy * 1

    return Slow


def row_of(p, name):
    (row,) = [row for row in p.rows if row.operator.endswith(name)]
    return row


class TestNumbers:
    def test_calls_seconds_and_bytes_by_direction(self, clock, slow):
        x = Variable(np.ones(1000))
        with registry.profile() as p:
            clock.now += 0.5
            slow()(slow()(x)).backward()
        row = row_of(p, "Slow")
        assert (row.forward.calls, row.forward.seconds, row.forward.nbytes) == (2, 4.0, 16000)
        assert (row.backward.calls, row.backward.seconds, row.backward.nbytes) == (2, 6.0, 16000)
        assert (row.seconds, row.nbytes) == (10.0, 32000)
        assert (p.seconds, p.outside) == (10.5, 0.5)

    def test_rows_are_sorted_and_name_plugins(self, clock, slow, publish, fresh):
        publish(fresh(), "mine", slow)
        x = Variable(np.ones(3))
        with registry.profile() as p:
            (ops.slow(x) * 2).backward()
        assert [(row.operator, row.plugin) for row in p.rows] == [
            ("slow", "mine"),
            ("multiply", "ops_builtin"),
        ]

    def test_time_of_what_a_recorded_backward_calls_is_counted_once(self, clock, slow):
        class Outer(Function):
            saves = ()

            def forward(self, x):
                return x * 2

            def backward(self, gy):
                clock.now += 7
                return slow()(gy) * 2

        x = Variable(np.ones(10))
        with registry.profile() as p:
            Outer()(x).backward(create_graph=True)
        assert row_of(p, "Outer").backward.seconds == 7.0
        assert row_of(p, "Slow").forward.seconds == 2.0
        assert (p.seconds, p.outside) == (9.0, 0.0)
        assert row_of(p, "Outer").backward.nbytes == 0  # the operators' results are theirs
        assert row_of(p, "Slow").forward.nbytes == 80

    def test_views_and_broadcast_gradients_are_no_new_bytes(self):
        x = Variable(np.ones((100, 10)))
        with registry.profile() as p:
            np.sum(np.transpose(x)[:5]).backward()
        assert row_of(p, "transpose").nbytes == 0
        assert row_of(p, "getitem").forward.nbytes == 0
        assert row_of(p, "sum").nbytes <= 16
        assert row_of(p, "getitem").backward.nbytes == 8000

    def test_what_raises_is_not_counted_and_spoils_nothing(self, clock, slow):
        class Broken(Function):
            def forward(self, x):
                slow()(x)
                raise ValueError("no")

        x = Variable(np.ones(3))
        with registry.profile() as p:
            for _ in range(2):
                with pytest.raises(ValueError, match="no"):
                    Broken()(x)
            slow()(x)
        assert [row.operator.rpartition(".")[2] for row in p.rows] == ["Slow"]
        assert row_of(p, "Slow").forward.seconds == 6.0
        assert p.outside == 0.0

    def test_a_call_that_raises_inside_of_one_that_goes_on(self, clock, slow):
        class Broken(Function):
            def forward(self, x):
                clock.now += 1
                raise ValueError("no")

        class Patient(Function):
            def forward(self, x):
                with pytest.raises(ValueError, match="no"):
                    Broken()(x)
                clock.now += 4
                return x

        with registry.profile() as p:
            Patient()(np.ones(3))
        assert row_of(p, "Patient").forward.seconds == 5.0

    def test_it_can_be_read_inside_the_block(self, clock, slow):
        x = Variable(np.ones(3))
        with registry.profile() as p:
            slow()(x)
            assert row_of(p, "Slow").forward.calls == 1
            assert p.seconds == 2.0
        clock.now += 50
        assert p.seconds == 2.0
        assert registry.default_registry().observers is None

    def test_profiles_nest(self, clock, slow):
        x = Variable(np.ones(3))
        with registry.profile() as outer:
            slow()(x)
            with registry.profile() as inner:
                slow()(x)
        assert (outer.seconds, inner.seconds) == (4.0, 2.0)

    def test_a_block_that_begins_inside_a_call(self, clock, slow):
        block = registry.profile()
        profiles = []

        class Late(Function):
            def forward(self, x):
                profiles.append(block.__enter__())
                return x + 1

        Late()(np.ones(3))
        block.__exit__(None, None, None)
        assert profiles[0].rows == []

    def test_calls_of_other_threads_count_but_not_as_this_ones_time(self, clock, slow):
        with registry.profile() as p:
            thread = Thread(target=lambda: slow()(np.ones(3)), name="other")
            thread.start()
            thread.join()
        assert row_of(p, "Slow").forward.seconds == 2.0
        assert p.outside == 2.0


class TestShown:
    def test_the_table(self, clock, slow, publish, fresh):
        publish(fresh(), "mine", slow)
        x = Variable(np.ones(250_000))
        with registry.profile() as p:
            ops.slow(x).backward()
            clock.now += 5
        assert str(p).splitlines() == [
            "operator              plugin  calls  forward  calls  backward   share   memory",
            "slow                  mine        1   2.00 s      1    3.00 s  50.0 %  4.00 MB",
            "outside of operators                  5.00 s                   50.0 %",
            "10.0 s in all",
        ]
        assert repr(p) == "<profile of 10.0 s, 1 operators>"

    def test_operators_that_only_ran_forward(self, clock, slow):
        with registry.profile() as p:
            slow()(np.ones(3))
        assert str(p).splitlines()[1].split()[-8:] == ["2.00", "s", "-", "-", "100.0", "%", "24", "B"]

    def test_nothing_at_all(self):
        with registry.profile() as p:
            pass
        assert "outside of operators" in str(p)

    def test_html_is_escaped(self):
        Odd = type("<b>", (Function,), {"forward": lambda self, x: x + 1})
        with registry.profile() as p:
            Odd()(np.ones(3))
        assert "<td>&lt;b&gt;</td>" in p._repr_html_()
        assert "<b>" not in p._repr_html_()

    def test_the_trace_is_in_the_trace_event_format(self, clock, slow, tmp_path):
        x = Variable(np.ones(4))
        with registry.profile() as p:
            clock.now += 1
            slow()(x).backward()
        p.to_chrome_trace(tmp_path / "t.json")
        trace = json.loads((tmp_path / "t.json").read_text())
        name, forward, backward = trace["traceEvents"]
        assert (name["ph"], name["args"]["name"]) == ("M", "MainThread")
        assert [(e["ph"], e["cat"], e["ts"], e["dur"]) for e in (forward, backward)] == [
            ("X", "forward", 1e6, 2e6),
            ("X", "backward", 3e6, 3e6),
        ]
        assert forward["args"]["arrays"] == "float64 (4,) -> float64 (4,)"
        assert forward["args"]["line"].startswith(f"{__file__}:")
        assert {"pid", "tid"} <= forward.keys()
        assert trace["otherData"] == {"calls left out": 0}

    def test_the_trace_keeps_as_many_calls_as_are_asked_for(self, tmp_path):
        with registry.profile(events=3) as p:
            for _ in range(5):
                np.exp(Variable(np.ones(3)))
        p.to_chrome_trace(tmp_path / "t.json")
        trace = json.loads((tmp_path / "t.json").read_text())
        assert [e["ph"] for e in trace["traceEvents"]] == ["M", "X", "X", "X"]
        assert trace["otherData"] == {"calls left out": 2}
        assert row_of(p, "exp").forward.calls == 5

    def test_the_trace_tells_threads_apart(self, tmp_path):
        with registry.profile() as p:
            np.exp(Variable(np.ones(3)))
            thread = Thread(target=lambda: np.exp(Variable(np.ones(3))))
            thread.start()
            thread.join()
        p.to_chrome_trace(tmp_path / "t.json")
        trace = json.loads((tmp_path / "t.json").read_text())
        assert len({e["tid"] for e in trace["traceEvents"] if e["ph"] == "X"}) == 2

    def test_plot_says_what_is_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        with registry.profile() as p:
            pass
        with pytest.raises(ImportError, match=r"plot needs matplotlib: python -m pip install matplotlib"):
            p.plot()

    def test_plot_draws_the_slowest(self, clock, slow):
        class Axes:
            bars = []

            def barh(self, names, widths, left=0, label=None):
                self.bars.append((label, list(names), list(widths), np.max(left)))

            def set_xlabel(self, text):
                self.label = text

            def legend(self, loc):
                pass

        sys.modules.setdefault("matplotlib.figure", sys)
        with registry.profile() as p:
            slow()(Variable(np.ones(3))).backward()
            np.exp(np.ones(3))
        ax = p.plot(Axes(), most=1)
        assert [(label, widths, left) for label, _, widths, left in ax.bars] == [
            ("forward", [2000.0], 0),
            ("backward", [3000.0], 2000.0),
        ]
        assert ax.label == "time in ms"


def test_what_never_ended_goes_with_what_it_was_called_by():
    a, b, c = ops.exp.operator(), ops.exp.operator(), ops.exp.operator()
    calls = Open()
    for function in (a, b, c):
        calls.begin(function, id(function))
    assert calls.end(b) == id(b)
    assert [function for function, _ in calls.calls] == [a]
    assert calls.end(c) is None
