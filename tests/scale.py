"""How much is tried by tests that draw at random: ``OPREGISTRY_TEST_SCALE``, 1 where nobody says more."""

import os
from typing import Any

from hypothesis import HealthCheck, settings

SCALE = float(os.environ.get("OPREGISTRY_TEST_SCALE", "1"))


def scaled(count: int) -> int:
    """Give how often something is tried, of which `count` is for every day."""
    return max(round(count * SCALE), 1)


def examples(count: int) -> Any:
    """Give settings of Hypothesis for so many examples.

    Of scale 1 they are the same in every run: a change must not fail on a number that has nothing
    to do with it. Of any other they are new ones, and a failure prints the line that repeats it.
    """
    repeatable = SCALE == 1
    return settings(
        max_examples=scaled(count), deadline=None, derandomize=repeatable, database=None,
        print_blob=not repeatable, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
