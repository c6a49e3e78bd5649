"""Which OS user a child runs as, and that it does not outlive its parent: a prefix of `setpriv` before its command.

PostgreSQL refuses to run as root. A clone or a home may lie under a folder such as /root that no other user can
enter; instead of opening that folder to the world, the child is given the one capability that reads past it.
macOS has no `setpriv`: there nothing is prefixed, and leftovers are recognised by `app.stack.state` instead.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from runtime.errors import ConfigurationError

_ACCOUNT = "stunity"
_LAST_RESORT = "nobody"
# The smallest power that enters closed folders comes first; unprivileged containers have only the second.
_READING = ("dac_read_search", "dac_override")


def dies_with_parent(signal_name: str) -> list[str]:
    """The prefix that makes the kernel send `signal_name` (such as TERM) to the child when its parent dies."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", signal_name, "--"] if setpriv else []


def needs_other_user() -> bool:
    """Whether a server that refuses root has to be started as somebody else."""
    return os.geteuid() == 0


def account_for(folder: Path) -> pwd.struct_passwd:
    """The unprivileged account that owns `folder`, or else one that is there or can be made."""
    if folder.exists() and folder.stat().st_uid != 0:
        return pwd.getpwuid(folder.stat().st_uid)
    for _ in range(2):
        try:
            return pwd.getpwnam(_ACCOUNT)
        except KeyError:
            _make_account()
    return pwd.getpwnam(_LAST_RESORT)


def _make_account() -> None:
    """Try `useradd`; another process may be doing the same, and a machine may have none."""
    useradd = shutil.which("useradd") or shutil.which("useradd", path="/usr/sbin:/sbin")
    if useradd:
        command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _ACCOUNT]
        subprocess.run(command, check=False, capture_output=True, timeout=30)


def as_user(account: pwd.struct_passwd, signal_name: str, paths: Iterable[Path]) -> list[str]:
    """The prefix that starts a command as `account`, able to reach `paths`, ended by the death of its parent."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ConfigurationError(
            "PostgreSQL refuses to run as root and `setpriv` is missing: run as an ordinary user"
        )
    identity = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    return [setpriv, *identity, *_capabilities(account, paths), "--pdeathsig", signal_name, "--"]


def _capabilities(account: pwd.struct_passwd, paths: Iterable[Path]) -> list[str]:
    closed = next((folder for path in paths for folder in closed_folders(account, path)), None)
    if closed is None:
        return ["--inh-caps=-all", "--bounding-set=-all"]
    power = next((cap for cap in _READING if _in_bounding_set(cap)), None)
    if power is None:
        raise ConfigurationError(
            f"PostgreSQL runs as user {account.pw_name}, who can't enter {closed}: "
            "move the clone and STUNITY_HOME elsewhere, or run as an ordinary user"
        )
    only = f"-all,+{power}"
    # access(2) looks at the real user and forgets capabilities, unless the set-uid fix-up is off.
    return [
        f"--inh-caps={only}",
        f"--ambient-caps={only}",
        f"--bounding-set={only}",
        "--securebits=+no_setuid_fixup",
    ]


def closed_folders(account: pwd.struct_passwd, path: Path) -> list[Path]:
    """The ancestors of `path` that `account`, with no supplementary groups, can't pass."""
    return [folder for folder in path.resolve().parents if not _may_pass(account, folder.stat())]


def _may_pass(account: pwd.struct_passwd, stat: os.stat_result) -> bool:
    if stat.st_uid == account.pw_uid:
        return bool(stat.st_mode & 0o100)
    if stat.st_gid == account.pw_gid:
        return bool(stat.st_mode & 0o010)
    return bool(stat.st_mode & 0o001)


def _in_bounding_set(capability: str) -> bool:
    bit = {"dac_override": 1, "dac_read_search": 2}[capability]
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> bit & 1)
    return False
