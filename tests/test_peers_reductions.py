"""Reductions, running results, statistics and Fourier transforms: the same calls in JAX, and hard points."""

import mpmath
import numpy as np
import pytest

from registry import Variable

NAN = np.nan
A = np.array([[0.5, -1.2, 2.0, 0.8], [1.5, 0.3, -0.7, -2.1], [0.1, 1.1, 0.9, -0.4]])
C = A + 1j * np.array([[0.2, 0.7, -1.0, 0.4], [-0.3, 1.2, 0.6, 0.9], [0.8, -0.5, -0.1, 1.3]])
CUBE = np.sin(np.arange(24.0) ** 1.3).reshape(2, 3, 4)
TIES = np.array([[1.0, 2.0, 2.0, 0.0], [2.0, 2.0, 2.0, 2.0], [0.0, 3.0, 0.0, 3.0]])
ZEROS = np.array([[2.0, 0.0, 3.0, -1.0], [0.0, 0.0, 5.0, 1.5], [0.0, 0.0, 0.0, 2.0]])
HOLES = np.array([[0.5, NAN, 2.0, 0.8], [1.5, 0.3, NAN, NAN], [NAN, 1.1, 0.9, -0.4]])
ROW, SHORT = CUBE[0, 0], CUBE[1, 1, :2]
CROW, CSHORT = C[0], C[1, :2]
WHERE = np.array([[True, False, True, True], [True, True, False, True], [False, True, True, False]])
UP = np.array([0.0, 0.7, 1.0, 2.5])
EMPTY = np.empty((0, 3))


def along(name, *more):
    """Give calls of a reduction of a matrix: along all axes, one, both and kept, and more."""
    ways = {}, {"axis": -1}, {"axis": (0, -1), "keepdims": True}, *more
    return [call(name, **way) for way in ways]


def ufunc(name, method, *args, **parameters):
    return lambda f, *xs: getattr(getattr(f, name), method)(*xs, *args, **parameters)


def outer(name):
    """Give the call of a ufunc's outer, which JAX has for some only."""
    return lambda f, a, b: getattr(np, name).outer(a, b) if f is np else getattr(f, name)(a[:, None], b)


def fft(name, **parameters):
    return lambda f, x: getattr(f.fft, name)(x, **parameters)


def call(name, *args, **parameters):
    return lambda f, *xs: getattr(f, name)(*xs, *args, **parameters)


CHOSEN = {"axis": 0, "where": WHERE}
EXTREMA = {"initial": 0.5, "where": WHERE, "axis": 1}
NORMS = {"norm": "ortho"}, {"norm": "forward", "n": 3}, {"n": 6, "axis": 0}, {"axis": -2, "norm": "backward"}
SEVERAL = (
    {},
    {"s": (2, 5), "norm": "ortho"},
    {"axes": (-1, 0), "norm": "forward"},
    {"s": (4, 2), "axes": (1, 0)},
)
ONE = {}, *NORMS
MODES = "full", "same", "valid"

