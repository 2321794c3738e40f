"""Right operators with sharp corners, of which the checker must accuse none."""

import math

import numpy as np

from registry import Function, composite, ops

RIGHT = []


def right(operator):
    """Put an operator into the gallery."""
    RIGHT.append(operator)
    return operator


# Kinks and jumps.


@right
class Relu(Function):
    """The positive part; at 0 the gradient is 0."""

    elementwise = True

    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, gy):
        (x,) = self.xs
        return gy * np.greater(x, 0)


@right
class LeakyRelu(Function):
    """The positive part and a share of the negative one; at 0 the gradient is that of the positive part."""

    elementwise = True

    def __init__(self, slope=0.01):
        self.slope = slope

    def forward(self, x):
        return np.where(x >= 0, x, self.slope * x)

    def backward(self, gy):
        (x,) = self.xs
        return np.where(np.greater_equal(x, 0), gy, self.slope * gy)


@right
class AbsWithoutAGradientAtZero(Function):
    """The absolute value, whose gradient at 0 is nan: there is none."""

    domain = (-math.inf, math.inf)

    def forward(self, x):
        return np.abs(x)

    def backward(self, gy):
        (x,) = self.xs
        return gy * np.abs(x) / x


@right
class HardSigmoid(Function):
    """A line between two constants, with kinks at -2.5 and 2.5."""

    elementwise = True

    def forward(self, x):
        return np.clip(0.2 * x + 0.5, 0, 1)

    def backward(self, gy):
        (y,) = self.ys
        return 0.2 * gy * np.logical_and(np.greater(y, 0), np.less(y, 1))


@right
class Huber(Function):
    """A parabola that goes on as lines: its second derivative jumps."""

    elementwise = True
    domain = (-math.inf, math.inf)

    def __init__(self, delta=1.0):
        self.delta = delta

    def forward(self, x):
        far = np.abs(x) > self.delta
        return np.where(far, self.delta * (np.abs(x) - self.delta / 2), x * x / 2)

    def backward(self, gy):
        (x,) = self.xs
        return gy * np.clip(x, -self.delta, self.delta)


@right
class LargerFirst(Function):
    """The larger of two; of equal ones the first gets the whole gradient."""

    elementwise = True

    def forward(self, x0, x1):
        return np.maximum(x0, x1)

    def backward(self, gy):
        x0, x1 = self.xs
        first = np.greater_equal(x0, x1)
        return np.where(first, gy, 0 * gy), np.where(first, 0 * gy, gy)


@right
class Fraction(Function):
    """What is over a whole number: a saw with a tooth at each."""

    elementwise = True

    def forward(self, x):
        return x - np.floor(x)

    def backward(self, gy):
        return gy * 1


@right
class Rounded(Function):
    """The nearest whole number: flat but for its jumps."""

    elementwise = True

    def forward(self, x):
        return np.round(x)

    def backward(self, gy):
        return 0 * gy


@right
class LargestOfARow(Function):
    """The largest along the last axis; the first of equal ones gets the gradient."""

    samples = ({"x": (4,)}, {"x": (2, 3)}, {"x": np.array([[1.0, 3.0, 2.0], [5.0, 4.0, 6.0]])})

    def forward(self, x):
        self.at = np.expand_dims(np.argmax(x, axis=-1), -1)
        return np.take_along_axis(x, self.at, -1)[..., 0]

    def backward(self, gy):
        (x,) = self.xs
        return np.expand_dims(gy, -1) * (np.arange(x.shape[-1]) == self.at)


