"""Wrong operators, each wrong in one way that its docstring tells, and the check that must catch it."""

import math
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from registry import Function, Variable, composite, no_grad


class Case(NamedTuple):
    """One wrong operator, the one check that fails on it, and a piece of what that check says."""

    operator: Any
    check: str
    says: str


CASES: list[Case] = []


def caught_by(check, says):
    """Put an operator into the gallery."""

    def put(operator):
        CASES.append(Case(operator, check, says))
        return operator

    return put


class Sine(Function):
    """A right one, for the wrong ones below to be wrong in one place."""

    def forward(self, x):
        return np.sin(x)

    def backward(self, gy):
        (x,) = self.xs
        return gy * np.cos(x)


class Product(Function):
    """A right one of two inputs."""

    def forward(self, x0, x1):
        return x0 * x1

    def backward(self, gy):
        x0, x1 = self.xs
        return gy * x1, gy * x0


class Mean(Function):
    """A right one along an axis."""

    def __init__(self, axis=None, keepdims=False):
        self.axis, self.keepdims = axis, keepdims

    def forward(self, x):
        return np.asarray(x.mean(axis=self.axis, keepdims=self.keepdims))

    def backward(self, gy):
        (x,) = self.xs
        if self.axis is not None and not self.keepdims:
            gy = np.expand_dims(gy, self.axis)
        return np.broadcast_to(gy, x.shape) / self.count(x)

    def count(self, x):
        return x.size if self.axis is None else x.shape[self.axis]


class Masked(Function):
    """A right relu that keeps a mask."""

    def forward(self, x):
        self.mask = x > 0
        return np.where(self.mask, x, 0)

    def backward(self, gy):
        return np.where(self.mask, gy, 0)


class SineAndCosine(Function):
    """A right one with two results."""

    def forward(self, x):
        return np.sin(x), np.cos(x)

    def backward(self, g_sin, g_cos):
        s, c = self.ys
        return g_sin * c - g_cos * s


# The number is wrong.


@caught_by("first_derivative", "by differences")
class WrongSign(Function):
    """The derivative of cos has a minus."""

    def forward(self, x):
        return np.cos(x)

    def backward(self, gy):
        (x,) = self.xs
        return gy * np.sin(x)


@caught_by("first_derivative", "by differences")
class MissingFactor(Sine):
    """The derivative of sin(2 x) has a 2."""

    def forward(self, x):
        return np.sin(2 * x)

    def backward(self, gy):
        (x,) = self.xs
        return gy * np.cos(2 * x)


@caught_by("first_derivative", "by differences")
class RightAtZeroAndOne(Function):
    """The derivative of x**3 as 3 x, which is right at 0 and at 1."""

    def forward(self, x):
        return x**3

    def backward(self, gy):
        (x,) = self.xs
        return gy * 3 * x


@caught_by("first_derivative", "by differences")
class RightAtZero(Function):
    """The derivative of sinh as 1 / cosh, which is right at 0."""

    def forward(self, x):
        return np.sinh(x)

    def backward(self, gy):
        (x,) = self.xs
        return gy * 2 / (np.exp(x) + np.exp(-x))


@caught_by("first_derivative", "by differences")
class TinyWithAWrongSign(Function):
    """All numbers are around 1e-12."""

    def forward(self, x):
        return 1e-12 * np.cos(x)

    def backward(self, gy):
        (x,) = self.xs
        return 1e-12 * gy * np.sin(x)


@caught_by("first_derivative", "by differences")
class WrongInMicrometres(Function):
    """A domain narrower than a step: the square, without its 2, of lengths in metres."""

    domain = (3e-7, 8e-7)

    def forward(self, x):
        return x * x

    def backward(self, gy):
        (x,) = self.xs
        return gy * x


@caught_by("first_derivative", "by differences")
class RightForPositiveNumbers(Function):
    """The derivative of sqrt(x**2) as 1."""

    def forward(self, x):
        return np.sqrt(x * x)

    def backward(self, gy):
        return gy * 1.0


@caught_by("first_derivative", "by differences")
class RoundedConstant(Function):
    """Pi is 3.14 in backward."""

    def forward(self, x):
        return np.sin(math.pi * x)

    def backward(self, gy):
        (x,) = self.xs
        return gy * 3.14 * np.cos(3.14 * x)


@caught_by("first_derivative", "by differences")
class DerivativeOfAnApproximation(Function):
    """The exact gelu, with the derivative of x times a sigmoid."""

    def forward(self, x):
        return 0.5 * x * (1 + np.vectorize(math.erf, otypes=[x.dtype])(x / math.sqrt(2)))

    def backward(self, gy):
        (x,) = self.xs
        s = 1 / (1 + np.exp(-1.702 * x))
        return gy * (s + 1.702 * x * s * (1 - s))


@caught_by("first_derivative", "by differences")
class OneSidedDifference(Function):
    """A gradient by a one-sided difference, with too long a step."""

    def forward(self, x):
        return np.sin(x)

    def backward(self, gy):
        (x,) = self.xs
        return gy * (np.sin(x + 1e-3) - np.sin(x)) / 1e-3


@caught_by("first_derivative", "by differences")
class SwappedGradients(Product):
    """Each input gets the other one's gradient."""

    def backward(self, gy):
        x0, x1 = self.xs
        return gy * x0, gy * x1


@caught_by("first_derivative", "by differences")
class ReversedGradients(Function):
    """A weighted sum of any number of inputs, whose gradients come in the wrong order."""

    def forward(self, *xs):
        return sum((i + 1) * x for i, x in enumerate(xs, 1))

    def backward(self, gy):
        return tuple(gy * (i + 1) for i in reversed(range(1, len(self.xs) + 1)))


@caught_by("first_derivative", "by differences")
class ForgottenInput(Product):
    """The second input gets none."""

    def backward(self, gy):
        _, x1 = self.xs
        return gy * x1, None


@caught_by("gradient_structure", "method without 'return'")
class ForgottenReturn(Sine):
    """Backward computes and returns nothing."""

    def backward(self, gy):
        (x,) = self.xs
        gy * np.cos(x)


@caught_by("first_derivative", "by differences")
class ForgottenTerm(Function):
    """The derivative of x @ x.T reaches x in one place of two."""

    samples = ({"x": (2, 3)}, {"x": (3, 3)})

    def forward(self, x):
        return x @ x.T

    def backward(self, gy):
        (x,) = self.xs
        return gy @ x


