"""From what an author wrote to an entry of the catalogue: validation, then generation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import MethodType, WrapperDescriptorType
from typing import Any

import numpy as np

from registry.catalog import Operator
from registry.composite import Composite
from registry.errors import OperatorDefinitionError
from registry.function import Function
from registry.helpers import checked_call, helper_name, input_parameters, make_helper, numpy_call
from registry.variable import Variable


def make_operator(target: Any, plugin: str) -> Operator:
    """Validate a `Function` subclass or a composite, and make its catalogue entry.

    Raises
    ------
    OperatorDefinitionError
        If it cannot be an operator; the message names it, and says why.
    """
    if isinstance(target, type) and issubclass(target, Function) and target is not Function:
        return _from_class(target, plugin)
    info = getattr(target, "composite", None)
    if callable(target) and isinstance(info, Composite):
        name = helper_name(target, info.name)
        implements = _callables(target, info.implements)
        calls = {function: checked_call(function, target) for function in implements}
        return Operator(name, target, target, plugin, calls, _method(target, info.method), target)
    raise OperatorDefinitionError(
        f"{target!r} is no operator: expected a subclass of registry.Function or a function marked "
        f"with @registry.composite, found {type(target).__name__}"
    )


def _from_class(cls: type[Function], plugin: str) -> Operator:
    _check_contract(cls)
    name = helper_name(cls, cls.name)
    helper = make_helper(cls, name)
    calls = {}
    for function in _callables(cls, cls.implements):
        _check_arity(cls, function)
        calls[function] = numpy_call(function, cls, helper)
    method_call = getattr(cls, "from_method", helper)
    return Operator(name, cls, helper, plugin, calls, _method(cls, cls.method), method_call)


def _check_contract(cls: type[Function]) -> None:
    if cls.forward is Function.forward:
        raise _bad(cls, "it has no forward; write one, or set implements to a ufunc")
    if cls.differentiable and cls.backward is Function.backward:
        raise _bad(cls, "it has no backward; write one, or set differentiable = False")
    for method in ("forward", "backward"):
        if isinstance(inspect.getattr_static(cls, method), staticmethod | classmethod):
            raise _bad(cls, f"{method} is a static or class method; write 'def {method}(self, ...)'")
    for attribute in ("saves", "constants"):
        value = getattr(cls, attribute)
        if not isinstance(value, tuple) or not all(isinstance(item, str) for item in value):
            raise _bad(cls, f"{attribute} is {value!r}; it must be a tuple of names, such as ('xs',)")
    if odd := set(cls.saves) - {"xs", "ys"}:
        raise _bad(cls, f"saves names {sorted(odd)}; there are 'xs' and 'ys'")
    parameters = getattr(cls, "__dataclass_params__", None)
    if parameters is not None and parameters.frozen:
        raise _bad(cls, "it is a frozen dataclass, but a call is recorded on the instance")


def _check_arity(cls: type[Function], function: Callable[..., Any]) -> None:
    inputs = input_parameters(cls)
    variadic = any(p.kind is p.VAR_POSITIONAL for p in inputs)
    if not isinstance(function, np.ufunc) or variadic or hasattr(cls, "from_numpy"):
        return
    required = sum(p.default is p.empty for p in inputs)
    if not required <= function.nin <= len(inputs):
        raise _bad(cls, f"forward takes {len(inputs)} inputs, but {function} has {function.nin}")


def _callables(target: Any, implements: Any) -> tuple[Callable[..., Any], ...]:
    functions = implements if isinstance(implements, tuple) else (implements,)
    for function in functions:
        if not callable(function):
            raise _bad(target, f"implements has {function!r}; it must be a function such as np.exp")
        if own := own_comparison(function):
            raise _bad(target, f"implements has a function with {own}, which every look-up would run")
    return functions


def own_comparison(function: Any) -> str | None:
    """Say by which method a function is compared or hashed in code of its author's, if it is.

    Functions are looked up in dictionaries that all plugins share, where such code would run.
    """
    while isinstance(function, MethodType):
        function = function.__func__
    for method in ("__eq__", "__hash__"):
        if not isinstance(inspect.getattr_static(type(function), method), WrapperDescriptorType):
            return f"{method} of its own"
    return None


def _method(target: Any, method: str | None) -> str | None:
    if method is None:
        return None
    if type(method) is not str or not method.isidentifier() or method.startswith("_"):
        raise _bad(target, f"method is {method!r}; it must be a public name")
    if inspect.getattr_static(Variable, method, None) is not None:
        raise _bad(target, f"method {method!r} is an attribute that every Variable has already")
    return method


def _bad(target: Any, reason: str) -> OperatorDefinitionError:
    name = getattr(target, "__qualname__", repr(target))
    return OperatorDefinitionError(f"{name} cannot be an operator: {reason}")
