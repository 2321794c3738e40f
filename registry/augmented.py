"""``v += other`` and its kin: what NumPy gives, or an error.

NumPy writes into the array, and a Variable is never written into. So the name is bound to a
new Variable where nobody could tell, and the rest is refused.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Sequence
from opcode import opmap
from sys import getrefcount
from types import FrameType
from typing import Any

import numpy as np

from registry.catalog import StandIn
from registry.errors import ConversionError
from registry.numpy_protocol import NumPyProtocol, memory

_BINARY, _IN_PLACE = opmap["BINARY_OP"], range(13, 26)  # from NB_INPLACE_ADD on


def _augmented(sign: str, call: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Make the method for ``v += other`` and its kin, which bind the name to a new Variable.

    NumPy writes into the array instead. So that is an error where anything but the name
    would see it; NumPy's scalars, which it binds anew, are bound anew here.
    """

    def method(self: Any, other: Any) -> Any:
        if not _is_statement(sys._getframe(1)):
            raise ConversionError(
                f"'v {sign}= other' is called as a function, whose result need not be bound to v; a Variable "
                f"is never written into, so write v = v {sign} other"
            )
        if type(self._node[0]) is np.float64:
            return call(self, other)
        holders = getrefcount(self)
        is_traced = isinstance(self._value, StandIn)  # of which the plain call has told
        why_not = None if is_traced else _seen_by(self, other, holders)
        made: Any = call(self, other)
        if not isinstance(made, NumPyProtocol | np.ndarray | np.generic | StandIn):
            return made
        if not is_traced and (why_not := why_not or _misfit(self, made)):
            raise ConversionError(
                f"'v {sign}= other' writes into an array, but a Variable is never written into, and here "
                f"{why_not}; make a new one: v = v {sign} other"
            )
        return _in_dtype_of(self, made)

    return method


def _is_statement(frame: FrameType) -> bool:
    """Say whether code is at an augmented assignment, and not at a call, such as that of `operator.iadd`."""
    code, at = frame.f_code.co_code, frame.f_lasti
    return code[at] == _BINARY and code[at + 1] in _IN_PLACE


def _seen_by(v: Any, other: Any, holders: int) -> str | None:
    """Say what but one name would see it if the array of a Variable were written into."""
    if v._is_given():
        return "it is a leaf, which keeps its value"
    if holders > (_ONE_NAME_TWICE if v is other else _ONE_NAME):
        return "another name, a list or an argument has the same one"
    if type(v._value) is not np.ndarray:
        return f"nothing is known of who shares a {type(v._value)}"
    if _is_shared(v):
        return "its memory is that of another array, too: one that it is a view of, or a view of it"
    return None


def _is_shared(v: Any) -> bool:
    owns = v._value.base is None
    if type(v._aliases) is Memory and (owns or v._aliases.is_own):
        return getrefcount(v._aliases) > _HELD_ONCE
    if owns or type(v._aliases) is tuple:  # where nothing is known of whose memory it is
        return not owns
    of_call = sum(memory(v._node[0]) is x for x in v._arrays_of_call())
    return _holders_of_memory(v) > _HELD_ONCE + of_call


class Memory:
    """What the Variables on one memory hold, so that its references say how many of them are left.

    `is_own` says that an operator gave that memory, so that it is no array of the user's.
    """

    __slots__ = ("is_own",)

    def __init__(self, is_own: bool) -> None:
        self.is_own = is_own


def note_view(inputs: Sequence[Any], y: Any, array: Any) -> None:
    """Give a result what the Variable holds of which it is a view."""
    of = array.base
    arrays = [(x, x._node[0]) for x in inputs if isinstance(x, NumPyProtocol)]  # type: ignore[attr-defined]
    if type(of) is not np.ndarray:  # as of stride tricks and buffers, which may be those of any input
        y._aliases = tuple([_aliases(x) for x, value in arrays if type(value) is np.ndarray])
        return
    for x, value in arrays:
        if value is of or (type(value) is np.ndarray and value.base is of):
            y._aliases = _aliases(x)
            return


def _aliases(x: Any) -> Any:
    if x._aliases is None:
        x._aliases = Memory(x._node[0].base is None and not x._is_given())
    return x._aliases


def _holders_of_memory(v: Any) -> int:
    return getrefcount(memory(v._node[0]))


def _in_dtype_of(v: Any, result: Any) -> Any:
    """Convert a result as NumPy does where it writes into an array; one of no axes stays an array."""
    if isinstance(result, NumPyProtocol) and type(result._value) is np.float64:
        result._node = np.asarray(result._value), *result._node[1:]  # type: ignore[attr-defined]
    return np.astype(result, v.dtype) if v.ndim and result.dtype != v.dtype else result


def _misfit(v: Any, result: Any) -> str | None:
    """Say why a result does not fit into the array of a Variable, as far as that is known."""
    if result.shape != v.shape:
        return f"the result has shape {result.shape}, not {v.shape}"
    if result.dtype != v.dtype and (v.ndim == 0 or not np.can_cast(result.dtype, v.dtype, "same_kind")):
        return f"the result has dtype {result.dtype}, not {v.dtype}"
    return None


def _references_of_one() -> tuple[int, int, int]:
    """Count those that `_augmented` sees of a Variable with one name, in ``v += v``, and of its array."""

    class Counted:
        _node = (np.empty(0),)

        def __iadd__(self, other: Any) -> Any:
            return getrefcount(self)

    one: Any = Counted()
    twice: Any = Counted()
    held = _holders_of_memory(one)
    one += 0
    twice += twice
    return one, twice, held


_ONE_NAME, _ONE_NAME_TWICE, _HELD_ONCE = _references_of_one()


class AugmentedAssignment:
    """What `Variable` inherits for augmented assignment."""

    __slots__ = ()

    __iadd__ = _augmented("+", operator.add)
    __isub__ = _augmented("-", operator.sub)
    __imul__ = _augmented("*", operator.mul)
    __itruediv__ = _augmented("/", operator.truediv)
    __ifloordiv__ = _augmented("//", operator.floordiv)
    __imod__ = _augmented("%", operator.mod)
    __ipow__ = _augmented("**", operator.pow)
    __imatmul__ = _augmented("@", operator.matmul)
    __iand__ = _augmented("&", operator.and_)
    __ior__ = _augmented("|", operator.or_)
    __ixor__ = _augmented("^", operator.xor)
    __ilshift__ = _augmented("<<", operator.lshift)
    __irshift__ = _augmented(">>", operator.rshift)
