"""Mutation testing: small changes of the core, one at a time, each of which some test must notice.

    python -m pip install -e ".[test,mutation]"
    python tests/mutation/run.py --sample 30 --results mutants.json

cosmic-ray makes the changes, in a copy of the checkout. For each module the tests run that are
about it; of all changes, a sample is tried that is drawn with a fixed seed. A run can be stopped,
and goes on where it was with the same ``--results``; ``--again`` tries those anew that survived, and
``--markdown docs/mutation.md`` writes them into the page, with what `explained.toml` says of each.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.testing import run_tests
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import MutationSpec, TestOutcome

ROOT = Path(__file__).parents[2]
COPIED = "registry", "ops_builtin", "tests", "docs", "pyproject.toml", "README.md", "CONTRIBUTING.md"
SECONDS = 120.0
SEED = 0
BEGIN, END = "<!-- results: written by tests/mutation/run.py -->", "<!-- end of the results -->"
# Of types in annotations, which nothing evaluates.
WITHOUT = ("ReplaceBinaryOperator_BitOr",)
BASIC = "backward", "recording", "higher_order", "variable", "notebook"
TESTS: dict[str, tuple[str, ...]] = {
    "backward": (*BASIC, "calculus"),
    "edges": (*BASIC, "graph"),
    "recording": BASIC,
    "written_out": (*BASIC, "helpers"),
    "function": (*BASIC, "large"),
    "variable": BASIC,
    "calling": (*BASIC, "errors"),
    "modes": BASIC,
    "catalog": ("catalog", "plugin_manager", "namespaces"),
    "state": ("catalog", "plugin_manager", "namespaces", "numpy_protocol", "guard"),
    "helpers": ("helpers", "namespaces", "catalog"),
    "definition": ("helpers", "catalog", "plugin_manager", "composite"),
    "loading": ("plugin_manager", "catalog"),
    "plugin_manager": ("plugin_manager", "catalog", "namespaces"),
    "collecting": ("collecting",),
    "composite": ("composite", "catalog"),
    "numpy_protocol": ("numpy_protocol", "variable"),
    "tracing": ("calculus",),
    "calculus": ("calculus", "notebook"),
    "checkpointing": ("calculus",),
    "structures": ("calculus", "compile"),
    "stored": ("stored", "higher_order"),
    "bytecode": ("stored", "given"),
    "given": ("given", "higher_order"),
    "large": ("large",),
    "threads": ("threads", "large"),
    "known_plugins": ("known_plugins",),
    "describing": ("trace", "graph"),
    "observers/guard": ("guard",),
    "observers/anomaly": ("anomaly",),
    "observers/profiling": ("profile",),
    "observers/log": ("trace",),
    "observers/calls": ("anomaly", "guard", "profile", "trace"),
    "graph/picture": ("graph",),
    "graph/dot": ("graph",),
    "graph/text": ("graph",),
}


def mutants(name: str, count: int) -> tuple[int, list[MutationSpec]]:
    """Give how many changes there are of a module, and a sample of them."""
    with tempfile.TemporaryDirectory() as folder:
        db = WorkDB(f"{folder}/session.sqlite", WorkDB.Mode.create)
        init([Path(f"registry/{name}.py")], db, {})
        found = [mutation for item in db.work_items for mutation in item.mutations]
        db.close()
    found = [m for m in found if not any(word in m.operator_name for word in WITHOUT)]
    found.sort(key=lambda m: (m.start_pos, m.operator_name, m.occurrence))
    return len(found), random.Random(f"{SEED} {name}").sample(found, min(count, len(found)))


def command(tests: tuple[str, ...]) -> str:
    files = " ".join(f"tests/test_{test}.py" for test in tests)
    return f"{sys.executable} -m pytest -x -q -p no:cacheprovider {files}"


def tried(mutation: MutationSpec, tests: tuple[str, ...]) -> dict[str, object]:
    """Make one change, run the tests, and say what became of it."""
    result = mutate_and_test([mutation], command(tests), SECONDS)
    return {
        "line": mutation.start_pos[0],
        "operator": mutation.operator_name.removeprefix("core/"),
        "outcome": "survived" if result.test_outcome == TestOutcome.SURVIVED else "killed",
        "change": [line for line in (result.diff or "").splitlines()[2:] if line[:1] in "+-"],
    }


def report(results: dict[str, Any]) -> str:
    """Give a table of all modules, and a list of what survived, each with its explanation."""
    lines = ["| module | changes | tried | killed |", "|---|---:|---:|---:|"]
    total = [0, 0, 0]
    survivors = []
    reasons = tomllib.loads((Path(__file__).parent / "explained.toml").read_text())
    for name, found in results.items():
        alive = [one for one in found["tried"].values() if one["outcome"] == "survived"]
        counts = found["possible"], len(found["tried"]), len(found["tried"]) - len(alive)
        lines.append(f"| `{name}.py` | {counts[0]:,} | {counts[1]} | {counts[2]} |")
        total = [a + b for a, b in zip(total, counts, strict=True)]
        survivors += [(name, one) for one in alive]
    lines += [f"| all | {total[0]:,} | {total[1]} | {total[2]} |", ""]
    kinds: dict[str, list[str]] = {}
    for name, one in survivors:
        new = next(
            (line[1:].strip() for line in one["change"] if line[:2] not in ("++", "--") and line[0] == "+"),
            "",
        )
        reason = reasons.get(name, {}).get(new, "not explained")
        kinds.setdefault(reason, []).append(f"- `{name}.py`: ``{new or one['operator']}``")
    for reason, changes in sorted(kinds.items()):
        lines += [f"**{reason[0].upper()}{reason[1:]}** ({len(changes)})", "", *changes, ""]
    return "\n".join(lines)


def main() -> None:
    """Try the mutants, and write what became of each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*", default=list(TESTS), help="of registry/, such as backward")
    parser.add_argument("--sample", type=int, default=30, help="changes of each module (30)")
    parser.add_argument("--results", type=Path, default=Path("mutants.json"), help="where they are written")
    parser.add_argument("--again", action="store_true", help="try those anew that survived")
    parser.add_argument("--markdown", type=Path, help="a page, into which the results are written")
    options = parser.parse_args()
    path = options.results.absolute()
    results = json.loads(path.read_text()) if path.exists() else {}
    page = options.markdown and options.markdown.absolute()
    if options.again:
        for found in results.values():
            found["tried"] = {k: one for k, one in found["tried"].items() if one["outcome"] == "killed"}
    with tempfile.TemporaryDirectory() as copy:
        for name in COPIED:
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, Path(copy, name))
        os.chdir(copy)
        os.environ["PYTHONPATH"] = copy
        for name in options.modules:
            possible, sample = mutants(name, options.sample)
            outcome, output = run_tests(command(TESTS[name]), SECONDS)
            if outcome != TestOutcome.SURVIVED:
                sys.exit(f"{name}: its tests fail without any change:\n{output}")
            done = results.setdefault(name, {"possible": possible, "tried": {}})["tried"]
            for mutation in sample:
                key = f"{mutation.operator_name} {mutation.occurrence}"
                if key not in done:
                    done[key] = tried(mutation, TESTS[name])
                    path.write_text(json.dumps(results, indent=1))
            survived = sum(one["outcome"] == "survived" for one in done.values())
            print(f"{name}: {len(done)} of {possible} tried, {survived} survived", flush=True)
    if page:
        before, _, after = page.read_text().partition(BEGIN)
        page.write_text(f"{before}{BEGIN}\n\n{report(results)}\n{END}{after.partition(END)[2]}")


if __name__ == "__main__":
    main()
