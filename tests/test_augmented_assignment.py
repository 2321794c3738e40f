"""``v += other`` and its kin: what NumPy gives on arrays, or an error; no Variable is written into."""

import operator
import sys
from contextlib import nullcontext

import numpy as np
import pytest

import registry
from registry import ConversionError, Function, RegistryError, Variable, grad, no_grad, value_and_grad
from registry.definition import make_operator

X = np.array([[1.0, 2.0], [3.0, 5.0]])
SIGNS = ["+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>"]


def program(lines):
    """Make a function of x, whose value is what `out` is at the end."""
    names = {"np": np, "registry": registry}
    exec("def f(x):\n    " + lines.replace("; ", "\n    ") + "\n    return out", names)
    return names["f"]


def outcome(f, *args):
    """Give a value, or the type of NumPy's error."""
    try:
        return np.asarray(f(*args))
    except (TypeError, ValueError) as error:  # NumPy's own, and ours
        return type(error)


# What has one name and memory of its own is bound to a new Variable.
BOUND_ANEW = [
    "y = x * 2; y += 1; out = np.sum(y * x)",
    "y = x * 2; y += y; y -= x; out = np.sum(y * x)",
    "y = x * 2; w = np.exp(y / 9); y += np.sum(y * 3); y *= w; y /= w + 1; out = np.sum(y)",
    "h = x @ x; h += np.tanh(h @ x); out = np.sum(h)",
    "total = np.sum(x); total += np.sum(x * x); total *= total; out = total",
    "losses = [np.sum(x), np.sum(x * x)]; total = losses[0]; total += losses[1]; out = total * losses[0]",
    "y = z = np.sum(x); y += 1; out = y * z",
    "y = np.mean(x); y += x; out = np.sum(y * x)",
    "y = (x * 2).reshape(4); y += 1; out = np.sum(y * y)",
    "y = np.transpose(x * 2); y *= x; out = np.sum(y)",
    "y = x.copy(); y += 1; out = np.sum(y * x)",
    "y = x * 2; z = y[0]; z = 0; y += 1; out = np.sum(y * x)",
    "d = {'y': x * 2}; d['y'] += 1; out = np.sum(d['y'] * x)",
    "y = x * 2; s = y[0, 1] * 3; y += s; out = np.sum(y)",
    "first, second = np.split(x * 2, 2); out = np.sum(first * second)",
    "a = np.exp(x / 9).reshape(4); a /= np.sum(a); out = np.sum(a * a)",
    "a = np.tanh(x).T[:1]; a *= 3; a -= x[0]; out = np.sum(a * a)",
]
# Elsewhere NumPy's meaning is another one than that of a new Variable.
REFUSED = [
    "x += 1; out = np.sum(x * x)",
    "y = x; y += 1; out = np.sum(x**2)",
    "y = x[:1]; y *= 2; out = np.sum(x**2)",
    "y = x.reshape(4); y *= 2; out = np.sum(x**2)",
    "y = np.transpose(x); y *= 2; out = np.sum(x**2)",
    "y = x.T; y *= 2; out = np.sum(x**2)",
    "y = np.real(x); y *= 2; out = np.sum(x**2)",
    "y = np.real_if_close(x); y *= 2; out = np.sum(x**2)",
    "y = x.conj(); y *= 2; out = np.sum(x**2)",
    "a = x * 2; b = np.diagonal(a); a += 1; out = np.sum(b)",
    "a = x * 2; b = np.diag(a); a += 1; out = np.sum(b)",
    "a = x * 2; b = np.linalg.diagonal(a); a += 1; out = np.sum(b)",
    "a = x * 2; b = np.lib.stride_tricks.sliding_window_view(a, 1, axis=0); a += 1; out = np.sum(b)",
    "a = x * 2; b = registry.stop_gradient(a); a += 1; out = np.sum(b)",
    "a = np.sum(x)[...]; a += 1; b = a; b += 1; out = a * 2",
    "a = np.exp(x / 9).reshape(4); b = a[1:]; a /= np.sum(a); out = np.sum(b * b)",
    "y = np.rot90(x, 4); y *= 2; out = np.sum(x**2)",
    "y = np.flip(x); y *= 2; out = np.sum(x**2)",
    "y = np.linalg.matrix_power(x, 1); y *= 2; out = np.sum(x**2)",
    "y = np.expand_dims(x, 0)[0]; y *= 2; out = np.sum(x**2)",
    "y = x[0, ...][:1]; y *= 2; out = np.sum(x**2)",
    "y = registry.stop_gradient(x) if isinstance(x, registry.Variable) else x; y *= 2; out = np.sum(x**2)",
    "a = x * 2; b = a; b += 1; out = np.sum(a * x)",
    "a = x * 2; held = [a]; a += 1; out = np.sum(held[0] * x)",
    "a = x * 2; b = a[:1]; a += 1; out = np.sum(b)",
    "a = x * 2; b = a.reshape(4)[1:]; a += 1; out = np.sum(b)",
    "a = np.exp(x / 9); b = np.real(a); a += 1; out = np.sum(b)",
    "a = x * 2; b = np.split(a, 2)[1]; a += 1; out = np.sum(b)",
    "first, second = np.split(x * 2, 2); first += second; out = np.sum(first * second)",
    "for row in (rows := [x[0] * 2, x[1] * 3]): row += 1\n    out = np.sum(rows[0])",
    "def double(h): h *= 2\n    a = x * 2; double(a); out = np.sum(a)",
    "y = x * 2; y += np.ones((3, 2, 2)); out = np.sum(y)",
    "y = x * 2; y += 1j; out = np.sum(np.abs(y))",
]


