"""What comes out of `backward`, and of `backward` differentiated."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from registry.errors import HigherOrderError
from registry.function import Function
from registry.numpy_protocol import Array
from registry.testing.comparison import (
    along,
    compared,
    first_order,
    moved,
    second_order,
    units,
    weighted,
    whole_first_order,
)
from registry.testing.differences import central_slope, relative_tolerance
from registry.testing.samples import Sample, described
from registry.testing.subject import Failed, NotApplicable, Subject, same, variables

NEEDS: Mapping[str, tuple[str, ...]] = {
    "saves": ("deterministic",),
    "gradient_structure": ("saves",),
    "chain_rule": ("inputs_unchanged",),
    "first_derivative": ("chain_rule",),
    "second_derivative": ("first_derivative",),
    "special_values": ("zero_dimensional",),
    "complex": ("second_derivative",),
}

_NEARBY = 1e-3
_FEW = 8
_STEEP = (1e-3, 1e-6, 1e-9)
_SIDES = (4, 64)  # few decide most, more decide at a kink where several inputs meet


def saves(subject: Subject) -> Iterator[None]:
    """Check that `backward` reads what `saves` names, and nothing else of `self.xs` and `self.ys`."""
    cls = subject.cls
    if cls is None:
        raise NotApplicable("a composite keeps nothing itself")
    used: set[str] = set()
    for sample in subject.float_samples:
        for wanted in [lambda i: True, *(lambda i, only=only: i == only for only in sample.floating)]:
            read = _read_by_backward(subject, cls, sample, wanted)
            if undeclared := sorted(read - set(cls.saves)):
                raise Failed(
                    f"backward reads self.{undeclared[0]}, which saves = {cls.saves!r} does not name\n"
                    f"on {sample}"
                )
            used |= read
            yield
    if cls.saves is not Function.saves and (unread := sorted(set(cls.saves) - used)):
        raise Failed(f"saves = {cls.saves!r} keeps self.{unread[0]}, which backward never reads")


def _read_by_backward(
    subject: Subject, cls: type[Function], sample: Sample, wanted: Callable[[int], bool]
) -> set[str]:
    """Run `backward` on a stand-in that notes which of its arrays are read."""
    read: set[str] = set()
    xs = variables(sample.inputs, wanted=wanted)
    ys = subject.call(sample, xs)
    function = ys[0].creator
    if type(function) is not cls:
        return read
    copies = tuple([None if x is None else x.copy() for x in sample.inputs])
    kept = {"xs": copies, "ys": tuple([y.data for y in ys]), **vars(function)}

    def noted(name: str) -> property:
        def get(self: Function) -> Any:
            read.add(name)
            return kept[name]

        return property(get)

    watched = type(cls.__name__, (cls,), {"xs": noted("xs"), "ys": noted("ys"), "saves": ("xs", "ys")})
    for name in ("xs", "ys"):
        vars(function).pop(name, None)
    function.__class__ = watched
    with suppress(Exception):  # gradient_structure will tell of it
        function.backward(*subject.incoming(ys))
    return read


def gradient_structure(subject: Subject) -> Iterator[None]:
    """Check that `backward` gives one gradient for each input, of the input's shape and of numbers.

    The shape may be that of a true broadcast of the input, which the engine sums.
    """
    for sample in subject.float_samples:
        ys = subject.values(sample)
        gxs = subject.gradients(sample, subject.weights(ys, subject.rng()))
        for i, gx in zip(sample.floating, gxs, strict=True):
            x = sample.inputs[i]
            if (gx.shape, gx.dtype) != (x.shape, x.dtype):
                raise Failed(f"the gradient of {sample.names[i]} is {described(gx)}\non {sample}")
        yield


def chain_rule(subject: Subject) -> Iterator[None]:
    """Check that `backward` is linear in the gradient that it gets: that it multiplies by `gy`, once."""
    for sample in subject.float_samples:
        rng = subject.rng()
        ys = subject.values(sample)
        one, two = subject.weights(ys, rng), subject.weights(ys, rng)
        both = [None if a is None else np.asarray(3 * a + b) for a, b in zip(one, two, strict=True)]
        parts = zip(subject.gradients(sample, one), subject.gradients(sample, two), strict=True)
        for i, (a, b), found in zip(sample.floating, parts, subject.gradients(sample, both), strict=True):
            expected = np.asarray(3 * a + b)
            if np.all(np.isfinite(expected)) and not same(found, expected, relative_tolerance(found.dtype)):
                raise Failed(
                    f"backward is not linear in gy: for gradients g and h, backward(3 g + h) gives "
                    f"{sample.names[i]} {described(found)}, but 3 backward(g) + backward(h) is "
                    f"{described(expected)}\non {sample}\nmultiply by gy, exactly once"
                )
        yield


def first_derivative(subject: Subject) -> Iterator[None]:
    """Check the gradients against central differences of the results.

    Along one random direction for each sample, with random weights on the results; with
    `full`, every element of the Jacobian, up to 144. Two steps are compared, so that a number that
    the function's kinks or rounding spoil accuses nobody; if none can be measured, the
    check fails.
    """
    yield from compared(
        "first derivative", subject, subject.float_samples, whole_first_order if subject.full else first_order
    )


def second_derivative(subject: Subject) -> Iterator[None]:
    """Check `backward`, run on Variables, against central differences of the gradients.

    An operator that says `once_differentiable` must refuse instead.
    """
    samples = subject.float_samples
    if not subject.once_differentiable:
        yield from compared("second derivative", subject, samples, second_order)
        return
    try:
        list(second_order(subject, samples[0]))
    except HigherOrderError:
        yield
    else:
        raise Failed("once_differentiable is declared, but a second derivative is given")


def special_values(subject: Subject) -> Iterator[None]:
    """Check the gradients at 0, 1, -1, 2 and at equal inputs.

    Each must lie among the gradients close by: equal to them where the function is
    smooth, between those of the sides at a kink (or nan there), infinite where they
    grow without end. Where the function is not defined all around, nothing is compared.
    Second derivatives are compared with differences, where those say something.
    """
    if not subject.differentiable:
        raise NotApplicable("differentiable = False")
    for sample in subject.of_kind("special"):
        problem = None
        for sides in _SIDES:
            problem = _out_of_place(subject, sample, sides)
            if problem is None:
                break
        if problem:
            raise Failed(f"{problem}\non {sample}")
        yield
    if not subject.once_differentiable:
        samples = [sample for sample in subject.of_kind("special") if sample.floating]
        some = samples[:: max(1, len(samples) // _FEW)]
        samples = [sample for sample in some if not _shapes_vary(subject, sample, min(_SIDES), _NEARBY)]
        yield from compared("second derivative", subject, samples, second_order, all_may_be_rough=True)


def _out_of_place(subject: Subject, sample: Sample, sides: int) -> str | None:
    """Tell of a gradient that does not lie among those on so many sides of the sample."""
    rng = subject.rng()
    ys = subject.values(sample)
    weights = subject.weights(ys, rng)
    rounding = 1e-12 * float(np.sum(np.abs(weighted(ys, weights))))
    found = _flat(subject.gradients(sample, weights))
    if _shapes_vary(subject, sample, sides, _NEARBY):
        return None
    nearby, nearer = (
        np.array([_flat(subject.gradients(s, weights)) for s in _around(subject, sample, sides, distance)])
        for distance in (_NEARBY, _NEARBY / 10)
    )
    if not np.all(np.isfinite(nearby)):
        return None
    names = [f"of {sample.names[unit.input]} at {unit.place}" for unit in units(subject, sample)]
    directions = dict(zip(names, np.eye(len(names)), strict=True))
    if len(names) <= _FEW:  # of more elements, more meet at a kink than can be tried
        directions["of all together"] = np.ones(len(names))
    if len(names) == len(sample.floating):
        drawn = rng.normal(size=(len(names), len(names)))
        directions |= {f"along {d.round(3)}": d for d in drawn}
    for where, d in directions.items():
        number = float(np.sum(found[d != 0] * d[d != 0]))
        (low, high), (lower, upper) = _ends(nearer @ d), _ends(nearby @ d)
        kink = high - low > (upper - lower) / 2 + rounding  # the gradients come no closer
        if np.isnan(number) and (kink or np.sum(d != 0) > 1):
            continue
        if np.isinf(number) and np.max(np.abs(nearer @ d)) > 1.5 * np.max(np.abs(nearby @ d)):
            continue
        slack = 2 * max(abs(low - lower), abs(high - upper)) + 1e-6 * max(abs(low), abs(high)) + rounding
        if not low - slack <= number <= high + slack and not _is_the_slope(
            subject, sample, weights, d, number
        ):
            return f"the gradient {where} is {number:.6g}, close by it is {low:.6g} to {high:.6g}"
    return None


def _shapes_vary(subject: Subject, sample: Sample, sides: int, distance: float) -> bool:
    """Say whether the results' shapes depend on the numbers."""
    around = [sample, *_around(subject, sample, sides, distance)]
    return len({tuple([y.shape for y in subject.values(s)]) for s in around}) > 1


