"""A function that is differentiated: marks in the graph at its arguments, and what arrives there.

A mark is an identity that keeps, in a pass of its own function, the gradient that
arrives, and lets it through in any other: so a derivative inside another is a
constant to neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, TypeAlias, TypeVar

import numpy as np

from registry.backward import copied, own_arrays, pass_back
from registry.catalog import StandIn
from registry.edges import reachable
from registry.errors import GradientError, UnsupportedTypeError
from registry.function import Function
from registry.modes import differentiating, recording
from registry.state import default_registry
from registry.structures import leaves, like, mapped, places
from registry.variable import Variable, as_array, as_variable

ArgNums: TypeAlias = int | tuple[int, ...]
T = TypeVar("T")
_STRUCTURES = "an array of numbers, a number, or tuples, lists and dicts of them"
_arrived: ContextVar[dict[int, Any] | None] = ContextVar("opregistry_arrived", default=None)


class Mark(Function):
    """The identity, at an argument of a function that is being differentiated.

    `runs` has an entry for each run of that function that goes on now, forwards or
    backwards, in whatever thread. (A list, because appending is atomic and counting is not.)
    """

    saves = ("ys",)
    only_reads = True

    def __init__(self) -> None:
        self.runs: list[None] = []

    def forward(self, x: Any) -> Any:
        return x

    def backward(self, gy: Any) -> Any:
        arrived = _arrived.get()
        if arrived is not None and id(self) in arrived:
            arrived[id(self)] = gy
            return (None,)
        return gy

    def _backward_on_variables(self, gys: Sequence[Any]) -> Any:
        return self.backward(as_variable(gys[0]))


def marked(x: Any, *, number: bool = False) -> tuple[Variable, Mark]:
    """Give a Variable and the mark behind it, connected to `x` if that is recorded itself.

    With `number` it stays one, and so is bound anew by ``x += 1``.
    """
    if not isinstance(x, Variable) or x._edge is None:
        x = Variable(x._array if isinstance(x, Variable) else x)
    mark = Mark()
    variable = while_recording(mark, x)
    if number:
        (y,) = mark.ys = (np.float64(variable._array),)
        variable._node = y, *variable._node[1:]
    return variable, mark


def is_number(x: Any) -> bool:
    """Say whether an argument is a number, or a Variable of one, and no array."""
    return type(x._value) is np.float64 if isinstance(x, Variable) else isinstance(x, int | float)


def while_recording(f: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a function with recording on, outside whatever backward is being recorded."""
    before = recording.get(), differentiating.get()
    try:  # around the setting, too: Ctrl-C may come right after it
        recording.set(True)
        differentiating.set(None)
        return f(*args, **kwargs)
    finally:
        try:
            recording.set(before[0])
        finally:
            differentiating.set(before[1])


class running:
    """Count a run of the function whose arguments have these marks, in a `with` block."""

    def __init__(self, marks: Sequence[Mark]) -> None:
        self.marks = marks

    def __enter__(self) -> None:
        for mark in self.marks:
            mark.runs.append(None)

    def __exit__(self, *_: object) -> None:
        for mark in self.marks:
            mark.runs.pop()


def gradients_at(
    wanted: Sequence[Mark | Variable], roots: Sequence[tuple[Variable, Any]], create_graph: bool
) -> list[Any]:
    """Differentiate roots, each weighed by a gradient, by what stands at marks or in leaves.

    Gives an array for each, or a Variable with `create_graph`; None where nothing arrives.
    """
    keys = [id(_mark_of(place) or place) for place in wanted]
    arrived: dict[int, Any] = dict.fromkeys(keys)
    if create_graph:
        roots = [(root, as_variable(gradient)) for root, gradient in roots]
    before = _arrived.get()
    try:
        _arrived.set(arrived)
        with running([place for place in wanted if isinstance(place, Mark)]):
            found = pass_back(roots, create_graph)
    finally:
        _arrived.set(before)
    arrived.update((id(leaf), gradient) for leaf, gradient in found)
    return [np.asarray(g) if isinstance(g, np.generic) else g for g in map(arrived.get, keys)]


def _mark_of(place: Mark | Variable) -> Function | None:
    return place if isinstance(place, Mark) else place.creator


