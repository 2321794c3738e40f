"""`Function`: what an author of an operator writes, and how a call of it is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, Literal
from weakref import ReferenceType, ref

import numpy as np

from registry import state
from registry.backward import Edge, Like, Output, holder
from registry.calling import checked_result, explain, make_constants_arrays
from registry.errors import (
    GradientError,
    HigherOrderError,
    UnsupportedTypeError,
)
from registry.modes import differentiating, recording
from registry.numpy_protocol import Array
from registry.state import default_registry
from registry.stored import set_by_init, stored_floats
from registry.variable import Variable, as_array, as_variable, new_variable

_new = object.__new__  # bound once: a look-up less an operation
_is_recording = recording.get
_ENGINE = ("xs", "ys", "_inputs_like", "_outputs_like", "_output", "_edges", "_kept", "generation")


class Function:
    """One operator: how to compute it, and how to pass its gradient back.

    A subclass gives `forward` and `backward` in plain NumPy. Calling an instance
    computes and records; each record has an instance of its own.

    Attributes
    ----------
    name : str, optional
        The helper's name, where the snake_case of the class name reads badly.
    implements : callable or tuple of callables
        The NumPy functions that reach this operator when called on Variables. A
        class whose first one is a ufunc needs no `forward`.
    method : str, optional
        The method of Variable that calls it.
    differentiable : bool
        False where the result carries no gradient.
    once_differentiable : bool
        True where `backward` cannot be differentiated again.
    materialize_grads : bool
        False where `backward` wants None, and not zeros, as the gradient of an output
        that nothing used.
    elementwise : bool
        True where each element of the result depends on the same element of the inputs.
    saves : tuple of str
        Which of ``"xs"`` and ``"ys"`` `backward` reads; the others are not kept.
    constants : tuple of str
        Floating arrays stored by `forward` that do not depend on the inputs.
    domain : pair of float, or dict of parameter name to pair, optional
        The open interval of real numbers in which the inputs lie; for checks.
    samples : iterable of dict, or class method from a random Generator to one, optional
        Calls to check, each by parameter names; see `registry.testing.Sample`.
    expected_failures : dict of str to str
        Checks that are known to fail, with the reason.
    xs, ys : tuple of numpy.ndarray
        Inside `backward`: what `forward` got and gave (Variables, while the pass
        itself is recorded).
    generation : int
        The highest generation among the inputs.

    Examples
    --------
    >>> import numpy as np
    >>> from registry import Function, Variable
    >>> class Cube(Function):
    ...     def forward(self, x):
    ...         return x**3
    ...
    ...     def backward(self, gy):
    ...         (x,) = self.xs
    ...         return 3 * x**2 * gy
    >>> x = Variable(np.array(2.0))
    >>> y = Cube()(x)
    >>> y.backward()
    >>> y, x.grad
    (variable(8.0), array(12.))
    """

    name: ClassVar[str | None] = None
    implements: ClassVar[Any] = ()
    method: ClassVar[str | None] = None
    differentiable: ClassVar[bool] = True
    once_differentiable: ClassVar[bool] = False
    materialize_grads: ClassVar[bool] = True
    elementwise: ClassVar[bool] = False
    saves: ClassVar[tuple[str, ...]] = ("xs", "ys")
    constants: ClassVar[tuple[str, ...]] = ()
    domain: ClassVar[Any] = None
    samples: ClassVar[Any] = None
    expected_failures: ClassVar[Mapping[str, str]] = {}

    xs: tuple[Any, ...]
    ys: tuple[Any, ...]
    generation: int = 0
    _edges: Any = None
    _inputs_like: Sequence[Any] = ()
    _outputs_like: Sequence[Any] = ()
    _output: Any = None
    _saves_xs: ClassVar[bool] = True
    _saves_ys: ClassVar[bool] = True
    _safe: ClassVar[frozenset[str]]
    _hidden: Sequence[str] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._saves_xs, cls._saves_ys = "xs" in cls.saves, "ys" in cls.saves
        functions = cls.implements if isinstance(cls.implements, tuple) else (cls.implements,)
        if functions and isinstance(functions[0], np.ufunc) and cls.forward is Function.forward:
            cls.forward = functions[0]  # type: ignore[method-assign]

    # `**_` lets type checkers accept whatever parameters a subclass names.
    def forward(self, *xs: Any, **_: Any) -> Any:
        """Compute the result, one array or a tuple of them, from arrays."""
        raise NotImplementedError(f"{type(self).__name__} gives no forward(self, x, ...)")

    def backward(self, *gys: Any, **_: Any) -> Any:
        """Give the gradient of each input from that of each output; None for none."""
        raise NotImplementedError(f"{type(self).__name__} gives no backward(self, gy, ...)")

    def __call__(self, *inputs: Any) -> Any:
        """Compute, and record the call where a Variable takes part.

        Parameters
        ----------
        *inputs : Variable, array, number or None
            Variables are differentiated; arrays and numbers are constants.

        Returns
        -------
        Variable or tuple of Variable
            As `forward` returns one array or a tuple.
        """
        if self._edges is not None:
            self = self._unrecorded_copy()
        self._edges = ()
        arrays: list[Any] = []
        edges: list[Edge | None] = []
        generation, ready = -1, True
        for x in inputs:
            if isinstance(x, Variable):
                arrays.append(x._value)
                edge = x._edge
                edges.append(ref(x) if edge is None else edge or None)
                if x.generation > generation:
                    generation = x.generation
            else:
                if type(x) is not np.ndarray or x.dtype.kind not in "biufc":
                    ready = False
                arrays.append(x)
                edges.append(None)
        if not ready:
            make_constants_arrays(self, inputs, arrays)
        xs = tuple(arrays)
        observers = state.default.observers
        if observers is not None:
            observers.before_forward(function=self, xs=xs)
        try:
            ys = self.forward(*xs)
        except Exception as error:
            explain(self, error, inputs)
            raise
        several = False
        if type(ys) is not np.ndarray or ys.dtype.kind not in "biufc":
            if isinstance(ys, np.generic):
                ys = np.asarray(ys)
            else:
                several = isinstance(ys, tuple)
                ys = tuple([checked_result(self, y) for y in ys]) if several else checked_result(self, ys)
        if observers is not None:
            observers.after_forward(function=self, xs=xs, ys=ys if several else (ys,))
        if generation < 0 or not _is_recording() or not self.differentiable:
            return self._leaves(ys, several, generation < 0)
        self._edges = tuple(edges)
        self.generation = generation
        if self._saves_xs:
            self.xs = self._inputs_like = xs
        else:
            self._inputs_like = _likes(xs)
        if several:
            return self._outputs_of(ys)
        if self._saves_ys:
            self.ys = (ys,)
        y = _new(Variable)  # new_variable, without its call: 0.1 us an operation
        y._value = ys
        y._edge = self
        y.generation = generation + 1
        y.grad = y.name = None
        self._output = ref(y)
        return y

    def __str__(self) -> str:
        """Name the operator and its plugin."""
        return default_registry().owner(type(self))

    @classmethod
    def safe_attributes(cls) -> frozenset[str]:
        """Give the attributes that a recorded backward may read, found once a class."""
        if "_safe" not in cls.__dict__:
            cls._safe = set_by_init(cls).union(cls.constants, _ENGINE)
        return cls._safe

    @property
    def needs_grad(self) -> tuple[bool, ...]:
        """For each input, whether its gradient is wanted; constants need none."""
        edges = self._edges
        if len(edges) == 2:  # a third of the general way's time
            return edges[0] is not None, edges[1] is not None
        return tuple([edge is not None for edge in edges])

    @property
    def inputs(self) -> tuple[Variable, ...]:
        """The input Variables: the very ones, as long as somebody holds them."""
        xs = self.xs if self._saves_xs else [None] * len(self._edges)
        return tuple([_variable_at(edge, x) for edge, x in zip(self._edges, xs, strict=True)])

    @property
    def outputs(self) -> tuple[Variable, ...]:
        """The output Variables: the very ones, as long as somebody holds them."""
        count = len(self.output_references())
        ys = self.ys if self._saves_ys else [None] * count
        edges: list[Edge] = [self] if count == 1 else [Output(self, i) for i in range(count)]
        return tuple([_variable_at(edge, y) for edge, y in zip(edges, ys, strict=True)])

    def output_references(self) -> tuple[ReferenceType[Variable], ...]:
        """Give weak references to the output Variables."""
        return self._output if isinstance(self._output, tuple) else (self._output,)

    @property
    def input(self) -> Variable:
        """The input, where there is one."""
        (variable,) = self.inputs
        return variable

    @property
    def output(self) -> Variable:
        """The output, where there is one."""
        (variable,) = self.outputs
        return variable

    def __getattr__(self, name: str) -> Any:
        if name in ("xs", "ys"):
            raise AttributeError(
                f"{self} has no self.{name} here: it is set by a recorded call, and kept "
                f"where the class attribute 'saves' (now {self.saves}) names it"
            )
        if name in self._hidden:
            raise HigherOrderError(
                f"{self}: 'backward' reads self.{name}, a floating array that 'forward' stored, "
                "which is a constant to the second derivative; compute it again from self.xs or "
                f"self.ys, or, if it does not depend on the inputs, declare constants = ({name!r},)"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _outputs_of(self, ys: tuple[Any, ...]) -> tuple[Variable, ...]:
        """Record several outputs."""
        self._outputs_like = _likes(ys)
        if self._saves_ys:
            self.ys = ys
        made = tuple([new_variable(y, Output(self, i), self.generation + 1) for i, y in enumerate(ys)])
        self._output = tuple(map(ref, made))
        if len(made) == 1:
            made[0]._edge, (self._output,) = self, self._output
        return made

    def _leaves(self, ys: Any, several: bool, from_constants: bool) -> Any:
        """Make results that carry no gradient, and say in each why.

        What was computed while recording was off is a leaf, like what somebody wraps by
        hand; other results without a gradient are constants.
        """
        edge: Literal[False] | None = False
        if from_constants:
            why = "every input was a constant (an array or a number, not a Variable)"
        elif not self.differentiable:
            why = f"{self} has no derivative"
        else:
            edge, why = None, "it was computed while recording was off (no_grad)"
        generation = 0 if edge is None else -1
        made = tuple([new_variable(y, edge, generation) for y in (ys if several else (ys,))])
        for variable in made:
            variable._why_leaf = why
        return made if several else made[0]

    def _unrecorded_copy(self) -> Function:
        """Copy this instance for another call, without what the last call left."""
        fresh = copy(self)
        for name in ("xs", "ys", "generation", "_inputs_like", "_outputs_like", "_output"):
            fresh.__dict__.pop(name, None)
        return fresh

    def _backward_on_variables(self, gys: Sequence[Any]) -> Any:
        """Run `backward` on Variables, so that NumPy's protocols record each of its steps."""
        if self.once_differentiable:
            raise HigherOrderError(
                f"{self} is declared once_differentiable: it has no second "
                "derivative, so its backward cannot run with create_graph=True"
            )
        on_variables = copy(self)
        if self._saves_xs:
            edges = zip(self._edges, self.xs, strict=True)
            on_variables.xs = tuple([x if edge is None else _variable_at(edge, x) for edge, x in edges])
        if self._saves_ys:
            on_variables.ys = self.outputs
        on_variables._hidden = stored_floats(self, self.safe_attributes())
        for name in on_variables._hidden:
            delattr(on_variables, name)
        token = differentiating.set(on_variables)
        try:
            return on_variables.backward(*[gy if gy is None else as_variable(gy) for gy in gys])
        finally:
            differentiating.reset(token)

    def _gradient(self, gx: Any, create_graph: bool) -> Any:
        """Make an array, or a Variable while the pass is recorded, of what backward returned."""
        if isinstance(gx, Variable):
            return gx if create_graph else gx._value
        if isinstance(gx, np.generic):
            return Variable(np.asarray(gx)) if create_graph else np.asarray(gx)
        try:
            gx = as_array(gx)
        except UnsupportedTypeError as error:
            raise GradientError(f"{self}: backward returned {type(gx)} as a gradient: {error}") from None
        return Variable(gx) if create_graph else gx

    def _zeros(self, index: int) -> Array:
        """Make the gradient of an output that nothing used."""
        like = self._outputs_like[index]
        return np.zeros(like.shape, like.dtype if like.dtype.kind in "fc" else np.float64)


def _likes(arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """Give shape and dtype of each array, without keeping it; a 0-d one costs less as it is."""
    for x in arrays:
        if x is None or x.ndim:
            return tuple([x if x is None or x.ndim == 0 else Like(x.shape, x.dtype) for x in arrays])
    return arrays


def _variable_at(edge: Edge | None, data: Any) -> Variable:
    """Give the Variable at the end of an edge, or one like it with what the call saw."""
    if isinstance(data, Variable):
        return data
    function = edge.function if isinstance(edge, Output) else None if isinstance(edge, ref) else edge
    held = holder(edge)
    if held is not None and held.creator is function and (data is None or held._value is data):
        return held
    return new_variable(data, edge, 0 if function is None else function.generation + 1)
