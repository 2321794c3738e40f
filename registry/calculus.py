"""Derivatives of functions: gradients, Jacobians, Hessians, and products with them.

Functions take and give arrays, Python numbers, and nested tuples, lists and dicts of
them; the results have the same structure. Everything nests to any depth.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np

from registry.errors import GradientError, UnsupportedTypeError
from registry.modes import no_grad
from registry.numpy_protocol import Array
from registry.structures import leaves, like, mapped, places
from registry.tracing import Mark, depends_on_others, gradients_at, marked, while_recording
from registry.variable import Variable, as_variable, new_variable

ArgNums: TypeAlias = int | tuple[int, ...]
F = TypeVar("F", bound=Callable[..., Any])


def numerical_diff(f: Callable[[Variable], Variable], x: Variable, eps: float = 1e-4) -> Array:
    """Differentiate an elementwise function by a central difference.

    Parameters
    ----------
    f : callable
        From one Variable to one of the same shape.
    x : Variable
        Where; of any shape.
    eps : float
        The step, in the units of `x`.

    Returns
    -------
    numpy.ndarray
        ``(f(x + eps) - f(x - eps)) / (2 * eps)``, of `x`'s shape.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import Variable, as_variable, numerical_diff, ops
    >>> numerical_diff(ops.square, Variable(np.array(2.0)))
    array(4.)
    """
    with no_grad():
        after, before = f(as_variable(x.data + eps)), f(as_variable(x.data - eps))
    return np.asarray((after.data - before.data) / (2 * eps))


def grad(f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Give the function that computes the gradient of a scalar function.

    Parameters
    ----------
    f : callable
        Its result is one number: an array or Variable of shape ``()``, or a Python number.
    argnums : int or tuple of int
        The positional arguments to differentiate by.
    has_aux : bool
        Whether `f` gives a pair, whose second part is passed through.

    Returns
    -------
    callable
        With the arguments of `f`. It gives the gradient in the structure of the argument
        (a tuple of them, for a tuple of `argnums`): arrays, and NumPy's scalars for
        Python numbers; Variables where something else is being differentiated, too. With
        `has_aux` a pair of the gradient and the second part.

    Raises
    ------
    DerivativeError
        If the result is no single number, or an argument cannot be differentiated by.

    Notes
    -----
    At a complex argument, the gradient of a holomorphic function is f', without a
    conjugate; the direction of steepest descent of a real function is the negative
    conjugate, ``-np.conj(grad(f)(z))``.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import grad
    >>> grad(lambda x: x**3)(2.0)
    np.float64(12.0)
    >>> grad(grad(lambda x: x**3))(2.0)
    np.float64(12.0)
    >>> grad(lambda p: np.sum(p["w"] ** 2) + p["b"])({"w": np.array([1.0, 2.0]), "b": 3.0})
    {'w': array([2., 4.]), 'b': np.float64(1.0)}
    """
    both = value_and_grad(f, argnums, has_aux)

    @_named_like("grad", f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def value_and_grad(f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Give the function that computes the value of a scalar function, and its gradient.

    Parameters
    ----------
    f, argnums, has_aux
        As those of `grad`; with `has_aux` the value is a pair, too.

    Examples
    --------
    >>> from registry import value_and_grad
    >>> value_and_grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 3.0)
    (np.float64(6.0), (np.float64(3.0), np.float64(2.0)))
    """

    @_named_like("value_and_grad", f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        call = _Call("value_and_grad", f, argnums, args, kwargs, has_aux)
        found = call.in_structure(call.gradients([np.ones_like(call.number())]))
        value = call.finished(call.value)
        return ((value, call.finished(call.aux)) if has_aux else value), found

    return value_and_gradient


def elementwise_grad(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """Give the function that computes the derivative of each element of an elementwise function.

    It is the gradient of the sum of the result, of any shape.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import elementwise_grad
    >>> elementwise_grad(np.square)(np.array([1.0, 2.0, 3.0]))
    array([2., 4., 6.])
    """

    @_named_like("elementwise_grad", f)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        call = _Call("elementwise_grad", f, argnums, args, kwargs)
        return call.in_structure(call.gradients([np.ones(y.shape, _floating(y)) for y in call.ys]))

    return derivative


def jacobian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """Give the function that computes every derivative of every element of the result.

    Returns
    -------
    callable
        For each array of the result's structure, the structure of the argument, with
        arrays of the result's shape followed by the argument's.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import jacobian
    >>> jacobian(lambda x: np.stack([x[0] * x[1], x[0]]))(np.array([2.0, 3.0]))
    array([[3., 2.],
           [1., 0.]])
    """

    @_named_like("jacobian", f)
    def whole(*args: Any, **kwargs: Any) -> Any:
        call = _Call("jacobian", f, argnums, args, kwargs)
        blocks = [call.in_structure(_rows(call, k)) for k in range(len(call.ys))]
        return like(call.value, iter(blocks))

    return whole


def hessian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """Give the function that computes all second derivatives of a scalar function.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([2.0, 3.0]))
    array([[6., 4.],
           [4., 0.]])
    """
    return _named_like("hessian", f)(jacobian(grad(f, argnums), argnums))


def hvp(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """Give the function that computes the Hessian of a scalar function times a vector.

    Returns
    -------
    callable
        With the arguments of `f` and then the vector, in the structure of the argument:
        what `scipy.optimize.minimize` takes as ``hessp``. It costs about two gradients,
        whatever the size.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import hvp
    >>> hvp(lambda x: x[0] ** 2 * x[1])(np.array([2.0, 3.0]), np.array([1.0, 0.0]))
    array([6., 4.])
    """

    @_named_like("hvp", f)
    def product(*args: Any, **kwargs: Any) -> Any:
        *args_of_f, vector = args
        call = _Call("hvp", grad(f, argnums), argnums, args_of_f, kwargs)
        return call.in_structure(call.gradients(call.fitting(vector, call.value, "the vector")))

    return product


def vjp(f: Callable[..., Any], *args: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Give the value of a function, and the function from gradients of it to those of its arguments.

    Parameters
    ----------
    f : callable
        Of any result.
    *args : array, number, or a structure of them
        All of them are differentiated by.

    Returns
    -------
    value
        ``f(*args)``.
    pull_back : callable
        From the structure of the value to a tuple with a gradient for each argument. It
        may be called any number of times.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import vjp
    >>> value, pull_back = vjp(np.multiply, 2.0, np.array([1.0, 3.0]))
    >>> value, pull_back(np.array([1.0, 10.0]))
    (array([2., 6.]), (np.float64(31.0), array([ 2., 20.])))
    """
    call = _Call("vjp", f, tuple(range(len(args))), args, {})

    def pull_back(gradient: Any) -> Any:
        return call.in_structure(call.gradients(call.fitting(gradient, call.value, "the gradient")))

    return call.finished(call.value), pull_back


