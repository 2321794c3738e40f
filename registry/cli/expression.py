"""The expressions of ``opregistry grad``: parsed and checked, never evaluated by Python.

Only what `_check` lets through is an expression; everything else is refused with the
place where it stands.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

import numpy as np

from registry.cli.errors import UsageError

LONGEST = 10_000
DEEPEST = 100

BINARY: dict[type[ast.operator], np.ufunc] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.true_divide,
    ast.Mod: np.remainder,
    ast.Pow: np.power,
    ast.MatMult: np.matmul,
}
UNARY: dict[type[ast.unaryop], np.ufunc] = {ast.USub: np.negative, ast.UAdd: np.positive}

_ALLOWED = (
    "allowed are values by name, numbers, + - * / % ** @, brackets, operators by name such as exp(x) "
    "with constants such as axis=0, and indices such as x[0, 1:]"
)

_REFUSED: dict[type[ast.AST], str] = {
    ast.Attribute: "attribute access",
    ast.BitAnd: "'&'",
    ast.BitOr: "'|'",
    ast.BitXor: "'^'",
    ast.BoolOp: "'and' or 'or'",
    ast.Compare: "a comparison",
    ast.Dict: "a dict",
    ast.DictComp: "a comprehension",
    ast.FloorDiv: "'//'",
    ast.GeneratorExp: "a comprehension",
    ast.IfExp: "'if'",
    ast.JoinedStr: "an f-string",
    ast.Invert: "'~'",
    ast.LShift: "'<<'",
    ast.Lambda: "a lambda",
    ast.List: "a list here",
    ast.ListComp: "a comprehension",
    ast.NamedExpr: "':='",
    ast.Not: "'not'",
    ast.RShift: "'>>'",
    ast.Set: "a set",
    ast.SetComp: "a comprehension",
    ast.Slice: "a slice here",
    ast.Starred: "'*'",
    ast.Tuple: "a tuple here",
}


@dataclass(frozen=True)
class Expression:
    """A checked expression, and the names in it, each in the order of first use.

    `values` are those that stand alone, `operators` those that are called.
    """

    text: str
    tree: ast.expr
    values: tuple[str, ...]
    operators: tuple[str, ...]

    def point(self, node: ast.expr) -> str:
        """Give the line that a node stands in, with a mark below its first character."""
        return _pointed(self.text, node.lineno, _column(self.text, node))

    def point_at(self, name: str) -> str:
        """Point at the first place of a name that is in `values` or `operators`."""
        nodes = (node for node in ast.walk(self.tree) if isinstance(node, ast.Name) and node.id == name)
        return self.point(min(nodes, key=lambda node: (node.lineno, node.col_offset)))


def parse(text: str) -> Expression:
    """Parse an expression, and refuse whatever is more than arithmetic with operators.

    Raises
    ------
    UsageError
        The message says what is wrong, where, and what is allowed.
    """
    text = text.strip()
    if not text:
        raise UsageError("the expression is empty")
    if len(text) > LONGEST:
        raise UsageError(f"the expression has {len(text)} characters; at most {LONGEST} are allowed")
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        place = _pointed(text, error.lineno or 1, max(error.offset or 1, 1) - 1)
        raise UsageError(f"the expression cannot be parsed: {error.msg}\n{place}") from None
    except ValueError as error:  # a null byte, before Python 3.12
        raise UsageError(f"the expression cannot be parsed: {error}") from None
    except (RecursionError, MemoryError):
        raise UsageError(_too_deep()) from None
    if _depth(tree) > DEEPEST:
        raise UsageError(_too_deep())
    expression = Expression(text, tree, *_names(tree))
    _check(expression, tree)
    return expression


def _too_deep() -> str:
    return f"the expression is nested more than {DEEPEST} deep"


def _depth(tree: ast.AST) -> int:
    depth, level = 0, [tree]
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _names(tree: ast.expr) -> tuple[tuple[str, ...], tuple[str, ...]]:
    nodes = list(ast.walk(tree))
    called = {
        id(node.func): node.func.id
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    alone = [node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called]
    return tuple(dict.fromkeys(alone)), tuple(dict.fromkeys(called.values()))


def _check(expression: Expression, node: ast.expr, *, argument: bool = False) -> None:
    """Refuse what is no expression; an `argument` may also be a constant of any kind."""

    def check(*parts: ast.expr) -> None:
        for part in parts:
            _check(expression, part)

    match node:
        case ast.Constant(value=bool() | str() | None):
            if not argument:
                raise _refusal(expression, node, f"the constant {node.value!r} here")
        case ast.Name() | ast.Constant(value=int() | float()):
            pass
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            check(left, right)
        case ast.UnaryOp(op=unary, operand=operand) if type(unary) in UNARY:
            check(operand)
        case ast.Call(func=ast.Name(), args=args, keywords=keywords):
            for keyword in keywords:
                if keyword.arg is None:
                    raise _refusal(expression, keyword.value, "'**' in a call")
            for part in (*args, *(keyword.value for keyword in keywords)):
                _check(expression, part, argument=True)
        case ast.Subscript(value=value, slice=index):
            check(value)
            _check_index(expression, index)
        case ast.Tuple(elts=items) | ast.List(elts=items) if argument:
            for item in items:
                _check(expression, item, argument=True)
        case _:
            raise _refusal(expression, node, _what(node))


def _check_index(expression: Expression, node: ast.expr) -> None:
    """Let through whole numbers, slices, ``...``, None, and tuples of them."""
    match node:
        case ast.Tuple(elts=items):
            for item in items:
                _check_index(expression, item)
        case ast.Slice(lower=lower, upper=upper, step=step):
            for bound in (lower, upper, step):
                if bound is not None and not _is_whole(bound):
                    raise _refusal(expression, bound, "a bound that is no whole number")
        case ast.Constant(value=value) if value is None or value is ...:
            pass
        case _ if not _is_whole(node):
            raise _refusal(expression, node, "an index that is no whole number, slice or tuple of them")


def _is_whole(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and type(node.op) in UNARY:
        node = node.operand
    return isinstance(node, ast.Constant) and type(node.value) is int


def _what(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return "a method" if isinstance(node.func, ast.Attribute) else "calling what is no operator's name"
    if isinstance(node, ast.Constant):
        return f"the constant {node.value!r}"
    kind = type(node.op) if isinstance(node, ast.BinOp | ast.UnaryOp) else type(node)
    return _REFUSED.get(kind, kind.__name__)


def _refusal(expression: Expression, node: ast.expr, what: str) -> UsageError:
    advice = _ALLOWED
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        advice = f"write {node.func.attr}(...), the operator's name alone; {_ALLOWED}"
    column = _column(expression.text, node) + 1
    return UsageError(f"{what} is not allowed, at column {column}\n{expression.point(node)}\n{advice}")


def _column(text: str, node: ast.expr) -> int:
    """Count characters up to a node in its line; `ast` counts bytes."""
    line = text.splitlines()[node.lineno - 1].encode()
    return len(line[: node.col_offset].decode())


def _pointed(text: str, line: int, column: int) -> str:
    lines = text.splitlines() or [""]
    shown = lines[min(line, len(lines)) - 1]
    start = max(0, column - 50)
    return f"    {shown[start : start + 100]}\n    {' ' * (column - start)}^"
