"""An operator under test: the samples it takes, and ways to compute with it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from inspect import Parameter
from typing import Any

import numpy as np

from registry.catalog import Operator
from registry.errors import RegistryError
from registry.function import Function
from registry.helpers import constant_parameters, input_parameters, signature
from registry.modes import no_grad
from registry.numpy_protocol import Array, plain
from registry.testing.differences import representable
from registry.testing.samples import (
    GUESSES,
    Sample,
    authors_sample,
    checked_samples,
    constant_choices,
    default_samples,
    intervals,
    is_shape,
    reshaped_samples,
    tied_sample,
)
from registry.variable import Variable

_FRACTION = 2.0**-20  # a short step is then many times the distance to the next number
_CALLS = 4  # that random numbers agree by chance in all of them is unlikely, even in an array of one


class Failed(Exception):  # noqa: N818, it is a verdict and reaches nobody
    """A check's verdict: the operator breaks its contract; the text says how."""


class NotApplicable(Exception):  # noqa: N818
    """A check's verdict: there is nothing here to compare; the text says why."""


class Subject:
    """One operator, its samples, and its values and derivatives there.

    Parameters
    ----------
    operator : Operator
        An entry of the catalogue.
    samples : iterable of dict, or callable, optional
        In place of what the operator's class says.
    seed : int
        Of everything random.
    full : bool
        Compare whole Jacobians instead of one random direction.
    """

    def __init__(self, operator: Operator, samples: Any = None, seed: int = 0, full: bool = False) -> None:
        target: Any = operator.target
        self.operator = operator
        self.cls: type[Function] | None = target if isinstance(target, type) else None
        self.seed = seed
        self.full = full
        declared: Any = self.cls or target.composite
        self.given = list(samples) if isinstance(samples, Iterator) else samples
        if samples is None:
            self.given = declared.samples
        self.domain = declared.domain
        if self.cls is not None:
            self.inputs = input_parameters(self.cls)
            self.constants = constant_parameters(self.cls)
        else:
            parameters = [p for p in signature(target).parameters.values() if p.kind is not p.VAR_KEYWORD]
            named = _without_default(parameters) if declared.inputs is None else declared.inputs
            self.inputs = [p for p in parameters if p.name in named]
            self.constants = [p for p in parameters if p.name not in named]

    @property
    def differentiable(self) -> bool:
        """Whether the results are to carry gradients."""
        return self.cls is None or self.cls.differentiable

    @property
    def once_differentiable(self) -> bool:
        """Whether a second derivative is to be refused."""
        return self.cls is not None and self.cls.once_differentiable

    @property
    def elementwise(self) -> bool:
        """Whether the operator says that it works element by element."""
        return self.cls is not None and self.cls.elementwise

    @property
    def files(self) -> set[str]:
        """The files in which its author's code stands."""
        functions = (self.cls.forward, self.cls.backward) if self.cls else (self.operator.target,)
        codes = [getattr(inspect.unwrap(function), "__code__", None) for function in functions]
        return {code.co_filename for code in codes if code is not None}

    def rng(self) -> np.random.Generator:
        """Give random numbers, the same ones at each call."""
        return np.random.default_rng([self.seed, 1])

    @property
    def samples(self) -> list[Sample]:
        """The calls to check: the author's, or those of the default ones that the operator takes."""
        return [sample for sample, error in self._tried if error is None]

    @property
    def refused(self) -> list[tuple[Sample, Exception]]:
        """The default samples on which `forward` raised, and what."""
        return [(sample, error) for sample, error in self._tried if error is not None]

    @cached_property
    def _tried(self) -> list[tuple[Sample, Exception | None]]:
        """Samples with finite results, and those that forward refused with its error."""
        rng = np.random.default_rng([self.seed, 0])
        if self.given is None:
            return self._defaults(list(constant_choices(self.constants)), rng)
        tried: list[tuple[Sample, Exception | None]] = []
        for arguments in checked_samples(self.given, rng):
            if not any(p.name in arguments for p in self.inputs):
                tried += self._defaults([arguments], rng)
                continue
            domains = intervals(self.domain, self.inputs)
            sample = authors_sample(arguments, self.inputs, domains, rng)
            like_it = list(reshaped_samples(sample)) if self.elementwise and not tried else []
            if any(is_shape(arguments.get(name)) for name in sample.names):
                like_it.append(tied_sample(arguments, sample, domains))
            tried += [(sample, None), *self._outcomes(like_it)[0]]
        return tried

    def _defaults(
        self, choices: list[Mapping[str, Any]], rng: np.random.Generator
    ) -> list[tuple[Sample, Exception | None]]:
        """Try the default samples, in the first domain where the results are numbers."""
        for guess in GUESSES if self.domain is None else (self.domain,):
            domains = intervals(guess, self.inputs)
            tried, everywhere = self._outcomes(default_samples(self.inputs, choices, domains, rng))
            if everywhere:
                break
        return tried

    def _outcomes(self, samples: Iterable[Sample]) -> tuple[list[tuple[Sample, Exception | None]], bool]:
        """Try samples; give those with an outcome, and whether no plain one gave nan."""
        tried: list[tuple[Sample, Exception | None]] = []
        everywhere = True
        for sample in samples:
            try:
                ys = self.values(sample)
            except RegistryError:  # not a refusal but a broken contract, which a check will name
                tried.append((sample, None))
            except Exception as error:  # whatever forward says to arguments that it does not take
                tried.append((sample, error))
            else:
                ys = [y for y in ys if y.dtype.kind in "fc"]
                if all(np.all(np.isfinite(y)) for y in ys):
                    tried.append((sample, None))
                elif sample.kind == "plain" and any(np.any(np.isnan(y)) for y in ys):
                    everywhere = False
        return tried, everywhere

    def of_kind(self, kind: str) -> list[Sample]:
        """Give the samples of a kind.

        Raises
        ------
        Failed
            If there is none, because an operator that says it is elementwise refused them.
        NotApplicable
            If there is none for another reason.
        """
        found = [sample for sample in self.samples if sample.kind == kind]
        if found:
            return found
        refusals = [(s, error) for s, error in self.refused if s.kind == kind]
        if refusals and self.elementwise:
            sample, error = refusals[0]
            raise Failed(f"forward raised {type(error).__name__}: {error}\non {sample}")
        why = f"forward takes none: {refusals[0][1]}" if refusals else f"no sample is of the kind {kind!r}"
        raise NotApplicable(why)

    @property
    def plain_samples(self) -> list[Sample]:
        """The samples without anything special about them."""
        return self.of_kind("plain")

    @property
    def float_samples(self) -> list[Sample]:
        """The plain samples with inputs that have derivatives.

        Raises
        ------
        NotApplicable
            If the operator, or no sample, has one.
        """
        if not self.differentiable:
            raise NotApplicable("differentiable = False")
        for kind in ("plain", "negative axis", "0-d"):
            found = [sample for sample in self.samples if sample.kind == kind and sample.floating]
            if any(x is not None and x.size for sample in found for x in sample.inputs):
                return found
        raise NotApplicable("no sample has a floating input with elements")

    def call(self, sample: Sample, inputs: Sequence[Any]) -> tuple[Any, ...]:
        """Call the helper with some inputs, and a copy of the sample's constants; give all results."""
        return self.call_with(copied(sample.constants), sample, inputs)

    def call_with(
        self, constants: Mapping[str, Any], sample: Sample, inputs: Sequence[Any]
    ) -> tuple[Any, ...]:
        """Call the helper with these very constants."""
        if self.cls is None and not any(p.kind is p.VAR_POSITIONAL for p in self.inputs):
            ys = _call_by_name(self.operator.helper, {**constants, **_arguments(sample.names, inputs)})
        else:
            ys = self.operator.helper(*inputs, **constants)
        return tuple(ys) if isinstance(ys, tuple | list) else (ys,)

    def ways_to_call_twice(self, sample: Sample) -> Iterator[Callable[[Sequence[Any]], tuple[Any, ...]]]:
        """Give ways from inputs to results that stay the same from call to call: the helper, one instance."""
        yield lambda inputs: self.call(sample, inputs)
        if self.cls is not None and self._steady:
            yield self._one_instance(sample)

    @cached_property
    def _steady(self) -> bool:
        """Whether an instance gives the same again; one with a random generator goes on from call to call."""
        for sample in self.samples:
            call = self._one_instance(sample)
            first, *others = [[y.data.copy() for y in call(variables(sample.inputs))] for _ in range(_CALLS)]
            if not all(all(map(same, first, other)) for other in others):
                return False
        return True

    def _one_instance(self, sample: Sample) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
        """Make an instance, and give it as a function from inputs to results."""
        assert self.cls is not None
        instance = self.cls(**copied(sample.constants))

        def call(inputs: Sequence[Any]) -> tuple[Any, ...]:
            left_out = [None] * (len(self.inputs) - len(inputs))  # as the helper gives them
            ys = instance(*inputs, *left_out)
            return ys if isinstance(ys, tuple) else (ys,)

        return call

    def values(self, sample: Sample) -> list[Array]:
        """Compute the results as arrays."""
        with no_grad(), np.errstate(all="ignore"):
            return [np.asarray(plain(y)) for y in self.call(sample, variables(sample.inputs))]

    def call_numpy(
        self, function: Callable[..., Any], sample: Sample, inputs: Sequence[Any], target: Any = None
    ) -> tuple[Any, ...]:
        """Call a NumPy function that the operator implements, or in its place `target`, with a sample."""
        several = any(p.kind is Parameter.VAR_POSITIONAL for p in self.inputs)
        arrays = [inputs] if several and not _takes_any_number(function) else inputs
        constants = copied(sample.constants)
        if self.cls is None and not several:
            first, *others = _arguments(sample.names, inputs).items()
            taken = _parameters(function).get(first[0])
            if by_name := taken is not None and taken.kind is not Parameter.POSITIONAL_ONLY:
                others.append(first)
            arrays = [] if by_name else [first[1]]
            constants.update(others)
        places = [constants.pop(name) for name in _by_position(function, constants)]
        ys = (target or function)(*arrays, *places, **constants)
        return tuple(ys) if isinstance(ys, tuple | list) else (ys,)

    def numpys_values(self, function: Callable[..., Any], sample: Sample) -> list[Array]:
        """Give what a NumPy function gives for a sample's arrays; nothing where it takes other arguments."""
        try:
            return [np.asarray(y) for y in self.call_numpy(function, sample, sample.inputs)]
        except Exception:  # whatever NumPy says to arguments that it does not take
            return []

    def weights(self, ys: Sequence[Any], rng: np.random.Generator) -> list[Array | None]:
        """Draw a gradient for each floating result."""
        return [random_like(y, rng) if y.dtype.kind in "fc" else None for y in ys]

    def incoming(self, ys: Sequence[Any]) -> list[Array]:
        """Draw what `backward` gets: a gradient for each result, zeros for one that is not floating."""
        drawn = self.weights(ys, self.rng())
        return [np.zeros(y.shape) if w is None else w for w, y in zip(drawn, ys, strict=True)]

    def step(self, sample: Sample, i: int) -> float:
        """Give how far to go along an input: 1, more where numbers are large, no more than its domain."""
        low, high = intervals(self.domain, self.inputs)[sample.names[i].partition("[")[0]]
        size = float(np.max(np.abs(sample.inputs[i]), initial=0.0))
        return min(max(1.0, size * _FRACTION), high - low)

    def directions(self, sample: Sample, rng: np.random.Generator) -> list[Array]:
        """Draw a way to go for each floating input."""
        return [
            representable(sample.inputs[i], self.step(sample, i) * random_like(sample.inputs[i], rng))
            for i in sample.floating
        ]

    def gradients(self, sample: Sample, weights: Sequence[Any]) -> list[Array]:
        """Give the gradient of sum(weights * results) by each floating input; zeros where there is none."""
        xs = variables(sample.inputs)
        pull_back(self.call(sample, xs), weights)
        return gradients_of([xs[i] for i in sample.floating])

    def outcome(self, sample: Sample, weights: Sequence[Any], xs: Sequence[Any]) -> dict[str, Array]:
        """Give results and gradients by name, for Variables (or arrays) at a sample's places."""
        ys = self.call(sample, xs)
        if self.differentiable:
            pull_back(ys, weights)
        gradients = gradients_of([xs[i] for i in sample.floating])
        return {f"result {i}": y.data for i, y in enumerate(ys)} | {
            f"gradient of {sample.names[i]}": gx for i, gx in zip(sample.floating, gradients, strict=True)
        }

    def second_derivatives(
        self, sample: Sample, weights: Sequence[Any], directions: Sequence[Array]
    ) -> list[Array]:
        """Give the gradient of sum(directions * gradients) by each floating input, then by each weight."""
        xs = variables(sample.inputs)
        leaves = [xs[i] for i in sample.floating]
        pulling = [None if w is None else Variable(w) for w in weights]
        pull_back(self.call(sample, xs), pulling, create_graph=True)
        gxs = [x.grad for x in leaves]
        everything = leaves + [w for w in pulling if w is not None]
        for variable in everything:
            variable.cleargrad()
        pairs = [(gx, v) for gx, v in zip(gxs, directions, strict=True) if gx is not None]
        pull_back([gx for gx, _ in pairs], [v for _, v in pairs])
        return gradients_of(everything)


