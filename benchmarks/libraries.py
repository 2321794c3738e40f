"""What a library is here: how it differentiates a formula of its own functions.

A formula is a plain function ``formula(m, *xs)``: `m` holds a library's functions under
NumPy's names, `xs` are its variables and then its constants. What is prepared here is called
many times; it gives the value, where it computes one, and the derivatives. A network is a
function of the layers in `networks`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any, ClassVar, TypeAlias

Formula: TypeAlias = Callable[..., Any]
Network: TypeAlias = Callable[[SimpleNamespace], Any]
Run: TypeAlias = Callable[[], Sequence[Any]]

FUNCTIONS = ("exp", "log", "matmul", "maximum", "mean", "sin", "square", "sum", "tanh")


class UnsupportedError(Exception):
    """A library cannot do what a workload asks for."""


class Library(ABC):
    """One library: its functions under NumPy's names, and its ways to differentiate.

    Attributes
    ----------
    name, module : str
        What the table calls it, and what is imported.
    eager_peer : bool
        Whether it counts where the fastest eager peer is asked for.
    m : types.SimpleNamespace
        Its functions.
    """

    name: ClassVar[str]
    module: ClassVar[str]
    eager_peer: ClassVar[bool] = True
    m: SimpleNamespace

    @classmethod
    def is_installed(cls) -> bool:
        """Say whether it can be imported here."""
        return find_spec(cls.module) is not None

    def use_threads(self, count: int) -> None:  # noqa: B027 - most have one thread
        """Compute on so many threads from now on."""

    def constant(self, value: Any) -> Any:
        """Give an array as this library takes one that is not differentiated."""
        return value

    def leaf(self, array: Any) -> Any:
        """Make a variable that is differentiated."""
        raise UnsupportedError(f"{self.name} has no variables, whose graph could be looked at")

    @abstractmethod
    def gradient(self, formula: Formula, arrays: Sequence[Any], constants: Sequence[Any] = ()) -> Run:
        """Prepare the value of a formula and its gradient by each array."""

    def derivative(self, formula: Formula, x: Any, order: int) -> Run:
        """Prepare the derivative of some order by one number."""
        raise UnsupportedError(f"{self.name} has no higher derivatives")

    def hvp(self, formula: Formula, x: Any, direction: Any) -> Run:
        """Prepare the product of a formula's Hessian with a direction."""
        raise UnsupportedError(f"{self.name} has no higher derivatives")

    def training_step(self, network: Network, x: Any, labels: Any) -> Run:
        """Prepare a step of Adam, which gives the loss before it."""
        raise UnsupportedError(f"{self.name} has no layers")


def functions_of(module: Any) -> SimpleNamespace:
    """Take the functions that formulas use, so that every library looks them up alike."""
    return SimpleNamespace(**{name: getattr(module, name) for name in FUNCTIONS})
