"""What random programs are made of: the built-in operators, by NumPy's functions, each with its rule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import i1

from random_programs import parameters as may
from random_programs import rules
from random_programs.rules import holomorphic, slopes


@dataclass(frozen=True)
class Operation:
    """One kind of step.

    Attributes
    ----------
    name : str
        That of the operator's helper.
    function : callable
        The same by NumPy's functions: of arrays, and of Variables.
    tangent : callable
        One of `rules`.
    count : int
        The number of inputs.
    before : str or tuple of str
        What is done to the inputs before, so that the function takes them and is smooth there.
    together : str
        How the shapes of several inputs go together: ``"broadcast"``, ``"same"`` or ``"any"``.
    parameters : mapping of str to callable
        From the inputs to a strategy.
    by_helper, by_numpy : bool
        Whether the helper takes the same arguments, and whether `function` takes Variables: not where
        NumPy has no such function.
    """

    name: str
    function: Callable[..., Any]
    tangent: Callable[..., Any]
    count: int = 1
    before: Any = ""
    together: str = "broadcast"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    by_helper: bool = False
    by_numpy: bool = True

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """Let Hypothesis show the name alone."""
        printer.text(self.name)


def elementwise(name, function, tangent=None, before="", count=1):
    return Operation(name, function, tangent or holomorphic(function), count, before, by_helper=True)


def pairwise(name, function, tangent=None, before=""):
    return elementwise(name, function, tangent, before, 2)


def own(name, function, tangent=None, before="", count=1, **parameters):
    """An operator that NumPy lacks."""
    tangent = tangent or holomorphic(function)
    return Operation(name, function, tangent, count, before, "broadcast", parameters, True, False)


def straight(name, function, count=1, together="broadcast", **parameters):
    """A function that is linear in all its inputs together."""
    return Operation(name, function, rules.linear(function), count, "", together, parameters)


def product(name, function, count=2, together="any", before="", **parameters):
    """A function that is linear in each of its inputs."""
    return Operation(name, function, rules.multilinear(function), count, before, together, parameters)


def smooth(name, function, tangent=None, before="", count=1, together="any", **parameters):
    return Operation(name, function, tangent or holomorphic(function), count, before, together, parameters)


def reduction(name, function, tangent=None, before=""):
    return smooth(name, function, tangent, before, axis=may.axes, keepdims=may.flag)


def several(function, **given):
    """Give a function of arrays that hands NumPy a list of them."""
    return lambda *xs, **p: function(list(xs), **given, **p)


def tuple_of(function):
    """Give a function whose list of results is a tuple."""
    return lambda *xs, **p: tuple(function(*xs, **p))


ELEMENTWISE = [
    elementwise("sin", np.sin), elementwise("cos", np.cos), elementwise("tan", np.tan, before="unit"),
    elementwise("arcsin", np.arcsin, before="unit"), elementwise("arccos", np.arccos, before="unit"),
    elementwise("arctan", np.arctan, before="real"), elementwise("sinh", np.sinh),
    elementwise("cosh", np.cosh), elementwise("tanh", np.tanh, before="real"),
    elementwise("arcsinh", np.arcsinh, before="real"),
    elementwise("arccosh", np.arccosh, before="above one"),
    elementwise("arctanh", np.arctanh, before="unit"), elementwise("exp", np.exp),
    elementwise("exp2", np.exp2), elementwise("expm1", np.expm1),
    elementwise("log", np.log, before="positive"), elementwise("log2", np.log2, before="positive"),
    elementwise("log10", np.log10, before="positive"), elementwise("log1p", np.log1p, before="positive"),
    elementwise("sqrt", np.sqrt, before="positive"), elementwise("square", np.square),
    elementwise("cbrt", np.cbrt, slopes(lambda x, y: 1 / (3 * y * y)), "positive"),
    elementwise("reciprocal", np.reciprocal, before="positive"),
    elementwise("sinc", np.sinc, holomorphic(lambda x: np.sin(np.pi * x) / (np.pi * x)), "positive"),
    elementwise("i0", np.i0, slopes(lambda x, y: i1(x)), "real"),
    elementwise("abs", np.abs, rules.absolute), elementwise("angle", np.angle, rules.angle),
    elementwise("fabs", np.fabs, slopes(lambda x, y: np.sign(x)), "real"),
    elementwise("sign", np.sign, slopes(lambda x, y: 0), "real"),
    elementwise("modf", np.modf, rules.fraction, "real"),
    *(
        elementwise(name, f, rules.linear(f))
        for name, f in (
            ("negative", np.negative), ("positive", np.positive), ("conj", np.conj), ("real", np.real),
            ("imag", np.imag), ("deg2rad", np.deg2rad), ("rad2deg", np.rad2deg), ("copy", np.copy),
            ("nan_to_num", np.nan_to_num),
        )
    ),
    own("sec", lambda x: 1 / np.cos(x), before="unit"), own("sech", lambda x: 1 / np.cosh(x), before="real"),
    own("cot", lambda x: 1 / np.tan(x), before="small"),
    own("csch", lambda x: 1 / np.sinh(x), before="small"),
    own("arccot", lambda x: np.arctan(1 / x), before="positive"),
    own("arcsech", lambda x: np.arccosh(1 / x), before="small"),
    smooth("clip", lambda x: np.clip(x, -0.7, 1.2), slopes(lambda x, y: (x > -0.7) & (x < 1.2)), "real"),
    smooth(
        "interp", lambda x: np.interp(x, [-3.0, -0.3, 4.0], [0.5, -1.0, 2.0]),
        slopes(lambda x, y: np.select([x < -3, x < -0.3, x < 4], [0, -1.5 / 2.7, 3 / 4.3], 0)), "real",
    ),
]  # fmt: skip

PAIRS = [
    pairwise("add", np.add, rules.linear(np.add)),
    pairwise("subtract", np.subtract, rules.linear(np.subtract)),
    pairwise("multiply", np.multiply, rules.multilinear(np.multiply)),
    pairwise("divide", np.divide, before=("", "positive")),
    pairwise("power", np.power, rules.power, ("positive", "")),
    pairwise("float_power", np.float_power, rules.power, ("positive", "")),
    pairwise("maximum", np.maximum, rules.where(np.greater), "real"),
    pairwise("minimum", np.minimum, rules.where(np.less), "real"),
    pairwise("fmax", np.fmax, rules.where(np.greater), "real"),
    pairwise("fmin", np.fmin, rules.where(np.less), "real"),
    pairwise("hypot", np.hypot, slopes(lambda a, b, y: a / y, lambda a, b, y: b / y), "real"),
    pairwise(
        "arctan2", np.arctan2,
        slopes(lambda a, b, y: b / (a * a + b * b), lambda a, b, y: -a / (a * a + b * b)), "real",
    ),
    pairwise("logaddexp", np.logaddexp, rules.shares(np.e), "real"),
    pairwise("logaddexp2", np.logaddexp2, rules.shares(2.0), "real"),
    pairwise(
        "remainder", np.remainder, slopes(lambda a, b, y: 1, lambda a, b, y: -np.floor(a / b)),
        ("real", "small")
    ),
    pairwise("fmod", np.fmod, slopes(lambda a, b, y: 1, lambda a, b, y: -np.trunc(a / b)), ("real", "small")),
    pairwise("copysign", np.copysign, slopes(lambda a, b, y: np.sign(a * y), lambda a, b, y: 0), "real"),
    pairwise("divmod", np.divmod, rules.divided, ("real", "small")),
    own("add_sequence", lambda a, b, c: a + b + c, count=3),
    own("multiply_sequence", lambda a, b, c: a * b * c, count=3),
    Operation(
        "where", lambda a, b, condition: np.where(condition, a, b),
        lambda xs, dxs, y, condition: np.where(condition, *rules.filled(xs, dxs)), 2, "", "broadcast",
        {"condition": may.row_of_mask},
    ),
    straight("select", lambda a, b, c: np.select([c, ~c], [a, b]), 2, "same", c=may.mask),
    product("multiply_outer", np.multiply.outer),
    straight("subtract_outer", np.subtract.outer, 2, "any"),
    straight("broadcast_arrays", tuple_of(np.broadcast_arrays), 2),
]  # fmt: skip

REDUCTIONS = [
    reduction("sum", np.sum, rules.linear(np.sum)), reduction("mean", np.mean, rules.linear(np.mean)),
    reduction("nansum", np.nansum, rules.linear(np.nansum)), reduction("prod", np.prod),
    reduction("max", np.max, rules.extremum(np.max), "real"),
    reduction("min", np.min, rules.extremum(np.min), "real"),
    reduction("nanmax", np.nanmax, rules.extremum(np.max), "real"),
    reduction("std", np.std, rules.deviation),
    smooth("var", np.var, rules.variance, axis=may.axes, keepdims=may.flag, ddof=may.among(0, 1)),
    reduction("norm", np.linalg.norm, rules.norm),
    reduction("vector_norm", np.linalg.vector_norm, rules.norm),
    *(
        smooth(name, f, rules.ordered(f), "real", axis=may.axis_or_none)
        for name, f in (("median", np.median), ("ptp", np.ptp), ("sort", np.sort))
    ),
    *(
        smooth(name, f, rules.ordered(f), "real", axis=may.axis_or_none, q=may.among(*qs))
        for name, f, qs in (
            ("quantile", np.quantile, (0.3, 1.0)), ("percentile", np.percentile, (55, 0)),
        )
    ),
    straight("cumsum", np.cumsum, axis=may.axis_or_none), straight("add_accumulate", np.add.accumulate),
    straight("cumulative_sum", np.cumulative_sum, axis=may.axis, include_initial=may.flag),
    straight("add_reduce", np.add.reduce, axis=may.axes), straight("trapezoid", np.trapezoid, axis=may.axis),
    smooth("cumprod", np.cumprod, axis=may.axis_or_none),
    straight("diff", np.diff, n=may.count, axis=may.axis),
    smooth("multiply_accumulate", np.multiply.accumulate), straight("ediff1d", np.ediff1d),
    straight("gradient", lambda x, axis: np.gradient(x, axis=axis), axis=may.axis),
    own("sum_to", lambda x, shape: _summed(x, shape), rules.linear(lambda x, shape: _summed(x, shape)),
        shape=may.narrower_shape),
    product("average", lambda x, axis: np.average(x, axis=axis, weights=None), 1, axis=may.axis_or_none),
]  # fmt: skip


def _summed(x, shape):
    extra = x.ndim - len(shape)
    axes = (*range(extra), *(i for i in range(extra, x.ndim) if shape[i - extra] != x.shape[i]))
    return np.reshape(np.sum(x, axis=axes, keepdims=True), shape)


def _with_item(x, value, index):
    y = np.array(x)
    y[index] = value
    return y


SHAPES = [
    straight("reshape", np.reshape, shape=may.shape), straight("ravel", np.ravel),
    straight("transpose", np.transpose, axes=may.permutation),
    straight("swapaxes", np.swapaxes, axis1=may.axis, axis2=may.axis),
    straight("moveaxis", np.moveaxis, source=may.axis, destination=may.axis),
    straight("rollaxis", np.rollaxis, axis=may.axis),
    straight("expand_dims", np.expand_dims, axis=may.new_axes),
    straight("squeeze", np.squeeze, axis=may.axes), straight("matrix_transpose", np.matrix_transpose),
    straight("broadcast_to", np.broadcast_to, shape=may.wider_shape),
    straight("atleast_1d", np.atleast_1d), straight("atleast_2d", np.atleast_2d),
    straight("atleast_3d", np.atleast_3d), straight("flip", np.flip, axis=may.axes),
    straight("fliplr", np.fliplr), straight("flipud", np.flipud),
    straight("rot90", np.rot90, k=may.number),
    straight("roll", np.roll, shift=may.number, axis=may.axis_or_none),
    straight("tile", np.tile, reps=may.among(2, (2, 1), (1, 3), 0)),
    straight("repeat", np.repeat, repeats=may.count, axis=may.axis_or_none),
    straight("resize", np.resize, new_shape=may.any_shape),
    *(
        straight("pad", lambda x, pad_width, mode=mode: np.pad(x, pad_width, mode), pad_width=may.widths)
        for mode in ("constant", "edge", "reflect", "wrap", "linear_ramp", "mean")
    ),
    straight("concatenate", several(np.concatenate), 2, "same", axis=may.axis_or_none),
    straight("concatenate", several(np.concatenate), 3, "same", axis=may.axis),
    straight("stack", several(np.stack), 3, "same", axis=may.axis),
    straight("vstack", several(np.vstack), 2, "same"), straight("hstack", several(np.hstack), 2, "same"),
    straight("dstack", several(np.dstack), 2, "same"),
    straight("column_stack", several(np.column_stack), 2, "same"),
    straight("block", lambda a, b: np.block([[a, b], [b, a]]), 2, "same"),
    straight("append", np.append, 2, "same", axis=may.axis_or_none),
    straight("insert", lambda x, value, obj, axis: np.insert(x, obj, value, axis=axis), 2, "same",
             obj=may.among(0, [0, -1], 1), axis=may.axis_or_none),
    straight("delete", lambda x, obj, axis: np.delete(x, obj, axis=axis), obj=may.among(0, -1, [0, 0]),
             axis=may.axis_or_none),
    straight("split", tuple_of(np.split), indices_or_sections=may.sections, axis=may.axis),
    straight("array_split", tuple_of(np.array_split), indices_or_sections=may.sections, axis=may.axis),
    straight("hsplit", tuple_of(np.hsplit), indices_or_sections=may.sections),
    straight("unstack", lambda x, axis: np.unstack(x, axis=axis), axis=may.axis),
    straight("meshgrid", lambda *xs, indexing: tuple(np.meshgrid(*xs, indexing=indexing)), 2, "any",
             indexing=may.among("xy", "ij")),
    straight("diag", np.diag, k=may.number), straight("diagonal", np.diagonal, offset=may.number),
    straight("diagflat", np.diagflat, k=may.number), straight("trace", np.trace, offset=may.number),
    straight("tril", np.tril, k=may.number), straight("triu", np.triu, k=may.number),
    straight("take", np.take, indices=may.among(0, [0, 0], [[-1], [0]]), axis=may.axis_or_none),
    straight(
        "take_along_axis", lambda x, indices: np.take_along_axis(x, indices, axis=-1), indices=may.places
    ),
    straight("compress", lambda x, condition: np.compress(condition, x, axis=-1), condition=may.row_of_mask),
    straight("extract", lambda x, condition: np.extract(condition, x), condition=may.mask),
    straight("getitem", lambda x, index: x[index], index=may.index),
    straight("getitem", lambda x, index: x[index], index=may.index),
    own("set_item", _with_item, rules.linear(_with_item), count=2, index=may.index),
    straight("sliding_window_view", sliding_window_view, window_shape=may.among(1, 2), axis=may.axis),
    straight("astype", lambda x, dtype: np.astype(x, dtype),
             dtype=may.among(np.float32, np.float64, complex)),
]  # fmt: skip

MATRICES = [
    product("matmul", np.matmul, before=("", "fits")), product("dot", np.dot, before=("", "fits")),
    product("inner", np.inner), product("outer", np.outer),
    product("vdot", np.vdot, together="same"), product("vecdot", np.vecdot, together="same"),
    product("tensordot", lambda a, b: np.tensordot(a, b, 1), before=("", "fits")),
    product("kron", np.kron), product("cross", np.cross, before="row of three"),
    product("convolve", np.convolve, before="vector", mode=may.among("full", "same", "valid")),
    product("correlate", np.correlate, before="vector", mode=may.among("full", "same", "valid")),
    product("einsum", lambda a, b: np.einsum("i...,i...->...", a, b), together="same"),
    product("einsum", lambda a, b: np.einsum("ij,kj->ik", a, b), before="square"),
    product("einsum", lambda a: np.einsum("ii->i", a), 1, before="square"),
    product("matvec", np.matvec, before=("square", "row of three")),
    product("vecmat", np.vecmat, before=("row of three", "square")),
    product("multi_matmul", several(np.linalg.multi_dot), 3, before="square"),
    smooth("polyval", np.polyval, before=("vector", ""), count=2),
    product("polymul", np.polymul, before="vector"),
    smooth("matrix_power", np.linalg.matrix_power, before="regular", n=may.among(-2, 0, 1, 3)),
    smooth("inv", np.linalg.inv, before="regular"), smooth("det", np.linalg.det, before="regular"),
    smooth("solve", np.linalg.solve, before=("regular", "square"), count=2),
    smooth("pinv", np.linalg.pinv, holomorphic(np.linalg.inv), before="regular"),
    smooth("slogdet", tuple_of(np.linalg.slogdet), rules.logarithm_of_determinant, before="regular"),
    smooth("cholesky", np.linalg.cholesky, rules.cholesky, before="definite"),
    smooth("eigh", tuple_of(np.linalg.eigh), rules.eigenvectors, before=("real definite")),
    smooth("eigvalsh", np.linalg.eigvalsh, rules.eigenvalues, before="definite"),
    smooth("svd", lambda x: tuple(np.linalg.svd(x, full_matrices=False)), rules.singular_vectors,
           before="tall"),
    smooth("svdvals", np.linalg.svdvals, rules.singular_values, before="regular"),
    smooth("qr", tuple_of(np.linalg.qr), rules.triangle, before="tall"),
    *(
        straight(name, f, n=may.among(None, 2, 3, 4), axis=may.axis, norm=may.among(None, "ortho", "forward"))
        for name,
        f in (("fft", np.fft.fft), ("ifft", np.fft.ifft), ("hfft", np.fft.hfft), ("irfft", np.fft.irfft))
    ),
    *(
        Operation(
            name, f, rules.linear(f), 1, "real", "any",
            {"n": may.among(None, 2, 3, 4), "axis": may.axis, "norm": may.among(None, "ortho", "forward")},
        )
        for name, f in (("rfft", np.fft.rfft), ("ihfft", np.fft.ihfft))
    ),
    straight("fft2", np.fft.fft2), straight("ifftn", np.fft.ifftn),
    straight("fftshift", np.fft.fftshift, axes=may.axes),
    straight("ifftshift", np.fft.ifftshift, axes=may.axes),
]  # fmt: skip

OPERATIONS = [*ELEMENTWISE, *PAIRS, *REDUCTIONS, *SHAPES, *MATRICES]
