"""Guard mode: an array that backward needs and that was overwritten is an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from registry.errors import OverwrittenError
from registry.function import Function
from registry.hookspecs import hookimpl
from registry.observers.calls import users_line
from registry.state import default_registry


class _Kept(NamedTuple):
    """An array that a recorded call keeps, and what it held then."""

    what: str
    array: Any
    checksum: int
    line: str


class Guard:
    """The observer that compares checksums of what a call keeps, before its backward reads it."""

    @hookimpl
    def after_forward(self, function: Function, xs: tuple[Any, ...], ys: tuple[Any, ...]) -> None:
        kept = [(f"input {i}", x) for i, x in enumerate(xs) if "xs" in function.saves]
        kept += [(f"output {i}", y) for i, y in enumerate(ys) if "ys" in function.saves]
        own = {name: getattr(function, name, None) for name in function._own_slots}
        own |= getattr(function, "__dict__", {})
        kept += [(f"self.{name}", x) for name, x in own.items()]
        line = users_line()
        function._kept = [
            _Kept(what, x, _checksum(x), line) for what, x in kept if isinstance(x, np.ndarray) and x.size
        ]

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

    return zlib.crc32(array.data if array.flags.c_contiguous else array.tobytes())


@contextmanager
def guard() -> Iterator[None]:
    """Notice arrays that are overwritten between a call and its backward.

    Inside the block, each recorded call keeps a checksum (CRC-32) of the arrays that its
    backward may read: inputs and outputs that the operator `saves`, and what it stored on
    itself. Backward, run inside the block too, compares them. A write is noticed whatever
    name or view it went through. ``OPREGISTRY_GUARD=1`` guards the whole process.

    Raises
    ------
    OverwrittenError
        From `backward`, naming the operator, the array, and the line that recorded it. No
        `grad` has changed then.

    Notes
    -----
    All threads are guarded while one is inside the block. Compiled functions record
    nothing, so nothing of theirs is guarded.

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
    with default_registry().observing(Guard()):
        yield
