"""What recording and passing back do, written out as source for one operator.

In CPython 3.11 an attribute is read in 3 ns by a line that has seen one class only, and in 40 ns
by one that all operators share; loops over inputs and calls in between come on top. A product of
two numbers takes 3.6 us in `record` and 0.8 us written out, its step back 1.2 us in `Pass.step`
and 0.6 us written out.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from registry import state
from registry.backward import Like, counted, explain, fitted
from registry.calling import checked_result
from registry.calling import explain as explain_forward
from registry.modes import recording
from registry.recording import like, record, results
from registry.threads import LARGE
from registry.variable import Variable

if TYPE_CHECKING:
    from registry.function import Function

_INPUT = """\
    if type({x}) is _Variable or isinstance({x}, _Variable):
        _x{i}, _edge{i}, _g = {x}._node
        if _g > _generation:
            _generation = _g
        {fitting}
    {constant}
    else:
        return _record({make}, ({inputs},))
"""
_UNWRAPPED = """\
if type(_x{i}) is _ndarray:
            if _x{i}.ndim:
                if _x{i}.size > _LARGE:
                    return _record({make}, ({inputs},))
            elif _x{i}.dtype is _float64_dtype:
                _x{i} = _x{i}[()]"""
_WRAPPED = """\
if type(_x{i}) is _float64:
            _x{i} = {x}._array"""
_SMALL = """
        elif type(_x{i}) is _ndarray and _x{i}.size > _LARGE:
            return _record({make}, ({inputs},))"""
_NUMBER = """\
elif type({x}) in _numbers:
        _x{i} = {x}
        _edge{i} = None
    elif type({x}) is _ndarray and {x}.dtype is _float64_dtype:
        _x{i} = {x} if {x}.ndim else {x}[()]
        _edge{i} = None"""
_ARRAY = """\
elif type({x}) is _ndarray and {x}.dtype.kind in "biufc":
        _x{i} = {x}
        _edge{i} = None"""
# Generation -2 is that of no Variable at all, -1 that of constant ones.
_RECORD = """\
def {declaration}:
    _generation = -2
{taken}\
    if _generation == -2 or _state.default.observers is not None or not _is_recording():
        return _record({make}, ({inputs},))
    _function = {make}
    try:
        _y = _function.forward({xs})
    except Exception as _error:
        _explain_forward(_function, _error, ({inputs},))
        raise
    _function.generation = _generation
    _function._count = {count}
    {edges}
    if {unusual}:
        return _results(_function, ({xs},), _checked_result(_function, _y))
    _variable = _new(_Variable)
    _variable.grad = _variable.name = None
    if _generation < 0:
        _variable._node = _y, None, -1
        return _variable
    _variable._node = _y, _function, _generation + 1
    _function._output = _ref(_variable)
    {saved}
    return _variable
"""
_PASS_BACK = """\
def _pass_back(_function, _gy, _pass):
    {gradient}{large}
    try:
        _gxs = _function.backward(_gy)
    except Exception as _error:
        _explain(_function, _error)
        raise
    {gradients}
    {edges}
    _gradients, _waiting = _pass.gradients, _pass.waiting
{passed}\
"""
_LARGE_ONE = """
    if type(_gy) is _ndarray and _gy.size > _LARGE:
        return _pass.postpone(_function, _gy)"""
_PASSED = """\
    if _edge{i} is not None and _gx{i} is not None:
        _like = _function._inputs_like[{i}]
        {fitted}
        _key = id(_edge{i})
        if _key in _gradients:
            _pass.add(_key, _gx{i})
        else:
            _gradients[_key] = _gx{i}
            _waiting[_edge{i}.generation].append(_edge{i})
"""
_FITTED = """if type(_gx{i}) is not _ndarray:
    _gx{i} = _function._gradient(_gx{i}, False)
