"""A backlog in the WAL: committed outbox rows that nobody has read, and a slot from which to read them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import psycopg

#: Makes transactions of `rows` events each; one statement per transaction, as an app's trigger would.
_FILL: Final = """
CREATE OR REPLACE PROCEDURE pg_temp.fill(transactions int, rows int, payload int) LANGUAGE plpgsql AS $$
DECLARE body text := repeat('lorem ipsum ', payload / 12);
BEGIN
    FOR number IN 1..transactions LOOP
        INSERT INTO outbox.events (topic, type, key, data, headers)
        SELECT 'post', 'post.created.v1', 'clx' || md5((number % 1000)::text),
               jsonb_build_object('id', 'clx' || number, 'content', body, 'likes', number), '{"actor": "u1"}'
          FROM generate_series(1, rows);
        COMMIT;
    END LOOP;
END $$
"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """So many events lie between a slot's start and `end` (a WAL position as an integer)."""

    events: int
    end: int


def make(url: str, *, transactions: int, rows: int = 1, payload: int = 380) -> Backlog:
    """Fill the outbox. `payload` is the rough size of the text in bytes; the row adds about 120."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET synchronous_commit = off")
        conn.execute(_FILL)
        conn.execute(f"CALL pg_temp.fill({int(transactions)}, {int(rows)}, {int(payload)})")
        conn.execute("SET synchronous_commit = on")
        conn.execute("SELECT pg_logical_emit_message(true, 'bench', 'end')")  # flushes what went before
        [(end,)] = conn.execute("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint").fetchall()
    return Backlog(transactions * rows, int(end))


def calm_disk(url: str) -> None:
    """Write out what earlier work has left in memory: whoever is measured next should not have to wait for that."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CHECKPOINT")
    os.sync()


def make_slot(url: str, name: str) -> None:
    """A logical slot that starts here."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))


def drop_slots(url: str, prefix: str) -> None:
    """Drop the slots whose names begin so; a reader that is just leaving one is waited for."""
    named = (prefix + "%",)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name LIKE %s",
            named,
        )
        conn.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE %s",
            named,
        )