# what is called, several ways each, and on which arrays
CALLS = {
    "sum": (along("sum", CHOSEN, {"axis": ()}, {"initial": 3.0}), A),
    "sum of complex numbers": (along("sum"), C),
    "sum of a cube": ([call("sum", (0, -1)), call("sum", -2, keepdims=True)], CUBE),
    "sum of a number": ([call("sum")], np.array(0.7)),
    "sum of nothing": ([call("sum", 0), call("prod", 0), call("cumsum", 0), call("cumprod", 0)], EMPTY),
    "prod": (along("prod", CHOSEN, {"initial": 3.0}), A),
    "prod of zeros": ([call("prod", 1), call("prod", 0), call("prod")], ZEROS),
    "prod of complex numbers": ([call("prod"), call("prod", 1)], C),
    "mean": (along("mean", CHOSEN), A),
    "mean of complex numbers": (along("mean"), C),
    "var": (along("var", CHOSEN, {"axis": 0, "ddof": 1}, {"correction": 0.5}), A),
    "var of complex numbers": ([call("var"), call("var", 1, ddof=1)], C),
    "std": ([call("std"), call("std", 1, ddof=1), call("std", 0, where=WHERE, keepdims=True)], A),
    "std of complex numbers": ([call("std"), call("std", 1)], C),
    "max": (along("max", EXTREMA), A),
    "max of ties": ([call("max"), call("max", 1)], TIES),
    "min of ties": ([call("min"), call("min", 0), call("min", **EXTREMA)], TIES),
    "ptp of ties": ([call("ptp"), call("ptp", 1), call("ptp", 0, keepdims=True)], TIES),
    "cumsum": ([call("cumsum"), call("cumsum", 0), call("cumulative_sum", axis=-1)], A),
    "cumsum of complex numbers": ([call("cumsum"), call("cumsum", -1)], C),
    "cumprod": ([call("cumprod", 1), call("cumulative_prod", axis=0, include_initial=True)], A),
    "cumprod of zeros": ([call("cumprod", 1), call("cumprod", 0)], ZEROS),
    "cumprod of complex numbers": ([call("cumprod"), call("cumprod", -1)], C),
    "diff": ([call("diff"), call("diff", 2, 0), call("diff", prepend=A[:, :1], append=A[:, 1:])], A),
    "ediff1d": ([call("ediff1d"), call("ediff1d", to_end=np.ones(1), to_begin=np.ones(2))], C),
    "gradient": (
        [lambda f, x: f.concatenate(f.gradient(x)), call("gradient", 0.5, axis=-1)],
        A,
    ),
    "gradient by coordinates": ([call("gradient")], A[0] ** 2, UP),
    "trapezoid": ([call("trapezoid", dx=0.5), call("trapezoid", axis=0), call("trapezoid", UP)], A),
    "trapezoid by x": ([call("trapezoid"), lambda f, y, x: f.trapezoid(y, x * x)], A, UP),
    "average": (
        [lambda f, a, w: f.average(a, 1, w), lambda f, a, w: f.average(a, weights=a * a + w)], A, UP + 1,
    ),
    "median": ([call("median"), call("median", (0, 1), keepdims=True), call("median", 0)], A),
    "quantile": (
        [call("quantile", 0.3), call("quantile", np.array([0.1, 0.75]), 1)]
        + [call("quantile", 0.6, -1, method=m) for m in ("lower", "higher", "midpoint", "nearest")],
        A,
    ),
    "quantile of ties": ([call("quantile", 0.4, 1), call("quantile", 0.3)], TIES),
    "percentile": ([call("percentile", 30.0), call("percentile", np.array([10.0, 75.0]), 0)], A),
    "nansum": (along("nansum", CHOSEN), HOLES),
    "nanprod": (along("nanprod", CHOSEN), HOLES),
    "nanmean": (along("nanmean"), HOLES),
    "nanvar": ([call("nanvar"), call("nanvar", 1, ddof=1)], HOLES),
    "nanstd": ([call("nanstd"), call("nanstd", 1)], HOLES),
    "nanmax": ([call("nanmax"), call("nanmax", 1), call("nanmin", 0), call("nanmin", **EXTREMA)], HOLES),
    "nancumsum": ([call("nancumsum", 1), call("nancumprod", 0), call("nancumprod")], HOLES),
    "cov": ([call("cov"), call("cov", bias=True), call("cov", rowvar=False), call("cov", ddof=2)], A),
    "cov of weighted": ([call("cov", fweights=np.array([1, 2, 1, 3]), aweights=UP + 1)], A),
    "cov with more": ([lambda f, x, y: f.cov(x, y)], A, UP),
    "cov of complex numbers": ([call("cov")], C),
    "corrcoef": ([call("corrcoef"), call("corrcoef", rowvar=False)], A),
    "convolve": ([call("convolve", mode=m) for m in MODES], ROW, SHORT),
    "convolve of complex numbers": ([call("convolve", mode=m) for m in MODES], CROW, CSHORT),
    "convolve of both kinds": ([call("convolve"), call("correlate", mode="full")], ROW, CSHORT),
    "correlate": ([call("correlate", mode=m) for m in MODES], ROW, SHORT),
    "correlate by a longer": ([call("correlate", mode=m) for m in ("full", "valid")], SHORT, ROW),
    "correlate of complex numbers": ([call("correlate", mode=m) for m in ("full", "same")], CROW, CSHORT),
    "interp": (
        [call("interp"), call("interp", left=2.0, right=-1.0), call("interp", period=2.2)],
        np.array([-0.5, 0.3, 0.8, 2.1, 3.0]),
        UP,
        ROW,
    ),
    "unwrap": ([call("unwrap"), call("unwrap", axis=0, period=2.0)], A * 4.7),
    **{f"fft.{name}": ([fft(name, **way) for way in ONE], C) for name in ("fft", "ifft", "irfft", "hfft")},
    **{f"fft.{name}": ([fft(name, **way) for way in ONE], A) for name in ("rfft", "ihfft")},
    "fft.fft of reals": ([fft("fft"), fft("ifft", n=6)], A),
    **{f"fft.{name}": ([fft(name, **way) for way in SEVERAL], C) for name in ("fftn", "ifft2", "irfftn")},
    "fft.rfftn": ([fft("rfftn", **way) for way in SEVERAL], A),
    "fft.fftshift": ([fft("fftshift"), fft("ifftshift", axes=-1), fft("ifftshift")], A),
    "add.reduce": ([ufunc("add", "reduce"), ufunc("add", "reduce", axis=None)], C),
    "multiply.reduce": ([ufunc("multiply", "reduce"), ufunc("multiply", "reduce", axis=1)], A),
    "maximum.reduce": ([ufunc("maximum", "reduce"), ufunc("minimum", "reduce", axis=1)], A),
    "logaddexp.reduce": ([ufunc("logaddexp", "reduce"), ufunc("logaddexp2", "reduce", axis=1)], A),
    "hypot.reduce": ([lambda f, x: f.hypot.reduce(x) if f is np else f.linalg.norm(x, axis=0)], A),
    "add.accumulate": ([ufunc("add", "accumulate"), ufunc("multiply", "accumulate", axis=1)], A),
    "maximum.accumulate": ([ufunc("maximum", "accumulate", axis=1), ufunc("minimum", "accumulate")], TIES),
    "logaddexp.accumulate": ([ufunc("logaddexp", "accumulate", axis=1)], A),
    "multiply.outer": ([outer(name) for name in ("multiply", "add", "subtract", "divide")], CROW, CSHORT),
    "power.outer": ([outer(name) for name in ("power", "maximum", "arctan2", "hypot")], UP + 0.3, UP + 0.2),
}  # fmt: skip


