"""What backward is given: it may be written into, and nobody else's gradient changes."""

import operator

import numpy as np
import pytest

from registry import Function, HigherOrderError, RegistryError, Variable, grad, ops, vjp
from registry.bytecode import effects
from registry.compiler import compile as compiled
from registry.helpers import make_helper


class Twice(Function):
    """2 x, whose backward writes 2 gy into what it is given."""

    def forward(self, x):
        return 2.0 * x


class Multiplies(Twice):
    def backward(self, gy):
        gy *= 2
        return gy


class MultipliesBlocks(Multiplies):
    elementwise = True


class MultipliesNumbers(Multiplies):
    scalars = True


class UnderAnotherName(Twice):
    def backward(self, gy):
        other = gy
        other *= 2
        return other


class ByIndex(Twice):
    def backward(self, gy):
        gy[...] = 2 * gy
        return gy


class BySlice(Twice):
    def backward(self, gy):
        gy[:] *= 2
        return gy


class AsOut(Twice):
    def backward(self, gy):
        return np.multiply(gy, 2, out=gy)


class AsThirdArgument(Twice):
    def backward(self, gy):
        return np.multiply(gy, 2, gy if gy.ndim else np.empty(()))


class AsOutOfStars(Twice):
    def backward(self, gy):
        return np.multiply(*(gy, 2, gy))


class AsOutOfACall(Twice):
    def backward(self, gy):
        return np.multiply.__call__(gy, 2, gy)


class AsOutOfAMethod(Twice):
    def backward(self, gy):
        gx = 2 * gy
        gy.clip(0, 0, gy)
        return gx


class ByAMethod(Twice):
    def backward(self, gy):
        gx = 2 * gy
        gy.fill(0)
        return gx


class ByShape(Twice):
    def backward(self, gy):
        gx = 2 * gy
        gy.shape = (1, *gy.shape)
        return gx


class ByAFunctionOfNumPy(Twice):
    def backward(self, gy):
        gx = 2 * gy
        np.copyto(gy, 0)
        return gx


class ByAt(Twice):
    def backward(self, gy):
        np.add.at(gy, ..., gy.copy())
        return gy


class ByANumberOfNothing(Twice):
    def backward(self, gy):
        gx = 2 * gy
        gy *= np.nan
        np.nan_to_num(gy, False)
        return gx


class ByAnOperator(Twice):
    def backward(self, gy):
        return operator.imul(gy, 2)


class ByANameInText(Twice):
    def backward(self, gy):
        return getattr(gy, "__imul__")(2)  # noqa: B009


def doubled(g):
    g *= 2
    return g


class OnOneOfTwoWays(Twice):
    def backward(self, gy):
        g = gy if gy.size else 2 * gy
        g *= 2
        return g


def doubled_on_one_way(gy):
    g = gy if gy.size else 2 * gy
    g *= 2
    return g


class OnOneOfTwoWaysOfAFunction(Twice):
    def backward(self, gy):
        return doubled_on_one_way(gy)


class InALaterRound(Twice):
    def backward(self, gy):
        gx = g = gy * 2
        g = g * 1
        for _ in range(2):
            g *= 3
            g = gy
        return gx


class StoredWithAnother(Twice):
    def backward(self, gy):
        g, gx = gy, gy * 2
        g *= 0
        return gx


class InAFunction(Twice):
    def backward(self, gy):
        return doubled(gy)


class InAMap(Twice):
    def backward(self, gy):
        return next(map(doubled, [gy]))


class InAMethod(Twice):
    def double(self, g):
        g *= 2
        return g

    def backward(self, gy):
        return self.double(gy)


class InAComprehension(Twice):
    def backward(self, gy):
        return min([doubled(g) for g in (gy,)], key=id)


class InALambda(Twice):
    def backward(self, gy):
        return (lambda g: operator.iadd(g, g))(gy)


class InAFunctionInside(Twice):
    def backward(self, gy):
        def double():
            nonlocal gy
            gy *= 2

        double()
        return gy


