"""Functions that users give to an operator: called on plain arrays, and what they may not depend on."""

import numpy as np

from registry import GradientError, Variable, vjp


def array_valued(function):
    """Make an array of a list or tuple of numbers that a function gives."""

    def call(*args):
        y = function(*args)
        return np.stack(y) if isinstance(y, list | tuple) else y

    return call


def value_of(function, operator, *xs):
    """Call an operator's function on arrays.

    Raises
    ------
    GradientError
        If the result can be differentiated by anything else, whose gradient would be lost.
    """
    y = function(*xs)
    if isinstance(y, Variable):  # a constant, unless there is more behind it than arrays
        y, _ = vjp(function, *xs)
    if isinstance(y, Variable):
        raise GradientError(
            f"{operator}: its function depends on a Variable that is no argument of it, whose gradient "
            "would be lost; give it in args, or, as a constant, by registry.stop_gradient"
        )
    return y
