"""A value from elsewhere; what every operator must hold is checked by `operators` in pyproject.toml."""

import numpy as np

from registry.ops import softplus


def test_value_at_zero_is_log_two():
    np.testing.assert_allclose(softplus(np.array(0.0)).data, np.log(2))
