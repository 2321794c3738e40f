"""Checks as tests: one callable a check, and a decorator that makes a test of each.

pytest is imported where a test runs, never by importing the kit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from registry.catalog import Operator
from registry.errors import ConformanceError, did_you_mean
from registry.testing.checks import CHECKS
from registry.testing.conformance import Conformance, find_operators

if TYPE_CHECKING:
    import pytest


class OperatorCheck:
    """One check of one operator, to be called in a test.

    Calling it passes, skips or fails as the check does; an expected failure is an xfail.
    The checks of an operator share one `Conformance`, so that each runs once.

    Attributes
    ----------
    name : str
        The check's.
    """

    def __init__(self, conformance: Conformance, name: str) -> None:
        self.conformance = conformance
        self.name = name

    @property
    def operator(self) -> Operator:
        """The operator that is checked."""
        return self.conformance.operator

    def __call__(self) -> None:
        """Run the check.

        Raises
        ------
        ConformanceError
            If the operator does not pass it, or if no check compared anything at all.
        """
        __tracebackhide__ = True
        import pytest

        result = self.conformance.run(self.name)
        if result.status == "failed":
            raise ConformanceError(result.message)
        if self.name == next(iter(CHECKS)) and not result.count and not self.conformance.report().count:
            raise ConformanceError(f"nothing was compared, by any check: {result.message}")
        if result.status == "skipped":
            pytest.skip(result.message)
        if result.status == "expected failure":
            pytest.xfail(result.message)
            raise ConformanceError(result.message)  # --runxfail makes the line above do nothing

    def __repr__(self) -> str:
        return f"<check {self.name} of {self.operator.plugin}.{self.operator.name}>"


def parametrize_operators(
    *operators: Any,
    expected_failures: Mapping[str, Mapping[str, str]] | None = None,
    samples: Mapping[str, Any] | None = None,
    seed: int = 0,
    full: bool = False,
) -> pytest.MarkDecorator:
    """Make one test an operator and check of a function with the argument ``check``.

    Parameters
    ----------
    *operators : str, Function subclass, composite or helper
        What to check; a text names a plugin or an operator.
    expected_failures : dict of str to dict of str to str, optional
        Operator name -> check -> reason, beside the operators' own. A check that passes
        although it is listed here fails.
    samples : dict of str to samples, optional
        Operator name -> samples in place of the operator's own; see `registry.testing.Sample`.
    seed, full
        As those of `registry.testing.check_operator`.

    Raises
    ------
    UnknownOperatorError
        If nothing has one of the names.
    ValueError
        If there is no operator to check, or something is said about one that is not among them.

    Examples
    --------
    >>> from registry.testing.parametrize import parametrize_operators
    >>> @parametrize_operators("sin", "cos")
    ... def test_operator(check):
    ...     check()
    """
    import pytest

    found = [each for operator in operators for each in _found(operator)]
    if not found:
        raise ValueError("there is no operator to check; name a plugin or an operator that is installed")
    names = [operator.name for operator in found]
    expected_failures, samples = expected_failures or {}, samples or {}
    for argument, keys in (("expected_failures", expected_failures), ("samples", samples)):
        for key in set(keys) - set(names):
            raise ValueError(f"{argument} names {key!r}, which is not checked here{did_you_mean(key, names)}")
    parameters = []
    for operator in found:
        run = Conformance(
            operator,
            samples.get(operator.name),
            seed=seed,
            full=full,
            expected_failures=expected_failures.get(operator.name),
        )
        shown = operator.name if names.count(operator.name) == 1 else f"{operator.plugin}.{operator.name}"
        parameters += [pytest.param(OperatorCheck(run, name), id=f"{shown}-{name}") for name in CHECKS]
    return pytest.mark.parametrize("check", parameters)


def _found(operator: Any) -> tuple[Operator, ...]:
    return find_operators(operator) if isinstance(operator, str) else (Conformance(operator).operator,)
