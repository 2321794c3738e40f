"""`registry.trace`: a line a call, and a line a backward step."""

import io
import re
from threading import Thread

import numpy as np
import pytest

import registry
from registry import Function, Variable, ops
from registry.describing import described


def lines_of(f):
    """Give the lines that a call writes, without where they come from."""
    file = io.StringIO()
    with registry.trace(file):
        f()
    return [re.split(r" {2,}\S+:\d+$", line)[0] for line in file.getvalue().splitlines()]


def test_calls_and_backward_steps_with_dtypes_shapes_and_constants():
    x = Variable(np.ones((2, 3), np.float32))
    assert lines_of(lambda: np.sum(np.exp(x), axis=1, keepdims=True).backward()) == [
        "exp(float32 (2, 3)) -> float32 (2, 3)",
        "sum(float32 (2, 3), axis=1, keepdims=True) -> float32 (2, 1)",
        "backward of sum -> float32 (2, 3)",
        "backward of exp -> float32 (2, 3)",
    ]


def test_small_arrays_are_shown_and_long_constants_are_not():
    x = Variable(np.array([1.0, 0.5, 4.0]))
    assert lines_of(lambda: x[np.array([0, 2])]) == ["getitem([1. 0.5 4. ], index=[0 2]) -> [1. 4.]"]
    long = Variable(np.ones(100))
    assert lines_of(lambda: long[np.arange(50)]) == [
        "getitem(float64 (100,), index=int64 (50,)) -> float64 (50,)"
    ]


def test_what_a_recorded_backward_calls_is_indented():
    x = Variable(np.array(2.0))
    assert lines_of(lambda: np.square(x).backward(create_graph=True)) == [
        "square(2.0) -> 4.0",
        "backward of square: 1.0",
        "  multiply(1.0, 2.0) -> 2.0",
        "  multiply(2.0, 2.0) -> 4.0",
        "backward of square -> 4.0",
    ]


def test_other_plugins_are_named_and_what_is_in_none(publish, fresh):
    class Same(Function):
        differentiable = False

        def forward(self, x):
            return x + 0

    x = Variable(np.array(2.0))
    for plugin in ("mine", "zeta"):
        publish(fresh(), plugin, Same)
        assert lines_of(lambda: ops.same(x)) == [f"{plugin}.same(2.0) -> 2.0"]

    class Other(Same):
        pass

    assert lines_of(lambda: Other()(x)) == ["Other(2.0) -> 2.0"]


def test_the_users_line_stands_at_the_end(capsys):
    with registry.trace():
        np.exp(Variable(np.array(0.0)))
    assert re.fullmatch(r"exp\(0\.0\) -> 1\.0 +\S*test_trace\.py:\d+\n", capsys.readouterr().out)


def test_a_file_below_the_working_directory_is_named_from_there(tmp_path, monkeypatch, capsys):
    (tmp_path / "program.py").write_text(
        "import numpy as np, registry\nwith registry.trace():\n    np.exp(registry.Variable(np.array(0.0)))\n"
    )
    monkeypatch.chdir(tmp_path)
    code = (tmp_path / "program.py").read_text()
    exec(compile(code, str(tmp_path / "program.py"), "exec"), {})
    assert capsys.readouterr().out.split()[-1] == "program.py:3"


def test_an_error_inside_leaves_no_indentation_behind():
    class Fails(Function):
        def forward(self, x):
            return x + 0

        def backward(self, gy):
            raise ValueError("no")

    def program():
        with pytest.raises(ValueError, match="no"):
            Fails()(x).backward(create_graph=True)
        np.exp(x)

    x = Variable(np.array(0.0))
    assert lines_of(program)[-1] == "exp(0.0) -> 1.0"


def test_nothing_is_written_before_and_after(capsys):
    x = Variable(np.array(0.0))
    with registry.trace():
        pass
    np.exp(x)
    assert capsys.readouterr().out == ""
    assert registry.default_registry().observers is None


def test_threads_write_whole_lines():
    file = io.StringIO()
    with registry.trace(file):
        threads = [
            Thread(target=lambda: [np.exp(Variable(np.array(0.0))) for _ in range(50)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = file.getvalue().splitlines()
    assert len(lines) == 200
    assert all(line.startswith("exp(0.0) -> 1.0 ") for line in lines)


def test_long_texts_are_cut():
    assert described("x" * 60) == "x" * 60
    assert described("x" * 61) == "x" * 57 + "..."
