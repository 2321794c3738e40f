import itertools
import os
import signal
import struct
import threading
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from registry import Function, composite

pytest.importorskip("typer")
from test_cli import run

from registry.cli.derivatives import compare, derivatives
from registry.cli.evaluation import LARGEST
from registry.cli.expression import DEEPEST, LONGEST, parse
from registry.cli.files import LARGEST_FILE


@pytest.fixture(autouse=True)
def only_builtins(fresh):
    """A registry with the built-ins and no installed plugin."""
    return fresh(only=frozenset())


@pytest.fixture
def saved(tmp_path):
    """Give a function: run grad and read what it saved."""
    count = itertools.count()

    def grad(*arguments):
        path = tmp_path / f"saved{next(count)}.npz"
        run("grad", *arguments, "--save", str(path))
        with np.load(path) as arrays:
            return dict(arrays)

    return grad


@pytest.fixture
def x_file(tmp_path):
    """A file of a 2 by 3 array, and the array."""
    x = np.array([[0.5, 1.0, 2.0], [-1.0, 3.0, 0.25]])
    np.save(tmp_path / "x.npy", x)
    return f"@{tmp_path / 'x.npy'}", x


def refused(expression, *values, code=2):
    """Run grad on what it must refuse; give the one message."""
    result = run("grad", expression, *values, code=code)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    return result.stderr


class Broken(Function):
    """Raises in backward."""

    def forward(self, x):
        return x + 0.0

    def backward(self, gy):
        raise RuntimeError("the moon is in the wrong phase")


class Wrong(Function):
    """The square, with the derivative of something else."""

    def forward(self, x):
        return x * x

    def backward(self, gy):
        (x,) = self.xs
        return 3 * x * gy


class Once(Function):
    """The square, whose derivative has no derivative."""

    once_differentiable = True

    def forward(self, x):
        return x * x

    def backward(self, gy):
        (x,) = self.xs
        return 2 * x * gy


class Halves(Function):
    """Two results."""

    def forward(self, x):
        return x / 2, x / 4

    def backward(self, gy, gz):
        return gy / 2 + gz / 4


class Step(Function):
    """No derivative anywhere."""

    differentiable = False

    def forward(self, x):
        return np.floor(x)


def test_value_and_gradients_are_printed():
    lines = run("grad", "x * y + x", "x=3", "y=0.5").stdout.splitlines()
    assert lines[:3] == ["value = 4.5", "grad_x = 1.5", "grad_y = 3.0"]


def test_where_each_operator_came_from_is_printed(only_builtins, publish):
    publish(only_builtins, "mine", Wrong)
    lines = run("grad", "wrong(x) * exp(x)", "x=3").stdout.splitlines()
    rows = [line.split() for line in lines[3:]]
    assert rows[0] == ["operator", "plugin", "distribution", "version"]
    assert [row[:2] for row in rows[1:]] == [
        ["wrong", "mine"],
        ["exp", "ops_builtin"],
        ["multiply", "ops_builtin"],
    ]
    assert rows[2][2] == "opregistry"


def test_the_gradient_of_an_array_is_that_of_its_sum(saved, x_file):
    file, x = x_file
    result = saved("exp(x) / 2", f"x={file}")
    np.testing.assert_allclose(result["value"], np.exp(x) / 2)
    np.testing.assert_allclose(result["grad_x"], np.exp(x) / 2)
    shown = run("grad", "exp(x) / 2", f"x={file}").stdout
    assert "the value is no single number, so the gradients are those of its sum\n" in shown
    assert "value  float64 (2, 3)\n" in shown
    assert "of its sum" not in run("grad", "sum(x)", f"x={file}").stdout


@pytest.mark.parametrize(
    ("expression", "value", "gradient"),
    [
        ("-x", -2.0, -1.0),
        ("+x", 2.0, 1.0),
        ("x - 1", 1.0, 1.0),
        ("1 - x", -1.0, -1.0),
        ("x % 1.5", 0.5, 1.0),
        ("1 / x", 0.5, -0.25),
        ("x ** 3", 8.0, 12.0),
        ("2 ** x", 4.0, 4 * np.log(2)),
        ("2 + 3 * x ** 2 / 4", 5.0, 3.0),
        ("x", 2.0, 1.0),
        ("(2 ** 3 - 7 % 4 + -1) * x", 8.0, 4.0),
        ("maximum(x, -3)", 2.0, 1.0),
        ("clip(x, None, a_max=1)", 1.0, 0.0),
        ("power(x, 3)", 8.0, 12.0),
    ],
)
def test_arithmetic_follows_the_formula(expression, value, gradient, saved):
    result = saved(expression, "x=2")
    assert result["value"] == pytest.approx(value)
    assert result["grad_x"] == pytest.approx(gradient)


