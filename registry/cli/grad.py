"""``opregistry grad``: the value and the gradients of an expression."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import typer

from registry.cli.derivatives import compare, derivatives, value_of
from registry.cli.errors import CommandError, UsageError, message_of
from registry.cli.evaluation import evaluate, operators_of
from registry.cli.expression import Expression, parse
from registry.cli.limits import limited
from registry.cli.output import console, on_terminal, say, warn
from registry.cli.provenance import show_provenance
from registry.cli.values import read_values
from registry.errors import RegistryError, did_you_mean
from registry.numpy_protocol import Array
from registry.state import default_registry

_LONG_OPTION = re.compile(r"--[A-Za-z][\w-]*(=.*)?$")


def show_gradients(
    text: str, given: Sequence[str], *, wrt: Sequence[str], order: int, check: bool, save: Path | None
) -> None:
    """Compute an expression and its gradients; write them, and where the operators came from.

    Raises
    ------
    CommandError
        If what was typed is wrong, an operator fails, or the file cannot be written.
    """
    for argument in (text, *given):
        if _LONG_OPTION.match(argument):
            raise UsageError(f"there is no option {argument!r}; 'opregistry grad --help' lists them")
    expression = parse(text)
    with limited("reading the values"):
        arrays = read_values(given)
    default_registry().load()
    _check_operators(expression, arrays)
    _check_names(expression, arrays)
    names = _chosen(wrt, arrays)
    for name in arrays:
        _warn_of_odd_numbers(f"the value {name!r}", arrays[name])
    with limited():
        results = _compute(expression, arrays, names, order)
    _show_results(results)
    if operators := operators_of(expression):
        say()
        show_provenance(operators)
    with limited():
        agreed = not check or _check_gradients(expression, arrays, names, results)
    if save is not None:
        _save(save, results)
    if not agreed:
        raise typer.Exit(1)


def _check_operators(expression: Expression, arrays: Mapping[str, Array]) -> None:
    for name in expression.operators:
        try:
            default_registry().operator(name)
        except RegistryError as error:
            reason = message_of(error)
            if name in arrays and name not in default_registry().catalog.names:
                reason = f"{name!r} is a value and cannot be called; multiply with '*'"
            raise UsageError(f"{reason}\n{expression.point_at(name)}") from None


def _check_names(expression: Expression, arrays: Mapping[str, Array]) -> None:
    for name in expression.values:
        if name in arrays:
            continue
        operators, place = default_registry().catalog.names, expression.point_at(name)
        if name in operators:
            raise UsageError(
                f"{name!r} is an operator; call it, as in {name}(x), or give it a value\n{place}"
            )
        hint = did_you_mean(name, [*arrays, *operators])
        raise UsageError(f"{name!r} has no value{hint or f'; give it one: {name}=0.5'}\n{place}")
    for name in arrays:
        if name not in expression.values:
            raise UsageError(
                f"the expression does not use the value {name!r}{did_you_mean(name, expression.values)}"
            )


def _chosen(wrt: Sequence[str], arrays: Mapping[str, Array]) -> list[str]:
    for name in wrt:
        if name not in arrays:
            raise UsageError(f"--wrt {name}: there is no value {name!r}{did_you_mean(name, arrays)}")
    return list(dict.fromkeys(wrt)) or list(arrays)


def _compute(
    expression: Expression, arrays: Mapping[str, Array], names: Iterable[str], order: int
) -> dict[str, Array]:
    """Give the value and each gradient, under the names that a saved file has."""
    f = partial(evaluate, expression)
    results = {"value": value_of(f, arrays)}
    if results["value"].dtype.kind not in "biuf":
        raise CommandError(f"the result holds {results['value'].dtype}, not real numbers")
    for name in names:
        for k, gradient in enumerate(_derivatives(f, arrays, name, order), start=1):
            results[_key(name, k)] = gradient
    return results


def _derivatives(f: partial[Any], arrays: Mapping[str, Array], name: str, order: int) -> list[Array]:
    try:
        return derivatives(f, arrays, name, order)
    except CommandError:
        raise
    # Backward is the operator author's code, and may raise anything.
    except Exception as error:
        text = f"the gradient for {name!r} failed: {type(error).__name__}: {message_of(error)}"
        raise CommandError(text) from error


def _key(name: str, order: int) -> str:
    return f"grad_{name}" if order == 1 else f"grad{order}_{name}"


def _show_results(results: Mapping[str, Array]) -> None:
    value = results["value"]
    for key, array in results.items():
        what = "the value" if key == "value" else f"the gradient {key}"
        _warn_of_odd_numbers(what, array)
        _show_array(key, array)
        if key == "value" and value.ndim:
            say("the value is no single number, so the gradients are those of its sum", dim=True)


def _warn_of_odd_numbers(what: str, array: Array) -> None:
    for count, kind in ((np.isnan(array).sum(), "NaN"), (np.isinf(array).sum(), "infinite")):
        if count:
            warn(
                f"{what} is {kind}"
                if array.ndim == 0
                else f"{what} has {count} {kind} of {array.size} elements"
            )


def _show_array(name: str, array: Array) -> None:
    if array.ndim == 0:
        say(name, f" = {array.item()!r}" + _unusual(array), bold=True)
        return
    say(name, f"  {array.dtype} {array.shape}", bold=True)
    width = console().width if on_terminal() else 10**9
    for line in np.array2string(array, max_line_width=width - 2).splitlines():
        say(f"  {line}")
    if array.size > np.get_printoptions()["threshold"]:
        say(f"  ({array.size} elements, shortened here; --save file.npz keeps all)", dim=True)


def _unusual(array: Array) -> str:
    return "" if array.dtype == np.float64 else f"  {array.dtype}"


def _check_gradients(
    expression: Expression, arrays: Mapping[str, Array], names: Iterable[str], results: Mapping[str, Array]
) -> bool:
    """Compare each gradient with central differences; say whether all agree."""
    say()
    agreed = True
    for name in names:
        order = 1
        while (key := _key(name, order)) in results:
            comparison = compare(partial(evaluate, expression), arrays, name, order, results[key])
            say(f"check {key}: {comparison}", fg=None if comparison.ok else "red")
            agreed, order = agreed and comparison.ok, order + 1
    return agreed


def _save(path: Path, results: Mapping[str, Array]) -> None:
    existed = path.exists()
    try:
        with path.open("wb") as file:
            np.savez(file, **results)  # type: ignore[arg-type]
    except OSError as error:
        raise CommandError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
    say(f"\n{'overwrote' if existed else 'saved'} {path}: {', '.join(results)}")
