"""A readable log: a line a call, and a line a backward step."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from registry.describing import constants_of, described, operator_name
from registry.function import Function
from registry.hookspecs import hookimpl
from registry.modes import differentiating
from registry.observers.calls import Open, users_line
from registry.state import default_registry
from registry.variable import Variable

_WIDTH = 76  # of what stands before the line


class _Log:
    """The observer that writes."""

    def __init__(self, file: TextIO | None) -> None:
        self.file = file
        self.steps: Open[None] = Open()  # recorded ones, which call operators
        self.names: dict[type, str] = {}

    @hookimpl
    def after_forward(self, function: Function, xs: tuple[Any, ...], ys: tuple[Any, ...]) -> None:
        if differentiating.get() is None:
            self.steps.calls.clear()  # of a pass that raised an error
        given = ", ".join([*map(described, xs), *constants_of(function)])
        self.write(f"{self.name(function)}({given}) -> {_all(ys)}", _short(users_line()))

    @hookimpl
    def before_backward(self, function: Function, gys: tuple[Any, ...]) -> None:
        if _recorded(gys):  # the operators that it calls come in between
            self.write(f"backward of {self.name(function)}: {_all(gys)}")
            self.steps.begin(function, None)

    @hookimpl
    def after_backward(self, function: Function, gxs: tuple[Any, ...]) -> None:
        self.steps.end(function)
        self.write(f"backward of {self.name(function)} -> {_all(gxs)}")

    def name(self, function: Function) -> str:
        """Name an operator."""
        cls = type(function)
        if cls not in self.names:
            self.names[cls] = operator_name(cls)
        return self.names[cls]

    def write(self, text: str, line: str = "") -> None:
        text = "  " * len(self.steps.calls) + text
        print(f"{text:{_WIDTH}}  {line}" if line else text, file=self.file or sys.stdout, flush=True)


def _all(arrays: Sequence[Any]) -> str:
    return ", ".join(map(described, arrays))


def _recorded(gradients: Sequence[Any]) -> bool:
    return any(isinstance(x, Variable) for x in gradients)


def _short(line: str) -> str:
    """Give a file beside or below the working directory by its name from there."""
    return line.removeprefix(f"{os.getcwd()}{os.sep}")


@contextmanager
def trace(file: TextIO | None = None) -> Iterator[None]:
    """Write a line for each call of an operator inside the block, and for each backward step.

    Parameters
    ----------
    file : text file, optional
        Where to write; standard output otherwise.

    Notes
    -----
    A line has the operator (with its plugin, where that is not the built-ins), the inputs
    (dtype and shape, or the numbers of small ones), constants that are not the defaults, the
    result, and the line of the user's code. What a recorded backward calls is indented.

    Examples
    --------
    >>> import numpy as np
    >>> import registry
    >>> x = registry.Variable(np.ones((2, 3)))
    >>> with registry.trace():  # doctest: +ELLIPSIS
    ...     np.sum(x * 2, axis=0).backward()
    multiply(float64 (2, 3), 2.0) -> float64 (2, 3) ...
    sum(float64 (2, 3), axis=0) -> [4. 4. 4.] ...
    backward of sum -> float64 (2, 3)
    backward of multiply -> float64 (2, 3), None
    """
    with default_registry().observing(_Log(file)):
        yield