def agrees_or_refuses(f, x):
    """Compare with arrays; say whether the function is refused on Variables."""
    expected = outcome(f, x.copy())
    for run in (
        lambda: value_and_grad(f)(x.copy())[0],
        lambda: f(Variable(x.copy())).data,
        lambda: registry.compile(value_and_grad(f))(x.copy())[0],
        lambda: without_recording(f, x),
        lambda: f(np.multiply(Variable(x.copy()), 1)).data,
    ):
        try:
            found = run()
        except RegistryError as error:
            yield str(error)
        else:
            np.testing.assert_allclose(found, expected)
            yield None


def without_recording(f, x):
    with no_grad():
        return f(Variable(x.copy())).data


@pytest.mark.parametrize("lines", BOUND_ANEW)
def test_a_result_of_its_own_is_bound_to_a_new_variable(lines):
    f = program(lines)
    assert set(agrees_or_refuses(f, X)) == {None}
    step = 1e-6
    slopes = [(f(X + step * e.reshape(2, 2)) - f(X - step * e.reshape(2, 2))) / 2 / step for e in np.eye(4)]
    np.testing.assert_allclose(grad(f)(X).ravel(), slopes, rtol=1e-6)


@pytest.mark.parametrize("lines", REFUSED)
def test_what_numpy_would_show_elsewhere_is_an_error(lines):
    errors = list(agrees_or_refuses(program(lines), X))
    assert None not in errors[:4]
    assert "a Variable is never written into" in errors[0]
    assert "make a new one: v = v " in errors[0]


STARTS = ["np.copy(x)", "x", "x[:]", "x[0] * x[1]", "np.max(x)"]
OTHERS = [2, 0.5, np.ones((2, 2), int), np.full((2, 2), 1.5)]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("sign", SIGNS)
def test_every_sign_gives_what_numpy_gives_or_an_error(sign, start):
    f = {"np": np}
    exec(f"def f(x, other):\n y = {start}\n y {sign}= other\n return np.stack([y + 0, y + x * 0])", f)
    for dtype in (np.float64, np.float32, np.int64, np.bool_):
        x = X.astype(dtype)
        for other in OTHERS:
            with np.errstate(all="ignore"):
                try:
                    found = f["f"](Variable(x.copy()), other).data
                except (TypeError, ValueError):  # what Python, NumPy or the registry says
                    continue
                np.testing.assert_array_equal(found, f["f"](x.copy(), other), strict=True)


@pytest.mark.parametrize("sign", ["+", "-", "*", "/", "//", "%", "**", "@"])
def test_every_sign_makes_a_new_variable(sign):
    names = {"np": np}
    exec(f"def f(x):\n    y = x * 1\n    y {sign}= x + 1\n    return y", names)
    exec(f"def g(x):\n    return (x * 1) {sign} (x + 1)", names)
    np.testing.assert_array_equal(names["f"](Variable(X)).data, names["g"](X))
    with pytest.raises(ConversionError, match="is a leaf"):
        exec(f"x {sign}= x", {"x": Variable(X)})


