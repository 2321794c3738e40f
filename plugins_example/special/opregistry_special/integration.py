"""Ordinary differential equations."""

import numpy as np
from scipy import integrate

from opregistry_special._callables import array_valued, value_of
from registry import Function, GradientError, composite, vjp

_SUCCESS = ("Integration successful.", "Nothing was done; the integration time was 0.")


class _Odeint(Function):
    """Solution of dy/dt = func(y, t, *args), whose gradient is the adjoint's, another such solution.

    Backwards in time from each t to the one before, the gradient a of y solves da/dt = -a df/dy,
    and those of args are integrals of -a df/dargs (Chen et al., 2018); y, which that needs, starts
    anew at each t.
    """

    constants = ("func",)

    def __init__(self, func, rtol, atol, mxstep):
        self.func = func
        self.rtol, self.atol, self.mxstep = rtol, atol, mxstep

    def forward(self, y0, t, *args):
        if "c" in (x.dtype.kind for x in (y0, t, *args)):
            raise TypeError("odeint takes real numbers; integrate real and imaginary parts of complex ones")
        dtype = np.result_type(y0, t, *args, np.float32)
        y0, t, *args = (np.asarray(x, np.float64) for x in (y0, t, *args))
        ys, about = integrate.odeint(
            lambda y, t, *args: value_of(self.func, "odeint", y, t, *args),
            y0, t, tuple(args), full_output=True, rtol=self.rtol, atol=self.atol, mxstep=self.mxstep,
        )  # fmt: skip
        if about["message"] not in _SUCCESS or not np.all(np.isfinite(ys)):
            raise RuntimeError(
                f"odeint failed between t = {t[0]:.6g} and {t[-1]:.6g}: {about['message']} "
                "Try other rtol and atol, a larger mxstep, or more times t"
            )
        return ys.astype(dtype)

    def backward(self, gy):
        _, t, *args = self.xs
        (ys,) = self.ys
        count, n = ys.shape
        sizes = [a.size for a in args]
        back = _Odeint(_adjoint(self.func, n), self.rtol, self.atol, self.mxstep)
        g = np.pad(gy[-1], (0, sum(sizes)))
        at_start = 0 * g[:n]
        for i in range(count - 1, 0, -1):
            state = back(np.concatenate([ys[i], g]), t[[i, i - 1]], *args)[-1]
            size = np.max(np.absolute(ys[i - 1 : i + 1]))
            _refuse_drift(state[:n], ys[i - 1], 0.1 * size + 100 * self.atol)
            at_start = state[n : 2 * n]
            g = state[n:] + np.pad(gy[i - 1], (0, sum(sizes)))
        gt = None
        if self.needs_grad[1]:
            slopes = np.stack([self.func(y, time, *args) for y, time in zip(ys, t, strict=True)])
            gt = np.sum(np.concatenate([-at_start[np.newaxis], gy[1:]]) * slopes, axis=1)
        parts = np.split(g[n:], np.cumsum(sizes)[:-1]) if args else ()
        return g[:n], gt, *[np.reshape(part, a.shape) for part, a in zip(parts, args, strict=True)]


def _refuse_drift(y, known, bound):
    """Refuse y that was integrated backwards to where it is known, and is further from that than a bound."""
    if np.any(np.greater(np.absolute(y - known), bound)):
        raise GradientError(
            "odeint: integrated backwards in time, y does not come back to what it was, as where it decays "
            "fast, so that its gradient may be wrong; give more times t, or smaller rtol and atol"
        )


def _adjoint(func, n):
    """Give the derivative by t of y, of the gradient a of y, and of those of args, in one array."""

    def derivative(state, t, *args):
        y, a = state[:n], state[n : 2 * n]
        slope, pull_back = vjp(func, y, t, *args)
        gy, _, *gradients = pull_back(a)
        return np.concatenate([slope, *[-np.reshape(g, (-1,)) for g in (gy, *gradients)]])

    return derivative


def _driven(y, t, force):
    return np.stack([y[1], force[0] * np.sin(t) - force[1] * y[0]])


def _decay(y, t):
    return -y * y * t


@composite(
    inputs=("y0", "t", "args"),
    samples=(
        {"func": _driven, "y0": (2,), "t": np.array([0.0, 0.1, 0.3]), "args": [np.array([0.5, 2.0])],
         "rtol": 1e-12, "atol": 1e-12},
        {"func": _decay, "y0": np.array(0.8), "t": np.array([0.7, 0.4]), "rtol": 1e-12, "atol": 1e-12},
        {"func": _decay, "y0": np.array([0.8]), "t": np.array([0.3])},
    ),
)  # fmt: skip
def odeint(func, y0, t, args=(), rtol=1.49012e-8, atol=1.49012e-8, mxstep=0):
    """Solution of dy/dt = func(y, t, *args) at the times t, differentiable by y0, t and args.

    Parameters
    ----------
    func : callable
        From y, (n,), t, () and args to dy/dt, (n,) or a list of n numbers, computed by operators
        or NumPy functions that have one. What else it depends on is a constant, and a Variable
        that it reads from outside is an error.
    y0 : array_like
        y at t[0], (n,) or (); real, as all else.
    t : array_like
        (T,), in ascending or descending order.
    args : tuple of array_like
    rtol, atol, mxstep
        As scipy.integrate.odeint, which integrates by LSODA in float64: the tolerances, one number
        each, and how many steps there may be between two times (0 for 500). They are those of
        gradients, too.

    Returns
    -------
    Variable
        y at each time, (T, n).

    Raises
    ------
    RuntimeError
        If the integration fails, or comes to numbers that are not finite.
    GradientError
        In the backward pass, if y integrated backwards is a tenth or more from what it was.
    """
    args = args if isinstance(args, tuple | list) else (args,)
    solve = _Odeint(array_valued(func), rtol, atol, mxstep)
    return solve(np.reshape(y0, np.shape(y0) or (1,)), t, *args)
