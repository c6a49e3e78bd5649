"""`make mutants`: every promise is broken once, in a copy of the tree, and its tests must turn red.

Each killer runs by itself, and must be *red*: an error of collection, or a test that is not there, is no kill. Before
that all killers run on the copy as it is, and must be green.

With `--machine` it is the random machine (`tests/torture/views`) that must notice what a mutant does to a view: within
so many minutes a view has to differ from the truth.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.mutants.table import MUTANTS, Mutant
from tests.mutants.tree import apply, copy_of_the_tree, take_back

_GREEN, _RED = 0, 1  # pytest's exit codes; all others mean that the run itself went wrong
_QUIET: Final = ("-q", "-x", "--no-header", "--tb=line", "-p", "no:cacheprovider")


def main() -> int:
    """Exit code 1 when a mutant lives."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these, or those of these invariants; by default all")
    parser.add_argument("--machine", action="store_true", help="what the random machine notices")
    parser.add_argument("--minutes", type=float, default=10.0, help="with --machine: for each mutant")
    arguments = parser.parse_args()
    wanted = arguments.names
    chosen = [mutant for mutant in MUTANTS if not wanted or {mutant.name, mutant.invariant} & {*wanted}]
    if arguments.machine:
        return _told_by_the_machine([mutant for mutant in chosen if mutant.machine], arguments.minutes)
    with copy_of_the_tree() as tree:
        killers = dict.fromkeys(killer for mutant in chosen for killer in mutant.killers)
        if _pytest(tree, *killers, show=_GREEN) != _GREEN:
            print("the tests are not green without a mutant")
            return 1
        alive = [mutant.name for mutant in chosen if not _is_killed(tree, mutant)]
    print(f"\n{len(chosen) - len(alive)} of {len(chosen)} mutants killed")
    if alive:
        print("alive: " + ", ".join(alive))
    return 1 if alive else 0


def _told_by_the_machine(mutants: Sequence[Mutant], minutes: float) -> int:
    alive = []
    with copy_of_the_tree() as tree:
        for mutant in mutants:
            apply(tree, mutant.patch)
            began = time.monotonic()
            command = [sys.executable, "-m", "tests.torture.views", "--as-it-is", "--minutes", str(minutes)]
            ran = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
            told = " FAILED: " in ran.stdout
            verdict = next((line for line in ran.stdout.splitlines() if " FAILED: " in line), "LIVES")
            print(f"{mutant.name:34} ({time.monotonic() - began:.0f} s) {verdict[:200]}", flush=True)
            alive += [] if told else [mutant.name]
            take_back(tree, mutant.patch)
    print(f"\n{len(mutants) - len(alive)} of {len(mutants)} mutants seen by the random machine")
    return 1 if alive else 0


def _is_killed(tree: Path, mutant: Mutant) -> bool:
    apply(tree, mutant.patch)
    killed = True
    for killer in mutant.killers:
        began = time.monotonic()
        code = _pytest(tree, killer)
        verdict = {_RED: "killed by", _GREEN: "LIVES through"}.get(code, f"pytest says {code} at")
        print(f"{mutant.name:34} {verdict} {killer} ({time.monotonic() - began:.0f} s)", flush=True)
        killed = killed and code == _RED
    take_back(tree, mutant.patch)
    return killed


def _pytest(tree: Path, *tests: str, show: int = _RED) -> int:
    """Run tests in the copy, with this environment's interpreter; what comes out worse than `show` is printed."""
    command = [sys.executable, "-m", "pytest", *_QUIET, *tests]
    ran = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if ran.returncode > show:
        print(ran.stdout[-2000:], ran.stderr[-2000:], sep="\n")
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