class TestNumbers:
    def test_an_argument_that_is_a_number_is_bound_anew(self):
        def f(x):
            y = x
            x += 1
            x *= y
            return x * x

        assert value_and_grad(f)(2.0) == (f(2.0), 2 * 6.0 * 5.0)  # (x (x + 1))**2
        assert grad(grad(f))(2.0) == 2 * 5.0**2 + 2 * 6.0 * 2
        assert registry.compile(value_and_grad(f))(2.0) == value_and_grad(f)(2.0)

    def test_an_array_of_one_number_is_not(self):
        def f(x):
            y = x
            y += 1
            return x * x

        assert f(np.array(2.0)) == 9.0
        with pytest.raises(ConversionError, match="argument has the same one"):
            grad(f)(np.array(2.0))

    def test_losses_are_added_up_in_attributes_and_lists(self):
        class Kept:
            total = Variable(np.array(1.0)) * 0

        x, kept, several = Variable(X), Kept(), [np.sum(Variable(X))]
        for _ in range(3):
            kept.total += np.sum(x * x)
            several[0] += np.sum(x)
        kept.total.backward()
        np.testing.assert_array_equal(x.grad, 6 * X)
        assert several[0].data == 4 * X.sum()

    def test_single_precision_stays(self):
        y = Variable(X.astype(np.float32)) * 2
        y += np.ones((2, 2))
        assert y.dtype == np.float32
        z = np.sum(y)
        with pytest.raises(ConversionError, match="dtype float64, not float32"):
            z += np.ones(())[...]


class OwnArrays(Function):
    """x**3, whose backward works in place in arrays of its own."""

    def forward(self, x):
        return x**3

    def backward(self, gy):
        (x,) = self.xs
        gx = x * x
        gx *= 3
        gx *= gy
        return gx


class WritesInto(OwnArrays):
    what = "gy"

    def backward(self, gy):
        kept = gy if self.what == "gy" else self.xs[0] if self.what == "xs" else self.ys[0]
        kept *= 3
        return kept


class TestInBackward:
    def test_arrays_of_its_own_may_be_worked_on_in_place(self):
        np.testing.assert_allclose(
            registry.hessian(lambda x: np.sum(OwnArrays()(x)))(X[0]), np.diag(6 * X[0])
        )

    @pytest.mark.parametrize(
        ("what", "why"), [("gy", "which others read, too"), ("xs", "the same one"), ("ys", "the same one")]
    )
    def test_what_it_was_given_may_not(self, what, why, monkeypatch):
        monkeypatch.setattr(WritesInto, "what", what)
        x = Variable(X)
        with pytest.raises(RegistryError, match=why):
            np.sum(WritesInto()(x)).backward(create_graph=True)


class Same(Function):
    """The identity, whose result is its input."""

    def forward(self, x):
        return x

    def backward(self, gy):
        return gy


class Parts(Function):
    """An array, the same again, and a view of it."""

    def forward(self, x):
        y = x * 2
        return y, y, y[:1]

    def backward(self, a, b, c):
        return 2 * (a + b) + 2 * np.concatenate([c, c * 0])


class FirstOrSum(Function):
    """The first of two inputs, or a view of it, or their sum."""

    def __init__(self, what):
        self.what = what

    def forward(self, x, other):
        return {"first": x, "view": x[:1]}[self.what] if self.what != "sum" else x + other

    def backward(self, gy):
        return None, None


class SumOrFirst(FirstOrSum):
    """The same, whose code ends in the sum."""

    def forward(self, x, other):
        return (self.what and x) or x + other


class ItselfAndAView(Function):
    """Its input as it is, and what is computed with a view of that."""

    def __init__(self, what):
        self.what = what

    def forward(self, x):
        y = x * 2
        return (x, y) if self.what == "input" else (y, y[:1])

    def backward(self, a, b):
        return None


@pytest.mark.parametrize("call", [lambda v: operator.iadd(v, 1.0), lambda v: v.__iadd__(1.0)])
def test_called_as_a_function_it_is_an_error(call):
    with pytest.raises(ConversionError, match=r"is called as a function.* write v = v \+ other"):
        call(Variable(X) * 2)


def test_of_what_astype_and_broadcast_arrays_share_as_numpy_does():
    y = Variable(X) * 2
    for share in (lambda: y.astype(y.dtype, copy=False), lambda: np.broadcast_arrays(y, y)[0]):
        shared = share()
        with pytest.raises(ConversionError, match="memory is that of another array"):
            shared += 1
    copied = y.astype(y.dtype)
    copied += 1
    np.testing.assert_array_equal(copied.data, 2 * X + 1)


