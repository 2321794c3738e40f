"""The backward pass: each recorded function once, from the result towards the leaves.

An edge says where a gradient goes: to a function, to one output of a function with
several, or to a leaf. A leaf's edge is a weak reference: the graph that
``create_graph`` hangs on ``x.grad`` must not keep ``x`` alive, or every such pass
would leave a cycle behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar, Union
from weakref import ReferenceType, ref

import numpy as np

from registry import state
from registry.errors import GradientError
from registry.modes import differentiating, recording
from registry.numpy_protocol import NumPyProtocol

if TYPE_CHECKING:
    from registry.function import Function
    from registry.variable import Variable

Edge: TypeAlias = Union["Function", "Output", "ReferenceType[Variable]"]

T = TypeVar("T")
float64, ndarray = np.float64, np.ndarray
_adding = threading.Lock()
_generation = attrgetter("generation")


class Output(NamedTuple):
    """One output of a function that has several, as the end of an edge."""

    function: Function
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here


class Like(NamedTuple):
    """Shape and dtype of an array that need not be kept."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def run_backward(root: Variable, start: Function, seed: Any, retain_grad: bool, create_graph: bool) -> None:
    """Differentiate `root`, which `start` made, and add to the leaves' `grad`.

    All gradients are known before the first `grad` is touched, so an error on the
    way leaves every one as it was.
    """
    pending: dict[int, Any] = {}
    waiting: dict[int, list[Function]] = {}
    _arrive(root._edge or start, seed, pending, waiting)
    found = _recording(_gradients, create_graph, pending, waiting, root if retain_grad else None)
    with _adding:
        sums = [_total(variable, gradient, owned) for variable, gradient, owned in found]
        for (variable, _, _), total in zip(found, sums, strict=True):
            variable.grad = total
        if retain_grad and root.grad is None:
            root.grad = _as_array(seed)


def pass_back(roots: Sequence[tuple[Variable, Any]], create_graph: bool) -> list[tuple[Variable, Any]]:
    """Differentiate several Variables at once, each weighed by a gradient of its own.

    Gives each leaf with its gradient, and touches no `grad`.
    """
    return _recording(_passed_back, create_graph, roots)


def _passed_back(create_graph: bool, roots: Sequence[tuple[Variable, Any]]) -> list[tuple[Variable, Any]]:
    pending: dict[Any, Any] = {}
    waiting: dict[int, list[Function]] = {}
    for root, seed in roots:
        edge = root._edge
        if edge and type(edge) is not ref:
            _arrive(edge, seed, pending, waiting)
    return [(leaf, gradient) for leaf, gradient, _ in _gradients(create_graph, pending, waiting, None)]


def _recording(compute: Callable[..., T], create_graph: bool, *arguments: Any) -> T:
    """Compute with recording on or off, outside whatever backward is being recorded."""
    on = recording.set(create_graph)
    outside = None if differentiating.get() is None else differentiating.set(None)
    try:
        return compute(create_graph, *arguments)
    finally:
        recording.reset(on)
        if outside is not None:
            differentiating.reset(outside)


