"""The backward pass: each recorded function once, from the result towards the leaves.

Functions wait by generation: whatever one passes back goes to an earlier generation, so
that nothing has to be looked at beforehand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from sys import getrefcount
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from registry import state
from registry.catalog import StandIn
from registry.edges import Edge, Leaf, Output
from registry.errors import GradientError
from registry.modes import differentiating, recording
from registry.numpy_protocol import NumPyProtocol
from registry.threads import lock_across_forks

if TYPE_CHECKING:
    from registry.function import Function
    from registry.variable import Variable

float64, ndarray = np.float64, np.ndarray
_adding = lock_across_forks()


class Pass:
    """One backward pass: the gradients on their way.

    Attributes
    ----------
    gradients : dict
        What has arrived so far, by the identity of the edge. The first gradient to arrive may
        belong to anybody; adding a second one makes an array of our own, and further ones are
        added into it.
    owned : set
        Where the array is our own, by the same.
    waiting : dict
        Generation -> edges at which something has arrived.
    late : list of callable
        What is done with this pass when all else of a generation has been passed back:
    several : dict
        functions with several outputs, identity -> function, gradients by index, and
    large : list
        functions with a large gradient, which may go in blocks.
    create_graph : bool
        Whether the pass is recorded.
    retained : list or None
        Variables in between with their gradients, where those are to be kept.
    compares : bool
        Whether any Variable was ever bound to data of another shape or dtype, so that gradients
        must be compared with that: a program that never does so compares shapes of arrays alone.
    """

    compares: ClassVar[bool] = False

    __slots__ = (
        *("create_graph", "gradients", "large", "late", "observers", "owned", "retained", "several"),
        "waiting",
    )

    def __init__(self, create_graph: bool, retain_grad: bool = False) -> None:
        self.gradients: dict[int, Any] = {}
        self.owned: set[int] = set()
        self.waiting: defaultdict[int, list[Any]] = defaultdict(list)
        self.late: list[Callable[[Pass], None]] = []
        self.large: list[Function] = []
        self.several: dict[int, tuple[Function, dict[int, Any]]] = {}
        self.create_graph = create_graph
        self.observers = state.default.observers
        self.retained: list[tuple[Variable, Any, bool]] | None = [] if retain_grad else None

    def run(self) -> list[tuple[Variable, Any, bool]]:
        """Give each leaf its gradient, and whether that array is ours alone.

        In a context of its own, so that the modes outside are what they were whatever ends it,
        Ctrl-C between any two lines, too; it takes the time of setting them back.
        """
        return copy_context().run(self._run)

    def _run(self) -> list[tuple[Variable, Any, bool]]:
        waiting, gradients, late = self.waiting, self.gradients, self.late
        unwatched = self.observers is None and self.retained is None
        plain = unwatched and not self.create_graph
        recording.set(self.create_graph)
        if differentiating.get() is not None:
            differentiating.set(None)
        for generation in range(max(waiting), -1, -1):
            for edge in waiting.pop(generation, ()):
                if plain or type(edge) is Output:
                    edge._pass_back(gradients.pop(id(edge)), self)
                elif unwatched:
                    edge._pass_back_recorded(gradients.pop(id(edge)), self)
                else:
                    self.step(edge, (gradients.pop(id(edge)),))
            while late:
                late.pop()(self)
        found, compares = [], self.compares
        for leaf in waiting.pop(Leaf.generation, ()):
            key, x = id(leaf), leaf()
            gradient = gradients.pop(key)
            is_array = type(gradient) is ndarray
            ours = is_array and (key in self.owned or _is_only_here(gradient))
            if x is not None:
                data = x._node[0]
                if compares or (is_array and data is not None and gradient.shape != data.shape):
                    gradient = _like_data(x, gradient)
                found.append((x, gradient, ours))
            del gradient
        return found

    def step(self, function: Function, gys: Sequence[Any]) -> None:
        """Pass the gradients of a function's outputs back to its inputs."""
        recorded, observers = self.create_graph, self.observers
        if not recorded and not function.scalars:
            gys = list(map(_as_array, gys))
        if not function._only_reads:
            gys = function._given(gys)
        if observers is not None:
            observers.before_backward(function=function, gys=tuple(map(_as_array, gys)))
        if self.retained is not None:
            self.retained += _held(function, gys)
        try:
            if recorded:
                gxs = function._backward_on_variables(gys)
            else:
                gxs = (function if function._only_reads else function._alone()).backward(*gys)
        except Exception as error:
            explain(function, error)
            raise
        edges, likes = function._edges, function._inputs_like
        if gxs is not None and not isinstance(gxs, tuple):
            gxs = (gxs,)
        if gxs is None or len(gxs) != len(edges):
            gxs = counted(function, gxs)
        if observers is not None:
            observers.after_backward(function=function, gxs=gxs)
        for edge, like, gx in zip(edges, likes, gxs):  # noqa: B905, lengths agree
            if edge is None or gx is None:
                continue
            if recorded or (type(gx) is not ndarray and type(gx) is not float64):
                gx = function._gradient(gx, recorded)
            value = gx._node[0] if recorded else gx
            numbers = type(value) is float64 and type(like) is float64  # which always fit
            if not numbers and (value.shape != like.shape or value.dtype is not like.dtype):
                gx = fitted(function, gx, like, gys)
            self.arrive(edge, gx)

    def arrive(self, edge: Edge, gx: Any) -> None:
        """Add a gradient to what has arrived at the end of an edge, which waits for its turn."""
        key = id(edge)
        if key in self.gradients:
            self.add(key, gx)
        else:
            self.gradients[key] = gx
            self.waiting[edge.generation].append(edge)

    def gather(self, output: Output, gy: Any) -> None:
        """Keep the gradient of one output of several until those of the others are there."""
        if not self.several:
            self.late.append(_pass_several_back)
        gys = self.several.setdefault(id(output.function), (output.function, {}))[1]
        gys[output.index] = gys[output.index] + gy if output.index in gys else gy

    def add(self, key: int, gx: Any) -> None:
        """Add a gradient where another has arrived before."""
        before = self.gradients[key]
        if type(before) is float64 and type(gx) is float64:
            self.gradients[key] = before + gx
            return
        if self.compares or before.shape != gx.shape:
            leaf = next((leaf for leaf in self.waiting[Leaf.generation] if id(leaf) == key), None)
            _compare_kinds(leaf and leaf(), "gradients", before, gx)
        if key in self.owned:
            np.add(before, gx, out=before)
        else:
            self.gradients[key] = total = _as_array(before + gx)
            if type(total) is ndarray:
                self.owned.add(key)