def _is_the_slope(
    subject: Subject, sample: Sample, weights: Sequence[Any], direction: Array, number: float
) -> bool:
    """Say whether the function is so steep here that only shorter steps see its slope."""
    ends = np.cumsum([sample.inputs[i].size for i in sample.floating])
    parts = np.split(direction, ends[:-1])
    ways = [p.reshape(sample.inputs[i].shape) for p, i in zip(parts, sample.floating, strict=True)]
    terms = along(subject, sample, weights, ways)
    slopes = [central_slope(lambda t, by=by: terms(by * t), by) for by in _STEEP]  # type: ignore[misc]
    return any(s.smooth and max(s.uncertainty, abs(s.value - number)) <= 1e-2 * abs(number) for s in slopes)


def _ends(numbers: Array) -> tuple[float, float]:
    return float(np.min(numbers)), float(np.max(numbers))


def _around(subject: Subject, sample: Sample, sides: int, distance: float) -> Iterator[Sample]:
    """Give samples a little to all sides."""
    rng = subject.rng()
    for _ in range(sides // 2):
        directions = subject.directions(sample, rng)
        for t in (distance, -distance):
            yield moved(sample, directions, t)


def _flat(arrays: Sequence[Array]) -> Array:
    return np.concatenate([np.real(a).ravel() for a in arrays])


def complex(subject: Subject) -> Iterator[None]:
    """Check both derivatives at complex numbers, where the operator takes them.

    The gradient of a function with a complex derivative f' is ``gy * f'``, without a
    conjugate. An operator for real numbers only says so by a `domain`, or refuses complex inputs.
    """
    if subject.domain is not None:
        raise NotApplicable("domain says real numbers only")
    rng = subject.rng()
    samples = []
    for sample in subject.float_samples:
        turned = sample.of([_with_imaginary_part(x, rng) for x in sample.inputs])
        if any(x is not y for x, y in zip(turned.inputs, sample.inputs, strict=True)) and _takes(
            subject, turned
        ):
            samples.append(turned)
    if not samples:
        raise NotApplicable("forward takes no complex numbers")
    yield from compared("first derivative", subject, samples, first_order)
    if not subject.once_differentiable:
        yield from compared("second derivative", subject, samples, second_order)


def _with_imaginary_part(x: Any, rng: np.random.Generator) -> Any:
    if x is None or x.dtype.kind != "f":
        return x
    return x + 1j * rng.uniform(-1, 1, size=x.shape)


def _takes(subject: Subject, sample: Sample) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            return all(np.all(np.isfinite(y)) for y in subject.values(sample))
    except Exception:  # whatever it says to complex numbers, it does not take them
        return False