def test_matrix_products_shapes_and_indices_are_computed(saved, x_file):
    file, x = x_file
    result = saved("(x @ reshape(x, (3, 2)))[0, ::-1][:1]", f"x={file}")
    b = x.reshape(3, 2)
    np.testing.assert_allclose(result["value"], (x @ b)[0, ::-1][:1])
    expected = np.zeros((2, 3))
    expected[0] += b[:, 1]
    shifted = np.zeros((3, 2))
    shifted[:, 1] += x[0]
    np.testing.assert_allclose(result["grad_x"], expected + shifted.reshape(2, 3))


@pytest.mark.parametrize(
    ("index", "chosen"),
    [
        ("0", np.s_[0]),
        ("-1, 2", np.s_[-1, 2]),
        ("..., 1:", np.s_[..., 1:]),
        ("None, :1", np.s_[None, :1]),
        (":, ::-2", np.s_[:, ::-2]),
    ],
)
def test_an_index_chooses_as_numpy_does(index, chosen, saved, x_file):
    file, x = x_file
    result = saved(f"x[{index}]", f"x={file}")
    np.testing.assert_array_equal(result["value"], x[chosen])
    ones = np.zeros_like(x)
    ones[chosen] = 1
    np.testing.assert_array_equal(result["grad_x"], ones)


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("sum(x, axis=0)", np.array([-0.5, 4.0, 2.25])),
        ("sum(x, 1, keepdims=True)", np.array([[3.5], [2.25]])),
        ("transpose(x, axes=(1, 0))", np.array([[0.5, -1.0], [1.0, 3.0], [2.0, 0.25]])),
        ("transpose(x, axes=[1, 0])", np.array([[0.5, -1.0], [1.0, 3.0], [2.0, 0.25]])),
        ("max(x, axis=-1)", np.array([2.0, 3.0])),
        ("squeeze(x[0], axis=None)", np.array([0.5, 1.0, 2.0])),
        ("concatenate(x[:, 0], x[:, 1], axis=0)", np.array([0.5, -1.0, 1.0, 3.0])),
    ],
)
def test_constants_reach_the_operator_as_they_are_written(call, value, saved, x_file):
    np.testing.assert_array_equal(saved(call, f"x={x_file[0]}")["value"], value)


def test_a_string_is_a_constant_like_any_other(saved):
    assert saved('astype(x, dtype="float32")', "x=0.1")["value"].dtype == np.float32


def test_a_composite_gets_lists_of_values(only_builtins, publish, saved):
    @composite()
    def total(xs, weights=(1.0,)):
        """Weighted sum."""
        return sum(w * x for w, x in zip(weights, xs, strict=True))

    publish(only_builtins, "mine", total)
    result = saved("total([x, y], weights=(2, -3))", "x=1", "y=1")
    assert [result[key].item() for key in ("value", "grad_x", "grad_y")] == [-1.0, 2.0, -3.0]


def test_several_results_must_be_chosen_from(only_builtins, publish, saved):
    publish(only_builtins, "mine", Halves)
    assert "gives 2 results; choose one" in refused("halves(x)", "x=1", code=1)
    assert saved("halves(x)[1]", "x=1")["grad_x"] == 0.25


def test_expressions_may_start_with_a_minus():
    assert run("grad", "-x ** 2", "x=3").stdout.startswith("value = -9.0\ngrad_x = -6.0\n")


def test_wrt_chooses_the_gradients(saved):
    assert set(saved("x * y * z", "x=1", "y=2", "z=3", "--wrt", "z", "--wrt", "x")) == {
        "value",
        "grad_z",
        "grad_x",
    }


def test_higher_orders_differentiate_the_sum_of_the_gradient(saved, x_file):
    file, x = x_file
    result = saved("x ** 3", f"x={file}", "--order", "5")
    for key, expected in [
        ("grad_x", 3 * x**2),
        ("grad2_x", 6 * x),
        ("grad3_x", np.full_like(x, 6)),
        ("grad4_x", np.zeros_like(x)),
        ("grad5_x", np.zeros_like(x)),
    ]:
        np.testing.assert_allclose(result[key], expected, atol=1e-12)