@right
class MiddleOfAnOddNumber(Function):
    """The one in the middle of an odd number."""

    samples = ({"x": (5,)}, {"x": (1,)}, {"x": (7,)})

    def forward(self, x):
        self.at = np.argsort(x)[x.size // 2]
        return x[self.at].copy()

    def backward(self, gy):
        (x,) = self.xs
        return gy * (np.arange(x.size) == self.at)


@right
class SmoothBump(Function):
    """exp(-1 / x) right of 0, and 0 left of it: every derivative at 0 is 0."""

    elementwise = True
    domain = (-math.inf, math.inf)

    def forward(self, x):
        return np.where(x > 0, np.exp(-1 / np.where(x > 0, x, 1)), 0)

    def backward(self, gy):
        (x,), (y,) = self.xs, self.ys
        inside = np.greater(x, 0)
        safe = np.where(inside, x, 1.0)
        return np.where(inside, gy * y / (safe * safe), 0.0)


# Restricted domains.


@right
class Logit(Function):
    """log(x / (1 - x)), between 0 and 1; nothing says so, the checker finds it out."""

    elementwise = True

    def forward(self, x):
        return np.log(x / (1 - x))

    def backward(self, gy):
        (x,) = self.xs
        return gy / (x * (1 - x))


@right
class InverseHyperbolicCosine(Function):
    """arccosh, from 1 on."""

    elementwise = True
    domain = (1, math.inf)

    def forward(self, x):
        return np.arccosh(x)

    def backward(self, gy):
        (x,) = self.xs
        return gy / np.sqrt(x * x - 1)


@right
class RefusesNegativeNumbers(Function):
    """A square root that raises where NumPy gives nan."""

    domain = (0, math.inf)

    def forward(self, x):
        if np.any(x < 0):
            raise ValueError("expected numbers from 0 on")
        return np.sqrt(x)

    def backward(self, gy):
        (y,) = self.ys
        return gy / (2 * y)


@right
class Entropy(Function):
    """x log x, with 0 at 0, where its derivative is infinite."""

    elementwise = True
    domain = (0, math.inf)

    def forward(self, x):
        return x * np.log(np.where(x > 0, x, 1))

    def backward(self, gy):
        (x,) = self.xs
        return gy * (np.log(x) + 1)


@right
class OneDomainEach(Function):
    """x log p: any x, but p between 0 and 1."""

    elementwise = True
    domain = {"p": (0, 1)}

    def forward(self, x, p):
        return x * np.log(p)

    def backward(self, gy):
        x, p = self.xs
        return gy * np.log(p), gy * x / p


@right
class NarrowDomain(Function):
    """A square root on an interval of a thousandth."""

    domain = (1.0, 1.001)

    def forward(self, x):
        return np.sqrt((x - 1) * 1000)

    def backward(self, gy):
        (y,) = self.ys
        return 500 * gy / y


@right
class PositiveDefinite(Function):
    """The logarithm of a determinant, for symmetric matrices alone."""

    @staticmethod
    def samples(rng):
        for n in (1, 2, 3):
            a = rng.normal(size=(n, n))
            yield {"x": a @ a.T + n * np.eye(n)}

    def forward(self, x):
        return np.asarray(np.linalg.slogdet(x)[1])

    def backward(self, gy):
        (x,) = self.xs
        return gy * Inverse()(x).T


class Inverse(Function):
    """The inverse of a matrix."""

    samples = staticmethod(lambda rng: [{"x": rng.normal(size=(n, n)) + 3 * np.eye(n)} for n in (1, 3)])

    def forward(self, x):
        return np.linalg.inv(x)

    def backward(self, gy):
        (y,) = self.ys
        return -(y.T @ gy @ y.T)


right(Inverse)


# Random numbers.


@right
class Dropout(Function):
    """Some elements are dropped, those that a seed says."""

    def __init__(self, p=0.5, seed=0):
        self.p, self.seed = p, seed

    def forward(self, x):
        self.mask = np.random.default_rng(self.seed).uniform(size=x.shape) >= self.p
        return x * self.mask / (1 - self.p)

    def backward(self, gy):
        return gy * self.mask / (1 - self.p)


@right
class DropoutByAGenerator(Function):
    """Some elements are dropped, those that a generator says, which goes on from call to call."""

    samples = staticmethod(lambda rng: [{"x": shape, "rng": rng} for shape in ((3,), (2, 3), ())])

    def __init__(self, rng):
        self.rng = rng

    def forward(self, x):
        self.mask = self.rng.uniform(size=x.shape) >= 0.5
        return np.where(self.mask, x, 0)

    def backward(self, gy):
        return np.where(self.mask, gy, 0)


@right
class NoisyScale(Function):
    """A random factor near 1, by a seed."""

    elementwise = False

    def __init__(self, seed=3):
        self.rng = np.random.default_rng(seed)

    def forward(self, x):
        self.noise = (1 + 0.1 * self.rng.normal(size=x.shape)).astype(x.dtype)
        return x * self.noise

    constants = ("noise",)

    def backward(self, gy):
        return gy * self.noise


# Parameters and inputs that are no floats.


@right
class WholePower(Function):
    """A power with a whole exponent, for any sign of x."""

    samples = [{"x": (2, 3), "n": n} for n in (1, 2, 3)]

    def __init__(self, n):
        self.n = n

    def forward(self, x):
        return x**self.n

    def backward(self, gy):
        (x,) = self.xs
        return gy * self.n * x ** (self.n - 1) if self.n > 1 else gy * 1


@right
class Gathered(Function):
    """Rows by their numbers, also the same one twice."""

    samples = (
        {"x": (4, 2), "ids": np.array([0, 3, 3])},
        {"x": (3,), "ids": np.array([[2, 1], [2, -1]])},
        {"x": (3, 1), "ids": np.array([], dtype=int)},
    )

    def forward(self, x, ids):
        return x[ids]

    def backward(self, gy):
        x, ids = self.xs
        return Scattered(len(x))(gy, ids), None


class Scattered(Function):
    """Rows added up where their numbers say."""

    samples = ({"x": (3, 2), "ids": np.array([0, 3, 3]), "n": 4},)

    def __init__(self, n):
        self.n = n

    def forward(self, x, ids):
        y = np.zeros((self.n, *x.shape[ids.ndim :]), x.dtype)
        np.add.at(y, ids, x)
        return y

    def backward(self, gy):
        _, ids = self.xs
        return Gathered()(gy, ids), None


right(Scattered)


@right
class ChosenByAMask(Function):
    """One or the other, as a third input says."""

    elementwise = True
    samples = ({"chosen": np.array([True, False, True]), "x0": (3,), "x1": (3,)},)

    def forward(self, chosen, x0, x1):
        return np.where(chosen, x0, x1)

    def backward(self, gy):
        chosen, _, _ = self.xs
        return None, np.where(chosen, gy, 0 * gy), np.where(chosen, 0 * gy, gy)


@right
class ByMode(Function):
    """A constant of text, one of a few."""

    samples = [{"x": (2, 3), "mode": mode} for mode in ("sum", "mean")]

    def __init__(self, mode="sum"):
        self.mode = mode

    def forward(self, x):
        return np.asarray(x.sum() if self.mode == "sum" else x.mean())

    def backward(self, gy):
        (x,) = self.xs
        return np.broadcast_to(gy if self.mode == "sum" else gy / x.size, x.shape)


# Several results, any number of inputs, inputs left out.


@right
class ModulusAndRest(Function):
    """Quotient and rest of a division by 1: one result with a gradient of 0."""

    def forward(self, x):
        return np.floor(x), x - np.floor(x)

    def backward(self, g_floor, g_rest):
        return g_rest * 1


@right
class SortedAndWhere(Function):
    """Sorted numbers, and whole numbers that say where they were."""

    samples = ({"x": (4,)}, {"x": (1,)})

    def forward(self, x):
        self.order = np.argsort(x)
        return x[self.order], self.order

    def backward(self, g_sorted, g_order):
        return g_sorted[np.argsort(self.order)]


@right
class PolarCoordinates(Function):
    """Length and angle of (x, y)."""

    domain = {"x": (0, math.inf), "y": (-math.inf, math.inf)}

    def forward(self, x, y):
        return np.sqrt(x * x + y * y), np.arctan2(y, x)

    def backward(self, g_length, g_angle):
        x, y = self.xs
        r, _ = self.ys
        return (g_length * x - g_angle * y / r) / r, (g_length * y + g_angle * x / r) / r


@right
class SumOfProducts(Function):
    """Any number of inputs, all multiplied."""

    def forward(self, *xs):
        return np.asarray(math.prod(xs[1:], start=xs[0] * 1))

    def backward(self, gy):
        return tuple(
            math.prod((x for j, x in enumerate(self.xs) if j != i), start=gy) for i in range(len(self.xs))
        )


@right
class Affine(Function):
    """x @ w + b, with or without a b."""

    samples = (
        {"x": (4, 3), "w": (3, 2)},
        {"x": (4, 3), "w": (3, 2), "b": (2,)},
        {"x": (0, 3), "w": (3, 2), "b": (2,)},
    )

    def forward(self, x, w, b=None):
        return x @ w if b is None else x @ w + b

    def backward(self, gy):
        x, w, *_ = self.xs
        return gy @ w.T, x.T @ gy, gy


@right
class OnlyWhatIsWanted(Function):
    """A product that computes no gradient that nobody wants."""

    elementwise = True

    def forward(self, x0, x1):
        return x0 * x1

    def backward(self, gy):
        x0, x1 = self.xs
        return gy * x1 if self.needs_grad[0] else None, gy * x0 if self.needs_grad[1] else None


# Not differentiable, or once.


@right
class Argmax(Function):
    """Where the largest is; there is no derivative."""

    differentiable = False

    def forward(self, x):
        return np.argmax(x) if x.size else np.asarray(-1)


@right
class OnceOnly(Function):
    """A sine with a foreign derivative, differentiable once, as it says."""

    once_differentiable = True

    def forward(self, x):
        return np.sin(x)

    def backward(self, gy):
        (x,) = self.xs
        return gy * np.vectorize(math.cos, otypes=[x.dtype])(x)

    domain = (-math.inf, math.inf)


@right
class KeepsAnArray(Function):
    """exp keeps its result, and says that there is no second derivative."""

    once_differentiable = True

    def forward(self, x):
        self.kept = np.exp(x)
        return self.kept.copy()

    def backward(self, gy):
        return gy * self.kept


# Views and shapes.


@right
class EveryOther(Function):
    """A view of every other element."""

    samples = ({"x": (5,)}, {"x": (2, 4)}, {"x": (0,)})

    def forward(self, x):
        return x[..., ::2]

    def backward(self, gy):
        (x,) = self.xs
        n = x.shape[-1]
        return gy @ np.eye(n, dtype=gy.dtype)[::2]


@right
class Reversed(Function):
    """A view with strides below 0."""

    def forward(self, x):
        return x[..., ::-1] if x.ndim else x * 1

    def backward(self, gy):
        return gy[..., ::-1] if gy.ndim else gy


@right
class OuterProduct(Function):
    """Every element of one with every one of the other."""

    samples = ({"x0": (2,), "x1": (3,)}, {"x0": (0,), "x1": (3,)}, {"x0": (1,), "x1": (1,)})

    def forward(self, x0, x1):
        return x0[:, None] * x1

    def backward(self, gy):
        x0, x1 = self.xs
        return gy @ x1, x0 @ gy


# Numbers that are large, small, or turn fast.


@right
class Large(Function):
    """A cubic with a factor of 1e12."""

    def forward(self, x):
        return 1e12 * x**3

    def backward(self, gy):
        (x,) = self.xs
        return 3e12 * gy * x**2


@right
class Tiny(Function):
    """A sine of a factor 1e-12."""

    def forward(self, x):
        return 1e-12 * np.sin(x)

    def backward(self, gy):
        (x,) = self.xs
        return 1e-12 * gy * np.cos(x)


@right
class Fast(Function):
    """Thirty turns a unit."""

    domain = (-math.inf, math.inf)

    def forward(self, x):
        return np.sin(30 * x)

    def backward(self, gy):
        (x,) = self.xs
        return 30 * gy * np.cos(30 * x)


@right
class Softmax(Function):
    """exp over the sum of exps along the last axis, with the largest taken out."""

    samples = ({"x": (3,)}, {"x": (2, 4)}, {"x": np.array([100.0, 101.0, 99.0])})

    def forward(self, x):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def backward(self, gy):
        (y,) = self.ys
        return y * (gy - np.sum(gy * y, axis=-1, keepdims=True))


@right
class Variance(Function):
    """A mean of squares around the mean."""

    def forward(self, x):
        return np.asarray(np.mean((x - x.mean()) ** 2)) if x.size else np.zeros((), x.dtype)

    def backward(self, gy):
        (x,) = self.xs
        return gy * 2 * (x - np.sum(x) / x.size) / x.size if x.size else np.zeros_like(x)


# Complex numbers.


@right
class RealPartOfASquare(Function):
    """The real part of x**2, a function that is not holomorphic."""

    def forward(self, x):
        return np.real(x * x)

    def backward(self, gy):
        (x,) = self.xs
        return 2 * gy * x


@right
class Rational(Function):
    """x / (1 + x**2), at complex numbers too."""

    elementwise = True

    def forward(self, x):
        return x / (1 + x * x)

    def backward(self, gy):
        (x,) = self.xs
        return gy * (1 - x * x) / (1 + x * x) ** 2


# Composites.


@right
@composite()
def mish(x):
    """x * tanh(log(1 + exp(x)))."""
    return x * np.tanh(np.log(1 + np.exp(x)))


@right
@composite(domain={"variance": (0, math.inf)})
def normal_density(x, mean, variance):
    """The density of the normal distribution."""
    return np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * math.pi * variance)


