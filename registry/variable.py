"""`Variable`: an array that remembers how it came about."""

from __future__ import annotations

from copy import deepcopy
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np

from registry.augmented import AugmentedAssignment
from registry.backward import Pass, copied, run_backward
from registry.catalog import StandIn
from registry.edges import Edge, Leaf, Output, unchain_behind
from registry.errors import (
    ConversionError,
    GradientError,
    NotRecordedError,
    UnsupportedTypeError,
    did_you_mean,
)
from registry.modes import advice, differentiating, recording
from registry.numpy_protocol import Array, NumPyProtocol, implementation, left_behind
from registry.state import default_registry

if TYPE_CHECKING:
    from registry.function import Function


_ONE = np.float64(1)
_new = object.__new__


class Variable(AugmentedAssignment, NumPyProtocol):
    """An array, its gradient, and the function that made it.

    Parameters
    ----------
    data : numpy.ndarray or None
        Booleans or numbers of any shape; or an array of a type that a plugin registered.
    name : str, optional
        Shown where the Variable is.

    Attributes
    ----------
    data : numpy.ndarray or None
        The array itself, not a copy; assigning checks the type again.
    grad : numpy.ndarray, Variable or None
        What `backward` added up: of `data`'s shape, and of its dtype where that is
        floating or complex. A Variable after ``backward(create_graph=True)``.
    name : str or None
        As given.

    Raises
    ------
    UnsupportedTypeError
        If `data` is a Python number, a list, an array of objects or strings, ...

    Examples
    --------
    >>> import numpy as np
    >>> from registry import Variable
    >>> x = Variable(np.array([1.0, 2.0]), name="x")
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> y, x.grad
    (variable(5.0), array([2., 4.]))
    """

    __slots__ = ("__weakref__", "_aliases", "_node", "_why_leaf", "grad", "name")

    # Value, edge and generation, which a call reads at once: 0.2 us less an operation than
    # three attributes of a class with __getattr__. The edge of a constant is None.
    _node: tuple[Any, Edge | None, int]
    _why_leaf: str
    _aliases: Any  # held by all Variables on one memory, once one is a view of another; see `augmented`
    grad: Any

    def __init__(self, data: Array | None, name: str | None = None) -> None:
        self._node = checked_data(data), Leaf(self), 0
        self.grad = self._aliases = None
        self.name = name

    @property
    def data(self) -> Any:
        """The plain array; whoever reads it leaves the recorded computation."""
        if differentiating.get() is not None:
            raise left_behind("reads '.data' of a Variable")
        return self._array

    @data.setter
    def data(self, data: Array | None) -> None:
        value: Any = checked_data(data)
        before, edge, generation = self._node
        if generation > 0 and getattr(value, "shape", None) != self.shape:
            raise GradientError(
                f"{self.name or 'this Variable'} is the result of {self.creator} and has shape {self.shape}: "
                f"data of shape {getattr(value, 'shape', None)} would have a gradient that the operator "
                "cannot pass back; make another Variable, or call unchain() first"
            )
        if any(getattr(value, what, None) != getattr(before, what, None) for what in ("shape", "dtype")):
            Pass.compares = True
        self._node = value, edge, generation

    @property
    def _array(self) -> Any:
        """The data as an array: a result of one number is kept as NumPy's scalar until somebody asks."""
        value, edge, generation = self._node
        if type(value) is np.float64:
            value = np.asarray(value)
            self._node = value, edge, generation
        return value

    @property
    def _value(self) -> Any:
        return self._node[0]

    @property
    def _edge(self) -> Edge | None:
        return self._node[1]

    @property
    def generation(self) -> int:
        """0 for a leaf, one more than that of the function that made it otherwise, -1 for a constant."""
        return self._node[2]

    @property
    def creator(self) -> Function | None:
        """The function that made this Variable, or None for a leaf."""
        edge = self._node[1]
        if edge is None or type(edge) is Leaf:
            return None
        return edge.function if type(edge) is Output else edge  # type: ignore[return-value]

    def set_creator(self, function: Function) -> None:
        """Say by hand which function made this Variable."""
        self._node = self._node[0], function, function.generation + 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data."""
        return self._value.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._value.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._value.size  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self._value.dtype  # type: ignore[no-any-return]

    @property
    def T(self) -> Any:
        """The Variable with its axes reversed."""
        return implementation(np.transpose)(self)

    @property
    def mT(self) -> Any:
        """The Variable with its last two axes swapped."""
        return implementation(np.matrix_transpose)(self)

    @property
    def real(self) -> Any:
        """The real part."""
        return implementation(np.real)(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return implementation(np.imag)(self)

    def __len__(self) -> int:
        return len(self._array)

    def __repr__(self) -> str:
        return f"variable({self._value})".replace("\n", "\n" + " " * 9)

    def _repr_html_(self) -> str:
        """Show value, gradient and graph in a notebook."""
        from registry.graph.notebook import html_of

        return html_of(self)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def item(self, *index: int) -> bool | int | float | complex:
        """Give one element as a Python number: the only one, or that at an index."""
        return self.data.item(*index)  # type: ignore[no-any-return]

    def tolist(self) -> Any:
        """Give the numbers in nested lists."""
        return self.data.tolist()

    def __getattr__(self, name: str) -> Any:
        helper = None if name.startswith("_") else default_registry().methods[name]
        if helper is None:
            raise AttributeError(
                f"a Variable has no attribute {name!r}, and no operator has this method{_hint(name)}"
            )
        return MethodType(helper, self)

    def __dir__(self) -> list[str]:
        default_registry().load()
        return sorted({*super().__dir__(), *default_registry().catalog.methods})

    def cleargrad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def unchain(self) -> None:
        """Forget how this Variable came about: make it a leaf."""
        if type(self._edge) is not Leaf or self._edge() is not self:
            self._node = self._node[0], Leaf(self), 0

    def unchain_backward(self) -> None:
        """Cut the graph behind this Variable, so that its arrays can go."""
        if self.creator is not None:
            unchain_behind(self.creator)

    def backward(self, retain_grad: bool = False, create_graph: bool = False) -> None:
        """Add this Variable's gradient to `grad` of every leaf that it came from.

        The gradient of a Variable with several elements is that of their sum; set
        `grad` first to weigh them.

        Parameters
        ----------
        retain_grad : bool
            Keep the gradients of the Variables in between, too.
        create_graph : bool
            Record the pass, so that the gradients can be differentiated again.

        Raises
        ------
        NotRecordedError
            If nothing recorded this Variable.
        GradientError
            If an operator's backward returns what does not fit its inputs.
        HigherOrderError
            If `create_graph` meets an operator that has no second derivative.
        TypeError
            If a gradient is given in place of the switches.

        Notes
        -----
        After an error, every `grad` is as it was.
        """
        if type(retain_grad) is not bool or type(create_graph) is not bool:
            raise TypeError(
                "backward takes the switches retain_grad and create_graph; to weigh the result's elements, "
                "set its grad first, or use registry.vjp"
            )
        value, edge, _ = self._node  # properties would take 1 us together
        if edge is None or type(edge) is Leaf:
            raise NotRecordedError(
                f"{self.name or 'this Variable'} has nothing to differentiate: "
                f"{self._leaf_reason()}; backward starts from a result that an operator "
                "computed from Variables while recording was on"
            )
        seed = _ONE if type(value) is np.float64 and self.grad is None else self._seed()
        if create_graph and not isinstance(seed, Variable):
            seed = new_variable(seed, None, -1)
        run_backward(self, edge, seed, retain_grad, create_graph)

    def _is_given(self) -> bool:
        """Say whether this is a leaf that no operator gave, such as a parameter."""
        edge = self._node[1]
        return type(edge) is Leaf and edge() is self and not hasattr(self, "_why_leaf")

    def _arrays_of_call(self) -> list[Any]:
        """Give the arrays that the call which gave this Variable keeps."""
        function = self.creator
        if function is None:
            return []
        return [*function._inputs_like, *(function.ys if function._saves_ys else ())]

    def _leaf_reason(self) -> str:
        try:
            return self._why_leaf
        except AttributeError:
            if self._edge is None:
                return "every input was a constant (an array or a number, not a Variable)"
            return "it is a leaf, which nothing computed"

    def _seed(self) -> Any:
        if self.grad is None:
            value = self._value
            if type(value) is not np.ndarray:
                return _ones_like(value)
            ones = np.empty(value.shape, value.dtype if value.dtype.kind in "fc" else np.float64)
            ones.fill(1)  # a third of the time of np.ones
            return ones
        seed = self.grad if isinstance(self.grad, Variable) else as_array(self.grad)
        if seed.dtype.kind == "c" and self.dtype.kind != "c":
            raise GradientError(
                f"the grad set on {self.name or 'this Variable'} is complex, but the data is {self.dtype}; "
                "set a real one"
            )
        if isinstance(seed, np.ndarray) and self.dtype.kind in "fc":
            seed = seed.astype(self.dtype, copy=False)
        if seed.shape != self.shape:
            raise GradientError(
                f"the grad set on {self.name or 'this Variable'} has shape {seed.shape}, "
                f"but the data has {self.shape}; set one of the data's shape"
            )
        return seed

    def __copy__(self) -> Variable:
        """Give a Variable of the same array: a result at its place in the graph, a leaf as another leaf."""
        return self._copied(self._array)

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        """Give one with an array of its own: a result at its place in the graph, a leaf as another leaf."""
        data = self._array
        return self._copied(data if data is None else copied(data), memo)

    def __reduce__(self) -> Any:
        """Pickle value, name and gradient, without the graph: what comes out is a leaf.

        Raises
        ------
        HigherOrderError
            Inside a backward that is being recorded.
        ConversionError
            Of what depends on the argument of a function that is being differentiated: its
            gradient would be lost.
        """
        if self.creator is not None:
            from registry.tracing import depends_on_arguments  # which is above this module

            if depends_on_arguments(self):
                raise ConversionError(
                    "pickling a Variable would lose its gradient inside a function that is being "
                    "differentiated; use copy.deepcopy, return it, or take the plain array with '.data'"
                )
        return _restored, (type(self), self.data, self.name, self.grad), getattr(self, "__dict__", None)

    def _copied(self, data: Any, memo: dict[int, Any] | None = None) -> Variable:
        """Give a copy that holds `data`; its other attributes are copied deeply where there is a memo.

        What a recorded backward copies stays at its place in the graph, too: a leaf of
        its own would be a constant to the next derivative.
        """
        made = _new(type(self))
        _, edge, generation = self._node
        is_leaf = type(edge) is Leaf and edge() is self
        if differentiating.get() is None and (is_leaf or (edge and not recording.get())):
            edge, generation = Leaf(made), 0
        made._node, made._aliases = (data, edge, generation), None
        if memo is not None:
            memo[id(self)] = made
        rest = self.name, self.grad, getattr(self, "__dict__", None)
        made.name, made.grad, own = rest if memo is None else deepcopy(rest, memo)
        if own is not None:
            made.__dict__.update(own)
        return made

    def _with_own_array(self) -> Variable:
        """Give the same value, with an array of its own, at the same place in the graph."""
        value, edge, generation = self._node
        return new_variable(value if type(value) is np.float64 else value.copy(), edge, generation)


def _ones_like(value: Any) -> Any:
    try:
        return np.ones_like(value)
    except TypeError as error:  # of a registered array type that NumPy's functions do not take
        raise GradientError(
            f"backward starts from np.ones_like of the data, and {type(value)} is not taken there "
            f"({error}); set grad first"
        ) from None


_IN_PLACE = frozenset({"fill", "itemset", "partition", "put", "resize", "setfield", "setflags", "sort"})


def _hint(name: str) -> str:
    if name in _IN_PLACE:
        return "; it writes into an array, and a Variable is never written into"
    if hasattr(np.ndarray, name):
        return "; " + advice(f"'.data.{name}' is that of the plain array, without a gradient")
    return "" if name.startswith("_") else did_you_mean(name, dir(Variable(None)))


def _restored(cls: type[Variable], data: Any, name: str | None, grad: Any) -> Variable:
    variable = _new(cls)
    variable._node, variable._aliases = (data, Leaf(variable), 0), None
    variable.name, variable.grad = name, grad
    return variable


def new_variable(data: Any, edge: Edge | None, generation: int) -> Variable:
    """Make a Variable without checking its data, as an operator's result."""
    variable = _new(Variable)
    variable._node = data, edge, generation
    variable.grad = variable.name = variable._aliases = None
    return variable


