"""Calls to check an operator with: what its author gives, or what its signature suggests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import Parameter
from itertools import islice, product
from math import inf, prod
from typing import Any, TypeAlias

import numpy as np

from registry.errors import OperatorDefinitionError
from registry.numpy_protocol import Array

Interval: TypeAlias = tuple[float, float]

REAL: Interval = (-inf, inf)
GUESSES: tuple[Interval, ...] = (REAL, (0, inf), (-1, 1), (1, inf), (0, 1))

_PLAIN = ((3,), (2, 3), (3, 3))
_PAIRS = (((3,), ()), ((), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((1,), (3,)))
_WIDE = (16,)
_SPECIAL = (0.0, 1.0, -1.0, 2.0)
_MOST_SPECIAL = 16


@dataclass(frozen=True, eq=False)
class Sample:
    """The arguments of one call.

    Attributes
    ----------
    inputs : tuple of numpy.ndarray or None
        What `forward` gets, in its order; None for an optional input in between.
    constants : mapping of str to object
        What `__init__` gets, by name.
    names : tuple of str
        The inputs' names, for messages.
    kind : str
        What the sample is there for: ``"plain"``, ``"0-d"``, ``"empty"``, ``"broadcast"``,
        ``"negative axis"`` or ``"special"``.
    """

    inputs: tuple[Any, ...]
    constants: Mapping[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    kind: str = "plain"

    def of(self, inputs: Sequence[Any]) -> Sample:
        """Give the same call with other inputs."""
        return replace(self, inputs=tuple(inputs))

    @property
    def floating(self) -> list[int]:
        """The places of the inputs that can be differentiated."""
        return [i for i, x in enumerate(self.inputs) if x is not None and x.dtype.kind in "fc"]

    def __str__(self) -> str:
        inputs = zip(self.names, self.inputs, strict=False)
        shown = [f"{name} = {described(x)}" for name, x in inputs if x is not None]
        return ", ".join(shown + [f"{name} = {value!r}" for name, value in self.constants.items()])


def described(x: Array) -> str:
    """Give dtype, shape and the first elements of an array in one line."""
    numbers = np.array2string(x.ravel(), precision=17, threshold=8, edgeitems=3, separator=", ")
    return f"{x.dtype} {x.shape} " + " ".join(numbers.split())


def draw(rng: np.random.Generator, shape: tuple[int, ...], domain: Interval, *, wide: bool = False) -> Array:
    """Draw float64 numbers from an open interval, clear of its ends; a wide draw goes further out.

    They are spread evenly: each of n equal parts of the interval gets one of n numbers.
    """
    low, high = domain
    size = prod(shape)
    u = ((rng.permutation(size) + rng.uniform(size=size)) / max(size, 1)).reshape(shape)
    if low == -inf and high == inf:
        drawn = np.where(u < 0.5, -1, 1) * (0.1 + abs(2 * u - 1) * (8 if wide else 2))
    elif high == inf:
        drawn = low + 0.1 + u * (10 if wide else 3)
    elif low == -inf:
        drawn = high - 0.1 - u * (10 if wide else 3)
    else:
        drawn = low + (high - low) * (0.05 + 0.9 * u)
    return np.asarray(drawn)


def intervals(domain: Any, inputs: Sequence[Parameter]) -> dict[str, Interval]:
    """Give each input's interval from a declared `domain`: one pair for all, a dict, or None.

    Raises
    ------
    OperatorDefinitionError
        If it is neither.
    """
    names = [p.name for p in inputs]
    domain = {} if domain is None else domain
    declared = domain if isinstance(domain, Mapping) else dict.fromkeys(names, domain)
    for name, pair in declared.items():
        if name not in names:
            raise OperatorDefinitionError(
                f"domain names {name!r}; the inputs are {', '.join(map(repr, names))}"
            )
        try:
            low, high = pair
            right = low < high
        except (TypeError, ValueError):
            right = False
        if not right:
            raise OperatorDefinitionError(f"domain has {pair!r}; expected a pair (low, high) with low < high")
    return {name: declared.get(name, REAL) for name in names}


def authors_samples(
    given: Any, inputs: Sequence[Parameter], domains: Mapping[str, Interval], rng: np.random.Generator
) -> Iterator[Sample]:
    """Give the author's samples: dicts of arguments, in which a shape stands for a random array."""
    for arguments in given(rng) if callable(given) else given:
        if not isinstance(arguments, Mapping):
            raise OperatorDefinitionError(
                f"samples has {arguments!r}; expected a dict of arguments by name, such as {{'x': (2, 3)}}"
            )
        constants, arrays, names = dict(arguments), [], []
        for p in inputs:
            if p.kind is Parameter.VAR_POSITIONAL:
                several = constants.pop(p.name, ())
                arrays += [_array(x, domains[p.name], rng) for x in several]
                names += [f"{p.name}[{i}]" for i in range(len(several))]
            else:
                arrays.append(_array(constants.pop(p.name, None), domains[p.name], rng))
                names.append(p.name)
        while arrays and arrays[-1] is None:
            del arrays[-1], names[-1]
        yield Sample(tuple(arrays), constants, tuple(names), _kind(arrays, constants))


