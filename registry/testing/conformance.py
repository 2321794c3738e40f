"""`check_operator`: the checks of one operator, each run once, after those that it builds on."""

from __future__ import annotations

import inspect
import traceback
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from registry.catalog import SESSION, Operator
from registry.definition import make_operator
from registry.errors import UnknownOperatorError, did_you_mean, text_of
from registry.state import default_registry
from registry.testing.checks import CHECKS, Check
from registry.testing.report import Report, Result
from registry.testing.subject import Failed, NotApplicable, Subject


class Conformance:
    """One operator and its checks, run on demand.

    Parameters
    ----------
    operator : Function subclass, composite, helper, str or Operator
        What to check; a text is an operator's name, alone or as ``plugin.name``.
    samples : iterable of dict, or callable, optional
        In place of the operator's own; see `registry.testing.Sample`.
    seed : int
        Of all random numbers.
    full : bool
        Compare whole Jacobians instead of one random direction.
    expected_failures : dict of str to str, optional
        Beside the operator's own: check -> reason.

    Raises
    ------
    ValueError
        If an expected failure has no reason, or names no check.
    """

    def __init__(
        self,
        operator: Any,
        samples: Any = None,
        *,
        seed: int = 0,
        full: bool = False,
        expected_failures: Mapping[str, str] | None = None,
    ) -> None:
        self.operator = _entry(operator)
        self.subject = Subject(self.operator, samples, seed, full)
        declared = self.subject.cls or self.operator.target.composite  # type: ignore[attr-defined]
        self.expected = _with_reasons({**declared.expected_failures, **(expected_failures or {})})
        self._results: dict[str, Result] = {}

    def run(self, name: str) -> Result:
        """Run one check, after those that it builds on, or give what came of it before."""
        if name not in self._results:
            result = self._judged(CHECKS[name])
            if name in self.expected:
                result = _as_expected(result, self.expected[name])
            self._results[name] = result
        return self._results[name]

    def report(self) -> Report:
        """Run every check."""
        results = tuple(map(self.run, CHECKS))
        return Report(self.operator.name, self.operator.plugin, results)

    def _blocker(self, check: Check) -> str | None:
        """Name the check that failed, of those that this one builds on."""
        for needed in check.needs:
            if self.run(needed).status in ("failed", "expected failure"):
                return needed
            if blocker := self._blocker(CHECKS[needed]):
                return blocker
        return None

    def _judged(self, check: Check) -> Result:
        if blocker := self._blocker(check):
            return Result(check.name, "skipped", message=f"{blocker} did not pass")
        count = 0
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # samples go to the edges on purpose
                for _ in check.run(self.subject):
                    count += 1
        except NotApplicable as reason:
            return Result(check.name, "skipped", count, str(reason))
        except Failed as failure:
            return Result(check.name, "failed", count, str(failure))
        except (Exception, SystemExit) as error:  # the operator's own, of any kind
            return Result(check.name, "failed", count, _told(error, self.operator.target))
        if count == 0:
            return Result(check.name, "skipped", message="there was nothing to compare")
        return Result(check.name, "passed", count)


def check_operator(
    operator: Any,
    samples: Any = None,
    *,
    seed: int = 0,
    full: bool = False,
    expected_failures: Mapping[str, str] | None = None,
) -> Report:
    """Check an operator against the whole contract.

    Parameters
    ----------
    operator, samples, seed, full, expected_failures
        As those of `Conformance`.

    Returns
    -------
    Report
        What came of each check; no comparison at all is a failure.

    Examples
    --------
    >>> from registry import Function
    >>> from registry.testing import check_operator
    >>> class Quartic(Function):
    ...     '''x ** 4.'''
    ...
    ...     def forward(self, x):
    ...         return x**4
    ...
    ...     def backward(self, gy):
    ...         (x,) = self.xs
    ...         return 3 * x**3 * gy
    >>> report = check_operator(Quartic)
    >>> report.ok, [failure.check for failure in report.failures]
    (False, ['first_derivative'])
    """
    conformance = Conformance(operator, samples, seed=seed, full=full, expected_failures=expected_failures)
    return conformance.report()


def find_operators(name: str | None = None) -> tuple[Operator, ...]:
    """Give the operators of a plugin, one operator by its name, or all that are installed.

    Raises
    ------
    UnknownOperatorError
        If nothing has that name; the message has near misses, and why a plugin failed.
    """
    registry = default_registry()
    plugins = {plugin.name: plugin for plugin in registry.load()}
    if name is None:
        return tuple(operator for plugin in plugins.values() for operator in plugin.operators)
    if name in plugins:
        plugin = plugins[name]
        if plugin.status != "loaded":
            raise UnknownOperatorError(
                f"plugin {plugin} {plugin.fate}"
                + (f": {text_of(plugin.error)}" if plugin.error is not None else "")
            )
        return plugin.operators
    if "." in name or name in registry.catalog.names:
        return (registry.operator(name),)
    known = sorted({*plugins, *registry.catalog.names})
    raise UnknownOperatorError(f"no plugin and no operator is named {name!r}{did_you_mean(name, known)}")


def _entry(target: Any) -> Operator:
    """Find the catalogue's entry of what somebody wants to check, or make one."""
    if isinstance(target, Operator):
        return target
    registry = default_registry()
    if isinstance(target, str):
        return registry.operator(target)
    for candidates in registry.catalog.names.values():
        for operator in candidates:
            if target is operator.target or target is operator.helper:
                return operator
    return make_operator(target, SESSION)


def _with_reasons(expected: Mapping[str, str]) -> Mapping[str, str]:
    for name, reason in expected.items():
        if name not in CHECKS:
            raise ValueError(
                f"expected_failures names {name!r}, which is no check{did_you_mean(name, CHECKS)}"
            )
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(f"expected_failures[{name!r}] is {reason!r}; it must say why it fails")
    return expected


def _as_expected(result: Result, reason: str) -> Result:
    if result.status == "failed":
        return Result(result.check, "expected failure", result.count, reason)
    fared = "passed" if result.status == "passed" else f"did not run ({result.message})"
    message = f"it was expected to fail ({reason}), but it {fared}; take it out of expected_failures"
    return Result(result.check, "failed", result.count, message)


def _told(error: BaseException, target: Any) -> str:
    """Give an error, its notes, and the innermost line of the operator's own file that it came from."""
    lines = "".join(traceback.format_exception_only(error)).splitlines()
    with suppress(TypeError, OSError):  # a class of a notebook has no file
        file = inspect.getsourcefile(target)
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        lines += [f"at {frame.filename}:{frame.lineno}: {frame.line}" for frame in own[-1:]]
    return "\n".join(lines)
