"""Reductions, running results, sorting, statistics and signals: what the checker cannot see."""

import numpy as np
import pytest

from registry import NoOperatorError, Variable, ops

NAN, INF = np.nan, np.inf


def var(*numbers):
    return Variable(np.array(numbers[0] if len(numbers) == 1 else numbers, dtype=float))


def gradients(function, *arrays, weights=None):
    """Give the gradient of the sum of a result, or of its product with weights, by each array."""
    xs = [var(a) for a in arrays]
    y = function(*xs)
    (y if weights is None else y * np.array(weights)).backward()
    return xs[0].grad if len(xs) == 1 else [x.grad for x in xs]


def hessian(function, array):
    rows = []
    for i in range(len(array)):
        x = var(array)
        function(x).backward(create_graph=True)
        gx, x.grad = x.grad, None
        if gx[i].creator is not None:
            gx[i].backward()
        rows.append(np.zeros(x.shape) if x.grad is None else x.grad)
    return rows


@pytest.mark.parametrize("zeros", [(), (1,), (0, 2), (0, 1, 2, 3)])
@pytest.mark.parametrize(
    "product", [np.prod, np.multiply.reduce, np.nanprod, lambda x: np.cumprod(x)[-1]], ids=repr
)
def test_product_has_right_derivatives_at_zeros(product, zeros):
    x = np.array([2.0, 3.0, -5.0, 7.0])
    x[list(zeros)] = 0
    without = [[np.prod(np.delete(x, [i, j])) for j in range(4)] for i in range(4)]
    np.testing.assert_allclose(gradients(product, x), np.diag(without))
    np.testing.assert_allclose(hessian(product, x), np.array(without) * (1 - np.eye(4)))


def test_cumulative_product_has_right_derivatives_at_zeros():
    x, w = np.array([2.0, 0.0, 3.0, 0.0, 5.0]), np.array([1.0, -2.0, 0.5, 3.0, 7.0])
    expected = [
        sum(w[j] * np.prod(np.delete(x[: j + 1], i)) for j in range(i, len(x))) for i in range(len(x))
    ]
    np.testing.assert_allclose(gradients(np.cumprod, x, weights=w), expected)


@pytest.mark.parametrize("spread", [np.std, np.nanstd])
@pytest.mark.parametrize("x", [[3.0], [2.0, 2.0, 2.0]])
def test_standard_deviation_of_equal_elements_has_the_gradient_zero(spread, x):
    np.testing.assert_array_equal(gradients(spread, x), np.zeros(len(x)))


def test_variance_knows_both_names_of_its_correction():
    x = var(1, 2, 4)
    assert np.var(x, ddof=1).item() == np.var(x, correction=1).item() == x.var(ddof=1).item()
    with pytest.raises(ValueError, match="one number"):
        np.var(x, ddof=1, correction=1)
    with pytest.raises(NoOperatorError, match="takes no mean="):
        np.var(x, mean=0)


