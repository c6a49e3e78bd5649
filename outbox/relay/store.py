"""What the relay keeps in PostgreSQL: epochs, its own memory of them, poll mode's rounds; and the rows themselves.

Every method is one short transaction without session state, so it works through a transaction pooler as well. What
the answers mean is decided in `epoch.py` and in the loops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from outbox.relay.errors import Fenced
from outbox.relay.position import START, Position
from outbox.relay.settings import Mode
from runtime import statements
from runtime.errors import Retryable
from schemas.snapshot import Snapshot

SQL: Final = statements.load(Path(__file__).parent / "sql" / "store.sql")

_MESSAGES_FLUSH_SINCE: Final = 170000

Connection = psycopg.Connection[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch as it stands in PostgreSQL; positions are per partition."""

    epoch: int
    mode: Mode
    partitions: int
    system_identifier: str | None
    timeline: int | None
    snapshot: str
    database_oid: int
    slot: str | None
    publication_oid: int | None
    fill_major: int
    fill_since: str | None
    fill_since_epoch: int
    filled: list[str] | None
    confirmed: int
    confirmed_progress: list[str]
    marker: int
    marker_snapshot: str | None
    marker_progress: list[str]


@dataclass(frozen=True, slots=True)
class Server:
    """The PostgreSQL that answers."""

    in_recovery: bool
    version: int
    database_oid: int
    timeline: int
    insert_lsn: int
    newest_epoch: int
    system_identifier: str | None


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """What `Store.begin` writes."""

    epoch: int
    mode: Mode
    partitions: int
    reason: str
    server: Server
    floor: int
    #: None: now.
    snapshot: str | None
    slot: str | None
    publication_oid: int | None
    fill_major: int
    confirmed: int


@dataclass(frozen=True, slots=True)
class Saved:
    """What Redis had where PostgreSQL was told, and the newest marker."""

    confirmed: int
    confirmed_progress: tuple[Position, ...]
    marker: int = 0
    marker_snapshot: str | None = None
    marker_progress: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """A look at the log: a new round, or none, and the snapshot that said so."""

    round: int
    snapshot: str
    opened: bool
    taken_at_ms: int


def connect(url: str, name: str, **options: str) -> Connection:
    """A connection that commits each statement. `options` are server settings; no pooler takes those.

    Raises:
        Retryable: the server cannot be reached.
    """
    if options:
        url = make_conninfo(url, options=" ".join(f"-c {key}={value}" for key, value in options.items()))
    try:
        return psycopg.connect(
            url,
            autocommit=True,
            prepare_threshold=None,
            application_name=name,
            connect_timeout=10,
            row_factory=dict_row,
        )
    except psycopg.OperationalError as error:
        raise Retryable(f"PostgreSQL cannot be reached: {error}") from error


