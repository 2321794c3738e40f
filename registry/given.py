"""What `backward` is given: arrays that others have, too, and into which it must not write.

A class whose code is known to only read, or that declares so, gets them as they are. Any other gets
copies in a plain pass, and in a recorded one Variables that refuse to be assigned to in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from registry.backward import copied
from registry.errors import HigherOrderError
from registry.modes import differentiating
from registry.state import default_registry
from registry.variable import Variable, new_variable

if TYPE_CHECKING:
    from registry.function import Function


def only_reads(cls: type[Function]) -> bool:
    """Say whether `backward` is declared or known to write into nothing, found once a class."""
    if cls._only_reads is None:
        from registry.bytecode import effects  # 1 ms, which `import registry` need not take

        nearest = next(base for base in cls.__mro__ if {"only_reads", "backward"} & vars(base).keys())
        cls._only_reads = vars(nearest).get("only_reads", False) or not effects(cls, "backward").writes
    return cls._only_reads


def own_copy(gy: Any) -> Any:
    """Give an array as `backward` may have it that writes into it."""
    if gy is None or isinstance(gy, np.generic | int | float | complex):
        return gy
    if isinstance(gy, Variable):
        own = object.__new__(Given)
        own._node = gy._node
        own.grad = own.name = own._aliases = None
        return own
    return copied(gy)


def own_copies(arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """Give copies of arrays; what is one array stays one."""
    copies = {id(x): own_copy(x) for x in arrays}
    return tuple([copies[id(x)] for x in arrays])


class Given(Variable):
    """A gradient that a recorded `backward` is given."""

    __slots__ = ()

    def _refuse(self, other: object) -> NoReturn:
        raise HigherOrderError(
            f"{default_registry().owner(type(differentiating.get()))}: 'backward' writes into a gradient "
            "that it is given, which others read, too; make a new one: gy = gy * 2 in place of gy *= 2"
        )

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ifloordiv__ = __imod__ = __ipow__ = _refuse
    __imatmul__ = __iand__ = __ior__ = __ixor__ = __ilshift__ = __irshift__ = _refuse

    def taken(self) -> Variable:
        """Give it as a gradient that `backward` returns."""
        return new_variable(*self._node)
