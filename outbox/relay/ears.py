"""Hearing NOTIFY on a direct connection: a waiting reader wants a marker, a writer has written while we slept.

Through a transaction pooler nothing can be heard: the relay then looks by itself.
"""

from __future__ import annotations

from typing import Final

import psycopg

from outbox.relay.store import Connection
from runtime.errors import Retryable

MARKER: Final = "stunity_marker"
OUTBOX: Final = "stunity_outbox"


class Ears:
    """LISTEN on a connection that may be used for other things as well, by the same thread."""

    def __init__(self, conn: Connection, *channels: str) -> None:
        self._conn = conn
        self._heard: set[str] = set()
        conn.add_notify_handler(lambda notify: self._heard.add(notify.channel))
        for channel in channels:
            conn.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))

    @property
    def socket(self) -> int:
        """Readable when something may have been said, or the server has hung up."""
        return self._conn.fileno()

    def take_in(self) -> None:
        """Read what the socket has.

        Raises:
            Retryable: the server has hung up.
        """
        try:
            self._conn.pgconn.consume_input()
            while (notify := self._conn.pgconn.notifies()) is not None:
                self._heard.add(notify.relname.decode())
        except psycopg.OperationalError as error:
            raise Retryable(f"PostgreSQL: {error}".strip()) from error
        if self._conn.pgconn.status != psycopg.pq.ConnStatus.OK:
            raise Retryable("PostgreSQL has closed the connection")

    def heard(self, channel: str) -> bool:
        """Whether the channel was called since the last question."""
        called = channel in self._heard
        self._heard.discard(channel)
        return called


def is_direct(conn: Connection) -> bool:
    """Whether no pooler stands between us and the server: a pooler shows its clients process ids of its own."""
    row = conn.execute("SELECT pg_backend_pid() AS pid").fetchone()
    return row is not None and row["pid"] == conn.info.backend_pid
