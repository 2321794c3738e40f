"""`Function`: what an author of an operator writes, and how a call of it is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MemberDescriptorType
from typing import Any, ClassVar
from weakref import ReferenceType

import numpy as np

from registry import large
from registry.backward import Pass
from registry.edges import Edge, Output, holder
from registry.errors import (
    GradientError,
    HigherOrderError,
    UnsupportedTypeError,
)
from registry.given import Given, only_reads, own_copies, own_copy
from registry.modes import differentiating
from registry.numpy_protocol import Array
from registry.recording import record
from registry.state import default_registry
from registry.stored import Rules, forbidden, stores_no_result, stores_nothing, withheld
from registry.threads import LARGE
from registry.variable import Variable, as_array, at_edge, new_variable

_RECORDED = (
    *("xs", "ys", "generation", "_count", "_edge0", "_edge1", "_all_edges"),
    *("_inputs_like", "_outputs_like", "_output"),
)


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
        True where each element of the result depends on the same element of the inputs, and
        of its gradient on the same elements of what `backward` reads. Large arrays may come
        to both methods in parts, as lines, on several threads.
    scalars : bool
        True where `forward` and `backward` also take numbers, NumPy's and Python's, in
        place of 0-d arrays, as plain arithmetic and NumPy's functions do: a computation
        on single numbers then takes a third of the time.
    saves : tuple of str
        Which of ``"xs"`` and ``"ys"`` `backward` reads; the others are not kept. Where it reads
        ``"xs"`` of some results only, `keeps_inputs` says of which.
    only_reads : bool
        True where `backward` writes into nothing that it is given, although that is not plain
        from its code: it then gets the very arrays, and no copies.
    constants : tuple of str
        What `forward` stores or writes into though the inputs do not change it, by the names of
        attributes: `backward` may read it in a recorded pass, too.
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

    __slots__ = (*_RECORDED, "_kept")  # an author's own attributes go into __dict__

    name: ClassVar[str | None] = None
    implements: ClassVar[Any] = ()
    method: ClassVar[str | None] = None
    differentiable: ClassVar[bool] = True
    once_differentiable: ClassVar[bool] = False
    materialize_grads: ClassVar[bool] = True
    elementwise: ClassVar[bool] = False
    scalars: ClassVar[bool] = False
    saves: ClassVar[tuple[str, ...]] = ("xs", "ys")
    only_reads: ClassVar[bool] = False
    constants: ClassVar[tuple[str, ...]] = ()
    domain: ClassVar[Any] = None
    samples: ClassVar[Any] = None
    expected_failures: ClassVar[Mapping[str, str]] = {}

    xs: tuple[Any, ...]
    ys: tuple[Any, ...]
    generation: int
    _count: int
    _edge0: Edge | None
    _edge1: Edge | None
    _all_edges: tuple[Edge | None, ...]
    _inputs_like: Sequence[Any]
    _outputs_like: Sequence[Any]
    _output: Any
    _kept: Sequence[Any]
    _saves_xs: ClassVar[bool] = True
    _saves_ys: ClassVar[bool] = True
    _bare: ClassVar[bool] = False
    _uniform: ClassVar[bool] = False
    _own_slots: ClassVar[tuple[str, ...]] = ()
    _withholding: ClassVar[dict[frozenset[str], type[Function]]]
    _rules: ClassVar[Rules]
    _only_reads: ClassVar[bool | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._saves_xs, cls._saves_ys = "xs" in cls.saves, "ys" in cls.saves
        functions = cls.implements if isinstance(cls.implements, tuple) else (cls.implements,)
        if functions and isinstance(functions[0], np.ufunc) and cls.forward is Function.forward:
            cls.forward = functions[0]  # type: ignore[method-assign]
        members = [item for base in cls.__mro__ for item in vars(base).items()]
        slots = [name for name, member in members if isinstance(member, MemberDescriptorType)]
        cls._own_slots = tuple(name for name in slots if name not in Function.__slots__)
        cls._bare, cls._withholding = stores_nothing(cls), {}
        cls._uniform = cls.elementwise and (cls._bare or stores_no_result(cls))
        cls._only_reads = None
        # Not those written out for a base.
        cls._pass_back = Function._pass_back  # type: ignore[method-assign]
        cls._pass_back_recorded = Function._pass_back_recorded  # type: ignore[method-assign]

    # `**_` lets type checkers accept whatever parameters a subclass names.
    def forward(self, *xs: Any, **_: Any) -> Any:
        """Compute the result, one array or a tuple of them, from arrays."""
        raise NotImplementedError(f"{type(self).__name__} gives no forward(self, x, ...)")

    def backward(self, *gys: Any, **_: Any) -> Any:
        """Give the gradient of each input from that of each output; None in a tuple for none."""
        raise NotImplementedError(f"{type(self).__name__} gives no backward(self, gy, ...)")

    def keeps_inputs(self, *ys: Any) -> bool:
        """Say whether `backward` will read the inputs that `saves` names, from what `forward` gave.

        Of large arrays an elementwise operator may say no: then `self.xs` holds None for each
        input, whose memory is free. Of small ones it is not always asked.
        """
        return True

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
        return record(self._unrecorded_copy() if hasattr(self, "_count") else self, inputs)

    def __str__(self) -> str:
        """Name the operator and its plugin."""
        return default_registry().owner(type(self))

    @property
    def _edges(self) -> tuple[Edge | None, ...]:
        """Where the gradient of each input goes; None for a constant.

        One or two stand in slots of their own: a tuple is one more object for the collector
        to track, which costs 0.2 us an operation while a large graph grows.
        """
        if self._count == 2:
            return self._edge0, self._edge1
        return (self._edge0,) if self._count == 1 else self._all_edges

    @_edges.setter
    def _edges(self, edges: tuple[Edge | None, ...]) -> None:
        self._count = len(edges)
        if len(edges) == 2:
            self._edge0, self._edge1 = edges
        elif len(edges) == 1:
            (self._edge0,) = edges
        else:
            self._all_edges = edges

    @property
    def needs_grad(self) -> tuple[bool, ...]:
        """For each input, whether its gradient is wanted; constants need none."""
        if self._count == 2:  # a third of the general way's time
            return self._edge0 is not None, self._edge1 is not None
        return tuple([edge is not None for edge in self._edges])

    def _pass_back(self, gy: Any, on_its_way: Pass) -> None:
        """Pass a gradient back in a plain pass; where the operator has a helper, written out like it."""
        if self._uniform and type(gy) is np.ndarray and gy.size > LARGE:
            large.postpone(on_its_way, self, gy)
        else:
            on_its_way.step(self, (gy,))

    def _pass_back_recorded(self, gy: Any, on_its_way: Pass) -> None:
        """Pass a gradient back in a recorded pass; written out, too."""
        on_its_way.step(self, (gy,))

    @property
    def inputs(self) -> tuple[Variable, ...]:
        """The input Variables: the very ones, as long as somebody holds them."""
        edges = self._edges
        xs = self.xs if self._saves_xs else [None] * len(edges)
        return tuple([_variable_at(edge, x) for edge, x in zip(edges, xs, strict=True)])

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

    def _unrecorded_copy(self) -> Function:
        """Copy what `__init__` and `forward` set, without what the last call recorded."""
        made = object.__new__(type(self))
        if self._bare:  # nothing was set, and looking for it would make a __dict__
            return made
        for name in self._own_slots:
            if hasattr(self, name):
                setattr(made, name, getattr(self, name))
        if own := getattr(self, "__dict__", None):
            made.__dict__.update(own)
        return made

    def _backward_on_variables(self, gys: Sequence[Any]) -> Any:
        """Run `backward` on Variables, so that NumPy's protocols record each of its steps."""
        if self.once_differentiable:
            raise HigherOrderError(
                f"{self} is declared once_differentiable: it has no second "
                "derivative, so its backward cannot run with create_graph=True"
            )
        on_variables = self._unrecorded_copy()
        on_variables.generation = self.generation
        on_variables._edges = edges = self._edges
        on_variables._output = self._output
        if self._saves_xs:
            pairs = zip(edges, self.xs)  # noqa: B905, lengths agree
            on_variables.xs = tuple(
                [x if edge is None or x is None else at_edge(edge, x) for edge, x in pairs]
            )
        if self._saves_ys:
            several = [Output(self, i) for i in range(len(self.ys))]
            outputs: Sequence[Edge] = [self] if len(several) == 1 else several
            ys = zip(outputs, self.ys, strict=True)
            on_variables.ys = tuple([at_edge(edge, y) for edge, y in ys])
        if hidden := withheld(self):
            for name in hidden:
                object.__delattr__(on_variables, name)
            on_variables.__class__ = _without(type(self), frozenset(hidden))
        token = differentiating.set(on_variables)
        try:
            return on_variables.backward(*gys)
        finally:
            differentiating.reset(token)

    def _given(self, gys: Sequence[Any]) -> Sequence[Any]:
        """Give gradients as `backward` gets them: such as it may spoil, where it may write."""
        return gys if only_reads(type(self)) else list(map(own_copy, gys))

    def _alone(self) -> Function:
        """Give what a plain `backward` runs on: where it may write, a copy with arrays of its own."""
        if only_reads(type(self)):
            return self
        alone = object.__new__(type(self))
        for name in (*Function.__slots__, *self._own_slots):
            if hasattr(self, name):
                object.__setattr__(alone, name, getattr(self, name))
        if hasattr(self, "__dict__"):
            alone.__dict__ = self.__dict__
        if self._saves_xs:
            alone.xs = own_copies(self.xs)
        if self._saves_ys:
            alone.ys = own_copies(self.ys)
        return alone

    def _gradient(self, gx: Any, create_graph: bool) -> Any:
        """Make an array, or a Variable while the pass is recorded, of what backward returned."""
        if isinstance(gx, Variable):
            if create_graph:
                return gx.taken() if type(gx) is Given else gx
            return gx._array
        if type(gx) is np.float64 and create_graph:
            return new_variable(gx, None, -1)
        try:
            if isinstance(gx, bool | np.bool_):
                raise UnsupportedTypeError(f"{gx} is no derivative")
            gx = as_array(gx)
        except UnsupportedTypeError as error:
            raise GradientError(f"{self}: backward returned {type(gx)} as a gradient: {error}") from None
        return new_variable(gx, None, -1) if create_graph else gx

    def _zeros(self, index: int) -> Array:
        """Make the gradient of an output that nothing used."""
        like = self._outputs_like[index]
        return np.zeros(like.shape, like.dtype if like.dtype.kind in "fc" else np.float64)


