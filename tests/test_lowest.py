"""The versions of others that are declared are those that the tests are run with, by tests/lowest.txt."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOT_OF_USE = {"bench", "mutation", "peers"}  # extras that compare, and run where they are installed new


def declared(path):
    """Each requirement of a project, its extras included, but those on this repository's own packages."""
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {})
    kept = [extras[name] for name in extras if name not in NOT_OF_USE]
    return {r for group in (project["dependencies"], *kept) for r in group if not r.startswith("opregistry")}


def test_each_declared_minimum_is_the_lowest_version_that_the_tests_are_run_with():
    paths = [ROOT / "pyproject.toml", *ROOT.glob("plugins_example/*/pyproject.toml")]
    minima = {re.sub(r"\[.*\]", "", r).replace(">=", "==") for path in paths for r in declared(path)}
    assert len(paths) == 4
    assert (ROOT / "tests" / "lowest.txt").read_text().split() == sorted(minima)
