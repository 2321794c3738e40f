"""Computing a checked expression with the registry's operators."""

from __future__ import annotations

import ast
import operator as python_operator
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any

import numpy as np

from registry.catalog import Operator
from registry.cli.errors import CommandError, message_of
from registry.cli.expression import BINARY, UNARY, Expression
from registry.function import Function
from registry.helpers import input_parameters, signature
from registry.state import Registry, default_registry
from registry.variable import Variable

LARGEST = 10**8


def evaluate(expression: Expression, values: Mapping[str, Variable]) -> Variable:
    """Compute an expression's value, recorded as far as recording is on.

    Raises
    ------
    CommandError
        If an operator fails; the message has its error and points at its place.
    """
    evaluation = _Evaluation(expression, values)
    result = evaluation.of(expression.tree)
    if isinstance(result, tuple):
        raise CommandError(
            f"the expression gives {len(result)} results; choose one, such as ({expression.text})[0]"
        )
    return result if isinstance(result, Variable) else Variable(np.asarray(result))


class _Evaluation:
    """One walk over an expression.

    Numbers are Python floats and take the dtype of what they meet. Constants are
    computed as NumPy does, in floating point: nothing grows beyond 64 bits.
    """

    def __init__(self, expression: Expression, values: Mapping[str, Variable]) -> None:
        self.expression = expression
        self.values = values
        self.registry: Registry = default_registry()

    def of(self, node: ast.expr) -> Any:
        match node:
            case ast.Name(id=name):
                return self.values[name]
            case ast.Constant(value=number):
                return self._float(node, number)
            case ast.BinOp(left=left, op=op, right=right):
                return self._apply(node, BINARY[type(op)], self.of(left), self.of(right))
            case ast.UnaryOp(op=unary, operand=operand):
                return self._apply(node, UNARY[type(unary)], self.of(operand))
            case ast.Subscript(value=value, slice=index):
                return self._item(node, self.of(value), _index(index))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
                return self._call(node, self.registry.operator(name), args, keywords)
        raise AssertionError(f"{ast.dump(node)} is not checked")

    def _float(self, node: ast.expr, number: Any) -> float:
        try:
            return float(number)
        except OverflowError:
            raise CommandError(f"a number is too large\n{self.expression.point(node)}") from None

    def _apply(self, node: ast.expr, ufunc: np.ufunc, *operands: Any) -> Any:
        if any(isinstance(x, Variable) for x in operands):
            return self._run(node, lambda: self.registry.calls[ufunc](*operands))
        result = self._run(node, lambda: ufunc(*operands))
        return float(result) if np.ndim(result) == 0 else result

    def _item(self, node: ast.expr, value: Any, index: Any) -> Any:
        if isinstance(value, Variable):
            return self._run(node, lambda: self.registry.calls[python_operator.getitem](value, index))
        return self._run(node, lambda: value[index])

    def _call(
        self, node: ast.expr, operator: Operator, args: list[ast.expr], keywords: list[ast.keyword]
    ) -> Any:
        inputs, names = _inputs(operator), _parameters(operator, len(args))
        given = [self._argument(arg, name in inputs) for arg, name in zip(args, names, strict=True)]
        named = {str(k.arg): self._argument(k.value, k.arg in inputs) for k in keywords}
        return self._run(node, lambda: operator.helper(*given, **named))

    def _argument(self, node: ast.expr, is_input: bool) -> Any:
        """Compute an operator's input; give its constants as they are written."""
        match node:
            case ast.Constant(value=bool() | str() | None):
                return node.value
            case ast.Constant(value=number) if not is_input:
                return number
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)) if (
                not is_input
            ):
                return -number
            case ast.Tuple(elts=items):
                return tuple(self._argument(item, is_input) for item in items)
            case ast.List(elts=items):
                return [self._argument(item, is_input) for item in items]
        return self.of(node)

    def _run(self, node: ast.expr, compute: Callable[[], Any]) -> Any:
        try:
            with np.errstate(all="ignore"):  # nan and inf are reported by name, in the result
                return _bounded(compute())
        # An operator is somebody else's code, and may raise anything.
        except Exception as error:
            place = self.expression.point(node)
            raise CommandError(f"{type(error).__name__}: {message_of(error)}\n{place}") from error


def _bounded(result: Any) -> Any:
    size = getattr(result, "size", 0)
    if size > LARGEST:
        raise ValueError(
            f"the result has {size} elements, shape {result.shape}; at most {LARGEST} are allowed"
        )
    return result


def _index(node: ast.expr | None) -> Any:
    match node:
        case ast.Tuple(elts=items):
            return tuple(map(_index, items))
        case ast.Slice(lower=lower, upper=upper, step=step):
            return slice(_index(lower), _index(upper), _index(step))
        case None:
            return None
    return ast.literal_eval(node)


def _inputs(operator: Operator) -> set[str]:
    """Name the parameters that take arrays; a composite's may take anything."""
    target = operator.target
    if not (isinstance(target, type) and issubclass(target, Function)):
        return set()
    return {parameter.name for parameter in input_parameters(target)}


def _parameters(operator: Operator, count: int) -> list[str]:
    """Name the parameter of each positional argument; "" beyond the last one."""
    names: list[str] = []
    for parameter in signature(operator.helper).parameters.values():
        if parameter.kind is Parameter.VAR_POSITIONAL:
            names += [parameter.name] * count
        names.append(parameter.name)
    return (names + [""] * count)[:count]


def operators_of(expression: Expression) -> list[Operator]:
    """Give the operators that an expression's names and symbols mean."""
    registry = default_registry()
    used = {name: registry.operator(name) for name in expression.operators}
    for node in ast.walk(expression.tree):
        for function in _functions(node):
            candidates = registry.candidates("functions", function)
            if candidates and _has_a_value(node):
                operator = registry.catalog.choose(function.__name__, candidates)
                used.setdefault(operator.name, operator)
    return list(used.values())


def _functions(node: ast.AST) -> tuple[Callable[..., Any], ...]:
    match node:
        case ast.BinOp(op=op):
            return (BINARY[type(op)],)
        case ast.UnaryOp(op=unary):
            return (UNARY[type(unary)],)
        case ast.Subscript():
            return (python_operator.getitem,)
    return ()


def _has_a_value(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Name | ast.Call) for part in ast.walk(node))
