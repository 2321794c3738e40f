"""Every operator of this repository passes every check that applies to it."""

import pytest

from registry.testing import check_operator, find_operators

OPERATORS = [*find_operators("ops_builtin"), *find_operators("softplus")]


@pytest.mark.parametrize("full", [False, True], ids=["one direction", "whole Jacobian"])
@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: f"{operator.plugin}.{operator.name}")
def test_operator_conforms(operator, full):
    check_operator(operator, seed=int(full), full=full).raise_if_failed()
