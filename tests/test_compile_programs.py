"""Random programs, compiled and not: values, gradients and products with Hessians agree."""

import numpy as np
import pytest
from hypothesis import assume, given
from random_programs import OPERATIONS, programs
from random_programs.program import laid_out
from random_programs.reference import Reference
from scale import examples

import registry
from registry import compile as compiled
from registry import hvp, value_and_grad
from registry.compiler import buffers, groups

pytestmark = pytest.mark.usefixtures("plans_do_not_fail")
EXACT = (np.float64, np.complex128)
HOWS = ("", "", "no_grad", "stop_gradient", "checkpoint")
# The shape of polymul's result depends on the numbers, so that is refused.
TRACED = [operation for operation in OPERATIONS if operation.name != "polymul"]


def agree(reference, f, *calls):
    """Call a function and its compiled one, each plan twice."""
    c = compiled(f)
    for args in calls:
        for _ in range(2):
            given = [np.copy(x) for x in args]
            found, expected = c(*args), f(*args)
            np.testing.assert_equal(list(args), given)
            pairs = zip(registry.structures.leaves(found), registry.structures.leaves(expected), strict=True)
            for a, b in pairs:
                assert type(a) is type(b)
                assert reference.close(a, b), f"{a} is not {b}"


def differentiated(program):
    """Give what is known of a program, its function, and two lists of arguments of one kind."""
    reference = Reference(program)
    wrt = reference.floating()
    assume(wrt)
    leaves, arrays = [program.leaves[i] for i in wrt], [reference.arrays[i] for i in wrt]
    moved = [
        laid_out((x + 1e-3).astype(leaf.dtype), leaf.layout) for leaf, x in zip(leaves, arrays, strict=True)
    ]
    return reference, reference.scalar(wrt), tuple(range(len(wrt))), arrays, moved


@examples(50)
@given(programs(TRACED, hows=HOWS))
def test_values_and_gradients(program):
    """With arrays of any size taken again, as large ones are."""
    reference, f, wrt, arrays, moved = differentiated(program)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buffers, "REUSED", 1)
        agree(reference, value_and_grad(f, wrt), arrays, moved)


@examples(25)
@given(programs(TRACED, 5, EXACT, HOWS))
def test_products_with_hessians(program):
    reference, f, wrt, arrays, moved = differentiated(program)
    directions = tuple(program.directions())
    product = lambda *xs: hvp(f, wrt)(*xs, directions)  # noqa: E731
    agree(reference, product, arrays, moved)


@pytest.mark.parametrize("threads", [1, 2])
def test_block_by_block(threads):
    """As large arrays are computed, with small ones, in blocks of a few rows or elements."""

    @examples(25)
    @given(programs(TRACED, 12, hows=HOWS))
    def same(program):
        reference, f, wrt, arrays, moved = differentiated(program)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(groups, "LARGE", 4)
            patch.setattr(groups, "WORTH", 0)
            patch.setattr("registry.compiler.blocks.BLOCK", 8 * 2)
            patch.setattr("registry.compiler.blocks.SHARED", (threads - 1) * 1000)
            agree(reference, value_and_grad(f, wrt), arrays, moved)

    same()