def test_the_second_order_of_one_value_leaves_the_others_out(saved):
    result = saved("x ** 2 * y ** 2", "x=2", "y=3", "--order", "2")
    assert result["grad2_x"] == pytest.approx(18)
    assert result["grad2_y"] == pytest.approx(8)


@pytest.mark.parametrize("expression", ["x", "2 * x", "x + 1"])
def test_a_constant_gradient_has_the_derivative_zero(expression, saved):
    result = saved(expression, "x=3", "--order", "3")
    assert [result["grad2_x"], result["grad3_x"]] == [0, 0]


def test_what_carries_no_gradient_has_the_gradient_zero(only_builtins, publish, saved):
    publish(only_builtins, "mine", Step)
    assert saved("step(x)", "x=1.5")["grad_x"] == 0
    assert saved("step(x) * y", "x=1.5", "y=2")["grad_x"] == 0


def test_an_operator_without_a_second_derivative_has_the_first(only_builtins, publish, saved):
    publish(only_builtins, "mine", Once)
    assert saved("once(x)", "x=3")["grad_x"] == 6
    message = refused("once(x)", "x=3", "--order", "2", code=1)
    assert message.startswith("error: the gradient for 'x' failed: HigherOrderError: ")
    assert "once_differentiable" in message


@pytest.mark.parametrize("name", ["--order=0", "--order=11", "--order=two"])
def test_an_order_out_of_range_is_a_usage_error(name):
    assert "--order" in refused("x", "x=1", name)


@pytest.mark.parametrize("expression", ["exp(x) * y", "x @ transpose(x)", "log(x * x + y)"])
def test_check_says_ok_where_the_gradients_are_right(expression, x_file):
    values = [f"x={x_file[0]}", "y=2"] if "y" in expression else [f"x={x_file[0]}"]
    shown = run("grad", expression, *values, "--check", "--order", "2").stdout
    checks = [line for line in shown.splitlines() if line.startswith("check ")]
    assert len(checks) == 2 * len(values)
    assert all(": ok, max error " in line and "every element" in line for line in checks)


def test_check_says_not_ok_where_a_gradient_is_wrong_and_the_exit_code_is_1(only_builtins, publish):
    publish(only_builtins, "mine", Wrong)
    shown = run("grad", "wrong(x)", "x=3", "--check", code=1).stdout
    assert "grad_x = 9.0\n" in shown
    assert "check grad_x: NOT ok, max error 3, relative 0.33 (" in shown


def test_check_of_many_elements_takes_a_random_direction(tmp_path, only_builtins, publish):
    publish(only_builtins, "mine", Wrong)
    np.save(tmp_path / "x.npy", np.linspace(-1, 1, 1001))
    value = f"x=@{tmp_path / 'x.npy'}"
    assert ": ok, max" in run("grad", "exp(x)", value, "--check").stdout
    shown = run("grad", "wrong(x)", value, "--check", code=1).stdout
    assert "NOT ok" in shown
    assert "one random direction" in shown


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_check_knows_how_exact_a_dtype_is(dtype, tmp_path, saved):
    np.save(tmp_path / "x.npy", np.linspace(0.5, 2, 7, dtype=dtype))
    value = f"x=@{tmp_path / 'x.npy'}"
    assert ": ok, " in run("grad", "log(x) * 3", value, "--check").stdout
    assert saved("log(x) * 3", value)["grad_x"].dtype == dtype


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_the_comparison_fails_for_an_error_of_one_in_a_thousand(scale):
    arrays = {"x": np.array([1.0, 2.0, 3.0]) * scale}
    (gradient,) = derivatives(lambda v: v["x"] * v["x"], arrays, "x", 1)
    assert compare(lambda v: v["x"] * v["x"], arrays, "x", 1, gradient).ok
    assert not compare(lambda v: v["x"] * v["x"], arrays, "x", 1, gradient * 1.001).ok
    assert not compare(lambda v: v["x"] * v["x"], arrays, "x", 1, gradient * np.nan).ok


def test_save_says_what_it_wrote_and_whether_it_overwrote(tmp_path):
    path = tmp_path / "out.npz"
    arguments = ("grad", "x * x", "x=3", "--order", "2", "--save", str(path))
    assert run(*arguments).stdout.endswith(f"\nsaved {path}: value, grad_x, grad2_x\n")
    assert run(*arguments).stdout.endswith(f"\noverwrote {path}: value, grad_x, grad2_x\n")
    with np.load(path) as arrays:
        assert {key: float(arrays[key]) for key in arrays} == {"value": 9.0, "grad_x": 6.0, "grad2_x": 2.0}


