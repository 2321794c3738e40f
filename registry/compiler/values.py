"""What a traced program is made of: values, and the steps that compute them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np


class Memory:
    """What values that may share memory have in common: whether a step writes there."""

    def __init__(self) -> None:
        self._joined: Memory | None = None
        self._written = self._outside = False

    def root(self) -> Memory:
        """Give the one that all joined ones agree on."""
        memory = self
        while memory._joined is not None:
            memory = memory._joined
        return memory

    def join(self, other: Memory) -> None:
        """Say that this one and another may be the same."""
        one, two = self.root(), other.root()
        if one is not two:
            two._joined = one
            one._written |= two._written
            one._outside |= two._outside

    @property
    def written(self) -> bool:
        """Whether a step writes into it."""
        return self.root()._written

    @property
    def outside(self) -> bool:
        """Whether it is that of an argument or a constant."""
        return self.root()._outside

    def write(self) -> None:
        """Say that a step writes into it."""
        self.root()._written = True


class Layout(NamedTuple):
    """What is known of a value before it is computed."""

    kind: str  # "array"; "scalar" of NumPy; Python's "number"; "object" that holds a call of an operator
    shape: tuple[int, ...] = ()
    dtype: np.dtype[Any] | None = None
    strides: tuple[int, ...] = ()
    own: bool = False  # whether it has memory of its own that may be written into

    @classmethod
    def of(cls, x: Any) -> Layout:
        """Describe an array, a number, or what else a step gives."""
        if isinstance(x, np.ndarray):
            own = x.flags.owndata and x.flags.writeable
            return cls("array", x.shape, x.dtype, x.strides, own)
        if isinstance(x, np.generic):
            return cls("scalar", (), x.dtype)
        return cls("number") if isinstance(x, bool | int | float | complex) else cls("object")

    def __str__(self) -> str:
        if self.kind == "array":
            return f"{self.dtype} {self.shape}"
        return str(self.dtype) if self.kind == "scalar" else self.kind


@dataclass(eq=False, slots=True)
class Value:
    """An argument, a constant, or what a step gives."""

    layout: Layout
    memory: Memory = field(default_factory=Memory)
    step: Step | None = None
    constant: Any = None

    @property
    def is_constant(self) -> bool:
        """Whether it was known when the function was traced."""
        return self.constant is not None

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape; that of a number is ()."""
        return self.layout.shape

    @property
    def dtype(self) -> Any:
        """Type of its elements; None of a Python number, which takes that of what it meets."""
        return self.layout.dtype

    @property
    def size(self) -> int:
        """How many elements it has."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """How many bytes they take."""
        return self.size * self.dtype.itemsize if self.dtype is not None else 0


@dataclass(eq=False, slots=True)
class Step:
    """A call of NumPy, or of an operator as a whole.

    `args` and `kwargs` hold values in place of arrays, in whatever structure the call
    takes them. `several` says that it gives a tuple or list, `errors` how NumPy's error
    state differs from that at the beginning, `settled` that nothing it reads or gives is
    written into from there on.
    """

    call: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outs: list[Value]
    several: bool = False
    writes: tuple[Value, ...] = ()
    errors: tuple[tuple[str, Any], ...] = ()
    line: str = ""
    settled: bool = True

    def inputs(self) -> Iterator[Value]:
        """Give the values that it reads, with repetitions; those that an operator's instance keeps, too."""
        for value in (*values_in(self.args), *values_in(self.kwargs)):
            yield value
            if value.layout.kind == "object" and value.step is not None:
                yield from value.step.inputs()
                yield from value.step.outs

    @property
    def name(self) -> str:
        """What the call is called."""
        if (name := INFIX_NAMES.get(self.call)) is not None:
            return name
        owner = getattr(self.call, "__self__", None)
        name = getattr(self.call, "__name__", None) or str(self.call)
        return f"{owner.__name__}.{name}" if isinstance(owner, np.ufunc) else name


@dataclass(frozen=True)
class Method:
    """The call of a method of an array."""

    __name__: str

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(x, self.__name__)(*args, **kwargs)


@dataclass(frozen=True)
class Attribute:
    """The reading of an attribute of an array."""

    __name__: str

    def __call__(self, x: Any) -> Any:
        return getattr(x, self.__name__)


@dataclass(frozen=True)
class Branch:
    """The question which way the function goes: a plan is for one answer."""

    way: bool
    __name__: str = "branch"

    def __call__(self, x: Any) -> bool:
        return bool(x) is self.way


@dataclass
class Program:
    """A traced function: from the values of its arguments to those of its results."""

    arguments: list[Value]
    steps: list[Step]
    results: list[Value]

    def settle(self) -> None:
        """Find which steps touch nothing that is still written into."""
        still: set[Memory] = set()
        for step in reversed(self.steps):
            still.update(target.memory.root() for target in step.writes)
            touched = {value.memory.root() for value in (*step.inputs(), *step.outs)}
            step.settled = still.isdisjoint(touched)


INFIX: dict[Any, np.ufunc] = {
    operator.add: np.add,
    operator.sub: np.subtract,
    operator.mul: np.multiply,
    operator.truediv: np.true_divide,
    operator.floordiv: np.floor_divide,
    operator.mod: np.remainder,
    operator.pow: np.power,
    operator.matmul: np.matmul,
    operator.and_: np.bitwise_and,
    operator.or_: np.bitwise_or,
    operator.xor: np.bitwise_xor,
    operator.lshift: np.left_shift,
    operator.rshift: np.right_shift,
    operator.lt: np.less,
    operator.le: np.less_equal,
    operator.gt: np.greater,
    operator.ge: np.greater_equal,
    operator.eq: np.equal,
    operator.ne: np.not_equal,
    operator.neg: np.negative,
    operator.pos: np.positive,
    operator.abs: np.absolute,
    operator.invert: np.invert,
}
INFIX_NAMES = {call: ufunc.__name__ for call, ufunc in INFIX.items()}


def values_in(tree: Any) -> Iterator[Value]:
    """Give the values in nested tuples, lists, dicts and slices."""
    if isinstance(tree, Value):
        yield tree
    elif isinstance(tree, tuple | list):
        for branch in tree:
            yield from values_in(branch)
    elif isinstance(tree, dict):
        for branch in tree.values():
            yield from values_in(branch)
    elif isinstance(tree, slice):
        yield from values_in((tree.start, tree.stop, tree.step))


def replaced(tree: Any, leaf: Callable[[Any], Any]) -> Any:
    """Apply a function to what nested tuples, lists, dicts and slices hold."""
    if isinstance(tree, tuple):
        branches = [replaced(branch, leaf) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else tuple(branches)
    if isinstance(tree, list):
        return [replaced(branch, leaf) for branch in tree]
    if isinstance(tree, dict):
        return {key: replaced(branch, leaf) for key, branch in tree.items()}
    if isinstance(tree, slice):
        return slice(*[replaced(part, leaf) for part in (tree.start, tree.stop, tree.step)])
    return leaf(tree)
