"""Operands of types that nothing here knows have their turn in Python's operators, as with NumPy's arrays."""

import operator

import numpy as np
import pytest

from registry import Function, UnsupportedTypeError, Variable, grad, hookimpl, no_grad, ops

BINARY = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv,
    "floordiv": operator.floordiv, "mod": operator.mod, "divmod": divmod, "pow": operator.pow,
    "matmul": operator.matmul,
}  # fmt: skip
ORDER = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
TURNS = {
    **{name: (call, f"__r{name}__") for name, call in BINARY.items()},
    **{name: (getattr(operator, name), f"__{mirror}__") for name, mirror in ORDER.items()},
}


@pytest.fixture
def v():
    return Variable(np.array([1.0, 2.0]))


class Money:
    """An amount in a currency, for whatever its amount can be added to and multiplied by."""

    def __init__(self, amount, currency="EUR"):
        self.amount, self.currency = amount, currency

    def __radd__(self, other):
        return Money(other + self.amount, self.currency)

    def __rmul__(self, factor):
        return Money(factor * self.amount, self.currency)


def answering(reflected, base=object, **members):
    """An object of a new class, with one reflected method, which says who asked."""
    return type("Asked", (base,), {reflected: lambda self, other: ("asked by", other), **members})()


@pytest.mark.parametrize("name", TURNS)
def test_the_reflected_method_of_an_unknown_type_has_its_turn(name, v, fresh):
    fresh(only=frozenset())  # no operator is in its place yet
    call, reflected = TURNS[name]
    other = answering(reflected)
    for _ in range(2):
        assert call(v, other) == ("asked by", v)
        assert call(v, np.array([3.0, 4.0])) is not NotImplemented  # and now it is
    with no_grad():
        assert call(v, other) == ("asked by", v)


def test_what_it_computes_is_differentiated():
    assert grad(lambda v: (v * Money(3.0)).amount + (v + Money(2.0)).amount)(5.0) == 4


def test_augmented_assignment_gives_it_its_turn_too(v):
    v += Money(2.0)
    assert v.currency == "EUR"
    np.testing.assert_array_equal(v.amount.data, [3, 4])


@pytest.mark.parametrize("name", BINARY)
def test_without_a_reflected_method_the_error_names_operator_input_and_type(name, v):
    refused = "operand|not supported" if name == "floordiv" else r"operator '.*' of plugin .*, input 1: .*Own"
    for _ in range(2):
        with pytest.raises(TypeError, match=refused):
            BINARY[name](v, type("Own", (), {})())


def test_helper_and_numpy_function_are_calls_and_give_nobody_a_turn(v):
    for call in (ops.add, np.add):
        v + 1.0
        with pytest.raises(UnsupportedTypeError, match=r"operator 'add' .*, input 1: .*Money"):
            call(v, Money(1.0))


def test_an_unknown_operand_on_the_left_had_its_turn_before(v):
    with pytest.raises(UnsupportedTypeError, match=r"operator 'add' .*, input 0: .*Money"):
        Money(1.0) + v


@pytest.mark.parametrize(
    ("base", "said", "turn"),
    [
        (float, {}, False),
        (float, {"__array_ufunc__": None}, True),
        (float, {"__array_priority__": 10}, True),
        (float, {"__array_priority__": -1}, False),
        (list, {"__array_priority__": 10}, True),
        (object, {"__array_ufunc__": None}, True),
        (object, {"__array_priority__": -1}, True),  # nothing else could be done with it
    ],
)
def test_a_number_or_list_has_a_turn_where_numpy_gives_it_one(base, said, turn, v, fresh):
    fresh(only=frozenset())
    other = answering("__rmul__", base, **said)
    array = np.array([1.0])
    if base is not object:
        assert (type(array * other) is tuple) == turn, "as NumPy does"
    for _ in range(2):
        if turn:
            assert v * other == ("asked by", v)
        elif base is float:
            np.testing.assert_array_equal((v * other).data, [0, 0])


@pytest.mark.parametrize("other", ["ab", b"ab", None, {}, object()])
def test_texts_and_what_else_multiplies_nothing_keep_the_clear_error(other, v):
    with pytest.raises(TypeError, match=r"operator 'multiply' of plugin|'NoneType'"):
        v * other


def test_a_registered_array_type_is_no_unknown_one(v, fresh):
    class Length:
        shape, ndim, size, dtype = (), 0, 1, np.dtype(float)
        __array_ufunc__ = __array_function__ = None

        def __radd__(self, other):
            assert type(other) is np.ndarray, "the operator adds arrays, and records that"
            return self

        def __add__(self, other):
            return self

        def copy(self):
            return self

    class Plugin:
        @hookimpl
        def register_array_types(self):
            return [Length]

    registry = fresh(only=frozenset())
    registry.loader.load_object(registry, Plugin(), "lengths")
    for _ in range(2):
        y = v + Length()
        assert (type(y), type(y.data), type(y.creator).__name__) == (Variable, Length, "Add")


def test_an_operator_of_a_plugin_that_is_preferred_gives_turns_too(v, fresh):
    class Plus(Function):
        """x + y, by another author."""

        implements = np.add

        def __init__(self, *, scale=2.0):
            self.scale = scale

        def forward(self, x, y):
            return (x + y) * self.scale

        def backward(self, gy):
            return gy * self.scale, gy * self.scale

    class Plugin:
        @hookimpl
        def register_operators(self):
            return [Plus]

    registry = fresh(only=frozenset())
    v + 1.0
    registry.loader.load_object(registry, Plugin(), "plus")
    registry.prefer("numpy.add", "plus")
    for _ in range(2):
        assert (v + Money(1.0)).currency == "EUR"
        assert type((v + 1.0).creator) is Plus
        np.testing.assert_array_equal((v + 1.0).data, [4, 6])
