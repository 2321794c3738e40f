"""The kit in pytest: a test for each check of the operators that one asks for, and two fixtures.

``pytest --operators NAME``, the ini option ``operators`` and ids such as
``opregistry::softplus.softplus::first_derivative`` ask for operators. The kit itself
is imported then, and not before.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from registry import (
    Function,
    Operator,
    Plugin,
    PluginManager,
    PluginWarning,
    Registry,
    RegistryError,
    Settings,
    connect,
    default_registry,
    hookimpl,
    using_registry,
)
from registry.errors import ConformanceError, did_you_mean

if TYPE_CHECKING:
    from registry.testing.checks import Check
    from registry.testing.parametrize import OperatorCheck

ROOT = "opregistry"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that ask for operators."""
    parser.getgroup("opregistry", "operators of opregistry").addoption(
        "--operators",
        action="append",
        metavar="NAME",
        help="Check an operator, or all those of a plugin, one test a check. May be given several times.",
    )
    parser.addini(
        "operators",
        "Names for --operators, for runs that are not about single files or tests",
        type="args",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect the operators that somebody asked for; there is nothing else to do without them."""
    if requests := _requests(config):
        config.pluginmanager.register(RequestedOperators(requests), "opregistry-requested")


def _requests(config: pytest.Config) -> dict[str, str]:
    """Give how each operator was asked for -> its name, and take the ids away from pytest's arguments."""
    ids = {arg: text for arg in config.args if (text := _after_root(arg)) is not None}
    config.args = [arg for arg in config.args if arg not in ids]
    if ids:
        return ids
    if names := config.getoption("operators"):
        return {f"--operators {name}": name for name in names}
    start = config.invocation_params.dir
    if config.args_source is config.ArgsSource.ARGS and not any(
        (start / arg).is_dir() for arg in config.args
    ):
        return {}
    return {f"operators in {config.inipath}: {name}": name for name in config.getini("operators")}


def _after_root(arg: str) -> str | None:
    """Give what follows ``opregistry::``; pytest prints ``../opregistry::`` in a folder below the root."""
    path, separator, text = arg.partition("::")
    return text if separator and Path(path).name == ROOT else None


class RequestedOperators:
    """The hooks of a run that checks operators.

    Parameters
    ----------
    requests : mapping of str to str
        How it was asked for -> ``name`` or ``name::check``.
    """

    def __init__(self, requests: Mapping[str, str]) -> None:
        self.requests = requests
        self.found: dict[str, tuple[Operator, list[Check]]] = {}

    def pytest_report_header(self) -> str:
        """Name the operators above the results."""
        return f"operators: {', '.join(self.requests.values())}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Find the operators before anything is collected, so that a wrong name ends the run at once."""
        for asked, text in self.requests.items():
            for operator, checks in _find(asked, text):
                _, chosen = self.found.setdefault(f"{operator.plugin}.{operator.name}", (operator, []))
                chosen += [check for check in checks if check not in chosen]

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Put the operators beside the folders and files of the session."""
        report = yield
        if isinstance(collector, pytest.Session):
            report.result.append(Operators.from_parent(collector, name=ROOT, nodeid=ROOT, found=self.found))
        return report


def _find(asked: str, text: str) -> Iterator[tuple[Operator, list[Check]]]:
    """Give the operators of a request, in an order that no plugin can shuffle, and the checks of each."""
    from registry.testing.checks import CHECKS
    from registry.testing.conformance import find_operators

    name, _, check = text.partition("::")
    try:
        full_names = {f"{operator.plugin}.{operator.name}": operator for operator in find_operators()}
        operators = (full_names[name],) if name in full_names else find_operators(name)
    except (RegistryError, PluginWarning) as error:  # a warning, where pytest makes them errors
        raise pytest.UsageError(f"{asked}: {error}") from error
    if not operators:
        raise pytest.UsageError(f"{asked}: plugin {name!r} has no operators, so there is nothing to check")
    if check and check not in CHECKS:
        known = did_you_mean(check, CHECKS) or f"; there are {', '.join(CHECKS)}"
        raise pytest.UsageError(f"{asked}: no check is named {check!r}{known}")
    for operator in sorted(operators, key=lambda operator: operator.name):
        yield operator, [CHECKS[check]] if check else list(CHECKS.values())


class Operators(pytest.Collector):
    """All operators of a run."""

    def __init__(self, *, found: Mapping[str, tuple[Operator, list[Check]]], **node: Any) -> None:
        super().__init__(**node)
        self.found = found

    def collect(self) -> Iterator[OneOperator]:
        for name, (operator, checks) in self.found.items():
            yield OneOperator.from_parent(self, name=name, operator=operator, checks=checks)


class OneOperator(pytest.Collector):
    """One operator, with a test for each check."""

    def __init__(self, *, operator: Operator, checks: list[Check], **node: Any) -> None:
        super().__init__(**node)
        self.operator = operator
        self.checks = checks

    def collect(self) -> Iterator[CheckItem]:
        from registry.testing.conformance import Conformance
        from registry.testing.parametrize import OperatorCheck

        try:
            conformance = Conformance(self.operator)
        except ValueError as error:
            raise self.CollectError(f"{self.operator.source}: {error}") from error
        if self.config.option.runxfail:
            conformance.expected = {}
        for check in self.checks:
            run = OperatorCheck(conformance, check.name)
            yield CheckItem.from_parent(self, name=check.name, check=run, obj=check.run)


class CheckItem(pytest.Item):
    """One check of one operator.

    `obj` is the function that checks: ``--collect-only -v`` shows its docstring.
    """

    def __init__(self, *, check: OperatorCheck, obj: Callable[..., Any], **node: Any) -> None:
        super().__init__(**node)
        self.check = check
        self.obj = obj

    def runtest(self) -> None:
        if reason := self._failed_elsewhere(self.name):
            raise ConformanceError(reason)
        self.check()

    def _failed_elsewhere(self, name: str) -> str | None:
        """Tell of a failed check that this one builds on and that no test of this run is about.

        Such a check is skipped, and a run of nothing but skipped tests would look fine.
        """
        from registry.testing.checks import CHECKS

        for needed in CHECKS[name].needs:
            result = self.check.conformance.run(needed)
            if result.status == "failed" and not any(
                item.parent is self.parent and item.name == needed for item in self.session.items
            ):
                return f"it builds on {needed}, which failed:\n{result.message}"
            if reason := self._failed_elsewhere(needed):
                return reason
        return None

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Give the check's own words, and how to run it again."""
        if not isinstance(excinfo.value, ConformanceError):
            return super().repr_failure(excinfo, style)
        operator = f"{self.check.operator.plugin}.{self.check.operator.name}"
        return _Failure(
            str(excinfo.value),
            f"run it again: pytest {ROOT}::{operator}::{self.name}, or in Python "
            f"registry.testing.Conformance({operator!r}).run({self.name!r})",
        )

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Give the operator's definition as the place, and the headline of a failure."""
        operator = self.check.operator
        title = f"{operator.name}: {self.name}"
        try:
            lines = inspect.getsourcelines(operator.target)
            return inspect.getsourcefile(operator.target) or self.path, lines[1] - 1, title
        except (OSError, TypeError):
            return self.path, None, title


class _Failure:
    """A failure's text, as pytest prints it: the first line in the summary, all of it above."""

    def __init__(self, message: str, hint: str) -> None:
        self.message = message
        self.hint = hint
        self.reprcrash = SimpleNamespace(message=message)

    def toterminal(self, out: Any) -> None:
        for line in self.message.splitlines():
            out.line(line, red=True)
        out.line(self.hint)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}"


