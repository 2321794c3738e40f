"""Calls beside other calls: the same input twice, constants, dropped outputs, threads, memory."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np

from registry.numpy_protocol import Array, plain
from registry.testing.samples import Sample, described
from registry.testing.subject import (
    Failed,
    NotApplicable,
    Subject,
    gradients_of,
    pull_back,
    same,
    variables,
)
from registry.variable import Variable

NEEDS: Mapping[str, tuple[str, ...]] = {
    "repeated_input": ("chain_rule",),
    "constant_inputs": ("chain_rule",),
    "unused_outputs": ("chain_rule",),
    "independent_calls": ("chain_rule", "fresh_result"),
    "threads": ("independent_calls",),
    "references": ("chain_rule", "fresh_result"),
}

_CLOSE = 1e-9
_ROUNDS = 8
_PATIENCE = 5e-3  # seconds; a busy machine needs one or two


def repeated_input(subject: Subject) -> Iterator[None]:
    """Check that one Variable given twice gets the sum of both gradients."""
    if all(len(sample.inputs) == 1 for sample in subject.float_samples):
        raise NotApplicable("there is one input")
    for sample in subject.float_samples:
        by_shape: dict[Any, list[int]] = {}
        for i in sample.floating:
            by_shape.setdefault((sample.inputs[i].shape, sample.inputs[i].dtype), []).append(i)
        for first, second, *_ in (places for places in by_shape.values() if len(places) > 1):
            inputs = list(sample.inputs)
            inputs[second] = inputs[first]
            apart = sample.of(inputs)
            try:
                ys = subject.values(apart)
            except Exception:  # equal inputs are not in its domain
                continue
            weights = subject.weights(ys, subject.rng())
            separate = dict(zip(apart.floating, subject.gradients(apart, weights), strict=True))
            xs = variables(inputs)
            xs[second] = xs[first]
            pull_back(subject.call(apart, xs), weights)
            (found,) = gradients_of([xs[first]])
            expected = np.asarray(separate[first] + separate[second])
            if np.all(np.isfinite(expected)) and not same(found, expected, _CLOSE):
                raise Failed(
                    f"the same Variable as {sample.names[first]} and {sample.names[second]} gets "
                    f"{described(found)}, two equal ones {described(expected)} in sum\non {apart}"
                )
            yield


def constant_inputs(subject: Subject) -> Iterator[None]:
    """Check that arrays among the inputs get no gradient, and leave the others' as they are."""
    for sample in subject.float_samples:
        for y in subject.call(sample, [None if x is None else x.copy() for x in sample.inputs]):
            if isinstance(y, Variable) and y.creator is not None:
                raise Failed(f"of constants alone it records a result\non {sample}")
        yield
        weights = subject.weights(subject.values(sample), subject.rng())
        everything = subject.gradients(sample, weights)
        for i, expected in zip(sample.floating, everything, strict=True):
            if len(sample.floating) == 1:
                continue
            xs = variables(sample.inputs, wanted=lambda j, i=i: j == i)  # type: ignore[misc]
            pull_back(subject.call(sample, xs), weights)
            (found,) = gradients_of([xs[i]])
            if not same(found, expected, _CLOSE):
                raise Failed(
                    f"with {sample.names[i]} as the only Variable its gradient is {described(found)}, with "
                    f"all inputs as Variables {described(expected)}\non {sample}"
                )
            yield


def unused_outputs(subject: Subject) -> Iterator[None]:
    """Check that, of several results, each can be used alone and the others dropped.

    The gradients of each alone must add up to those of all together.
    """
    for sample in subject.float_samples:
        ys = subject.values(sample)
        if len(ys) < 2:
            raise NotApplicable("there is one result")
        weights = subject.weights(ys, subject.rng())
        used = [k for k, weight in enumerate(weights) if weight is not None]
        alone = [_gradients_of_one(subject, sample, k, weights[k]) for k in used]
        together = subject.gradients(sample, weights)
        for i, parts, expected in zip(sample.floating, zip(*alone, strict=True), together, strict=True):
            if not same(np.asarray(sum(parts)), expected, _CLOSE):
                each = "; ".join(
                    f"of result {k} {described(part)}" for k, part in zip(used, parts, strict=True)
                )
                raise Failed(
                    f"the gradients of {sample.names[i]} with one result in use are {each}, which is "
                    f"not in sum that of all, {described(expected)}\non {sample}"
                )
        yield


def _gradients_of_one(subject: Subject, sample: Sample, k: int, weight: Any) -> list[Array]:
    xs = variables(sample.inputs)
    y = subject.call(sample, xs)[k]  # the others are gone after this line
    pull_back([y], [weight])
    return gradients_of([xs[i] for i in sample.floating])


def independent_calls(subject: Subject) -> Iterator[None]:
    """Check that calls do not spoil each other.

    Two calls of the helper, and two of one instance, are differentiated in either
    order, and one graph twice.
    """
    for sample in subject.float_samples:
        ys = subject.values(sample)
        other = sample.of([_next_to(x) for x in sample.inputs])
        try:
            if [y.shape for y in subject.values(other)] != [y.shape for y in ys]:
                other = sample
        except Exception:  # the other numbers are not in its domain
            other = sample
        weights = subject.weights(ys, subject.rng())
        expected = [subject.gradients(s, weights) for s in (sample, other)]
        for call in subject.ways_to_call_twice(sample):
            for order in ((0, 1), (1, 0)):
                xs = [variables(s.inputs) for s in (sample, other)]
                results = [call(x) for x in xs]
                for k in order:
                    pull_back(results[k], weights)
                for k, what in enumerate(("first", "second")):
                    found = gradients_of([xs[k][i] for i in sample.floating])
                    _agrees(f"with two calls beside each other, the {what} one's", found, expected[k], sample)
                yield
        _agrees("at the second pass over one graph, the", *_at_second_pass(subject, sample, weights))
        yield


