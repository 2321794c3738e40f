"""Operators that are plain functions of Variables, built from other operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Composite(NamedTuple):
    """What the catalogue is told about a function that is an operator."""

    name: str | None
    implements: Any
    method: str | None
    inputs: tuple[str, ...] | None
    samples: Any
    domain: Any
    expected_failures: Mapping[str, str]


def composite(
    *,
    name: str | None = None,
    implements: Any = (),
    method: str | None = None,
    inputs: tuple[str, ...] | None = None,
    samples: Any = None,
    domain: Any = None,
    expected_failures: Mapping[str, str] | None = None,
) -> Callable[[F], F]:
    """Mark a function of Variables as an operator, to be returned by `register_operators`.

    Its derivatives are those of the operators it calls; its helper is the function itself.

    Parameters
    ----------
    name : str, optional
        The operator's name, where it is not the function's.
    implements : callable or tuple of callables
        The NumPy functions that reach it when called on Variables, with NumPy's arguments.
    method : str, optional
        The method of Variable that calls it.
    inputs : tuple of str, optional
        The parameters to differentiate by; without it, those that have no default and
        may be given by position.
    samples, domain, expected_failures
        What checks need to know, as on `Function`.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import composite
    >>> @composite(method="rms")
    ... def rms(x):
    ...     return np.sqrt(np.mean(x * x))
    >>> rms.composite.method
    'rms'
    """

    def mark(function: F) -> F:
        info = Composite(name, implements, method, inputs, samples, domain, expected_failures or {})
        function.composite = info  # type: ignore[attr-defined]
        return function

    return mark
