"""Every wrong operator of the gallery is caught, by the one check that it is there for."""

import pytest
from gallery.wrong import CASES

from registry.testing import CHECKS, check_operator


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.operator.__name__)
def test_the_right_check_alone_catches_it(case):
    for seed in range(3):
        report = check_operator(case.operator, seed=seed)
        assert [failure.check for failure in report.failures] == [case.check], f"seed {seed}: {report}"
        assert case.says in report.failures[0].message


def test_every_check_catches_something():
    assert {case.check for case in CASES} == set(CHECKS)
