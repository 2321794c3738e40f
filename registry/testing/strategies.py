"""Hypothesis strategies: arrays in an operator's domain, and whole calls of it."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any

import numpy as np

from registry.numpy_protocol import Array
from registry.testing.conformance import Conformance
from registry.testing.samples import GUESSES, REAL, Interval, Sample, draw, intervals
from registry.testing.subject import Subject

try:
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
except ModuleNotFoundError as error:
    raise ImportError(
        f'registry.testing.strategies needs {error.name}: pip install "opregistry[test]"'
    ) from error

_SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)


def arrays_in(
    domain: Interval = REAL,
    shape: Any = None,
    dtype: Any = np.float64,
    *,
    margin: float = 0.1,
    reach: float = 10,
) -> st.SearchStrategy[Array]:
    """Draw arrays whose numbers lie in an open interval, finite and never subnormal.

    Parameters
    ----------
    domain : tuple of float
        The ends, ``-inf`` and ``inf`` too.
    shape : tuple of int or strategy, optional
        Without it any shape of up to three axes, ``()`` too.
    dtype : dtype
        A floating one.
    margin : float
        How far to stay from a finite end; in a narrow interval a twentieth of its width.
    reach : float
        How far to go from the finite end, or from 0, where the other end is infinite.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> from registry.testing.strategies import arrays_in
    >>> @settings(max_examples=10, database=None)
    ... @given(arrays_in((0, np.inf), shape=(2, 3)))
    ... def logarithms_are_finite(x):
    ...     assert x.shape == (2, 3) and np.all(np.isfinite(np.log(x)))
    >>> logarithms_are_finite()
    """
    low, high = domain
    kind, margin = np.dtype(dtype), min(margin, (high - low) / 20)
    lowest = low + margin if isfinite(low) else (high if isfinite(high) else 0) - reach
    highest = high - margin if isfinite(high) else (low if isfinite(low) else 0) + reach
    numbers = st.floats(
        _within(kind, lowest, domain), _within(kind, highest, domain),
        allow_subnormal=False, width=8 * kind.itemsize,
    )  # fmt: skip
    return hnp.arrays(kind, _SHAPES if shape is None else shape, elements=numbers)


def _within(kind: np.dtype[Any], end: float, domain: Interval) -> float:
    """Round to a number of this kind that still lies within the open interval."""
    low, high = domain
    number = kind.type(end)
    if number <= low:
        number = np.nextafter(number, kind.type(inf))
    if number >= high:
        number = np.nextafter(number, kind.type(-inf))
    return float(number)


def samples(operator: Any, *, domain: Any = None, dtype: Any = np.float64) -> st.SearchStrategy[Sample]:
    """Draw calls of an operator whose results are finite.

    Arities and constants are those that `check_operator` uses: the author's samples, or
    those that the signature suggests. So are the inputs' shapes, except that those of an
    elementwise operator are drawn, and broadcast against each other.

    Parameters
    ----------
    operator : Function subclass, composite, helper, str or Operator
        As for `check_operator`. It is looked up now, not when something is drawn.
    domain : tuple or dict, optional
        In place of the `domain` of its class; without either, a guess.
    dtype : dtype
        Of the floating inputs.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> from registry import ops
    >>> from registry.testing.strategies import samples
    >>> @settings(max_examples=10, database=None)
    ... @given(samples("multiply"))
    ... def products_broadcast(sample):
    ...     x0, x1 = sample.inputs
    ...     assert ops.multiply(x0, x1).shape == np.broadcast_shapes(x0.shape, x1.shape)
    >>> products_broadcast()
    """
    subject = Conformance(operator).subject
    models = [sample for sample in subject.plain_samples if not _complex(sample)]
    domain = subject.domain if domain is None else domain
    guesses = GUESSES if domain is None else (domain,)
    choices = [(model, _domains(subject, model, guesses)) for model in models]
    drawn = st.sampled_from(choices).flatmap(lambda chosen: _like(*chosen, subject.elementwise, dtype))
    return drawn.filter(lambda sample: _finite(subject, sample))


def _complex(sample: Sample) -> bool:
    return any(x is not None and x.dtype.kind == "c" for x in sample.inputs)


def _domains(subject: Subject, model: Sample, guesses: Any) -> list[Interval]:
    """Give each input's interval: of the guesses the first on which the results are finite, zeros too."""
    rng = np.random.default_rng(0)
    for guess in guesses:
        by_name = intervals(guess, subject.inputs)
        own = [by_name[name.partition("[")[0]] for name in model.names]
        inputs = list(model.inputs)
        for i in model.floating:
            inputs[i] = draw(rng, inputs[i].shape, own[i], wide=True)
            if own[i][0] < 0 < own[i][1]:
                inputs[i].ravel()[i::2] = 0
        if _finite(subject, model.of(inputs)):
            break
    return own


def _finite(subject: Subject, sample: Sample) -> bool:
    with np.errstate(all="ignore"):
        return all(np.all(np.isfinite(y)) for y in subject.values(sample))


@st.composite
def _like(take: st.DrawFn, model: Sample, domains: list[Interval], elementwise: bool, dtype: Any) -> Sample:
    """Draw a call like this one, with other numbers, and in other shapes if it is elementwise."""
    places = [i for i, x in enumerate(model.inputs) if x is not None]
    shapes: Mapping[int, tuple[int, ...]] = {i: model.inputs[i].shape for i in places}
    if elementwise:
        broadcast = hnp.mutually_broadcastable_shapes(num_shapes=len(places), max_dims=3, max_side=3)
        shapes = dict(zip(places, take(broadcast).input_shapes, strict=True))
    inputs = list(model.inputs)
    for i in places:
        floating = i in model.floating
        strategy = arrays_in(domains[i], shapes[i], dtype)
        inputs[i] = take(strategy) if floating else np.resize(inputs[i], shapes[i])
    return model.of(inputs)