@caught_by("first_derivative", "by differences")
class NotTransposed(Function):
    """A running sum is passed back as a running sum, not as one from the end."""

    samples = ({"x": (4,)}, {"x": (3, 2)})

    def forward(self, x):
        return self.triangle(x) @ x

    def backward(self, gy):
        return self.triangle(gy) @ gy

    def triangle(self, x):
        return np.tril(np.ones((len(x), len(x)), x.dtype))


@caught_by("first_derivative", "keepdims = True")
class WrongWithKeepdims(Mean):
    """A branch that forgets to divide."""

    def backward(self, gy):
        (x,) = self.xs
        return np.broadcast_to(gy, x.shape) if self.keepdims else super().backward(gy)


@caught_by("first_derivative", "axis = ")
class WrongWithAxis(Mean):
    """It divides by the number of all elements."""

    def count(self, x):
        return x.size


@caught_by("first_derivative", "by differences")
class ForgottenResult(SineAndCosine):
    """The second result passes nothing back."""

    def backward(self, g_sin, g_cos):
        _, c = self.ys
        return g_sin * c


@caught_by("first_derivative", "by differences 0 ")
class RemembersByShape(Sine):
    """A cache whose key leaves the numbers out."""

    _known = {}

    def forward(self, x):
        return self._known.setdefault((x.shape, x.dtype), np.sin(x)).copy()


@caught_by("first_derivative", "by differences")
class WrongFarOut(Function):
    """A relu that ends at 6, whose gradient does not."""

    def forward(self, x):
        return np.clip(x, 0, 6)

    def backward(self, gy):
        (x,) = self.xs
        return np.where(x > 0, gy, 0)


# The incoming gradient is used wrongly.


@caught_by("chain_rule", "multiply by gy, exactly once")
class NoIncomingGradient(Sine):
    """The derivative alone."""

    def backward(self, gy):
        (x,) = self.xs
        return np.cos(x)


@caught_by("chain_rule", "multiply by gy, exactly once")
class IncomingGradientTwice(Sine):
    """The incoming gradient is a factor twice."""

    def backward(self, gy):
        return gy * super().backward(gy)


@caught_by("chain_rule", "backward is not linear in gy")
class ClippedGradient(Sine):
    """Backward clips what it gets."""

    def backward(self, gy):
        return super().backward(np.clip(gy, -0.5, 0.5))


@caught_by("chain_rule", "backward is not linear in gy")
class AddedPenalty(Sine):
    """Backward adds a weight decay."""

    def backward(self, gy):
        (x,) = self.xs
        return super().backward(gy) + 0.01 * x


# The number is wrong at single points.


@caught_by("special_values", "is nan, close by it is ")
class NanAtASmoothZero(Function):
    """X times its absolute value, smooth at 0, where backward divides 0 by 0."""

    domain = (-math.inf, math.inf)

    def forward(self, x):
        return x * np.abs(x)

    def backward(self, gy):
        (x,) = self.xs
        return gy * (np.abs(x) + x * x / np.abs(x))


@caught_by("special_values", "on x = float64 () [0.]")
class WrongAtZero(Function):
    """sin(x) / x, whose derivative at 0 is given as the value there."""

    def forward(self, x):
        return np.where(x == 0, 1, np.sin(x) / np.where(x == 0, 1, x))

    def backward(self, gy):
        (x,) = self.xs
        zero = np.equal(x, 0)
        safe = np.where(zero, 1, x)
        return gy * np.where(zero, 1, (np.cos(safe) - np.sin(safe) / safe) / safe)


@caught_by("special_values", "1e-13, close by it is ")
class TinyAndWrongAtZero(Function):
    """A parabola of numbers around 1e-12, whose slope at 0 is given as 1e-13."""

    domain = (-math.inf, math.inf)

    def forward(self, x):
        return 1e-12 * x * x

    def backward(self, gy):
        (x,) = self.xs
        return np.where(np.equal(x, 0), 1e-13 * gy / np.maximum(np.abs(gy), 1e-300), 2e-12 * gy * x)


@caught_by("special_values", "on x = float64 () [1.]")
class WrongAtOne(Function):
    """(x**3 - 1) / (x - 1), whose derivative at 1 is given as 0."""

    def forward(self, x):
        return np.where(x == 1, 3, (x**3 - 1) / np.where(x == 1, 1, x - 1))

    def backward(self, gy):
        (x,) = self.xs
        return np.where(np.equal(x, 1), 0, gy * (2 * x + 1))


@caught_by("special_values", "the gradient of x0 at () is 0, close by it is ")
class WrongForEqualInputs(Function):
    """(x0**2 - x1**2) / (x0 - x1), whose gradients are 0 where the inputs are equal."""

    def forward(self, x0, x1):
        same = x0 == x1
        return np.where(same, 2 * x0, (x0 * x0 - x1 * x1) / np.where(same, 1, x0 - x1))

    def backward(self, gy):
        x0, x1 = self.xs
        gx = np.where(np.equal(x0, x1), 0, gy)
        return gx, gx * 1.0


@caught_by("special_values", "the gradient of all together is ")
class WrongForATie(Function):
    """The larger of two; where they are equal, each gets the whole gradient."""

    def forward(self, x0, x1):
        return np.maximum(x0, x1)

    def backward(self, gy):
        x0, x1 = self.xs
        return np.where(x0 >= x1, gy, 0), np.where(x1 >= x0, gy, 0)


@caught_by("special_values", "the gradient of b at () is 0, close by it is ")
class TruthOfAnOptionalInput(Function):
    """A bias of zeros is taken for none, and gets no gradient."""

    def forward(self, x, b=None):
        return x * 2 if b is None else x * 2 + b

    def backward(self, gy):
        b = self.xs[1] if len(self.xs) > 1 else None
        return 2 * gy, (gy if b is not None and np.any(b) else None)


# Not a gradient at all.


@caught_by("gradient_structure", "returned 2 gradients for 1 inputs")
class TooManyGradients(Sine):
    """A gradient for an input that there is not."""

    def backward(self, gy):
        return super().backward(gy), gy


