"""Naming and generating the function that people call: the helper of an operator."""

from __future__ import annotations

import functools
import inspect
import itertools
import keyword
import linecache
import re
import sys
from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from typing import Any

import numpy as np

from registry import written_out
from registry.catalog import function_name
from registry.errors import OperatorDefinitionError
from registry.function import Function
from registry.numpy_protocol import supported
from registry.recording import record

_USED = frozenset(("_record", "_written_out"))  # by the source of helpers
_BUILTINS = frozenset(("type", "isinstance", "id", "Exception"))  # by that of what is written out
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def snake_case(name: str) -> str:
    """Turn a class name into a helper's name, keeping acronyms and versions whole.

    Examples
    --------
    >>> [snake_case(n) for n in ("Square", "LogSumExp", "Conv2D", "Log1p", "FFT", "BCEWithLogits")]
    ['square', 'log_sum_exp', 'conv2d', 'log1p', 'fft', 'bce_with_logits']
    """
    name = re.sub(r"(\d)D(?![a-z])", r"\1d", name)
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", words).lower()


def helper_name(operator: Any, name: str | None) -> str:
    """Give the name under which an operator's helper is found: its own, or the class's.

    Raises
    ------
    OperatorDefinitionError
        If it is a keyword, starts with an underscore, or is no identifier.
    """
    if name is None:
        name = snake_case(operator.__name__)
    reason = (
        "it is not an identifier" if type(name) is not str or not name.isidentifier()
        else "it is a Python keyword" if keyword.iskeyword(name)
        else "it starts with an underscore" if name.startswith("_")
        else f"Python reads it as {_normal(name)!r}" if name != _normal(name)
        else None
    )  # fmt: skip
    if reason:
        raise OperatorDefinitionError(
            f"{operator.__qualname__} cannot have the helper {name!r}: {reason}; give it another name"
        )
    return name


def _normal(name: str) -> str:
    """Give an identifier as Python's source has it."""
    if name.isascii():
        return name
    import unicodedata  # few need it

    return unicodedata.normalize("NFKC", name)


