"""A random, seeded workload of every shape of transaction that has ever put an outbox out of order.

Several writers about few keys, so that they wait for each other, and one that holds its transactions open for long.
What the streams must then contain is kept by the workload itself (workload.sql); looking is `verdict.py`.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psycopg

Connection = psycopg.Connection[Any]

_SCHEMA: Final = (Path(__file__).parent / "workload.sql").read_text("utf-8")
_KEYS: Final = 12
_WRITERS: Final = 4
_LONGEST_HOLD: Final = 1.5
#: PostgreSQL restarts: whatever had been committed counts, whether the writer heard of it or not.
_AWAY: Final = (psycopg.OperationalError, psycopg.InterfaceError)

_EVENT = "SELECT torture_event(%s, %s)"
_LOCKED = """
INSERT INTO torture_versions AS t VALUES ('view', %s, %s)
ON CONFLICT ON CONSTRAINT torture_versions_pkey DO UPDATE SET v = t.v + excluded.v RETURNING v
"""


class Shapes:
    """What one writer may do; each method is the inside of one transaction."""

    def __init__(self, conn: Connection, dice: random.Random, stop: threading.Event) -> None:
        self._conn = conn
        self._dice = dice
        self._stop = stop

    def some(self) -> None:
        """A few events about a few keys, with pauses while the locks are held."""
        for key in self._sorted_keys(4):
            self._event(self._dice.choice(["post", "user"]), key)
            self._pause(0.01)

    def same_key_again(self) -> None:
        """Several events of one aggregate; whoever wants the same one waits."""
        key = self._key()
        for _ in range(self._dice.randint(2, 5)):
            self._event("post", key)
        self._pause(0.02)

    def early_xid(self) -> None:
        """Takes its transaction id first and writes last."""
        self._conn.execute("SELECT pg_current_xact_id()")
        self._pause(0.05)
        self._event("post", self._key())

    def unsorted(self) -> None:
        """Locks in any order: some of these end as deadlocks."""
        for _ in range(2):
            self._event("user", self._key())

    def subtransactions(self) -> None:
        """Some are undone, and their events with them."""
        for key in self._sorted_keys(3):
            with self._conn.transaction():
                self._event("post", key)
                with self._conn.transaction():
                    self._event("post", key)
                    self._undo(0.4)
                self._undo(0.3)

    def cascade(self) -> None:
        """One DELETE, many events; then the same keys come back."""
        parent = self._dice.randint(1, 4)
        self._conn.execute("SELECT pg_advisory_xact_lock(%s)", (parent,))
        self._conn.execute("DELETE FROM torture_parents WHERE id = %s", (parent,))
        self._conn.execute("INSERT INTO torture_parents VALUES (%s)", (parent,))
        self._conn.execute(
            "INSERT INTO torture_children SELECT %s || '/' || i, %s FROM generate_series(1, %s) i",
            (str(parent), parent, self._dice.randint(1, 8)),
        )

    def deferred(self) -> None:
        """The events are written at the commit, after everything else."""
        for key in self._sorted_keys(3):
            self._conn.execute(
                "INSERT INTO torture_deferred AS t VALUES (%s) ON CONFLICT (id) DO UPDATE SET n = t.n + 1",
                (key,),
            )
        self._event("post", self._key())

    def copied(self) -> None:
        """Many rows with one LSN: COPY writes them as one record of the WAL."""
        count = self._dice.randint(20, 150)
        rows: list[tuple[str, int]] = []
        for key in self._sorted_keys(3):
            row = self._conn.execute(_LOCKED, (key, count)).fetchone()
            assert row is not None
            rows += [(key, version) for version in range(row[0] - count + 1, row[0] + 1)]
        columns = "COPY outbox.events (topic, type, key, data) FROM STDIN"
        with self._conn.cursor() as cursor, cursor.copy(columns) as copy:
            for key, version in rows:
                copy.write_row(("view", "post.viewed.v1", key, f'{{"v": {version}}}'))

    def large(self) -> None:
        """More than one batch."""
        self._conn.execute(
            "SELECT torture_event('engagement', 'large' || i %% 3) FROM generate_series(1, %s) i",
            (self._dice.randint(300, 1500),),
        )

    def heavy(self) -> None:
        """One event that fills a batch by itself."""
        self._conn.execute("SELECT torture_event('quiz', %s, 100000)", (self._key(),))

    def noise(self) -> None:
        """Nothing of ours."""
        self._conn.execute("INSERT INTO torture_noise SELECT repeat('x', 200) FROM generate_series(1, 100)")
        self._conn.execute("SELECT pg_logical_emit_message(true, 'theirs', 'unknown to the relay')")

    def _event(self, topic: str, key: str) -> None:
        self._conn.execute(_EVENT, (topic, key))

    def _key(self) -> str:
        return f"k{self._dice.randrange(_KEYS)}"

    def _sorted_keys(self, most: int) -> list[str]:
        return sorted({self._key() for _ in range(self._dice.randint(1, most))})

    def _pause(self, longest: float) -> None:
        if self._dice.random() < 0.3:
            self._stop.wait(self._dice.uniform(0, longest))

    def _undo(self, chance: float) -> None:
        if self._dice.random() < chance:
            raise psycopg.Rollback


_MIX: Final[dict[Callable[[Shapes], None], int]] = {
    Shapes.some: 40,
    Shapes.same_key_again: 15,
    Shapes.early_xid: 8,
    Shapes.unsorted: 6,
    Shapes.subtransactions: 12,
    Shapes.cascade: 6,
    Shapes.deferred: 8,
    Shapes.copied: 4,
    Shapes.large: 1,
    Shapes.heavy: 1,
    Shapes.noise: 5,
}


@contextmanager
def at_work(url: str, seed: int) -> Iterator[None]:
    """Writers for the length of a block; a writer that fails fails the block."""
    stop, failures = threading.Event(), list[BaseException]()

    def kept(write: Callable[[Connection, random.Random, threading.Event], None], number: int) -> None:
        dice = random.Random(f"{seed} {number}")
        try:
            while not stop.is_set():
                with suppress(*_AWAY), psycopg.connect(url, options="-c deadlock_timeout=50ms") as conn:
                    write(conn, dice, stop)
                stop.wait(0.1)
        except BaseException as failure:
            failures.append(failure)

    writers = [threading.Thread(target=kept, args=(_write, number)) for number in range(_WRITERS)]
    writers.append(threading.Thread(target=kept, args=(_hold, _WRITERS)))
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        stop.set()
        for writer in writers:
            writer.join(30)
    assert not failures, failures


def prepare(url: str) -> None:
    """The workload's tables."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(_SCHEMA)


def _write(conn: Connection, dice: random.Random, stop: threading.Event) -> None:
    shapes, weights = list(_MIX), list(_MIX.values())
    doing = Shapes(conn, dice, stop)
    while not stop.wait(dice.uniform(0.002, 0.04)):
        (shape,) = dice.choices(shapes, weights)
        with suppress(psycopg.errors.DeadlockDetected), conn.transaction():
            shape(doing)
            if dice.random() < 0.1:
                raise psycopg.Rollback


def _hold(conn: Connection, dice: random.Random, stop: threading.Event) -> None:
    """Transactions that stay open while others come and go."""
    while not stop.is_set():
        with conn.transaction():
            conn.execute(_EVENT, ("post", f"held{dice.randint(0, 2)}"))
            stop.wait(dice.choice([0.1, 0.5, _LONGEST_HOLD]))
            conn.execute(_EVENT, ("post", f"held{dice.randint(3, 5)}"))
            if dice.random() < 0.2:
                raise psycopg.Rollback
