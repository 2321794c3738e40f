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

_PLAIN = ((3,), (2, 3), (3, 3), (2, 3, 4))
_PAIRS = (((3,), ()), ((), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((1,), (3,)))
_WIDE = (16,)
_SPECIAL = (0.0, 1.0, -1.0, 2.0)
_TIED = (0.0, 1.0, -1.0, 2.0, 2.0, -1.0)
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
        The inputs' names, for messages; ``"xs[1]"`` is an element of a list.
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


def checked_samples(given: Any, rng: np.random.Generator) -> list[Mapping[str, Any]]:
    """Give an author's dicts of arguments.

    Raises
    ------
    OperatorDefinitionError
        If they are anything else.
    """
    if isinstance(given, Iterator):
        raise OperatorDefinitionError(
            "samples is an iterator, which can be read once; give a tuple or a list"
        )
    found = list(given(rng) if callable(given) else given)
    for arguments in found:
        if not isinstance(arguments, Mapping):
            raise OperatorDefinitionError(
                f"samples has {arguments!r}; expected a dict of arguments by name, such as {{'x': (2, 3)}}"
            )
    return found


def authors_sample(
    arguments: Mapping[str, Any],
    inputs: Sequence[Parameter],
    domains: Mapping[str, Interval],
    rng: np.random.Generator,
) -> Sample:
    """Make a sample of an author's dict of arguments, in which a shape stands for a random array."""
    constants, arrays, names = dict(arguments), [], []
    for p in inputs:
        value = constants.pop(p.name, None)
        if p.kind is Parameter.VAR_POSITIONAL:
            value = list(value or ())
        for name, x in _leaves(p.name, value):
            arrays.append(_array(x, domains[p.name], rng))
            names.append(name)
    while arrays and arrays[-1] is None:
        del arrays[-1], names[-1]
    return Sample(tuple(arrays), constants, tuple(names), _kind(arrays, constants))


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Give what lists of arrays hold, each with its place: ``"xs[0]"``, ``"xs[1][0]"``."""
    if isinstance(value, list) and any(x is None or isinstance(x, list | tuple | np.ndarray) for x in value):
        for i, x in enumerate(value):
            yield from _leaves(f"{name}[{i}]", x)
    else:
        yield name, value


def _array(value: Any, domain: Interval, rng: np.random.Generator) -> Any:
    if value is None:
        return None
    if is_shape(value):
        return draw(rng, value, domain)
    array = np.asarray(value)
    wide = {"f": np.float64, "c": np.complex128}.get(array.dtype.kind)
    return array if wide is None else array.astype(wide)


def is_shape(value: Any) -> bool:
    """Say whether an author's sample gives a shape in place of an array."""
    return isinstance(value, tuple) and all(isinstance(n, int | np.integer) for n in value)


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
    choices: Sequence[Mapping[str, Any]],
    domains: Mapping[str, Interval],
    rng: np.random.Generator,
) -> Iterator[Sample]:
    """Give samples with these choices of constants: every arity and shape that may be.

    What an operator does not take, its forward refuses; the caller drops those.
    """
    for names, own in _arities(inputs, domains):
        count = len(own)
        for chosen in choices:
            kind = _kind((), chosen)
            for shape in _PLAIN:
                yield Sample(_drawn(rng, [shape] * count, own), chosen, names, kind)
        for chosen in choices[:1]:
            for kind, shapes in _other_shapes(count):
                yield Sample(_drawn(rng, shapes, own), chosen, names, kind)
            yield Sample(_drawn(rng, [_WIDE] * count, own, wide=True), chosen, names)
            for values in _special_values(own):
                yield Sample(values, chosen, names, "special")


def _drawn(
    rng: np.random.Generator,
    shapes: Sequence[tuple[int, ...]],
    domains: Sequence[Interval | None],
    *,
    wide: bool = False,
) -> tuple[Any, ...]:
    """Draw an array for each domain; None, an input left out, stays None."""
    pairs = zip(shapes, domains, strict=True)
    return tuple([None if domain is None else draw(rng, shape, domain, wide=wide) for shape, domain in pairs])


