"""Derivatives of an operator under test, beside the differences that they are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from registry.numpy_protocol import Array
from registry.testing.differences import STEP, Slope, measured_slope, representable
from registry.testing.samples import Sample
from registry.testing.subject import Failed, Subject, random_like

_WHOLE = 144  # the elements of a Jacobian from 12 numbers to 12


class Derivative(NamedTuple):
    """One number that `backward` gives, and the slope that it should be."""

    where: str
    found: float
    slope: Slope
    dtype: np.dtype[Any]


Order: TypeAlias = Callable[[Subject, Sample], Iterable[Derivative]]


def compared(
    what: str, subject: Subject, samples: Sequence[Sample], order: Order, *, all_may_be_rough: bool = False
) -> Iterator[None]:
    """Compare derivatives with differences; fail at the first that disagrees, or if none can be measured."""
    seen = measured = 0
    for sample in samples:
        for where, found, slope, dtype in order(subject, sample):
            seen += 1
            if not slope.smooth:
                continue
            measured += 1
            if not slope.agrees(found, dtype):
                raise Failed(
                    f"the {what} {where} is {found:.9g}, by differences {slope.value:.9g} "
                    f"(off by {abs(found - slope.value):.2g}, tolerance {slope.tolerance(dtype):.2g}, "
                    f"step {STEP:g})\non {sample}"
                )
            yield
    if samples and not seen:
        raise Failed("no result is floating, so it has no derivative; say differentiable = False")
    if samples and not measured and not all_may_be_rough:
        raise Failed(
            f"no {what} could be measured: with different steps the differences disagree, or are not "
            f"finite, on all {len(samples)} samples; give samples away from kinks, jumps and poles"
        )


def first_order(subject: Subject, sample: Sample) -> Iterator[Derivative]:
    """Give the derivative along a random direction, as `backward` and as differences have it."""
    rng = subject.rng()
    weights = subject.weights(subject.values(sample), rng)
    if all(w is None for w in weights):
        return
    directions = subject.directions(sample, rng)
    gxs = subject.gradients(sample, weights)
    slope = measured_slope(along(subject, sample, weights, directions))
    yield Derivative("along a random direction", paired(gxs, directions), slope, np.result_type(*gxs))


def whole_first_order(subject: Subject, sample: Sample) -> Iterator[Derivative]:
    """Give each element of the Jacobian, as `backward` and as differences have it; of a large one a part."""
    ys = subject.values(sample)
    if sum(y.size for y in ys) * sum(sample.inputs[i].size for i in sample.floating) > _WHOLE:
        yield from first_order(subject, sample)
        return
    for k, y in enumerate(ys):
        for row in np.ndindex(y.shape if y.dtype.kind in "fc" else (0,)):
            weights: list[Any] = [None] * len(ys)
            weights[k] = np.zeros_like(y)
            weights[k][row] = 1
            gxs = dict(zip(sample.floating, subject.gradients(sample, weights), strict=True))
            for i, place, step, directions in units(subject, sample):
                slope = measured_slope(along(subject, sample, weights, directions), step)
                where = f"of result {k} at {row} by {sample.names[i]} at {place}"
                yield Derivative(where, float(np.real(gxs[i][place])), slope, gxs[i].dtype)


def second_order(subject: Subject, sample: Sample) -> Iterator[Derivative]:
    """Give the derivative of the gradients along a random direction of inputs and weights."""
    rng = subject.rng()
    weights: list[Any] = subject.weights(subject.values(sample), rng)
    if all(w is None for w in weights):
        return
    pull = [random_like(sample.inputs[i], rng) for i in sample.floating]
    moves = subject.directions(sample, rng)
    shifts = [None if w is None else random_like(w, rng) for w in weights]
    found = subject.second_derivatives(sample, weights, pull)

    def terms(t: float) -> Array:
        now = [w if s is None else w + t * s for w, s in zip(weights, shifts, strict=True)]
        return weighted(subject.gradients(moved(sample, moves, t), now), pull)

    everywhere = [*moves, *(s for s in shifts if s is not None)]
    number, slope = paired(found, everywhere), measured_slope(terms)
    yield Derivative("along a random direction", number, slope, np.result_type(*found))


def moved(sample: Sample, directions: Sequence[Array], t: float) -> Sample:
    """Give the sample with its floating inputs a step further along directions."""
    inputs = list(sample.inputs)
    for i, direction in zip(sample.floating, directions, strict=True):
        inputs[i] = np.asarray(inputs[i] + t * direction)
    return sample.of(inputs)


def weighted(arrays: Sequence[Any], weights: Sequence[Any]) -> Array:
    """Give the terms of Re(sum(weights * arrays)), flat."""
    terms = [np.real(a * w).ravel() for a, w in zip(arrays, weights, strict=True) if w is not None]
    return np.concatenate(terms) if terms else np.zeros(0)


def paired(gradients: Sequence[Array], directions: Sequence[Array]) -> float:
    """Give Re(sum(gradients * directions))."""
    return float(np.sum(weighted(gradients, directions)))


class Unit(NamedTuple):
    """The direction in which one element of one input grows alone, by `step`."""

    input: int
    place: tuple[int, ...]
    step: float
    directions: list[Array]


def units(subject: Subject, sample: Sample) -> Iterator[Unit]:
    """Give a direction for each element of each floating input."""
    for k, i in enumerate(sample.floating):
        x = sample.inputs[i]
        for place in np.ndindex(x.shape):
            directions = [np.zeros_like(sample.inputs[j]) for j in sample.floating]
            step = representable(x[place], subject.step(sample, i))
            directions[k][place] = step
            yield Unit(i, place, float(np.real(step)), directions)


def along(
    subject: Subject, sample: Sample, weights: Sequence[Any], directions: Sequence[Array]
) -> Callable[[float], Array]:
    """Give the weighted results as a function of the way gone along directions."""
    return lambda t: weighted(subject.values(moved(sample, directions, t)), weights)
