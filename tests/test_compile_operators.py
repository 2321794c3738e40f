"""Every built-in operator, compiled: values and derivatives on the kit's samples, and on other numbers."""

import numpy as np
import pytest

from registry import CompileError, Variable, default_registry
from registry import compile as compiled
from registry.compiler import buffers
from registry.structures import leaves
from registry.testing.subject import Subject, pull_back, same, variables

pytestmark = pytest.mark.usefixtures("plans_do_not_fail")
OPERATORS = {o.name: o for o in default_registry().plugin("ops_builtin").operators}
SAMPLES = 6  # of each operator, spread over those there are
# The shape of the result, or of a step on the way, depends on the numbers.
REFUSED = {
    "compress", "extract", "nanmedian", "nanpercentile", "nanquantile", "polymul", "roots", "trim_zeros",
}  # fmt: skip


def program(subject, sample):
    """Give the function from inputs, weights and directions to results and derivatives of both orders."""
    twice = subject.differentiable and not subject.once_differentiable

    def f(inputs, weights, directions):
        xs = [Variable(x) if x is not None and x.dtype.kind in "fc" else x for x in inputs]
        ys = subject.call(sample, xs)
        own = [xs[i] for i in sample.floating]
        if subject.differentiable:
            pull_back(ys, weights, create_graph=twice)
        first = [x.grad for x in own]
        if twice:
            for x in own:
                x.cleargrad()
            pairs = [(gx, way) for gx, way in zip(first, directions, strict=True) if gx is not None]
            if pairs:
                pull_back([gx for gx, _ in pairs], [way for _, way in pairs])
        first = [gx.data if isinstance(gx, Variable) else gx for gx in first]
        return [y.data for y in ys], first, [x.grad for x in own]

    return f


def moved(arrays, factor):
    """Change floating arrays a little, so that nothing of the traced call can be left in a plan."""
    return [x if x is None or x.dtype.kind not in "fc" else (x * factor).astype(x.dtype) for x in arrays]


@pytest.fixture(autouse=True)
def small_arrays_are_taken_again(monkeypatch):
    monkeypatch.setattr(buffers, "REUSED", 1)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_call_gives_what_the_plain_one_gives(name):
    subject = Subject(OPERATORS[name])
    rng = subject.rng()
    samples, refused = subject.samples, []
    for sample in samples[:: max(len(samples) // SAMPLES, 1)]:
        with np.errstate(all="ignore"):
            f = program(subject, sample)
            weights = subject.weights(subject.call(sample, variables(sample.inputs)), rng)
            directions = subject.directions(sample, rng)
            c = compiled(f)
            try:
                c(list(sample.inputs), weights, directions)
            except CompileError as error:
                refused.append(str(error))
                continue
            for factor in (1, 1 - 2**-12):
                inputs = moved(sample.inputs, factor)
                agree(f, c, inputs, moved(weights, 1.5), directions)
    assert bool(refused) == (name in REFUSED), refused


def agree(f, c, *args):
    try:
        expected = f(*args)
    except Exception as error:
        with pytest.raises(type(error)):
            c(*args)
        return
    for a, b in zip(leaves(c(*args)), leaves(expected), strict=True):
        assert a.dtype == b.dtype
        assert same(np.asarray(a), np.asarray(b), 1e-11 if b.dtype.itemsize >= 8 else 1e-4)
