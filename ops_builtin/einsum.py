"""Einstein's summation: products of any number of arrays, summed as letters say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import numpy as np

from registry import Function
from registry.numpy_protocol import supported

_LETTERS = ascii_uppercase + ascii_lowercase  # in the order in which a result without "->" has them


class Einsum(Function):
    """Product of any number of arrays, summed as the letters of `subscripts` say: "ij,jk->ik".

    Ellipses, repeated letters and broadcasting are as in NumPy. The helper takes the
    operands first, and the subscripts by name.
    """

    implements = np.einsum
    saves = ("xs",)
    only_reads = True
    samples = (
        {"operands": [(2, 3), (3, 4)], "subscripts": "ij,jk->ik"},
        {"operands": [(2, 3), (3, 4)], "subscripts": "ij, jk"},
        {"operands": [(2, 3)], "subscripts": "ij->j"},
        {"operands": [(2, 3)], "subscripts": "ji"},
        {"operands": [(3, 3)], "subscripts": "ii"},
        {"operands": [(3, 2, 3)], "subscripts": "iji->ij"},
        {"operands": [(2, 2, 2), (2,)], "subscripts": "iii,j->i"},
        {"operands": [(2, 3), (3, 2), (2,)], "subscripts": "ij,jk,k->i", "optimize": True},
        {"operands": [(2, 1, 2, 3), (4, 3, 2)], "subscripts": "...ij,...jk->...ik"},
        {"operands": [(3, 2), (2,)], "subscripts": "i...,...->...i"},
        {"operands": [(3, 2), (2, 4, 2)], "subscripts": "i...,...->...i"},
        {"operands": [(2, 1), (2, 3)], "subscripts": "ij,ij->i"},
        {"operands": [(2,), (3,)], "subscripts": "i,j->"},
        {"operands": [(), (3,)], "subscripts": ",i->i"},
        {"operands": [(2, 0), (0, 3)], "subscripts": "ij,jk->ik"},
    )
    expected_failures = {
        "numpy_function": "the checker gives several operands as a list, which np.einsum does not take"
    }

    def __init__(self, subscripts: str, optimize: Any = False) -> None:
        self.subscripts, self.optimize = subscripts, optimize

    def forward(self, *operands: Any) -> Any:
        self.terms, self.result = _spelled_out(self.subscripts, [x.ndim for x in operands])
        return np.einsum(self.subscripts, *operands, optimize=self.optimize)

    def backward(self, gy: Any) -> Any:
        terms = [(self.result, gy), *zip(self.terms, self.xs, strict=True)]
        wanted = enumerate(self.needs_grad, 1)
        return tuple(_gradient(terms, k, self.optimize) if needed else None for k, needed in wanted)

    @classmethod
    def from_numpy(cls, *arguments: Any, optimize: Any = False, **others: Any) -> Any:
        """Take the subscripts first, as NumPy does, or lists of numbers behind the operands."""
        supported("numpy.einsum", others, ())
        if not isinstance(arguments[0], str):
            arguments = _with_letters(arguments)
        return cls(arguments[0], optimize)(*arguments[1:])


def _gradient(terms: Sequence[tuple[str, Any]], k: int, optimize: Any) -> Any:
    """Give the gradient of one operand: the product of all others, summed to its letters.

    Those that no other operand has are multiplied by ones, and a diagonal by the unit matrix.
    """
    term, x = terms[k]
    parts = [part for i, part in enumerate(terms) if i != k]
    dtype = terms[0][1].dtype
    unused = _letters_outside(*(t for t, _ in terms))
    target = ""
    for letter, n in zip(term, x.shape, strict=True):
        if n == 1:
            continue  # broadcast against the others, so summed
        if letter in target:  # on a diagonal, so zero outside of it
            twin = next(unused)
            parts.append((letter + twin, np.eye(n, dtype=dtype)))
            letter = twin
        elif not any((letter, n) in zip(t, y.shape, strict=True) for t, y in parts):
            parts.append((letter, np.ones(n, dtype)))  # summed over in this operand alone
        target += letter
    subscripts = ",".join(t for t, _ in parts) + "->" + target
    return np.reshape(np.einsum(subscripts, *(y for _, y in parts), optimize=optimize), x.shape)


def _letters_outside(*terms: str) -> Iterator[str]:
    return (letter for letter in _LETTERS if letter not in "".join(terms))


def _spelled_out(subscripts: str, ndims: Sequence[int]) -> tuple[list[str], str]:
    """Give the letters of each operand and of the result, with letters in place of ellipses."""
    given, arrow, result = subscripts.replace(" ", "").replace("...", ".").partition("->")
    terms = given.split(",")
    if not arrow:
        counts = Counter(given)
        result = "." * ("." in given) + "".join(sorted(c for c in counts if counts[c] == 1 and c.isalpha()))
    free = _letters_outside(given, result)
    lengths = [ndim - len(t) + 1 for t, ndim in zip(terms, ndims, strict=False) if "." in t]
    dots = "".join(next(free) for _ in range(max(lengths, default=0)))
    ellipses = [dots[len(dots) - (ndim - len(t) + 1) :] for t, ndim in zip(terms, ndims, strict=False)]
    return [t.replace(".", e) for t, e in zip(terms, ellipses, strict=True)], result.replace(".", dots)


def _with_letters(arguments: Sequence[Any]) -> tuple[Any, ...]:
    """Give subscripts and operands for operands that are each followed by a list of numbers."""
    operands, lists = arguments[:-1:2], [*map(_lettered, arguments[1::2])]
    if len(arguments) % 2:
        lists.append("->" + _lettered(arguments[-1]))
    return (",".join(lists[: len(operands)]) + "".join(lists[len(operands) :]), *operands)


def _lettered(numbers: Any) -> str:
    is_list = isinstance(numbers, list | tuple)
    if not is_list or not all(n is Ellipsis or 0 <= n < len(_LETTERS) for n in numbers):
        raise ValueError(
            "einsum takes subscripts as a text, such as 'ij,jk->ik', or behind each operand a list of "
            f"numbers from 0 to {len(_LETTERS) - 1}, not {numbers}"
        )
    return "".join("..." if n is Ellipsis else _LETTERS[n] for n in numbers)
