"""Programs made smaller: what is known is folded, what is equal computed once, what nobody reads left out."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from registry.compiler.values import INFIX, Attribute, Layout, Method, Program, Step, Value, replaced

_FOLDED = 1 << 16  # bytes of a constant that is worth keeping instead of its computation
_NEUTRAL: dict[Any, int] = {np.multiply: 1, np.true_divide: 1, np.subtract: 0}
_FILLED = {np.zeros_like: 0, np.ones_like: 1}
_COPYING = {np.astype, Method("astype"), np.asarray, np.copy, Method("copy")}
_REDUCING: dict[Any, np.ufunc] = {
    np.sum: np.add, np.prod: np.multiply, np.max: np.maximum, np.min: np.minimum, np.all: np.logical_and,
    np.any: np.logical_or,
}  # fmt: skip
_REDUCING |= {Method(function.__name__): ufunc for function, ufunc in _REDUCING.items()}
_METHODS: set[Any] = {
    np.reshape, np.transpose, np.swapaxes, np.squeeze, np.ravel, np.astype, np.cumsum, np.cumprod, np.argsort,
    np.argmax, np.argmin, np.diagonal, np.take, np.repeat,
}  # fmt: skip
_DEFAULTS = {"dtype": None, "keepdims": False, "where": True, "out": None, "initial": np._NoValue}


def simplified(program: Program) -> Program:
    """Give a program with the same results, and fewer steps."""
    program.settle()
    return _without_dead(_Simplifier(program).run())


class _Simplifier:
    """One walk over the steps, in which each value is replaced by the simplest one that is equal."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.instead: dict[Value, Value] = {}
        self.known: dict[Hashable, Step] = {}
        self.steps: list[Step] = []

    def run(self) -> Program:
        for step in self.program.steps:
            self.add(step)
        results = [self.instead.get(value, value) for value in self.program.results]
        return Program(self.program.arguments, self.steps, results)

    def replace(self, value: Value, by: Value) -> None:
        """Let another value take the place of one; views of that are now views of the other."""
        self.instead[value] = by
        by.memory.join(value.memory)

    def now(self, x: Any) -> Any:
        return self.instead.get(x, x) if isinstance(x, Value) else x

    def add(self, step: Step) -> None:
        step.args, step.kwargs = replaced(step.args, self.now), replaced(step.kwargs, self.now)
        if not step.settled:
            self.steps.append(step)
            return
        _as_reduction(step)
        _as_method(step)
        if step.call in INFIX and any(v.dtype is not None for v in step.inputs()):
            step.call = INFIX[step.call]
        if step.outs and not step.several and (same := self.same_as(step)) is not None:
            self.replace(step.outs[0], same)
            return
        key = _key(step)
        if key in self.known:
            for out, before in zip(step.outs, self.known[key].outs, strict=True):
                self.replace(out, before)
            return
        if key is not None:
            self.known[key] = step
        self.steps.append(step)

    def same_as(self, step: Step) -> Value | None:
        """Give a value that the step's result equals, if there is one already."""
        (out,) = step.outs or (None,)
        if out is None or out.dtype is None:
            return None
        if step.call in _FILLED:
            return _uniform(out.layout, _FILLED[step.call])
        if step.call is np.broadcast_to and (number := _number(step.args[0])) is not None:
            return _uniform(out.layout, number)
        if isinstance(step.call, np.ufunc):
            return self.of_ufunc(step, step.call, out)
        first = step.args[0] if step.args and isinstance(step.args[0], Value) else None
        if first is None:
            return None
        if self.foldable(step):
            return self.folded(step)
        if step.call in _COPYING and _alike(first, out) and first.layout.kind != "number":
            return first if first.layout.strides == out.layout.strides else None
        if step.call is np.reshape or step.call == Method("reshape"):
            return first if _alike(first, out) and first.layout.kind == "array" else None
        if _is_transpose(step) and first.step and first.step.settled and _is_transpose(first.step):
            return first.step.args[0]  # type: ignore[no-any-return]
        return None

    def foldable(self, step: Step) -> bool:
        inputs = list(step.inputs())
        return bool(inputs) and all(v.is_constant for v in inputs) and step.outs[0].nbytes <= _FOLDED

    def folded(self, step: Step) -> Value:
        plain = lambda x: x.constant if isinstance(x, Value) else x  # noqa: E731
        with np.errstate(all="ignore"):
            result = step.call(*replaced(step.args, plain), **replaced(step.kwargs, plain))
        return Value(Layout.of(result), constant=result)

    def of_ufunc(self, step: Step, ufunc: np.ufunc, out: Value) -> Value | None:
        if step.kwargs or ufunc.signature is not None:
            return None
        for i in range(len(step.args)):
            step.args = (*step.args[:i], _unspread(step.args[i], step, out), *step.args[i + 1 :])
        if self.foldable(step):
            return self.folded(step)
        if ufunc in (np.power, np.float_power):
            self.power(step, out)
        if len(step.args) != 2:
            return None
        self.signs(step, out)
        a, b = step.args
        if step.call is np.multiply and _number(a) == 1 and _alike(b, out):
            return b  # type: ignore[no-any-return]
        neutral = _NEUTRAL.get(step.call)
        if neutral is not None and _number(b) == neutral and _alike(a, out):
            return a  # type: ignore[no-any-return]
        return None

    def signs(self, step: Step, out: Value) -> None:
        """Leave out a change of sign, or a product with a number, that the next step can make."""
        a, b = step.args
        if out.dtype is None or out.dtype.kind not in "fc":
            return
        if step.call is np.multiply:
            if (scaled := _scaled(a, b, out) or _scaled(b, a, out)) is not None:
                step.args = a, b = scaled
            if (number := _number(b)) is not None and (inner := _negated(a)) is not None:
                step.args = inner, -out.dtype.type(number)
            elif (number := _number(a)) is not None and (inner := _negated(b)) is not None:
                step.args = -out.dtype.type(number), inner
        elif step.call is np.add and (inner := _negated(b)) is not None:
            step.call, step.args = np.subtract, (a, inner)
        elif step.call is np.add and (inner := _negated(a)) is not None:
            step.call, step.args = np.subtract, (b, inner)

    def power(self, step: Step, out: Value) -> None:
        """Write small powers as products, which take a fiftieth of the time."""
        base, exponent = step.args
        number = _number(exponent)
        if not _alike(base, out) or base.dtype.kind not in "fc":
            return
        if number == 1:
            step.call, step.args = np.multiply, (base, 1)
        elif number == 2:
            step.call, step.args = np.square, (base,)
        elif number == 3:
            squared = Value(base.layout, step=None)
            squared.step = Step(np.square, (base,), {}, [squared], errors=step.errors, line=step.line)
            self.add(squared.step)
            step.call, step.args = np.multiply, (self.now(squared), base)


