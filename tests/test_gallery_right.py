"""No right operator of the gallery is accused, whatever the random numbers are."""

import pytest
from gallery.right import RIGHT

from registry.testing import check_operator

SEEDS = range(50)


@pytest.mark.parametrize("operator", RIGHT, ids=lambda operator: operator.__name__)
def test_none_is_accused(operator):
    for seed in SEEDS:
        report = check_operator(operator, seed=seed)
        assert report.ok, f"seed {seed}: {report}"