@right
@composite()
def moments(x, *, centred=False):
    """Mean and mean square, about the mean if asked for."""
    mean = np.mean(x)
    rest = x - mean if centred else x
    return mean, np.mean(rest * rest)


# Steep, far out, narrow, or of no range that is usual.


@right
class CubeRoot(Function):
    """A cube root, whose slope at 0 is infinite."""

    elementwise = True
    domain = (-math.inf, math.inf)

    def forward(self, x):
        return np.cbrt(x)

    def backward(self, gy):
        (y,) = self.ys
        return gy / (3 * y * y)


@right
class SteepStep(Function):
    """A tanh that goes from -1 to 1 within 1e-6."""

    domain = (-math.inf, math.inf)

    def forward(self, x):
        return np.tanh(1e6 * x)

    def backward(self, gy):
        (y,) = self.ys
        return gy * 1e6 * (1 - y * y)


@right
class Resonance(Function):
    """A line of a width of 1e6 at 1e9: frequencies in hertz."""

    domain = (0.99e9, 1.01e9)

    def forward(self, x):
        return 1 / (1 + ((x - 1e9) / 1e6) ** 2)

    def backward(self, gy):
        (x,), (y,) = self.xs, self.ys
        return -2e-6 * gy * ((x - 1e9) / 1e6) * y * y