def _as_method(step: Step) -> None:
    """Write a function as the method that it calls, which saves 0.5 to 2 us."""
    if step.kwargs or not step.args or not isinstance(step.args[0], Value) or not step.args[0].shape:
        return
    if step.call in _METHODS and (step.call is not np.reshape or len(step.args) == 2):
        step.call = Method(step.call.__name__)
    elif step.call is np.expand_dims:
        step.call, step.args = Method("reshape"), (step.args[0], step.outs[0].shape)


def _as_reduction(step: Step) -> None:
    """Write a reduction as its ufunc's, without NumPy's layers above: 0.9 us where np.sum takes 2.2."""
    ufunc = _REDUCING.get(step.call) if isinstance(step.call, Hashable) else None
    if ufunc is not None and len(step.args) <= 2:
        step.call = ufunc.reduce
        step.kwargs = {"axis": None, **step.kwargs} if len(step.args) == 1 else step.kwargs
    if getattr(step.call, "__name__", "") == "reduce" and isinstance(step.call.__self__, np.ufunc):  # type: ignore[attr-defined]
        step.kwargs = {k: x for k, x in step.kwargs.items() if k not in _DEFAULTS or x is not _DEFAULTS[k]}
        if len(step.args) == 1:
            step.args = (*step.args, step.kwargs.pop("axis", 0))
        if isinstance(step.args[1], tuple) and len(step.args[1]) == 1:
            step.args = (step.args[0], *step.args[1], *step.args[2:])


def _alike(x: Any, out: Value) -> bool:
    return isinstance(x, Value) and x.shape == out.shape and x.dtype == out.dtype


def _negated(x: Any) -> Any:
    """Give what a value is the negative of."""
    step = x.step if isinstance(x, Value) and x.dtype is not None and x.dtype.kind in "fc" else None
    if step is None or step.call is not np.negative or step.kwargs or not step.settled:
        return None
    (inner,) = step.args
    return inner if _alike(inner, x) else None