def _at_second_pass(
    subject: Subject, sample: Sample, weights: list[Any]
) -> tuple[list[Array], list[Array], Sample]:
    xs = variables(sample.inputs)
    leaves, ys = [xs[i] for i in sample.floating], subject.call(sample, xs)
    passes = []
    for _ in range(2):
        pull_back(ys, weights)
        passes.append(gradients_of(leaves))
        for x in leaves:
            x.cleargrad()
    return passes[1], passes[0], sample


def _agrees(whose: str, found: list[Array], expected: list[Array], sample: Sample) -> None:
    for i, a, b in zip(sample.floating, found, expected, strict=True):
        if np.all(np.isfinite(b)) and not same(a, b, _CLOSE):
            raise Failed(
                f"{whose} gradient of {sample.names[i]} is {described(a)}, alone it is {described(b)}\n"
                f"on {sample}\nkeep what a call needs on self, not on the class or in what __init__ made"
            )


def _next_to(x: Any) -> Any:
    """Give other numbers that lie between those of an array, and so in its domain."""
    if x is None or x.dtype.kind not in "fc" or x.size < 2:
        return x
    return 0.7 * np.roll(x.ravel(), 1).reshape(x.shape) + 0.3 * x


def threads(subject: Subject) -> Iterator[None]:
    """Check that two threads that call and differentiate at once get what one gets.

    They take turns at every line of the operator's own code.
    """
    samples = subject.float_samples[:_ROUNDS]
    n = len(samples)
    weights = [subject.weights(subject.values(s), subject.rng()) for s in samples]
    expected = [subject.outcome(s, w, variables(s.inputs)) for s, w in zip(samples, weights, strict=True)]
    failures: list[str] = []
    start = threading.Barrier(2)
    turns = _Turns(subject.files)

    def work(k: int) -> None:
        start.wait()
        try:
            with turns.taken_by(k), np.errstate(all="ignore"):  # each thread has its own
                for i in range(k, k + _ROUNDS):
                    _agrees_with_one_thread(subject, samples[i % n], weights[i % n], expected[i % n])
        except Exception as error:  # whatever happens in the other thread is the verdict
            failures.append(str(error) or type(error).__name__)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise Failed(failures[0])
    yield


def _agrees_with_one_thread(
    subject: Subject, sample: Sample, weights: list[Any], expected: Mapping[str, Array]
) -> None:
    found = subject.outcome(sample, weights, variables(sample.inputs))
    for what, right in expected.items():
        if not same(found[what], right, _CLOSE):
            raise Failed(
                f"in two threads the {what} is {described(found[what])}, in one it is "
                f"{described(right)}\non {sample}\nkeep what a call needs on self"
            )


class _Turns:
    """Two threads, each of which waits for the other at every line of some files."""

    def __init__(self, files: Container[str]) -> None:
        self.files = files
        self.may_go_on = (threading.Semaphore(0), threading.Semaphore(0))
        self.both = True

    @contextmanager
    def taken_by(self, k: int) -> Iterator[None]:
        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            if frame.f_code.co_filename not in self.files:
                return None
            if self.both:
                self.may_go_on[1 - k].release()
                self.may_go_on[k].acquire(timeout=_PATIENCE)  # the other may wait for a lock of the operator
            return trace

        sys.settrace(trace)  # of this thread alone
        try:
            yield
        finally:
            sys.settrace(None)
            self.both = False
            self.may_go_on[1 - k].release()


def references(subject: Subject) -> Iterator[None]:
    """Check that a call leaves nothing behind: inputs, results and the record are free at once.

    Tried without the garbage collector, after a backward pass and after a recorded one.
    """
    sample = subject.float_samples[0]
    weights = subject.weights(subject.values(sample), subject.rng())
    with _without_collector():
        for create_graph in (False, True):
            try:
                watched = _watched_call(subject, sample, weights, create_graph)
            except Exception:  # the check of second derivatives names it
                continue
            if left := [what for what, reference in watched if reference() is not None]:
                how = "backward(create_graph=True)" if create_graph else "backward"
                raise Failed(
                    f"after a call, {how} and the end of all names, {', '.join(left)} is still held\n"
                    f"on {sample}\nsomething keeps it: a class attribute, a cache, self in a cycle"
                )
            yield


def _watched_call(
    subject: Subject, sample: Sample, weights: list[Any], create_graph: bool
) -> list[tuple[str, weakref.ReferenceType[Any]]]:
    xs = variables(sample.inputs)
    ys = subject.call(sample, xs)
    pull_back(ys, weights, create_graph=create_graph)
    watched = [(sample.names[i], weakref.ref(plain(xs[i]))) for i in sample.floating]
    watched += [(f"result {i}", weakref.ref(y.data)) for i, y in enumerate(ys)]
    watched += [("the recorded function", weakref.ref(y.creator)) for y in ys if y.creator is not None]
    return watched


@contextmanager
def _without_collector() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