def weighted(f, calls, xs):
    """Give all results in one row, and a real number that depends on all of them."""
    y = f.concatenate([f.ravel(each(f, *xs)) for each in calls])
    index = np.arange(y.size)
    return f.sum(f.real(y * (np.cos(index) + 0.2 + 1j * np.sin(2 * index)))), y


def squares(f, gradients):
    return sum(f.sum(f.real(g * g)) for g in gradients)


def ours(calls, arrays):
    xs = [Variable(a) for a in arrays]
    loss, y = weighted(np, calls, xs)
    loss.backward(create_graph=True)
    firsts = [x.grad for x in xs]
    for x in xs:
        x.cleargrad()
    second = squares(np, firsts)
    if second.creator is not None:
        second.backward()
    seconds = [np.zeros_like(x.data) if x.grad is None else x.grad for x in xs]
    return [y.data, *(g.data for g in firsts), *seconds]


def jaxs(jax, calls, arrays):
    f, every = jax.numpy, tuple(range(len(arrays)))

    def first(*xs):
        return jax.grad(lambda *xs: weighted(f, calls, xs), every, has_aux=True)(*xs)

    def second(*xs):
        firsts, y = first(*xs)
        return squares(f, firsts), (y, *firsts)

    with jax.enable_x64(True):
        seconds, others = jax.jit(jax.grad(second, every, has_aux=True))(*arrays)
        return [np.asarray(a) for a in (*others, *seconds)]