@right
class SlowCosine(Function):
    """A cosine with a period of 1e9."""

    domain = (1e9, 1e10)

    def forward(self, x):
        return np.cos(x / 1e9)

    def backward(self, gy):
        (x,) = self.xs
        return -gy * np.sin(x / 1e9) / 1e9


@right
class Wavelengths(Function):
    """Wave numbers of light, in its author's numbers around 5e-7 and without a domain."""

    samples = ({"x": np.array([4e-7, 5e-7, 7e-7])},)

    def forward(self, x):
        return 1 / (x * 1e7)

    def backward(self, gy):
        (x,) = self.xs
        return -gy / (x * x * 1e7)


@right
class Octaves(Function):
    """Seven sines, each of twice the frequency of the one before."""

    domain = (-math.inf, math.inf)

    def forward(self, x):
        return np.stack([np.sin(2**k * math.pi * x) for k in range(7)])

    def backward(self, gy):
        (x,) = self.xs
        return sum(gy[k] * 2**k * math.pi * np.cos(2**k * math.pi * x) for k in range(7))


@right
class TooLargeForFloat32(Function):
    """exp(2 x**2), which is 1e38 at x = 6.6."""

    domain = (-math.inf, math.inf)

    def forward(self, x):
        return np.exp(2 * x * x)

    def backward(self, gy):
        (x,), (y,) = self.xs, self.ys
        return gy * 4 * x * y


