"""The bounded form of `make mutants`: every patch fits the code as it is, and every killer exists."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutants.table import FOLDER, MUTANTS, Mutant
from tests.mutants.tree import ROOT, applies, copy_of_the_tree


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    with copy_of_the_tree() as copied:
        yield copied


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_fits(mutant: Mutant, tree: Path) -> None:
    """When it does not: the code has moved on. Break the same promise where it is kept now."""
    assert applies(tree, mutant.patch) == ""


def test_the_killers_exist() -> None:
    """As pytest would find them, parameters and all: what is not there can't turn red."""
    killers = sorted({killer for mutant in MUTANTS for killer in mutant.killers})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *killers]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_every_promise_has_a_mutant_and_every_patch_its_place() -> None:
    assert {mutant.invariant for mutant in MUTANTS} == {f"I{number}" for number in range(1, 17)} | {
        "I6b",
        "I10b",
    }
    assert {mutant.patch for mutant in MUTANTS} == set(FOLDER.glob("*.patch"))