def signature(function: Callable[..., Any]) -> Signature:
    """Give a function's signature without evaluating an annotation."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.STRING)
    return inspect.signature(function)


def input_parameters(cls: type[Function]) -> list[Parameter]:
    """Give the parameters of `forward`: the operator's inputs."""
    if isinstance(cls.forward, np.ufunc):
        names = ["x"] if cls.forward.nin == 1 else [f"x{i}" for i in range(cls.forward.nin)]
        return [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    return list(signature(cls.forward).parameters.values())[1:]


def constant_parameters(cls: type[Function]) -> list[Parameter]:
    """Give the parameters of `__init__`: the operator's constants."""
    if cls.__init__ is object.__init__:
        return []
    return list(signature(cls.__init__).parameters.values())[1:]


def helper_signature(cls: type[Function]) -> Signature:
    """Give a helper's signature: forward's parameters, then those of `__init__`.

    Those of `__init__` are keyword-only where forward takes any number of inputs or
    has optional ones; otherwise both can be given by position.

    Raises
    ------
    OperatorDefinitionError
        If the two cannot be put into one call; the message says which parameter.
    """
    inputs, constants = input_parameters(cls), constant_parameters(cls)
    for p in (*inputs, *constants):
        if type(p) is not Parameter or type(p.name) is not str or p.name in _USED:
            raise _bad(cls, f"{p.name!r} cannot be a parameter's name in generated source; rename it")
    for p in inputs:
        if p.kind not in (*_POSITIONAL, Parameter.VAR_POSITIONAL):
            raise _bad(
                cls, f"forward's parameter {p.name!r} must be positional; constants belong to __init__"
            )
    for p in constants:
        if p.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
            raise _bad(cls, f"__init__ takes '{p}'; name each constant, so that the helper can")
        if p.name in {q.name for q in inputs}:
            raise _bad(cls, f"{p.name!r} is a parameter of both forward and __init__; rename one")
    open_ended = any(p.kind is Parameter.VAR_POSITIONAL or p.default is not Parameter.empty for p in inputs)
    kind = Parameter.KEYWORD_ONLY if open_ended else Parameter.POSITIONAL_OR_KEYWORD
    constants = [p if p.kind is Parameter.KEYWORD_ONLY else p.replace(kind=kind) for p in constants]
    return Signature([p.replace(annotation=Parameter.empty) for p in (*inputs, *constants)])


def _bad(cls: type[Function], reason: str) -> OperatorDefinitionError:
    return OperatorDefinitionError(f"{cls.__qualname__} cannot have a helper: {reason}")


def make_helper(cls: type[Function], name: str) -> Callable[..., Any]:
    """Generate the function that makes an instance of an operator and records its call.

    It is source code of its own, so a wrong call is Python's own TypeError. Its first call
    writes out the rest, where there is a fixed number of inputs: that is 0.5 ms an operator,
    of which a program uses a few.
    """
    shown = helper_signature(cls)
    operator = _shown_name(cls, {name, *shown.parameters})
    namespace: dict[str, Any] = {operator: cls, "__name__": "registry.ops", "_record": record}
    declared = []
    for p in shown.parameters.values():
        if p.default is not Parameter.empty:
            namespace[f"_default_{p.name}"] = p.default
            p = p.replace(default=_Verbatim(f"_default_{p.name}"))
        declared.append(p)
    constants = ", ".join(
        f"{p.name}={p.name}" if p.kind is Parameter.KEYWORD_ONLY else p.name for p in constant_parameters(cls)
    )
    declaration, make = f"{name}{Signature(declared)}", f"{operator}({constants})"
    inputs = input_parameters(cls)
    given = "".join(f"*{p.name}, " if p.kind is Parameter.VAR_POSITIONAL else f"{p.name}, " for p in inputs)
    fixed = cls.differentiable and _are_fixed(inputs, {name, *shown.parameters})
    constants = "".join(f"{p.name}={p.name}, " for p in constant_parameters(cls))
    body = f"_written_out()({given}{constants})" if fixed else f"_record({make}, ({given}))"
    filename = f"<opregistry helper {name} of {cls.__module__}.{cls.__qualname__}>"
    _run(f"def {declaration}:\n    return {body}\n", filename, namespace)
    helper: Callable[..., Any] = namespace[name]
    helper.__doc__ = inspect.cleandoc(cls.__doc__ or f"The operator {cls.__qualname__} of {cls.__module__}.")
    helper.operator = cls  # type: ignore[attr-defined]

    def write_out() -> Callable[..., Any]:
        names = [p.name for p in inputs]
        namespace.update(written_out.namespace(cls, len(names)))
        source = written_out.helper_source(cls, declaration, make, names)
        _run(source, f"{filename[:-1]}, written out>", namespace)
        helper.__code__, namespace[name] = namespace[name].__code__, helper
        write_out_when_used("_pass_back", written_out.pass_back_source)
        if not cls.once_differentiable:
            write_out_when_used("_pass_back_recorded", written_out.pass_back_recorded_source)
        return helper

    def write_out_when_used(step: str, source: Callable[[type[Function], int], str]) -> None:
        def first(*args: Any) -> None:
            _run(source(cls, len(inputs)), f"{filename[:-1]}, {step}>", namespace)
            setattr(cls, step, namespace[step])
            namespace[step](*args)

        setattr(cls, step, first)

    namespace["_written_out"] = write_out
    return helper


def _shown_name(cls: type[Function], taken: set[str]) -> str:
    """Give the name that a class has in generated source: its own, where that is one and hides nothing."""
    name = cls.__name__
    # One beyond ASCII may be another one in source, where Python normalises it.
    is_name = type(name) is str and name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
    if not is_name or name.startswith("_") or name in _BUILTINS:
        name = "Operator"
    while name in taken:
        name += "_"
    return name


def _are_fixed(inputs: Sequence[Parameter], taken: set[str]) -> bool:
    """Say whether a call has a fixed number of inputs, and no name that generated source uses."""
    fixed = all(p.kind in _POSITIONAL and p.default is Parameter.empty for p in inputs)
    free = taken.isdisjoint(_BUILTINS) and not any(n.startswith("_") for n in taken)
    return bool(inputs) and fixed and free


def _run(source: str, filename: str, namespace: dict[str, Any]) -> None:
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    exec(compile(source, filename, "exec"), namespace)


class _Verbatim:
    """A default that is shown as a name in generated source."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def checked_call(function: Callable[..., Any], composite: Callable[..., Any]) -> Callable[..., Any]:
    """Make what a call of a NumPy function reaches, where that is a function: it takes NumPy's arguments."""
    accepted, name = signature(composite).parameters, function_name(function)

    @functools.wraps(composite)
    def call(*args: Any, **kwargs: Any) -> Any:
        return composite(*args, **(supported(name, kwargs, accepted) if kwargs else kwargs))

    return call


def numpy_call(
    function: Callable[..., Any], cls: type[Function], helper: Callable[..., Any]
) -> Callable[..., Any]:
    """Make what a call of a NumPy function on Variables reaches.

    Arguments are told apart by NumPy's own signature: the first ones are the inputs
    (a list of arrays, where the operator takes any number), the others go by name.
    """
    adapt = getattr(cls, "from_numpy", None)
    if isinstance(function, np.ufunc) or not hasattr(function, "_implementation"):
        return adapt or helper
    try:
        names = list(signature(function).parameters)
        if any(p.kind is Parameter.VAR_POSITIONAL for p in signature(function).parameters.values()):
            return adapt or helper
    except ValueError:  # NumPy gives some functions no signature
        names = list(signature(helper).parameters)
    inputs = input_parameters(cls)
    variadic = any(p.kind is Parameter.VAR_POSITIONAL for p in inputs)
    count = 1 if variadic else len(inputs)
    target = adapt or helper
    accepted, name = signature(target).parameters, function_name(function)
    # Arguments that stand as the helper has them need not be told apart, which takes 2 us.
    alike = (
        0 if adapt is not None or variadic else count + _alike(names[count:], [*accepted.values()][count:])
    )

    def call(*args: Any, **kwargs: Any) -> Any:
        if not kwargs and count <= len(args) <= alike:
            return helper(*args)
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        if adapt is not None:
            return adapt(**supported(name, given, accepted))
        arrays = [given.pop(key) for key in names[:count] if key in given]
        constants = supported(name, given, accepted)
        return helper(*(arrays[0] if variadic else arrays), **constants)

    return call


def _alike(names: Sequence[str], parameters: Sequence[Parameter]) -> int:
    """Count the positional parameters that have these names, from the first on."""
    pairs = zip(names, parameters, strict=False)
    same = itertools.takewhile(lambda pair: pair[1].kind in _POSITIONAL and pair[0] == pair[1].name, pairs)
    return len(list(same))
