"""Arrays of every form: no axes, no elements, broadcast, strided, counted from the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from registry.numpy_protocol import Array
from registry.testing.comparison import compared, first_order, second_order
from registry.testing.samples import Sample, described
from registry.testing.subject import Failed, NotApplicable, Subject, gradients_of, same, variables
from registry.variable import Variable

NEEDS: Mapping[str, tuple[str, ...]] = {
    "zero_dimensional": ("second_derivative",),
    "empty": ("first_derivative",),
    "broadcasting": ("second_derivative",),
    "memory_layout": ("first_derivative",),
    "negative_axis": ("second_derivative",),
}

_CLOSE = 1e-9


def zero_dimensional(subject: Subject) -> Iterator[None]:
    """Check both derivatives of 0-d arrays against central differences."""
    yield from _on_kind(subject, "0-d")


def broadcasting(subject: Subject) -> Iterator[None]:
    """Check both derivatives of inputs of different shapes, which broadcast."""
    yield from _on_kind(subject, "broadcast")


def negative_axis(subject: Subject) -> Iterator[None]:
    """Check both derivatives where an axis is counted from the end."""
    yield from _on_kind(subject, "negative axis")


def _on_kind(subject: Subject, kind: str) -> Iterator[None]:
    if not subject.differentiable:
        raise NotApplicable("differentiable = False")
    samples = subject.of_kind(kind)
    yield from compared("first derivative", subject, samples, first_order)
    if not subject.once_differentiable:
        yield from compared("second derivative", subject, samples, second_order)


def empty(subject: Subject) -> Iterator[None]:
    """Check that arrays without elements are taken, and have gradients of their shape."""
    for sample in subject.of_kind("empty"):
        ys = subject.values(sample)
        if subject.differentiable:
            subject.gradients(sample, subject.weights(ys, subject.rng()))
        yield


def memory_layout(subject: Subject) -> Iterator[None]:
    """Check that transposed, strided and reversed arrays give what contiguous ones give.

    The gradient that `backward` gets may be a read-only broadcast array, too.
    """
    for sample in subject.plain_samples:
        weights = subject.weights(subject.values(sample), subject.rng())
        expected = subject.outcome(sample, weights, variables(sample.inputs))
        for name, laid_out in LAYOUTS.items():
            inputs = [x if x is None else laid_out(x) for x in sample.inputs]
            xs = [Variable(x) if i in sample.floating else x for i, x in enumerate(inputs)]
            found = subject.outcome(sample, weights, xs)
            for what, right in expected.items():
                if not same(found[what], right, _CLOSE):
                    raise Failed(
                        f"with {name} inputs the {what} is {described(found[what])}, with contiguous ones "
                        f"{described(right)}\non {sample}"
                    )
            yield
        if subject.differentiable and sample.floating:
            _pull_back_a_broadcast(subject, sample)


def _pull_back_a_broadcast(subject: Subject, sample: Sample) -> None:
    found = []
    for contiguous in (False, True):
        xs = variables(sample.inputs)
        y, *others = subject.call(sample, xs)
        if others or y.dtype.kind not in "fc" or y.creator is None:
            return
        ones = np.broadcast_to(y.dtype.type(1), y.shape)
        y.grad = ones.copy() if contiguous else ones
        y.backward()
        found.append(gradients_of([xs[i] for i in sample.floating]))
    for a, b in zip(*found, strict=True):
        if not same(a, b, _CLOSE):
            raise Failed(
                f"for a broadcast gradient backward gives {described(a)}, for a contiguous one of the same "
                f"numbers {described(b)}\non {sample}"
            )


def _transposed(x: Array) -> Array:
    return np.asfortranarray(x) if x.ndim else x.copy()


def _strided(x: Array) -> Array:
    spread = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype) if x.ndim else np.zeros(2, x.dtype)
    view = spread[..., ::2] if x.ndim else spread[:1].reshape(())
    view[...] = x
    return view


def _reversed(x: Array) -> Array:
    return np.flip(np.flip(x).copy()) if x.ndim else x.copy()


LAYOUTS: Mapping[str, Callable[[Array], Array]] = {
    "transposed": _transposed,
    "strided": _strided,
    "reversed": _reversed,
}