class Store:
    """The statements of sql/store.sql on one connection."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn

    def current(self) -> Epoch | None:
        """The newest epoch."""
        row = self._one("current")
        return Epoch(**row) if row else None

    def server(self) -> Server:
        """Which server this is.

        Raises:
            Retryable: it is a standby.
        """
        if self._must("in_recovery")["pg_is_in_recovery"]:
            raise Retryable("this PostgreSQL is a standby: the relay waits for its promotion")
        try:
            identifier = self._must("system_identifier")["system_identifier"]
        except psycopg.errors.InsufficientPrivilege:
            identifier = None
        return Server(**self._must("server"), system_identifier=identifier)

    def floor(self) -> int:
        """An id that every row of the log so far lies below, none of them still uncommitted.

        Raises:
            psycopg.errors.LockNotAvailable: somebody writes for longer than users may wait behind us.
        """
        return int(self._must("floor")["floor"])

    def begin(self, new: NewEpoch, *, find_floor: bool = False) -> None:
        """Write a new epoch; with `find_floor` (poll mode) the floor is found in the same transaction.

        Raises:
            psycopg.errors.LockNotAvailable: as `floor`.
        """
        values = {
            "epoch": new.epoch,
            "mode": new.mode,
            "partitions": new.partitions,
            "reason": new.reason,
            "system_identifier": new.server.system_identifier,
            "timeline": new.server.timeline,
            "snapshot": new.snapshot,
            "database_oid": new.server.database_oid,
            "slot": new.slot,
            "publication_oid": new.publication_oid,
            "fill_major": new.fill_major,
            "confirmed": new.confirmed,
        }
        with self.conn.transaction():
            floor = self.floor() if find_floor else new.floor
            self._run("add_epoch", **values, floor=floor)
            self._run("add_state", **values)
            self._run("forget_rounds", epoch=new.epoch)
            if new.mode == "poll":
                self._run("add_round", epoch=new.epoch, round=new.fill_major)

    def set_timeline(self, epoch: int, timeline: int) -> None:
        """Note a promotion that lost nothing."""
        self._run("set_timeline", epoch=epoch, timeline=timeline)

    def publication(self, name: str) -> int:
        """What identifies the publication of the log; made anew when it, or the table in it, is missing.

        Another identity than before means that changes may have passed without being published.
        """
        found = self.find_publication(name)
        if found is None:
            ours = psycopg.sql.Identifier(name)
            with self.conn.transaction():
                self.conn.execute(psycopg.sql.SQL("DROP PUBLICATION IF EXISTS {}").format(ours))
                self.conn.execute(psycopg.sql.SQL(SQL["create_publication"]).format(ours))
            found = int(self._must("publication", publication=name)["oid"])
        return found

    def find_publication(self, name: str) -> int | None:
        """The same; None when it is missing."""
        row = self._one("publication", publication=name)
        return int(row["oid"]) if row else None

    def exported_snapshot(self, name: str) -> str:
        """The text form of a snapshot that another session has exported."""
        with self.conn.transaction():
            self.conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            self.conn.execute(
                psycopg.sql.SQL("SET TRANSACTION SNAPSHOT {}").format(psycopg.sql.Literal(name))
            )
            return str(Snapshot.parse(self._must("snapshot")["snapshot"]).ordered())

    def claim(self, epoch: int) -> int:
        """A new fence for the epoch."""
        return int(self._must("claim", epoch=epoch)["fence"])

    def set_filled(self, epoch: int, fence: int, progress: Sequence[Position]) -> None:
        """The fill of the epoch is in Redis."""
        self._fenced("set_filled", epoch=epoch, fence=fence, filled=_texts(progress))

    def save(self, epoch: int, fence: int, saved: Saved) -> None:
        """Remember what is about to be confirmed.

        Raises:
            Fenced: another relay has claimed the epoch.
        """
        self._fenced(
            "save",
            epoch=epoch,
            fence=fence,
            confirmed=saved.confirmed,
            confirmed_progress=_texts(saved.confirmed_progress),
            marker=saved.marker,
            marker_snapshot=saved.marker_snapshot,
            marker_progress=_texts(saved.marker_progress),
        )

    def open_round(self, epoch: int, fence: int) -> Opened:
        """Begin the next round if anything is new.

        Raises:
            Fenced: another relay has claimed the epoch.
        """
        try:
            row = self._must("open_round", epoch=epoch, fence=fence)
        except psycopg.errors.ObjectInUse as error:
            raise Fenced(str(error)) from error
        return Opened(*row.values())

    def wake_writers(self) -> None:
        """Writers need not notify us."""
        self._run("wake_writers")

    def sleep(self) -> None:
        """From now on writers notify us."""
        self._run("sleep")

    def flush(self) -> None:
        """Have the WAL written up to here, so that the walsender can send it."""
        newer = self.conn.info.server_version >= _MESSAGES_FLUSH_SINCE
        self._run("flush" if newer else "flush_before_17")

    def snapshot(self) -> str:
        """What is visible now."""
        return str(self._must("snapshot")["snapshot"])

    def rounds(self, epoch: int) -> list[tuple[int, str]]:
        """The kept rounds and their snapshots, oldest first."""
        return [(row["round"], row["snapshot"]) for row in self.conn.execute(SQL["rounds"], {"epoch": epoch})]

    def drop_rounds(self, epoch: int, confirmed: int) -> None:
        """Rounds before this one are not needed any more."""
        self._run("drop_rounds", epoch=epoch, confirmed=confirmed)

    def copy_round(self, epoch: int, since: str, upto: str) -> Iterator[memoryview]:
        """The messages of a COPY of the rows between two snapshots."""
        return self._copy("copy_round", since=since, upto=upto, epoch=str(epoch), after="0", limit="0")

    def copy_fill(self, epoch: Epoch, after: int, limit: int) -> Iterator[memoryview]:
        """The messages of a COPY of the next `limit` rows of the epoch's fill."""
        return self._copy(
            "copy_fill",
            since=epoch.fill_since or "",
            upto=epoch.snapshot,
            epoch=str(epoch.fill_since_epoch),
            after=str(after),
            limit=str(limit),
        )

    def _copy(self, name: str, **parameters: str) -> Iterator[memoryview]:
        with self.conn.transaction(), self.conn.cursor() as cursor:
            cursor.execute(SQL["parameters"], parameters)
            with cursor.copy(SQL[name]) as copy:
                yield from copy  # type: ignore[misc]

    def _one(self, name: str, **values: Any) -> dict[str, Any] | None:
        return self.conn.execute(SQL[name], values).fetchone()

    def _must(self, name: str, **values: Any) -> dict[str, Any]:
        row = self._one(name, **values)
        if row is None:
            raise Fenced(f"{name}: the row is gone")
        return row

    def _run(self, name: str, **values: Any) -> int:
        return self.conn.execute(SQL[name], values).rowcount

    def _fenced(self, name: str, **values: Any) -> None:
        if self._run(name, **values) == 0:
            raise Fenced(f"{name}: another relay has claimed the epoch")


@contextmanager
def translated() -> Iterator[None]:
    """Turn a lost or restarting PostgreSQL into Retryable."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Retryable(f"PostgreSQL: {error}".strip()) from error


def positions(texts: Sequence[str], partitions: int) -> list[Position]:
    """Stored positions, one per partition; nothing stored means the start."""
    return [Position.parse(text) for text in texts] if texts else [START] * partitions


def _texts(progress: Sequence[Position]) -> list[str]:
    return [str(position) for position in progress]
