"""The bounded form of `make mutants`: every patch fits the code as it is, and every killer exists."""

from __future__ import annotations

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


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_its_killers_exist(mutant: Mutant) -> None:
    for killer in mutant.killers:
        file, _, test = killer.partition("::")
        name = test.partition("[")[0]
        assert f"def {name}(" in (ROOT / file).read_text("utf-8"), killer


def test_every_promise_has_a_mutant_and_every_patch_its_place() -> None:
    assert {mutant.invariant for mutant in MUTANTS} >= {"I1", "I2", "I3", "I4", "I5", "I6", "I6b"}
    assert {mutant.patch for mutant in MUTANTS} == set(FOLDER.glob("*.patch"))
