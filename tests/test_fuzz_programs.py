"""Random programs: values, gradients and second derivatives, beside an interpreter without this code.

``OPREGISTRY_TEST_SCALE=100`` tries a hundred times as many, new ones in each run.
"""

from contextlib import contextmanager
from importlib import import_module

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_programs import OPERATIONS, programs
from random_programs.program import taken
from random_programs.reference import Reference
from random_programs.running import made, run
from scale import examples

import registry
from registry import OverwrittenError, Variable, grad, hvp, jvp, large, ops, vjp
from registry.testing import find_operators
from registry.testing.differences import central_slope

REAL = (np.float64,)
EXACT = (np.float64, np.complex128)


def plain(x):
    return x.data if isinstance(x, Variable) else np.asarray(x)


def paired(gradients, directions):
    """Give Re(sum(gradients * directions)); what has no gradient adds nothing."""
    pairs = zip(gradients, directions, strict=True)
    return float(sum(np.sum(np.real(plain(g) * d)) for g, d in pairs if g is not None))


def assert_values(reference, values):
    for i, (found, expected) in enumerate(zip(values, reference.values, strict=True)):
        found, expected = plain(found), np.asarray(expected)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), f"v{i}"
        assert reference.close(found, expected), f"v{i} is {found}, not {expected}"


def assert_gradients(reference, gradients):
    """Compare gradients by the leaves, and their shapes and types, which are the leaves' own."""
    leaves = reference.program.leaves
    for leaf, gradient in zip(leaves, gradients, strict=True):
        if gradient is not None:
            kind = np.dtype(leaf.dtype)
            expected = kind if kind.kind in "fc" else np.dtype(np.float64)
            assert (gradient.dtype, gradient.shape) == (expected, leaf.shape)
    directions = [leaf.direction() if g is not None else 0 for leaf, g in zip(leaves, gradients, strict=True)]
    found = paired(gradients, directions)
    expected = reference.slope()
    assert expected.agrees(found), f"the slope is {found}, not {expected.value}: {gradients}"


def assert_own_memory(gradients):
    """Assert that each array may be written into."""
    arrays = [g for g in gradients if g is not None and g.size]
    for i, array in enumerate(arrays):
        assert array.flags.writeable
        assert not any(np.shares_memory(array, other) for other in arrays[:i])


def backward(reference):
    """Give gradients that the results pass back one after the other."""
    xs = [Variable(x) for x in reference.arrays]
    values = run(reference.program, xs)
    assert_values(reference, values)
    for i, w in zip(reference.program.roots, reference.weights, strict=True):
        y = values[i]
        if isinstance(y, Variable) and y.creator is None:
            y = y * 1  # the very leaf that a step got
        if isinstance(y, Variable) and y.creator is not None:
            y.grad = w
            y.backward()
            assert y.grad is w
            y.cleargrad()
    gradients = [x.grad for x in xs]
    assert_own_memory([*gradients, *reference.weights, *reference.arrays])
    return gradients


def total(reference, xs):
    """Give the sum of the weighed results, as a Variable that was recorded."""
    y = reference.scalar(range(len(xs)))(*xs)
    if isinstance(y, Variable) and y.generation >= 0:
        return y * 1
    return Variable(np.asarray(plain(y))) * 1  # of constants alone


def recorded_backward(reference):
    xs = [Variable(x) for x in reference.arrays]
    total(reference, xs).backward(create_graph=True)
    return [None if x.grad is None else x.grad.data for x in xs]


def by_grad(reference):
    return _by_leaves(reference, lambda wrt, xs: grad(reference.scalar(wrt), tuple(range(len(wrt))))(*xs))


def by_vjp(reference):
    def gradients(wrt, xs):
        values, pull_back = vjp(reference.results(wrt), *xs)
        for i, value in zip(reference.program.roots, values, strict=True):
            assert reference.close(value, reference.values[i])
        return pull_back(list(reference.weights))

    return _by_leaves(reference, gradients)


def _by_leaves(reference, differentiate):
    """Differentiate by the floating leaves."""
    wrt = reference.floating()
    assume(wrt)
    found = dict(zip(wrt, differentiate(wrt, [reference.arrays[i] for i in wrt]), strict=True))
    assume(len(wrt) == len(reference.arrays))  # what integers add is not known to it
    return [found.get(i) for i in range(len(reference.arrays))]


