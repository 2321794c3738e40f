"""The operators of a package of several modules, found for its hook."""

import sys

import pytest

from registry import PluginError, operators_in

MODULE = """
import numpy as np
from registry import Function, composite
{more}

class {name}(Function):
    def forward(self, x):
        return x + 0.0

    def backward(self, gy):
        return gy

class _Base({name}):
    pass

class NoOperator:
    pass

@composite()
def twice_{name}(x):
    return x * 2

def plain(x):
    return x
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "several_modules"
    folder.mkdir()
    (folder / "__init__.py").write_text("from several_modules.one import One\n")
    (folder / "two.py").write_text(MODULE.format(name="Two", more="from several_modules.one import One"))
    (folder / "one.py").write_text(MODULE.format(name="One", more=""))
    (folder / "_private.py").write_text("raise AssertionError('a private module was imported')")
    (folder / "single.py").write_text("")
    yield "several_modules"
    for name in [name for name in sys.modules if name.startswith("several_modules")]:
        del sys.modules[name]


def test_each_public_operator_is_found_once_where_it_is_defined(package):
    found = [target.__name__ for target in operators_in(package)]
    assert found == ["One", "twice_One", "Two", "twice_Two"]


def test_a_module_that_is_no_package_is_refused(package):
    with pytest.raises(PluginError, match=r"'several_modules\.single' is a module, not a package"):
        list(operators_in(f"{package}.single"))