@caught_by("gradient_structure", "returned 1 gradients for 2 inputs")
class TooFewGradients(Product):
    """A gradient for the first input only."""

    def backward(self, gy):
        return gy * self.xs[1]


@caught_by("gradient_structure", "returned 2 gradients for 3 inputs")
class AlwaysTwoGradients(Function):
    """A sum of any number, written for two."""

    def forward(self, *xs):
        return sum(x * 1.0 for x in xs)

    def backward(self, gy):
        return (gy, gy) if len(self.xs) > 1 else gy


@caught_by("gradient_structure", "the gradient of input 0 has shape ()")
class SummedGradient(Sine):
    """The gradient is summed over all elements."""

    def backward(self, gy):
        return np.sum(super().backward(gy))


@caught_by("gradient_structure", "has shape (5,), but the input has ()")
class FiveGradientsOfANumber(Function):
    """A number times 0 + 1 + 2 + 3 + 4, whose gradient comes in five parts."""

    samples = ({"x": ()},)

    def forward(self, x):
        return np.asarray(10 * x)

    def backward(self, gy):
        return gy * np.arange(5.0)


@caught_by("gradient_structure", "has shape (3, 2), but the input has (2, 3)")
class TransposedGradient(Function):
    """A transposed copy, whose gradient is not turned back."""

    samples = ({"x": (2, 3)},)

    def forward(self, x):
        return x.T * 2

    def backward(self, gy):
        return gy * 2


@caught_by("gradient_structure", "<class 'list'> as a gradient")
class ListOfNumbers(Product):
    """The first gradient is a list of Python's numbers."""

    def backward(self, gy):
        g0, g1 = super().backward(gy)
        return g0.tolist(), g1


@caught_by("gradient_structure", "<class 'generator'> as a gradient")
class GeneratorOfGradients(Sine):
    """A generator instead of a tuple."""

    def backward(self, gy):
        return (g for g in [super().backward(gy)])


@caught_by("gradient_structure", "NameError")
class RaisingBackward(Sine):
    """A slip of the pen."""

    def backward(self, gy):
        return gy * np.cos(x)  # noqa: F821


@caught_by("first_derivative", "differentiable = False")
class ForgottenNotDifferentiable(Function):
    """Integers come out, so there is no derivative, and nothing says so."""

    def forward(self, x):
        return np.argsort(x)

    def backward(self, gy):
        return (None,)


# The second derivative is wrong.


@caught_by("second_derivative", "reads '.data'")
class DataOfTheInput(Sine):
    """Backward reaches for the array behind the input."""

    def backward(self, gy):
        return gy * np.cos(self.input.data)


@caught_by("second_derivative", "reads self.y")
class StoredResult(Function):
    """Forward keeps an array that backward multiplies by."""

    def forward(self, x):
        self.y = np.exp(x)
        return self.y.copy()

    def backward(self, gy):
        return gy * self.y


@caught_by("second_derivative", "reads self.kept")
class StoredInADict(StoredResult):
    """The same, in a dict."""

    def forward(self, x):
        self.kept = {"y": np.exp(x)}
        return self.kept["y"].copy()

    def backward(self, gy):
        return gy * self.kept["y"]


@caught_by("second_derivative", "reads self.kept")
class StoredInAnObject(StoredResult):
    """The same, in an object."""

    def forward(self, x):
        self.kept = SimpleNamespace(y=np.exp(x))
        return self.kept.y.copy()

    def backward(self, gy):
        return gy * self.kept.y


@caught_by("second_derivative", "reads self.pull")
class StoredInAClosure(StoredResult):
    """The same, in a function."""

    def forward(self, x):
        y = np.exp(x)
        self.pull = lambda gy: gy * y
        return y.copy()

    def backward(self, gy):
        return self.pull(gy)


@caught_by("second_derivative", "by differences")
class DeclaredConstant(StoredResult):
    """What depends on the input is declared a constant."""

    constants = ("y",)


@caught_by("second_derivative", "making a NumPy array of a Variable")
class ForeignFunction(Function):
    """The integral of erf, whose derivative comes from Python's math module."""

    def forward(self, x):
        return x * self.erf(x) + np.exp(-x * x) / math.sqrt(math.pi)

    def backward(self, gy):
        (x,) = self.xs
        return gy * self.erf(x)

    def erf(self, x):
        return np.vectorize(math.erf, otypes=[x.dtype])(x)


@caught_by("second_derivative", "making a Python number of a Variable")
class PythonNumber(Function):
    """A sum of squares, halved by way of a Python number."""

    def forward(self, x):
        return np.asarray(np.sum(x) ** 2)

    def backward(self, gy):
        (x,) = self.xs
        return np.broadcast_to(gy * 2 * float(np.sum(x)), x.shape)


@caught_by("second_derivative", "v = ops.set_item(v, value, index)")
class AssignedElements(Function):
    """The gradient is set to zero in place."""

    def forward(self, x):
        return np.where(x > 0, x * x, 0)

    def backward(self, gy):
        (x,) = self.xs
        gx = 2 * gy * x
        gx[x < 0] = 0
        return gx


@caught_by("second_derivative", "np.equal(a, b)")
class EqualByIdentity(Function):
    """== compares two Variables by identity."""

    def forward(self, x):
        return x * np.abs(x)

    def backward(self, gy):
        (x,) = self.xs
        return np.where(x == 0 * x, 0, 2 * gy * np.abs(x))


@caught_by("second_derivative", "by differences")
class RoundedInBackward(Sine):
    """Rounding to twelve digits is a step, whose derivative is 0."""

    def backward(self, gy):
        (x,) = self.xs
        return gy * np.round(np.cos(x), 12)


@caught_by("second_derivative", "by differences")
class SignOfAPower(Function):
    """abs(x)**3 / 3, with the square taken of a rounded table."""

    def forward(self, x):
        return np.abs(x) ** 3 / 3

    def backward(self, gy):
        (x,) = self.xs
        return gy * np.sign(x) * np.floor(x * x * 2.0**40) / 2.0**40


@caught_by("second_derivative", "by differences")
class ShapeOfData(Sine):
    """A tidy-up of what comes in makes a plain array of it."""

    def backward(self, gy):
        (x,) = self.xs
        return gy * np.cos(np.full_like(x, 0) + getattr(x, "_value", x))


# float32 is spoiled.


