"""Variables in NumPy code: what reaches an operator, what stays plain, what is refused."""

import copy
import math
import pickle

import numpy as np
import pytest

import registry
from registry import (
    ConversionError,
    Function,
    NoOperatorError,
    UnsupportedTypeError,
    Variable,
    grad,
    ops,
    value_and_grad,
)
from registry.numpy_protocol import NumPyProtocol


@pytest.fixture
def v():
    return Variable(np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]]))


MATRIX = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])
WRITTEN = {
    "sum by position": lambda a: np.sum(a, 0),
    "sum by keyword": lambda a: np.sum(a=a, axis=-1, keepdims=True),
    "sum with NumPy's defaults": lambda a: np.sum(a, None, None, None, False),
    "mean": lambda a: np.mean(a, (0, 1)),
    "max": lambda a: np.max(a, 1, keepdims=True),
    "amax": lambda a: np.amax(a, axis=0),
    "amin": lambda a: np.amin(a),
    "reshape": lambda a: np.reshape(a, (3, 2)),
    "reshape by keyword": lambda a: np.reshape(a, shape=-1),
    "transpose": lambda a: np.transpose(a),
    "transpose by keyword": lambda a: np.transpose(a=a, axes=(1, 0)),
    "permute_dims": lambda a: np.permute_dims(a, (1, 0)),
    "swapaxes": lambda a: np.swapaxes(a, 0, axis2=1),
    "squeeze": lambda a: np.squeeze(a[None, :, None], axis=0),
    "squeeze all": lambda a: np.squeeze(a[None, :, None]),
    "expand_dims": lambda a: np.expand_dims(a, axis=(0, 2)),
    "broadcast_to": lambda a: np.broadcast_to(a, (2, 2, 3)),
    "astype": lambda a: np.astype(a, np.float32),
    "concatenate by position": lambda a: np.concatenate([a, a * 2], 1),
    "concatenate by keyword": lambda a: np.concatenate((a, a), axis=-1),
    "concatenate flattened": lambda a: np.concatenate([a, np.ones(2)], axis=None),
    "concatenate rows": lambda a: np.concatenate(a),
    "concat": lambda a: np.concat([a, a]),
    "stack": lambda a: np.stack([a, a], 1),
    "stack arrays": lambda a: np.stack(arrays=(a, np.zeros((2, 3))), axis=-1),
    "where": lambda a: np.where(a > 0, a, 0.0),
    "where of a list": lambda a: np.where([[True], [False]], a, 1),
    "clip": lambda a: np.clip(a, -1, 2),
    "clip by old names": lambda a: np.clip(a, a_min=-1, a_max=2),
    "clip min": lambda a: np.clip(a, min=0),
    "clip max": lambda a: np.clip(a, max=0),
    "clip without a lower bound": lambda a: np.clip(a, None, 0),
    "clip by method": lambda a: a.clip(max=1),
    "add": lambda a: np.add(a, 1),
    "add on the right": lambda a: np.add(np.ones(3), a),
    "divide": lambda a: np.true_divide(2, a),
    "pow": lambda a: np.pow(a, 2),
    "mod": lambda a: np.mod(a, 4),
    "abs": lambda a: np.abs(a),
    "exp without out": lambda a: np.exp(a, out=None),
    "matmul": lambda a: np.matmul(a, a.T),
    "array + v": lambda a: np.ones(3) + a,
    "array - v": lambda a: np.ones((2, 1)) - a,
    "array @ v": lambda a: np.ones((4, 2)) @ a,
    "array ** v": lambda a: np.full(3, 2.0) ** a,
    "array % v": lambda a: np.full(3, 2.0) % a,
    "0-d array * v": lambda a: np.array(2.0) * a,
    "scalar / v": lambda a: np.float64(2) / a,
    "method sum": lambda a: a.sum(axis=0, keepdims=True),
    "method mean": lambda a: a.mean(1),
    "method max": lambda a: a.max(),
    "method min": lambda a: a.min(axis=1),
    "method reshape": lambda a: a.reshape(3, -1),
    "method reshape by tuple": lambda a: a.reshape((6,)),
    "method transpose": lambda a: a.transpose(),
    "method transpose by axes": lambda a: a.transpose(1, 0),
    "method transpose by None": lambda a: a.transpose(None),
    "method swapaxes": lambda a: a.swapaxes(0, 1),
    "method squeeze": lambda a: a[:1].squeeze(0),
    "method astype": lambda a: a.astype("float32"),
    "method copy": lambda a: a.copy() * 2,
    "T": lambda a: a.T,
    "in place on the name": lambda a: _added(a),
    "built-in sum": lambda a: sum(row * 2 for row in a),
}


