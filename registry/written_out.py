"""What recording and passing back do, written out as source for one operator.

In CPython 3.11 an attribute is read in 3 ns by a line that has seen one class only, and in 40 ns
by one that all operators share; loops over inputs and calls in between come on top. A product of
two numbers takes 3.8 us in `record` and 0.6 us written out, its step back 0.9 us in `Pass.step`
and 0.5 us written out. A program of many operators costs by its bytecodes, so there are few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from opcode import opname
from typing import Any
from weakref import ref

import numpy as np

from registry import large, state
from registry.augmented import note_view
from registry.backward import counted, explain, fitted
from registry.calling import checked_result
from registry.calling import explain as explain_forward
from registry.edges import Like
from registry.function import Function
from registry.given import only_reads, own_copy
from registry.modes import differentiating, recording
from registry.recording import record, results
from registry.stored import rules, withheld
from registry.threads import LARGE
from registry.variable import Variable, at_edge

_NUMBER = np.float64()
_ARITHMETIC = (["BINARY_OP", "RETURN_VALUE"], ["UNARY_NEGATIVE", "RETURN_VALUE"])
_PLAIN = {"RESUME", "LOAD_CONST", "UNARY_NEGATIVE", "RETURN_VALUE"}
_IN_PLACE = 13  # of the arguments of BINARY_OP the first that is no plain operator


def helper_source(cls: type[Function], declaration: str, make: str, names: Sequence[str]) -> str:
    """Give the source of a helper that records a call of an operator with a fixed number of inputs.

    It differs from `record` in nothing but speed, and leaves to it what is rare: calls
    without a Variable, with recording off or observers on, lists and numbers as inputs.
    """
    inputs, xs = f"({', '.join(names)},)", _numbered("_x{}", len(names))
    call = f"({make}, {inputs})"
    taken = [line for i, x in enumerate(names) for line in _input(cls, i, x, call)]
    unusual = "_kind is not _ndarray"
    if not isinstance(cls.forward, np.ufunc):  # which gives numbers for numbers
        unusual += ' or _y.dtype.kind not in "biufc"'
    may_share = not _gives_new_arrays(cls)
    if may_share and len(names) > 1:
        unusual += f" or _y.base is not None or {_numbered('_y is _x{}', len(names), ' or ')}"
    if cls.scalars:
        unusual = f"_kind is not _float64 and ({unusual})"
    return _joined(
        f"def {declaration}:",
        "    _generation = -2",  # that of no Variable at all; -1 is that of constant ones
        *[f"    {line}" for line in taken],
        "    if _generation == -2 or _state.default.observers is not None or not _is_recording():",
        f"        return _record{call}",
        f"    _function = {make}",
        "    try:",
        f"        _y = _function.forward({xs})",
        "    except Exception as _error:",
        f"        _explain_forward(_function, _error, {inputs})",
        "        raise",
        "    _function.generation = _generation",
        f"    _function._count = {len(names)}",
        f"    {_edges('_function', len(names))} = {_numbered('_edge{}', len(names))}",
        "    _kind = type(_y)",
        f"    if {unusual}:",
        "        _y = _checked_result(_function, _y)",
        f"        return _results(_function, {inputs}, ({xs},), _y)",
        "    if _y is _x0:\n        _y = _y.view()" if may_share and len(names) == 1 else "",
        "    _variable = _new(_Variable)",
        "    _variable.grad = _variable.name = _variable._aliases = None",
        *(_noted(names[0]) if may_share and len(names) == 1 else ()),
        "    if _generation < 0:",
        "        _variable._node = _y, None, -1",
        "        return _variable",
        "    _variable._node = _y, _function, _generation + 1",
        "    _function._output = _ref(_variable)",
        f"    {_kept(cls, xs, len(names))}",
        "    _function.ys = (_y,)" if cls._saves_ys else "",
        "    return _variable",
    )


def _gives_new_arrays(cls: type[Function]) -> bool:
    """Say whether `forward` is a ufunc, or nothing but arithmetic such as ``x * (1 + y)``."""
    if isinstance(cls.forward, np.ufunc):
        return True
    code = getattr(cls.forward, "__code__", None)
    pairs = zip(code.co_code[::2], code.co_code[1::2], strict=True) if code else ()
    steps = [(opname[op], arg) for op, arg in pairs if op]  # 0 is room for CPython's own notes
    return [name for name, _ in steps[-2:]] in _ARITHMETIC and all(
        arg < _IN_PLACE if name == "BINARY_OP" else name in _PLAIN or name.startswith("LOAD_FAST")
        for name, arg in steps
    )


def _noted(x: str) -> Iterator[str]:
    """Note that the result is a view of the input, as `note_view` does."""
    yield "    if _kind is _ndarray and _y.base is not None:"
    yield f"        if _edge0 is not None and _y.base is _x0 and {x}._aliases is not None:"
    yield f"            _variable._aliases = {x}._aliases"
    yield "        else:"
    yield f"            _note_view(({x},), _variable, _y)"


def _input(cls: type[Function], i: int, x: str, call: str) -> Iterator[str]:
    """Take one input: what `forward` sees of it, and where its gradient goes.

    Where `backward` does not read it, what its gradient must be like is kept instead.
    """
    like = "" if cls._saves_xs else f"_like{i} = "
    yield f"if type({x}) is _Variable or isinstance({x}, _Variable):"
    yield f"    _x{i}, _edge{i}, _g = {x}._node"
    yield "    if _g > _generation:"
    yield "        _generation = _g"
    if not cls.scalars:
        yield f"    if type(_x{i}) is _float64:"
        yield f"        _x{i} = {x}._array"
    if cls.scalars or cls._uniform or like:
        yield f"    if type(_x{i}) is _ndarray:"
        yield f"        if _x{i}.ndim:"
        if cls._uniform:
            yield f"            if _x{i}.size > _LARGE:"
            yield f"                return _record{call}"
        yield f"            {like}_tuple(_Like, (_x{i}.shape, _x{i}.dtype))" if like else "            pass"
        if cls.scalars:
            yield f"        elif _x{i}.dtype is _float64_dtype:"
            yield f"            {f'{like}_NUMBER; ' if like else ''}_x{i} = _x{i}[()]"
        if like:
            yield "        else:"
            yield f"            {like}_x{i}"
            yield "    else:"
            yield f"        {like}_NUMBER if type(_x{i}) is _float64 else _x{i}"
    constant = f"    {like}_NUMBER; _edge{i} = None" if like else f"    _edge{i} = None"
    if cls.scalars:
        yield f"elif type({x}) in _numbers:"
        yield f"    _x{i} = {x}"
        yield constant
        yield f"elif type({x}) is _ndarray and {x}.dtype is _float64_dtype:"
        yield f"    _x{i} = {x} if {x}.ndim else {x}[()]"
        yield constant
    yield f'elif type({x}) is _ndarray and {x}.dtype.kind in "biufc":'
    yield f"    _x{i} = {x}"
    yield constant
    yield "else:"
    yield f"    return _record_other{call}"


def _kept(cls: type[Function], xs: str, count: int) -> str:
    """Keep the inputs, or else what their gradients must be like."""
    if cls._saves_xs:
        return f"_function.xs = _function._inputs_like = ({xs},)"
    likes = f"({_numbered('_like{}', count)},)"
    if cls.scalars:  # one tuple for all calls on numbers: what is new costs while a graph grows
        likes = f"_NUMBERS if {_numbered('_like{} is _NUMBER', count, ' and ')} else {likes}"
    return f"_function._inputs_like = {likes}"


def pass_back_source(cls: type[Function], count: int) -> str:
    """Give the source of a plain step back, for an operator with a fixed number of inputs and one output.

    It differs from `Pass.step` in nothing but speed.
    """
    function = "_function" if only_reads(cls) else "_function._alone()"
    return _joined(
        "def _pass_back(_function, _gy, _pass):",
        "" if cls.scalars else "    if type(_gy) is _float64:\n        _gy = _asarray(_gy)",
        "    if type(_gy) is _ndarray and _gy.size > _LARGE:" if cls._uniform else "",
        "        return _postpone(_pass, _function, _gy)" if cls._uniform else "",
        "    try:",
        f"        _gxs = {function}.backward({_given(cls)})",
        "    except Exception as _error:",
        "        _explain(_function, _error)",
        "        raise",
        f"    {_numbered('_edge{}', count)} = {_edges('_function', count)}",
        *_passed(_fitted_array(cls), count),
    )


def pass_back_recorded_source(cls: type[Function], count: int) -> str:
    """Give the source of a recorded step back, for such an operator.

    It differs from `Function._backward_on_variables` in nothing but speed, and leaves to it
    what must not be read.
    """
    xs = _numbered("_x{}", count)
    may_be_let_go = "" if cls.keeps_inputs is Function.keeps_inputs else " or _x{0} is None"
    wrapped = [
        f"    {xs}, = _function.xs",
        *[
            f"    _x{i} = _x{i} if _edge{i} is None{may_be_let_go.format(i)} else _at_edge(_edge{i}, _x{i})"
            for i in range(count)
        ],
        f"    _twin.xs = ({xs},)",
    ]
    return _joined(
        "def _pass_back_recorded(_function, _gy, _pass):",
        *(
            ("    _twin = _new(type(_function))",)
            if cls._bare and not rules(cls).elsewhere
            else (
                "    if _withheld(_function):",
                "        return _pass.step(_function, (_gy,))",
                "    _twin = _function._unrecorded_copy()",
            )
        ),
        "    _twin.generation, _twin._output = _function.generation, _function._output",
        f"    _twin._count = {count}",
        f"    {_numbered('_edge{}', count)} = {_edges('_twin', count)} = {_edges('_function', count)}",
        *(wrapped if cls._saves_xs else ()),
        "    _twin.ys = (_at_edge(_function, _function.ys[0]),)" if cls._saves_ys else "",
        "    _token = _differentiating.set(_twin)",
        "    try:",
        f"        _gxs = _twin.backward({_given(cls)})",
        "    except Exception as _error:",
        "        _explain(_function, _error)",
        "        raise",
        "    finally:",
        "        _differentiating.reset(_token)",
        *_passed(_FITTED_VARIABLE, count),
    )


_FITTED_VARIABLE = (
    "if type({gx}) is not _Variable:",
    "    {gx} = _function._gradient({gx}, True)",
    "_value = {gx}._node[0]",
    "if type(_value) is not _float64 or type(_like) is not _float64:",
    "    if _value.shape != _like.shape or _value.dtype is not _like.dtype:",
    "        {gx} = _fitted(_function, {gx}, _like, (_gy,))",
)


def _fitted_array(cls: type[Function]) -> Sequence[str]:
    numbers_fit = "elif type({gx}) is not _float64 or type(_like) is not _float64:"
    return (
        "if type({gx}) is _ndarray:",
        "    if {gx}.shape != _like.shape or {gx}.dtype is not _like.dtype:",
        "        {gx} = _fitted(_function, {gx}, _like, (_gy,))",
        numbers_fit if cls.scalars else "else:",
        "    {gx} = _fitted(_function, _function._gradient({gx}, False), _like, (_gy,))",
    )


def _passed(fitted: Sequence[str], count: int) -> Iterator[str]:
    """Pass the gradient of each input on, made to fit it."""
    if count == 1:
        yield "    _gx0 = _counted(_function, _gxs)[0] if isinstance(_gxs, tuple) else _gxs"
    else:
        yield f"    if type(_gxs) is not tuple or len(_gxs) != {count}:"
        yield "        _gxs = _counted(_function, _gxs)"
        yield f"    {_numbered('_gx{}', count)} = _gxs"
    yield "    _gradients = _pass.gradients"
    for i in range(count):
        yield f"    if _edge{i} is not None and _gx{i} is not None:"
        yield f"        _like = _function._inputs_like[{i}]"
        yield from [f"        {line.format(gx=f'_gx{i}')}" for line in fitted]
        yield f"        _key = id(_edge{i})"
        yield "        if _key in _gradients:"
        yield f"            _pass.add(_key, _gx{i})"
        yield "        else:"
        yield f"            _gradients[_key] = _gx{i}"
        yield f"            _pass.waiting[_edge{i}.generation].append(_edge{i})"
    if count == 1:
        yield "    elif _gxs is None:"
        yield "        _counted(_function, None)"


def _given(cls: type[Function]) -> str:
    return "_gy" if only_reads(cls) else "_own_copy(_gy)"


def _edges(function: str, count: int) -> str:
    return _numbered(f"{function}._edge{{}}", count) if count <= 2 else f"{function}._all_edges"


def _numbered(text: str, count: int, between: str = ", ") -> str:
    return between.join(text.format(i) for i in range(count))


def _joined(*lines: str) -> str:
    return "\n".join(line for line in lines if line) + "\n"


def namespace(cls: type[Function], count: int) -> dict[str, Any]:
    """Give what the names in these sources mean."""
    return {
        "_LARGE": LARGE,
        "_Like": Like,
        "_NUMBER": _NUMBER,
        "_NUMBERS": (_NUMBER,) * count,
        "_Variable": Variable,
        "_asarray": np.asarray,
        "_at_edge": at_edge,
        "_checked_result": checked_result,
        "_counted": counted,
        "_differentiating": differentiating,
        "_explain": explain,
        "_explain_forward": explain_forward,
        "_fitted": fitted,
        "_float64": np.float64,
        "_float64_dtype": np.dtype(np.float64),
        "_is_recording": recording.get,
        "_ndarray": np.ndarray,
        "_new": object.__new__,
        "_own_copy": own_copy,
        "_numbers": (np.float64, float, int),
        "_postpone": large.postpone,
        "_record": record,
        "_record_other": record,  # another one, where the helper stands in the place of an operator
        "_ref": ref,
        "_results": results,
        "_note_view": note_view,
        "_state": state,
        "_tuple": tuple.__new__,
        "_withheld": withheld,
    }
