"""How the operator is reached, and what it says of itself."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from registry.catalog import SESSION, Operator, function_name
from registry.errors import AmbiguousOperatorError, RegistryError, UnknownOperatorError
from registry.helpers import signature
from registry.numpy_protocol import Array, plain
from registry.state import default_registry
from registry.testing.samples import Sample, described
from registry.testing.subject import Failed, NotApplicable, Subject, copied, same, variables
from registry.variable import Variable

NEEDS: Mapping[str, tuple[str, ...]] = {
    "numpy_function": ("inputs_unchanged",),
    "method": ("inputs_unchanged",),
    "helper": (),
    "elementwise": ("inputs_unchanged",),
}


def numpy_function(subject: Subject) -> Iterator[None]:
    """Check that calling each function of `implements` on Variables gives what it gives on arrays.

    Values, shapes and dtypes must agree, for integers and with a nan, too. Calls go
    through NumPy itself, where the function reaches this operator, so the parameters
    must fit.
    """
    calls = subject.operator.implements
    if not calls:
        raise NotApplicable("it implements no NumPy function")
    for function, own in calls.items():
        target = None if _reached(function) is own else own
        compared = 0
        name = function_name(function)
        with_nan = not name.startswith("numpy.linalg.")  # LAPACK writes to stdout of it
        for sample in [variant for given in subject.samples for variant in _variants(given, with_nan)]:
            expected = subject.numpys_values(function, sample)
            if not expected:
                continue
            xs = [None if x is None else Variable(x.copy()) for x in sample.inputs]
            found = subject.call_numpy(function, sample, xs, target)
            _same_as_numpy(name, found, expected, sample)
            compared += 1
            yield
        if not compared:
            raise Failed(f"{name} takes none of the samples; its parameters must be NumPy's")


def _variants(sample: Sample, with_nan: bool) -> Iterator[Sample]:
    """Give the sample, and where its numbers are nothing special the same with integers, and with a nan."""
    yield sample
    if sample.kind != "plain" or not sample.floating:
        return
    inputs = list(sample.inputs)
    for i in sample.floating:
        if inputs[i].dtype.kind == "f":
            inputs[i] = np.asarray(np.rint(3 * inputs[i]), np.int64)
    yield sample.of(inputs)
    if not with_nan:
        return
    inputs = [None if x is None else x.copy() for x in sample.inputs]
    for i in sample.floating:
        inputs[i].ravel(order="K")[i : i + 1] = np.nan
    yield sample.of(inputs)


def _same_as_numpy(name: str, found: Sequence[Any], expected: Sequence[Array], sample: Sample) -> None:
    for i, (y, b) in enumerate(zip(found, expected, strict=True)):
        a = np.asarray(plain(y))
        if a.dtype != b.dtype or not same(a, b, 1e-12):
            raise Failed(f"result {i} is {described(a)}, {name} on arrays gives {described(b)}\non {sample}")


def method(subject: Subject) -> Iterator[None]:
    """Check that the method of Variable, where there is one, gives what the helper gives.

    Constants are tried by name and by position, since `from_method` may take them otherwise.
    """
    call = subject.operator.method_call
    if subject.operator.method is None or call is None:
        raise NotApplicable("it is no method")
    for sample in subject.plain_samples:
        first, *others = variables(sample.inputs)
        constants = copied(sample.constants)
        by_name: tuple[Sequence[Any], Mapping[str, Any]] = (others, constants)
        by_position: tuple[Sequence[Any], Mapping[str, Any]] = ((*others, *constants.values()), {})
        refusals = []
        for args, kwargs in (by_name, by_position):
            try:
                y = call(first, *args, **kwargs)
            except TypeError as error:
                refusals.append(error)
            else:
                ys = y if isinstance(y, tuple) else (y,)
                _same_as_numpy(f"the helper {subject.operator.name}", ys, subject.values(sample), sample)
                yield
                break
        else:
            raise Failed(f"the method {subject.operator.method!r} raised {refusals[-1]}\non {sample}")


def _reached(function: Callable[..., Any]) -> Any:
    try:
        return default_registry().calls[function]
    except RegistryError:
        return None


def helper(subject: Subject) -> Iterator[None]:
    """Check the helper: its name means this operator, its signature names all, it has a docstring.

    That of an operator that a plugin published pickles by its name. A name that another
    installed plugin has, too, is no fault of either: it is reached as ``plugins.mine.name``.
    """
    operator, registry = subject.operator, default_registry()
    meant: Operator | None
    try:
        meant = registry.operator(operator.name)
    except UnknownOperatorError:
        meant = operator
    except AmbiguousOperatorError:
        meant = None
    if meant is not None and meant.target is not operator.target:
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