if _gx{i}.shape != _like.shape or _gx{i}.dtype is not _like.dtype:
    _gx{i} = _fitted(_function, _gx{i}, _like, (_gy,))"""


def helper_source(cls: type[Function], declaration: str, make: str, names: Sequence[str]) -> str:
    """Give the source of a helper that records a call of an operator with a fixed number of inputs.

    It differs from `record` in nothing but speed, and leaves to it what is rare: calls
    without a Variable, with recording off or observers on, lists and numbers as inputs.
    """
    inputs = ", ".join(names)
    fitting, constant = (_UNWRAPPED, f"{_NUMBER}\n    {_ARRAY}") if cls.scalars else (_WRAPPED, _ARRAY)
    if cls._uniform and not cls.scalars:
        fitting += _SMALL
    taken = [
        _INPUT.format(
            x=x,
            i=i,
            make=make,
            inputs=inputs,
            fitting=fitting.format(x=x, i=i, make=make, inputs=inputs),
            constant=constant.format(x=x, i=i),
        )
        for i, x in enumerate(names)
    ]
    xs = ", ".join(f"_x{i}" for i in range(len(names)))
    return _RECORD.format(
        declaration=declaration,
        taken="".join(taken),
        make=make,
        inputs=inputs,
        xs=xs,
        count=len(names),
        edges=_edges(len(names)),
        unusual=_unusual(cls),
        saved=_saved(cls, xs, len(names)),
    )


def _edges(count: int) -> str:
    if count > 2:
        return f"_function._all_edges = {', '.join(f'_edge{i}' for i in range(count))}"
    return "; ".join(f"_function._edge{i} = _edge{i}" for i in range(count))


def _unusual(cls: type[Function]) -> str:
    unusual = "type(_y) is not _ndarray"
    if not isinstance(cls.forward, np.ufunc):  # which makes numbers of numbers
        unusual += ' or _y.dtype.kind not in "biufc"'
    return f"type(_y) is not _float64 and ({unusual})" if cls.scalars else unusual


def _saved(cls: type[Function], xs: str, count: int) -> str:
    ys = "_function.ys = (_y,)" if cls._saves_ys else ""
    if cls._saves_xs:
        return f"_function.xs = _function._inputs_like = ({xs},)\n    {ys}"
    likes = ", ".join(
        f"_x{i} if type(_x{i}) is _float64 else _tuple(_Like, (_x{i}.shape, _x{i}.dtype)) "
        f"if type(_x{i}) is _ndarray else _like(_x{i})"
        for i in range(count)
    )
    are_numbers = " and ".join(f"type(_x{i}) is _float64" for i in range(count))
    likes = f"_numbers_like if {are_numbers} else ({likes},)" if cls.scalars else f"({likes},)"
    return f"_function._inputs_like = {likes}\n    {ys}"


def pass_back_source(cls: type[Function], count: int) -> str:
    """Give the source of a plain step back, for an operator with a fixed number of inputs and one output.

    It differs from `Pass.step` in nothing but speed.
    """
    names = ", ".join(f"_gx{i}" for i in range(count))
    fitted = _FITTED
    if cls.scalars:  # two numbers fit
        fitted = (
            f"if type(_gx{{i}}) is not _float64 or type(_like) is not _float64:\n{indent(fitted, ' ' * 4)}"
        )
    fitted = indent(fitted, " " * 8).lstrip()
    if count == 1:
        gradients = "_gx0 = _gxs if type(_gxs) is not tuple else _counted(_function, _gxs)[0]"
        edges = "_edge0 = _function._edge0"
    else:
        gradients = (
            f"{names} = _gxs if type(_gxs) is tuple and len(_gxs) == {count} else _counted(_function, _gxs)"
        )
        edges = (
            "_edge0, _edge1 = _function._edge0, _function._edge1"
            if count == 2
            else f"{', '.join(f'_edge{i}' for i in range(count))} = _function._all_edges"
        )
    return _PASS_BACK.format(
        large=_LARGE_ONE if cls._uniform else "",
        gradient="" if cls.scalars else "_gy = _asarray(_gy) if type(_gy) is _float64 else _gy",
        gradients=gradients,
        edges=edges,
        passed="".join(_PASSED.format(i=i, fitted=fitted.format(i=i)) for i in range(count)),
    )


def namespace(cls: type[Function], count: int) -> dict[str, Any]:
    """Give what the names in these sources mean."""
    return {
        "_LARGE": LARGE,
        "_Like": Like,
        "_Variable": Variable,
        "_asarray": np.asarray,
        "_checked_result": checked_result,
        "_counted": counted,
        "_explain": explain,
        "_explain_forward": explain_forward,
        "_fitted": fitted,
        "_float64": np.float64,
        "_float64_dtype": np.dtype(np.float64),
        "_is_recording": recording.get,
        "_like": like,
        "_ndarray": np.ndarray,
        "_new": object.__new__,
        "_numbers": (np.float64, float, int),
        "_numbers_like": (np.float64(),) * count,
        "_record": record,
        "_ref": ref,
        "_results": results,
        "_state": state,
        "_tuple": tuple.__new__,
    }
