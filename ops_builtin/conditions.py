"""Elements chosen by conditions, or by the number of the array that has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ops_builtin.indexing import SetItem
from ops_builtin.reductions import arrayed
from registry import Function, composite
from registry.numpy_protocol import plain


class Where(Function):
    """Elements of x where the condition holds, of y elsewhere."""

    implements = np.where
    elementwise = True
    saves = ("xs",)
    samples = (
        {"condition": np.array([True, False, True]), "x": (3,), "y": (3,)},
        {"condition": np.array([[True], [False]]), "x": (3,), "y": ()},
    )

    def __call__(self, *inputs: Any) -> Any:
        condition, x, y = inputs
        return super().__call__(np.not_equal(condition, 0), x, y)  # its dtype says nothing of y's

    def forward(self, condition: Any, x: Any, y: Any) -> Any:
        return np.where(condition, x, y)

    def backward(self, gy: Any) -> Any:
        condition = self.xs[0]
        return None, np.where(condition, gy, 0), np.where(condition, 0, gy)

    @classmethod
    def from_numpy(cls, condition: Any, x: Any = None, y: Any = None) -> Any:
        """Give the places that are not zero, where nothing is to be chosen."""
        if x is None and y is None:
            return np.nonzero(condition)
        if x is None or y is None:
            raise ValueError("np.where takes both x and y, or neither")
        return cls()(condition, x, y)


@composite(
    implements=np.extract,
    inputs=("condition", "arr"),
    samples=(
        {"condition": np.array([[True, False], [True, True]]), "arr": (2, 2)},
        {"condition": np.array([0, 2, 0]), "arr": (3,)},
        {"condition": np.zeros(0, bool), "arr": (0,)},
    ),
)
def extract(condition: Any, arr: Any) -> Any:
    """Give the elements where the condition holds, as a vector."""
    return np.ravel(arr)[np.flatnonzero(condition)]


@composite(
    implements=np.choose,
    inputs=("a", "choices"),
    samples=(
        {"a": np.array([0, 1, 1]), "choices": [(3,), (3,)]},
        {"a": np.array([[2], [0]]), "choices": [(3,), (), (2, 1)]},
        {"a": np.array([-1, 3, 1]), "choices": (2, 3), "mode": "wrap"},
        {"a": np.array([-1, 3, 1]), "choices": [(3,), (1,)], "mode": "clip"},
    ),
)
def choose(a: Any, choices: Any, mode: Literal["raise", "wrap", "clip"] = "raise") -> Any:
    """Give, element by element, that of the array that `a` numbers: choices[a[i]][i]."""
    which, arrays = np.choose(plain(a), range(len(choices)), mode=mode), _of_one_type(choices)
    y = arrays[0]
    for number, array in enumerate(arrays):
        y = np.where(np.equal(which, number), array, y)
    return y


def _of_one_type(values: Sequence[Any]) -> list[Any]:
    """Make arrays of lists, and of Python numbers, which take the type of the others."""
    arrays = [arrayed(value) for value in values]
    dtype = np.result_type(*arrays)
    return [np.asarray(a, dtype) if isinstance(a, int | float | complex) else a for a in arrays]


@composite(
    implements=np.compress,
    inputs=("condition", "a"),
    samples=(
        {"condition": np.array([True, False, True]), "a": (2, 3)},
        {"condition": np.array([False, True]), "a": (2, 3), "axis": 0},
        {"condition": np.array([0, 1, 1]), "a": (2, 3), "axis": -1},
    ),
)
def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """Give the slices along an axis for which the condition holds."""
    if np.ndim(condition) != 1:
        raise ValueError(f"the condition is a vector, not an array of {np.ndim(condition)} axes")
    return np.take(a, np.flatnonzero(condition), axis=axis)


@composite(
    implements=np.select,
    inputs=("condlist", "choicelist", "default"),
    samples=(
        {"condlist": [np.array([True, False, True])], "choicelist": [(3,)]},
        {
            "condlist": [np.array([True, False]), np.array([[True, True], [True, False]])],
            "choicelist": [(2,), (2, 1)],
            "default": (),
        },
    ),
)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Give, element by element, that of the first array whose condition holds; `default` where none does.

    NumPy asks no operator where `default` alone is a Variable: call ops.select then.
    """
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ValueError("select takes as many conditions as choices, and at least one")
    conditions = [c if hasattr(c, "dtype") else np.asarray(c) for c in map(plain, condlist)]
    if any(condition.dtype != bool for condition in conditions):
        raise TypeError("select takes conditions that are arrays of booleans")
    *choices, y = _of_one_type([*choicelist, default])
    for condition, choice in reversed(list(zip(condlist, choices, strict=True))):
        y = np.where(condition, choice, y)
    return y


@composite(
    implements=np.piecewise,
    inputs=("x",),
    samples=(
        {
            "x": np.array([-1.5, 0.5, 2.0, 3.0]),
            "condlist": [np.array([True, False, False, False]), np.array([True, True, False, False])],
            "funclist": [np.negative, np.square, 3.0],
        },
        {"x": (2, 2), "condlist": [np.array([[True, False], [False, True]])], "funclist": [np.exp]},
        {"x": np.array(2.0), "condlist": [True, False], "funclist": [np.square, 1.0]},
    ),
)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any) -> Any:
    """Give for each condition a function of the elements where it holds, or a number; the last one wins.

    One function more is for the elements where none holds; without it they are 0. What
    functions take by name, functools.partial gives them.
    """
    conditions = np.asarray(plain(condlist), bool)
    if not conditions.ndim or (conditions.ndim == 1 and np.ndim(x)):
        conditions = conditions[np.newaxis]
    if len(conditions) == len(funclist) - 1:
        conditions = np.concatenate([conditions, ~np.any(conditions, axis=0, keepdims=True)])
    if len(conditions) != len(funclist):
        raise ValueError(
            f"{len(conditions)} conditions take as many functions, or one more: not {len(funclist)}"
        )
    y: Any = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        if condition.any():
            y = SetItem(condition)(y, function(x[condition], *args) if callable(function) else function)
    return y
