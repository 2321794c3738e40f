"""Large arrays through elementwise operators: block by block, on several threads.

Each element depends on its own alone, so an author's `forward` and `backward` run on parts of
the arrays, too. A backward pass takes each part through all operators that follow each other:
gradients between them stay in cache. Results are the same, bit for bit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from math import prod
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from registry.backward import Pass
from registry.edges import Edge, Leaf, Like, Output
from registry.threads import LARGE, threads
from registry.variable import Variable

if TYPE_CHECKING:
    from registry.function import Function

# Elements of a block: half as many cost a long run of operators 5 % more, for what Python does once
# a block; with twice as many, what one operator leaves in cache is gone when the next one comes.
BLOCK = 32_768
# Functions behind each other that win by blocks on one thread: eight take 0.8 of the time, two 1.1.
_LONG = 3
# Seconds that a block takes at least where other threads help. Products and sums, which wait for
# memory, take 20 to 50 us, and no less on two threads; sines take 300 us.
_WORTH_HELP = 1e-4
_NUMBERS = (bool, int, float, complex, str, np.number, type(None))


class _Blocks:
    """How arrays that broadcast to one shape are cut alike.

    Where each is one line of memory, the line is cut; otherwise the axis with the longest
    stride. What is shorter there, or a single number, belongs to every block as it is.
    """

    def __init__(self, shape: tuple[int, ...], arrays: Iterable[Any], size: int) -> None:
        self.shape = shape
        given = [x for x in arrays if _has_axes(x)]
        self.is_line = all(x.shape == shape and (x.flags.c_contiguous or not any(x.strides)) for x in given)
        if self.is_line:
            self.length = prod(shape)
            self.count = self.length // size
            return
        strides = next((x.strides for x in given if x.shape == shape and any(x.strides)), (1,) * len(shape))
        longest = max(range(len(shape)), key=lambda axis: abs(strides[axis]) * (shape[axis] > 1))
        self.axis = longest - len(shape)  # from the end, where arrays that broadcast are aligned
        self.length = shape[longest]
        # Two at least: of an axis of length 1, nothing tells how it lies in memory.
        self.count = self.length // max(size * self.length // prod(shape), 2)

    def __getitem__(self, block: int) -> Any:
        """Give the index that takes a block from what `views` gives."""
        cut = slice(self.length * block // self.count, self.length * (block + 1) // self.count)
        return cut if self.is_line else (..., cut, *[slice(None)] * (-1 - self.axis))

    def views(self, arrays: Iterable[Any]) -> list[tuple[Any, bool]]:
        """Give arrays as they are cut, and whether they are."""
        return [(self.view(x), True) if self._is_cut(x) else (x, False) for x in arrays]

    def view(self, x: Any) -> Any:
        """Give an array of the whole shape as it is cut."""
        return x.reshape(-1) if self.is_line else x

    def _is_cut(self, x: Any) -> bool:
        if self.is_line or not _has_axes(x):
            return _has_axes(x)
        return bool(x.ndim >= -self.axis and x.shape[self.axis] == self.length)

    def empty_like(self, part: Any) -> Any:
        """Make the array of which this is a part, with the same order of axes in memory."""
        if self.is_line:
            return np.empty(self.shape, part.dtype)
        return np.empty_like(part, shape=self.shape)


def _has_axes(x: Any) -> bool:
    return type(x) is np.ndarray and x.ndim > 0


def _parts(views: Iterable[tuple[Any, bool]], index: Any) -> tuple[Any, ...]:
    return tuple([x[index] if is_cut else x for x, is_cut in views])


def _is_uniform(function: Function) -> bool:
    """Say whether a function takes a part as it takes the whole: it holds numbers at most."""
    if not function._uniform:
        return False
    return function._bare or all(isinstance(x, _NUMBERS) for x in getattr(function, "__dict__", {}).values())


def forward(function: Function, xs: Sequence[Any]) -> Any:
    """Compute an operator, in blocks if it is elementwise, inputs are large, and there are threads.

    On one thread, blocks would take 15 % longer, since their results are written twice.
    """
    if threads.count > 1 and _is_uniform(function) and any(_has_axes(x) and x.size > LARGE for x in xs):
        y = forward_in_blocks(function, xs)
        if y is not None:
            return y
    return function.forward(*xs)


def forward_in_blocks(function: Function, xs: Sequence[Any], size: int = BLOCK) -> Any:
    """Give the result, or None where blocks do not make one, or not sooner."""
    try:
        shape = np.broadcast_shapes(*[np.shape(x) for x in xs if x is not None])
    except ValueError:  # the author's code says it better
        return None
    if not prod(shape):  # a large array beside an empty one
        return None
    blocks = _Blocks(shape, xs, size)
    if blocks.count < 2:
        return None
    views = blocks.views(xs)

    def of_part(index: Any, **out: Any) -> Any:
        try:
            return function.forward(*_parts(views, index), **out)
        except Exception:  # the whole raises it again, with the arrays that the user gave
            return None

    started = perf_counter()
    first = of_part(blocks[0])
    cheap = perf_counter() - started < _WORTH_HELP
    if cheap or type(first) is not np.ndarray or first.dtype.kind not in "biufc":
        return None
    if first.base is not None and any(_has_axes(x) and np.may_share_memory(first, x) for x in xs):
        return None  # a view, which the whole is, too
    result = blocks.empty_like(first)
    results = blocks.view(result)
    is_ufunc = isinstance(type(function).forward, np.ufunc)
    odd: list[int] = []

    def compute(block: int) -> None:
        if odd:
            return
        place = results[blocks[block]]
        out = {"out": place} if is_ufunc else {}
        y = of_part(blocks[block], **out) if block else first
        if type(y) is not np.ndarray or y.shape != place.shape or y.dtype != place.dtype:
            odd.append(block)
        elif y is not place:
            place[...] = y

    threads.run(blocks.count, compute)
    return None if odd else result


def postpone(on_its_way: Pass, function: Function, gy: Any) -> None:
    """Let a large gradient wait until all others of its generation are passed back."""
    if not on_its_way.large:
        on_its_way.late.append(pass_back)
    on_its_way.gradients[id(function)] = gy
    on_its_way.large.append(function)


def pass_back(on_its_way: Pass) -> None:
    """Pass the large gradients of one generation back, as the last ones that wait there.

    They go in blocks through their functions and those of earlier generations, as far as all
    that wait there are elementwise; or as a whole, where blocks do not make one.
    """
    functions = list(on_its_way.large)
    on_its_way.large.clear()
    gradients, waiting = on_its_way.gradients, on_its_way.waiting
    run = _run(functions, on_its_way)
    fast = run and (threads.count > 1 or len(run) >= _LONG)
    found = backward_in_blocks(run, gradients) if fast else None
    if found is None:
        for function in functions:
            on_its_way.step(function, (gradients.pop(id(function)),))
        return
    for function in run:
        gradients.pop(id(function), None)
        waiting.pop(function.generation, None)
    for edge, gradient, ours in found:
        if id(edge) not in gradients:
            waiting[edge.generation].append(edge)
        gradients[id(edge)] = gradient
        if ours:
            on_its_way.owned.add(id(edge))


def _run(functions: list[Function], on_its_way: Pass) -> list[Function]:
    """Give the functions that parts go through: these, and those of whole generations behind them."""
    gradients, waiting = on_its_way.gradients, on_its_way.waiting
    shape = gradients[id(functions[0])].shape
    run: list[Function] = []
    behind: defaultdict[int, list[Any]] = defaultdict(list)
    level: list[Any] = functions
    while all(takes_parts(edge, shape, gradients) for edge in level):
        run += level
        for function in level:
            for edge in function._edges:
                if edge is not None:
                    behind[edge.generation].append(edge)
        generation = max(k for k in {Leaf.generation, *behind, *waiting} if k < level[0].generation)
        if generation == Leaf.generation:
            break
        level = [*waiting.get(generation, ()), *behind[generation]]
        level = list({id(edge): edge for edge in level}.values())
    return run


def takes_parts(edge: Any, shape: tuple[int, ...], gradients: dict[int, Any]) -> bool:
    """Say whether gradients of this shape go in parts through what is at an edge."""
    if isinstance(edge, Output) or not _is_uniform(edge) or type(edge._output) is tuple:
        return False
    if id(edge) in gradients and gradients[id(edge)].shape != shape:
        return False
    likes = zip(edge._edges, edge._inputs_like, strict=True)
    return all(behind is None or like.shape == shape for behind, like in likes)


def backward_in_blocks(
    run: Sequence[Function], gradients: dict[int, Any], size: int = BLOCK
) -> list[tuple[Edge, Any, bool]] | None:
    """Give what arrives behind some functions: the edge, the gradient, whether it is a new array.

    Each part goes through a pass of its own, in copies of the functions that saw a part; behind
    them stands a leaf for each edge that leads further. None where blocks do not make the whole,
    or not sooner.
    """
    inside = set(map(id, run))
    beyond = [edge for function in run for edge in function._edges if id(edge) not in inside]
    edges = {id(edge): edge for edge in beyond if edge is not None}
    arrived = {key: gradients[key] for key in (*map(id, run), *edges) if key in gradients}
    xs = [function.xs if function._saves_xs else () for function in run]
    ys = [function.ys if function._saves_ys else () for function in run]
    blocks = _Blocks(gradients[id(run[0])].shape, chain(arrived.values(), *xs, *ys), size)
    if blocks.count < 2:
        return None
    given = blocks.views(arrived.values())
    members = list(zip(run, map(blocks.views, xs), map(blocks.views, ys), strict=True))
    leaves = {key: Variable(None) for key in edges}
    ends = {id(None): None, **{key: leaf._edge for key, leaf in leaves.items()}}
    key_of = {id(leaf): key for key, leaf in leaves.items()}

    def of_part(index: Any) -> dict[int, tuple[Any, Any]] | None:
        """Give what arrives at each edge, and the whole array if it is nothing but a part of one."""
        gys = _parts(given, index)
        at: dict[int, Any] = {**ends}
        for function, xs, ys in reversed(members):
            at[id(function)] = part = function._unrecorded_copy()
            part.xs, part.ys = _parts(xs, index), _parts(ys, index)
            part._edges = tuple([at[id(edge)] for edge in function._edges])
            part._inputs_like = [
                None if like is None else Like(gys[0].shape, like.dtype) for like in function._inputs_like
            ]
            part.generation, part._output = function.generation, function._output
        through = Pass(create_graph=False)
        for key, gy in zip(arrived, gys, strict=True):
            through.arrive(at[key], gy)
        wholes = {id(gy): whole for gy, whole in zip(gys, arrived.values(), strict=True)}
        try:
            arrives = through.run()
        except Exception:  # the whole raises it again, with the arrays that the user gave
            return None
        return {key_of[id(leaf)]: (gradient, wholes.get(id(gradient))) for leaf, gradient, _ in arrives}

    started = perf_counter()
    first = of_part(blocks[0])
    cheap = perf_counter() - started < _WORTH_HELP
    if first is None or (cheap and len(run) < _LONG):
        return None
    made = {key: blocks.empty_like(part) for key, (part, whole) in first.items() if whole is None}
    if not made:  # nothing is computed
        return None
    results = {key: blocks.view(x) for key, x in made.items()}
    passed_on = {key: id(whole) for key, (_, whole) in first.items()}
    odd: list[int] = []

    def compute(block: int) -> None:
        if odd:
            return
        arrives = of_part(blocks[block]) if block else first
        if arrives is None or {key: id(whole) for key, (_, whole) in arrives.items()} != passed_on:
            odd.append(block)
            return
        for key, result in results.items():
            result[blocks[block]] = arrives[key][0]

    if cheap:
        for block in range(blocks.count):
            compute(block)
    else:
        threads.run(blocks.count, compute)
    if odd:
        return None
    return [(edges[key], made.get(key, whole), whole is None) for key, (_, whole) in first.items()]