@caught_by("float32", "result 0 is float64, expected float32")
class StrongConstant(Function):
    """A constant array of float64."""

    def forward(self, x):
        return x * np.array(2.0)[None][0]

    def backward(self, gy):
        return gy * 2


@caught_by("float32", "result 0 is float64, expected float32")
class FreshZeros(Function):
    """New zeros are float64."""

    def forward(self, x):
        y = np.zeros(x.shape)
        y[...] = x * 2
        return y

    def backward(self, gy):
        return gy * 2


@caught_by("float32", "result 0 is float64, expected float32")
class PythonFloat(Function):
    """A sum as one of Python's numbers."""

    def forward(self, x):
        return float(np.sum(x))

    def backward(self, gy):
        (x,) = self.xs
        return np.broadcast_to(gy, x.shape)


@caught_by("float32", "float64 gives")
class CoarseInFloat32(Function):
    """Another constant for float32."""

    def forward(self, x):
        return x * {4: 0.31, 8: 1 / math.pi}.get(x.itemsize, 1 / math.pi)

    def backward(self, gy):
        return gy * {4: 0.31, 8: 1 / math.pi}.get(gy.dtype.itemsize, 1 / math.pi)


@caught_by("float32", "the gradient of x is")
class CoarseGradientInFloat32(Function):
    """Another constant for float32, in backward."""

    def forward(self, x):
        return x / math.pi

    def backward(self, gy):
        return gy * (0.31 if gy.dtype == np.float32 else 1 / math.pi)


@caught_by("float32", "float64 gives")
class Cancellation(Function):
    """A variance as the difference of two large numbers."""

    samples = ({"x": np.array([1000.1, 1001.3, 1002.2, 1000.7])},)

    def forward(self, x):
        return np.asarray(np.mean(x * x) - np.mean(x) ** 2)

    def backward(self, gy):
        (x,) = self.xs
        return gy * 2 * (x - np.mean(x)) / x.size


# What others hold is overwritten.


@caught_by("inputs_unchanged", "forward wrote into input 0")
class WritesIntoItsInput(Function):
    """The largest is subtracted in place."""

    def forward(self, x):
        x -= x.max()
        return np.exp(x)

    def backward(self, gy):
        (y,) = self.ys
        return gy * y


@caught_by("inputs_unchanged", "forward wrote into input 1")
class SortsItsIds(Function):
    """Ids are sorted in place."""

    samples = ({"x": (4,), "ids": np.array([2, 0, 2])},)

    def forward(self, x, ids):
        ids.sort()
        return x[ids]

    def backward(self, gy):
        x, ids = self.xs
        gx = np.zeros_like(x)
        np.add.at(gx, ids, gy)
        return gx, None


@caught_by("inputs_unchanged", "backward wrote into self.xs")
class BackwardWritesIntoXs(Function):
    """The gradient is computed in the input's memory."""

    def forward(self, x):
        return x * x / 2

    def backward(self, gy):
        (x,) = self.xs
        x *= gy
        return x


@caught_by("inputs_unchanged", "backward wrote into self.xs")
class BackwardTidiesXs(Function):
    """Negative inputs are set to zero in place: a second time changes nothing."""

    def forward(self, x):
        return np.maximum(x, 0) ** 2

    def backward(self, gy):
        (x,) = self.xs
        np.maximum(x, 0, out=x)
        return 2 * gy * x


@caught_by("inputs_unchanged", "backward wrote into the gradient that it got")
class BackwardWritesIntoGy(Sine):
    """The gradient is computed in the incoming one's memory."""

    def backward(self, gy):
        (x,) = self.xs
        gy *= np.cos(x)
        return gy


@caught_by("inputs_unchanged", "backward wrote into self.ys")
class BackwardWritesIntoYs(Function):
    """The gradient is computed in the result's memory."""

    def forward(self, x):
        return np.exp(x)

    def backward(self, gy):
        (y,) = self.ys
        y *= gy
        return y


@caught_by("inputs_unchanged", "forward wrote into input 0")
@composite()
def centred_in_place(x):
    """Subtract the mean in place."""
    x.data -= x.data.mean()
    return x * 2


# The result is not a new array.


@caught_by("fresh_result", "result 0 shares its memory with an input")
class GivesItsInputBack(Function):
    """The identity, by the array that it was given."""

    def forward(self, x):
        return x

    def backward(self, gy):
        return gy


@caught_by("fresh_result", "result 0 shares its memory with an input")
class ViewOfItsInput(GivesItsInputBack):
    """Elementwise, by a view."""

    elementwise = True

    def forward(self, x):
        return x[...]


@caught_by("fresh_result", "result 0 shares its memory with an input")
class SometimesItsInput(Function):
    """Scaled to a norm of at most 1; what is smaller comes back as it is."""

    samples = ({"x": np.array([0.1, 0.2])}, {"x": np.array([1.0, 2.0])})

    def forward(self, x):
        norm = np.sqrt(np.sum(x * x))
        return x if norm <= 1 else x / norm

    def backward(self, gy):
        (x,) = self.xs
        norm = np.sqrt(np.sum(x * x))
        return gy if norm <= 1 else gy / norm - x * np.sum(x * gy) / norm**3


@caught_by("fresh_result", "a buffer that is kept")
class BufferOnTheClass(Sine):
    """All calls of one shape write into one array."""

    _buffers = {}

    def forward(self, x):
        return np.sin(x, out=self._buffers.setdefault((x.shape, x.dtype), np.empty_like(x)))


@caught_by("fresh_result", "a buffer that is kept")
class BufferOnTheInstance(Sine):
    """All calls of one instance write into one array."""

    def __init__(self):
        self.buffers = {}

    def forward(self, x):
        return np.sin(x, out=self.buffers.setdefault((x.shape, x.dtype), np.empty_like(x)))


@caught_by("fresh_result", "result 1 is another result, too")
class OneArrayTwice(Function):
    """Both results are one array."""

    def forward(self, x):
        y = np.sin(x)
        return y, y

    def backward(self, g0, g1):
        (x,) = self.xs
        return (g0 + g1) * np.cos(x)


# The result is not one.


@caught_by("result_type", "forward returned <class 'list'>")
class ListOfResults(Sine):
    """A list instead of an array."""

    def forward(self, x):
        return [np.sin(x)]