def _array(value: Any, domain: Interval, rng: np.random.Generator) -> Any:
    if value is None:
        return None
    if isinstance(value, tuple) and all(isinstance(n, int) for n in value):
        return draw(rng, value, domain)
    array = np.asarray(value)
    wide = {"f": np.float64, "c": np.complex128}.get(array.dtype.kind)
    return array if wide is None else array.astype(wide)


def _kind(arrays: Sequence[Any], constants: Mapping[str, Any]) -> str:
    if any(x is not None and x.size == 0 for x in arrays):
        return "empty"
    return "negative axis" if _counts_from_the_end(constants) else "plain"


def _counts_from_the_end(constants: Mapping[str, Any]) -> bool:
    axes = [value for name, value in constants.items() if name.startswith(("axis", "axes"))]
    flat = [i for value in axes for i in (value if isinstance(value, tuple | list) else [value])]
    return any(isinstance(i, int) and i < 0 for i in flat)


def default_samples(
    inputs: Sequence[Parameter],
    constants: Sequence[Parameter],
    domains: Mapping[str, Interval],
    rng: np.random.Generator,
) -> Iterator[Sample]:
    """Give samples from the signature alone: every arity, shape and simple constant that may be.

    What an operator does not take, its forward refuses; the caller drops those.
    """
    choices = list(_constant_choices(constants))
    for names, own in _arities(inputs, domains):
        count = len(own)
        for chosen in choices:
            kind = _kind((), chosen)
            for shape in _PLAIN:
                yield Sample(tuple([draw(rng, shape, domain) for domain in own]), chosen, names, kind)
        for chosen in choices[:1]:
            for kind, shapes in _other_shapes(count):
                yield Sample(tuple(map(draw, [rng] * count, shapes, own)), chosen, names, kind)
            wide = [draw(rng, _WIDE, domain, wide=True) for domain in own]
            yield Sample(tuple(wide), chosen, names)
            for values in _special_values(own):
                yield Sample(values, chosen, names, "special")


def reshaped_samples(sample: Sample) -> Iterator[Sample]:
    """Give an elementwise operator's sample in the other shapes, with the same numbers."""
    for kind, shapes in _other_shapes(len(sample.inputs)):
        inputs = [
            None if x is None else np.resize(x, shape) for x, shape in zip(sample.inputs, shapes, strict=True)
        ]
        yield replace(sample, inputs=tuple(inputs), kind=kind)


def _other_shapes(count: int) -> Iterator[tuple[str, list[tuple[int, ...]]]]:
    yield "0-d", [()] * count
    for shape in ((0,), (2, 0)):
        yield "empty", [shape] * count
    if count > 1:
        for pair in _PAIRS:
            yield "broadcast", [pair[i % 2] for i in range(count)]


def _arities(
    inputs: Sequence[Parameter], domains: Mapping[str, Interval]
) -> Iterator[tuple[tuple[str, ...], list[Interval]]]:
    """Give names and domains of the inputs: without optional ones, with them; one to three of any number."""
    fixed = [p.name for p in inputs if p.kind is not Parameter.VAR_POSITIONAL]
    required = [p.name for p in inputs if p.name in fixed and p.default is Parameter.empty]
    variadic = [p.name for p in inputs if p.name not in fixed]
    if variadic:
        for count in (2, 3, 1):
            names = fixed + [f"{variadic[0]}[{i}]" for i in range(count)]
            yield tuple(names), [domains[name.partition("[")[0]] for name in names]
        return
    for names in (required, fixed) if len(fixed) > len(required) else (required,):
        yield tuple(names), [domains[name] for name in names]


def _constant_choices(constants: Sequence[Parameter]) -> Iterator[dict[str, Any]]:
    """Give constants that a signature suggests: the defaults, each switch turned, an axis or two."""
    axes = [p.name for p in constants if p.name == "axis"]
    required = [p.name for p in constants if p.default is Parameter.empty]
    if set(required) - set(axes):
        return
    first = dict.fromkeys(required, 0)
    yield first
    switches = [p.name for p in constants if isinstance(p.default, bool)]
    for axis in (0, -1, 1) if axes else ():
        chosen = {**first, "axis": axis}
        if chosen != first:
            yield chosen
        for switch in switches:
            yield {**chosen, switch: not next(p.default for p in constants if p.name == switch)}
    for switch in switches:
        yield {**first, switch: not next(p.default for p in constants if p.name == switch)}


def _special_values(domains: Sequence[Interval]) -> Iterator[tuple[Array, ...]]:
    """Give zeros and ones, one by one and all together, as far as they lie within the domains."""
    inside = [[v for v in _SPECIAL if low < v < high] for low, high in domains]
    for values in islice(product(*inside), _MOST_SPECIAL):
        yield tuple(map(np.asarray, values))
    if all(inside):
        yield tuple(np.array([*values, values[-1]]) for values in inside)
