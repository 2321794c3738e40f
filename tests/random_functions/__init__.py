"""Random functions as people write them: Python text, run on plain arrays and by the library.

`expressions` and `statements` say what bodies are made of, `outside` what they read from outside
and how that changes between calls, `operators` what authors write, `program` draws whole programs
from a seed and makes their worlds, `checks` compares each way with plain NumPy.
"""

from random_functions.checks import CHECKS, Wrong
from random_functions.program import Discarded, Program, drawn

__all__ = ["CHECKS", "Discarded", "Program", "Wrong", "drawn"]
