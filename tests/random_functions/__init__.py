"""Random functions as people write them: Python text, run on plain arrays and by the library.

`expressions` and `statements` say what bodies are made of, `outside` what they read from outside
and how that changes between calls, `operators` what authors write; `program` says what a program is
and makes worlds to run it in, `drawing` draws programs from seeds, `reference` says what plain NumPy
gives, and `checks` compares each way of the library with that.
"""

from random_functions.checks import check, shrunk
from random_functions.drawing import drawn
from random_functions.program import Discarded, Program
from random_functions.reference import OtherError, Wrong

__all__ = ["Discarded", "OtherError", "Program", "Wrong", "check", "drawn", "shrunk"]
