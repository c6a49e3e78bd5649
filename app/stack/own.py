"""A whole stack for one purpose (the demo, a benchmark): started in a home of its own, stopped at the end.

It is started by the same commands that an operator types, in processes of their own; `control` does the work there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class OwnStack:
    """A running stack."""

    home: Path
    env: dict[str, str]

    def run(self, *arguments: str) -> None:
        """Run a `stunity` command on it, its output passed through."""
        _stunity(os.environ | self.env, *arguments)


@contextmanager
def own_stack(*, keep: bool = False) -> Iterator[OwnStack]:
    """Start in STUNITY_HOME, or in a temporary folder that is deleted at the end.

    Args:
        keep: leave it running.

    Raises:
        ConfigurationError: it did not start; the reason has been printed.
    """
    given = os.environ.get("STUNITY_HOME")
    home = Path(given or tempfile.mkdtemp(prefix="stunity-own-"))
    environment = {**os.environ, "STUNITY_HOME": str(home)}
    try:
        _stunity(environment, "up", "--detach")
        yield OwnStack(home, json.loads(_stunity(environment, "env", "--json", capture=True)))
    finally:
        if not keep:
            _stunity(environment, "down")
            if given is None:
                shutil.rmtree(home, ignore_errors=True)


def _stunity(environment: Mapping[str, str], *arguments: str, capture: bool = False) -> str:
    command = [sys.executable, "-m", "app.cli", *arguments]
    out = subprocess.PIPE if capture else None
    done = subprocess.run(command, env=dict(environment), stdout=out, text=True, check=False)
    if done.returncode:
        raise ConfigurationError(f"`stunity {' '.join(arguments)}` ended with exit code {done.returncode}")
    return done.stdout or ""
