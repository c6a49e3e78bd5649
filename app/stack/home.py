"""STUNITY_HOME: the folder with all data, ports, secrets and logs of one embedded stack.

Ports and secrets are chosen once and kept. What runs right now is in `state`.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.stack import ports
from runtime.errors import ConfigurationError

PORT_NAMES = ("postgres", "valkey", "typesense", "typesense_peering", "api")
_SECRET_NAMES = ("postgres_password", "valkey_password", "typesense_api_key", "jwt_secret", "operator_token")
_DISK_NEEDED = 512 * 1024 * 1024


class AlreadyRunning(ConfigurationError):
    """Another supervisor holds this home."""


@dataclass(frozen=True)
class Home:
    """Paths of a home, and the two files that outlive a run."""

    path: Path

    @property
    def logs(self) -> Path:
        """One log file per part."""
        return self.path / "logs"

    @property
    def state_file(self) -> Path:
        """What runs, written by the supervisor."""
        return self.path / "stack.json"

    @property
    def ports_file(self) -> Path:
        """The ports that were chosen."""
        return self.path / "ports.json"

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            ConfigurationError: it can't be written, or the disk is nearly full.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            free = shutil.disk_usage(self.path).free
        except OSError as error:
            reason = f"{self.path} can't be used: {error.strerror}; set STUNITY_HOME to a folder of yours"
            raise ConfigurationError(reason) from error
        if not os.access(self.path, os.W_OK):
            raise ConfigurationError(
                f"{self.path} belongs to somebody else: set STUNITY_HOME to a folder of yours"
            )
        if free < _DISK_NEEDED:
            raise ConfigurationError(
                f"only {free >> 20} MiB are free on the disk of {self.path}: "
                f"the stack wants {_DISK_NEEDED >> 20}; make room or set STUNITY_HOME"
            )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held by the supervisor as long as it lives; the kernel lets go of it even after `kill -9`."""
        with (self.path / "supervisor.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(f"a supervisor is already running in {self.path}") from None
            yield

    def ports(self) -> dict[str, int]:
        """The ports of this home, chosen on first use."""
        known = _read(self.ports_file)
        missing = [name for name in PORT_NAMES if name not in known]
        if missing:
            taken = zip(missing, ports.free_ports(len(missing)), strict=True)
            known = {**known, **dict(taken)}
            write_private(self.ports_file, known)
        return {name: int(known[name]) for name in PORT_NAMES}

    def chosen_ports(self) -> list[int]:
        """The ports that an earlier start chose; none on a new home."""
        return [int(port) for port in _read(self.ports_file).values()]

    def secrets(self) -> dict[str, str]:
        """The secrets of this home, made on first use, readable by the owner only."""
        file = self.path / "secrets.json"
        known = _read(file)
        missing = [name for name in _SECRET_NAMES if name not in known]
        if missing:
            known = {**known, **{name: secrets.token_urlsafe(32) for name in missing}}
            write_private(file, known)
        return {name: str(known[name]) for name in _SECRET_NAMES}


def _read(file: Path) -> dict[str, Any]:
    """A JSON object; empty when the file is not there.

    Raises:
        ConfigurationError: it is there and unreadable. Never replaced: with the secrets the data would be lost too.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} can't be read: {error}") from error
    return content if isinstance(content, dict) else {}


def write_private(file: Path, content: object) -> None:
    """Replace a JSON file in one step, owner-only; a reader sees the old or the new one whole."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as out:
        json.dump(content, out, indent=2)
    draft.replace(file)