WAYS = {"backward": backward, "recorded": recorded_backward, "grad": by_grad, "vjp": by_vjp}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_each_operation_by_itself(operation):
    """In some of a few programs it runs."""
    seen = []

    @examples(3)
    @given(programs(operations=[operation], steps=2))
    def differentiated(program):
        seen.append(program)
        reference = Reference(program)
        assert_gradients(reference, backward(reference))

    differentiated()
    assert any(step.operation is operation for program in seen for step in program.steps)
    assert hasattr(ops, operation.name)


@examples(150)
@given(programs(), st.sampled_from(list(WAYS)))
def test_values_and_gradients(program, way):
    reference = Reference(program)
    assert_gradients(reference, WAYS[way](reference))
    for x, leaf in zip(reference.arrays, program.leaves, strict=True):
        np.testing.assert_array_equal(x, leaf.array())


@examples(40)
@given(programs(dtypes=EXACT))
def test_values_in_between_have_their_gradients(program):
    reference = Reference(program)
    values = run(program, [Variable(x) for x in reference.arrays])
    y = sum(np.sum(np.real(values[i] * w)) for i, w in zip(program.roots, reference.weights, strict=True))
    assume(isinstance(y, Variable) and y.creator is not None)
    y.backward(retain_grad=True)
    for place, value in enumerate(values):
        if not isinstance(value, Variable) or value.grad is None or any(value is v for v in values[:place]):
            continue
        direction = np.random.default_rng(place).normal(size=value.shape)
        expected = reference.slope_behind(place, direction)
        found = paired([value.grad], [direction])
        assert expected.agrees(found), f"the slope at v{place} is {found}, not {expected.value}"


@examples(60)
@given(programs(dtypes=REAL, hows=("", "no_grad", "checkpoint")))
def test_slopes_are_those_of_differences(program):
    reference = Reference(program)
    slope = central_slope(lambda t: _terms(reference, t))
    assume(slope.smooth)
    found = paired(backward(reference), program.directions())
    assert abs(found - slope.value) <= 1e-6 * (1 + slope.size) + slope.uncertainty


def _terms(reference, t):
    values = reference.moving(0, 0, t, reference.still).values
    pairs = zip(reference.program.roots, reference.weights, strict=True)
    return np.concatenate([np.ravel(np.real(values[i] * w)) for i, w in pairs])


@examples(40)
@given(programs(dtypes=EXACT))
def test_derivatives_along_directions(program):
    reference = Reference(program)
    everything = range(len(program.leaves))
    values, tangents = jvp(
        reference.results(everything), tuple(reference.arrays), tuple(program.directions())
    )
    found = paired(tangents, reference.weights)
    expected = reference.slope()
    assert expected.agrees(found), f"the slope is {found}, not {expected.value}"
    for i, value in zip(program.roots, values, strict=True):
        assert reference.close(value, reference.values[i])


def twice_backward(reference, directions):
    """Give the gradients of the slope along directions."""
    xs = [Variable(x) for x in reference.arrays]
    total(reference, xs).backward(create_graph=True)
    gradients = [x.grad for x in xs]
    for x in xs:
        x.cleargrad()
    slope = sum(np.sum(np.real(g * d)) for g, d in zip(gradients, directions, strict=True) if g is not None)
    if isinstance(slope, Variable) and slope.creator is not None:
        slope.backward()
    return [x.grad for x in xs]


def by_hvp(reference, directions):
    everything = tuple(range(len(reference.arrays)))
    return hvp(reference.scalar(everything), everything)(*reference.arrays, tuple(directions))


def by_grad_of_grad(reference, directions):
    everything = tuple(range(len(reference.arrays)))
    gradient = grad(reference.scalar(everything), everything)

    def slope(*xs):
        return sum(np.sum(np.real(g * d)) for g, d in zip(gradient(*xs), directions, strict=True))

    return grad(slope, everything)(*reference.arrays)