def _added(a):
    a = a * 1
    a += 1
    return a


@pytest.mark.parametrize("name", WRITTEN)
def test_numpy_call_reaches_the_operator(name, v):
    y, expected = WRITTEN[name](v), WRITTEN[name](MATRIX)
    assert y.creator is not None
    np.testing.assert_array_equal(y.data, np.asarray(expected), strict=True)
    y.backward()
    assert v.grad.shape == v.shape


CONSTANT = {
    "shape": np.shape,
    "ndim": np.ndim,
    "size": np.size,
    "argmax": lambda a: np.argmax(a, axis=1),
    "argsort": lambda a: np.argsort(a, 0),
    "floor": np.floor,
    "round": lambda a: np.round(a, decimals=1),
    "floor_divide": lambda a: np.floor_divide(a, 2),
    "//": lambda a: a // 2,
    "reflected //": lambda a: 7 // a,
    "zeros_like": np.zeros_like,
    "full_like": lambda a: np.full_like(a, 3, dtype=int),
    "isnan": np.isnan,
    "isclose": lambda a: np.isclose(a, a),
    "allclose": lambda a: np.allclose(1.0, a),
    "array_equal": lambda a: np.array_equal(a, a),
    "any": lambda a: np.any(a > 0),
    "all of one": lambda a: np.all(a, axis=0),
    "equal": lambda a: np.equal(a, 1),
    "not_equal": lambda a: np.not_equal(1, a),
    "logical_and": lambda a: np.logical_and(a > 0, a),
    "nonzero": lambda a: np.nonzero(a)[0],
    "result_type": lambda a: np.result_type(a, np.float32),
    ">": lambda a: a > 1,
    "<= reflected": lambda a: 1 <= a,  # noqa: SIM300
    "list <": lambda a: [1.0, 2.0, 3.0] < a,  # noqa: SIM300
    "array >=": lambda a: np.ones(3) >= a,
    "< array": lambda a: a < np.ones((2, 1)),
    "iteration": lambda a: len(list(a)),
    "len": len,
    "dtype": lambda a: a.dtype,
    "bool": lambda a: bool(a[0, 0]),
}


@pytest.mark.parametrize("name", CONSTANT)
def test_question_has_a_plain_answer(name, v):
    answer, expected = CONSTANT[name](v), CONSTANT[name](MATRIX)
    assert type(answer) is type(expected)
    np.testing.assert_array_equal(answer, expected)