def test_save_where_nothing_can_be_written_is_an_error(tmp_path):
    result = run("grad", "x", "x=3", "--save", str(tmp_path / "no" / "out.npz"), code=1)
    assert result.stderr.startswith("error: cannot write ")
    assert "No such file" in result.stderr


@pytest.mark.parametrize(
    ("text", "value"), [("0.5", 0.5), ("-2", -2.0), ("1e3", 1000.0), ("7", 7.0), (".5", 0.5)]
)
def test_a_number_is_a_float64(text, value, saved):
    result = saved("x", f"x={text}")["value"]
    assert (result.dtype, result.item()) == (np.float64, value)


@pytest.mark.parametrize("dtype", [np.int8, np.uint64, np.bool_, np.int32])
def test_integers_and_booleans_become_float64(dtype, tmp_path, saved):
    np.save(tmp_path / "x.npy", np.array([0, 1], dtype))
    result = saved("x", f"x=@{tmp_path / 'x.npy'}")
    assert result["value"].dtype == result["grad_x"].dtype == np.float64


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("a,b\n1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("\ufeff1,2\n3,4", [[1, 2], [3, 4]]),
        ("x\n1\n2\n", [1, 2]),
        ("1.5", 1.5),
    ],
)
def test_a_csv_file_may_have_a_header(text, value, tmp_path, saved):
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(saved("x", f"x=@{tmp_path / 'x.csv'}")["value"], value)


def test_an_npz_file_gives_its_only_array_or_the_one_that_is_named(tmp_path, saved):
    np.savez(tmp_path / "one.npz", a=np.array([1.0]))
    np.savez(tmp_path / "two.npz", a=np.array([1.0]), b=np.array([2.0]))
    assert saved("x", f"x=@{tmp_path / 'one.npz'}")["value"] == 1
    assert saved("x", f"x=@{tmp_path / 'two.npz'}:b")["value"] == 2
    assert "it holds a, b; choose one: @file.npz:key" in refused("x", f"x=@{tmp_path / 'two.npz'}")
    assert "it has no 'c', but a, b" in refused("x", f"x=@{tmp_path / 'two.npz'}:c")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"1,2\n3,x\n", "cannot read numbers from"),
        ("x.csv", b"1,2\n3\n", "cannot read numbers from"),
        ("x.csv", b"1,,2\n", "cannot read numbers from"),
        ("x.csv", b",,\n1,2,3\n", "cannot read numbers from"),
        ("x.csv", b"a,b\n", "it holds none"),
        ("x.csv", b"", "it holds none"),
        ("x.csv", b"\xff\xfe1", "cannot read numbers from"),
        ("x.npy", b"", "cannot read numbers from"),
        ("x.npy", b"1,2,3", "cannot read numbers from"),
        ("x.npz", b"PK\x03\x04 broken", "cannot read numbers from"),
        ("x.txt", b"1", "cannot tell what"),
    ],
)
def test_a_file_without_numbers_is_refused_by_name(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    error = refused("x", f"x=@{tmp_path / name}")
    assert error.startswith("error: x: ")
    assert message in error
    assert name in error


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array(["a"]), "it holds <U1, not real numbers"),
        (np.array([1j]), "it holds complex128, not real numbers"),
        (np.array([(1, 2.0)], dtype="i4,f8"), "not real numbers"),
    ],
)
def test_an_array_of_anything_else_is_refused(array, message, tmp_path):
    np.save(tmp_path / "x.npy", array)
    assert message in refused("x", f"x=@{tmp_path / 'x.npy'}")