def _without(cls: type[Function], names: frozenset[str]) -> type[Function]:
    """Give a class like another, whose instances refuse to give some attributes, and say why.

    A class of its own, since a class with `__getattr__` costs each look-up in it 0.05 us.
    """
    if names not in cls._withholding:
        members: dict[str, Any] = {name: _Withheld(cls, name) for name in names}
        cls._withholding[names] = type(cls.__name__, (cls,), {"__slots__": (), "__module__": cls.__module__})
        for name, member in members.items():
            setattr(cls._withholding[names], name, member)
    return cls._withholding[names]


class _Withheld:
    """An attribute that must not be read, whatever the class itself has by this name."""

    def __init__(self, cls: type[Function], name: str) -> None:
        self.cls, self.name = cls, name

    def __get__(self, function: Any, _: object = None) -> Any:
        raise forbidden(self.cls, self.name, f"self.{self.name}")


def _variable_at(edge: Edge | None, data: Any) -> Variable:
    """Give the Variable at the end of an edge, or one like it with what the call saw."""
    if isinstance(data, Variable):  # inside a backward that is recorded
        return data
    held = holder(edge)
    if held is not None and (data is None or _is_still(held._value, data)):
        return held
    return new_variable(data, None, -1) if edge is None else at_edge(edge, data)


def _is_still(value: Any, data: Any) -> bool:
    """Say whether a Variable's value is what a call saw; of one number, the call may have seen a scalar."""
    return value is data or (type(data) is np.float64 and np.array_equal(value, data, equal_nan=True))
