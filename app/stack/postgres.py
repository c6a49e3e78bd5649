"""PostgreSQL with pgvector from the wheel: first initialisation, configuration, start command, health.

Only the server. What is inside the database comes from the migrations (`app/wiring.py`).
"""

from __future__ import annotations

import locale
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from app.stack import binaries, privileges
from app.stack.ports import HOST
from app.stack.process import Command
from runtime.errors import ConfigurationError

SUPERUSER = "postgres"
_DATABASE = "stunity"
_LOCALES = ("C.UTF-8", "C.utf8", "en_US.UTF-8")
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_connections": "200",
    "max_replication_slots": "32",
    "max_wal_senders": "32",
    "max_slot_wal_keep_size": "4GB",
    "shared_preload_libraries": "pg_stat_statements",
    "shared_buffers": "256MB",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


@dataclass
class Postgres:
    """One cluster below `home`."""

    home: Path
    port: int
    password: str
    settings: Mapping[str, str] = field(default_factory=dict)
    durable: bool = True
    name: str = "postgres"

    @property
    def data(self) -> Path:
        """The cluster's own folder."""
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        """Server log."""
        return self.home / "logs" / "postgres.log"

    def url(self, database: str = _DATABASE) -> str:
        """Connection URL as the superuser."""
        return f"postgresql://{SUPERUSER}:{quote(self.password)}@{HOST}:{self.port}/{database}"

    def prepare(self) -> None:
        """Initialise the cluster on first use, write our settings, remove a stale lock file."""
        self.home.mkdir(parents=True, exist_ok=True)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._write_settings()
        self._remove_stale_lock()

    def command(self) -> Command:
        """The server in the foreground; SIGINT is PostgreSQL's fast shutdown."""
        argv = [str(binaries.postgres_bin() / "postgres"), "-D", str(self.data.resolve())]
        return Command([*self._prefix(), *argv], env=self._env(), stop_signal=signal.SIGINT, grace=30.0)

    def problem(self) -> str | None:
        """None when it takes connections."""
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError as error:
            return " ".join(str(error).split())
        return None

    def create_database(self, database: str = _DATABASE) -> None:
        """Create an empty database unless it is there."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as conn:
            if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
                conn.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(database)))

    # -- helpers, in the order they are called

    def _account(self) -> pwd.struct_passwd | None:
        return privileges.account_for(self.data) if privileges.needs_other_user() else None

    def _prefix(self) -> list[str]:
        account = self._account()
        if account is None:
            return privileges.dies_with_parent("INT")
        return privileges.as_user(account, "INT", [binaries.postgres_bin() / "postgres", self.data])

    def _env(self) -> dict[str, str]:
        return {"LC_ALL": _utf8_locale(), "TZ": "UTC", "PGDATA": ""}

    def _initialise(self) -> None:
        """Initialise in place; a folder left by an initialisation that was killed is started afresh."""
        if self.data.exists():
            shutil.rmtree(self.data)
        account = self._account()
        self.data.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=self.home, prefix=".password-") as secret:
            secret.write(self.password)
            secret.flush()
            if account:
                os.chown(self.data, account.pw_uid, account.pw_gid)
                os.chown(secret.name, account.pw_uid, account.pw_gid)
            self._run_initdb(secret.name)

    def _run_initdb(self, password_file: str) -> None:
        options = [
            f"--username={SUPERUSER}",
            "--encoding=UTF8",
            f"--locale={_utf8_locale()}",
            "--auth=scram-sha-256",
            f"--pwfile={Path(password_file).resolve()}",
            "--no-instructions",
            *([] if self.durable else ["--no-sync"]),
            # A loopback password of 32 random characters gains nothing from slow hashing; connections do lose by it.
            "--set=scram_iterations=1",
        ]
        command = [
            *self._prefix(),
            str(binaries.postgres_bin() / "initdb"),
            "-D",
            str(self.data.resolve()),
            *options,
        ]
        done = subprocess.run(
            command, env={**os.environ, **self._env()}, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            reason = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()[
                -1
            ]
            raise ConfigurationError(f"PostgreSQL can't initialise {self.data}: {reason}")

    def _write_settings(self) -> None:
        """Ours lie in a file of their own, rewritten at each start; `ALTER SYSTEM` still overrules them."""
        unsafe = {} if self.durable else {"fsync": "off", "full_page_writes": "off"}
        lines = {**_SETTINGS, "port": str(self.port), **unsafe, **self.settings}
        text = "".join(f"{key} = '{value}'\n" for key, value in lines.items())
        ours = self.data / "stunity.conf"
        ours.write_text(text, encoding="utf-8")
        ours.chmod(0o644)  # readable to the server's account; its folder is closed to all others
        main = self.data / "postgresql.conf"
        if "stunity.conf" not in main.read_text(encoding="utf-8"):
            with main.open("a", encoding="utf-8") as file:
                file.write("\ninclude = 'stunity.conf'\n")

    def _remove_stale_lock(self) -> None:
        """After `kill -9` and a reboot the recorded pid may be anybody's, and PostgreSQL would refuse to start."""
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        if not _is_our_postmaster(pid, self.data):
            lock.unlink(missing_ok=True)


def _is_our_postmaster(pid: int, data: Path) -> bool:
    try:
        return str(data.resolve()) in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False


def _utf8_locale() -> str:
    """A locale whose character types know Khmer letters, or pg_trgm finds no trigrams in them."""
    current = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in _LOCALES:
            try:
                locale.setlocale(locale.LC_CTYPE, name)
            except locale.Error:
                continue
            return name
    finally:
        locale.setlocale(locale.LC_CTYPE, current)
    raise ConfigurationError(f"no UTF-8 locale on this machine: install one of {', '.join(_LOCALES)}")
