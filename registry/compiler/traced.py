"""`Traced`: what stands in for an array while a function is traced.

It holds the array, so that shapes and dtypes are NumPy's own, and records each call on
it. It is no subclass of ndarray: what takes the plain array of it is an error, not a
constant that nobody notices. But it says that it is one, to whoever asks by `isinstance`.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from registry.catalog import StandIn
from registry.compiler.values import Attribute, Method, Value, replaced
from registry.numpy_protocol import NumPyProtocol

if TYPE_CHECKING:
    from registry.compiler.trace import Trace

_METHODS = frozenset(
    {
        "all", "any", "argmax", "argmin", "argpartition", "argsort", "astype", "byteswap", "choose", "clip",
        "conj", "conjugate", "copy", "cumprod", "cumsum", "diagonal", "dot", "flatten", "max", "mean", "min",
        "prod", "ravel", "repeat", "reshape", "round", "searchsorted", "squeeze", "std", "sum", "swapaxes",
        "take", "trace", "transpose", "var", "view",
    }
)  # fmt: skip
_WRITING_METHODS = frozenset({"fill", "sort", "partition", "put"})
_ATTRIBUTES = frozenset({"T", "mT", "real", "imag"})
_OF_DATA = "its shape depends on the numbers in the data, and a plan is made for one shape"
_TO_PYTHON = "it would be a constant in every later call"
_CHOOSE = "compute with arrays, choose by np.where, or leave this part out of the compiled function"
_REFUSED_METHODS = {
    **dict.fromkeys(("item", "tolist", "tobytes", "tofile", "dump", "dumps", "flat"), _TO_PYTHON),
    **dict.fromkeys(("nonzero", "compress", "resize"), _OF_DATA),
}
_OF_MEMORY = {"__array_interface__", "__array_struct__", "__dlpack__", "__dlpack_device__"}
# What asks only for shapes and dtypes, which a plan is made for.
_OF_LAYOUT: frozenset[Any] = frozenset(
    {np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.iscomplexobj, np.isrealobj, np.common_type,
     np.may_share_memory, np.shares_memory, np.min_scalar_type}
)  # fmt: skip
_REFUSED_FUNCTIONS: frozenset[Any] = frozenset(
    {np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.unique_all, np.unique_counts, np.unique_inverse,
     np.unique_values, np.extract, np.compress, np.intersect1d, np.setdiff1d, np.setxor1d, np.union1d,
     np.trim_zeros, np.histogram_bin_edges, np.roots, np.bincount}
)  # fmt: skip
_BY_COUNTS: frozenset[Any] = frozenset({np.repeat, np.delete, np.insert, np.tile, np.array_split, np.split})
_WRITING_FUNCTIONS: frozenset[Any] = frozenset(
    {np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis}
)


class Traced(StandIn):
    """An array or a number whose calls of NumPy are recorded; see `traced` for its kinds."""

    __slots__ = ("_place", "_trace", "_value")

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """What `isinstance` is told by: the class of the array, for all code but the library's own."""
        return type(self) if _is_ours(sys._getframe(1)) else type(self._value)

    def __init__(self, trace: Trace, place: Value, value: Any) -> None:
        self._trace = trace
        self._place = place
        self._value = value

    def _record(self, call: Callable[..., Any], *args: Any, writes: Any = (), **kwargs: Any) -> Any:
        return self._trace.call(call, args, kwargs, writes)

    def _refusal(self, what: str) -> Exception:
        return self._trace.refusal(what, _CHOOSE)

    @property
    def weak(self) -> bool:
        return isinstance(self._value, int | float | complex) and not isinstance(self._value, np.generic)

    @property
    def promoted(self) -> Any:
        return type(self._value)(1) if self.weak else self.dtype

    def strong(self) -> Any:
        return self._record(np.asarray, self) if self.weak else self

    def converted(self, dtype: Any) -> Any:
        return self._record(np.asarray, self, dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self._value)

    @property
    def ndim(self) -> int:
        return np.ndim(self._value)

    @property
    def size(self) -> int:
        return int(np.size(self._value))

    @property
    def dtype(self) -> Any:
        return np.asarray(self._value).dtype

    @property
    def itemsize(self) -> int:
        return int(self.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        return np.asarray(self._value).strides

    @property
    def flags(self) -> Any:
        return np.asarray(self._value).flags

    def __repr__(self) -> str:
        if _is_ours(sys._getframe(1)):  # in a message
            return f"traced({self._place.layout})"
        return self.__str__()

    def __str__(self) -> str:
        raise self._refusal(f"a text is made of it: {_TO_PYTHON}")

    def __format__(self, spec: str) -> str:
        return self.__str__()

    def __getattr__(self, name: str) -> Any:
        if name in _REFUSED_METHODS:
            raise self._refusal(f"'.{name}' is read: {_REFUSED_METHODS[name]}")
        if name in _METHODS:
            return partial(self._method, name)
        if name in _WRITING_METHODS:
            return partial(self._record, Method(name), self, writes=(self,))
        if name in _ATTRIBUTES:
            return self._record(Attribute(name), self)
        if name in _OF_MEMORY and hasattr(type(self._value), name):
            return self.__array__()
        if not name.startswith("__") and hasattr(type(self._value), name):
            raise self._refusal(f"'.{name}' is read, which no plan follows")
        raise AttributeError(f"a traced array has no attribute {name!r}", name=name, obj=self)

    def _method(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "repeat" and traced_in((args, kwargs)):
            raise self._refusal(f"the result of repeat is asked for: {_OF_DATA}")
        out = kwargs.get("out")
        return self._record(Method(name), self, *args, writes=() if out is None else (out,), **kwargs)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if of_variables((inputs, kwargs)):
            return NotImplemented
        out = tuple([x for x in kwargs.get("out", ()) if x is not None])
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        return self._record(function, *inputs, writes=inputs[:1] if method == "at" else out, **kwargs)

    def __array_function__(
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if any(issubclass(kind, NumPyProtocol) for kind in types):
            return NotImplemented
        if function in _OF_LAYOUT:
            return function(*replaced(args, concrete), **replaced(kwargs, concrete))
        by_data = function in _REFUSED_FUNCTIONS or (function is np.where and len(args) + len(kwargs) == 1)
        if by_data or (function in _BY_COUNTS and traced_in((args[1:], kwargs))):
            raise self._refusal(f"the result of np.{function.__name__} is asked for: {_OF_DATA}")
        out = kwargs.get("out")
        writes = args[:1] if function in _WRITING_FUNCTIONS else () if out is None else (out,)
        return self._record(function, *args, writes=writes, **kwargs)

    def __getitem__(self, index: Any) -> Any:
        for part in index if isinstance(index, tuple) else (index,):
            if isinstance(part, slice) and traced_in(part):
                raise self._refusal(f"a slice has ends that depend on the arguments: {_OF_DATA}")
            if isinstance(part, Traced) and part.dtype.kind == "b":
                raise self._refusal(f"elements are taken by a mask: {_OF_DATA}")
        return self._record(operator.getitem, self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._record(operator.setitem, self, index, value, writes=(self,))

    def __copy__(self) -> Any:
        return self._method("copy")

    def __deepcopy__(self, memo: Any) -> Any:
        return self._method("copy")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise self._refusal(f"a plain array is made (np.asarray, np.array, or code in C): {_TO_PYTHON}")

    def __bool__(self) -> bool:
        return self._trace.branch(self)

    def _as_number(self, *_: Any) -> Any:
        raise self._refusal(f"a Python number is made: {_TO_PYTHON}")

    __float__ = __int__ = __complex__ = __index__ = __round__ = __trunc__ = __floor__ = __ceil__ = _as_number
    __hash__ = None  # type: ignore[assignment]


class TracedArray(Traced):
    """An array; only these have a length."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self))) if self.ndim else iter(self._value)

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())


class TracedNumber(Traced):
    """A number, NumPy's or Python's, with the attributes of such a number."""

    __slots__ = ()
    __iter__ = None  # or Python would try its entries

    def __getattribute__(self, name: str) -> Any:
        get = super().__getattribute__
        if _is_ours(sys._getframe(1)):
            return type(self) if name == "__class__" else get(name)
        kind = type(get("_value"))
        if not hasattr(kind, name):
            raise AttributeError(f"a traced array has no attribute {name!r}", name=name, obj=self)
        return kind if name == "__class__" else get(name)


def traced(trace: Trace, place: Value, value: Any) -> Traced:
    """Make what stands in for an array or a number."""
    kind = TracedArray if isinstance(value, np.ndarray) else TracedNumber if is_number(value) else Traced
    return kind(trace, place, value)


def is_number(x: Any) -> bool:
    """Say whether something is a number, NumPy's or Python's."""
    return isinstance(x, np.generic | bool | int | float | complex)


def _is_ours(frame: FrameType) -> bool:
    """Say whether code is the library's, which knows stand-ins."""
    package = str(frame.f_globals.get("__name__")).partition(".")[0]
    return package in ("registry", "ops_builtin") or frame.f_code.co_filename.startswith("<opregistry")


def concrete(x: Any) -> Any:
    """Give the plain array of a traced one; anything else as it is."""
    return x._value if isinstance(x, Traced) else x


def traced_in(tree: Any) -> list[Traced]:
    """Give the traced arrays in a structure."""
    return _found(tree, Traced)


def of_variables(tree: Any) -> bool:
    """Say whether Variables take part, which then record the call themselves."""
    return bool(_found(tree, NumPyProtocol))


def _found(tree: Any, kind: type) -> list[Any]:
    found: list[Any] = []
    replaced(tree, lambda x: found.append(x) if isinstance(x, kind) else None)
    return found


def _operator(call: Callable[..., Any], *, reflected: bool = False) -> Callable[..., Any]:
    def method(self: Traced, *other: Any) -> Any:
        if isinstance(other[0] if other else None, NumPyProtocol):
            return NotImplemented
        return self._record(call, *other, self) if reflected else self._record(call, self, *other)

    return method


def _in_place(call: Callable[..., Any], in_place: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Traced, other: Any) -> Any:
        if isinstance(other, NumPyProtocol):
            return NotImplemented
        if isinstance(self._value, np.ndarray):
            return self._record(in_place, self, other, writes=(self,))
        return self._record(call, self, other)

    return method


_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift")
for _name in (*_BINARY, "rshift"):
    _call = getattr(operator, f"__{_name}__")
    setattr(Traced, f"__{_name}__", _operator(_call))
    setattr(Traced, f"__r{_name}__", _operator(_call, reflected=True))
    setattr(Traced, f"__i{_name}__", _in_place(_call, getattr(operator, f"__i{_name}__")))
for _name in ("lt", "le", "gt", "ge", "eq", "ne", "neg", "pos", "abs", "invert"):
    setattr(Traced, f"__{_name}__", _operator(getattr(operator, f"__{_name}__")))
for _name, _reflected in (("__divmod__", False), ("__rdivmod__", True)):
    setattr(Traced, _name, _operator(np.divmod, reflected=_reflected))