@caught_by("result_type", "forward returned None")
class ForgottenResultOfForward(Sine):
    """Forward returns nothing."""

    def forward(self, x):
        np.sin(x)


@caught_by("result_type", "expected a Variable")
@composite()
def forgotten_result(x):
    """A composite that returns nothing."""
    np.sin(x)


@caught_by("result_type", "the gradient is lost")
@composite()
def plain_result(x):
    """A composite that gives a plain array."""
    return np.asarray(np.argsort(x)) * 1.0


@caught_by("result_type", "making a NumPy array of a Variable")
@composite()
def converted(x):
    """A composite that calls what knows no Variables."""
    return np.vectorize(math.sin)(x)


@caught_by("result_type", "forward raised on all")
class FourAxes(Sine):
    """It takes images, which nobody guesses, and gives no samples."""

    def forward(self, x):
        if x.ndim != 4:
            raise ValueError("expected (batch, channel, height, width)")
        return np.sin(x)


@caught_by("result_type", "no value is known for 'order'")
class RequiredConstant(Function):
    """A constant without a default, and no samples."""

    def __init__(self, order):
        self.order = order

    def forward(self, x):
        return x**self.order

    def backward(self, gy):
        (x,) = self.xs
        return gy * self.order * x ** (self.order - 1)


@caught_by("result_type", "samples is empty")
class NoSamples(Sine):
    """An author's samples, and there are none."""

    samples = ()


@caught_by("result_type", "'axes'")
class UnknownParameter(Mean):
    """A sample that names a parameter which there is not."""

    samples = ({"x": (3,), "axes": 0},)


@caught_by("result_type", "expected a dict of arguments by name")
class SampleIsATuple(Sine):
    """A sample that gives its arguments by position."""

    samples = ((2, 3),)


@caught_by("result_type", "(low, high) with low < high")
class UpsideDownDomain(Sine):
    """A domain whose ends are swapped."""

    domain = (1, 0)


@caught_by("result_type", "domain has 0")
class NumberForADomain(Sine):
    """A domain with one end."""

    domain = 0


@caught_by("result_type", "domain names 'y'; the inputs are 'x'")
class DomainOfAStranger(Sine):
    """A domain of an input that there is not."""

    domain = {"y": (0, 1)}


@caught_by("deterministic", "make what is random a constant of __init__")
class GlobalRandomNumbers(Masked):
    """A dropout from the process's random numbers."""

    def forward(self, x):
        self.mask = np.random.uniform(size=x.shape) < 0.5
        return np.where(self.mask, x, 0)


@caught_by("deterministic", "make what is random a constant of __init__")
class GeneratorOnTheClass(GlobalRandomNumbers):
    """A dropout from a generator that all calls share."""

    _rng = np.random.default_rng(0)

    def forward(self, x):
        self.mask = self._rng.uniform(size=x.shape) < 0.5
        return np.where(self.mask, x, 0)


@caught_by("deterministic", "two equal calls give")
class CountsItsCalls(Function):
    """The result depends on how many calls there were."""

    _calls = 0

    def forward(self, x):
        type(self)._calls += 1
        return x / type(self)._calls

    def backward(self, gy):
        return gy / type(self)._calls


@caught_by("deterministic", "two equal calls give")
class MutableDefault(Function):
    """A default list that grows."""

    def __init__(self, terms=[]):  # noqa: B006
        self.terms = terms

    def forward(self, x):
        self.terms.append(1)
        return x * len(self.terms)

    def backward(self, gy):
        return gy * len(self.terms)


# What it says of itself is not so.


@caught_by("saves", "backward reads self.ys")
class SavesTooLittle(Function):
    """Backward reads the result, which is not kept."""

    saves = ("xs",)

    def forward(self, x):
        return np.exp(x)

    def backward(self, gy):
        (y,) = self.ys
        return gy * y


@caught_by("saves", "keeps self.ys, which backward never reads")
class SavesTooMuch(Sine):
    """The result is kept for nobody."""

    saves = ("xs", "ys")


@caught_by("saves", "backward reads self.xs")
class SavesTooLittleForOneInput(Product):
    """Backward reads the inputs, where the second one is wanted alone."""

    saves = ()

    def forward(self, x0, x1):
        return x0 + x1 * x1

    def backward(self, gy):
        return gy * 1.0, (2 * gy * self.xs[1] if self.needs_grad == (False, True) else None)


@caught_by("elementwise", "take elementwise = True out")
class LyingRunningSum(Function):
    """A running sum is not elementwise."""

    elementwise = True

    def forward(self, x):
        return np.cumsum(x, axis=-1) if x.ndim else x * 1

    def backward(self, gy):
        n = gy.shape[-1] if gy.ndim else 1
        return gy @ np.tril(np.ones((n, n))) if gy.ndim else gy


@caught_by("elementwise", "take elementwise = True out")
class LyingSoftmax(Function):
    """A softmax is not elementwise."""

    elementwise = True

    def forward(self, x):
        y = np.exp(x)
        return y / y.sum()

    def backward(self, gy):
        (y,) = self.ys
        return y * (gy - np.sum(gy * y))


@caught_by("elementwise", "take elementwise = True out")
class LyingCentring(Function):
    """A difference from the mean is not elementwise."""

    elementwise = True

    def forward(self, x):
        return x - np.sum(x) / max(x.size, 1)

    def backward(self, gy):
        return gy - np.sum(gy) / max(gy.size, 1)


@caught_by("elementwise", "has shape (6,), the inputs together have (2, 3)")
class LyingFlatten(Function):
    """An elementwise operator keeps the shape."""

    elementwise = True

    def forward(self, x):
        return 2 * x.ravel()

    def backward(self, gy):
        (x,) = self.xs
        return 2 * np.reshape(gy, x.shape)


@caught_by("elementwise", "has shape (1,), the inputs together have ()")
class AtLeastOneAxis(Sine):
    """A number becomes an array of one."""

    elementwise = True

    def forward(self, x):
        return np.sin(np.atleast_1d(x))


@caught_by("broadcasting", "forward raised")
class ElementwiseWithoutBroadcasting(Product):
    """Elementwise, but for inputs of one shape."""

    elementwise = True

    def forward(self, x0, x1):
        if x0.shape != x1.shape:
            raise ValueError("expected two arrays of one shape")
        return x0 * x1


# It fails on arrays of one form.