def run_backward(root: Variable, edge: Edge, seed: Any, retain_grad: bool, create_graph: bool) -> None:
    """Differentiate `root`, which is at an edge, and add to the leaves' `grad`.

    All gradients are known before the first `grad` is touched, so an error on the
    way leaves every one as it was.
    """
    on_its_way = Pass(create_graph, retain_grad)
    on_its_way.arrive(edge, seed)
    found = on_its_way.run()
    if on_its_way.retained:
        found += [held for held in on_its_way.retained if held[0] is not root]
    with _adding:
        sums = [
            (x, gradient if ours and x.grad is None else _total(x, gradient)) for x, gradient, ours in found
        ]
        for x, total in sums:
            x.grad = total
        if retain_grad and root.grad is None:
            root.grad = _as_array(seed)


def pass_back(roots: Sequence[tuple[Variable, Any]], create_graph: bool) -> list[tuple[Variable, Any]]:
    """Differentiate several Variables at once, each weighed by a gradient of its own.

    Gives each leaf with its gradient, and touches no `grad`.
    """
    on_its_way = Pass(create_graph)
    for root, seed in roots:
        if root.creator is not None:
            on_its_way.arrive(root._edge, seed)  # type: ignore[arg-type]
    return [(leaf, gradient) for leaf, gradient, _ in on_its_way.run()] if on_its_way.waiting else []


