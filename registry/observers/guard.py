"""Guard mode: an array that backward needs and that was overwritten is an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from registry.catalog import StandIn
from registry.errors import OverwrittenError
from registry.function import Function
from registry.hookspecs import hookimpl
from registry.observers.where import users_line
from registry.state import default_registry


class _Kept(NamedTuple):
    """An array that a recorded call keeps, and what it held then."""

    what: str
    array: Any
    checksum: int
    line: str


class _Guard:
    """The observer that compares checksums."""

    @hookimpl
    def after_forward(self, function: Function, xs: tuple[Any, ...], ys: tuple[Any, ...]) -> None:
        kept = [(f"input {i}", x) for i, x in enumerate(xs) if "xs" in function.saves and x is not None]
        kept += [(f"output {i}", y) for i, y in enumerate(ys) if "ys" in function.saves]
        line = users_line()
        function._kept = [_Kept(what, array, _checksum(array), line) for what, array in kept]

    @hookimpl
    def before_backward(self, function: Function) -> None:
        for kept in getattr(function, "_kept", ()):
            if _checksum(kept.array) != kept.checksum:
                raise OverwrittenError(
                    f"{kept.what} of {function}, {kept.array.dtype} {kept.array.shape}, was overwritten "
                    f"after it was recorded at {kept.line}; backward needs what it held: work on a copy, "
                    "or overwrite it after backward"
                )


def _checksum(array: Any) -> int:
    import zlib  # 0.5 ms, which `import registry` need not take

    if isinstance(array, StandIn) or not array.size:  # a traced function runs no backward later
        return 0
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data)


@contextmanager
def guard() -> Iterator[None]:
    """Notice arrays that are overwritten between a call and its backward.

    Inside the block, each recorded call keeps a checksum of the arrays that its
    backward needs; backward, run inside the block too, compares them.

    Raises
    ------
    OverwrittenError
        From `backward`, naming the operator, the array, and the line that recorded it.

    Examples
    --------
    >>> import numpy as np
    >>> import registry
    >>> x = registry.Variable(np.array([1.0, 2.0]))
    >>> with registry.guard():
    ...     y = x * x
    ...     x.data[0] = 5.0
    ...     try:
    ...         y.backward()
    ...     except registry.OverwrittenError as error:
    ...         print(str(error)[:46])
    input 0 of operator 'multiply' of plugin ops_b
    """
    with default_registry().observing(_Guard()):
        yield
