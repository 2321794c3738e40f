"""`compile`: a function that is traced once for each kind of arguments, and replayed after that."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from types import MethodType
from typing import Any, Generic, ParamSpec, TypeVar, cast

import numpy as np

from registry.compiler.plan import OTHER, Plan
from registry.compiler.trace import tracing
from registry.compiler.tracer import is_traced, trace_twice
from registry.errors import CompileError
from registry.modes import recording
from registry.numpy_protocol import NumPyProtocol
from registry.structures import places
from registry.threads import lock_across_forks

_CONSTANT = (int, str, bytes, type(None), type(Ellipsis), np.dtype)  # values of a plan's key
_storing = lock_across_forks()  # plans
KEPT = 64  # kinds of arguments that a function has plans for; of more, the oldest one is forgotten
WAYS = 8  # through the branches of a function, for arguments of one kind


P = ParamSpec("P")
T = TypeVar("T")


class CompiledFunction(Generic[P, T]):
    """What `compile` gives; call it as the function itself.

    As a method, it keeps a compiled function for each object.
    """

    __name__: str

    def __init__(self, f: Callable[P, T]) -> None:
        functools.update_wrapper(self, f)
        self.__name__ = f"compile({getattr(f, '__name__', f)})"
        self._f = f
        self._plans: dict[Hashable, list[Plan]] = {}
        self._latest: Callable[..., Any] = _none_yet

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            result = self._latest(args, kwargs)
        except Exception as error:
            return self._plainly(error, args, kwargs)
        return self._otherwise(args, kwargs) if result is OTHER else result

    def __get__(self, owner: Any, cls: type | None = None) -> CompiledFunction[..., T]:
        if owner is None:
            return self
        bound: CompiledFunction[..., T] = CompiledFunction(MethodType(self._f, owner))
        vars(owner)[self._f.__name__] = bound  # which is found there from now on
        return bound

    def _plainly(self, error: Exception, args: Any, kwargs: Any) -> T:
        """Call the function itself where a step failed: it may catch the error, or give its own."""
        plans = self._plans.get(self._key(args, kwargs), [])
        if any(plan.writes_outside for plan in plans):
            raise error
        return self._f(*args, **kwargs)

    def _otherwise(self, args: Any, kwargs: Any) -> T:
        """Look for a plan for these arguments, or make one."""
        if tracing.get() is not None:  # inside another compiled function, it is a part of that
            return self._f(*args, **kwargs)
        self._check(args, kwargs)
        key = self._key(args, kwargs)
        plans = [plan for plan in self._plans.get(key, ()) if plan.is_current]
        for plan in plans:
            try:
                result = plan.run(args, kwargs)
            except Exception as error:
                return self._plainly(error, args, kwargs)
            if result is not OTHER:
                self._latest = plan.run
                return cast("T", result)
        if len(plans) == WAYS:
            lines = "; ".join({line: None for plan in plans for line in plan.branches})
            raise CompileError(
                f"{self.__name__} went {WAYS} ways through its branches with arguments of one kind, and goes "
                f"another now; choose by np.where, or leave this part out of the compiled function: {lines}"
            )
        traces = trace_twice(self.__name__, self._f, args, kwargs)
        plan = Plan(self.__name__, args, kwargs, traces)
        with _storing:
            self._plans.pop(key, None)
            self._plans[key] = [plan, *plans]
            while len(self._plans) > KEPT:
                del self._plans[next(iter(self._plans))]
        self._latest = plan.run
        return cast("T", traces.called)

    def plan(self, *args: P.args, **kwargs: P.kwargs) -> Plan:
        """Call the function, and give what is run for such arguments; print it to read it.

        Examples
        --------
        >>> import numpy as np
        >>> from registry import compile
        >>> plan = compile(lambda x: np.exp(x) * np.exp(x)).plan(np.ones(3))
        >>> [step.name for step in plan.program.steps]
        ['exp', 'multiply']
        """
        key = self._key(args, kwargs)  # before the call, which may write into them
        self(*args, **kwargs)
        plans = self._plans[key]
        return next((plan for plan in plans if plan.run is self._latest), plans[0])

    def _key(self, args: Any, kwargs: Any) -> Hashable:
        return _kind((args, kwargs)), recording.get()

    def __repr__(self) -> str:
        return f"<{self.__name__}: {sum(map(len, self._plans.values()))} plans>"

    def _check(self, args: Any, kwargs: Any) -> None:
        given = [*enumerate(args), *kwargs.items()]
        for place, x in [leaf for name, tree in given for leaf in places(tree, str(name))]:
            if isinstance(x, NumPyProtocol):
                raise CompileError(
                    f"{self.__name__}: argument {place} is a Variable, and a plan records nothing; pass "
                    "arrays, and compile the gradient itself: registry.compile(registry.value_and_grad(f))"
                )
            if isinstance(x, np.ndarray) and (type(x) is not np.ndarray or x.dtype.kind not in "biufc"):
                found = f"{type(x).__name__} of {x.dtype}"
            elif is_traced(x) or isinstance(x, _CONSTANT) or callable(x):
                continue
            else:
                found = type(x).__name__
            raise CompileError(
                f"{self.__name__}: argument {place} is {found}, for which no plan can be made; expected "
                "arrays of numbers, numbers, texts, functions, and tuples, lists and dicts of them"
            )


def _none_yet(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return OTHER


def _kind(x: Any) -> Hashable:
    """Give what two calls that one plan can serve have in common."""
    if isinstance(x, np.ndarray):
        return x.dtype, x.shape, x.strides
    if isinstance(x, dict):
        return type(x), tuple([(name, _kind(branch)) for name, branch in x.items()])
    if isinstance(x, tuple | list):
        return type(x), tuple(map(_kind, x))
    return type(x), None if is_traced(x) else x


def compile(f: Callable[P, T]) -> CompiledFunction[P, T]:
    """Give a function that computes the same, and is recorded only the first time.

    A call with arguments of a new kind (structure, shapes, dtypes) traces `f`, once plainly
    and twice on stand-ins for its arrays; later calls run what NumPy did: without recording,
    without what nobody reads, equal parts once, large arrays block by block on several
    threads. Compile the gradient, not only the function: ``compile(value_and_grad(f))``.

    Parameters
    ----------
    f : callable
        Of arrays, numbers, and nested tuples, lists and dicts of them. It may ask for shapes
        and dtypes, and take branches on the data; each way through them is traced.

    Returns
    -------
    CompiledFunction
        With the arguments and results of `f`. Its method `plan` shows what is run.

    Raises
    ------
    CompileError
        From a call that meets arguments of a new kind, where `f` cannot be replayed: the
        message says why, with operator and line. Numbers of the data made Python's, shapes
        that depend on the data, random numbers, Variables from outside, and what no guard
        can see are such, also where `f` catches the error.

    Notes
    -----
    Results agree to the last digit or two: sums of large arrays are added in another order,
    and small powers are products. What `f` reads from outside may change: it is traced
    again. Only arrays from outside are constants, as they were, until they are bound anew.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import compile, value_and_grad
    >>> step = compile(value_and_grad(lambda w, x: np.sum((x @ w) ** 2)))
    >>> step(np.array([1.0, 2.0]), np.eye(2))
    (np.float64(5.0), array([2., 4.]))
    >>> step(np.array([3.0, 4.0]), np.eye(2))
    (np.float64(25.0), array([6., 8.]))
    """
    return CompiledFunction(f)
