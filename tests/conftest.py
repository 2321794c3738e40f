"""What several test files share: distributions to find, and registries of their own."""

import importlib
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from registry import Settings, operators_in
from registry.pytest_plugin import load_strictly, own_registry

_FEW = "arithmetic", "complex_numbers", "conditions", "extrema", "indexing", "reductions", "shapes"
HEADER = "import numpy as np\nfrom registry import Function, composite, hookimpl\n"
OPERATOR = '''
class {name}(Function):
    """What {module} calls {name}."""

    {body}

    def forward(self, x):
        return x + 0.0

    def backward(self, gy):
        return gy

@hookimpl
def register_operators():
    return [{name}]
'''

collect_ignore = ["mutation"]  # a program, which needs the extra of its name


class Site:
    """A folder on `sys.path`, where distributions with an entry point are put."""

    def __init__(self, path: Path):
        self.path = path

    def install(self, name, source, *, key=None, value=None, version="1.0", metadata=True):
        """Write module `name` and a distribution whose entry point `key` names it."""
        module = name.replace("-", "_")
        sys.modules.pop(module, None)  # another's of this name
        (self.path / f"{module}.py").write_text(HEADER + source)
        info = self.path / f"{module}-{version}.dist-info"
        info.mkdir()
        if metadata:
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[opregistry]\n{key or module} = {value or module}\n")
        importlib.invalidate_caches()

    def install_operator(self, name, operator, body="", **options):
        """Install a plugin with one operator that gives its input back."""
        source = OPERATOR.format(name=operator, module=name.replace("-", "_"), body=body or "pass")
        self.install(name, source, **options)

    def python(self, code, **environment):
        """Run code in a process of its own that finds these distributions; give what it printed."""
        paths = os.pathsep.join([str(self.path), str(Path(__file__).parents[1])])
        clean = {k: v for k, v in os.environ.items() if not k.startswith("OPREGISTRY_")}
        environment = {**clean, "PYTHONPATH": paths, **environment}
        command = [sys.executable, "-W", "error", "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A `Site` of the test's own; its modules are forgotten afterwards, and those they stood for are back."""
    monkeypatch.syspath_prepend(tmp_path)
    before = dict(sys.modules)
    yield Site(tmp_path)
    for name, module in list(sys.modules.items()):
        if str(tmp_path) in str(getattr(module, "__file__", "")):
            del sys.modules[name]
    sys.modules.update({name: before[name] for name in before.keys() - sys.modules.keys()})


@pytest.fixture
def fresh():
    """Give a function: a registry with these settings, the default until the test ends."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(own_registry(Settings(**settings)))


@pytest.fixture
def few_builtins(monkeypatch):
    """Let registries that are made from now on have few of the built-ins, which are soon checked."""
    families = {f"ops_builtin.{name}" for name in _FEW}
    few = [operator for operator in operators_in("ops_builtin") if operator.__module__ in families]
    monkeypatch.setattr("ops_builtin.operators_in", lambda _: iter(few))


@pytest.fixture
def plans_do_not_fail(monkeypatch):
    """Where a step of a plan fails, the function itself is called; here it must fail, too."""
    from registry.compiler import CompiledFunction

    def fails_too(self, error, args, kwargs):
        with pytest.raises(type(error)):
            self._f(*args, **kwargs)
        raise error

    monkeypatch.setattr(CompiledFunction, "_plainly", fails_too)


@pytest.fixture
def publish():
    """Give a function: load operators into a registry as one plugin of this name."""
    return lambda registry, plugin, *targets: load_strictly(registry, targets, plugin)


@pytest.fixture
def terminal(monkeypatch):
    """Let the commands believe that somebody watches."""
    for module in ("check_report", "demo", "grad", "plugins", "output"):  # the last is what they import
        monkeypatch.setattr(f"registry.cli.{module}.on_terminal", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
