"""What comes out of `forward`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from registry.numpy_protocol import Array, plain
from registry.testing.comparison import weighted
from registry.testing.differences import relative_tolerance
from registry.testing.samples import Sample, described
from registry.testing.subject import Failed, Subject, copied, random_like, same, variables
from registry.variable import Variable

_EPS32 = float(np.finfo(np.float32).eps)
_SMALLEST, _LARGEST = 1e-30, 1e30  # what float32 holds, with a margin for derivatives
_NO_FLOATS = (
    "no sample has a floating input with elements, so nothing would be differentiated; give shapes, or "
    "arrays of floating numbers; if there is no derivative, say differentiable = False"
)

NEEDS: Mapping[str, tuple[str, ...]] = {
    "result_type": (),
    "deterministic": ("result_type",),
    "inputs_unchanged": ("deterministic", "gradient_structure"),
    "fresh_result": ("deterministic",),
    "float32": ("inputs_unchanged",),
}


def result_type(subject: Subject) -> Iterator[None]:
    """Check that `forward` takes some sample, and gives an array of numbers or a tuple of them.

    It fails where no sample is left: an operator whose inputs cannot be guessed from
    its signature needs `samples`, and one that is defined on a part of the real numbers
    may need `domain`.
    """
    if not subject.samples:
        raise Failed(_why_no_samples(subject))
    for sample in subject.samples:
        ys = subject.call(sample, variables(sample.inputs))
        if not ys:
            raise Failed(f"forward returned an empty tuple\non {sample}")
        for i, y in enumerate(ys):
            if not isinstance(y, Variable):
                raise Failed(
                    f"result {i} is {type(y)}, expected a Variable: the gradient is lost\non {sample}"
                )
        yield
    floating = [sample for sample in subject.samples if sample.floating]
    if subject.differentiable and not any(
        sample.inputs[i].size for sample in floating for i in sample.floating
    ):
        raise Failed(_why_no_samples(subject) if subject.given is None else _NO_FLOATS)


def _why_no_samples(subject: Subject) -> str:
    if subject.given is not None:
        return "samples is empty; give the arguments of one call at least"
    required = [p.name for p in subject.constants if p.default is p.empty]
    example = ", ".join(["'x': (2, 3)", *(f"{name!r}: ..." for name in required)])
    advice = f"say which calls to check: samples = ({{{example}}},) on the class, a shape is drawn at random"
    if subject.refused:
        sample, error = subject.refused[0]
        return (
            f"forward raised on all {len(subject.refused)} samples made from its signature, first "
            f"{type(error).__name__}: {error}\non {sample}\n{advice}"
        )
    if required:
        alone = ", ".join(f"{name!r}: ..." for name in required)
        return (
            f"no value is known for {', '.join(map(repr, required))} of __init__; give it with the default "
            f"inputs, samples = ({{{alone}}},), or {advice}"
        )
    return f"the results are nan or infinite on all samples; give domain = (low, high), or {advice}"


def deterministic(subject: Subject) -> Iterator[None]:
    """Check that equal calls give equal results.

    A random operator is deterministic in this sense where its generator or seed is a
    constant: constants are copied for each call.
    """
    for sample in subject.samples:
        first, second = subject.values(sample), subject.values(sample)
        if not all(map(same, first, second)):
            raise Failed(
                f"two equal calls give {_listed(first)} and {_listed(second)}\non {sample}\n"
                "make what is random a constant of __init__ (a seed, a numpy.random.Generator), and give "
                "it in samples"
            )
        yield


def inputs_unchanged(subject: Subject) -> Iterator[None]:
    """Check that `forward` does not write into its inputs, nor `backward` into anything it is given."""
    for sample in subject.samples:
        xs = variables(sample.inputs)
        ys = subject.call(sample, xs)
        for i, (x, expected) in enumerate(zip(xs, sample.inputs, strict=True)):
            if expected is not None and not same(plain(x), expected):
                raise Failed(
                    f"forward wrote into input {i}: {described(expected)} became {described(plain(x))}\n"
                    "work on a copy"
                )
        constants = copied(sample.constants)
        subject.call_with(constants, sample, variables(sample.inputs))
        for name, value in sample.constants.items():
            if not _is_unchanged(constants[name], value):
                raise Failed(
                    f"forward wrote into {name}, a constant of __init__\non {sample}\nwork on a copy"
                )
        function = ys[0].creator
        if type(function) is subject.cls and sample.kind == "plain":
            given = {"ys": [y.data.copy() for y in ys], "xs": [plain(x) for x in xs]}
            gys = subject.incoming(ys)
            before = [gy.copy() for gy in gys]
            function.backward(*gys)
            _unwritten("the gradient that it got", gys, before, sample)
            _unwritten("self.ys", [y.data for y in ys], given["ys"], sample)
            _unwritten("self.xs", [plain(x) for x in xs], sample.inputs, sample)
        yield


def _is_unchanged(value: Any, before: Any) -> bool:
    """Compare arrays, and lists and dicts of plain values; other objects, such as generators, may change."""
    if isinstance(value, np.ndarray):
        return same(value, before)
    if isinstance(value, list | dict):
        return repr(value) == repr(before)
    return True


def _unwritten(what: str, found: list[Array], expected: object, sample: Sample) -> None:
    for a, b in zip(found, expected, strict=True):  # type: ignore[call-overload]
        if b is not None and not same(a, b):
            raise Failed(
                f"backward wrote into {what}: {described(b)} became {described(a)}\non {sample}\n"
                "others hold the same array; make a new one"
            )


def fresh_result(subject: Subject) -> Iterator[None]:
    """Check that a result is an array of its own.

    It may be a view of an input, as that of `np.reshape`, but not the input itself
    (unless the NumPy function that it implements gives that too), nor memory that the
    next call writes into. The results of an elementwise operator are no views either.
    """
    for sample in subject.samples:
        xs = variables(sample.inputs)
        ys = [y.data for y in subject.call(sample, xs)]
        arrays = [plain(x) for x in xs if x is not None]
        for i, y in enumerate(ys):
            if _is_taken(y, arrays, subject) and not any(
                _is_taken(z, sample.inputs, subject)
                for function in subject.operator.implements
                for z in subject.numpys_values(function, sample)
            ):
                raise Failed(f"result {i} shares its memory with an input\non {sample}\nreturn a copy")
            if any(_is_same(y, other) for other in ys[:i]):
                raise Failed(f"result {i} is another result, too\non {sample}\nreturn a copy")
        for call in subject.ways_to_call_twice(sample):
            pairs = zip(call(variables(sample.inputs)), call(variables(sample.inputs)), strict=True)
            for i, (y, z) in enumerate(pairs):
                if y.data.size and np.shares_memory(y.data, z.data):
                    raise Failed(
                        f"result {i} of one call shares its memory with that of another\non {sample}\n"
                        "a buffer that is kept is overwritten by the next call; make a new array"
                    )
        yield


def _is_taken(y: Array, inputs: Sequence[Array], subject: Subject) -> bool:
    given = [x for x in inputs if x is not None]
    return any(_is_same(y, x) or (subject.elementwise and np.shares_memory(y, x)) for x in given)


def _is_same(y: Any, x: Any) -> bool:
    """Say whether an array is another one, or a view of all of it; recording makes such of an input."""
    if y is x or not isinstance(y, np.ndarray):
        return y is x
    return bool(y.__array_interface__ == x.__array_interface__ and y.size)


def float32(subject: Subject) -> Iterator[None]:
    """Check that float32 stays float32, with the numbers of float64 to float32's precision.

    Results, gradients and second derivatives are compared. A result may be wider
    where the NumPy function that the operator implements gives the same dtype.
    """
    for sample in subject.plain_samples:
        if not sample.floating:
            continue
        narrow = sample.of([_narrowed(x) for x in sample.inputs])
        exact = sample.of([_widened(x) for x in narrow.inputs])
        ys, expected = subject.values(narrow), subject.values(exact)
        conditioning = _conditioning(subject, exact, expected)
        size = float(sum(np.sum(np.abs(y)) for y in expected if y.dtype.kind in "fc"))
        if not all(map(_is_within_float32, expected)) or _EPS32 * conditioning > 1e-3 * size:
            continue  # float32 does not have the numbers for it
        for i, (y, z, wide) in enumerate(zip(ys, expected, subject.values(sample), strict=True)):
            narrowed = _narrowed(wide).dtype
            if y.dtype != narrowed and y.dtype not in _numpys_dtypes(subject, narrow):
                raise Failed(
                    f"result {i} is {y.dtype}, expected {narrowed}\non {narrow}\n"
                    "something is wider: np.zeros(n) without a dtype, a float64 constant"
                )
            _close(f"result {i}", y, z, conditioning, narrow)
        if subject.differentiable:
            _compare_derivatives(subject, narrow, exact, ys)
        yield


def _compare_derivatives(subject: Subject, narrow: Sample, exact: Sample, ys: list[Array]) -> None:
    rng = subject.rng()
    weights = subject.weights(ys, rng)
    if not any(w is not None for w in weights):
        return
    wide = [None if w is None else _widened(w) for w in weights]
    found, expected = subject.gradients(narrow, weights), subject.gradients(exact, wide)
    for i, a, b in zip(narrow.floating, found, expected, strict=True):
        _close(f"the gradient of {narrow.names[i]}", a, b, _sum_of_sizes(ys, weights), narrow)
    directions = [random_like(a, rng) for a in found]
    size = _sum_of_sizes(expected, directions)
    try:
        expected = subject.second_derivatives(exact, wide, [_widened(v) for v in directions])
    except Exception:  # the check of second derivatives names it
        return
    found = subject.second_derivatives(narrow, weights, directions)
    for i, a, b in zip(narrow.floating, found, expected, strict=False):
        _close(f"the second derivative of {narrow.names[i]}", a, b, size, narrow)


def _is_within_float32(x: Array) -> bool:
    sizes = np.abs(x[x != 0])
    return x.dtype.kind not in "fc" or bool(np.all((sizes > _SMALLEST) & (sizes < _LARGEST)))


def _conditioning(subject: Subject, exact: Sample, ys: list[Array]) -> float:
    """Give how much the results change where the inputs change by their own size."""
    weights = subject.weights(ys, subject.rng())
    if not subject.differentiable or all(w is None for w in weights):
        return 0.0
    gxs = subject.gradients(exact, weights)
    return _sum_of_sizes([exact.inputs[i] for i in exact.floating], gxs)


def _sum_of_sizes(arrays: Sequence[Array], weights: Sequence[Any]) -> float:
    return float(np.sum(np.abs(weighted(arrays, weights))))


def _close(what: str, found: Array, expected: Array, size: float, sample: Sample) -> None:
    """Compare with float64, but for the rounding of terms of that size, of which nothing may be left."""
    tolerance = relative_tolerance(np.dtype(np.float32))
    rounding = 8 * _EPS32 * size
    if np.all(np.isfinite(expected)) and not same(found, expected, tolerance, rounding):
        raise Failed(
            f"{what} is {described(found)}; float64 gives {described(expected)}, "
            f"which is further away than {tolerance:.0e} of the largest\non {sample}"
        )


def _numpys_dtypes(subject: Subject, sample: Sample) -> list[np.dtype[Any]]:
    return [y.dtype for f in subject.operator.implements for y in subject.numpys_values(f, sample)]


def _narrowed(x: Array) -> Array:
    narrow = {"float64": "float32", "complex128": "complex64"}
    return x if x is None else x.astype(narrow.get(x.dtype.name, x.dtype))


def _widened(x: Array) -> Array:
    wide = {"float32": "float64", "complex64": "complex128"}
    return x if x is None else x.astype(wide.get(x.dtype.name, x.dtype))


def _listed(arrays: list[Array]) -> str:
    return ", ".join(map(described, arrays))