def _pass_several_back(on_its_way: Pass) -> None:
    several = on_its_way.several
    while several:
        _, (function, gys) = several.popitem()
        on_its_way.step(function, _of_each_output(function, gys))


def _is_only_here(gradient: Any) -> bool:
    """Say that nobody but the caller, by one name, has this array, so that no copy is needed."""
    return getrefcount(gradient) == _ALONE and gradient.base is None and gradient.flags.writeable


def own_arrays(gradients: list[Any]) -> list[Any]:
    """Copy those arrays of a list that somebody else has, too; the list is emptied for it."""
    gradients.reverse()
    made = []
    while gradients:
        gradient = gradients.pop()
        kept = isinstance(gradient, NumPyProtocol) or (type(gradient) is ndarray and _is_only_here(gradient))
        made.append(gradient if kept else copied(gradient))
        del gradient
    return made


def copied(array: Any) -> Any:
    """Copy an array with its memory order; one of a plugin's type, its own way."""
    has_order = isinstance(array, ndarray | StandIn)
    return array.copy("K") if has_order else array.copy()


def _references(x: Any) -> int:
    return getrefcount(x)


def _references_of_one_name() -> int:
    """Count those that a call of `_is_only_here` sees, which Pythons count differently."""
    array = np.empty(0)
    return _references(array)


_ALONE = _references_of_one_name()


def _held(function: Function, gys: Sequence[Any]) -> list[tuple[Variable, Any, bool]]:
    """Give the outputs that people hold with their gradients."""
    held = zip(function.output_references(), gys, strict=True)
    return [(y, gy, False) for r, gy in held if gy is not None and (y := r()) is not None]


def explain(function: Function, error: Exception) -> None:
    """Note on an error of `backward` which operator it came from."""
    error.add_note(f"in backward of {function}")
    if isinstance(error, AttributeError) and error.name in ("xs", "ys"):
        error.add_note(
            f"self.{error.name} is kept where the class attribute 'saves' (now {function.saves}) names it"
        )


def _of_each_output(function: Function, given: Mapping[int, Any]) -> Sequence[Any]:
    """Give a gradient for each output: for one that nothing used zeros, or None where it asks for that."""
    gys = [given.get(i) for i in range(len(function._outputs_like))]
    if function.materialize_grads:
        return [function._zeros(i) if gy is None else _as_array(gy) for i, gy in enumerate(gys)]
    return list(map(_as_array, gys))


def _as_array(gradient: Any) -> Any:
    """Make an array of a NumPy scalar, which is what arithmetic on 0-d arrays gives."""
    return np.asarray(gradient) if isinstance(gradient, np.generic) else gradient


def counted(function: Function, returned: Any) -> Sequence[Any]:
    """Make a sequence of one gradient for each input; accept None for optional ones that were left out.

    None alone is what a method without `return` gives, and no way to say that there is no gradient.
    """
    if returned is None and any(function.needs_grad):
        raise GradientError(
            f"{function}: backward returned None alone, as a method without 'return' does; return the "
            "gradients, and None within a tuple, (None,) for one input, where there is none"
        )
    gxs: Sequence[Any] = returned if isinstance(returned, tuple) else (returned,)
    expected = len(function._inputs_like)
    if len(gxs) == 1 and expected > 1 and isinstance(gxs[0], list):
        gxs = gxs[0]
    if len(gxs) == expected:
        return gxs
    if len(gxs) > expected and all(gx is None for gx in gxs[expected:]):
        return gxs[:expected]
    raise GradientError(
        f"{function}: backward returned {len(gxs)} gradients "
        f"for {expected} inputs; return one for each input, None where there is none"
    )