def _gradients(
    create_graph: bool,
    pending: dict[int, Any],
    waiting: dict[int, list[Function]],
    retaining: Variable | None,
) -> list[tuple[Variable, Any, bool]]:
    """Give each leaf (and, `retaining` a root's, each Variable in between) its gradient.

    `pending` holds the gradients on their way, by the identity of what they arrive at, and
    `waiting` the functions that have one, by generation: whatever a function passes back goes
    to an earlier generation. The flag beside a gradient says whether its array is ours alone.
    The first gradient to arrive somewhere may belong to anybody; adding a second one makes an
    array of our own, and further ones are added into it.
    """
    owned: set[Any] = set()
    leaves: list[ReferenceType[Variable]] = []
    found: list[tuple[Variable, Any, bool]] = []
    observers = state.default.observers
    take, arrived = pending.pop, pending.get
    gys: Sequence[Any]
    for generation in range(max(waiting, default=-1), -1, -1):
        for function in waiting.pop(generation, ()):
            gy = take(id(function))
            if type(gy) is list:
                gys, gy = _of_each_output(function, gy), None
            else:
                if type(gy) is float64 and not function.scalars:
                    gy = np.asarray(gy)
                gys = (gy,)
            if observers is not None:
                observers.before_backward(function=function, gys=tuple(map(_as_array, gys)))
            if retaining is not None:
                found += _held(function, gys, retaining)
            try:
                if create_graph:
                    gxs = function._backward_on_variables(gys)
                else:
                    gxs = function.backward(*gys) if gy is None else function.backward(gy)
            except Exception as error:
                _explain(function, error)
                raise
            edges = function._edges
            if type(gxs) is not tuple:
                gxs = (gxs,)
            if len(gxs) != len(edges):
                gxs = _counted(function, gxs)
            if observers is not None:
                observers.after_backward(function=function, gxs=gxs)
            for edge, like, gx in zip(edges, function._inputs_like, gxs):  # noqa: B905, lengths agree
                if edge is None or gx is None:
                    continue
                if type(gx) is not float64 or type(like) is not float64:  # two numbers fit
                    if type(gx) is not ndarray:
                        gx = function._gradient(gx, create_graph)
                    if gx.shape != like.shape or gx.dtype is not like.dtype:
                        gx = _fitted(function, gx, like, gys)
                key = id(edge)
                before = arrived(key)
                if before is None:
                    if type(edge) is ref:
                        leaves.append(edge)
                    elif type(edge) is Output:
                        _arrive(edge, gx, pending, waiting)
                        continue
                    elif edge.generation in waiting:
                        waiting[edge.generation].append(edge)
                    else:
                        waiting[edge.generation] = [edge]
                    pending[key] = gx
                elif key in owned:
                    np.add(before, gx, out=before)
                else:
                    pending[key] = total = before + gx
                    if type(total) is ndarray:
                        owned.add(key)
    for leaf in leaves:
        variable = leaf()
        if variable is not None:
            found.append((variable, arrived(id(leaf)), id(leaf) in owned))
    return found


def _arrive(edge: Function | Output, gy: Any, pending: dict[int, Any], waiting: dict[int, list[Function]]) -> None:
    """Add a gradient to what is on its way to a function, and let the function wait for its turn."""
    function, index = edge if isinstance(edge, Output) else (edge, None)
    key = id(function)
    if key not in pending:
        waiting.setdefault(function.generation, []).append(function)
    if index is None:
        pending[key] = pending[key] + gy if key in pending else gy
    else:
        gys = pending.setdefault(key, [None] * len(function._output))
        gys[index] = gy if gys[index] is None else gys[index] + gy


def _held(function: Function, gys: Sequence[Any], root: Variable) -> list[tuple[Variable, Any, bool]]:
    """Give the outputs that people hold, but for the root, with their gradients."""
    held = [(r(), gy) for r, gy in zip(function.output_references(), gys, strict=True) if gy is not None]
    return [(y, gy, False) for y, gy in held if y is not None and y is not root]


def _explain(function: Function, error: Exception) -> None:
    """Note on an error of `backward` which operator it came from."""
    error.add_note(f"in backward of {function}")
    if isinstance(error, AttributeError) and error.name in ("xs", "ys"):
        error.add_note(
            f"self.{error.name} is kept where the class attribute 'saves' (now {function.saves}) names it"
        )


def _of_each_output(function: Function, gys: Sequence[Any]) -> Sequence[Any]:
    """Give `backward` a gradient of each output: for one that nothing used zeros, or None where it asks for that."""
    if not function.materialize_grads:
        return [_as_array(gy) for gy in gys]
    return [function._zeros(i) if gy is None else _as_array(gy) for i, gy in enumerate(gys)]