def _without_default(parameters: Iterable[Parameter]) -> list[str]:
    return [p.name for p in parameters if p.default is p.empty and p.kind is not p.KEYWORD_ONLY]


def copied(constants: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a sample's constants for one call; what cannot be copied, such as a module, is given as it is."""
    copies = {}
    for name, value in constants.items():
        try:
            copies[name] = deepcopy(value)
        except Exception:  # whatever its type says to being copied
            copies[name] = value
    return copies


def _arguments(names: Iterable[str], inputs: Iterable[Any]) -> dict[str, Any]:
    """Give a composite's inputs by name, with lists of arrays put together again."""
    arguments: dict[str, Any] = {}
    for name, x in zip(names, inputs, strict=True):
        base, *places = re.findall(r"\w+", name)
        if not places:
            if x is not None:
                arguments[base] = x
            continue
        branch = arguments.setdefault(base, [])
        for place in map(int, places[:-1]):
            if place == len(branch):
                branch.append([])
            branch = branch[place]
        branch.append(x)
    return arguments


def _call_by_name(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call a function with arguments by name, except those that have none for its caller."""
    parameters = signature(function).parameters.values()
    first = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY and p.name in arguments]
    rest = {name: value for name, value in arguments.items() if name not in first}
    return function(*(arguments[name] for name in first), **rest)


def _takes_any_number(function: Callable[..., Any]) -> bool:
    """Say whether a NumPy function takes arrays one by one; others take a list of them."""
    kinds = [p.kind for p in _parameters(function).values()]
    return isinstance(function, np.ufunc) or Parameter.VAR_POSITIONAL in kinds


def _parameters(function: Callable[..., Any]) -> Mapping[str, Parameter]:
    try:
        return signature(function).parameters
    except ValueError:  # NumPy gives some functions no signature
        return {}


def _by_position(function: Callable[..., Any], names: Iterable[str]) -> list[str]:
    """Give the parameters of a NumPy function, or of `operator`, that have no name for its caller."""
    if not hasattr(function, "_implementation"):
        return list(names)
    parameters = _parameters(function)
    return [
        name for name in names if name in parameters and parameters[name].kind is Parameter.POSITIONAL_ONLY
    ]


def variables(inputs: Iterable[Any], *, wanted: Callable[[int], bool] = lambda i: True) -> list[Any]:
    """Copy the inputs, and make Variables of the floating ones that are wanted."""
    copies = [None if x is None else x.copy(order="K") for x in inputs]
    return [
        Variable(x) if x is not None and x.dtype.kind in "fc" and wanted(i) else x
        for i, x in enumerate(copies)
    ]


def pull_back(ys: Sequence[Any], weights: Sequence[Any], *, create_graph: bool = False) -> None:
    """Run backward from sum(weights * ys), all results in one pass."""
    terms = [np.sum(y * w) for y, w in zip(ys, weights, strict=True) if w is not None]
    total: Any = sum(terms[1:], terms[0]) if terms else None
    if isinstance(total, Variable) and total.creator is not None:
        total.backward(create_graph=create_graph)


def gradients_of(leaves: Iterable[Variable]) -> list[Array]:
    """Give each one's gradient as an array, zeros where nothing arrived."""
    return [np.zeros_like(x.data) if x.grad is None else plain(x.grad) for x in leaves]


def random_like(x: Any, rng: np.random.Generator) -> Array:
    """Draw normal numbers of an array's shape and dtype, complex ones too."""
    drawn = rng.normal(size=x.shape)
    if x.dtype.kind == "c":
        drawn = drawn + 1j * rng.normal(size=x.shape)
    return np.asarray(drawn).astype(x.dtype)


def same(found: Array, expected: Array, tolerance: float = 0.0, rounding: float = 0.0) -> bool:
    """Say whether two arrays agree in shape, and in their numbers to a share of the largest and rounding."""
    if found.shape != expected.shape:
        return False
    size = np.max(np.abs(expected[np.isfinite(expected)]), initial=0.0)
    return bool(
        np.allclose(found, expected, rtol=0, atol=tolerance * size + rounding + 1e-300, equal_nan=True)
    )
