"""What comes out of `backward`, and of `backward` differentiated."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from registry.errors import HigherOrderError
from registry.function import Function
from registry.testing.comparison import along, compared, first_order, second_order, units, whole_first_order
from registry.testing.differences import one_sided_slopes, relative_tolerance
from registry.testing.samples import Sample, described
from registry.testing.subject import Failed, NotApplicable, Subject, random_like, same, variables

NEEDS: Mapping[str, tuple[str, ...]] = {
    "saves": ("deterministic",),
    "gradient_structure": ("saves",),
    "chain_rule": ("gradient_structure", "inputs_unchanged"),
    "first_derivative": ("chain_rule",),
    "second_derivative": ("chain_rule",),
    "special_values": ("first_derivative",),
    "complex": ("first_derivative", "second_derivative"),
}


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
    kept = {"xs": sample.inputs, "ys": tuple([y.data for y in ys]), **vars(function)}

    def noted(name: str) -> property:
        def get(self: Function) -> Any:
            read.add(name)
            return kept[name]

        return property(get)

    watched = type(cls.__name__, (cls,), {"xs": noted("xs"), "ys": noted("ys"), "saves": ("xs", "ys")})
    for name in ("xs", "ys"):
        vars(function).pop(name, None)
    function.__class__ = watched
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
    `full`, every element of the Jacobian. Two steps are compared, so that a number that
    the function's kinks or rounding spoil accuses nobody; if none can be measured, the
    check fails.
    """
    yield from compared(
        "first derivative", subject, subject.float_samples, whole_first_order if subject.full else first_order
    )


def second_derivative(subject: Subject) -> Iterator[None]:
    """Check `backward`, run on Variables, against central differences of the gradients.

    It compares with the gradients that `backward` gives, so a wrong first derivative
    does not show here. An operator that says `once_differentiable` must refuse instead.
    """
    samples = subject.float_samples + [s for s in subject.samples if s.kind in ("0-d", "broadcast")]
    if subject.cls is not None and subject.cls.once_differentiable:
        sample = samples[0]
        try:
            second_order(subject, sample)
        except HigherOrderError:
            yield
            return
        raise Failed("once_differentiable is declared, but a second derivative is given")
    yield from compared("second derivative", subject, samples, second_order)


def special_values(subject: Subject) -> Iterator[None]:
    """Check the gradients at 0, 1, -1, 2 and where inputs are equal, one element at a time.

    Where the function is smooth there, the gradient must be its slope; at a kink, it
    must lie between the slopes of the two sides, or be nan. Where several inputs
    meet in one kink, nothing is compared.
    """
    if not subject.differentiable:
        raise NotApplicable("differentiable = False")
    for sample in subject.of_kind("special"):
        weights = subject.weights(subject.values(sample), subject.rng())
        sides = {at: one_sided_slopes(along(subject, sample, weights, unit)) for at, unit in units(sample)}
        if len(sides) > 1 and _bends(subject, sample, weights, list(sides.values())):
            continue
        gxs = dict(zip(sample.floating, subject.gradients(sample, weights), strict=True))
        for (i, place), slopes in sides.items():
            found = float(np.real(gxs[i][place]))
            if slopes is None or (np.isnan(found) and not np.allclose(slopes[0], slopes[1])):
                continue
            low, high = (float(np.sum(side)) for side in slopes)
            slack = 1e-4 * float(np.sum(np.abs(slopes))) + 1e-6
            if not low - slack <= found <= high + slack:
                expected = f"{low:.9g}" if high - low <= slack else f"between {low:.9g} and {high:.9g}"
                raise Failed(
                    f"the gradient of {sample.names[i]} at {place} is {found:.9g}, expected {expected}\n"
                    f"on {sample}"
                )
            yield


def _bends(subject: Subject, sample: Sample, weights: Sequence[Any], sides: Sequence[Any]) -> bool:
    """Say whether the slope along a random direction is another than the elements' slopes make it."""
    rng = subject.rng()
    directions = [random_like(sample.inputs[i], rng) for i in sample.floating]
    slopes_along = one_sided_slopes(along(subject, sample, weights, directions))
    if slopes_along is None:
        return False
    if any(slopes is None or not np.allclose(slopes[0], slopes[1], atol=1e-6) for slopes in sides):
        return True
    steps = np.concatenate([d.ravel() for d in directions])
    low, high = slopes_along
    expected = sum(step * slopes[0] for step, slopes in zip(steps, sides, strict=True))
    return not (np.allclose(low, high, atol=1e-6) and np.allclose(low, expected, rtol=1e-4, atol=1e-6))


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
    if subject.cls is None or not subject.cls.once_differentiable:
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
