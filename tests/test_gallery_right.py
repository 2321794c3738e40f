"""No right operator of the gallery is accused, whatever the random numbers are.

GALLERY_SEEDS says of how many seeds, 3 without it.
"""

import os

import pytest
from gallery.right import RIGHT

from registry.testing import check_operator

SEEDS = range(int(os.environ.get("GALLERY_SEEDS", "3")))


@pytest.mark.parametrize("operator", RIGHT, ids=lambda operator: operator.__name__)
def test_none_is_accused(operator):
    for seed in SEEDS:
        report = check_operator(operator, seed=seed)
        assert report.ok, f"seed {seed}: {report}"
