"""Every operator of this repository passes every check that applies to it."""

import pytest

from registry.testing import check_operator, find_operators

OPERATORS = [*find_operators("ops_builtin"), *find_operators("softplus")]


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: f"{operator.plugin}.{operator.name}")
def test_operator_conforms(operator):
    check_operator(operator, full=True).raise_if_failed()