def _as_array(gradient: Any) -> Any:
    """Make an array of a NumPy scalar, which is what arithmetic on 0-d arrays gives."""
    return np.asarray(gradient) if isinstance(gradient, np.generic) else gradient


def reachable(roots: Sequence[Function]) -> tuple[list[Function], list[ReferenceType[Variable]]]:
    """Find the functions behind `roots`, last recorded first, and the leaves."""
    functions = list({id(root): root for root in roots}.values()) if len(roots) > 1 else [*roots]
    leaves: list[ReferenceType[Variable]] = []
    seen = set(map(id, functions))
    see, add = seen.add, functions.append
    for function in functions:  # which grows on the way
        for edge in function._edges:
            if edge is None:
                continue
            node = edge.function if type(edge) is Output else edge
            key = id(node)
            if key in seen:
                continue
            see(key)
            if type(node) is ref:
                leaves.append(node)
            else:
                add(node)
    functions.sort(key=_generation, reverse=True)
    return functions, leaves


def _counted(function: Function, gxs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Accept None for optional inputs that were left out; refuse any other count."""
    expected = len(function._edges)
    if len(gxs) == 1 and isinstance(gxs[0], list):
        gxs = tuple(gxs[0])
    if len(gxs) == expected:
        return gxs
    if len(gxs) > expected and all(gx is None for gx in gxs[expected:]):
        return gxs[:expected]
    raise GradientError(
        f"{function}: backward returned {len(gxs)} gradients "
        f"for {expected} inputs; return one for each input, None where there is none"
    )


def _fitted(function: Function, gx: Any, like: Any, gys: Sequence[Any]) -> Any:
    """Sum a broadcast gradient back to the input's shape and restore its dtype.

    Only a true broadcast is summed: the input's shape must broadcast to the
    gradient's, and each axis summed over must come from an output.
    """
    extra = gx.ndim - len(like.shape)
    if extra > 0 and gx.shape[extra:] == like.shape and gys[0] is not None and gx.shape == gys[0].shape:
        # As a bias is added: a third of the general way's time.
        add = np.add.reduce if type(gx) is ndarray else np.sum
        gx = add(gx, axis=tuple(range(extra)))
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
        if gx.dtype.kind == "c" and dtype.kind == "f":
            gx = np.real(gx)
        gx = np.astype(gx, dtype)
    return gx


def _total(variable: Variable, gradient: Any, owned: bool) -> Any:
    """Add a gradient to a Variable's, as an array that nobody else holds."""
    before = variable.grad
    if before is None:
        if type(gradient) is float64:
            return np.asarray(gradient)
        gradient = _as_array(gradient)
        if owned:
            return gradient
        if isinstance(gradient, NumPyProtocol):
            return gradient._with_own_array()
        return gradient.copy("K") if type(gradient) is np.ndarray else gradient.copy()
    if isinstance(before, NumPyProtocol) and not isinstance(gradient, NumPyProtocol):
        before = before._array
    total = _as_array(before + gradient)
    if total.shape != variable.shape:
        raise GradientError(
            f"the grad of {variable.name or 'a Variable'} has shape {before.shape}, but its data has "
            f"{variable.shape}; call cleargrad() or set one of the data's shape"
        )
    return total


def holder(edge: Edge | None) -> Variable | None:
    """Give the Variable at the end of an edge, if somebody still holds it."""
    if edge is None:
        return None
    if isinstance(edge, ref):
        return edge()
    function, index = edge if isinstance(edge, Output) else (edge, 0)
    return function.output_references()[index]()


def unchain_behind(root: Function) -> None:
    """Cut every edge between functions behind `root`; what people hold becomes a leaf."""
    for function in reachable([root])[0]:
        held = [holder(edge) for edge in function._edges]
        function._edges = tuple([None if variable is None else ref(variable) for variable in held])
        for variable in held:
            if variable is not None:
                variable.unchain()
