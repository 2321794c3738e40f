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
_PLAIN = (np.ndarray, np.generic)
_adding = threading.Lock()


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
    _recording(create_graph, _add_to_leaves, (root, start, seed), retain_grad, create_graph)


def pass_back(roots: Sequence[tuple[Variable, Any]], create_graph: bool) -> list[tuple[Variable, Any]]:
    """Differentiate several Variables at once, each weighed by a gradient of its own.

    Gives each leaf with its gradient, and touches no `grad`.
    """
    recorded = [(root, start, seed) for root, seed in roots if (start := root.creator) is not None]
    found = _recording(create_graph, _gradients, recorded, False, create_graph)
    return [(leaf, gradient) for leaf, gradient, _ in found]


def _recording(create_graph: bool, compute: Callable[..., T], *arguments: Any) -> T:
    """Compute with recording on or off, outside whatever backward is being recorded."""
    modes = recording.set(create_graph), differentiating.set(None)
    try:
        return compute(*arguments)
    finally:
        recording.reset(modes[0])
        differentiating.reset(modes[1])


def _add_to_leaves(start: tuple[Variable, Function, Any], retain_grad: bool, create_graph: bool) -> None:
    found = _gradients([start], retain_grad, create_graph)
    root, _, seed = start
    with _adding:
        sums = [_total(variable, gradient, owned) for variable, gradient, owned in found]
        for (variable, _, _), total in zip(found, sums, strict=True):
            variable.grad = total
        if retain_grad and root.grad is None:
            root.grad = seed


def _gradients(
    roots: Sequence[tuple[Variable, Function, Any]], retain_grad: bool, create_graph: bool
) -> list[tuple[Variable, Any, bool]]:
    """Give each leaf (and with `retain_grad` each Variable in between) its gradient.

    The flag beside a gradient says whether its array is ours alone. The first gradient
    to arrive somewhere may belong to anybody; adding a second one makes an array of our
    own, and further ones are added into it.
    """
    functions, leaves = reachable([start for _, start, _ in roots])
    pending: dict[Any, Any] = {}
    for root, _, seed in roots:
        key = _key(root._edge or None)
        pending[key] = pending[key] + seed if key in pending else seed
    owned: set[Any] = set()
    kept: list[tuple[Variable, Any, bool]] = []
    observers = state.default.observers
    for function in functions:
        if type(function._output) is ref:
            gy = pending.pop(id(function), None)
            if gy is None:
                continue
            gys: Sequence[Any] = (np.asarray(gy) if isinstance(gy, np.generic) else gy,)
        else:
            gys = _arrived(function, pending)
            if not gys:
                continue
        if observers is not None:
            observers.before_backward(function=function, gys=tuple(gys))
        if retain_grad:
            pairs = zip(function.output_references(), gys, strict=True)
            held = [(r(), gy) for r, gy in pairs if gy is not None]
            kept += [(y, gy, False) for y, gy in held if y is not None and y is not roots[0][0]]
        try:
            gxs = function._backward_on_variables(gys) if create_graph else function.backward(*gys)
        except Exception as error:
            error.add_note(f"in backward of {function}")
            raise
        if type(gxs) is not tuple or len(gxs) != len(function._edges):
            gxs = _counted(function, gxs)
        if observers is not None:
            observers.after_backward(function=function, gxs=gxs)
        for edge, like, gx in zip(function._edges, function._inputs_like, gxs):  # noqa: B905, lengths agree
            if edge is None or gx is None:
                continue
            if create_graph or not isinstance(gx, _PLAIN):
                gx = function._gradient(gx, create_graph)
            if gx.shape != like.shape or gx.dtype is not like.dtype:
                gx = _fitted(function, gx, like, gys)
            key = id(edge) if type(edge) is not Output else _key(edge)
            before = pending.get(key)
            if before is None:
                pending[key] = gx
            elif key in owned:
                np.add(before, gx, out=before)
            else:
                pending[key] = total = before + gx
                if type(total) is np.ndarray:
                    owned.add(key)
    arrived = [(leaf(), id(leaf)) for leaf in leaves if id(leaf) in pending]
    return kept + [(x, pending[key], key in owned) for x, key in arrived if x is not None]


def _key(edge: Edge | None) -> Any:
    return (id(edge.function), edge.index) if isinstance(edge, Output) else id(edge)


def _arrived(function: Function, pending: dict[Any, Any]) -> Sequence[Any]:
    """Take the gradient of each of several outputs; nothing if no one has any.

    For an output that nothing used: zeros, or None where the function asks for it.
    """
    gys = [pending.pop((id(function), i), None) for i in range(len(function._output))]
    if all(gy is None for gy in gys):
        return ()
    if not function.materialize_grads:
        return [_as_array(gy) for gy in gys]
    return [function._zeros(i) if gy is None else _as_array(gy) for i, gy in enumerate(gys)]


def _as_array(gradient: Any) -> Any:
    """Make an array of a NumPy scalar, which is what arithmetic on 0-d arrays gives."""
    return np.asarray(gradient) if isinstance(gradient, np.generic) else gradient


def reachable(roots: Sequence[Function]) -> tuple[list[Function], list[ReferenceType[Variable]]]:
    """Find the functions behind `roots`, last recorded first, and the leaves."""
    if len(roots) > 1:
        roots = list({id(root): root for root in roots}.values())
    functions, leaves, stack, seen = [*roots], [], [*roots], set(map(id, roots))
    while stack:
        for edge in stack.pop()._edges:
            if edge is None:
                continue
            node = edge.function if type(edge) is Output else edge
            key = id(node)
            if key in seen:
                continue
            seen.add(key)
            if type(node) is ref:
                leaves.append(node)
            else:
                functions.append(node)
                stack.append(node)
    functions.sort(key=attrgetter("generation"), reverse=True)
    return functions, leaves


def _counted(function: Function, gxs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Accept None for optional inputs that were left out; refuse any other count."""
    expected = len(function._edges)
    gxs = gxs if isinstance(gxs, tuple) else tuple(gxs) if isinstance(gxs, list) else (gxs,)
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
    if gx.shape != like.shape:
        extra = gx.ndim - len(like.shape)
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
    gradient = _as_array(gradient)
    if before is None:
        if owned:
            return gradient
        if isinstance(gradient, NumPyProtocol):
            return gradient._with_own_array()
        return gradient.copy("K") if type(gradient) is np.ndarray else gradient.copy()
    if isinstance(before, NumPyProtocol) and not isinstance(gradient, NumPyProtocol):
        before = before._value
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
