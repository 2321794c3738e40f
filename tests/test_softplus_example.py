"""The example plugin, installed as its README says, seen from outside."""

import doctest
import inspect
import pickle
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import registry
from registry import Variable, ops
from registry.ops import softplus
from registry.plugins import softplus as plugin

README = Path(__file__).parents[1] / "plugins_example" / "softplus" / "README.md"

X = np.array([-30.0, -2.0, -0.5, 0.0, 0.5, 2.0, 30.0])
VALUE = np.maximum(X, 0) + np.log1p(np.exp(-np.abs(X)))
SLOPE = 1 / (1 + np.exp(-X))
CURVATURE = 1 / (2 + 2 * np.cosh(X))


def derivatives(x):
    """Give softplus at an array, and its first and second derivatives there."""
    v = Variable(x)
    y = softplus(v)
    y.backward(create_graph=True)
    gx = v.grad
    v.cleargrad()
    gx.backward()
    return y.data, gx.data, v.grad


def test_the_value_and_both_derivatives_are_those_of_the_formula():
    for found, expected in zip(derivatives(X), (VALUE, SLOPE, CURVATURE), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_float32_stays_float32_in_the_value_and_both_derivatives():
    found = derivatives(X.astype(np.float32))
    assert [array.dtype for array in found] == [np.dtype(np.float32)] * 3
    for array, expected in zip(found, (VALUE, SLOPE, CURVATURE), strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-5)


def test_an_array_is_a_constant_and_gives_the_same_value():
    y = softplus(X)
    np.testing.assert_allclose(y.data, VALUE, rtol=1e-12)
    with pytest.raises(registry.NotRecordedError, match="every input was a constant"):
        y.backward()


def test_the_helper_has_the_authors_signature_and_docstring_and_pickles():
    assert str(inspect.signature(softplus)) == "(x)"
    assert inspect.getdoc(softplus) == "log(1 + exp(x)), a smooth relu."
    assert pickle.loads(pickle.dumps(softplus)) is softplus is ops.softplus is plugin.softplus


def test_the_plugin_is_listed_with_its_distribution_version_and_file():
    (found,) = [p for p in registry.load_plugins() if p.name == "softplus"]
    assert (found.status, found.distribution) == ("loaded", "opregistry-softplus")
    assert found.version == version("opregistry-softplus")
    assert [operator.name for operator in found.operators] == ["softplus"]
    assert Path(found.file).name == "opregistry_softplus.py"


def test_the_readme_prints_what_happens():
    failed, attempted = doctest.testfile(str(README), module_relative=False)
    assert failed == 0
    assert attempted > 10
