"""Every hook that a plugin may implement, and the marker that says so.

A plugin is a module or an object. Mark each implementation with `hookimpl`; an
implementation may leave out parameters that it does not need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from registry.function import Function

PROJECT = "opregistry"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_operators() -> Iterable[Any]:  # type: ignore[empty-body]
    """Give the plugin's operators: subclasses of `Function` and composites."""


@hookspec
def register_constant_functions() -> Iterable[Callable[..., Any]]:  # type: ignore[empty-body]
    """Give the NumPy functions whose results carry no gradient, such as `np.argmax`.

    Called on Variables, they get the plain arrays and return a plain result.
    """


@hookspec
def register_refused_functions() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Give the functions that cannot be differentiated, by dotted name, and what to use instead.

    The reason stands in the error of a call on Variables, and in the coverage page.
    """


@hookspec
def register_array_types() -> Iterable[type]:  # type: ignore[empty-body]
    """Give the types, besides `numpy.ndarray`, that may be the data of a Variable.

    A type has ``+``, ``copy()``, ``__array_ufunc__`` and ``__array_function__``, by which NumPy's
    functions reach it (None where they are to refuse it); its arrays have ``shape``, ``dtype``,
    ``ndim`` and ``size``. What lacks one is refused by name.
    """


@hookspec
def before_forward(function: Function, xs: tuple[Any, ...]) -> None:
    """Watch a call before `forward` runs; `xs` are its arrays."""


@hookspec
def after_forward(function: Function, xs: tuple[Any, ...], ys: tuple[Any, ...]) -> None:
    """Watch a call after `forward` ran; `ys` are the arrays it returned."""


@hookspec
def before_backward(function: Function, gys: tuple[Any, ...]) -> None:
    """Watch a backward step; `gys` is one gradient for each output, None where the operator asks for it."""


@hookspec
def after_backward(function: Function, gxs: tuple[Any, ...]) -> None:
    """Watch a backward step; `gxs` is one gradient, or None, for each input."""