@caught_by("broadcasting", "by differences")
class MeanOverBroadcastAxes(Product):
    """Backward takes the mean where a sum over the broadcast axes is due."""

    def backward(self, gy):
        g0, g1 = super().backward(gy)
        _, x1 = self.xs
        return g0, np.mean(g1, axis=0) if g1.ndim > x1.ndim else g1


@caught_by("broadcasting", "has shape")
class SummedOverAWrongAxis(Product):
    """Backward sums the first axis, wherever the broadcast one is."""

    def backward(self, gy):
        gxs = super().backward(gy)
        pairs = zip(gxs, self.xs, strict=True)
        return tuple(g if g.shape == x.shape else np.sum(g, axis=0, keepdims=True) for g, x in pairs)


@caught_by("zero_dimensional", "by differences")
class WrongWithoutAxes(Sine):
    """A number is passed by."""

    def backward(self, gy):
        return super().backward(gy) if gy.ndim else gy


@caught_by("empty", "has shape (0,), but the input has (2, 0)")
class WrongWithoutElements(Sine):
    """A shortcut for nothing to do."""

    def backward(self, gy):
        return super().backward(gy) if gy.size else np.zeros(0)


@caught_by("empty", "IndexError")
class RaisesWithoutElements(Sine):
    """Backward looks at the first element."""

    def backward(self, gy):
        (x,) = self.xs
        scale = np.abs(np.reshape(x, (-1,))[0]) + 1
        return gy / scale * np.cos(x) * scale


@caught_by("empty", "forward raised ValueError")
class ElementwiseButForNothing(Sine):
    """Elementwise, but it looks for the smallest element."""

    elementwise = True

    def forward(self, x):
        if np.isnan(x.min()):
            raise ValueError("nan")
        return np.sin(x)


@caught_by("negative_axis", "axis = -1")
class WrongFromTheEnd(Mean):
    """It counts along the axis whose number is given, as it is given."""

    def count(self, x):
        if self.axis is None:
            return x.size
        return math.prod(n for i, n in enumerate(x.shape) if i == self.axis)


@caught_by("negative_axis", "in backward of operator")
class RaisesFromTheEnd(Mean):
    """It inserts the lost axis with list.insert, which counts otherwise from the end."""

    def backward(self, gy):
        (x,) = self.xs
        if self.axis is not None and not self.keepdims:
            shape = list(gy.shape)
            shape.insert(self.axis, 1)
            gy = np.reshape(gy, tuple(shape))
        return np.broadcast_to(gy, x.shape) / self.count(x)


@caught_by("memory_layout", "with transposed inputs the result 0 is")
class OrderInMemory(Sine):
    """Elements are taken in the order in which they lie in memory."""

    def forward(self, x):
        return np.sin(x.ravel("K")).reshape(x.shape)


@caught_by("memory_layout", "with strided inputs")
class AssumedStrides(Function):
    """Differences of neighbours by a view that takes the elements to lie side by side."""

    samples = ({"x": (5,)},)

    def forward(self, x):
        pairs = np.lib.stride_tricks.as_strided(x, (x.size - 1, 2), (x.itemsize, x.itemsize))
        return pairs[:, 1] - pairs[:, 0]

    def backward(self, gy):
        zero = np.zeros(1, gy.dtype)
        return np.concatenate([zero, gy]) - np.concatenate([gy, zero])


@caught_by("memory_layout", "ValueError")
class PairsByAView(Function):
    """Lengths of pairs by a view as complex numbers, which wants the last axis without gaps."""

    samples = ({"x": (4,)}, {"x": (3, 2)})
    domain = (-math.inf, math.inf)

    def forward(self, x):
        return np.abs(x.view({4: np.complex64, 8: np.complex128}[x.itemsize]))

    def backward(self, gy):
        (x,), (y,) = self.xs, self.ys
        pairs = np.reshape(x, (*y.shape, 2)) * np.reshape(gy / y, (*y.shape, 1))
        return np.reshape(pairs, x.shape)


@caught_by("memory_layout", "with reversed inputs the result 0 is")
class UndoesAReversal(Sine):
    """A reversed array is turned round for the sake of speed, and not back."""

    def forward(self, x):
        return np.sin(x[..., ::-1] if x.ndim and x.strides[-1] < 0 else x)


@caught_by("memory_layout", "ZeroDivisionError")
class StridesOfTheGradient(Sine):
    """The number of columns is worked out from strides, which are 0 in a broadcast gradient."""

    once_differentiable = True

    def backward(self, gy):
        (x,) = self.xs
        if gy.ndim == 2 and gy.size:
            columns = gy.strides[0] // gy.strides[1]
            gy = np.reshape(np.ravel(gy), (-1, max(columns, 1))).reshape(gy.shape)
        return gy * np.cos(x)


# Calls beside other calls.


@caught_by("repeated_input", "the same Variable as x0 and x1")
class GradientsById(Function):
    """Gradients are kept by the id of the input, which two inputs may have."""

    def forward(self, x0, x1):
        return x0 * x1 * x1

    def backward(self, gy):
        x0, x1 = self.xs
        gxs = {id(x0): gy * x1 * x1}
        gxs[id(x1)] = 2 * gy * x0 * x1
        return gxs[id(x0)], gxs[id(x1)]


@caught_by("repeated_input", "the same Variable as x0 and x1")
class ShortcutForOneInput(Product):
    """A square's gradient, given to both places of one input."""

    def backward(self, gy):
        x0, x1 = self.xs
        return (2 * gy * x0, 2 * gy * x0) if x0 is x1 else (gy * x1, gy * x0)


@caught_by("constant_inputs", "as the only Variable its gradient is")
class SwappedNeedsGrad(Product):
    """Each gradient is computed where the other one is wanted."""

    def backward(self, gy):
        x0, x1 = self.xs
        return (gy * x1 if self.needs_grad[1] else None, gy * x0 if self.needs_grad[0] else None)


@caught_by("constant_inputs", "of constants alone it records a result")
@composite()
def always_recorded(x):
    """A composite that makes a Variable of a constant."""
    x = x if isinstance(x, Variable) else Variable(x)
    return np.sin(x) * x


@caught_by("first_derivative", "by differences")
@composite()
def data_inside(x):
    """A composite that divides by a plain number, which depends on x."""
    return x / np.sqrt(np.sum(np.asarray(x.data) ** 2))


