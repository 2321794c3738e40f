"""Operators that are run whole: those whose code takes plain arrays, as C code does.

Such a call is one step that runs the author's own `forward` on a copy of the instance,
and its backward another, that gets the copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from registry.backward import counted
from registry.compiler.trace import Trace, tracing
from registry.compiler.traced import concrete, traced_in
from registry.errors import CompileError
from registry.function import Function
from registry.state import default_registry
from registry.stored import rules
from registry.tracing import Mark
from registry.variable import Variable

_NUMBERS = np.generic | bool | int | float | complex
_SIMPLE = (bool, int, str, tuple, type(None))
_SOMEWHERE = Mark()  # the edge of an input whose gradient is wanted, to a result that nobody holds
_SOMEWHERE(Variable(np.zeros(())))


class _Forward:
    """The step that runs an operator's forward; it gives the instance, arrays stored there, the results."""

    asks = True  # whether the results have the shapes that later steps are made for

    def __init__(self, template: Function, wanted: tuple[bool, ...]) -> None:
        self.cls: type[Function] = type(template)._original  # type: ignore[attr-defined]
        self.template = template
        self.edges = tuple([_SOMEWHERE if wants else None for wants in wanted])
        self.stored: tuple[str, ...] | None = None
        self.others: dict[str, Any] = {}
        self.several = False  # whether it gives a tuple, of one result too
        self.layouts: list[tuple[Any, ...]] = []  # of its results, for which the later steps are made
        self.checked = False  # whether a step depends on what else was stored
        self.__name__ = f"forward of {self.cls.__name__}"

    def __call__(self, *xs: Any, **parameters: Any) -> tuple[Any, ...]:
        function = self.template._unrecorded_copy()
        function.__dict__.update(parameters)
        function.__class__ = self.cls
        function._edges = self.edges
        xs = tuple([np.asarray(x) if isinstance(x, _NUMBERS) else x for x in xs])
        ys = function.forward(*xs)
        self.several = isinstance(ys, tuple)
        ys = tuple([np.asarray(y) for y in (ys if self.several else (ys,))])
        function._inputs_like, function._outputs_like = xs, ys
        if function._saves_xs:
            function.xs = xs
        if function._saves_ys:
            function.ys = ys
        if self.stored is None:
            self._look_at(function, parameters)
        for name, expected in self.others.items() if self.checked else ():
            if getattr(function, name, None) != expected:
                raise CompileError(
                    f"{self.template}: forward stores {name} = {getattr(function, name, None)!r}, but stored "
                    f"{expected!r} when the function was traced, and its second derivative depends on it"
                )
        given = [getattr(function, name) for name in self.stored or ()] + [*ys]
        layouts = [(y.shape, y.dtype) for y in given]
        self.layouts = self.layouts or layouts
        if layouts != self.layouts:
            raise CompileError(
                f"{self.template}: forward gave {layouts}, but {self.layouts} when the function was traced, "
                "and a plan is made for one shape; leave this part out of the compiled function"
            )
        return (function, *given)

    def _look_at(self, function: Function, parameters: dict[str, Any]) -> None:
        """Find what forward stored on the instance, in the first run."""
        before, after = (dict(getattr(f, "__dict__", {})) for f in (self.template, function))
        new = {name: x for name, x in after.items() if name not in before or before[name] is not x}
        for name in parameters:
            new.pop(name)
        self.stored = tuple([name for name, x in new.items() if isinstance(x, np.ndarray | np.generic)])
        self.others = {name: x for name, x in new.items() if isinstance(x, _SIMPLE)}


class _Backward:
    """The step that runs an operator's backward."""

    def __init__(self, cls: type) -> None:
        self.__name__ = f"backward of {cls.__name__}"

    def __call__(self, function: Function, *gys: Any) -> tuple[Any, ...]:
        gys = tuple([np.asarray(gy) if isinstance(gy, _NUMBERS) else gy for gy in gys])
        gxs = counted(function, function._alone().backward(*function._given(gys)))
        return tuple([gx._array if isinstance(gx, Variable) else gx for gx in gxs])


_twins: dict[type[Function], type[Function]] = {}


def run_whole(function: Function) -> None:
    """Let this instance of an operator record its forward, and its backward, as one step each."""
    function.__class__ = _twin(type(function))


def _twin(cls: type[Function]) -> type[Function]:
    """Give a class like another, whose instances are run whole."""
    if cls not in _twins:

        def forward(self: Any, *xs: Any) -> Any:
            return _record_forward(self, xs)

        def backward(self: Any, *gys: Any) -> Any:
            if any(isinstance(gy, Variable) for gy in gys):  # a recorded pass, by operators of its own
                self._whole[0].checked = True
                return cls.backward(self, *gys)
            return _trace().call(_Backward(cls), (self._whole[1], *gys), {})

        members = {
            "__module__": cls.__module__, "__slots__": (), "_original": cls, "forward": forward,
            "backward": backward, "__str__": lambda self: default_registry().owner(cls),
        }  # fmt: skip
        twin: Any = type(cls.__name__, (cls,), members)
        # What is found in the author's code, and not in ours.
        read = rules(cls)
        twin._rules = read._replace(constants=read.constants | {"_whole"})
        twin._bare, twin._own_slots = False, cls._own_slots
        twin._only_reads = True  # `_Backward` copies
        _twins[cls] = twin
    return _twins[cls]


def _record_forward(self: Any, xs: tuple[Any, ...]) -> Any:
    template = self._unrecorded_copy()
    given = getattr(template, "__dict__", {})
    parameters = {name: x for name, x in given.items() if traced_in(x)}
    for name in parameters:
        del given[name]
    call = _Forward(template, self.needs_grad)
    held, *outs = _trace().call(call, xs, parameters)
    stored = call.stored or ()
    for name, x in [*zip(stored, outs, strict=False), *call.others.items()]:
        setattr(self, name, x)
    self._whole = call, held
    _trace().kept[held._place] = _trace().held((xs, outs))
    ys = tuple(outs[len(stored) :])
    _trace().stored.append((_trace().steps[-1].line, [concrete(y) for y in ys]))
    return ys if call.several else ys[0]


def _trace() -> Trace:
    trace = tracing.get()
    assert trace is not None, "operators are run whole only while a function is traced"
    return trace