@right
class TooSmallForFloat32(Function):
    """The square of Planck's constant as a factor."""

    domain = (-math.inf, math.inf)

    def forward(self, x):
        return 6.6e-34**2 * x * x

    def backward(self, gy):
        (x,) = self.xs
        return gy * 2 * 6.6e-34**2 * x


@right
class PositiveOnes(Function):
    """The positive elements: how many there are depends on the numbers."""

    domain = (-math.inf, math.inf)

    def forward(self, x):
        return x[x > 0]

    def backward(self, gy):
        (x,) = self.xs
        return ops.add_at(gy, np.greater(x, 0), x.shape)


# What a sample must say.


@right
class ByAModule(Function):
    """A constant that cannot be copied."""

    samples = ({"x": (3,), "xp": np},)

    def __init__(self, xp):
        self.xp = xp

    def forward(self, x):
        return self.xp.sin(x)

    def backward(self, gy):
        (x,) = self.xs
        return gy * np.cos(x)


@right
class ScaledBy(Function):
    """A required constant, given by a sample for all the default inputs."""

    samples = ({"factor": 3.0}, {"factor": -0.5})

    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        return self.factor * x

    def backward(self, gy):
        return self.factor * gy


@right
@composite(
    inputs=("x", "w", "b"), samples=({"x": (4, 3), "w": (3, 2), "b": (2,)}, {"x": (4, 3), "w": (3, 2)})
)
def affine(x, w, b=None):
    """An input that may be left out."""
    return x @ w if b is None else x @ w + b


@right
@composite(inputs=("x",), samples=({"x": (3,), "shape": (2, 3)},))
def spread_to(x, shape):
    """A constant without a default."""
    return np.broadcast_to(x, shape) * 1


@right
@composite(samples=({"x": (3,), "p": 3},))
def norm_of(x, *, p):
    """A constant that goes by name."""
    return np.sum(np.abs(x) ** p) ** (1 / p)


@right
@composite()
def with_a_helper(x):
    """Of constants, the helpers in it record nothing."""
    return ops.square(x) + ops.sin(x)