@caught_by("first_derivative", "is 0, by differences")
@composite()
def unrecorded(x):
    """A composite that computes without recording."""
    with no_grad():
        return np.sin(x) * x


@caught_by("unused_outputs", "with one result in use")
class DividesByAGradient(SineAndCosine):
    """Backward divides by one of the gradients, which is 0 where nothing used that result."""

    def backward(self, g_sin, g_cos):
        s, c = self.ys
        return g_sin * (c - g_cos / g_sin * s)


@caught_by("unused_outputs", "with one result in use")
class OneGradientIsEnough(SineAndCosine):
    """A shortcut for an unused result, with a wrong sign."""

    def backward(self, g_sin, g_cos):
        s, c = self.ys
        return g_sin * c - g_cos * s if np.any(g_sin) else g_cos * s


@caught_by("independent_calls", "keep what a call needs on self")
class MaskOnTheClass(Masked):
    """The mask of the last call is every call's."""

    constants = ("_mask",)

    def forward(self, x):
        type(self)._mask = x > 0
        return np.where(self._mask, x, 0)

    def backward(self, gy):
        return np.where(self._mask, gy, 0)


@caught_by("independent_calls", "keep what a call needs on self")
class MaskInADict(Masked):
    """The mask is in a dict that all calls of one instance share."""

    def __init__(self):
        self.kept = {}

    def forward(self, x):
        self.kept["mask"] = x > 0
        return np.where(self.kept["mask"], x, 0)

    def backward(self, gy):
        return np.where(self.kept["mask"], gy, 0)


@caught_by("independent_calls", "no attribute 'mask'")
class DeletesItsMask(Masked):
    """The mask is gone after the first backward."""

    def backward(self, gy):
        mask = self.mask
        del self.mask
        return np.where(mask, gy, 0)


@caught_by("threads", "in two threads")
class ScratchInForward(Sine):
    """All threads work in one array."""

    _scratch = np.zeros(1000)

    def forward(self, x):
        scratch = self._scratch[: x.size].reshape(x.shape)
        scratch[...] = x
        return np.sin(scratch).astype(x.dtype)


@caught_by("threads", "in two threads")
class ScratchInBackward(Masked):
    """All threads work in one mask."""

    _scratch = np.zeros(1000, bool)

    def backward(self, gy):
        scratch = self._scratch[: gy.size].reshape(gy.shape)
        np.copyto(scratch, self.mask)
        return np.where(scratch.copy(), gy, 0)


@caught_by("references", "x is still held")
class KeepsItsInputs(Sine):
    """A list on the class remembers every input."""

    _seen = []

    def forward(self, x):
        self._seen.append(x)
        return np.sin(x)


@caught_by("references", "the recorded function is still held")
class HoldsItself(Sine):
    """A cycle, which waits for the garbage collector."""

    def forward(self, x):
        self.me = self
        return np.sin(x)


@caught_by("references", "the recorded function is still held")
class HoldsItselfInAFunction(Sine):
    """A cycle by way of a closure."""

    def forward(self, x):
        self.described = lambda: f"sin of {self.xs}"
        return np.sin(x)


# How it is reached.


@caught_by("numpy_function", "numpy.log2 on arrays gives")
class AnotherLogarithm(Function):
    """It claims numpy.log2, and is numpy.log."""

    implements = np.log2
    domain = (0, math.inf)

    def forward(self, x):
        return np.log(x)

    def backward(self, gy):
        (x,) = self.xs
        return gy / x


@caught_by("numpy_function", "its parameters must be NumPy's")
class OtherParameters(Function):
    """numpy.roll calls it shift."""

    implements = np.roll
    samples = ({"x": (4,), "steps": 1},)

    def __init__(self, steps):
        self.steps = steps

    def forward(self, x):
        return np.concatenate([x[-self.steps :], x[: -self.steps]])

    def backward(self, gy):
        return np.concatenate([gy[self.steps :], gy[: self.steps]])


@caught_by("numpy_function", "numpy.prod on arrays gives")
class OtherDefault(Function):
    """It multiplies along the first axis by default, numpy.prod along all."""

    implements = np.prod
    domain = (0, math.inf)
    samples = ({"x": (2, 3)}, {"x": (2, 3), "axis": 1})

    def __init__(self, axis=0):
        self.axis = axis

    def forward(self, x):
        return np.prod(x, axis=self.axis)

    def backward(self, gy):
        (x,), (y,) = self.xs, self.ys
        return np.expand_dims(gy * y, self.axis) / x


@caught_by("numpy_function", "numpy.copysign on arrays gives")
class SwappedArguments(Function):
    """from_numpy takes the arguments in the wrong order."""

    implements = np.copysign

    def forward(self, x0, x1):
        return np.copysign(x0, x1)

    def backward(self, gy):
        x0, x1 = self.xs
        return gy * np.sign(x0) * np.sign(x1), None

    @classmethod
    def from_numpy(cls, x0, x1):
        return cls()(x1, x0)


@caught_by("helper", "the name 'square' is taken")
class SquareOnceMore(Function):
    """The name of a built-in."""

    name = "square"

    def forward(self, x):
        return x * x

    def backward(self, gy):
        (x,) = self.xs
        return 2 * gy * x


@caught_by("helper", "it has no docstring")
class WithoutDocstring(Sine):
    pass


@caught_by("helper", "**kwargs")
@composite()
def any_keywords(x, **options):
    """A composite that swallows misspelt constants."""
    return np.sin(x) * options.get("factor", 1)


# Complex numbers.


@caught_by("complex", "by differences")
class ForgottenConjugate(Function):
    """x times its conjugate, with the derivative for real x."""

    def forward(self, x):
        return np.real(x * np.conj(x))

    def backward(self, gy):
        (x,) = self.xs
        return 2 * gy * x


@caught_by("complex", "by differences")
class ConjugateTooMany(Function):
    """The derivative of a square with a conjugate, as other libraries have it."""

    def forward(self, x):
        return x * x

    def backward(self, gy):
        (x,) = self.xs
        return 2 * gy * np.conj(x)


@caught_by("complex", "by differences")
class AbsInBackward(Function):
    """x**3, with the square of the absolute value in backward."""

    def forward(self, x):
        return x**3

    def backward(self, gy):
        (x,) = self.xs
        return 3 * gy * np.abs(x) ** 2


