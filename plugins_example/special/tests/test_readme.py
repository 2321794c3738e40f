"""The README, whose examples pytest runs, names every operator."""

import re
from pathlib import Path

from registry.testing import find_operators


def test_the_readme_names_every_operator():
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", readme))
    assert [operator.name for operator in find_operators("special") if operator.name not in named] == []
