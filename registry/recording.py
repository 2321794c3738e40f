"""How a call is recorded, of any operator and with any number of inputs.

`written_out` has the same for one operator, as the source of its helper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from registry import large, state
from registry.augmented import note_view
from registry.calling import checked_result, explain, make_constants_arrays
from registry.edges import Edge, Like, Output
from registry.modes import recording
from registry.variable import Variable, new_variable

if TYPE_CHECKING:
    from registry.function import Function

_is_recording = recording.get


def record(function: Function, inputs: Sequence[Any]) -> Any:
    """Compute an operator that was not called before, and record it where a Variable takes part."""
    arrays: list[Any] = []
    edges: list[Edge | None] = []
    generation, ready = -1, True
    for x in inputs:
        if isinstance(x, Variable):
            arrays.append(x._array)
            _, edge, of_x = x._node
            edges.append(edge)
            if of_x > generation:
                generation = of_x
        else:
            if type(x) is not np.ndarray or x.dtype.kind not in "biufc":
                ready = False
            arrays.append(x)
            edges.append(None)
    if not ready:
        make_constants_arrays(function, inputs, arrays)
    xs = tuple(arrays)
    function._edges = tuple(edges)
    function.generation = generation
    observers = state.default.observers
    if observers is not None:
        observers.before_forward(function=function, xs=xs)
    try:
        ys = large.forward(function, xs) if function.elementwise else function.forward(*xs)
    except Exception as error:
        explain(function, error, inputs)
        raise
    if type(ys) is not np.ndarray or ys.dtype.kind not in "biufc":
        is_number = type(ys) is np.float64 and function.scalars  # which stays one
        ys = ys if is_number else checked_result(function, ys)
    if observers is not None:
        seen = checked_result(function, ys)
        observers.after_forward(function=function, xs=xs, ys=seen if type(seen) is tuple else (seen,))
    return results(function, inputs, xs, ys)


def results(function: Function, inputs: Sequence[Any], xs: tuple[Any, ...], ys: Any) -> Any:
    """Make Variables of what `forward` gave, recorded or leaves, and note which are views of others.

    An input, or another output, as it is becomes a view of itself: so augmented assignment
    knows what NumPy would write into.
    """
    if type(ys) is tuple:
        return _several(function, inputs, xs, ys)
    if type(ys) is np.ndarray:
        for x in xs:
            if x is ys:
                ys = ys.view()
    if function.generation < 0 or not _is_recording() or not function.differentiable:
        (y,) = _leaves(function, (ys,))
    else:
        _keep(function, xs, (ys,))
        y = new_variable(ys, function, function.generation + 1)
        function._output = ref(y)
    if type(ys) is np.ndarray and ys.base is not None:
        note_view(inputs, y, ys)
    return y


def _several(
    function: Function, inputs: Sequence[Any], xs: tuple[Any, ...], ys: tuple[Any, ...]
) -> tuple[Variable, ...]:
    """Do the same for a tuple of results."""
    bases = [y.base for y in ys if type(y) is np.ndarray and y.base is not None]
    seen = Counter(map(id, (*xs, *ys, *bases)))
    ys = tuple([y.view() if type(y) is np.ndarray and seen[id(y)] > 1 else y for y in ys])
    if function.generation < 0 or not _is_recording() or not function.differentiable:
        made = _leaves(function, ys)
    else:
        _keep(function, xs, ys)
        function._outputs_like = tuple(map(like, ys))
        edges: list[Edge] = [function] if len(ys) == 1 else [Output(function, i) for i in range(len(ys))]
        made = tuple(
            [new_variable(y, edge, function.generation + 1) for y, edge in zip(ys, edges, strict=True)]
        )
        function._output = tuple(map(ref, made))
    for y, array in zip(made, ys, strict=True):
        if type(array) is np.ndarray and array.base is not None:
            note_view(inputs, y, array)
    return made


def _keep(function: Function, xs: tuple[Any, ...], ys: tuple[Any, ...]) -> None:
    """Keep of a call what its backward reads, and of other inputs what their gradients must be like."""
    if function._saves_xs and function.keeps_inputs(*ys):
        function.xs = function._inputs_like = xs
    else:
        function._inputs_like = tuple(map(like, xs))
        if function._saves_xs:
            function.xs = (None,) * len(xs)
    if function._saves_ys:
        function.ys = ys


def _leaves(function: Function, ys: tuple[Any, ...]) -> tuple[Variable, ...]:
    """Make results that carry no gradient, and say in each why.

    What was computed while recording was off is a leaf, like what somebody wraps by
    hand; other results without a gradient are constants.
    """
    leaf = function.differentiable and function.generation >= 0
    made = tuple([new_variable(y, None, -1) for y in ys])
    if leaf:
        for variable in made:
            variable.unchain()
    if leaf or not function.differentiable:
        off = "it was computed while recording was off (no_grad)"
        for variable in made:
            variable._why_leaf = off if leaf else f"{function} has no derivative"
    return made


def like(x: Any) -> Any:
    """Give shape and dtype of an array, without keeping it; a 0-d one costs less as it is."""
    return Like(x.shape, x.dtype) if type(x) is np.ndarray and x.ndim else x
