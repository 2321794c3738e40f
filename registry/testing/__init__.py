"""The kit for authors of operators: one checker for the whole contract."""

from registry.errors import ConformanceError
from registry.testing.checks import CHECKS, Check
from registry.testing.conformance import Conformance, check_operator, find_operators
from registry.testing.parametrize import parametrize_operators
from registry.testing.report import Report, Result
from registry.testing.samples import Sample

__all__ = [
    "CHECKS",
    "Check",
    "Conformance",
    "ConformanceError",
    "Report",
    "Result",
    "Sample",
    "check_operator",
    "find_operators",
    "parametrize_operators",
]
