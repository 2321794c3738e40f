"""What a mistaken call on a Variable says: what was called, and what to call instead."""

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
import scipy.special
import scipy.stats

from registry import ConversionError, NoOperatorError, Variable, grad, ops

ARRAY, MATRIX = np.zeros(3), np.eye(3)
SPARSE = scipy.sparse.csr_array(MATRIX)


@pytest.fixture
def v():
    return Variable(np.array([1.0, 2.0, 3.0]))


@pytest.fixture
def x():
    return Variable(np.array(2.0))


def said(call, *args):
    """Give all that an error and its causes say."""
    with pytest.raises((ConversionError, NoOperatorError, ValueError)) as raised:
        call(*args)
    texts, error = [], raised.value
    while error is not None:
        texts.append(str(error))
        error = error.__cause__
    return " / ".join(texts)


# Assignment


def test_an_element_that_is_assigned_says_set_item_and_stack(x):
    b = np.zeros(3)

    def assign(x):
        b[1] = x

    text = said(assign, x)
    assert "writing a Variable into a plain array, as b[1] = ... does, would lose its gradient" in text
    assert "make a new array: b = ops.set_item(b, v, 1), or np.stack for a list of Variables" in text
    assert "math" not in text


def test_what_it_says_is_differentiated():
    def f(v):
        b = np.zeros(3)
        b = ops.set_item(b, v, 1)
        return b.sum() + np.stack([v * v, v]).sum()

    assert grad(f)(3.0) == 8


def test_a_row_a_slice_and_an_attribute_say_it_too(v):
    class Held:
        b = np.zeros((3, 3))

    held = Held()

    def row(v):
        held.b[0] = v

    def part(v):
        held.b[0, :2] = v[:2]

    def whole(v):
        held.b[:] = v

    assert "held.b = ops.set_item(held.b, v, 0)" in said(row, v)
    assert "as held.b[0, :2] = ... does" in said(part, v)
    assert "b = ops.set_item(b, v, index)" in said(part, v)
    assert "as held.b[:] = ... does" in said(whole, v)


def test_code_without_a_source_says_it_in_general(x):
    names = {"b": np.zeros(3), "x": x}
    text = said(exec, compile("b[0] = x", "<nowhere>", "exec"), names)
    assert "as b[i] = ... does" in text
    assert "b = ops.set_item(b, v, index), or np.stack" in text
    assert said(exec, compile("float(x)", "<nowhere>", "exec"), names).startswith(
        "making a Python number of a Variable would lose its gradient; call NumPy's functions"
    )


def test_an_array_that_a_variable_is_added_to_in_place_says_the_sum():
    def add(b, v):
        b += v

    def product(b, v):
        b @= v

    say = r"takes no out=: .* not written into; use the result \(b = b \+ v in place of b \+= v"
    with pytest.raises(NoOperatorError, match=r"numpy\.add on Variables " + say):
        add(np.zeros(3), Variable(np.ones(3)))
    with pytest.raises(NoOperatorError, match=r"numpy\.matmul on Variables " + say):
        product(np.eye(3), Variable(np.eye(3)))


# Calls

