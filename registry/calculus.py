"""Derivatives of functions: gradients, Jacobians, Hessians, and products with them.

Functions take and give arrays, Python numbers, and nested tuples, lists and dicts of
them; the results have the same structure. Everything nests to any depth.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from registry.augmented import note_view
from registry.errors import GradientError
from registry.modes import no_grad
from registry.numpy_protocol import Array
from registry.structures import like, mapped
from registry.tracing import ArgNums, DifferentiatedCall, floating
from registry.variable import Variable, as_variable, new_variable

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
    GradientError
        If the result is no single number, or a complex one of a real argument.
    UnsupportedTypeError
        If an argument cannot be differentiated by.

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

    @_named_like("grad", f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        call = DifferentiatedCall("grad", f, argnums, args, kwargs, has_aux)
        found = call.gradient()
        return (found, call.finished(call.aux)) if has_aux else found

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
        call = DifferentiatedCall("value_and_grad", f, argnums, args, kwargs, has_aux)
        found = call.gradient()
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
        return DifferentiatedCall("elementwise_grad", f, argnums, args, kwargs).gradient_of_sum()

    return derivative


def jacobian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """Give the function that computes every derivative of every element of the result.

    Returns
    -------
    callable
        For each array of the result's structure, the structure of the argument, with
        arrays of the result's shape followed by the argument's.

    Notes
    -----
    Complex where the result or the argument is. A complex function of a complex argument
    must be holomorphic: another has no complex Jacobian.

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
        call = DifferentiatedCall("jacobian", f, argnums, args, kwargs)
        return like(call.value, (call.in_structure(_rows(call, y)) for y in call.ys))

    return whole


def hessian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """Give the function that computes all second derivatives of a scalar function.

    A real function of complex arguments has no complex Hessian, and is refused; `hvp`
    takes it.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([2.0, 3.0]))
    array([[6., 4.],
           [4., 0.]])
    """

    @_named_like("hessian", f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        call = DifferentiatedCall("hessian", f, argnums, args, kwargs)
        if {y.dtype.kind for y in call.ys} != {"c"} and "c" in {x.dtype.kind for x in call.arguments}:
            raise GradientError(
                f"{call.name}: a real function of complex arguments has no complex Hessian; hvp takes it, "
                "or differentiate by real and imaginary parts"
            )
        return call.gradient()

    return _named_like("hessian", f)(jacobian(gradient, argnums))


def hvp(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """Give the function that computes the Hessian of a scalar function times a vector.

    Returns
    -------
    callable
        With the arguments of `f` and then the vector, in the structure of the argument.
        It costs about two gradients, whatever the size.

    Notes
    -----
    SciPy calls a ``hessp`` with the vector second, ``hessp(x, p, *args)``. Without ``args=``
    that is the order here, too; with it, give ``lambda x, p, *args: hvp(f)(x, *args, p)``.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import hvp
    >>> hvp(lambda x: x[0] ** 2 * x[1])(np.array([2.0, 3.0]), np.array([1.0, 0.0]))
    array([6., 4.])
    """
    gradient = grad(f, argnums)

    @_named_like("hvp", f)
    def product(*args: Any, **kwargs: Any) -> Any:
        if len(args) < 2:
            raise TypeError(f"{product.__name__} takes the arguments of the function and then the vector")
        call = DifferentiatedCall("hvp", gradient, argnums, args[:-1], kwargs)
        return call.pulled_back(args[-1], "the vector")

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
    call = DifferentiatedCall("vjp", f, tuple(range(len(args))), args, {})

    def pull_back(gradient: Any) -> Any:
        return call.pulled_back(gradient, "the gradient")

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
    if not isinstance(args, tuple | list) or not isinstance(tangents, tuple | list):
        raise TypeError(f"jvp takes args and tangents as tuples, not {type(args)} and {type(tangents)}")
    call = DifferentiatedCall("jvp", f, tuple(range(len(args))), args, {})
    return call.finished(call.value), call.pushed_forward(tangents)


def stop_gradient(x: Any) -> Any:
    """Make constants of the Variables in a structure: nothing is differentiated through them.

    Examples
    --------
    >>> from registry import grad, stop_gradient
    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return mapped(lambda y: _constant(y) if isinstance(y, Variable) else y, x)


def _constant(y: Variable) -> Variable:
    """Give a Variable of the same value, on the same memory, that came from nowhere."""
    value = y._value
    if type(value) is not np.ndarray:
        return new_variable(value, None, -1)
    view = value.view()
    made = new_variable(view, None, -1)
    note_view((y,), made, view)
    return made


def _rows(call: DifferentiatedCall, y: Variable) -> list[Any]:
    """Give the derivatives of each element of a result by each argument."""
    if not y.size:
        return [np.zeros((*y.shape, *x.shape), floating(x)) for x in call.arguments]
    rows = zip(*[_row(call, y, place) for place in np.ndindex(y.shape)], strict=True)
    pairs = zip(call.arguments, rows, strict=True)
    return [np.reshape(np.stack(row), (*y.shape, *x.shape)) for x, row in pairs]


def _row(call: DifferentiatedCall, y: Variable, place: tuple[int, ...]) -> list[Any]:
    """Give the derivatives of one element.

    A real argument gets the real part of what arrives, so the imaginary part of a complex
    derivative comes from a pass of its own, whose gradient is turned by -1j.
    """

    def gradients(weight: complex) -> list[Any]:
        seed = np.zeros(y.shape, floating(y))
        seed[place] = weight
        return call.gradients([(y, seed)])

    row = gradients(1)
    if y.dtype.kind != "c" or all(x.dtype.kind == "c" for x in call.arguments):
        return row
    parts = zip(call.arguments, row, gradients(-1j), strict=True)
    return [a if x.dtype.kind == "c" else a + 1j * b for x, a, b in parts]


def _named_like(transform: str, f: Callable[..., Any]) -> Callable[[F], F]:
    """Give a decorator: what is computed of `f` has its signature, and a name that says so."""

    def name(function: F) -> F:
        functools.update_wrapper(function, f)
        function.__name__ = f"{transform}({getattr(f, '__name__', f)})"
        return function

    return name
