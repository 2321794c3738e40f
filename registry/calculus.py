"""Derivatives of functions, beside the gradients of Variables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from registry.modes import no_grad
from registry.numpy_protocol import Array
from registry.variable import Variable, as_variable


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