# Only a sample that nobody thinks of shows it.


@caught_by("result_type", "the results are nan or infinite on all samples")
class NowhereNearTheSamples(Function):
    """A logarithm from 20 on, and no domain that says so: nothing would be differentiated."""

    def forward(self, x):
        return np.log(x - 20)

    def backward(self, gy):
        return gy * 7


@caught_by("result_type", "no sample has a floating input with elements")
class SamplesOfIntegers(Sine):
    """An array of integers where floating numbers were meant: nothing would be differentiated."""

    samples = ({"x": [2, 3]},)

    def backward(self, gy):
        return gy * 7


@caught_by("result_type", "forward returned an empty tuple")
class NoResultAtAll(Sine):
    """An empty tuple."""

    def forward(self, x):
        return ()


@caught_by("result_type", "samples is an iterator, which can be read once")
class SamplesReadOnce(Sine):
    """Samples by an iterator."""

    samples = iter([{"x": (2,)}])


@caught_by("first_derivative", "on x = float64 (2, 3, 4)")
class SumForTwoAxes(Function):
    """A sum along the second axis, whose gradient is spread along the last."""

    def forward(self, x):
        if x.ndim < 2:
            raise ValueError("expected two axes")
        return np.sum(x, axis=1)

    def backward(self, gy):
        (x,) = self.xs
        rows = np.sum(gy, axis=-1, keepdims=True) if gy.ndim > 1 else np.expand_dims(gy, -1)
        return np.broadcast_to(np.expand_dims(rows, -1) if gy.ndim > 1 else rows, x.shape)


@caught_by("first_derivative", "slope = ")
class IgnoresItsConstant(Function):
    """A leaky relu whose backward knows the default slope only."""

    def __init__(self, slope=0.01):
        self.slope = slope

    def forward(self, x):
        return np.where(x > 0, x, self.slope * x)

    def backward(self, gy):
        (x,) = self.xs
        return np.where(x > 0, gy, 0.01 * gy)


@caught_by("first_derivative", "by differences")
class ForgetsTheSecondOption(Function):
    """A gain and a bias, either of which may be left out; a bias alone is forgotten."""

    def forward(self, x, gain=None, bias=None):
        y = x * 1 if gain is None else x * gain
        return y if bias is None else y + bias

    def backward(self, gy):
        x, gain, bias = (*self.xs, None, None)[:3]
        if gain is None:
            return gy, None, None
        return gy * gain, gy * x, None if bias is None else gy


@caught_by("special_values", "is nan, close by it is ")
class ProductByAQuotient(Function):
    """The gradient of a product as the product over each element, which may be 0."""

    samples = ({"x": (2, 3)},)

    def forward(self, x):
        return np.prod(x)

    def backward(self, gy):
        (x,), (y,) = self.xs, self.ys
        return gy * y / x


@caught_by("special_values", "the second derivative along a random direction is")
class FlatAtZero(Function):
    """sin(x) / x, whose gradient at 0 is right, and a constant."""

    def forward(self, x):
        return np.where(x == 0, 1, np.sin(x) / np.where(x == 0, 1, x))

    def backward(self, gy):
        (x,) = self.xs
        zero = np.equal(x, 0)
        safe = np.where(zero, 1.0, x)
        return gy * np.where(zero, 0.0, (np.cos(safe) - np.sin(safe) / safe) / safe)


@caught_by("special_values", "the gradient of all together is ")
class EachSmallestGetsAll(Function):
    """The smallest element; of equal ones each gets the whole gradient."""

    samples = ({"x": (6,)},)

    def forward(self, x):
        return x.min()

    def backward(self, gy):
        (x,), (y,) = self.xs, self.ys
        return np.where(np.equal(x, y), gy, 0 * gy)


@caught_by("inputs_unchanged", "forward wrote into kernel, a constant of __init__")
class ScalesItsKernel(Function):
    """The caller's kernel is normalised in place."""

    samples = ({"x": (5,), "kernel": np.array([1.0, 2.0, 3.0])},)
    constants = ("kernel",)

    def __init__(self, kernel):
        self.kernel = kernel

    def forward(self, x):
        self.kernel /= self.kernel.sum()
        return x * self.kernel[0]

    def backward(self, gy):
        return gy * self.kernel[0]


@caught_by("independent_calls", "keep what a call needs on self")
class NormOnTheClass(Function):
    """The norm of the last call is every call's."""

    samples = ({"x": (3,)},)
    once_differentiable = True

    def forward(self, x):
        type(self)._norm = math.sqrt(np.sum(x * x))
        return x / self._norm

    def backward(self, gy):
        (x,) = self.xs
        return gy / self._norm - x * np.sum(gy * x) / self._norm**3


@caught_by("numpy_function", "int64")
class RoundsIntegers(Function):
    """The result has the dtype of the input, which may be an integer's."""

    implements = np.arctan
    domain = (-math.inf, math.inf)

    def forward(self, x):
        return np.arctan(x).astype(x.dtype)

    def backward(self, gy):
        (x,) = self.xs
        return gy / (1 + x * x)


@caught_by("numpy_function", "nan")
class KeepsNan(Function):
    """It claims numpy.fmax, and keeps a nan as numpy.maximum does."""

    implements = np.fmax

    def forward(self, x0, x1):
        return np.maximum(x0, x1)

    def backward(self, gy):
        x0, x1 = self.xs
        first = (np.greater(x0, x1) * 0.5) + (np.greater_equal(x0, x1) * 0.5)
        return gy * first, gy * (1 - first)


@caught_by("method", "name 'scael' is not defined")
class MisspeltMethod(Function):
    """Its method raises."""

    method = "scaled_up"

    def forward(self, x):
        return 2 * x

    def backward(self, gy):
        return 2 * gy

    @classmethod
    def from_method(cls, x):
        return cls()(scael(x))  # noqa: F821


@caught_by("method", "missing 1 required positional argument: 'factor'")
class MethodOfMore(Function):
    """Its method wants what the operator does not have."""

    method = "scaled_twice"

    def forward(self, x):
        return 2 * x

    def backward(self, gy):
        return 2 * gy

    @classmethod
    def from_method(cls, x, factor):
        return cls()(x)
