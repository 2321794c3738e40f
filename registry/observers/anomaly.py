"""The first NaN or infinity of a computation, forward or backward, and the operator that made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from registry.errors import AnomalyError
from registry.function import Function
from registry.hookspecs import hookimpl
from registry.modes import differentiating
from registry.observers.calls import Open, users_line
from registry.state import default_registry
from registry.variable import Variable


class _Anomalies:
    """The observer that looks at each result and each gradient."""

    def __init__(self, infinities: bool) -> None:
        self.kinds = {"nan": np.isnan, "infinity": np.isinf} if infinities else {"nan": np.isnan}
        # Identity of a function -> the line that called it. One that is gone leaves its entry to the
        # next one that gets its identity, so there are no more than functions lived at once.
        self.lines: dict[int, str] = {}
        self.steps: Open[Sequence[Any]] = Open()

    @hookimpl
    def after_forward(self, function: Function, xs: tuple[Any, ...], ys: tuple[Any, ...]) -> None:
        self.lines[id(function)] = users_line()
        for i, y in enumerate(ys):
            if kind := self.new_kind(y, xs):
                self.complain(kind, f"output {i} of {function}", y, "input", xs, function, {"input": xs})

    @hookimpl
    def before_backward(self, function: Function, gys: tuple[Any, ...]) -> None:
        self.steps.begin(function, gys)

    @hookimpl
    def after_backward(self, function: Function, gxs: tuple[Any, ...]) -> None:
        gys = self.steps.end(function) or ()
        for i, (edge, gx) in enumerate(zip(function._edges, gxs, strict=True)):
            if edge is not None and (kind := self.new_kind(gx, gys)):
                what = f"the gradient of input {i} of {function}"
                kept = {
                    "input": function.xs if function._saves_xs else (),
                    "output": function.ys if function._saves_ys else (),
                }
                self.complain(kind, what, gx, "gradient of output", gys, function, kept)

    def new_kind(self, x: Any, given: Sequence[Any]) -> str:
        """Say what an array holds that is not finite; "" for nothing, and for an infinity that was given."""
        x = _floating(x)
        if x is None or np.isfinite(x).all():
            return ""
        kind = next((kind for kind, is_one in self.kinds.items() if is_one(x).any()), "")
        return "" if kind == "infinity" and self.which(kind, given) else kind

    def which(self, kind: str, given: Sequence[Any]) -> list[int]:
        """Give the indices of the arrays that hold one."""
        arrays = [(i, array) for i, x in enumerate(given) if (array := _floating(x)) is not None]
        return [i for i, array in arrays if self.kinds[kind](array).any()]

    def complain(
        self,
        kind: str,
        what: str,
        x: Any,
        name: str,
        given: Sequence[Any],
        function: Function,
        kept: Mapping[str, Sequence[Any]],
    ) -> None:
        """Raise, with the place in the array, and what the inputs and outputs hold there."""
        x, before = _floating(x), self.which(kind, given)
        bad = self.kinds[kind](x)
        count = f"{bad.sum()} of {x.size} elements"
        at = np.unravel_index(int(np.argmax(bad)), x.shape)
        source = f"as {name} {before[0]} did before" if before else f"and no {name} does"
        raise AnomalyError(
            f"{what}, {x.dtype} {x.shape}, holds {kind} ({count}, the first at {tuple(map(int, at))}"
            f"{_held_there(kept, x.shape, at)}), {source}; {self.called(function)}; keep inputs where the "
            "operator and its derivative are finite: np.where on an input, not on the result"
        )

    def called(self, function: Function) -> str:
        """Say where the user called a function, and in which backward."""
        line = f"called at {self.line(function)}"
        if differentiating.get() is None or not self.steps.calls:
            return line
        outer, _ = self.steps.calls[-1]
        return f"{line}, in backward of {outer}, which was called at {self.line(outer)}"

    def line(self, function: Function) -> str:
        return self.lines.get(id(function), "a line before the block")


def _floating(x: Any) -> Any:
    """Give the floating array of a result or gradient; None where it has none."""
    if isinstance(x, Variable):
        x = x._value
    return np.asarray(x) if isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "fc" else None


def _held_there(kept: Mapping[str, Sequence[Any]], shape: tuple[int, ...], at: Any) -> str:
    """Say what arrays that broadcast to a shape hold at a place in it."""
    said = []
    for name, arrays in kept.items():
        for i, x in enumerate(arrays):
            with suppress(ValueError):  # of another shape, as in a sum
                said.append(f"{name} {i} is {np.broadcast_to(x, shape)[at]}")
    return ", where " + " and ".join(said) if said else ""


@contextmanager
def detect_anomaly(infinities: bool = True) -> Iterator[None]:
    """Stop at the first NaN or infinity inside the block, in a result or in a gradient.

    Parameters
    ----------
    infinities : bool
        Whether infinities count, too.

    Raises
    ------
    AnomalyError
        From the call or the `backward` in which it appears, naming the operator, the array,
        the place in it, what the inputs hold there, and the line that called the operator.
        No `grad` has changed then.

    Notes
    -----
    An infinity that an input holds already, such as that of ``np.where(mask, x, -np.inf)``, is
    taken as meant, and so is what comes of it, as long as it is no NaN.

    All threads are watched while one is inside the block. Compiled functions call no
    operators, so nothing of theirs is seen.

    Examples
    --------
    >>> import numpy as np
    >>> import registry
    >>> x = registry.Variable(np.array([1.0, 0.0]))
    >>> with registry.detect_anomaly(), np.errstate(divide="ignore"):
    ...     y = np.sqrt(x)
    ...     try:
    ...         y.backward()
    ...     except registry.AnomalyError as error:
    ...         print(str(error)[:49])
    the gradient of input 0 of operator 'sqrt' of plu
    """
    with default_registry().observing(_Anomalies(infinities)):
        yield