def checked_data(data: Any) -> Any:
    """Let through what may be the data of a Variable; refuse the rest by name.

    Raises
    ------
    UnsupportedTypeError
        The message says what to pass instead.
    """
    if data is None:
        return data
    kind = type(data)
    if isinstance(data, np.ndarray):
        if kind is np.ndarray and data.dtype.kind in "biufc":
            return data
        odd = {cls.__name__ for cls in kind.__mro__} & {"MaskedArray", "matrix"}
        if data.dtype.kind in "biufc" and not odd:
            return data
        what = f"{kind} is not supported" if odd else f"an array of dtype {data.dtype} is not supported"
        raise UnsupportedTypeError(f"{what}; a Variable holds a plain array of booleans or numbers")
    if isinstance(data, NumPyProtocol):
        raise UnsupportedTypeError(f"{kind} is not supported as data: it is a Variable already")
    if isinstance(data, StandIn):
        return data
    registry = default_registry()
    if registry.is_array_type(kind):
        return _whole(data)
    raise UnsupportedTypeError(
        f"{kind} is not supported; pass a numpy.ndarray, for example Variable(np.array({_short(data)}))"
        + registry.why_no_array_type(kind)
    )


def _whole(data: Any) -> Any:
    """Let through an array of a registered type that has what an array must have."""
    if missing := [name for name in ("shape", "dtype", "ndim", "size") if not hasattr(data, name)]:
        raise UnsupportedTypeError(
            f"{type(data)} is registered as an array type, but this one has no {' and no '.join(missing)}"
        )
    return data


def _short(data: Any) -> str:
    text = repr(data) if isinstance(data, int | float | complex | list | tuple) else "..."
    return text if len(text) <= 40 else "..."


def as_array(data: Any) -> Any:
    """Make an array of a NumPy or Python scalar; give any other supported data as it is.

    Raises
    ------
    UnsupportedTypeError
        If `data` is neither.
    """
    if isinstance(data, np.generic | int | float | complex):
        data = np.asarray(data)
    elif isinstance(data, StandIn):
        return data.strong()
    return checked_data(data)


def as_variable(data: Any) -> Variable:
    """Make a Variable of an array or scalar; give a Variable as it is."""
    return data if isinstance(data, Variable) else Variable(as_array(data))


def at_edge(edge: Edge, data: Any) -> Variable:
    """Make a Variable at the end of an edge, beside the one that people may hold."""
    return new_variable(data, edge, edge.generation + 1)
