"""Fixed points of functions."""

import numpy as np
from scipy import optimize

from opregistry_special._callables import array_valued, value_of
from registry import Function, composite, vjp


class _FixedPoint(Function):
    """The x with x = func(x, *args), whose gradient follows from the implicit function theorem."""

    constants = ("func",)

    def __init__(self, func, options):
        self.func, self.options = func, options

    def forward(self, x0, *args):
        dtype = np.result_type(x0, *args, np.float32)
        x0, *args = (np.asarray(x, np.result_type(x, np.float64)) for x in (x0, *args))
        residual = np.nan

        def call(x, *args):
            nonlocal residual
            y = value_of(self.func, "fixed_point", x, *args)
            if np.shape(y) != np.shape(x):
                raise ValueError(f"fixed_point: func gives shape {np.shape(y)} for x of shape {np.shape(x)}")
            residual = np.max(np.absolute(y - x), initial=0)
            return y

        try:
            return np.asarray(optimize.fixed_point(call, x0, tuple(args), **self.options), dtype)
        except RuntimeError as error:
            raise RuntimeError(
                f"fixed_point: no convergence in {self.options['maxiter']} iterations by method "
                f"{self.options['method']!r}: func(x) - x is still {residual:.3g}; start nearer to the fixed "
                "point, or take the other method"
            ) from error

    def backward(self, gy):
        (_, *args), (x,) = self.xs, self.ys
        n = x.size
        _, pull_back = vjp(self.func, x, *args)
        units = np.reshape(np.eye(n, dtype=x.dtype), (n, *x.shape))
        rows = [np.reshape(pull_back(unit)[0], (1, n)) for unit in units]
        slopes = np.concatenate([np.zeros((0, n), x.dtype), *rows])
        w = np.linalg.solve(np.eye(n, dtype=x.dtype) - np.transpose(slopes), np.reshape(gy, (n,)))
        _, *gradients = pull_back(np.reshape(w, x.shape))
        return None, *gradients


def _newton_root(x, a):
    return (x + a / x) / 2


def _contraction(x, w, b):
    return np.tanh(w @ x + b)


@composite(
    inputs=("args",),
    domain=(0, np.inf),
    samples=(
        {"func": _newton_root, "x0": np.ones(3, np.float32), "args": [(3,)], "xtol": 1e-13},
        {"func": _contraction, "x0": np.zeros(2, np.float32), "xtol": 1e-13, "method": "iteration",
         "args": [np.array([[0.3, -0.2], [0.1, 0.4]]), (2,)]},
    ),
)  # fmt: skip
def fixed_point(func, x0, args=(), xtol=1e-8, maxiter=500, method="del2"):
    """Find the x with x = func(x, *args), differentiable by args.

    Parameters
    ----------
    func : callable
        From x and args to an array of x's shape, computed by operators or NumPy functions that
        have one. What else it depends on is a constant, and a Variable that it reads from outside is
        an error.
    x0 : array_like
        Where to start; which of several fixed points is found depends on it, but its gradient is 0.
    args : tuple of array_like
    xtol, maxiter, method
        As scipy.optimize.fixed_point: the relative change at which to stop, and how far to go,
        by "del2", which accelerates convergence of each element, or plain "iteration".

    Raises
    ------
    RuntimeError
        If the iteration does not converge.

    Notes
    -----
    As dx = df/dx dx + df/dargs dargs, the gradient is that of func by args, from the solution of
    (1 - df/dx).T w = gy. That is solved exactly, however slow the iteration, by a matrix of df/dx: one
    backward pass of func for each element of x, which is fine up to some thousand of them.
    """
    args = args if isinstance(args, tuple | list) else (args,)
    options = {"xtol": xtol, "maxiter": maxiter, "method": method}
    return _FixedPoint(array_valued(func), options)(x0, *args)
