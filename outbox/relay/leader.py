"""Leadership by an advisory lock that is held by an open transaction: it works through a transaction pooler.

The transaction does nothing, so it holds back neither vacuum nor a new slot. The server ends it, and with it the
leadership, when no sign of life comes for a while (idle_in_transaction_session_timeout): a relay that is paused or cut
off is succeeded. poll mode leads for as long as it runs; wal mode only while an epoch is opened, because then the
slot admits one. What a former leader still tries is stopped by the fence.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import psycopg

from outbox.relay.errors import StandBy
from outbox.relay.store import connect
from runtime.errors import Retryable

_LOCK: Final = 7_310_002  # any constant of our own; one relay per database
_BEATS: Final = 3


class Leadership:
    """Held from construction to `release`."""

    def __init__(self, url: str, dead_after: float, wake: Callable[[], None]) -> None:
        """Take the lock.

        Raises:
            StandBy: somebody else holds it.
            Retryable: the server cannot be reached.
        """
        self._conn = connect(url, "stunity-relay-leader")
        self._wake = wake
        self._ended = threading.Event()
        self._interval = dead_after / _BEATS
        self._lost: str | None = None
        self._thread = threading.Thread(target=self._beat, name="relay-leader", daemon=True)
        try:
            self._take(dead_after)
        except BaseException:
            self._conn.close()
            raise
        self._thread.start()

    def check(self) -> None:
        """Return while the lock is ours.

        Raises:
            Retryable: it is not any more.
        """
        if self._lost is not None:
            raise Retryable(f"the leader's lock is lost: {self._lost}")

    def release(self) -> None:
        """Give the lock back."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(self._interval + 10)
        with suppress(psycopg.Error):
            self._conn.close()

    def _take(self, dead_after: float) -> None:
        self._conn.execute("BEGIN")
        timeout = f"{int(dead_after * 1000)}ms"
        query = (
            "SELECT set_config('idle_in_transaction_session_timeout', %s, true),"
            " pg_try_advisory_xact_lock(%s) AS ours"
        )
        row = self._conn.execute(query, (timeout, _LOCK)).fetchone()
        if row is None or not row["ours"]:
            raise StandBy("another relay holds the leader's lock")
        self._sign()

    def _sign(self) -> None:
        """A sign of life. By the simple protocol: the portal of a statement with parameters would keep its snapshot."""
        self._conn.execute("SELECT 1")

    def _beat(self) -> None:
        try:
            while not self._ended.wait(self._interval):
                self._sign()
        except psycopg.Error as error:
            self._lost = str(error).strip() or type(error).__name__
            self._wake()
