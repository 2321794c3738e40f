"""How Variables take part in NumPy code: Python's operators, `np.` calls, conversions.

Each operator and each NumPy call goes to whatever implements that NumPy function in
the registry; conversions that would lose the gradient are refused.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Container, Iterable, Iterator
from functools import partial, update_wrapper
from inspect import signature
from types import FunctionType, NoneType
from typing import Any, NoReturn, TypeAlias

import numpy as np

from registry import state
from registry.catalog import StandIn, function_name
from registry.errors import ConversionError, HigherOrderError, NoOperatorError
from registry.modes import advice, differentiating
from registry.state import default_registry

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


_PLAIN = frozenset((NoneType, bool, int, float, complex, str, np.ndarray, np.float64))
_ARRAY_LIKE = (np.ndarray, np.generic, int, float, complex, list, tuple)
_ONCE = "declare once_differentiable = True"
_USUAL = frozenset((bool, int, float, complex, str, list, tuple, np.ndarray, *np.sctypeDict.values()))


def implementation(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give what a NumPy function reaches when it is called on a Variable."""
    return default_registry().calls[function]


def plain(value: Any) -> Any:
    """Replace every Variable in nested tuples, lists, dicts and slices by its array.

    Raises
    ------
    HigherOrderError
        Inside a `backward` that is being recorded, if one holds floating or complex numbers.
    """
    if type(value) in _PLAIN:
        return value
    if type(value) is slice:
        return slice(plain(value.start), plain(value.stop), plain(value.step))
    if isinstance(value, NumPyProtocol):
        if differentiating.get() is not None and getattr(value._value, "dtype", np.dtype(float)).kind in "fc":
            raise left_behind("takes the plain array of a Variable")
        return value._array
    if hasattr(value, "_fields"):
        return type(value)(*map(plain, value))
    if isinstance(value, tuple | list):
        return type(value)(map(plain, value))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def left_behind(what: str) -> HigherOrderError:
    """Give the error of a `backward` that is being recorded and takes the plain array of a Variable."""
    return HigherOrderError(
        f"{default_registry().owner(type(differentiating.get()))}: 'backward' {what}, which is a constant to "
        "the second derivative; compute with self.xs, self.ys and the gradients themselves, or declare "
        "once_differentiable = True"
    )


