"""From a function and its arguments to a program: a plain call and two traces, which must agree."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.compiler.guards import Place
from registry.compiler.opaque import run_whole
from registry.compiler.outside import Outside
from registry.compiler.trace import Trace, is_whole, tracing
from registry.compiler.traced import Traced, concrete
from registry.compiler.values import Branch, Layout, Program, Value
from registry.compiler.witness import Witness
from registry.errors import CompileError
from registry.state import default_registry
from registry.structures import leaves, mapped, places
from registry.variable import Variable

_NOBODY = nullcontext()


@dataclass
class Result:
    """One leaf of what the function gives.

    `form` is "array", "scalar", "leaf" or "constant" (a Variable's), the class of a
    Python number, or None for anything else, which is `value` itself.
    """

    value: Any
    form: Any


@dataclass
class Traces:
    """A program, the structure of what the function gave when it was called, and what it read outside."""

    program: Program
    tree: Any
    results: list[Result]
    called: Any
    places: list[Place]


def trace_twice(name: str, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traces:
    """Call a function on its arguments, and trace it on copies of them.

    Raises
    ------
    CompileError
        If it depends on the data in a way that no plan can follow, or on what is outside.
    """
    before = mapped(_copied, (args, kwargs))
    expected = f(*args, **kwargs)
    opaque: set[type] = set()
    witness = Witness()
    first = _traced(name, f, before, opaque, witness)
    outside = Outside(f, leaves(before), witness)
    second = _traced(name, f, before, opaque)
    _compare(name, first, second)
    if (problem := outside.problem()) is not None:
        raise CompileError(f"{name} cannot be compiled: {problem}")
    for key, (edge, line) in first.trace.leaves.items():
        if (leaf := edge()) is not None and key in second.trace.leaves:
            raise _outside(name, _shown(leaf), line)
    for variable in outside.variables:
        if any(np.may_share_memory(variable._array, array) for array in first.trace.captured):
            raise _outside(name, f"the data of {_shown(variable)}", "a line that reads '.data'")
    results = _results(name, first.result, expected)
    values = [r.value for r in results if isinstance(r.value, Value)]
    program = Program(first.arguments, first.trace.steps, values)
    return Traces(program, expected, results, expected, outside.places)


@dataclass
class _Run:
    trace: Trace
    arguments: list[Value]
    result: Any


def _traced(
    name: str,
    f: Callable[..., Any],
    before: Any,
    opaque: set[type],
    witness: Witness | None = None,
) -> _Run:
    """Run a function on traced arrays; again, as often as an operator is found that must be run whole."""
    while True:
        sights = (_NOBODY, _NOBODY) if witness is None else (witness.unseen, witness.seen)
        trace = Trace(name, opaque, run_whole, *sights)
        arguments: list[Value] = []

        def made(x: Any, trace: Trace = trace, arguments: list[Value] = arguments) -> Any:
            if not is_traced(x):
                return x
            argument = trace.argument(x.copy("K") if isinstance(x, np.ndarray) else x)
            arguments.append(argument._place)
            return argument

        given = args, kwargs = mapped(made, before)
        entries = [(place, id(x)) for place, x in places(given)]
        before_this = tracing.get()
        try:
            tracing.set(trace)
            with default_registry().observing(trace), witness or _NOBODY:
                result = f(*args, **kwargs)
            if trace.refused is not None:  # and the function caught it
                raise trace.refused
            if [(place, id(x)) for place, x in places(given)] != entries:
                raise CompileError(
                    f"{name} cannot be compiled: it changes a list or dict that it gets as an argument, "
                    "which no plan does; change a copy of it, and return that"
                )
            return _Run(trace, arguments, result)
        except Exception as error:
            operators = [
                type(function) for function in trace.refused_in or trace.active if not is_whole(function)
            ]
            if new := [cls for cls in operators if cls not in opaque]:
                opaque.add(new[-1])
                continue
            if isinstance(error, CompileError):
                raise
            raise CompileError(
                f"{name} cannot be compiled: traced, it raises {type(error).__name__}, at "
                f"{trace.failed or trace.line()}: {error}"
            ) from error
        finally:
            trace.ended = True
            tracing.set(before_this)


def is_traced(x: Any) -> bool:
    """Say whether an argument is an array, or a number that is no part of the key."""
    return isinstance(x, np.ndarray | np.generic) or type(x) in (float, complex)


def _outside(name: str, what: str, line: str) -> CompileError:
    return CompileError(
        f"{name} cannot be compiled: {what} from outside takes part, at {line}; it would be a constant in "
        "every later call, so pass its array as an argument"
    )


def _copied(x: Any) -> Any:
    return x.copy("K") if isinstance(x, np.ndarray) else x


def _shown(leaf: Variable) -> str:
    return f"the Variable {leaf.name!r}" if leaf.name else f"a Variable of shape {leaf.shape}"


def _compare(name: str, first: _Run, second: _Run) -> None:
    """Refuse what differs between two traces of the same arguments: it is random, or has a state."""
    one, two = first.trace, second.trace
    pairs = dict(zip(first.arguments, second.arguments, strict=True))

    def same(a: Any, b: Any) -> bool:
        if isinstance(a, Value):
            if a.is_constant:
                return isinstance(b, Value) and b.is_constant and _equal(a.constant, b.constant)
            return pairs.get(a) is b
        if isinstance(a, tuple | list):
            return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
        if isinstance(a, dict):
            return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
        if isinstance(a, slice):
            return isinstance(b, slice) and same((a.start, a.stop, a.step), (b.start, b.stop, b.step))
        return callable(a) or bool(a == b) or a is b or a != a

    for a, b in zip(one.steps, two.steps, strict=False):
        other_way = isinstance(a.call, Branch) and a.call != b.call
        if other_way or a.name != b.name or not same(a.args, b.args) or not same(a.kwargs, b.kwargs):
            raise _changing(name, a.line)
        pairs.update(zip(a.outs, b.outs, strict=False))
    if len(one.steps) != len(two.steps):
        longer = max(one.steps, two.steps, key=len)
        raise _changing(name, longer[min(len(one.steps), len(two.steps))].line)
    for (line, a), (_, b) in zip(one.stored, two.stored, strict=True):
        if not all(map(_equal, a, b)):
            raise _changing(name, line)
    ends = zip(leaves(first.result), leaves(second.result), strict=False)
    for a, b in ends:
        a, b = (x._value if isinstance(x, Variable) else x for x in (a, b))
        if isinstance(a, np.ndarray | np.generic) and not _equal(a, b):
            raise _changing(name, "its result")


def _equal(a: Any, b: Any) -> bool:
    if a is b:
        return True
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def _changing(name: str, where: str) -> CompileError:
    return CompileError(
        f"{name} cannot be compiled: called twice with the same arguments, it computes something else, at "
        f"{where}; random numbers and what changes outside would be constants in every later call: pass them "
        "as arguments, or make a generator with a fixed seed inside"
    )


def _results(name: str, traced: Any, expected: Any) -> list[Result]:
    """Pair what the trace gave with what the plain call gave, which says in what form."""
    found, wanted = leaves(traced), leaves(expected)
    if len(found) != len(wanted):
        raise _differs(name, f"{len(found)} results where the plain call gives {len(wanted)}")
    return [_result(name, x, y) for x, y in zip(found, wanted, strict=True)]


def _result(name: str, x: Any, y: Any) -> Result:
    form: Any = "array" if isinstance(y, np.ndarray) else "scalar" if isinstance(y, np.generic) else type(y)
    if isinstance(y, Variable):
        if y.creator is not None:
            raise CompileError(
                f"{name} cannot be compiled: its result is a Variable that can be differentiated, which "
                "no plan records; compile value_and_grad or grad of the function, or give '.data'"
            )
        x, y, form = getattr(x, "_value", x), y._array, "constant" if y._edge is None else "leaf"
    if not isinstance(x, Traced | np.ndarray | np.generic):
        if type(x) is not type(y) or not (x is y or x == y):
            raise _differs(name, f"{x!r} where the plain call gives {y!r}")
        return Result(x, None)
    plain = concrete(x)
    if np.shape(plain) != np.shape(y) or np.result_type(plain) != np.result_type(y) or not _close(plain, y):
        raise _differs(
            name, f"{Layout.of(plain)} where the plain call gives {Layout.of(y)}, or other numbers"
        )
    return Result(x._place if isinstance(x, Traced) else Value(Layout.of(x), constant=np.array(x)), form)


def _close(a: Any, b: Any) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype.kind not in "fc" or not a.size:
        return bool(np.array_equal(a, b))
    rounding = float(np.finfo(a.dtype).eps) ** 0.5
    size = np.max(np.abs(b), initial=0, where=np.isfinite(b))
    return bool(np.allclose(a, b, rtol=0, atol=rounding * size, equal_nan=True))


def _differs(name: str, how: str) -> CompileError:
    return CompileError(
        f"{name} cannot be compiled: traced, it gives {how}; it asks for the type of an array, or depends on "
        "what is outside"
    )