def jvp(f: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Give the value of a function, and its derivative along a direction.

    Parameters
    ----------
    f : callable
        Of any result.
    args, tangents : sequence
        The arguments, and for each the direction in which it moves, in its structure.

    Returns
    -------
    value, tangent
        Both in the structure of the result. The tangent comes from two backward passes:
        a gradient is linear in the one that it starts from, and its derivative by that is
        the derivative along the direction.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import jvp
    >>> jvp(np.sin, (0.0,), (2.0,))
    (np.float64(0.0), np.float64(2.0))
    """
    call = _Call("jvp", f, tuple(range(len(args))), tuple(args), {})
    directions = call.fitting(tuple(tangents), call.given, "the tangents")
    weights, marks = zip(*[marked(np.zeros(y.shape, _floating(y))) for y in call.ys], strict=True)
    gradients = map(as_variable, call.gradients(weights))
    recorded = call.nested or any(isinstance(d, Variable) for d in directions)
    roots = [(g, _seed(d, recorded)) for g, d in zip(gradients, directions, strict=True)]
    tangent = _with_zeros(call.ys, gradients_at(marks, roots, recorded))
    return call.finished(call.value), like(call.value, map(_number_if_0d, tangent))


def stop_gradient(x: Any) -> Any:
    """Make constants of the Variables in a structure: nothing is differentiated through them.

    Examples
    --------
    >>> from registry import grad, stop_gradient
    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return mapped(lambda y: new_variable(y._value, False, -1) if isinstance(y, Variable) else y, x)


class _Call:
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
        self.given = tuple(args[i] for i in chosen)
        self.arguments: list[Variable] = []
        self.marks: list[Mark] = []
        args = list(args)
        for i in chosen:
            own = [self._marked(f"argument {i}{place}", leaf) for place, leaf in places(args[i])]
            args[i] = like(args[i], iter(own))
            self.arguments += own
        try:
            result = while_recording(f, *args, **kwargs)
        finally:
            for mark in self.marks:
                mark.active = False
        if has_aux and not (isinstance(result, tuple) and len(result) == 2):
            raise GradientError(f"{self.name}: has_aux = True, but the result is no pair (value, aux)")
        self.value: Any
        self.aux: Any
        self.value, self.aux = result if has_aux else (result, None)
        self.ys = [self._result(place, leaf) for place, leaf in places(self.value)]
        self.nested = depends_on_others(self.ys, self.marks)

    def _checked(self, argnums: tuple[int, ...], count: int) -> list[int]:
        for i in argnums:
            if not -count <= i < count:
                raise ValueError(f"{self.name}: argnums has {i}, but it was called with {count} arguments")
        return [i % count for i in argnums]

    def _marked(self, what: str, x: Any) -> Variable:
        if isinstance(x, int) and not isinstance(x, bool):
            x = float(x)
        if isinstance(x, float | complex | np.generic):
            x = np.asarray(x)
        if not isinstance(x, Variable | np.ndarray) or x.dtype.kind not in "iufc":
            found = f"{type(x).__name__} {getattr(x, 'dtype', '')}".rstrip()
            raise UnsupportedTypeError(
                f"{self.name}: {what} is {found}, by which nothing can be differentiated; expected an array "
                "of numbers, a number, or tuples, lists and dicts of them; argnums says which are meant"
            )
        variable, mark = marked(x)
        self.marks.append(mark)
        return variable

    def _result(self, place: str, y: Any) -> Variable:
        try:
            return as_variable(np.asarray(y) if isinstance(y, bool | int | float | complex) else y)
        except UnsupportedTypeError as error:
            raise UnsupportedTypeError(f"{self.name}: the result{place}: {error}") from None

    def number(self) -> Array:
        """Give an array like the result, if that is one number."""
        if [y.shape for y in self.ys] != [()] or isinstance(self.value, tuple | list | dict):
            raise GradientError(
                f"{self.name}: the result is no single number, but {_shapes(self.value)}; "
                "elementwise_grad, jacobian and vjp take any result"
            )
        return np.zeros((), _floating(self.ys[0]))

    def gradients(self, seeds: Sequence[Any]) -> list[Any]:
        """Give the gradient of each argument, from one of each result; zeros where nothing arrives."""
        recorded = self.nested or any(isinstance(seed, Variable) for seed in seeds)
        roots = [(y, _seed(seed, recorded)) for y, seed in zip(self.ys, seeds, strict=True)]
        return _with_zeros(self.arguments, gradients_at(self.marks, roots, recorded))

    def fitting(self, tree: Any, model: Any, what: str) -> list[Any]:
        """Give the leaves of a structure that must be like another."""
        if (found := _shapes(tree)) != (expected := _shapes(model)):
            raise GradientError(f"{self.name}: {what} has {found}; expected {expected}")
        return [x if isinstance(x, Variable) else np.asarray(x) for x in leaves(tree)]

    def in_structure(self, gradients: Sequence[Any]) -> Any:
        """Put gradients into the structure of the arguments; NumPy's scalars for Python's numbers."""
        made = (
            g if isinstance(x, Variable | np.ndarray) else _number_if_0d(g)
            for x, g in zip(leaves(self.given), gradients, strict=True)
        )
        trees = like(self.given, made)
        return trees if self.several else trees[0]

    def finished(self, tree: Any) -> Any:
        """Give plain values, unless something else is being differentiated."""
        if self.nested:
            return tree
        return mapped(lambda y: _number_if_0d(y._value) if isinstance(y, Variable) else y, tree)


def _rows(call: _Call, k: int) -> list[Any]:
    """Give the derivatives of each element of a result by each argument."""
    y = call.ys[k]
    rows = []
    for place in np.ndindex(y.shape):
        seeds = [np.zeros(other.shape, _floating(other)) for other in call.ys]
        seeds[k][place] = 1
        rows.append(call.gradients(seeds))
    if not rows:
        return [np.zeros((*y.shape, *x.shape), _floating(x)) for x in call.arguments]
    columns = zip(call.arguments, zip(*rows, strict=True), strict=True)
    return [np.reshape(np.stack(column), (*y.shape, *x.shape)) for x, column in columns]


def _seed(gradient: Any, recorded: bool) -> Any:
    return as_variable(gradient) if recorded else gradient


def _floating(x: Variable) -> Any:
    return x.dtype if x.dtype.kind in "fc" else np.float64


def _number_if_0d(x: Any) -> Any:
    return x[()] if isinstance(x, np.ndarray) and x.ndim == 0 else x


def _with_zeros(xs: Sequence[Variable], gradients: Sequence[Any]) -> list[Any]:
    pairs = zip(xs, gradients, strict=True)
    return [np.zeros(x.shape, _floating(x)) if g is None else g for x, g in pairs]


def _shapes(tree: Any) -> str:
    """Describe a structure by the shapes of its leaves."""
    return ", ".join(f"{place} shape {np.shape(leaf)}".lstrip() for place, leaf in places(tree)) or "nothing"


def _named_like(transform: str, f: Callable[..., Any]) -> Callable[[F], F]:
    """Give a decorator: what is computed of `f` has its signature, and a name that says so."""

    def name(function: F) -> F:
        functools.update_wrapper(function, f)
        function.__name__ = f"{transform}({getattr(f, '__name__', f)})"
        return function

    return name