def on_plain_values(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make the call for a constant function: on arrays, with an array as its result."""

    def call(*args: Any, **kwargs: Any) -> Any:
        backward = differentiating.get()
        if backward is None:
            return function(*plain(args), **plain(kwargs))
        differentiating.set(None)  # its result is a constant anyway
        try:
            return function(*plain(args), **plain(kwargs))
        finally:
            differentiating.set(backward)

    return call


def memory(array: Any) -> Any:
    """Give the array whose memory this one's is: itself, or what it is a view of."""
    return array if array.base is None else array.base


class NumPyProtocol:
    """What `Variable` inherits to behave like an array in Python and NumPy code."""

    __slots__ = ()
    _value: Any
    _array: Any
    _with_own_array: Callable[[], Any]

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            return state.default.calls[ufunc](*inputs)
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        call = implementation(function)
        if kwargs:
            kwargs = supported(function_name(function), kwargs, signature(call).parameters)
        return call(*inputs, **kwargs)

    def __array_function__(
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        return implementation(function)(*args, **kwargs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        from registry.conversions import lost_gradient  # only an error pays for its import

        usual = "call an operator (np.stack for a list of Variables, or see 'opregistry ops')"
        lost = lost_gradient("a NumPy array", usual)
        raise ConversionError(lost + ", or " + advice("take the plain array with '.data'", _ONCE))

    def _as_number(self) -> NoReturn:
        from registry.conversions import lost_gradient

        usual = "call NumPy's functions, which record (np.sin for math.sin)"
        lost = lost_gradient("a Python number", usual)
        raise ConversionError(lost + ", or " + advice("take the plain number with '.item()'", _ONCE))

    __float__ = __int__ = __complex__ = _as_number

    def __index__(self) -> NoReturn:
        from registry.conversions import INTEGER, lost_gradient

        lost = lost_gradient(INTEGER, "an index, axis or size carries none: give it as a plain one")
        raise ConversionError(lost + ", or " + advice("take the plain number with '.item()'", _ONCE))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i, _ in enumerate(self._array))

    def __contains__(self, value: Any) -> bool:
        return bool(np.any(self._array == plain(value)))

    def __getitem__(self, index: Any) -> Any:
        return implementation(operator.getitem)(self, index)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        try:
            helper = implementation(operator.setitem).__name__
            instead = f"v = ops.{helper}(v, value, index)"
        except NoOperatorError:
            instead = "v = np.where(mask, value, v)"
        raise ConversionError(
            "a Variable is not assigned to in place, because what was recorded would change; "
            f"make a new one: {instead}"
        )

    def __eq__(self, other: object) -> Any:
        """Compare elements with an array or a number; with another Variable, identity.

        So Variables are found in sets, dicts and lists of Variables.
        """
        if isinstance(other, NumPyProtocol):
            return self._is(other)
        return state.default.calls[np.equal](self, other) if _has_elements(other) else NotImplemented

    def __ne__(self, other: object) -> Any:
        if isinstance(other, NumPyProtocol):
            return not self._is(other)
        return state.default.calls[np.not_equal](self, other) if _has_elements(other) else NotImplemented

    def _is(self, other: NumPyProtocol) -> bool:
        if self is not other and differentiating.get() is not None:
            raise HigherOrderError(
                "'==' of Variables compares identity, so backward would go another way here than "
                "with arrays; write np.equal(a, b)"
            )
        return self is other

    __hash__ = object.__hash__

    def __lt__(self, other: Any) -> Any:
        return _operated("__lt__", np.less, self, other)

    def __le__(self, other: Any) -> Any:
        return _operated("__le__", np.less_equal, self, other)

    def __gt__(self, other: Any) -> Any:
        return _operated("__gt__", np.greater, self, other)

    def __ge__(self, other: Any) -> Any:
        return _operated("__ge__", np.greater_equal, self, other)

    def __neg__(self) -> Any:
        return _operated("__neg__", np.negative, self)

    def __pos__(self) -> Any:
        return state.default.calls[np.positive](self)

    def __abs__(self) -> Any:
        return state.default.calls[np.absolute](self)

    def __add__(self, other: Any) -> Any:
        return _operated("__add__", np.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return state.default.calls[np.add](other, self)

    def __sub__(self, other: Any) -> Any:
        return _operated("__sub__", np.subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        return state.default.calls[np.subtract](other, self)

    def __mul__(self, other: Any) -> Any:
        return _operated("__mul__", np.multiply, self, other)

    def __rmul__(self, other: Any) -> Any:
        return state.default.calls[np.multiply](other, self)

    def __truediv__(self, other: Any) -> Any:
        return _operated("__truediv__", np.true_divide, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return state.default.calls[np.true_divide](other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _operated("__floordiv__", np.floor_divide, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return state.default.calls[np.floor_divide](other, self)

    def __mod__(self, other: Any) -> Any:
        return _operated("__mod__", np.remainder, self, other)

    def __rmod__(self, other: Any) -> Any:
        return state.default.calls[np.remainder](other, self)

    def __divmod__(self, other: Any) -> Any:
        return _operated("__divmod__", np.divmod, self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return state.default.calls[np.divmod](other, self)

    def __pow__(self, other: Any) -> Any:
        return _operated("__pow__", np.power, self, other)

    def __rpow__(self, other: Any) -> Any:
        return state.default.calls[np.power](other, self)

    def __matmul__(self, other: Any) -> Any:
        return _operated("__matmul__", np.matmul, self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return state.default.calls[np.matmul](other, self)


def _has_elements(other: Any) -> bool:
    """Say whether `==` compares elements with this: an array, of a registered type maybe, or a number."""
    if isinstance(other, _ARRAY_LIKE):
        return True
    return not isinstance(other, StandIn) and default_registry().catalog.is_array_type(type(other))


def _operated(name: str, ufunc: np.ufunc, *operands: Any) -> Any:
    """Call what implements one of Python's operators, and leave it in the operator's place.

    Until the registry's answers change, Python calls it there at once, 0.1 us sooner.
    """
    registry, calls = state.default, state.default.calls
    call = calls[ufunc]
    if name in _REFLECTED:
        if _has_its_turn(operands[1], _REFLECTED[name]):
            return NotImplemented
        result = call(*operands)  # first: a helper's first call writes it out
        call = _giving_turns(call, _REFLECTED[name])
    else:
        result = call(*operands)
    if isinstance(call, FunctionType):
        undo = partial(setattr, NumPyProtocol, name, _OPERATORS[name])
        registry.bind(undo)
        setattr(NumPyProtocol, name, call)
        if state.default is not registry or registry.calls is not calls:  # changed by another thread
            undo()
    return result


_REFLECTED = {
    **{f"__{name}__": f"__r{name}__" for name in ("add", "sub", "mul", "truediv", "pow", "matmul")},
    **{f"__{name}__": f"__r{name}__" for name in ("floordiv", "mod", "divmod")},
    "__lt__": "__gt__", "__le__": "__ge__", "__gt__": "__lt__", "__ge__": "__le__",
}  # fmt: skip
_OPERATORS = {name: vars(NumPyProtocol)[name] for name in ("__neg__", *_REFLECTED)}


def _giving_turns(call: Callable[..., Any], reflected: str) -> Callable[..., Any]:
    """Make what stands in an operator's place: a call that gives operands of unknown types their turn.

    A helper leaves such operands to `_record_other`, or all of them to `_record`; so that name
    means another function in a copy of the helper, and what is usual pays nothing.
    """
    names = getattr(call, "__globals__", {})
    name = "_record_other" if "_record_other" in names else "_record"
    record: Any = names.get(name)

    def operate(self: Any, other: Any) -> Any:
        kind = type(other)
        if kind is not type(self) and kind not in _USUAL and _has_its_turn(other, reflected):
            return NotImplemented
        return call(self, other)

    def recorded(function: Any, inputs: Any) -> Any:
        one, other = inputs
        kind = type(other)
        if kind is not type(one) and kind not in _USUAL and _has_its_turn(other, reflected):
            return NotImplemented
        return record(function, inputs)

    if record is None:
        return update_wrapper(operate, call)
    # Code of its own: what CPython learns about a line holds for one set of names.
    bound = FunctionType(call.__code__.replace(), {**names, name: recorded}, None, call.__defaults__)
    bound.__kwdefaults__ = call.__kwdefaults__
    return update_wrapper(bound, call)


def _has_its_turn(other: Any, reflected: str) -> bool:
    """Say whether an operator is left to the other operand, as NumPy's arrays leave it to some.

    It is of a type that nothing here knows, or of one that says so to NumPy, by
    ``__array_ufunc__ = None`` or a higher ``__array_priority__``; and it has the reflected method.
    """
    kind = type(other)
    if isinstance(other, (NumPyProtocol, StandIn)):
        return False
    if getattr(kind, reflected, None) is getattr(object, reflected, None):
        return False
    ufunc = getattr(kind, "__array_ufunc__", kind)  # where there is none, the class itself
    if ufunc is None or not isinstance(other, (*_ARRAY_LIKE, str, bytes)):
        return not default_registry().is_array_type(kind)
    return bool(ufunc is kind and getattr(other, "__array_priority__", 0) > 0)


def supported(name: str, kwargs: dict[str, Any], parameters: Container[str]) -> dict[str, Any]:
    """Drop what says nothing of numbers, or what NumPy does anyway; refuse what no operator takes.

    Raises
    ------
    NoOperatorError
        For ``out=``, ``where=`` and other parameters that the operator does not have.
    """
    said = {k: v for k, v in kwargs.items() if v is not np._NoValue and (v is not None or k in parameters)}
    strange = [key for key in said if key not in parameters]
    for key in sorted(strange, key="out".__ne__):  # that first: `a @= v` gives axes=, too
        if key in _NOT_OF_NUMBERS or (type(said[key]) in (bool, str) and said[key] == _DEFAULTS.get(key)):
            del said[key]
            continue
        raise NoOperatorError(
            f"{name} on Variables takes no {key}=: "
            + _INSTEAD.get(key, "the operator that implements it has no such parameter")
        )
    return said


_NOT_OF_NUMBERS = {"subok", "device", "writeable"}
_DEFAULTS = {"where": True, "casting": "same_kind", "order": "K", "copy": True}
_INSTEAD = {
    "out": "what is recorded is not written into; use the result (b = b + v in place of b += v)",
    "where": "choose with np.where(condition, a, b)",
    "dtype": "convert with np.astype(result, dtype)",
    "casting": "convert with np.astype(x, dtype) first",
}
