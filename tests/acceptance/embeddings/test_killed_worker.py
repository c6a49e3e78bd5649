"""The real `stunity worker` process, killed in the middle of its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from consumers.embeddings import wiring
from consumers.embeddings.projection import EmbeddingsProjection
from consumers.engine.projection import Batch
from runtime.postgres import open_pool
from runtime.settings import Settings
from schemas.envelope import Event
from tests.support.network import Network
from tests.support.wait import until

ROOT = Path(__file__).parents[3]
_EVENTS = """
SELECT id, xid::text::bigint, occurred_at, topic, type, key, data, headers FROM outbox.events
 WHERE id > %s AND topic = ANY (%s) ORDER BY id
"""
_STATE = """
SELECT (SELECT count(*) FROM embeddings.documents d
         WHERE EXISTS (SELECT FROM embeddings.vectors v
                        WHERE v.kind = d.kind AND v.id = d.id AND v.content_hash = d.content_hash)),
       (SELECT count(*) FROM embeddings.documents), (SELECT count(*) FROM embeddings.pending)
"""

#: Seconds until a worker must be there with its model, also on a machine that is busy with other tests.
PATIENCE = 120.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


@pytest.fixture
def start(database: str, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts workers; all are gone at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def worker() -> subprocess.Popen[bytes]:
        environment = {**os.environ, "DATABASE_URL": database, "STUNITY_HOME": str(tmp_path)}
        with (tmp_path / "worker.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "app.cli", "worker"], cwd=ROOT, env=environment, stderr=output
            )
        started.append(process)
        return process

    yield worker
    for process in started:
        process.kill()
        process.wait(10)


@pytest.fixture
async def projection(database: str) -> AsyncIterator[EmbeddingsProjection]:
    async with (
        open_pool(database) as pool,
        wiring.projection(Settings(_env_file=None, database_url=database), pool) as made,
    ):
        await made.prepare()
        await made.apply(Batch((), "start", 1, refill=True))
        yield made


def state(conn: psycopg.Connection[Any]) -> tuple[int, int, int]:
    """Documents whose vector is of their present text, documents, texts that wait."""
    [(embedded, documents, waiting)] = conn.execute(_STATE).fetchall()
    return embedded, documents, waiting


async def apply(conn: psycopg.Connection[Any], projection: EmbeddingsProjection, after: int = 0) -> None:
    rows = conn.execute(_EVENTS, (after, sorted(projection.topics))).fetchall()
    await projection.apply(Batch([Event(*row) for row in rows], "next", 1))


async def test_a_killed_worker_loses_nothing(
    connection: psycopg.Connection,
    projection: EmbeddingsProjection,
    start: Callable[[], subprocess.Popen[bytes]],
) -> None:
    network = Network(connection)
    network.school("north")
    network.user("teacher", "north", role="TEACHER")
    posts = [network.post("teacher", f"Lesson {n}: the river system number {n} of Asia.") for n in range(150)]
    await apply(connection, projection)
    victim = start()
    await until(lambda: state(connection)[0] > 0, PATIENCE)
    victim.send_signal(signal.SIGKILL)
    victim.wait(10)
    embedded, documents, waiting = state(connection)
    assert documents == len(posts)
    assert embedded + waiting == documents, "embedded or waiting, never neither"
    assert waiting > 0, "killed too late for this test to say anything"
    heir = start()
    await until(lambda: state(connection) == (documents, documents, 0), PATIENCE)
    network.change("posts", posts[0], content="Rewritten after the accident.")
    [(newest,)] = connection.execute("SELECT max(id) - 1 FROM outbox.events WHERE topic = 'post'").fetchall()
    await apply(connection, projection, after=newest)
    await until(lambda: state(connection) == (documents, documents, 0), PATIENCE)
    heir.terminate()
    assert heir.wait(30) == 0
