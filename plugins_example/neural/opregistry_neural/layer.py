"""What layers are: functions of Variables that have parameters of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from registry import Variable


class Parameter(Variable):
    """A Variable that a layer learns."""

    __slots__ = ()


class Layer:
    """A function of Variables with parameters, buffers and layers inside it.

    A subclass sets them as attributes, also in lists, tuples and dicts, and gives `forward`.
    Whatever attribute is a `Parameter` or a `Layer` is found by itself.

    Attributes
    ----------
    training : bool
        Whether the layer learns now; dropout and batch normalisation differ then.
        `train` and `eval` set it for all layers inside, too.
    buffers : tuple of str
        Attributes that are plain arrays and belong to the state, such as running means.

    Examples
    --------
    >>> import numpy as np
    >>> from opregistry_neural import Layer, Linear
    >>> class Residual(Layer):
    ...     def __init__(self, size, rng=None):
    ...         self.inner = Linear(size, size, rng=rng)
    ...
    ...     def forward(self, x):
    ...         return x + np.tanh(self.inner(x))
    >>> [(name, p.shape) for name, p in Residual(3).named_parameters()]
    [('inner.W', (3, 3)), ('inner.b', (3,))]
    """

    training: bool = True
    buffers: ClassVar[tuple[str, ...]] = ()

    def forward(self, *xs: Any, **options: Any) -> Any:
        """Compute the result."""
        raise NotImplementedError(f"{type(self).__name__} gives no forward(self, x, ...)")

    def __call__(self, *xs: Any, **options: Any) -> Any:
        return self.forward(*xs, **options)

    def __repr__(self) -> str:
        count = sum(parameter.size for parameter in self.parameters())
        return f"<{type(self).__name__} of {count} parameters>"

    def children(self) -> Iterator[tuple[str, Any]]:
        """Give each parameter and layer that this one holds, with its name."""
        for name, value in vars(self).items():
            yield from _parts(name, value)

    def named_layers(self) -> list[tuple[str, Layer]]:
        """Give this layer and all inside it, each once, with what names of its parts begin with."""
        found: dict[int, tuple[str, Layer]] = {}
        _add_layers(self, "", found)
        return list(found.values())

    def named_parameters(self) -> list[tuple[str, Parameter]]:
        """Give each parameter once, with its name: ``"inner.W"``."""
        found: dict[Parameter, str] = {}
        for prefix, layer in self.named_layers():
            for name, child in layer.children():
                if isinstance(child, Parameter):
                    found.setdefault(child, prefix + name)
        return [(name, parameter) for parameter, name in found.items()]

    def parameters(self) -> list[Parameter]:
        """Give all parameters, each once."""
        return [parameter for _, parameter in self.named_parameters()]

    def cleargrads(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.cleargrad()

    def train(self, training: bool = True) -> None:
        """Say for this layer and all inside it whether they learn now."""
        for _, layer in self.named_layers():
            layer.training = training

    def eval(self) -> None:
        """Say for this layer and all inside it that they do not learn now."""
        self.train(False)

    def state(self) -> dict[str, Any]:
        """Give the arrays of all parameters and buffers by name; not copies."""
        found = {name: parameter.data for name, parameter in self.named_parameters()}
        for prefix, layer in self.named_layers():
            found |= {prefix + name: getattr(layer, name) for name in layer.buffers}
        return found

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Copy arrays into the parameters and buffers of their names.

        Raises
        ------
        ValueError
            If names, shapes or kinds of numbers are not those of `state()`; nothing is
            copied then.
        """
        own, kind = self.state(), type(self).__name__
        missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        if missing or unknown:
            raise ValueError(
                f"{kind}: the state lacks {missing} and has {unknown}, which the layer lacks; "
                "expected the state of a layer that was made alike"
            )
        new = {name: np.asarray(state[name]) for name in own}
        for name, array in own.items():
            if new[name].shape != array.shape or not np.can_cast(new[name].dtype, array.dtype, "same_kind"):
                raise ValueError(
                    f"{kind}: {name} is {new[name].dtype} of shape {new[name].shape} in the state; "
                    f"expected {array.dtype} of shape {array.shape}"
                )
        for name, array in own.items():
            array[...] = new[name]


class Sequential(Layer):
    """One function after the other: layers, and any functions of one Variable.

    Examples
    --------
    >>> import numpy as np
    >>> from opregistry_neural import Linear, Sequential
    >>> model = Sequential(Linear(2, 3, rng=0), np.tanh, Linear(3, 1, rng=1))
    >>> model(np.zeros((4, 2), np.float32)).shape
    (4, 1)
    >>> sum(p.size for p in model.parameters())
    13
    """

    def __init__(self, *functions: Callable[[Any], Any]) -> None:
        for i, function in enumerate(functions):
            if isinstance(function, type) or not callable(function):
                raise TypeError(
                    f"Sequential: part {i} is {function!r}; expected a layer or a function of one Variable"
                )
        self.functions = functions

    def __getitem__(self, i: int) -> Any:
        return self.functions[i]

    def children(self) -> Iterator[tuple[str, Any]]:
        return ((str(i), f) for i, f in enumerate(self.functions) if isinstance(f, Layer))

    def forward(self, x: Any) -> Any:
        for function in self.functions:
            x = function(x)
        return x


def _add_layers(layer: Layer, prefix: str, found: dict[int, tuple[str, Layer]]) -> None:
    if id(layer) not in found:  # not a set of layers: a data class is no key
        found[id(layer)] = prefix, layer
        for name, child in layer.children():
            if isinstance(child, Layer):
                _add_layers(child, f"{prefix}{name}.", found)


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Parameter | Layer):
        yield name, value
    elif isinstance(value, list | tuple | dict):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _parts(f"{name}.{key}", part)