@pytest.mark.parametrize("name", CALLS)
def test_jax_has_the_same_values_gradients_and_second_derivatives(name):
    jax = pytest.importorskip("jax")
    calls, *arrays = CALLS[name]
    for found, expected in zip(ours(calls, arrays), jaxs(jax, calls, arrays), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12, strict=True)


def exact(function, x):
    """Give the gradient of a function of a list of numbers, computed with 100 digits."""
    with mpmath.workdps(100):
        numbers = [mpmath.mpf(float(number)) for number in x]

        def slope(i):
            step = (abs(numbers[i]) or 1) * mpmath.mpf(10) ** -40
            return mpmath.diff(lambda t: function([*numbers[:i], t, *numbers[i + 1 :]]), numbers[i], h=step)

        return np.array([float(slope(i)) for i in range(len(numbers))])


def variance(x):
    mean = sum(x) / len(x)
    return sum((number - mean) ** 2 for number in x) / len(x)


def log_sum(x):
    return mpmath.log(sum(map(mpmath.exp, x)))


LARGE = 1e8 + np.array([0.1, 0.25, 0.7, -0.4, 0.3])
HARD = {
    "var of a large mean": (np.var, variance, LARGE),
    "var of a large mean in float32": (np.var, variance, np.array([70000.3, 70001.1, 69998.2], np.float32)),
    "std of a large mean": (np.std, lambda x: mpmath.sqrt(variance(x)), LARGE),
    "nanvar of a large mean": (np.nanvar, variance, LARGE),
    "prod of large and small": (np.prod, mpmath.fprod, np.array([1e200, 1e-250, 3.0, 1e100])),
    "prod of a zero": (np.prod, mpmath.fprod, np.array([1e-200, 0.0, 1e150])),
    "cumprod of zeros": (np.cumprod, lambda x: x[0] * (1 + x[1] * (1 + x[2])), np.array([3.0, 0.0, 0.0])),
    "log of a sum of exponentials": (np.logaddexp.reduce, log_sum, np.array([1000.0, 999.5, -1000.0])),
    "running log of a sum": (
        np.logaddexp.accumulate,
        lambda x: x[0] + log_sum(x[:2]) + log_sum(x),
        np.array([-800.0, 900.0, 899.0]),
    ),
    "hypot of large numbers": (np.hypot.reduce, lambda x: mpmath.hypot(*x), np.array([3e200, 4e200])),
    "mean of float32 of no common size": (
        np.mean,
        lambda x: sum(x) / len(x),
        np.array([1e30, -1e30, 1e-30], np.float32),
    ),
}


@pytest.mark.parametrize("name", HARD)
def test_gradient_at_a_hard_point_is_that_of_exact_numbers(name):
    function, formula, x = HARD[name]
    v = Variable(x)
    function(v).backward()
    np.testing.assert_allclose(v.grad, exact(formula, x), rtol=1e-6 if x.dtype == np.float32 else 1e-9)


def test_long_sum_of_float32_can_be_computed_in_float64():
    x = np.full(100_000, 0.1, np.float32)
    y = np.sum(Variable(x), dtype=np.float64)
    np.testing.assert_allclose(y.data, float(mpmath.mpf(float(x[0])) * x.size), rtol=1e-14, strict=False)
    assert y.dtype == np.float64
