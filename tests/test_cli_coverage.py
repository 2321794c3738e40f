"""``opregistry coverage``: every name of the list, and what a call of it reaches."""

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("typer")
from test_cli import run

from registry import NoOperatorError, Variable
from registry.catalog import function_name
from registry.state import default_registry

ROOT = Path(__file__).parents[1]
HELPER = '''
class Expit(Function):
    """The logistic function, with a wrong derivative."""

    name = "scipy_special_stand_in"
    implements = np.spacing

    def forward(self, x):
        return np.tanh(x)

    def backward(self, gy):
        return gy

class Relu(Function):
    """max(x, 0)."""

    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, gy):
        (x,) = self.xs
        return gy * np.greater(x, 0)

@hookimpl
def register_operators():
    return [Expit, Relu]

@hookimpl
def register_refused_functions():
    return {"gru": "use a loop", "glu": "use a loop"}
'''


@pytest.fixture
def rows(site, fresh):
    """Give a function: the rows of the list by name, with a plugin beside the built-ins."""
    site.install("mine", HELPER)
    fresh(only=frozenset({"mine"}))
    return lambda *options: {
        row["name"]: row for row in json.loads(run("coverage", "--json", *options).stdout)
    }


def test_a_name_is_served_by_what_a_call_of_it_reaches(rows):
    found = rows()
    assert found["numpy.__getitem__"]["by"] == "ops_builtin.getitem"
    assert found["numpy.absolute"]["by"] == found["numpy.abs"]["by"] == "ops_builtin.abs"
    assert (found["relu"]["status"], found["relu"]["by"]) == ("served", "mine.relu")


def test_a_refused_one_has_the_reason_that_its_error_gives(rows):
    found = rows()
    assert (found["gru"]["status"], found["gru"]["why"]) == ("refused", "use a loop")
    assert found["numpy.c_"]["why"].endswith("use np.column_stack")


def test_a_missing_one_names_the_plugin_that_it_belongs_to(rows):
    found = rows()
    assert (found["elu"]["status"], found["elu"]["why"]) == ("missing", "belongs to plugin neural")


def test_no_constant_function_counts(rows, fresh):
    fresh(only=frozenset(), block=frozenset({"ops_builtin"}))
    assert {row["status"] for row in rows().values()} == {"missing"}


def test_checked_is_what_the_checker_found_right(few_builtins, rows):
    assert rows("--check")["relu"]["checked"] == "first, second, float32, complex"
    assert rows()["relu"]["checked"] == ""


def test_the_sums_add_up(rows):
    shown = run("coverage").stdout
    numbers = [list(map(int, n)) for n in re.findall(r"  +(\d+) +(\d+) +(\d+) +(\d+)$", shown, flags=re.M)]
    *groups, everything = numbers
    assert everything == [sum(column) for column in zip(*groups, strict=True)]
    assert all(served + refused + missing == of for served, refused, missing, of in numbers)
    assert everything[3] == len(json.loads(run("coverage", "--json").stdout)) == 411
    assert "\n  glu, gru: use a loop\n" in shown


@pytest.fixture
def with_both_packages(fresh):
    pytest.importorskip("opregistry_neural")
    pytest.importorskip("opregistry_special")
    fresh(only=frozenset({"special", "neural"}))


@pytest.mark.usefixtures("with_both_packages")
class TestWithBothPackages:
    def test_the_page_in_docs_is_what_the_command_writes(self):
        page = ROOT / "docs" / "coverage.md"
        assert run("coverage", "--markdown").stdout == page.read_text()

    def test_the_readme_has_the_sums_of_the_page(self):
        rows = json.loads(run("coverage", "--json").stdout)
        count = Counter(row["status"] for row in rows)
        text = f"{count['served']} of {len(rows)} names are served and {count['refused']} are refused."
        assert text in (ROOT / "README.md").read_text()
        assert not count["missing"]


def served_nowhere():
    """Give each function of NumPy that asks its arguments' types, and that no operator or plugin knows."""
    catalog = default_registry().catalog
    for module in (np, np.linalg, np.fft):
        for name, function in vars(module).items():
            asks = isinstance(function, np.ufunc) or hasattr(function, "_implementation")
            refused = function_name(function) in catalog.refused if asks else True
            if not name.startswith("_") and not refused and function not in catalog.functions:
                yield function


def test_a_name_that_is_missing_says_so_and_names_the_nearest(fresh):
    fresh(only=frozenset())
    with pytest.raises(NoOperatorError, match=r"no operator implements numpy\.spacing"):
        np.spacing(Variable(np.array(1.0)))
    default_registry().load()
    for function in served_nowhere():
        with pytest.raises(NoOperatorError, match=f"no operator implements {function_name(function)}[;]"):
            default_registry().calls[function]

    def cumsun(x): ...

    with pytest.raises(NoOperatorError, match=r"cumsun; did you mean 'cumsum'"):
        default_registry().calls[cumsun]