WRITING = [
    Multiplies, MultipliesBlocks, MultipliesNumbers, UnderAnotherName, ByIndex, BySlice, AsOut,
    AsThirdArgument, AsOutOfACall, AsOutOfStars, AsOutOfAMethod, ByAMethod, ByShape, ByAFunctionOfNumPy, ByAt,
    ByANumberOfNothing, ByAnOperator, ByANameInText, InAFunction, InAMap, InAMethod, InAComprehension,
    InALambda, InAFunctionInside, OnOneOfTwoWays, OnOneOfTwoWaysOfAFunction, InALaterRound, StoredWithAnother,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")
@pytest.mark.parametrize(("size", "retain_grad"), [(3, False), (3, True), (200_000, False)])
@pytest.mark.parametrize("way", ["helper", "instance"])
@pytest.mark.parametrize("operator", WRITING, ids=lambda operator: operator.__name__)
def test_what_backward_writes_into_its_gradient_reaches_nobody_else(operator, way, size, retain_grad):
    call = make_helper(operator, "helper") if way == "helper" else lambda x: operator()(x)
    x, seed = Variable(np.ones(size)), np.arange(1.0, size + 1)
    before = 1.0 * x
    y = call(before) + before  # one gradient goes to both
    y.grad = given = seed.copy()
    y.backward(retain_grad=retain_grad)
    np.testing.assert_array_equal(given, seed)
    np.testing.assert_array_equal(x.grad, 3 * seed)


@pytest.mark.parametrize("what", ["xs", "ys"])
@pytest.mark.parametrize("compile", [lambda f: f, compiled])
def test_what_backward_writes_into_what_the_call_keeps_reaches_nobody(compile, what):
    class Spoils(Twice):
        def backward(self, gy):
            for kept in getattr(self, what):
                kept *= 5
            return 2 * gy

    x = np.array([1.0, 2.0])
    for call in (make_helper(Spoils, "helper"), lambda x: Spoils()(x)):
        f = compile(lambda x: vjp(lambda x: np.square(call(x)), x)[1](np.ones(2))[0])  # noqa: B023
        for _ in range(2):
            np.testing.assert_array_equal(f(x), 8 * x)
            np.testing.assert_array_equal(x, [1.0, 2.0])


def test_a_class_that_is_declared_to_only_read_gets_the_very_arrays():
    seen = []

    class Sees(Twice):
        only_reads = True

        def backward(self, gy):
            seen.append((self.xs[0], gy))
            return operator.imul(np.full(2, 2.0), gy)

    class SeesAndWrites(Sees):
        def backward(self, gy):
            seen.append((self.xs[0], gy))
            gy *= 2
            return gy

    for cls, same in ((Sees, True), (SeesAndWrites, False)):
        x, seed = Variable(np.ones(2)), np.ones(2)
        y = cls()(x)
        y.grad = seed
        y.backward()
        kept, gy = seen.pop()
        assert (kept is x.data, gy is seed) == (same, same)
        np.testing.assert_array_equal(x.grad, [2.0, 2.0])
        np.testing.assert_array_equal(seed, [1.0, 1.0])


@pytest.mark.parametrize("operator", WRITING, ids=lambda operator: operator.__name__)
def test_in_a_recorded_pass_writing_into_a_gradient_is_an_error(operator):
    for call in (make_helper(operator, "helper"), lambda x: operator()(x)):
        x = Variable(np.array([1.0, 2.0]))
        with pytest.raises((RegistryError, AttributeError, TypeError)) as caught:
            call(x).backward(create_graph=True)
        assert x.grad is None
        if operator is Multiplies:
            assert "gy = gy * 2 in place of gy *= 2" in str(caught.value)
            assert "operator 'Multiplies'" in str(caught.value)


@pytest.mark.parametrize(
    "symbol", ["+=", "-=", "*=", "/=", "//=", "%=", "**=", "@=", "&=", "|=", "^=", "<<=", ">>="]
)
def test_every_augmented_assignment_to_a_gradient_is_refused_in_a_recorded_pass(symbol):
    scope = {"Twice": Twice}
    exec(f"class In(Twice):\n def backward(self, gy):\n  gy {symbol} 1\n  return gy", scope)
    with pytest.raises(HigherOrderError, match="writes into a gradient that it is given"):
        scope["In"]()(Variable(np.ones(2))).backward(create_graph=True)


def test_of_several_results_each_gradient_is_its_own():
    class Both(Function):
        def forward(self, x):
            return 1.0 * x, 2.0 * x

        def backward(self, g1, g2):
            g1 += 2 * g2
            return g1

    x = Variable(np.ones(3))
    seed = np.array([1.0, 2.0, 3.0])
    y, z = Both()(x)
    y.grad = y_seed = seed.copy()
    total = y + 0 * z
    total.grad = y_seed
    total.backward()
    np.testing.assert_array_equal(y_seed, seed)
    np.testing.assert_array_equal(x.grad, seed)


def test_a_compiled_gradient_is_not_written_into_either():
    def f(x):
        before = 1.0 * x
        return np.sum(Multiplies()(before) + before)

    g = compiled(grad(f))
    for _ in range(3):
        np.testing.assert_array_equal(g(np.ones(3)), [3.0, 3.0, 3.0])


class OwnResults(Twice):
    """Work in place on one's own arrays."""

    def backward(self, gy):
        gx = gy + 0
        gx += gy
        return gx


class Reads(Twice):
    def backward(self, gy):
        with np.errstate(all="ignore"):
            gx = np.where(gy > 0, gy * 2.0, 2 * gy if gy.ndim else gy + gy)
        parts = [g.reshape(-1) for g in (gx, gy)]
        return self.scaled(parts[0].reshape(gy.shape), np.sum(gy, 0, None) * 0)

    def scaled(self, g, zero):
        return np.add(g, zero)


@pytest.mark.parametrize("operator", [OwnResults, Reads])
def test_code_that_is_known_to_only_read_is_given_the_very_gradient(operator):
    assert not effects(operator, "backward").writes
    given = []

    class Keeps(operator):
        def backward(self, gy):
            given.append(gy)
            return super().backward(gy)

    Keeps._only_reads = not effects(operator, "backward").writes
    y = Keeps()(Variable(np.ones(3)))
    y.grad = seed = np.ones(3)
    y.backward()
    assert given[0] is seed


def test_own_arrays_may_be_filled_and_both_derivatives_stay_right():
    class Square(Function):
        def forward(self, x):
            return x**2

        def backward(self, gy):
            gx = gy * 0
            gx += 2 * self.xs[0] * gy
            return gx

    x = Variable(np.array([1.0, 2.0]))
    Square()(x).backward(create_graph=True)
    g = x.grad
    x.cleargrad()
    g.backward()
    np.testing.assert_array_equal(g.data, [2.0, 4.0])
    np.testing.assert_array_equal(x.grad, [2.0, 2.0])


def test_a_gradient_that_backward_gives_back_as_it_is_stays_a_plain_variable():
    class Passes(Function):
        def forward(self, x):
            return x + 0.0

        def backward(self, gy):
            [].append(gy)
            return gy

    x = Variable(np.ones(2))
    for call in (make_helper(Passes, "helper"), lambda x: Passes()(x)):
        x.cleargrad()
        call(x).backward(create_graph=True)
        assert type(x.grad) is Variable


@pytest.mark.parametrize(
    "name", ["add", "multiply", "sin", "sum", "mean", "matmul", "getitem", "where", "exp", "max"]
)
def test_the_usual_operators_are_known_to_only_read(name):
    assert not effects(getattr(ops, name).operator, "backward").writes


def test_numbers_that_the_call_keeps_are_given_as_they_are():
    class ScaledInPlace(Function):
        scalars = True

        def forward(self, x, k):
            return x * k

        def backward(self, gy):
            _, k = self.xs
            gx = np.zeros_like(gy)
            gx += gy
            return gx * k, None

    call = make_helper(ScaledInPlace, "helper")
    for k in (2.0, 2):
        x = Variable(np.array([1.0, 3.0]))
        call(x, k).backward()
        np.testing.assert_array_equal(x.grad, [2.0, 2.0])


def _or(gy):
    g = gy or gy * 2
    g *= 3


def _and(gy):
    g = gy and gy * 2
    g *= 3


def _last_of_three(gy):
    f, g, h = gy * 2, gy, gy * 3
    g *= 3
    return f, h


def _walrus(gy):
    if (g := gy) is not None:
        g = g * 2
        g *= 3


def _with(gy):
    with gy as g:
        g *= 3
    g = gy * 2


def _except(gy):
    try:
        g = gy * 2
    except ValueError:
        g = gy
    g *= 3


def _match(gy):
    match gy:
        case [g, *_]:
            pass
        case _:
            g = gy * 2
    g *= 3


def _for(gy):
    g = gy * 2
    for g in gy:  # noqa: B007
        pass
    g *= 3


def _own(gy):
    g = (gy if gy.size else 2 * gy) * 3
    if gy.size:
        g = gy + gy
    for _ in range(3):
        g *= 3
    return g


@pytest.mark.parametrize("function", [_or, _and, _last_of_three, _walrus, _with, _except, _match, _for])
def test_a_name_that_is_once_bound_to_what_was_given_is_never_its_own(function):
    class Calls(Twice):
        def backward(self, gy):
            return function(gy)

    assert effects(Calls, "backward").writes


def test_a_name_that_only_arithmetic_binds_is_its_own():
    class Calls(Twice):
        def backward(self, gy):
            return _own(gy)

    assert not effects(Calls, "backward").writes
