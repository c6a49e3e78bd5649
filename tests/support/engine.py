"""What tests of views need of the engine without running it."""

from __future__ import annotations

import psycopg

_LIVE_SQL = """
INSERT INTO engine.checkpoints (consumer, state, topics, incarnation, epoch, snapshot, checkpoint)
VALUES (%s, 'live', '{}', 'test', outbox.current_epoch(), pg_current_snapshot(), '')
ON CONFLICT (consumer, partition) DO UPDATE SET state = 'live', snapshot = excluded.snapshot, epoch = excluded.epoch
"""


def serve(database_url: str, consumer: str) -> None:
    """Say that a view is filled up to now, so that `Reader` answers from it instead of from PostgreSQL."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(_LIVE_SQL, (consumer,))
