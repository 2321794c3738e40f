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
from registry.numpy_protocol import memory
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
    return results_and_views(function, inputs, xs, ys)


def results_and_views(function: Function, inputs: Sequence[Any], xs: tuple[Any, ...], ys: Any) -> Any:
    """Make Variables of what `forward` gave, and note which are views of others.

    An input, or another output, as it is becomes a view of itself: so augmented assignment
    knows what NumPy would write into.
    """
    if type(ys) is not tuple:
        array = _viewed(xs, ys)
        y = results(function, xs, array)
        if type(array) is np.ndarray and array.base is not None:
            note_view(inputs, y, array)
        return y
    arrays = [_viewed(xs, y) for y in ys]
    seen = Counter(id(memory(y)) for y in arrays if type(y) is np.ndarray)
    arrays = [y.view() if seen[id(y)] > 1 else y for y in arrays]
    variables = results(function, xs, tuple(arrays))
    for y, array in zip(variables, arrays, strict=True):
        if type(array) is np.ndarray and array.base is not None:
            note_view(inputs, y, array)
    return variables


def _viewed(xs: Sequence[Any], y: Any) -> Any:
    if type(y) is np.ndarray:
        for x in xs:
            if x is y:
                return y.view()
    return y


def results(function: Function, xs: tuple[Any, ...], ys: Any) -> Any:
    """Make Variables of what `forward` gave, recorded or leaves."""
    several = type(ys) is tuple
    if function.generation < 0 or not _is_recording() or not function.differentiable:
        return _leaves(function, ys if several else (ys,), several)
    kept = ys if several else (ys,)
    if function._saves_xs and function.keeps_inputs(*kept):
        function.xs = function._inputs_like = xs
    else:
        function._inputs_like = tuple(map(like, xs))
        if function._saves_xs:
            function.xs = (None,) * len(xs)
    if function._saves_ys:
        function.ys = kept
    generation = function.generation + 1
    if not several:
        y = new_variable(ys, function, generation)
        function._output = ref(y)
        return y
    function._outputs_like = tuple(map(like, ys))
    edges: list[Edge] = [function] if len(ys) == 1 else [Output(function, i) for i in range(len(ys))]
    made = tuple([new_variable(y, edge, generation) for y, edge in zip(ys, edges, strict=True)])
    function._output = tuple(map(ref, made))
    return made


def _leaves(function: Function, ys: tuple[Any, ...], several: bool) -> Any:
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
    return made if several else made[0]


def like(x: Any) -> Any:
    """Give shape and dtype of an array, without keeping it; a 0-d one costs less as it is."""
    return Like(x.shape, x.dtype) if type(x) is np.ndarray and x.ndim else x