@contextmanager
def own_registry(settings: Settings) -> Iterator[Registry]:
    """Make a registry that finds the built-ins and what is installed the default inside a `with` block."""
    registry = Registry()
    connect(registry, settings)
    with using_registry(registry):
        yield registry


def load_strictly(registry: Registry, targets: tuple[Any, ...], name: str) -> Plugin:
    """Load operators, or one plugin object, into a registry; what is broken is raised, and not kept."""
    known = registry.knows(name)
    try:
        return PluginManager(Settings(strict=True)).load_object(registry, _as_plugin(targets), name)
    except Exception:
        if not known:
            registry.withdraw(name)
        raise


def _as_plugin(targets: tuple[Any, ...]) -> object:
    if len(targets) == 1 and not _is_operator(targets[0]):
        return targets[0]

    class Publishes:
        @hookimpl
        def register_operators(self) -> tuple[Any, ...]:
            return targets

    return Publishes()


def _is_operator(target: Any) -> bool:
    return isinstance(target, FunctionType) or (isinstance(target, type) and issubclass(target, Function))


@pytest.fixture
def fresh_registry() -> Iterator[Registry]:
    """Give a registry of the test's own, the process's default while the test runs.

    It finds the built-ins and what is installed, as the environment says.
    """
    with own_registry(Settings.from_environment()) as registry:
        yield registry


@pytest.fixture
def temporary_plugin() -> Iterator[Callable[..., Plugin]]:
    """Give a function that publishes operators until the test ends.

    ``temporary_plugin(*operators, name="temporary")`` takes `Function` subclasses and
    composites, or one plugin: a module or object with hooks. It gives the loaded
    `Plugin`; what is wrong with it is raised.
    """
    with ExitStack() as stack:

        def load(*operators: Any, name: str = "temporary") -> Plugin:
            registry = default_registry()
            plugin = load_strictly(registry, operators, name)
            stack.callback(registry.withdraw, name)
            return plugin

        yield load