CALLS = {
    "dot": (lambda v: MATRIX.dot(v), "MATRIX.dot(v)", "write a @ v, or np.dot(a, v)"),
    "take": (lambda v: ARRAY.take(v), "ARRAY.take(v)", "call np.take"),
    "put": (lambda v: ARRAY.put(0, v), "ARRAY.put(0, v)", "use ops.set_item"),
    "array": (lambda v: np.array([v, v]), "np.array([v, v])", "np.stack for a list of Variables"),
    "asarray": (lambda v: np.asarray(v), "np.asarray(v)", "np.stack for a list of Variables"),
    "full": (lambda v: np.full((2, 3), v), "np.full((2, 3), v)", "np.broadcast_to(v, shape)"),
    "sum of a list": (lambda v: np.sum([v, v]), "np.sum([v, v])", "np.stack for a list of Variables"),
    "nested list": (lambda v: v + [v[0], 1.0, 2.0], "v + [v[0], 1.0, 2.0]", "np.stack for a list"),
    "long": (
        lambda v: np.asarray([v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v]),
        "np.asarray(...) does", "np.stack",
    ),
    "logsumexp": (
        lambda v: scipy.special.logsumexp(v), "scipy.special.logsumexp(v)",
        "call ops.logsumexp (the package opregistry-special brings it: python -m pip install",
    ),
    "softmax": (lambda v: scipy.special.softmax(v), "scipy.special.softmax(v)", "call ops.softmax"),
    "logpdf": (lambda v: scipy.stats.norm.logpdf(v), "scipy.stats.norm.logpdf(v)", "call ops.norm_logpdf"),
    "parameter": (
        lambda v: scipy.stats.norm.logpdf(1.0, v), "scipy.stats.norm.logpdf(1.0, v)", "call ops.norm_logpdf",
    ),
    "frozen": (lambda v: scipy.stats.t(3).cdf(v), "scipy.stats.t(3).cdf(v)", "call ops.t_cdf"),
    "discrete": (lambda v: scipy.stats.poisson.logpmf(2, v), "poisson.logpmf(2, v)", "ops.poisson_logpmf"),
    "several": (
        lambda v: scipy.stats.multivariate_normal.logpdf(v), "scipy.stats.multivariate_normal.logpdf(v)",
        "call ops.multivariate_normal_logpdf",
    ),
    "solve": (lambda v: scipy.linalg.solve(MATRIX, v), "scipy.linalg.solve(MATRIX, v)", "np.linalg.solve"),
    "expm": (lambda v: scipy.linalg.expm(v), "scipy.linalg.expm(v)", "call an operator"),
    "sparse @": (lambda v: SPARSE @ v, "SPARSE @ v", ".toarray() gives in place of the csr_array"),
    "sparse *": (lambda v: SPARSE * v, "SPARSE * v", ".toarray() gives in place of the csr_array"),
    "sparse.dot": (lambda v: SPARSE.dot(v), "SPARSE.dot(v)", ".toarray() gives in place of the csr_array"),
    "@ sparse": (lambda v: v @ SPARSE, "v @ SPARSE", ".toarray() gives in place of the csr_array"),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_makes_an_array_is_named_with_what_serves_it(name, v):
    call, shown, instead = CALLS[name]
    with pytest.raises(ConversionError) as raised:
        call(v)
    text = str(raised.value)
    assert text.startswith("making a NumPy array of a Variable, as ")
    assert shown in text
    assert instead in text
    assert text.endswith(", or take the plain array with '.data'")


def test_what_is_served_is_asked_of_the_registry(v, fresh):
    fresh(block=frozenset({"ops_builtin"}))
    text = said(lambda v: MATRIX.take(v), v)
    assert "np.take" not in text
    assert "call an operator" in text


def test_a_number_that_a_function_of_another_module_wants_names_the_numpy_function(x):
    assert ", as math.sin(x) does, would lose its gradient; call np.sin, or" in said(lambda x: math.sin(x), x)
    assert "as float(x) does" in said(lambda x: float(x), x)


INTEGERS = {
    "sum": (lambda x: ARRAY.sum(x), "ARRAY.sum(x)"),
    "range": (lambda x: range(x), "range(x)"),
    "index": (lambda x: [1, 2][x], "[1, 2][x]"),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_an_integer_that_is_wanted_says_that_no_operator_gives_it(name, x):
    call, shown = INTEGERS[name]
    text = said(call, x)
    assert "an index, axis or size carries none: give it as a plain one, or" in text
    assert f"as {shown} does" in text
    assert "call np." not in text


def test_full_like_and_clip_of_a_plain_array_name_what_serves(x):
    with pytest.raises(NoOperatorError, match=r"as np\.full_like does; use .* np\.broadcast_to\(v, shape\)"):
        np.full_like(ARRAY, x)
    with pytest.raises(NoOperatorError, match=r"numpy\.clip is served: call that, and no method of a"):
        ARRAY.clip(x, 3.0)
    np.testing.assert_array_equal(np.broadcast_to(x, ARRAY.shape).data, [2, 2, 2])


TABLE = """
import numpy as np

class Series:
    def __init__(self, data):
        self.data = np.asarray(data)

    def to_numpy(self):
        return self.data

    def __mul__(self, other):
        return Series(self.data * np.asarray(other))

    __rmul__ = __mul__
"""


@pytest.fixture
def series():
    """A class of tables with the manners of pandas."""
    names = {"__name__": "pandas.core.series"}
    exec(TABLE, names)
    return names["Series"]


def test_a_table_says_to_take_its_array(series, v):
    table = series([1.0, 2.0, 3.0])
    for text in (said(lambda v: table * v, v), said(lambda v: v * table, v)):
        assert "use the plain array that .to_numpy() gives in place of the Series" in text
    assert "as table * v does" in said(lambda v: table * v, v)
    assert "to_numpy" not in said(lambda v: series(v), v)
    np.testing.assert_array_equal((table.to_numpy() * v).data, [1, 4, 9])


def test_augmented_products_of_a_table_are_shown(series, v):
    def product(table, v):
        table *= v

    assert "as table *= v does" in said(product, series([1.0, 2.0, 3.0]), v)
