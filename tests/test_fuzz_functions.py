"""Random functions as people write them, compared with plain NumPy; long runs by hand:

    python tests/test_fuzz_functions.py 20000             # so many of new ones, and what was refused
    python tests/test_fuzz_functions.py compiled 17       # one again, by its kind and seed
"""  # fmt: skip

from __future__ import annotations

import secrets
import sys
import time
import warnings
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest
from random_functions import Discarded, OtherError, Program, Wrong, check, drawn, shrunk
from scale import SCALE, scaled

import registry

# How many of each kind are tried every day: together about a minute.
EVERY_DAY = {"gradients": 800, "compiled": 600, "checkpoint": 500, "vjp": 500, "operators": 600}


@contextmanager
def quiet():
    """Let overflows and warnings of programs pass."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Tally:
    """What became of programs, in all and by what they tried."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.features: dict[str, Counter[str]] = {}
        self.errors: Counter[str] = Counter()
        self.wrong: list[tuple[Program, Wrong]] = []
        self.comparisons = 0

    def try_one(self, kind: str, seed: int) -> None:
        program = drawn(kind, seed)
        try:
            with quiet():
                self.comparisons += check(program)
            outcome = "agrees"
        except Discarded:
            outcome = "discarded"
        except registry.RegistryError:
            outcome = "refused"
        except OtherError as error:
            outcome = "other error"
            self.errors[str(error).split("\n")[0][:150]] += 1
        except Wrong as error:
            outcome = "wrong"
            self.wrong.append((program, error))
        self.outcomes[outcome] += 1
        for feature in program.all_features:
            self.features.setdefault(feature, Counter())[outcome] += 1


def report(program: Program, failure: Wrong) -> str:
    """Give a failing program, as small as it still fails, and how to repeat it."""
    with quiet():
        small, failure = shrunk(program, failure)
    changes = "".join(f"# then: {change}\n" for change in small.changes)
    repeat = f"python tests/test_fuzz_functions.py {program.kind} {program.seed}"
    return f"{' + '.join(sorted(small.all_features))}\n{small.text}{changes}{failure}\nrepeat: {repeat}\n"


@pytest.mark.parametrize("kind", EVERY_DAY)
def test_functions_agree_with_plain_numpy_or_are_refused(kind):
    tally, first = Tally(), 0 if SCALE == 1 else secrets.randbelow(2**40)
    for seed in range(first, first + scaled(EVERY_DAY[kind])):
        tally.try_one(kind, seed)
        if tally.wrong:
            pytest.fail(report(*tally.wrong[0]))
    assert tally.outcomes["agrees"] > 0.2 * tally.outcomes.total()


def main(count: int) -> None:
    """Try so many programs, and print what became of them and of what they tried."""
    started, first, per_day = time.perf_counter(), secrets.randbelow(2**40), sum(EVERY_DAY.values())
    for kind, share in EVERY_DAY.items():
        tally, begun = Tally(), time.perf_counter()
        for seed in range(first, first + round(count * share / per_day)):
            tally.try_one(kind, seed)
        found, took = tally.outcomes.total(), time.perf_counter() - begun
        print(f"{kind}: {found:,} programs, {tally.comparisons:,} comparisons, {took:.0f} s")
        print(*(f"  {n:6,} {outcome}" for outcome, n in tally.outcomes.most_common()), sep="\n")
        for feature, outcomes in sorted(tally.features.items()):
            print(f"  {feature:40}", dict(outcomes))
        print(*(f"  {n:4} {message}" for message, n in tally.errors.most_common(40)), sep="\n")
        print(*(report(*wrong) for wrong in tally.wrong), sep="\n")
    print(f"in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        again = Tally()
        again.try_one(sys.argv[1], int(sys.argv[2]))
        print(*(report(*wrong) for wrong in again.wrong), again.outcomes)
    else:
        main(int(sys.argv[1]))
