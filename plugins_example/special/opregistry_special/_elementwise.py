"""What functions of one number, and of parameters beside it, have in common."""

import inspect

import numpy as np

from registry import Function, GradientError


class Elementwise(Function):
    """A function of the last input, whose derivative by it is `slope`; inputs before it are parameters.

    By a parameter (an order, a shape) there is no derivative in closed form, so a
    gradient that is wanted for one is refused by name.
    """

    elementwise = True
    saves = ("xs",)

    def slope(self, *xs):
        """Give the derivative by the last input, from all inputs."""
        raise NotImplementedError(f"{type(self).__name__} gives no slope(self, x)")

    def backward(self, gy):
        *parameters, x = floats(self.xs)
        refuse_gradient(self, len(parameters))
        gx = gy * self.slope(*map(real_parameter, parameters), x)
        return (*[None] * len(parameters), gx)


def refuse_gradient(function, count):
    """Refuse a gradient that is wanted for one of the first inputs.

    Raises
    ------
    GradientError
        It names the operator and the input.
    """
    names = list(inspect.signature(type(function).forward).parameters)[1:]
    for name, wanted in zip(names[:count], function.needs_grad, strict=False):
        if wanted:
            raise GradientError(
                f"{function} has no derivative by {name!r} in closed form, but {name!r} is a Variable; "
                f"give it as a number or an array ({name}.data of a Variable)"
            )


def real_parameter(p):
    """Give a real number that became complex beside a complex input as a real one again."""
    return p.real if p.dtype.kind == "c" and not np.any(p.imag) else p


def floats(xs):
    """Give integers as floating numbers, whose products do not overflow."""
    return [x if x.dtype.kind in "fc" else 1.0 * x for x in xs]


def parted(condition, x, inside, outside):
    """Give x where a condition holds and `inside` elsewhere, then `outside` there and x elsewhere.

    Of two formulas, each for a part of the numbers, neither then sees numbers that are not
    its own: at those its derivative may be nan, which `np.where` does not keep out.
    """
    return np.where(condition, x, inside), np.where(condition, outside, x)