def _scaled(x: Any, by: Any, out: Value) -> Any:
    """Give factors of a product of a number with a product that has one already, where both are moderate."""
    number, step = _number(by), x.step if isinstance(x, Value) and _alike(x, out) else None
    if number is None or step is None or step.call is not np.multiply or step.kwargs or not step.settled:
        return None
    for inner, factor in (step.args, step.args[::-1]):
        known = _number(factor)
        if known is not None and _alike(inner, out) and _moderate(known, out) and _moderate(number, out):
            return inner, out.dtype.type(known) * out.dtype.type(number)
    return None


def _moderate(number: Any, out: Value) -> bool:
    """Say whether a number is so far from the ends of a dtype that products do not over- or underflow."""
    rounding = np.finfo(out.dtype).eps
    return bool(rounding < abs(number) < 1 / rounding)


def _number(x: Any) -> Any:
    """Give the one number that a constant consists of; None if it is none."""
    if isinstance(x, bool | int | float | complex | np.generic):
        return x
    if not isinstance(x, Value) or not x.is_constant:
        return None
    array = np.asarray(x.constant)
    if array.size and not any(array.strides):
        return array[(0,) * array.ndim]
    return array.reshape(-1)[0] if array.size == 1 else None


def _uniform(layout: Layout, number: Any) -> Value:
    array = np.broadcast_to(np.asarray(number, layout.dtype), layout.shape)
    return Value(Layout.of(array), constant=array)


def _unspread(x: Any, step: Step, out: Value) -> Any:
    """Give what was broadcast in place of the broadcast, where the call broadcasts it anyway."""
    if not isinstance(x, Value) or not x.shape:
        return x
    small: Value
    if (number := _number(x)) is not None:
        small = Value(Layout.of(number), constant=number)
    elif x.step and x.step.settled and x.step.call is np.broadcast_to and isinstance(x.step.args[0], Value):
        small = x.step.args[0]
    else:
        return x
    shapes = [(small if y is x else y).shape for y in step.args if isinstance(y, Value)]
    return small if np.broadcast_shapes(*shapes) == out.shape and small.dtype is not None else x


def _is_transpose(step: Step) -> bool:
    if step.kwargs or not step.args or not isinstance(step.args[0], Value):
        return False
    plain = step.call == Attribute("T") or step.call in (np.transpose, Method("transpose"))
    return plain and step.args[1:] in ((), (None,))


def _key(step: Step) -> Hashable:
    """Give what two equal steps have in common; None where each must run."""
    if not isinstance(step.call, Hashable):
        return None
    if any(value.layout.kind == "object" for value in (*step.inputs(), *step.outs)):
        return None
    try:
        key = step.call, _frozen(step.args), _frozen(tuple(step.kwargs.items())), step.errors
        hash(key)
    except TypeError:
        return None
    return key


def _frozen(tree: Any) -> Hashable:
    if isinstance(tree, Value):
        if tree.is_constant and np.size(tree.constant) <= 16:
            array = np.asarray(tree.constant)
            return "constant", array.dtype.str, array.shape, array.tobytes()
        return "value", tree
    if isinstance(tree, tuple | list):
        return type(tree), tuple([_frozen(branch) for branch in tree])
    if isinstance(tree, dict):
        return dict, tuple([(key, _frozen(branch)) for key, branch in tree.items()])
    if isinstance(tree, slice):
        return slice, _frozen(tree.start), _frozen(tree.stop), _frozen(tree.step)
    return type(tree), repr(tree) if isinstance(tree, float | complex | np.generic) else tree


def _without_dead(program: Program) -> Program:
    """Leave out the steps whose results nothing reads, and writing into what nothing reads."""
    needed = set(program.results)
    read = {value.memory.root() for value in program.results}
    steps = []
    for step in reversed(program.steps):
        written = any(v.memory.outside or v.memory.root() in read for v in step.writes)
        asks = getattr(
            step.call, "asks", not step.outs and not step.writes
        )  # a branch, or a forward's shapes
        if written or asks or not needed.isdisjoint(step.outs):
            needed.update(step.inputs())
            read.update(value.memory.root() for value in step.inputs())
            steps.append(step)
    return Program(program.arguments, steps[::-1], program.results)
