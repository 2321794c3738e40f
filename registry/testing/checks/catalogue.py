"""How the operator is reached, and what it says of itself."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from registry.catalog import SESSION, function_name
from registry.errors import AmbiguousOperatorError, RegistryError, UnknownOperatorError
from registry.helpers import signature
from registry.numpy_protocol import plain
from registry.state import default_registry
from registry.testing.samples import Sample, described
from registry.testing.subject import Failed, NotApplicable, Subject, same, variables

NEEDS: Mapping[str, tuple[str, ...]] = {
    "numpy_function": ("inputs_unchanged",),
    "helper": (),
    "elementwise": ("inputs_unchanged",),
}


def numpy_function(subject: Subject) -> Iterator[None]:
    """Check that calling each function of `implements` on Variables gives what it gives on arrays.

    Values, shapes and dtypes must agree. Calls go through NumPy itself, where the
    function reaches this operator, so the parameters must fit too.
    """
    calls = subject.operator.implements
    if not calls:
        raise NotApplicable("it implements no NumPy function")
    for function, own in calls.items():
        reaches_it = _reached(function) is own
        compared = 0
        for sample in subject.samples:
            expected = subject.numpys_values(function, sample)
            if not expected:
                continue
            xs = variables(sample.inputs)
            found = subject.call_numpy(function if reaches_it else own, sample, xs)
            for i, (y, b) in enumerate(zip(found, expected, strict=True)):
                a = np.asarray(plain(y))
                if a.dtype != b.dtype or not same(a, b, 1e-12):
                    raise Failed(
                        f"result {i} is {described(a)}, {function_name(function)} on arrays gives "
                        f"{described(b)}\non {sample}"
                    )
            compared += 1
            yield
        if not compared:
            raise Failed(
                f"{function_name(function)} takes none of the samples; its parameters must be NumPy's"
            )


def _reached(function: Callable[..., Any]) -> Any:
    try:
        return default_registry().calls[function]
    except RegistryError:
        return None


def helper(subject: Subject) -> Iterator[None]:
    """Check the helper: its name means this operator, its signature names all, it has a docstring.

    That of an operator that a plugin published pickles by its name.
    """
    operator, registry = subject.operator, default_registry()
    try:
        meant = registry.operator(operator.name)
    except UnknownOperatorError:
        meant = operator
    except AmbiguousOperatorError as error:
        raise Failed(f"the name {operator.name!r} is taken: {error}") from None
    if meant.target is not operator.target:
        raise Failed(
            f"the name {operator.name!r} is taken: ops.{operator.name} is that of plugin {meant.plugin} "
            f"({meant.source}); choose another one, with name = '...' on the class"
        )
    yield
    parameters = signature(operator.helper).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        raise Failed("its signature takes **kwargs; name each parameter")
    yield
    if not (operator.target.__doc__ or "").strip():
        raise Failed("it has no docstring; say in one line what it computes")
    yield
    if meant is operator and operator.plugin in registry.catalog.plugins.keys() - {SESSION}:
        try:
            copied = pickle.loads(pickle.dumps(operator.helper))
        except Exception as error:
            raise Failed(f"it cannot be pickled: {error}") from None
        if copied is not operator.helper:
            raise Failed("pickled and loaded again, it is another function")
        yield


def elementwise(subject: Subject) -> Iterator[None]:
    """Check that each element depends on its own alone, where `elementwise` says so.

    The results must have the broadcast shape of the inputs, and be the same where the
    inputs are cut into single elements.
    """
    if not subject.elementwise:
        raise NotApplicable("it is not declared")
    for sample in subject.samples:
        shape = _joint_shape(sample)
        for i, y in enumerate(subject.values(sample)):
            if y.shape != shape:
                raise Failed(f"result {i} has shape {y.shape}, the inputs together have {shape}\non {sample}")
    for sample in subject.samples:
        shape, whole = _joint_shape(sample), subject.values(sample)
        spread = [None if x is None else np.broadcast_to(x, shape) for x in sample.inputs]
        for place in np.ndindex(shape):
            one = sample.of([None if x is None else np.array(x[place]) for x in spread])
            for i, (y, part) in enumerate(zip(whole, subject.values(one), strict=True)):
                if not same(part, np.asarray(y[place]), 1e-9):
                    raise Failed(
                        f"result {i} at {place} is {y[place]}, of that element alone {described(part)}\n"
                        f"on {sample}\ntake elementwise = True out"
                    )
        yield


def _joint_shape(sample: Sample) -> tuple[int, ...]:
    return np.broadcast_shapes(*(x.shape for x in sample.inputs if x is not None))