REFUSED = {
    "out": (
        lambda v: np.add(v, 1, out=np.zeros((2, 3))),
        "numpy.add on Variables takes no out=: .*use the result",
    ),
    "out by position": (lambda v: np.exp(v, np.zeros((2, 3))), "numpy.exp on Variables takes no out="),
    "out of sum": (lambda v: np.sum(v, out=np.zeros(())), "numpy.sum on Variables takes no out="),
    "out of concatenate": (lambda v: np.concatenate([v], out=MATRIX), "numpy.concatenate .* takes no out="),
    "out a Variable": (lambda v: np.add(MATRIX, 1, out=v), "numpy.add on Variables takes no out="),
    "where": (lambda v: np.add(v, 1, where=MATRIX > 0), r"takes no where=: choose with np.where\("),
    "dtype": (lambda v: np.add(v, 1, dtype=np.float32), "takes no dtype=: convert with np.astype"),
    "casting": (lambda v: np.add(v, 1, casting="unsafe"), "takes no casting="),
    "arr += v": (lambda v: MATRIX.copy().__iadd__(v), "numpy.add on Variables takes no out="),
    "reduce": (
        lambda v: np.copysign.reduce(v),
        r"no operator implements numpy.copysign.reduce; functools.reduce\(f, x\) goes along the first axis",
    ),
    "at": (
        lambda v: np.add.at(MATRIX, [0], v),
        "no operator implements numpy.add.at; what is recorded is not written into",
    ),
    "accumulate": (
        lambda v: np.copysign.accumulate(v),
        r"no operator implements numpy.copysign.accumulate; np.stack\(list\(itertools.accumulate\(x, f\)\)\)",
    ),
    "reduceat": (lambda v: np.add.reduceat(v, [0]), "numpy.add.reduceat; reduce the slices"),
    "histogram": (lambda v: np.histogram2d(v, v), r"numpy.histogram2d cannot be differentiated: .*bincount"),
    "nothing like it": (lambda v: np.isnat(v), r"no operator implements numpy.isnat;.* '\.data'"),
    "a ufunc": (lambda v: np.spacing(v), "no operator implements numpy.spacing"),
    "nested arguments": (lambda v: np.histogramdd([v, v]), "numpy.histogramdd cannot be differentiated"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_operator_does_is_a_type_error_that_says_so(name, v):
    call, text = REFUSED[name]
    with pytest.raises(NoOperatorError, match=text) as caught:
        call(v)
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    "parameters", [{"where": True}, {"casting": "same_kind"}, {"order": "K"}, {"subok": True}, {"out": None}]
)
def test_a_parameter_that_says_what_numpy_does_anyway_is_taken(v, parameters):
    np.testing.assert_array_equal(np.add(v, 1, **parameters).data, MATRIX + 1)


def test_ufunc_of_another_library_is_refused_by_name(v, fresh):
    special = pytest.importorskip("scipy.special")
    fresh(only=frozenset())
    with pytest.raises(NoOperatorError, match=r"no operator implements .*erf"):
        special.erf(v)


ARRAYS = {
    "asarray": np.asarray,
    "array": np.array,
    "float array": lambda v: np.asarray(v, dtype=float),
    "array of Variables": lambda v: np.array([v, v]),
    "array of 0-d Variables": lambda v: np.array([v[0, 0], v[0, 1]]),
    "array of objects": lambda v: np.array([v[0, 0]], dtype=object),
    "nested list in stack": lambda v: np.stack([[v[0, 0]], [v[0, 1]]]),
    "ascontiguousarray": np.ascontiguousarray,
    "atleast_1d of a list": lambda v: np.asanyarray([v[0]]),
    "setting a slice": lambda v: MATRIX.copy().__setitem__(slice(None), v),
    "indexing": lambda v: np.arange(9)[v[0].astype(int)],
    "masked array": lambda v: np.ma.array(MATRIX, mask=MATRIX > 0) + v,
    "fill value": lambda v: np.full((2, 3), v),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_conversion_to_an_array_is_refused_and_names_the_way_out(name, v):
    with pytest.raises(TypeError, match=r"would lose its gradient.*'\.data'|operand .*MaskedArray"):
        ARRAYS[name](v)


def test_setting_an_array_element_is_refused_for_the_same_reason(v):
    with pytest.raises(ValueError, match="array element") as caught:
        np.zeros(2)[0] = v[0, 0]
    assert isinstance(caught.value.__cause__, ConversionError)


NUMBERS = {
    "float": float,
    "int": int,
    "complex": complex,
    "math.sin": math.sin,
    "math.floor": math.floor,
    "math.fsum": lambda x: math.fsum([x]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_conversion_to_a_number_is_refused_and_names_the_way_out(name):
    with pytest.raises(ConversionError, match=r"lose its gradient.*np.sin for math.sin.*'\.item\(\)'"):
        NUMBERS[name](Variable(np.array(1)))


def test_item_and_format_give_the_number():
    x = Variable(np.array([2.0 / 3]))
    assert (x.item(), f"{x:.3f}", f"{x}") == (2.0 / 3, "0.667", "variable([0.66666667])")
    assert type(Variable(np.array(3)).item()) is int


def test_assignment_is_refused_and_names_the_operator(v):
    with pytest.raises(ConversionError, match=r"not assigned to in place.* ops\.set_item\(v, value, index\)"):
        v[0] = 1.0
    np.testing.assert_array_equal(v.data, MATRIX)


def test_equality_is_identity_and_variables_are_found_by_it(v):
    same, other = v, Variable(v.data)
    assert v == same
    assert v != other
    assert (v == None, v != None, v == "text") == (False, True, False)  # noqa: E711
    assert same in [other, v]
    assert v not in [other]
    assert {v: 1, other: 2}[same] == 1
    assert hash(v) == hash(same) != hash(other)
    assert [other, v].index(v) == 1


@pytest.mark.parametrize("other", [MATRIX, 2.0, np.float64(4), 1, True, [1.0, -2.0, 5.0], 1j])
def test_equality_with_an_array_or_a_number_is_that_of_the_elements(other, v):
    for found, expected in (
        (v == other, MATRIX == other),  # noqa: SIM300
        (v != other, MATRIX != other),  # noqa: SIM300
        (other == v, other == MATRIX),
        (other != v, other != MATRIX),
    ):
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, expected)


def test_a_condition_by_equality_chooses_as_numpy_does():
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(grad(lambda a: np.sum(np.where(a == 2.0, a * 10, a)))(x), [1, 10, 1])
    np.testing.assert_array_equal(Variable(x)[Variable(x) != 2.0].data, [1, 3])
    assert value_and_grad(lambda a: a * 3 if a == 0 else np.sin(a) / a)(0.0) == (0.0, 3.0)


def test_order_is_that_of_the_values():
    one, two = Variable(np.array(1.0)), Variable(np.array(2.0))
    assert sorted([two, one]) == [one, two]
    assert max(one, two) is two


def test_bool_of_several_elements_is_ambiguous_as_in_numpy(v):
    with pytest.raises(ValueError, match="ambiguous"):
        bool(v)


@pytest.mark.parametrize("other", ["text", ["text"], np.ma.array([1.0]), object(), np.array(["a"])])
def test_operand_that_is_no_array_is_refused_by_operator_input_and_type(other, v):
    with pytest.raises(
        UnsupportedTypeError, match=r"'add' of plugin ops_builtin.*input 1: .* is not supported"
    ):
        v + other


def test_lists_of_numbers_are_operands_as_in_numpy(v):
    np.testing.assert_array_equal(([1.0, 2.0, 3.0] + v).data, [1.0, 2.0, 3.0] + MATRIX)
    np.testing.assert_array_equal((v * (1, 2, 3)).data, MATRIX * (1, 2, 3))
    with pytest.raises(ConversionError, match=r"np\.stack for a list of Variables"):
        v + [v[0, 0], 1.0, 2.0]


def test_none_is_no_operand(v):
    with pytest.raises(TypeError, match="NoneType"):
        v + None


def test_unknown_method_or_attribute_is_named(v):
    with pytest.raises(AttributeError, match="a Variable has no attribute 'flattened', and no operator"):
        v.flattened()
    assert not hasattr(v, "__array_struct__")
    assert not hasattr(v, "__array_interface__")


def test_methods_are_bound_and_listed(v):
    total = v.sum
    assert total(axis=0).shape == (3,)
    assert {"sum", "mean", "max", "reshape", "transpose", "clip", "astype", "T", "backward"} <= set(dir(v))


def test_rows_are_iterated_unpacked_and_differentiated(v):
    first, second = v
    (first * 2 + second).backward()
    np.testing.assert_array_equal(v.grad, [[2, 2, 2], [1, 1, 1]])


def test_0d_variable_is_not_iterated():
    with pytest.raises(TypeError, match="0-d"):
        list(Variable(np.array(1.0)))


def test_value_is_looked_for_among_the_elements_of_a_variable(v):
    assert 5.0 in v
    assert 7.0 not in v


def test_copies_and_pickles_keep_the_value(v):
    for same in (copy.deepcopy(v), pickle.loads(pickle.dumps(v))):
        np.testing.assert_array_equal(same.data, MATRIX, strict=True)
        assert same.data is not v.data


def test_copies_and_pickles_keep_name_and_gradient():
    x = Variable(np.array([1.0, 2.0]), name="x")
    y = x * x
    y.name = "y"
    y.backward(retain_grad=True)
    for same in (copy.copy(y), copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        assert same.name == "y"
        np.testing.assert_array_equal(same.data, [1.0, 4.0])
        np.testing.assert_array_equal(same.grad, [1.0, 1.0])
    assert copy.copy(y).data is y.data
    assert copy.deepcopy(y).grad is not y.grad


def test_wrong_call_is_pythons_own_error(v):
    with pytest.raises(TypeError, match="unexpected keyword argument 'axes'"):
        np.sum(v, axes=1)
    with pytest.raises(TypeError, match="positional arguments"):
        np.add(v)


class Fives(Function):
    implements = np.multiply

    def forward(self, x0, x1):
        return np.full(np.shape(x0), 5.0)

    def backward(self, gy):
        return gy, gy


class TestOperatorsOfPython:
    """They stand for what implements them, until that changes."""

    def products(self):
        x = Variable(np.ones(2))
        return [float((x * x).data[0]) for _ in range(3)]

    def test_a_preference_changes_them(self, fresh, temporary_plugin):
        fresh()
        assert self.products() == [1.0] * 3
        temporary_plugin(Fives, name="fives")
        assert self.products() == [1.0] * 3
        registry.prefer("numpy.multiply", "fives")
        assert self.products() == [5.0] * 3
        registry.default_registry().withdraw("fives")
        assert self.products() == [1.0] * 3

    def test_another_registry_has_its_own(self, fresh, temporary_plugin):
        assert self.products() == [1.0] * 3
        outer = registry.default_registry()
        with registry.using_registry(fresh()):
            temporary_plugin(Fives, name="fives")
            registry.prefer("numpy.multiply", "fives")
            assert self.products() == [5.0] * 3
            with registry.using_registry(outer):
                assert self.products() == [1.0] * 3
            assert self.products() == [5.0] * 3

    def test_watching_leaves_them(self):
        self.products()
        bound = vars(NumPyProtocol)["__mul__"]
        assert bound.__wrapped__ is ops.multiply
        with registry.guard():
            assert vars(NumPyProtocol)["__mul__"] is bound
            assert self.products() == [1.0] * 3
