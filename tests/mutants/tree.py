"""A copy of the tree to break, of all that git does not ignore: the original is never touched."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


@contextmanager
def copy_of_the_tree() -> Iterator[Path]:
    """A folder with the tree as it stands, committed or not; gone afterwards."""
    every = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(every, cwd=ROOT, check=True, capture_output=True, text=True)
    with tempfile.TemporaryDirectory(prefix="stunity-mutants-") as folder:
        tree = Path(folder)
        tree.chmod(0o755)  # PostgreSQL under root runs as somebody else
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, tree / name)
        yield tree


def apply(tree: Path, patch: Path) -> None:
    """Break it."""
    _git_apply(tree, patch)


def take_back(tree: Path, patch: Path) -> None:
    """Mend it."""
    _git_apply(tree, patch, "--reverse")


def applies(tree: Path, patch: Path) -> str:
    """Why the patch does not fit; empty when it does."""
    return _git(tree, "--check", str(patch)).stderr


def _git_apply(tree: Path, patch: Path, *options: str) -> None:
    ran = _git(tree, *options, str(patch))
    assert ran.returncode == 0, f"{patch.name} does not fit: {ran.stderr}"


def _git(tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "apply", "-p0", *options]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
