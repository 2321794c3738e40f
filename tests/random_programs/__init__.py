"""Random programs of the built-in operators, and an interpreter of them that knows nothing of the library.

`operations` says what programs are made of and how each step moves with its inputs, `program`
what a program is and what it means, `strategy` draws them for Hypothesis.
"""

from random_programs.operations import OPERATIONS
from random_programs.program import Program
from random_programs.strategy import programs

__all__ = ["OPERATIONS", "Program", "programs"]
