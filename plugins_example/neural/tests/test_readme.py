"""The README names everything that there is, and nothing else."""

import re
from pathlib import Path

import opregistry_neural

from registry.plugins import neural

README = (Path(__file__).parent.parent / "README.md").read_text()


def section(heading):
    return README.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_each_operator_is_in_the_table_once():
    rows = "".join(re.findall(r"^\|.*\|$", section("Operators"), flags=re.M))
    assert sorted(re.findall(r"`(\w+)`", rows)) == sorted(dir(neural))


def test_each_part_of_training_is_named():
    names = set(opregistry_neural.__all__) - {"register_operators"}
    assert {name for name in names if not re.search(rf"\b{name}\b", README)} == set()


def test_what_is_exported_is_public_and_sorted():
    assert all(hasattr(opregistry_neural, name) for name in opregistry_neural.__all__)
    assert len(set(opregistry_neural.__all__)) == len(opregistry_neural.__all__)