@pytest.mark.parametrize(
    ("call", "x", "expected"),
    [
        (lambda x: np.max(x, initial=2), [1.0, 2.0, 2.0], [0, 1 / 3, 1 / 3]),
        (lambda x: np.max(x, initial=3), [1.0, 2.0], [0, 0]),
        (lambda x: np.min(x, initial=0, where=[True, False]), [1.0, -2.0], [0, 0]),
        (lambda x: np.max(x, initial=-9, where=[True, True, False]), [1.0, 1.0, 5.0], [0.5, 0.5, 0]),
        (lambda x: np.sum(x, initial=4, where=[True, False]), [1.0, NAN], [1, 0]),
        (lambda x: np.mean(x, where=[True, True, False]), [1.0, 2.0, NAN], [0.5, 0.5, 0]),
        (lambda x: np.var(x, where=[True, True, False]), [1.0, 3.0, NAN], [-1, 1, 0]),
        (lambda x: np.prod(x, initial=5, where=[True, True, False]), [2.0, 3.0, NAN], [15, 10, 0]),
        (np.ptp, [1.0, 3.0, 3.0], [-1, 0.5, 0.5]),
        (lambda x: np.sort(x)[1], [2.0, 1.0, 1.0, 3.0], [0, 0, 1, 0]),
        (lambda x: np.partition(x, 1)[1], [3.0, 5.0, 1.0], [1, 0, 0]),
        (np.median, [3.0, 1.0, 2.0, 9.0], [0.5, 0, 0.5, 0]),
        (np.median, [2.0, 2.0, 2.0], [0, 1, 0]),
        (lambda x: np.quantile(x, 0.25), [4.0, 1.0, 2.0], [0, 0.5, 0.5]),
        (lambda x: np.percentile(x, 100), [4.0, INF, 2.0], [0, 1, 0]),
        (np.logaddexp.reduce, [1000.0, 1000.0, -INF], [0.5, 0.5, 0]),
        (np.logaddexp.reduce, [-INF, -INF], [0, 0]),
        (np.unwrap, [0.0, 6.0, 12.0], [1, 1, 1]),
        (np.corrcoef, [1.0, 2.0], [0, 0]),
        (np.hypot.reduce, [0.0, 0.0], [0, 0]),
        (np.maximum.accumulate, [1.0, 3.0, 2.0, 3.0], [1, 2.5, 0, 0.5]),
        (np.logaddexp.accumulate, [-INF, -INF], [1, 0]),
        (lambda x: np.logaddexp.reduce(x, where=[True, False]), [0.0, INF], [1, 0]),
    ],
)
def test_gradient_at_ties_and_edges(call, x, expected):
    np.testing.assert_allclose(gradients(call, x), expected, atol=1e-15)


PASSING_OVER = {
    np.nansum: np.sum,
    np.nanprod: np.prod,
    np.nanmean: np.mean,
    np.nanmax: np.max,
    np.nanmin: np.min,
    np.nanvar: np.var,
    np.nanstd: np.std,
    np.nanmedian: np.median,
    lambda x: np.nanquantile(x, 0.3): lambda x: np.quantile(x, 0.3),
    lambda x: np.nanpercentile(x, 80, method="hazen"): lambda x: np.percentile(x, 80, method="hazen"),
    lambda x: np.nancumsum(x)[-1]: lambda x: np.cumsum(x)[-1],
    lambda x: np.nancumprod(x)[-1]: lambda x: np.cumprod(x)[-1],
}


@pytest.mark.parametrize("function", PASSING_OVER, ids=repr)
def test_nan_is_passed_over_with_the_gradient_zero(function):
    plain = PASSING_OVER[function]
    x = np.array([NAN, 2.0, -0.5, NAN, 1.5, 0.7, NAN])
    numbers = ~np.isnan(x)
    np.testing.assert_allclose(function(var(x)).data, plain(x[numbers]))
    expected = np.zeros(7)
    expected[numbers] = gradients(plain, x[numbers])
    np.testing.assert_allclose(gradients(function, x), expected)
    second = np.zeros((7, 7))
    second[np.ix_(numbers, numbers)] = hessian(plain, x[numbers])
    np.testing.assert_allclose(hessian(function, x), second, atol=1e-15)


