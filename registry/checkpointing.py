"""`checkpoint`: computing a part of a program again in the backward pass, instead of keeping its arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from registry.catalog import StandIn
from registry.edges import Leaf, Output, holder
from registry.errors import GradientError
from registry.function import Function
from registry.modes import recording
from registry.structures import leaves, mapped
from registry.tracing import Mark, gradients_at, is_number, marked, others_behind, running, while_recording
from registry.variable import Variable

if TYPE_CHECKING:
    from registry.repeating import Kept

F = TypeVar("F", bound=Callable[..., Any])
_HOLE = object()


def checkpoint(f: F) -> F:
    """Give a function with the same results, whose inner arrays are not kept for the backward pass.

    The backward pass calls `f` again: memory for time. So `f` must compute the same again:
    random numbers must come from a generator that is made inside, with a seed, and what `f`
    reads must not change until then.

    Parameters
    ----------
    f : callable
        Of arrays, numbers, and structures of them. Variables that it uses without
        getting them as arguments, such as a layer's weights, get their gradients, too.

    Raises
    ------
    GradientError
        In the backward pass, if `f` does not compute the same there, bit for bit: the results,
        the operators that it calls, and what their `backward` reads, such as the mask of a
        dropout where the activations are 0.

    Notes
    -----
    Of what `backward` reads a checksum (CRC-32) is kept, at 2 GB/s for each of the two calls. An
    object that an operator keeps is compared by all its attributes; one that shows none, such as a
    lock, must be the very same object in both calls.
    Neither arguments nor parameters are part of it: whether those are overwritten is what
    `guard` looks for. Bits repeat as long as the number of threads of BLAS does.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import checkpoint, grad
    >>> block = checkpoint(lambda x: np.sin(np.exp(x)) ** 2)
    >>> grad(lambda x: block(block(x)))(0.5) == grad(lambda x: block.__wrapped__(block.__wrapped__(x)))(0.5)
    np.True_
    """

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not recording.get():
            return f(*args, **kwargs)
        inputs = _variables((args, kwargs))
        # The Variables themselves go into edges: kept here, they would make a cycle of x.grad and x.
        given = mapped(lambda x: _HOLE if isinstance(x, Variable) else x, (args, kwargs))
        numbers = list(map(is_number, inputs))
        pairs = [marked(x._array, number=number) for x, number in zip(inputs, numbers, strict=True)]
        marks = [mark for _, mark in pairs]
        with running(marks):
            result = _called(f, given, [variable for variable, _ in pairs])
        ys = _variables(result)
        outside = others_behind(ys, marks)
        if not inputs and not outside:
            return result
        way = _way(ys, [*marks, *[x._edge for x in outside]])
        again = Recomputed(f, given, [y._array for y in ys], numbers, way)
        made = iter(again(*inputs, *outside) if ys else ())
        return mapped(lambda y: next(made) if isinstance(y, Variable) else y, result)

    return call  # type: ignore[return-value]


def _variables(tree: Any) -> list[Variable]:
    return [x for x in leaves(tree) if isinstance(x, Variable)]


def _called(f: Callable[..., Any], given: Any, inputs: Sequence[Variable]) -> Any:
    """Call `f` with Variables in the holes of what it was given."""
    filling = iter(inputs)
    args, kwargs = mapped(lambda x: next(filling) if x is _HOLE else x, given)
    return while_recording(f, *args, **kwargs)


class Recomputed(Function):
    """What a function gave, with a backward that calls it again.

    Its inputs are arguments of the function, some of them `numbers`, and then the Variables from outside.
    """

    only_reads = True

    def __init__(
        self,
        f: Callable[..., Any],
        given: Any,
        results: Sequence[Any],
        numbers: list[bool],
        way: tuple[int, Kept] | None,
    ) -> None:
        self.f = f
        self.given = given
        self.results: Any = tuple(results)
        self.numbers = numbers
        self.way = way

    def forward(self, *xs: Any) -> Any:
        results, self.results = self.results, None
        return results

    def backward(self, *gys: Any) -> Any:
        return self._again(self.xs, gys, create_graph=False)

    def _backward_on_variables(self, gys: Sequence[Any]) -> Any:
        return self._again(self.inputs, gys, create_graph=True)

    def _again(self, xs: Sequence[Any], gys: Sequence[Any], *, create_graph: bool) -> tuple[Any, ...]:
        pairs = [marked(x, number=number) for x, number in zip(xs, self.numbers, strict=False)]
        marks: list[Mark | Variable] = [mark for _, mark in pairs]
        with running([mark for _, mark in pairs]):
            ys = _variables(_called(self.f, self.given, [variable for variable, _ in pairs]))
        self._compare(ys, marks)
        roots = list(zip(ys, gys, strict=True))
        return tuple(gradients_at([*marks, *self.inputs[len(self.numbers) :]], roots, create_graph))

    def _compare(self, ys: Sequence[Variable], marks: Sequence[Any]) -> None:
        """Refuse what was not computed as the first time."""
        edges = self._edges[len(self.numbers) :]
        held = map(holder, edges)
        seen = self.inputs[len(self.numbers) :]
        if any(x is not None and x is not y for x, y in zip(held, seen, strict=True)):
            raise self._differs("would read a Variable whose '.data' was bound to another array")
        if len(ys) != len(self.ys) or not all(map(_same, (y._array for y in ys), self.ys)):
            raise self._differs("gave another result")
        way = self.way and _way(ys, [*marks, *edges], self.way[1])
        if way and self.way and way[0] != self.way[0]:
            raise self._differs("came to the same result another way")

    def _differs(self, how: str) -> GradientError:
        return GradientError(
            f"{self}: called again in the backward pass, it {how}, which has another gradient; make random "
            "generators inside it, with a seed, and change nothing that it reads"
        )

    def __str__(self) -> str:
        return f"checkpoint of {getattr(self.f, '__name__', self.f)}"


def _same(again: Any, before: Any) -> bool:
    """Compare two results; bits repeat, as 20,000 calculations on BLAS and without did."""
    if isinstance(again, StandIn):
        return True
    if again.shape != before.shape or again.dtype != before.dtype:
        return False
    return np.array_equal(again, before, equal_nan=before.dtype.kind in "fc")


def _way(ys: Sequence[Variable], ends: Sequence[Any], before: Kept | None = None) -> tuple[int, Kept] | None:
    """Give a checksum of how results were computed: of all that their gradients depend on, but the inputs.

    That are the operators in the order of a walk from the results to these ends, how they
    follow each other, and what their `backward` reads. With it come the objects that can only be
    compared by being the same, which the second call takes as `before`.
    """
    from zlib import crc32  # 0.5 ms, which `import registry` need not take

    from registry.repeating import Kept, Texts, stored

    if any(isinstance(y._value, StandIn) for y in ys):
        return None  # what is traced is compared with another trace
    given = frozenset(map(id, ends))
    met = {id(end): i for i, end in enumerate(ends)}
    nodes: list[Any] = []
    texts = Texts([y._value for y in ys], Kept() if before is None else before)
    checksum = 0

    def place(edge: Any) -> Any:
        node, index = edge if type(edge) is Output else (edge, 0)
        if node is not None and id(node) not in met:
            met[id(node)] = len(met)
            nodes.append(node)
        return node is not None and (met[id(node)], index)

    def note(x: Any) -> None:
        nonlocal checksum
        checksum = crc32(texts.of(x).encode("utf-8", "surrogatepass"), checksum)

    note(str([place(y._edge) for y in ys]))
    for node in nodes:  # which grows on the way
        if isinstance(node, Leaf):
            continue
        note(type(node))
        note(str([place(edge) for edge in node._edges]))
        for x, edge in zip(node.xs if node._saves_xs else (), node._edges, strict=False):
            if id(edge) not in given:
                note(x)
        for x in (*(node.ys if node._saves_ys else ()), *stored(node)):
            note(x)
    return checksum, texts.kept