class TestMemory:
    @pytest.mark.parametrize("name", ["y", "z"])
    @pytest.mark.parametrize("make", [Same(), make_operator(Same, "fake").helper])
    def test_the_result_of_an_operator_that_gives_its_input_is_a_view(self, make, name):
        y = Variable(X) * 2
        z = make(y)
        assert z.data is not y.data
        assert z.data.base is y.data
        with pytest.raises(ConversionError, match="its memory is that of another array"):
            if name == "y":
                y += 1
            else:
                z += 1

    def test_a_view_that_is_gone_does_no_harm(self):
        y = Variable(X) * 2
        assert Same()(y).shape == (2, 2)
        y += 1
        np.testing.assert_array_equal(y.data, X * 2 + 1)

    @pytest.mark.parametrize("i", [0, 1, 2])
    def test_several_results_of_one_memory(self, i):
        results = list(Parts()(Variable(X)))
        v = results.pop(i)
        with pytest.raises(ConversionError, match="its memory is that of another array"):
            v += 1

    def test_a_view_of_what_forward_alone_had_is_bound_anew(self):
        class Part(Same):
            def forward(self, x):
                return np.add(x, 1)[:1]

        y = Part()(Variable(X) * 2)
        y += 1
        np.testing.assert_array_equal(y.data, [[4, 6]])

    @pytest.mark.parametrize("written", ["y", "z", "part of z"])
    @pytest.mark.parametrize("share", [np.lib.stride_tricks.as_strided, np.from_dlpack, memoryview])
    def test_memory_that_is_shared_through_something_else(self, share, written):
        class Shares(Same):
            def forward(self, x):
                return np.asarray(share(x))

        with no_grad():
            y = Variable(X) * 2
            z = Shares()(y)
            z = z[:1] if written == "part of z" else z
            with pytest.raises(ConversionError, match="its memory"):
                if written == "y":
                    y += 1
                else:
                    z += 1

    @pytest.mark.parametrize("written", ["y", "z"])
    @pytest.mark.parametrize("what", ["first", "view", "sum"])
    @pytest.mark.parametrize("make", [FirstOrSum, make_operator(FirstOrSum, "fake2").helper])
    def test_the_result_of_two_inputs(self, make, what, written):
        y, other = Variable(X) * 2, Variable(X) * 3
        z = make(what)(y, other) if isinstance(make, type) else make(y, other, what)
        with pytest.raises(ConversionError, match="its memory") if what != "sum" else nullcontext():
            if written == "y":
                y += 1
            else:
                z += 1

    def test_the_result_of_code_with_two_ways(self):
        helper = make_operator(SumOrFirst, "fake3").helper
        one = Variable(np.array(2, np.float32)) * 2
        for what, expected in ((True, one.data + 1), (False, 3 * one.data + 1)):
            z = helper(one, one * 2, what)
            with pytest.raises(ConversionError, match="its memory") if what else nullcontext():
                z += 1
                np.testing.assert_array_equal(z.data, expected)

    @pytest.mark.parametrize(("what", "i"), [("input", 0), ("view", 0), ("view", 1)])
    def test_one_of_two_results(self, what, i):
        y = Variable(X) * 2
        results = list(ItselfAndAView(what)(y))
        v = results.pop(i)
        with pytest.raises(ConversionError, match="its memory"):
            v += 1

    def test_a_constant_result_follows_numpy_as_well(self):
        y = registry.ops.square(X)
        assert y.generation == -1
        y += 1
        np.testing.assert_array_equal(y.data, X**2 + 1)
        z = np.reshape(y, (4,))
        with pytest.raises(ConversionError, match="its memory"):
            y += 1
        with pytest.raises(ConversionError, match="its memory"):
            z += 1

    def test_what_stop_gradient_gives_is_that_of_the_argument(self):
        y = registry.stop_gradient(Variable(X))
        with pytest.raises(ConversionError, match="its memory"):
            y += 1

    def test_a_leaf_is_told_so(self):
        w = Variable(X, name="w")
        with no_grad(), pytest.raises(ConversionError, match=r"'v -= other' .* it is a leaf.*v = v - other"):
            w -= 0.1 * X
        np.testing.assert_array_equal(w.data, X)


def test_the_count_of_names_is_that_of_this_python():
    def holders(v):
        return sys.getrefcount(v)

    y = Variable(X) * 2
    before = holders(y)
    y += 1
    assert holders(y) == before


def test_numbers_stay_numbers_in_a_checkpoint():
    def f(a):
        b = a
        a += 1
        return a * b

    assert grad(f)(2.0) == grad(registry.checkpoint(f))(2.0) == 5.0