@examples(80)
@given(programs(dtypes=EXACT, steps=5), st.sampled_from([twice_backward, by_hvp, by_grad_of_grad]))
def test_second_derivatives(program, way):
    """Against differences of the interpreter's slopes."""
    reference = Reference(program)
    slope = central_slope(lambda t: np.array([reference.weighed(reference.moving(0, 1, t, reference.still))]))
    assume(slope.smooth)
    found = paired(way(reference, program.directions()), program.directions(1))
    tolerance = 1e-5 * (1 + slope.size) + 100 * slope.uncertainty
    assert abs(found - slope.value) <= tolerance, f"{found} is not {slope.value}"


@examples(60)
@given(programs(dtypes=EXACT, hows=("",)), st.data())
def test_arrays_that_are_overwritten_give_right_gradients_or_an_error(program, data):
    """Through a leaf's data, at any time before backward, in guard mode."""
    when = data.draw(st.integers(0, len(program.steps)))
    which = data.draw(st.integers(0, len(program.leaves) - 1))
    used = [x.place for step in program.steps[when:] for x in step.inputs if hasattr(x, "place")]

    def overwrite(number, values):
        if number == when:
            array = plain(values[which])
            views = [i for i in (*used, *program.roots) if i != which and i < len(values)]
            assume(not any(np.shares_memory(array, plain(values[i])) for i in views))
            array *= 0.875

    reference = Reference(program)
    moving = program.moving([np.array(x) for x in program.arrays()], program.directions(), None, overwrite)
    xs = [Variable(x) for x in program.arrays()]
    with registry.guard():
        values = run(program, xs, overwrite)
        y = sum(np.sum(np.real(values[i] * w)) for i, w in zip(program.roots, reference.weights, strict=True))
        assume(isinstance(y, Variable) and y.creator is not None)
        try:
            y.backward()
        except OverwrittenError:
            assert when > 0
            return
    expected = reference.weighed(moving)
    assert abs(paired([x.grad for x in xs], program.directions()) - expected) <= 1e-7 * (1 + abs(expected))


# Of a single number, these take an axis, as np.sum does: no number is wrong for that.
TAKE_NUMBERS = {"add_accumulate", "average", "delete", "insert", "multiply_accumulate", "take_along_axis"}


@examples(30)
@given(programs(steps=12))
def test_what_numpy_refuses_is_refused(program):
    assume(program.refused)
    values = run(program, [Variable(x) for x in program.arrays()])
    for step in program.refused:
        xs = taken(step, values)
        if np.ndim(xs[0]) or step.operation.name not in TAKE_NUMBERS:
            with pytest.raises((ValueError, TypeError, IndexError)):
                made(step, xs)


def bits(gradients):
    return [None if g is None else (g.dtype, g.shape, g.tobytes()) for g in gradients]


@pytest.fixture
def cut_small(monkeypatch):
    """Give a context in which arrays of more than two elements go in blocks of two, on so many threads."""
    written = [operator.helper.__globals__ for operator in find_operators() if written_out(operator.helper)]

    @contextmanager
    def cut(threads):
        before = registry.get_num_threads()
        with monkeypatch.context() as patch:
            for module in (import_module("registry.function"), large):
                patch.setattr(module, "LARGE", 2)
            for namespace in written:
                patch.setitem(namespace, "_LARGE", 2)
            for in_blocks in (large.forward_in_blocks, large.backward_in_blocks):
                patch.setattr(in_blocks, "__defaults__", (2,))
            patch.setattr(large, "_WORTH_HELP", 0.0)
            registry.set_num_threads(threads)
            yield
        registry.set_num_threads(before)

    return cut


def written_out(helper):
    """Write out what a helper would write at its first call; say whether it has it."""
    if "_written_out" in getattr(getattr(helper, "__code__", None), "co_names", ()):
        helper.__globals__["_written_out"]()
    return "_LARGE" in getattr(helper, "__globals__", ())


WHOLE = ("sum", "mean", "reshape", "transpose", "broadcast_to", "getitem", "split")
CUT = [o for o in OPERATIONS if (o.by_helper and o.by_numpy) or o.name in WHOLE]


@pytest.mark.parametrize("threads", [1, 2])
def test_blocks_and_threads_change_no_bit(threads, cut_small):
    """Of elementwise operators, with some others between them."""

    @examples(40)
    @given(programs(operations=CUT, steps=10))
    def same(program):
        reference = Reference(program)
        with cut_small(threads):
            found = backward(reference)
        assert bits(found) == bits(backward(reference))

    same()
