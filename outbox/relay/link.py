"""The relay's one connection to Redis: runs scripts, reads every reply, and repeats only what may be repeated.

A call returns when Redis has done it, and not before: while Redis is away, full, read-only or loading the same call
is tried again, so nothing behind it can overtake it. What the replies of the scripts mean is `publisher.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha1
from pathlib import Path
from typing import Any, Final

import redis
import structlog
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.retry import Retry

from outbox.relay.backoff import Backoff
from outbox.relay.errors import Moved, Stopping
from runtime import telemetry

log = structlog.get_logger(__name__)

_FOLDER: Final = Path(__file__).parent / "lua"
#: redis-py cuts the code off the message of these.
_CODES: Final[Sequence[tuple[type[RedisError], str]]] = (
    (OutOfMemoryError, "OOM"),
    (ReadOnlyError, "READONLY"),
    (BusyLoadingError, "LOADING"),
    (NoPermissionError, "NOPERM"),
    (AuthenticationError, "NOAUTH"),
    (NoScriptError, "NOSCRIPT"),
    (MasterDownError, "MASTERDOWN"),
    (ClusterDownError, "CLUSTERDOWN"),
    (TryAgainError, "TRYAGAIN"),
)
#: Refused before anything was written: a script gets these from its first write or not at all.
_NOTHING_DONE: Final = frozenset(
    [code for _, code in _CODES] + ["MISCONF", "BUSY", "WRONGTYPE", "WRONGPASS", "NOREPLICAS", "NOGOODSLAVE"]
)
#: The same server may do it later; for all the others a new connection may lead to a better one.
_STAY: Final = frozenset(["OOM", "MISCONF", "BUSY", "WRONGTYPE", "NOSCRIPT"])
_COMPLAIN_EVERY: Final = 20
_LOST: Final = "no answer"


class Script:
    """A Lua script of ours: the guard, then the file."""

    def __init__(self, name: str) -> None:
        parts = [(_FOLDER / file).read_bytes() for file in ("guard.lua", f"{name}.lua")]
        self.text = b"\n".join(parts)
        self.sha = sha1(self.text, usedforsecurity=False).hexdigest().encode()


class RedisLink:
    """Used by one thread at a time."""

    def __init__(self, url: str, timeout: float, stop: threading.Event, longest_backoff: float) -> None:
        self._connect = partial(
            redis.Redis.from_url,
            url,
            socket_timeout=timeout,
            socket_connect_timeout=min(timeout, 5.0),
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            single_connection_client=True,
            client_name="stunity-relay",
        )
        self._client: redis.Redis | None = None
        self._stop = stop
        self._closed = False
        self._longest = longest_backoff

    def close(self) -> None:
        """Hang up, and give up what is being tried."""
        self._closed = True
        if self._client is not None:
            self._client.close()

    def run(
        self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]
    ) -> tuple[list[Any], bool]:
        """Call a script until Redis has answered it; and whether an earlier attempt may have been carried out.

        Raises:
            Moved: the script broke off in the middle.
            Stopping: the process is to end and Redis does not answer.
        """
        return self._persistently(lambda: self._evalsha(script, keys, args))

    def command(self, *words: str | bytes | int) -> Any:
        """Call a command that may be repeated, until Redis has answered it.

        Raises:
            Stopping: the process is to end and Redis does not answer.
        """
        return self._persistently(lambda: self._execute(*words))[0]

    def hung_up(self) -> bool:
        """Whether the other side has closed the connection since the last call: it may have come back as another."""
        connection = self._client.connection if self._client else None
        if connection is None:
            return False
        try:
            if not connection.can_read(timeout=0):
                return False
        except (RedisError, OSError):
            pass
        self._drop()
        return True

    def _execute(self, *words: str | bytes | int) -> Any:
        """One command; the first one connects, so that a relay starts while Redis is away."""
        if self._client is None:
            self._client = self._connect()
        run: Callable[..., Any] = self._client.execute_command
        return run(*words)

    def _evalsha(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        call = ("EVALSHA", script.sha, len(keys), *keys, *args)
        try:
            return self._execute(*call)
        except NoScriptError:
            self._execute("SCRIPT", "LOAD", script.text)
            return self._execute(*call)

    def _persistently(self, call: Callable[[], Any]) -> tuple[Any, bool]:
        backoff = Backoff(self._stop, self._longest)
        uncertain = False
        while True:
            try:
                return call(), uncertain
            except (RedisError, OSError) as error:
                code = _code(error)
                telemetry.RELAY_REDIS_FAILURES.labels(code).inc()
                if code not in _NOTHING_DONE and code != _LOST:
                    raise Moved(f"Redis: {error}") from error
                uncertain = uncertain or code == _LOST
                if backoff.attempts % _COMPLAIN_EVERY == 0:
                    log.warning("redis_refuses", code=code, error=str(error), attempt=backoff.attempts + 1)
                if code not in _STAY:
                    self._drop()
            backoff.wait()
            if self._closed:
                raise Stopping

    def _drop(self) -> None:
        """A reply that comes late must never be read as the answer to something else."""
        if self._client is not None and self._client.connection is not None:
            self._client.connection.disconnect()  # type: ignore[no-untyped-call]


def _code(error: Exception) -> str:
    """The error's code as Redis writes it, or _LOST when there was no answer."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    if isinstance(error, ResponseError):
        return str(error).partition(" ")[0].lstrip("-")
    return _LOST