def test_a_pickled_array_is_not_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    np.save(tmp_path / "x.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    assert "it holds object, not real numbers" in refused("x", f"x=@{tmp_path / 'x.npy'}")
    assert not (tmp_path / "exploded").exists()


@contextmanager
def within(seconds):
    """Fail where a block waits for longer."""

    def give_up(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def npy(shape, data=b"", *, descr="'<f8'", version=1):
    """The bytes of an array's file, whose header may say anything."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


class TestHostileFiles:
    """Files that would make their reader wait, grow, or fail in a way of their own."""

    @pytest.fixture(autouse=True)
    def quickly(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with within(5):
            yield

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
    @pytest.mark.parametrize("suffix", ["npy", "npz", "csv", "npz:a"])
    @pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
    def test_only_a_regular_file_is_opened(self, kind, suffix, tmp_path):
        path = tmp_path / f"x.{suffix[:3]}"
        if kind == "pipe":
            os.mkfifo(tmp_path / "pipe")
            path.symlink_to(tmp_path / "pipe")
        elif kind == "device":
            path.symlink_to("/dev/zero")
        else:
            path.mkdir()
        reason = "a folder" if kind == "folder" else "a pipe, a device or a socket, not a file"
        assert refused("x", f"x=@x.{suffix}") == f"error: x: cannot read '{path.name}': it is {reason}\n"

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
    def test_a_file_that_becomes_a_pipe_is_not_waited_for(self, tmp_path, monkeypatch):
        os.mkfifo("x.npy")
        monkeypatch.setattr(Path, "stat", lambda self: os.stat(__file__))
        assert "not a file" in refused("x", "x=@x.npy")

    @pytest.mark.parametrize("suffix", ["npy", "npz", "csv"])
    def test_a_large_file_is_not_read(self, suffix, tmp_path):
        with open(tmp_path / f"x.{suffix}", "wb") as file:
            file.truncate(LARGEST_FILE + 1)  # a hole, which takes no place on the disk
        assert f"it has {LARGEST_FILE + 1} bytes; at most {LARGEST_FILE} are read" in refused(
            "x", f"x=@x.{suffix}"
        )

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (npy("(" + "9" * 400 + ",)", b"1" * 8), "too few for an array of shape (999"),
            (npy("(" + "9" * 5000 + ",)", b"1" * 8), "cannot read numbers from"),
            (npy("(2,)", b"1" * 8), "too few for an array of shape (2,) of float64"),
            (npy("(-1,)", b"1" * 8), "too few for an array of shape (-1,)"),
            (npy("(-1, -1)", b"1" * 8), "too few for an array of shape (-1, -1)"),
            (npy("(0, " + "9" * 400 + ")"), "cannot read numbers from"),
            (npy("(" + "1, " * 3000 + ")", b"1" * 8), "cannot read numbers from"),
            (npy("(" * 3000 + ")" * 3000, b"1" * 8), "cannot read numbers from"),
            (npy("(1.5,)", b"1" * 8), "shape is not valid: (1.5,)"),
            (npy("(1,)", b"1" * 8, descr="'nonsense'"), "cannot read numbers from"),
            (npy("(1,)", b"1" * 8, descr="'|O'"), "it holds object, not real numbers"),
            (npy("(1,)", b"1" * 8, descr="'<M8[s]'"), "it holds datetime64[s], not real numbers"),
            (npy("(1,)", b"1" * 8, descr=[("a" * 90 + str(i), "u1") for i in range(60)]), "it holds [('aaa"),
            (npy("(1,)", b"1" * 8, version=9), "cannot read numbers from"),
            (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "cannot read numbers from"),
            (npy("(1,)", b"1" * 8).replace(b"{", b"\x00"), "cannot read numbers from"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("packed", [False, True])
    def test_a_header_that_cannot_be_true_is_an_error_of_a_line(self, content, message, packed, tmp_path):
        if packed:
            with zipfile.ZipFile("x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("a.npy", content)
        else:
            (tmp_path / "x.npy").write_bytes(content)
        error = refused("x", "x=@x.npz:a" if packed else "x=@x.npy")
        assert message in error
        assert len(error) < 500
        assert error.count("\n") == 1

    def test_a_header_of_the_second_version_is_read(self, tmp_path, saved):
        (tmp_path / "x.npy").write_bytes(npy("(1,)", np.float64(0.5).tobytes(), version=2))
        assert saved("x", "x=@x.npy")["value"].tolist() == [0.5]

    def test_one_member_alone_is_unpacked(self, tmp_path, saved):
        np.savez("x.npz", a=np.array([1.0]), **{"sub/b": np.array([2.0]), "": np.array([3.0])})
        whole = (tmp_path / "x.npz").read_bytes()
        (tmp_path / "x.npz").write_bytes(whole.replace(np.float64(1).tobytes(), b"damaged!"))
        assert saved("x", "x=@x.npz:sub/b")["value"].tolist() == [2.0]
        assert "Bad CRC-32" in refused("x", "x=@x.npz:a")

    @pytest.mark.parametrize(
        ("shape", "declared", "message"),
        [
            ("(200000000,)", 4_000_000_000, f"it holds 200000000 numbers; at most {LARGEST} are read"),
            ("(100000,)", 900_000, "EOF: reading array data, expected"),
            ("(100000,)", 799_999, "it has 799999 bytes, too few for an array of shape (100000,) of float64"),
        ],
    )
    def test_what_a_zip_file_declares_is_not_believed(self, shape, declared, message, tmp_path):
        with zipfile.ZipFile("x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.npy", npy(shape, bytes(100)))
        content = bytearray((tmp_path / "x.npz").read_bytes())
        size = content.index(b"PK\x01\x02") + 24  # of the unpacked member, in the directory
        content[size : size + 4] = struct.pack("<I", declared)
        (tmp_path / "x.npz").write_bytes(content)
        assert message in refused("x", "x=@x.npz:a")

    def test_names_in_a_message_are_few(self):
        np.savez("x.npz", **{f"{'long' * 100}{i}": np.zeros(1) for i in range(100)})
        for value in ("x.npz", "x.npz:c"):
            error = refused("x", f"x=@{value}")
            assert "and 94 more" in error
            assert len(error) < 500

    def test_reading_is_inside_the_limits(self, monkeypatch):
        resource = pytest.importorskip("resource")
        free = resource.getrlimit(resource.RLIMIT_AS)

        def read_values(given):
            limits = [t.args for t in threading.enumerate() if isinstance(t, threading.Timer)]
            assert limits == [["reading the values"]]
            assert resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
            return {"x": np.array(1.0)}

        monkeypatch.setattr("registry.cli.grad.read_values", read_values)
        assert run("grad", "x", "x=@x.npy").stdout.startswith("value = 1.0\n")
        assert resource.getrlimit(resource.RLIMIT_AS) == free


def test_a_missing_file_is_an_error():
    assert refused("x", "x=@nowhere.npy").endswith(
        "x: cannot read 'nowhere.npy': No such file or directory\n"
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("x=abc",), "error: x: 'abc' is not a number; write a number such as 0.5, or @file.npy"),
        (("x=",), "error: x: '' is not a number"),
        (("x",), "error: 'x' is no value: write name=value"),
        (("2x=1",), "error: '2x' in '2x=1' cannot be a name"),
        (("lambda=1",), "error: 'lambda' in 'lambda=1' cannot be a name"),
        (("x=1", "x=2"), "error: the value 'x' is given twice"),
        (("x=1", "xx=2"), "error: the expression does not use the value 'xx'; did you mean 'x'?"),
        (("x=1", "--wrt", "z"), "error: --wrt z: there is no value 'z'"),
        (("x=1", "--chek"), "error: there is no option '--chek'; 'opregistry grad --help' lists them"),
        ((), "error: 'x' has no value; give it one: x=0.5\n    x\n    ^\n"),
        (("xs=1",), "error: 'x' has no value; did you mean 'xs'"),
    ],
)
def test_wrong_values_are_usage_errors(values, message):
    assert refused("x", *values).startswith(message)


def test_an_unknown_option_before_the_expression_is_no_expression():
    assert refused("--chek", "x=1").startswith("error: there is no option '--chek'")


@pytest.mark.parametrize(
    ("expression", "message", "column"),
    [
        ("1 + exq(x)", "no operator is named 'exq'; did you mean 'exp'", 4),
        ("exp + x", "'exp' is an operator; call it, as in exp(x), or give it a value", 0),
        ("2 * x(3)", "'x' is a value and cannot be called; multiply with '*'", 4),
        ("x + xp", "'xp' has no value; did you mean ", 4),
        ("__import__('os')", "no operator is named '__import__'", 0),
        ("eval('x')", "no operator is named 'eval'", 0),
    ],
)
def test_an_unknown_name_is_pointed_at(expression, message, column):
    first, shown, mark = refused(expression, "x=1").splitlines()
    assert message in first
    assert shown == f"    {expression}"
    assert mark == f"    {' ' * column}^"


@pytest.mark.parametrize(
    ("expression", "what", "column"),
    [
        ("x.__class__", "attribute access", 1),
        ("1 + x.T", "attribute access", 5),
        ("x.sum()", "a method", 1),
        ("np.exp(x)", "a method", 1),
        ("(lambda: x)()", "calling what is no operator's name", 1),
        ("x + (lambda y: y)", "a lambda", 6),
        ("sum([x for _ in x])", "a comprehension", 5),
        ("sum(x for _ in x)", "a comprehension", 4),
        ("{x}", "a set", 1),
        ("{1: x}", "a dict", 1),
        ("[x]", "a list here", 1),
        ("(x, x)", "a tuple here", 1),
        ("'abc'", "the constant 'abc' here", 1),
        ("x + 'abc'", "the constant 'abc' here", 5),
        ("x * True", "the constant True here", 5),
        ("x + None", "the constant None here", 5),
        ("x + b'a'", "the constant b'a'", 5),
        ("x + 2j", "the constant 2j", 5),
        ("x + ...", "the constant Ellipsis", 5),
        ("(y := x)", "':='", 2),
        ("f'{x}'", "an f-string", 1),
        ("exp(f'{x}')", "an f-string", 5),
        ("x if x else x", "'if'", 1),
        ("x > 0", "a comparison", 1),
        ("x and x", "'and' or 'or'", 1),
        ("not x", "'not'", 1),
        ("~x", "'~'", 1),
        ("x // 2", "'//'", 1),
        ("x << 2", "'<<'", 1),
        ("x | 2", "'|'", 1),
        ("sum(*x)", "'*'", 5),
        ("sum(x, **x)", "'**' in a call", 10),
        ("x['a']", "an index that is no whole number, slice or tuple of them", 3),
        ("x[x]", "an index that is no whole number, slice or tuple of them", 3),
        ("x[True]", "an index that is no whole number, slice or tuple of them", 3),
        ("x[[0]]", "an index that is no whole number, slice or tuple of them", 3),
        ("x[0, 1.5]", "an index that is no whole number, slice or tuple of them", 6),
        ("x[:x]", "a bound that is no whole number", 4),
        ("x[9**9:]", "a bound that is no whole number", 3),
        ("é + x.T", "attribute access", 5),
    ],
)
def test_anything_more_than_arithmetic_is_refused_and_pointed_at(expression, what, column):
    first, shown, mark, advice = refused(expression, "x=1").splitlines()
    assert first == f"error: {what} is not allowed, at column {column}"
    assert shown == f"    {expression}"
    assert mark.index("^") - 4 == column - 1
    assert "allowed are values by name, numbers, + - * / % ** @" in advice


def test_a_method_call_is_answered_with_the_operators_name():
    assert "write exp(...), the operator's name alone" in refused("np.exp(x)", "x=1")


@pytest.mark.parametrize(
    "expression", ["x +", "(x", "x y", "1x", "", "   ", "import os", "x = 1", "x; x", "x\0y", "\\"]
)
def test_what_python_cannot_parse_is_a_usage_error(expression):
    assert refused(expression, "x=1").startswith("error: the expression ")


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 4999 + "x" + ")" * 4999,
        "(" * 5000,
        "-" * 9000 + "x",
        "x" + "+x" * 4900,
        "x" + "**x" * 3000,
        "x" + "[0]" * 3000,
        "exp(" * 150 + "x" + ")" * 150,
        "x[" * 90 + "0" + "]" * 90 + "." + "a." * 200 + "b",
        "9" * 9000,
    ],
    ids=["brackets", "open brackets", "minus", "plus", "power", "index", "calls", "mixed", "digits"],
)
def test_deep_and_long_expressions_are_refused_quickly(expression):
    start = time.perf_counter()
    message = refused(expression, "x=1")
    assert time.perf_counter() - start < 5
    assert len(message) < 1000


def test_a_million_characters_are_refused():
    message = refused("x+" * 500_000 + "x", "x=1")
    assert message == f"error: the expression has 1000001 characters; at most {LONGEST} are allowed\n"


def test_what_is_just_within_the_bounds_is_computed(saved):
    terms = DEEPEST - 3
    assert saved("x" + "+x" * terms, "x=1")["grad_x"] == terms + 1
    assert parse("x + " + " " * (LONGEST - 5) + "x").values == ("x",)


@pytest.mark.parametrize(
    "expression", ["9**9**9", "x * 9**9**9", "9**9**9**9 + x", "10**400 * x", "power(9, 9**9) * x"]
)
def test_huge_powers_overflow_instead_of_hanging(expression):
    start = time.perf_counter()
    result = run("grad", expression, *(["x=1"] if "x" in expression else []))
    assert time.perf_counter() - start < 5
    assert result.stdout.startswith("value = inf\n")
    assert "warning: the value is infinite\n" in result.stderr


def test_a_huge_result_is_refused_before_it_is_filled():
    message = refused("broadcast_to(x, (99999, 99999)) * 2", "x=1", code=1)
    assert f"at most {LARGEST} are allowed" in message


def test_an_operators_error_is_told_with_its_inputs_and_its_place(x_file):
    file, _ = x_file
    lines = refused("1 + x @ x", f"x={file}", code=1).splitlines()
    assert lines[0].startswith("error: ValueError: matmul: Input operand 1 has a mismatch")
    assert "operator 'matmul' of plugin ops_builtin" in lines[1]
    assert lines[1].endswith("given float64 (2, 3), float64 (2, 3)")
    assert lines[2:] == ["    1 + x @ x", "        ^"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("sum(x, axis=7)", "AxisError: axis 7 is out of bounds"),
        ("sum(x, foo=7)", "TypeError: sum() got an unexpected keyword argument 'foo'"),
        ("sum() + x", "TypeError: sum() missing 1 required positional argument: 'x'"),
        ("exp(x, 1, 2)", "TypeError: exp() takes 1 positional argument but 3 were given"),
        ("x[5]", "IndexError: "),
        ("2[0] + x", "TypeError: 'float' object is not subscriptable"),
        ('astype(x, dtype="nonsense")', "TypeError: data type 'nonsense' not understood"),
        ("1 @ 2 + x", "ValueError: matmul"),
        ("x * 1" + "0" * 400, "a number is too large"),
        ('astype(x, dtype="complex128")', "the result holds complex128, not real numbers"),
    ],
)
def test_failing_computations_exit_with_1(expression, message, x_file):
    assert message in refused(expression, f"x={x_file[0]}", code=1)


def test_a_failing_backward_is_told_with_its_operator(only_builtins, publish):
    publish(only_builtins, "mine", Broken)
    message = refused("broken(x)", "x=1", code=1)
    assert message.startswith(
        "error: the gradient for 'x' failed: RuntimeError: the moon is in the wrong phase\n"
    )
    assert "operator 'broken' of plugin mine" in message


def test_without_the_builtins_arithmetic_says_what_is_missing(fresh):
    fresh(only=frozenset(), block=frozenset({"ops_builtin"}))
    assert "no operator implements numpy.multiply" in refused("x * 2", "x=1", code=1)


def test_an_ambiguous_operator_says_how_to_choose(only_builtins, publish):
    class OtherBroken(Broken):
        name = "broken"

    publish(only_builtins, "one", Broken)
    publish(only_builtins, "two", OtherBroken)
    assert "'broken' is offered by 2 plugins" in refused("broken(x)", "x=1")


def test_nan_in_a_value_the_result_and_the_gradient_is_warned_of(tmp_path):
    np.save(tmp_path / "x.npy", np.array([1.0, np.nan, np.nan]))
    result = run("grad", "x * y", f"x=@{tmp_path / 'x.npy'}", "y=1")
    assert result.stderr.splitlines() == [
        "warning: the value 'x' has 2 NaN of 3 elements",
        "warning: the value has 2 NaN of 3 elements",
        "warning: the gradient grad_y is NaN",
    ]
    assert "grad_x  float64 (3,)\n  [1. 1. 1.]\n" in result.stdout


def test_a_result_that_overflows_is_warned_of():
    result = run("grad", "log(x)", "x=0")
    assert result.stdout.startswith("value = -inf\ngrad_x = inf\n")
    assert result.stderr == "warning: the value is infinite\nwarning: the gradient grad_x is infinite\n"


def test_a_long_row_is_one_whole_line_where_nobody_watches(tmp_path):
    np.save(tmp_path / "x.npy", np.full(900, 0.125))
    shown = run("grad", "x", f"x=@{tmp_path / 'x.npy'}").stdout.splitlines()
    assert shown[1] == "  [" + " ".join(["0.125"] * 900) + "]"


def test_a_large_array_is_shortened_with_a_word_about_save(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(2000))
    shown = run("grad", "x", f"x=@{tmp_path / 'x.npy'}").stdout
    assert "(2000 elements, shortened here; --save file.npz keeps all)" in shown


def test_an_expression_without_values_has_a_value():
    assert run("grad", "2 * 3 - 1").stdout == "value = 5.0\n"