def others_behind(roots: Sequence[Variable], own: Sequence[Mark | Variable]) -> list[Variable]:
    """Find what else may be differentiated behind some Variables, beside these marks and leaves.

    That is a Variable that somebody holds, or the argument of a function that runs now.
    """
    known = set(map(id, own))
    functions, ends = reachable([function for root in roots if (function := root.creator) is not None])
    held = [x for end in ends if (x := end()) is not None]
    arguments = [mark.output for mark in _running(functions) if id(mark) not in known]
    return [x for x in held + arguments if id(x) not in known]


def depends_on_arguments(y: Variable) -> bool:
    """Say whether a Variable depends on the argument of a function that is being differentiated now."""
    return y.creator is not None and bool(_running(reachable([y.creator])[0]))


def _running(functions: Iterable[Function]) -> list[Mark]:
    return [f for f in functions if isinstance(f, Mark) and f.runs]


class DifferentiatedCall:
    """One call of a function that is differentiated: its marked arguments, its result, its gradients."""

    def __init__(
        self,
        transform: str,
        f: Callable[..., Any],
        argnums: ArgNums,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        has_aux: bool = False,
    ) -> None:
        self.name = f"{transform} of {getattr(f, '__name__', f)}"
        self.several = isinstance(argnums, tuple)
        chosen = self._checked(argnums if isinstance(argnums, tuple) else (argnums,), len(args))
        self.given = tuple([args[i] for i in chosen])
        self.arguments: list[Variable] = []
        self.marks: list[Mark] = []
        args = list(args)
        for i in chosen:
            own = [self._marked(f"argument {i}{place}", leaf) for place, leaf in places(args[i])]
            args[i] = like(args[i], iter(own))
            self.arguments += own
        with running(self.marks):
            result = while_recording(f, *args, **kwargs)
        if has_aux and not (isinstance(result, tuple) and len(result) == 2):
            raise GradientError(f"{self.name}: has_aux = True, but the result is no pair (value, aux)")
        self.value: Any
        self.aux: Any
        self.value, self.aux = result if has_aux else (result, None)
        self.ys = [self._result(f"the result{place}", leaf) for place, leaf in places(self.value)]
        self.nested = bool(others_behind(self.ys, self.marks))

    def _checked(self, argnums: tuple[int, ...], count: int) -> list[int]:
        for i in argnums:
            if isinstance(i, bool) or not isinstance(i, int | np.integer):
                raise TypeError(f"{self.name}: argnums has {i!r}; expected an int, or a tuple of them")
            if not -count <= i < count:
                raise ValueError(
                    f"{self.name}: argnums has {i}, but it was called with {count} positional arguments"
                )
        chosen = [int(i) % count for i in argnums]
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"{self.name}: argnums {argnums} names an argument twice")
        return chosen

    def _marked(self, what: str, x: Any) -> Variable:
        number = is_number(x)  # before its array is asked for
        value = x._array if isinstance(x, Variable) else float(x) if type(x) is int else x
        try:
            usable = as_array(value).dtype.kind in "iufc"
        except (UnsupportedTypeError, AttributeError):  # an array type of a plugin has a dtype, None has none
            usable = False
        if not usable:
            found = f"{type(x).__name__} {getattr(value, 'dtype', '')}".rstrip()
            raise UnsupportedTypeError(
                f"{self.name}: {what} is {found}, by which nothing can be differentiated; "
                f"expected {_STRUCTURES}; argnums says which are meant"
            )
        variable, mark = marked(x if isinstance(x, Variable) else as_array(value), number=number)
        self.marks.append(mark)
        return variable

    def _result(self, what: str, y: Any) -> Variable:
        try:
            return as_variable(y)
        except UnsupportedTypeError:
            raise UnsupportedTypeError(
                f"{self.name}: {what} is {type(y).__name__}; expected {_STRUCTURES}"
            ) from None

    def gradient(self) -> Any:
        """Give the gradient of a result that is one number."""
        if [y.shape for y in self.ys] != [()] or isinstance(self.value, tuple | list | dict):
            raise GradientError(
                f"{self.name}: the result is no single number, but {_shapes(self.value)}; "
                "elementwise_grad, jacobian and vjp take any result"
            )
        return self.gradient_of_sum()

    def gradient_of_sum(self) -> Any:
        """Give the gradient of the sum of all elements of the result."""
        if any(y.dtype.kind == "c" for y in self.ys) and any(x.dtype.kind != "c" for x in self.arguments):
            raise GradientError(
                f"{self.name}: the result is complex and an argument real, so that the gradient would hold "
                "half of the derivative; use jacobian, or take np.real, np.imag or np.abs of the result"
            )
        return self._own_gradients([(y, np.ones(y.shape, floating(y))) for y in self.ys])

    def pulled_back(self, tree: Any, what: str) -> Any:
        """Give the gradient of the result, each part of it weighed by what is in a structure."""
        return self._own_gradients(zip(self.ys, self._fitting(tree, self.value, what), strict=True))

    def pushed_forward(self, tangents: Sequence[Any]) -> Any:
        """Give the derivative of the result along a direction of each argument."""
        directions = self._fitting(tuple(tangents), self.given, "the tangents")
        weights = [marked(np.zeros(y.shape, floating(y))) for y in self.ys]
        gradients = self.gradients([(y, weight) for y, (weight, _) in zip(self.ys, weights, strict=True)])
        roots = list(zip(map(as_variable, gradients), directions, strict=True))
        found = gradients_at([mark for _, mark in weights], roots, self._recorded(directions))
        return like(self.value, map(_number_if_0d, own_arrays(_with_zeros(self.ys, found))))

    def gradients(self, roots: Iterable[tuple[Variable, Any]]) -> list[Any]:
        """Give the gradient of each argument, from one of each result; zeros where nothing arrives."""
        roots = list(roots)
        recorded = self._recorded([gradient for _, gradient in roots])
        return _with_zeros(self.arguments, gradients_at(self.marks, roots, recorded))

    def _own_gradients(self, roots: Iterable[tuple[Variable, Any]]) -> Any:
        """Give gradients in structure, as arrays that belong to nobody else."""
        return self.in_structure(own_arrays(self.gradients(roots)))

    def _recorded(self, weights: Iterable[Any]) -> bool:
        """Say whether a pass that starts from these weights may be differentiated again."""
        return self.nested or any(isinstance(weight, Variable) for weight in weights)

    def _fitting(self, tree: Any, model: Any, what: str) -> list[Any]:
        """Give the leaves of a structure that must be like another, as arrays of its dtypes."""
        if (found := _shapes(tree)) != (expected := _shapes(model)):
            raise GradientError(f"{self.name}: {what} has {found}; expected {expected}")
        pairs = zip(places(tree), leaves(model), strict=True)
        return [self._converted(x, floating(as_variable(y)), what + place) for (place, x), y in pairs]

    def _converted(self, x: Any, dtype: np.dtype[Any], what: str) -> Any:
        plain = x._array if isinstance(x, Variable) else x
        array = plain.strong() if isinstance(plain, StandIn) else np.asarray(plain)
        kind = array.dtype.kind
        if kind not in "biufc" or (kind == "c" and dtype.kind != "c"):
            raise GradientError(
                f"{self.name}: {what} is of dtype {array.dtype}; expected {dtype}, a real one where "
                "the value is real"
            )
        return x if isinstance(x, Variable) else array.astype(dtype, copy=False)

    def in_structure(self, gradients: Sequence[Any]) -> Any:
        """Put gradients into the structure of the arguments; NumPy's scalars for Python's numbers."""
        made = (
            g if isinstance(x, Variable | np.ndarray) else _number_if_0d(g)
            for x, g in zip(leaves(self.given), gradients, strict=True)
        )
        trees = like(self.given, made)
        return trees if self.several else trees[0]

    def finished(self, tree: Any) -> Any:
        """Give what the function returned: plain values, unless something else is being differentiated.

        An array of it may be an argument, or one that a later pass reads, so it is copied.
        """
        return mapped(self._finished, tree)

    def _finished(self, y: Any) -> Any:
        if isinstance(y, Variable):
            if self.nested:
                return y
            y = _number_if_0d(y._value)
        if type(y) is np.ndarray:
            return copied(y)
        is_array = isinstance(y, (np.ndarray, *default_registry().catalog.array_types))
        return copied(y) if is_array and y.ndim else y


def floating(x: Variable) -> np.dtype[Any]:
    """Give the dtype of derivatives by or of a Variable."""
    return x.dtype if x.dtype.kind in "fc" else np.dtype(float)


def _number_if_0d(x: Any) -> Any:
    return x[()] if isinstance(x, np.ndarray) and x.ndim == 0 else x


def _with_zeros(xs: Sequence[Variable], gradients: Sequence[Any]) -> list[Any]:
    pairs = zip(xs, gradients, strict=True)
    return [np.zeros(x.shape, floating(x)) if g is None else g for x, g in pairs]


def _shapes(tree: Any) -> str:
    """Describe a structure by the shapes of its leaves."""
    return ", ".join(f"{place} shape {np.shape(leaf)}".lstrip() for place, leaf in places(tree)) or "nothing"