def fitted(function: Function, gx: Any, like: Any, gys: Sequence[Any]) -> Any:
    """Sum a broadcast gradient back to the input's shape and restore its dtype.

    Only a true broadcast is summed: the input's shape must broadcast to the
    gradient's, and each axis summed over must come from an output.
    """
    expected = like.shape
    extra = gx.ndim - len(expected)
    if extra > 0 and gx.shape[extra:] == expected and gys[0] is not None and gx.shape == gys[0].shape:
        # As a bias is added: a third of the general way's time.
        axis = 0 if extra == 1 else tuple(range(extra))
        gx = np.add.reduce(gx, axis) if type(gx) is ndarray else np.sum(gx, axis)
        if gx.dtype is like.dtype and type(gx) is ndarray:
            return gx
    elif gx.shape != like.shape:
        shape = (1,) * extra + tuple(like.shape)
        axes = tuple(a for a in range(gx.ndim) if shape[a] == 1 and (a < extra or gx.shape[a] != 1))
        outputs = [gy.shape for gy in gys if gy is not None]
        from_output = all(
            any(a - gx.ndim >= -len(y) and y[a - gx.ndim] == gx.shape[a] for y in outputs) for a in axes
        )
        kept = all(shape[a] == gx.shape[a] for a in range(gx.ndim) if a not in axes)
        if extra < 0 or not kept or not from_output:
            i = next(i for i, other in enumerate(function._inputs_like) if other is like)
            raise GradientError(
                f"{function}: the gradient of input {i} has shape "
                f"{gx.shape}, but the input has {like.shape} (outputs: {outputs}); backward must return "
                "the input's shape, or that of a true broadcast of it, which is summed"
            )
        gx = np.sum(gx, axis=axes, keepdims=True)
        if extra:
            gx = gx.reshape(like.shape)
    dtype = like.dtype if like.dtype.kind in "fc" else np.dtype(np.float64)
    if gx.dtype != dtype:
        if gx.dtype.kind not in "biufc":
            raise GradientError(
                f"{function}: backward returned a gradient of dtype {gx.dtype}; expected {dtype}"
            )
        if gx.dtype.kind == "c" and dtype.kind == "f":
            gx = np.real(gx)
        gx = np.astype(gx, dtype)
    return gx if type(gx) is float64 else _as_array(gx)


def _like_data(x: Variable, gradient: Any) -> Any:
    """Give the gradient of a leaf in the dtype of the data that it has now."""
    data = x._value
    if data is None:
        return gradient
    _compare_kinds(x, "a gradient and data", gradient, data)
    dtype = data.dtype if data.dtype.kind in "fc" else np.dtype(np.float64)
    return gradient if gradient.dtype == dtype else np.astype(gradient, dtype)


def _compare_kinds(x: Variable | None, what: str, a: Any, b: Any) -> None:
    """Refuse what belongs to one leaf, but has two shapes, or is complex and real."""
    if a.shape != b.shape or (a.dtype.kind == "c") != (b.dtype.kind == "c"):
        raise GradientError(
            f"{getattr(x, 'name', None) or 'a Variable'} has {what} of shapes {a.shape} and {b.shape}, "
            f"dtypes {a.dtype} and {b.dtype}: '.data' was bound to another array after the Variable was "
            "used; bind it after backward, or make another Variable"
        )


def _total(variable: Variable, gradient: Any) -> Any:
    """Add a gradient to a Variable's, as an array that nobody else holds."""
    before = variable.grad
    if before is None:
        if type(gradient) is float64:
            return np.asarray(gradient)
        if isinstance(gradient, NumPyProtocol):
            return gradient._with_own_array()
        return copied(_as_array(gradient))
    if isinstance(before, NumPyProtocol) and not isinstance(gradient, NumPyProtocol):
        before = before._array
    if isinstance(before, int | float | complex):
        before = np.asarray(before)
    if before.shape != variable.shape:
        raise GradientError(
            f"the grad of {variable.name or 'a Variable'} has shape {before.shape}, but its data has "
            f"{variable.shape}; call cleargrad() or set one of the data's shape"
        )
    if before.dtype.kind == "c" and variable.dtype.kind != "c":
        raise GradientError(
            f"the grad of {variable.name or 'a Variable'} is complex, but its data is {variable.dtype}; "
            "call cleargrad() or set a real one"
        )
    return _as_array(before + gradient)
