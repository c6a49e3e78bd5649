"""A replication connection: commands, reading the stream, telling the server how far we are.

psycopg has no API for replication; what it wraps of libpq (`psycopg.pq`) has the pieces, and they stay in this file.
What the messages say is `pgoutput.py`; which slot is read, and when what is confirmed, is `wal.py`.
"""

from __future__ import annotations

import math
import select
import threading
import time
from functools import partial
from typing import Final

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from outbox.relay import pgoutput
from outbox.relay.errors import Stopping
from outbox.relay.wakeup import Wakeup
from runtime.errors import Retryable

_PG_EPOCH: Final = 946_684_800  # 2000-01-01 in Unix time
#: Text as poll mode prints it, whatever the server's defaults.
_SETTINGS: Final = {"timezone": "UTC", "datestyle": "ISO", "client_encoding": "UTF8"}
_LOOK_SECONDS: Final = 60.0
#: A server that has vanished is noticed by the kernel within seconds.
_TCP: Final = {"keepalives": 1, "keepalives_idle": 2, "keepalives_interval": 1, "keepalives_count": 3}


def connect_replication(url: str, **parameters: str | int) -> psycopg.Connection:
    """A replication connection to the database that `url` names.

    Raises:
        Retryable: the server cannot be reached, or refuses replication connections.
    """
    info = make_conninfo(
        url, replication="database", application_name="stunity-relay", connect_timeout=10, **parameters
    )
    try:
        return psycopg.connect(info, autocommit=True)
    except psycopg.OperationalError as error:
        raise Retryable(f"no replication connection: {error}") from error


class CommandFailed(Retryable):
    """The server refused a command of the replication protocol."""

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class StreamEnded(Retryable):
    """The server has ended the stream."""

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class ReplicationSession:
    """Owned by one thread; others end its waiting through `wakeup`, and for good through `stop`."""

    def __init__(self, url: str, dead_after: float, wakeup: Wakeup, stop: threading.Event) -> None:
        """Connect.

        Raises:
            Retryable: the server cannot be reached, or refuses replication connections.
        """
        settings = {**_SETTINGS, "wal_sender_timeout": f"{int(dead_after * 1000)}ms"}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._held = connect_replication(url, options=options, **_TCP)
        self._conn = self._held.pgconn
        self._wakeup, self._stop = wakeup, stop
        #: The next message of the stream without waiting: (length, bytes); 0 = none yet, -1 = the end.
        self.read = partial(self._conn.get_copy_data, 1)

    def close(self) -> None:
        """Hang up; the server frees the slot."""
        self._held.close()

    def command(self, text: str, *, patience: float = math.inf) -> list[dict[str, str | None]]:
        """Run a replication command or a statement; its rows by column name.

        Raises:
            CommandFailed: the server says no; 57014 = it took longer than `patience` and was cancelled.
            Stopping: the relay is to end and the answer has not come.
        """
        self._conn.send_query(text.encode())
        deadline = time.monotonic() + patience
        rows: list[dict[str, str | None]] = []
        while (result := self._result(deadline)) is not None:
            rows = _rows(result)
            if result.status == pq.ExecStatus.COPY_BOTH:
                break
        return rows

    def start(self, slot: str, publication: str) -> None:
        """Begin the stream where the slot's confirmed position is; nothing but reading is possible afterwards.

        Raises:
            CommandFailed: 55006 = somebody reads the slot, 42704 = it is gone, 55000 = it has lost its WAL.
        """
        self.command(
            f"START_REPLICATION SLOT {slot} LOGICAL 0/0 (proto_version '1', publication_names '\"{publication}\"')"
        )
        self._conn.nonblocking = 1

    def wait(self, timeout: float) -> None:
        """Until something arrives, until woken, or for so long."""
        self._conn.flush()
        if self._wakeup.wait(timeout, [self._conn.socket]):
            self.take_in()

    def rest(self, timeout: float) -> None:
        """Take in what there is; if there is nothing, let messages gather for so long, or until woken."""
        if not select.select([self._conn.socket], [], [], 0)[0]:
            self._wakeup.wait(timeout)
        self.take_in()

    def take_in(self) -> None:
        """Read what has arrived into libpq's buffer."""
        try:
            self._conn.consume_input()
        except Exception as error:
            raise StreamEnded(f"replication connection: {error}", "") from error

    def ended(self) -> StreamEnded:
        """Why `read` returned -1."""
        result = self._conn.get_result()
        if result is None:
            return StreamEnded("the server has closed the stream", "")
        return StreamEnded(*_error(result))

    def confirm(self, flushed_lsn: int) -> None:
        """Tell the server that it may forget everything before this position, and that we are alive."""
        clock = int((time.time() - _PG_EPOCH) * 1_000_000)
        self._conn.put_copy_data(pgoutput.status_update(flushed_lsn, clock))
        self._conn.flush()

    def _result(self, deadline: float) -> pq.abc.PGresult | None:
        while self._conn.is_busy():
            self.wait(min(_LOOK_SECONDS, max(deadline - time.monotonic(), 0.0)))
            if self._stop.is_set():
                self._conn.get_cancel().cancel()
                raise Stopping
            if time.monotonic() >= deadline:
                self._conn.get_cancel().cancel()
                deadline = math.inf
        result = self._conn.get_result()
        if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
            raise CommandFailed(*_error(result))
        return result


def _error(result: pq.abc.PGresult) -> tuple[str, str]:
    message = result.error_message.decode(errors="replace").strip()
    state = result.error_field(pq.DiagnosticField.SQLSTATE)
    return message, state.decode() if state else ""


def _rows(result: pq.abc.PGresult) -> list[dict[str, str | None]]:
    names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
    return [
        {
            name: value.decode() if (value := result.get_value(row, column)) is not None else None
            for column, name in enumerate(names)
        }
        for row in range(result.ntuples)
    ]