@pytest.mark.parametrize("axis", [0, 1, (0, 1), None])
@pytest.mark.parametrize("q", [0.3, [0.0, 1.0, 0.45]])
@pytest.mark.parametrize("keepdims", [False, True])
def test_quantiles_with_holes_are_numpys(axis, q, keepdims):
    x = np.array([[NAN, 2.0, 5.0], [1.5, 0.7, NAN], [3.0, NAN, -1.0], [0.0, 1.0, 2.5]])
    y = np.nanquantile(var(x), q, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(y.data, np.nanquantile(x, q, axis=axis, keepdims=keepdims))


@pytest.mark.parametrize("function", [np.nanmax, np.nanmin, np.nanmedian, np.nanmean])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_row_of_nothing_but_nan_gives_nan_and_harms_no_other(function):
    x = var([[NAN, NAN], [1.0, 3.0]])
    y = function(x, axis=1)
    assert np.isnan(y.data[0])
    y[1].backward()
    np.testing.assert_array_equal(x.grad[0], 0)
    np.testing.assert_array_equal(x.grad[1], gradients(function, [1.0, 3.0]))


def test_nan_among_the_elements_is_the_median_and_the_quantile():
    x = var([[1.0, NAN, 2.0], [1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(np.median(x, axis=1).data, [NAN, 2])
    np.testing.assert_array_equal(np.quantile(x, [0, 1], axis=1).data, [[NAN, 1], [NAN, 3]])


# Of [inf, 1, 4, -inf, 2]: the calls, their values, and the weights of the five in them.
AMONG_INFINITIES = {
    "max": (np.max, INF, [1, 0, 0, 0, 0]),
    "min": (np.min, -INF, [0, 0, 0, 1, 0]),
    "max of chosen": (lambda x: np.max(x, where=[False, *[True] * 4], initial=0), 4, [0, 0, 1, 0, 0]),
    "nanmax": (np.nanmax, INF, [1, 0, 0, 0, 0]),
    "maximum.reduce": (np.maximum.reduce, INF, [1, 0, 0, 0, 0]),
    "ptp": (np.ptp, INF, [1, 0, 0, -1, 0]),
    "sort": (lambda x: np.sort(x)[3], 4, [0, 0, 1, 0, 0]),
    "sort, last": (lambda x: np.sort(x)[4], INF, [1, 0, 0, 0, 0]),
    "partition": (lambda x: np.partition(x, 1)[1], 1, [0, 1, 0, 0, 0]),
    "median": (np.median, 2, [0, 0, 0, 0, 1]),
    "nanmedian": (np.nanmedian, 2, [0, 0, 0, 0, 1]),
    "median of an even count": (lambda x: np.median(x[:4]), 2.5, [0, 0.5, 0.5, 0, 0]),
    "median half infinite": (lambda x: np.median(x[[0, 2]]), INF, [0.5, 0, 0.5, 0, 0]),
    "quantile": (lambda x: np.quantile(x, 0.3), 1.2, [0, 0.8, 0, 0, 0.2]),
    "quantile at a place": (lambda x: np.quantile(x, 0.75), 4, [0, 0, 1, 0, 0]),
    "quantile, first": (lambda x: np.quantile(x, 0), -INF, [0, 0, 0, 1, 0]),
    "quantile, last": (lambda x: np.quantile(x, 1), INF, [1, 0, 0, 0, 0]),
    "quantile beside infinity": (lambda x: np.quantile(x, 0.9), INF, [0.6, 0, 0.4, 0, 0]),
    "percentile": (lambda x: np.percentile(x, 60), 2.8, [0, 0, 0.4, 0, 0.6]),
    "nanquantile": (lambda x: np.nanquantile(x, 1), INF, [1, 0, 0, 0, 0]),
    "nanpercentile": (lambda x: np.nanpercentile(x, 0), -INF, [0, 0, 0, 1, 0]),
    "running maximum": (lambda x: np.maximum.accumulate(x[1:])[-1], 4, [0, 0, 1, 0, 0]),
    "maximum": (lambda x: np.maximum(x[2], x[3]), 4, [0, 0, 1, 0, 0]),
    "clip": (lambda x: np.clip(x, x[3], x[0])[4], 2, [0, 0, 0, 0, 1]),
}


@pytest.mark.parametrize("name", AMONG_INFINITIES)
def test_order_statistics_among_infinities_take_nothing_of_those_that_they_leave_out(name):
    call, value, weights = AMONG_INFINITIES[name]
    x = [INF, 1.0, 4.0, -INF, 2.0]
    assert call(var(x)).item() == pytest.approx(value, rel=1e-15)
    np.testing.assert_allclose(gradients(call, x), weights, atol=1e-15)
    by_square = np.outer(weights, weights) * 2 if np.isfinite(value) else np.zeros((5, 5))
    found = hessian(lambda x: call(x) ** 2 if np.isfinite(value) else call(x), x)
    np.testing.assert_allclose(found, by_square, atol=1e-15)


METHODS = [
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen",
    "weibull", "linear", "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest",
]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_quantile_by_any_method(method):
    x, q = np.random.default_rng(0).normal(size=(7, 2)), np.linspace(0, 1, 11)
    for a in (x, np.rint(9 * x).astype(int)):
        y = np.quantile(Variable(a), q, axis=0, method=method).data
        np.testing.assert_allclose(y, np.quantile(a, q, axis=0, method=method), strict=True)


@pytest.mark.parametrize("q", [-0.1, 1.1, [0.5, 2]])
def test_quantile_outside_the_range_is_refused(q):
    with pytest.raises(ValueError, match=r"range \[0, 1\]"):
        np.quantile(var(1, 2), q)


X = np.array([[1.0, 4.0, 2.0], [0.5, -1.0, 3.0]])
CALLS = {
    "add.reduce of all": lambda x: np.add.reduce(x, axis=None),
    "add.reduce, kept": lambda x: np.add.reduce(x, 1, keepdims=True, initial=3),
    "multiply.reduce of chosen": lambda x: np.multiply.reduce(x, axis=(0, 1), where=x > 0),
    "maximum.reduce": lambda x: np.maximum.reduce(x, axis=-1, initial=3.5),
    "minimum.reduce": lambda x: np.minimum.reduce(x, keepdims=True),
    "logaddexp.reduce": lambda x: np.logaddexp.reduce(x, axis=None, keepdims=True),
    "add.accumulate": lambda x: np.add.accumulate(x, axis=1),
    "multiply.accumulate": lambda x: np.multiply.accumulate(x),
    "multiply.outer of a list": lambda x: np.multiply.outer([1, 2], x),
    "divide.outer by a list": lambda x: np.divide.outer(x, [1.0, 2.0]),
    "add.outer by a number": lambda x: np.add.outer(x, 2),
    "v.prod": lambda x: x.prod(axis=1, keepdims=True),
    "v.std": lambda x: x.std(axis=0, ddof=1),
    "v.cumsum": lambda x: x.cumsum(0),
    "v.cumprod": lambda x: x.cumprod(),
    "diff to a list": lambda x: np.diff(x, prepend=[[1.0], [2.0]], append=0),
    "ediff1d": lambda x: np.ediff1d(x, 5, [1, 2]),
    "gradient by spacing": lambda x: np.gradient(x, 0.5, axis=1),
    "gradient by spacings": lambda x: np.gradient(x, 0.5, 2),
    "gradient by coordinates": lambda x: np.gradient(x, [0.0, 2.0], [1.0, 1.5, 4.0]),
    "gradient, edges too": lambda x: np.gradient(x, [1.0, 1.5, 4.0], axis=1, edge_order=2),
    "trapezoid by a list": lambda x: np.trapezoid(x, [0, 1, 4]),
    "trapezoid by columns": lambda x: np.trapezoid(x, [[0.0], [2.0]], axis=0),
    "average by a list": lambda x: np.average(x, 1, [1, 2, 3]),
    "average, two results": lambda x: np.average(x, weights=[1, 2], axis=0, returned=True),
    "average without weights": lambda x: np.average(x, axis=1, returned=True),
    "cov by a list": lambda x: np.cov(x, [[1, 0, 2]], fweights=[1, 2, 1], aweights=[1.0, 0.5, 2]),
    "bincount of a list": lambda x: np.bincount([0, 2, 2], x[0], minlength=5),
    "interp into lists": lambda x: np.interp(x, [0, 1, 2], [3, 5, 4]),
    "interp of a number": lambda x: np.interp(0.7, [0, 1, 3], x[0]),
    "interp of one point": lambda x: np.interp(x, [0.5], [7.0], left=1),
    "interp over a jump": lambda x: np.interp(x, [0, 2, 2, 3], [0, 1, 5, 6]),
    "interp round a circle": lambda x: np.interp(x, [0, 2, 5], [0, 1, 5], period=-6),
    "convolve with a number": lambda x: np.convolve(x[0], 2),
    "correlate with a list": lambda x: np.correlate(x[0], [1.0, 2.0, 3.0, 5.0], "same"),
    "unwrap": lambda x: np.unwrap(x, discont=1, axis=0, period=2),
    "percentiles": lambda x: np.percentile(x, [10, 50], axis=0),
    "sort of all": lambda x: np.sort(x, None, "stable"),
    "nanmax of chosen": lambda x: np.nanmax(x, axis=0, initial=0, where=[[True, False, True]]),
    "cumulative_prod": lambda x: np.cumulative_prod(x, axis=1, include_initial=True),
    "sum in float32": lambda x: np.sum(x, 0, np.float32, keepdims=True),
    "prod in complex numbers": lambda x: np.prod(x, dtype=complex),
    "var in float32": lambda x: np.var(x, 1, np.float32),
    "cumsum in float32": lambda x: np.cumsum(x, 0, np.float32),
    "nanmean in float32": lambda x: np.nanmean(x, dtype=np.float32),
    "cumulative_sum in float32": lambda x: np.cumulative_sum(x, axis=0, dtype=np.float32),
    "maximum.reduce in float32": lambda x: np.maximum.reduce(x, dtype=np.float32),
    "cov in float32": lambda x: np.cov(x, dtype=np.float32),
    "fmax.reduce": lambda x: np.fmax.reduce(x, axis=1, initial=3.5),
    "logaddexp.reduce of chosen": lambda x: np.logaddexp.reduce(x, initial=0.5, where=x > 0),
    "logaddexp2.reduce": lambda x: np.logaddexp2.reduce(x, axis=None, initial=0.5),
    "hypot.reduce": lambda x: np.hypot.reduce(x, axis=1, keepdims=True),
    "maximum.accumulate": lambda x: np.maximum.accumulate(x, axis=1),
    "minimum.accumulate": lambda x: np.minimum.accumulate(x),
    "logaddexp.accumulate": lambda x: np.logaddexp.accumulate(x, axis=-1),
    "float_power.outer": lambda x: np.float_power.outer([2, 3], x),
    "fmod.outer": lambda x: np.fmod.outer(x, [2.0, 3.0]),
    "trapezoid by a matrix": lambda x: np.trapezoid(x[0], [[0.0, 1, 3], [0, 2, 3]]),
    "gradient beside nan": lambda x: np.gradient([1.0, NAN, 2.0, 4.0], x[0, 0]),
    "average of a number": lambda x: np.average(x[0, 0], weights=2.0),
    "average of integers": lambda x: np.average([1, 2, 4], weights=x[0]),
    "average by truths": lambda x: np.average(x, 1, [True, False, True]),
    "median of a list of axes": lambda x: np.median(x, [0, 1]),
    "nanvar of few": lambda x: np.nanvar(x, axis=0, ddof=2.5),
    "nanmax of chosen, no initial": lambda x: np.nanmax(x, axis=-1, keepdims=True),
    "irfftn of the input's length": lambda x: np.fft.irfftn(x, s=(2, -1), axes=(0, 1)),
    "fftshift of one axis": lambda x: np.fft.fftshift(x, 1),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_call_gives_what_numpy_gives(name):
    found, expected = CALLS[name](Variable(X)), CALLS[name](X)
    float32 = "float32" in name
    found, expected = ((y if isinstance(y, tuple) else (y,)) for y in (found, expected))
    for y, b in zip(found, expected, strict=True):
        y, exact = y.data if isinstance(y, Variable) else y, 1e-6 if float32 else 1e-12
        assert y.dtype == np.asarray(b).dtype
        np.testing.assert_allclose(y, b, rtol=exact, atol=1e-15, strict=np.ndim(b) > 0)


REFUSED = {
    "average of weights of no sum": (
        lambda x: np.average(x, 1, [1, -1, 0]),
        ZeroDivisionError,
        "sum to zero",
    ),
    "average of odd weights": (lambda x: np.average(x, 1, [1, 2]), ValueError, "shape of weights"),
    "average of few weights": (lambda x: np.average(x, weights=[1, 2]), TypeError, "need an axis"),
    "cumulative_sum": (lambda x: np.cumulative_sum(x, include_initial=True), ValueError, "axis is needed"),
    "diff backwards": (lambda x: np.diff(x, -1), ValueError, "non-negative"),
    "diff of one": (lambda x: np.diff(x[0, 0]), ValueError, "at least one dim"),
    "ediff1d": (lambda x: np.ediff1d(x, 1j), TypeError, "ends of dtype complex128"),
    "gradient": (lambda x: np.gradient(x, 1, 2, 3), TypeError, "number of arguments"),
    "gradient by few": (lambda x: np.gradient(x, [1.0, 2.0], axis=1), ValueError, "as many as"),
    "gradient of few": (lambda x: np.gradient(x, edge_order=2), ValueError, "at least edge_order"),
    "gradient of order 3": (lambda x: np.gradient(x, edge_order=3), ValueError, "1 or 2, not 3"),
    "interp": (lambda x: np.interp(x, [0, 1], [1, 2], period=0), ValueError, "non-zero"),
    "cov": (lambda x: np.cov(x[None]), ValueError, "more than 2 dim"),
    "sum_to": (lambda x: ops.sum_to(x, (2,)), ValueError, "broadcast"),
    "sum_to larger": (lambda x: ops.sum_to(x, (4, 2, 3)), ValueError, "is no broadcast of one of"),
    "median of no such axis": (lambda x: np.median(x, axis=2), np.exceptions.AxisError, "axis 2 is out of"),
    "diff along no such axis": (lambda x: np.diff(x, axis=-3), np.exceptions.AxisError, "axis -3 is out of"),
    "gradient along no such axis": (lambda x: np.gradient(x, axis=2), np.exceptions.AxisError, "axis 2"),
    "quantile of no such axis": (lambda x: np.quantile(x, 0.5, (0, 0)), ValueError, "repeated axis"),
    "quantile of a q": (lambda x: np.quantile(x, Variable(np.array(0.5))), TypeError, "q must be a constant"),
    "quantile of complex numbers": (lambda x: np.nanquantile(x * 1j, 0.5), TypeError, "real numbers, not"),
    "cumulative_sum of a matrix": (lambda x: np.cumulative_sum(x), ValueError, "axis is needed"),
    "sum rounded": (lambda x: np.sum(x, dtype=int), TypeError, r"np\.astype\(result, dtype\)"),
    "nanmax of nothing": (lambda x: np.nanmax(x[:0]), ValueError, "zero-size array"),
    "nanmin of chosen": (lambda x: np.nanmin(x, where=X > 9), ValueError, "specify 'initial'"),
    "cov of a weight": (lambda x: np.cov(x, aweights=[1.0, 2]), RuntimeError, "each of 3 observations"),
    "cov of negative weights": (lambda x: np.cov(x, fweights=[1, -1, 2]), ValueError, "negative"),
    "interp of few": (lambda x: np.interp(x, [0, 1, 2], [1, 2]), ValueError, "one length and 1-d"),
    "interp of no points": (lambda x: np.interp(x, [], []), ValueError, "one length and 1-d"),
    "convolve by a number": (lambda x: np.convolve(x[0], x[1], 1), ValueError, "mode is 1; expected 'full'"),
    "correlate a matrix": (lambda x: np.correlate([1.0, 2, 3], x), ValueError, "too deep"),
    "accumulate of all": (lambda x: np.add.accumulate(x, axis=None), TypeError, "integer"),
    "subtract.reduce": (lambda x: np.subtract.reduce(x), NoOperatorError, "numpy.subtract.reduce"),
    "overwrite": (lambda x: np.median(x, overwrite_input=True), NoOperatorError, "no overwrite_input="),
    "weights": (lambda x: np.quantile(x, 0.5, weights=X), NoOperatorError, "no weights="),
}


@pytest.mark.parametrize("name", REFUSED)
def test_call_is_refused(name):
    call, error, text = REFUSED[name]
    with pytest.raises(error, match=text):
        call(Variable(X))


def test_interp_takes_the_mean_slope_at_a_knot_and_none_outside():
    xp, fp = np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 0.0])
    x = var(-1, 0, 0.5, 1, 2, 3, 4)
    np.interp(x, xp, fp).backward()
    np.testing.assert_allclose(x.grad, [0, 1, 2, 0.5, -1, -0.5, 0])


def test_interp_gives_huge_knots_exactly():
    y = np.interp(var(1.0, 2.0), [0.0, 1.0, 2.0], [1e20, 1.0, 2.0])
    np.testing.assert_array_equal(y.data, [1, 2])


def test_weights_of_an_average_and_spacings_of_a_gradient_are_differentiated():
    a, w = gradients(lambda a, w: np.average(a, weights=w), [1.0, 4.0], [1.0, 3.0])
    np.testing.assert_allclose([a, w], [[0.25, 0.75], [-2.25 / 4, 0.75 / 4]])
    listed = [var(1.0), var(3.0)]
    np.average(var(1, 4), weights=listed).backward()
    np.testing.assert_allclose([v.grad for v in listed], [-2.25 / 4, 0.75 / 4])
    _, h = gradients(np.gradient, [1.0, 4.0], 2.0)
    np.testing.assert_allclose(h, -2 * 3 / 4)


def test_gradient_of_a_maximum_that_is_nan_is_nan_and_harms_no_other():
    x = var([[1.0, NAN], [1.0, 3.0]])
    np.max(x, axis=1).backward()
    np.testing.assert_array_equal(x.grad, [[NAN, NAN], [0, 1]])


@pytest.mark.parametrize("function", [np.median, np.nanmedian])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_median_of_nothing_is_nan(function):
    y = function(Variable(np.empty((0, 2))), axis=0)
    np.testing.assert_array_equal(y.data, [NAN, NAN])


def test_counts_are_differentiated_in_their_weights():
    w = var(1, 2, 4)
    (np.bincount([0, 2, 0], w) * [1.0, 5.0, -3.0]).backward()
    np.testing.assert_array_equal(w.grad, [1, -3, 1])


def test_sum_hands_its_gradient_out_without_a_copy():
    x = Variable(np.ones((1000, 1000)))
    y = np.sum(x, axis=0)
    assert y.creator.backward(np.ones(1000)).strides == (0, 8)


def test_counts_without_weights_are_integers():
    y = np.bincount(Variable(np.array([0, 2])), minlength=4)
    np.testing.assert_array_equal(y.data, np.array([1, 0, 1, 0]), strict=True)


def test_correlation_stays_within_one():
    x = var([[0.1, 0.2, 0.7], [0.1, 0.2, 0.7]])
    r = np.corrcoef(x)
    assert np.max(np.abs(r.data)) <= 1
    np.arccos(r.data)


@pytest.mark.parametrize("function", [np.std, np.median, np.cumprod, np.ptp, np.nanmean, np.gradient])
def test_float32_stays(function):
    assert function(Variable(np.array([1, 2, 4], np.float32))).dtype == np.float32


MANY = 80_000  # as their share with other places, more than float16 holds
OTHERS = np.arange(MANY) % 7 != 3


def value_gradient_and_curvature(function, x, direction):
    """Give a function's value, its gradient, and its Hessian times a direction, in float64."""
    v = Variable(x)
    y = function(v)
    y.backward(create_graph=True)
    first = v.grad
    v.cleargrad()
    np.sum(np.astype(first, float) * direction).backward()
    second = np.zeros(x.shape, x.dtype) if v.grad is None else v.grad
    assert first.dtype == second.dtype == x.dtype
    return [np.asarray(a, float) for a in (y.data, first.data, second)]


@pytest.mark.parametrize(
    "function",
    [
        np.mean,
        lambda x: np.mean(x, where=OTHERS),
        np.average,
        lambda x: np.nanmean(np.where(OTHERS, x, NAN)),
        lambda x: np.max(x - x * x),
        lambda x: np.min(x - x, where=OTHERS, initial=3) + np.mean(x),
        lambda x: np.nanmax(np.where(OTHERS, x - x * x, NAN)),
        lambda x: np.maximum.reduce(x - x * x),
        lambda x: np.sum(np.mean(np.reshape(x, (-1, 1)), axis=0)),
    ],
)
def test_counts_may_exceed_what_float16_holds(function):
    def squared(x):
        return np.square(4 * function(x))

    x, direction = np.tile(np.array([0.25, 0.75], np.float16), MANY // 2), np.cos(np.arange(MANY) % 5)
    found = value_gradient_and_curvature(squared, x, direction)
    expected = value_gradient_and_curvature(squared, x.astype(float), direction)
    for a, b in zip(found, expected, strict=True):  # the gradients are subnormal: steps of 6e-8
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1.2e-7)
    assert np.max(np.abs(expected[1])) > 5e-6


@pytest.mark.parametrize(
    ("variance", "counted"),
    [
        (np.var, slice(None)),
        (lambda x: np.var(x, ddof=1, where=OTHERS), OTHERS),
        (lambda x: np.nanvar(np.where(OTHERS, x, NAN)), OTHERS),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # of NumPy's var itself, which sums in float16
def test_counts_of_a_variance_may_exceed_what_float16_holds(variance, counted):
    x = np.tile(np.array([-8, 8], np.float16), MANY // 2)
    _, first, second = value_gradient_and_curvature(variance, x, np.ones(MANY))
    n = len(x[counted])
    expected = np.zeros(MANY)
    expected[counted] = 2 / n * (x[counted] - np.mean(x[counted], dtype=float))
    np.testing.assert_allclose(first, expected, rtol=1e-2)
    np.testing.assert_allclose(second, 0, atol=1e-6)