def tied_sample(arguments: Mapping[str, Any], sample: Sample, domains: Mapping[str, Interval]) -> Sample:
    """Give an author's sample with zeros, ones and equal numbers in the arrays that are drawn."""
    inputs = list(sample.inputs)
    for i, name in enumerate(sample.names):
        values = _within(_TIED, domains[name.partition("[")[0]])
        if values and is_shape(arguments.get(name)):
            inputs[i] = np.resize(np.array(values), inputs[i].shape)
    return replace(sample, inputs=tuple(inputs), kind="special")


def reshaped_samples(sample: Sample) -> Iterator[Sample]:
    """Give an elementwise operator's sample in the other shapes, with the same numbers."""
    for kind, shapes in _other_shapes(len(sample.inputs)):
        inputs = [
            None if x is None else np.resize(x, shape) for x, shape in zip(sample.inputs, shapes, strict=True)
        ]
        yield replace(sample, inputs=tuple(inputs), kind=kind)


def _other_shapes(count: int) -> Iterator[tuple[str, list[tuple[int, ...]]]]:
    for _ in range(3):
        yield "0-d", [()] * count
    for shape in ((0,), (2, 0)):
        yield "empty", [shape] * count
    if count > 1:
        for pair in _PAIRS:
            yield "broadcast", [pair[i % 2] for i in range(count)]


def _arities(
    inputs: Sequence[Parameter], domains: Mapping[str, Interval]
) -> Iterator[tuple[tuple[str, ...], list[Interval | None]]]:
    """Give names and domains of the inputs, None for one that is left out.

    Without the optional ones, with each of them alone, and with all; one to three of any number.
    """
    fixed = [p.name for p in inputs if p.kind is not Parameter.VAR_POSITIONAL]
    variadic = [p.name for p in inputs if p.name not in fixed]
    if variadic:
        for count in (2, 3, 1):
            names = fixed + [f"{variadic[0]}[{i}]" for i in range(count)]
            yield tuple(names), [domains[name.partition("[")[0]] for name in names]
        return
    required = [p.name for p in inputs if p.default is Parameter.empty]
    optional = fixed[len(required) :]
    for given in dict.fromkeys([(), *((name,) for name in optional), tuple(optional)]):
        count = max((fixed.index(name) + 1 for name in given), default=len(required))
        own = [domains[name] if name in required or name in given else None for name in fixed[:count]]
        yield tuple(fixed[:count]), own


def constant_choices(constants: Sequence[Parameter]) -> Iterator[dict[str, Any]]:
    """Give constants that a signature suggests: the defaults, each changed a little, an axis or two."""
    axes = [p.name for p in constants if p.name == "axis"]
    required = [p.name for p in constants if p.default is Parameter.empty]
    if set(required) - set(axes):
        return
    first = dict.fromkeys(required, 0)
    yield first
    switches = [p.name for p in constants if isinstance(p.default, bool)]
    for p in constants:
        if isinstance(p.default, int | float) and not isinstance(p.default, bool) and p.name not in axes:
            yield {**first, p.name: p.default + 1 if isinstance(p.default, int) else p.default / 2 or 0.5}
    for axis in (0, -1, 1) if axes else ():
        chosen = {**first, "axis": axis}
        if chosen != first:
            yield chosen
        for switch in switches:
            yield {**chosen, switch: not next(p.default for p in constants if p.name == switch)}
    for switch in switches:
        yield {**first, switch: not next(p.default for p in constants if p.name == switch)}


def _special_values(domains: Sequence[Interval | None]) -> Iterator[tuple[Any, ...]]:
    """Give zeros and ones, one by one and all together, as far as they lie within the domains."""
    inside = [_within(_SPECIAL, domain) for domain in domains]
    for values in islice(product(*inside), _MOST_SPECIAL):
        yield tuple([None if v is None else np.asarray(v) for v in values])
    if all(inside):
        tied = [_within(_TIED, domain) for domain in domains]
        yield tuple(
            [None if domain is None else np.array(v) for v, domain in zip(tied, domains, strict=True)]
        )


def _within(values: Sequence[float], domain: Interval | None) -> list[Any]:
    if domain is None:
        return [None]
    low, high = domain
    return [v for v in values if low < v < high]
