"""The vectors against the truth, with the bundled model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import psycopg
import pytest

from consumers.embeddings import text
from consumers.embeddings.jobs import EmbedJob, InterestJob
from consumers.embeddings.local import BUNDLED, LocalBackend
from consumers.embeddings.people import InterestQueue
from consumers.embeddings.queue import TextQueue
from consumers.embeddings.schema import Model
from runtime.postgres import Pool
from tests.integration.verify.conftest import Consuming, Verifying, named
from tests.support.network import Network

MODEL = Model(BUNDLED, 384)
Work = Callable[[], Awaitable[None]]


@pytest.fixture(scope="module")
def backend() -> Iterator[LocalBackend]:
    """The bundled model, loaded once."""
    opened = LocalBackend(MODEL)
    opened.load()
    yield opened
    opened.close()


@pytest.fixture
def work(pool: Pool, backend: LocalBackend, connection: psycopg.Connection[Any]) -> Work:
    """What a worker does: embed every text that waits, then build the interests that are due."""
    stop = asyncio.Event()
    embed = EmbedJob(TextQueue(pool, MODEL), backend, stop)
    interests = InterestJob(InterestQueue(pool, MODEL), stop)

    async def run() -> None:
        await embed.run()
        connection.execute("UPDATE embeddings.stale_interests SET due_at = '-infinity'")
        await interests.run()

    return run


def populate(network: Network) -> None:
    for number, visibility in enumerate(("PUBLIC", "SCHOOL", "CLASS", "PRIVATE")):
        network.post(
            "teacher",
            f"**Integrals** [part {number}](https://example.org/) #ComputerScience of www.example.org, គណិតវិទ្យា",
            "north",
            id=f"post{number}",
            visibility=visibility,
            title="A lesson",
            topicTags=["Maths", "chess-club"],
        )
    network.post("anna", "![](https://example.org/a.png)", "north", id="picture")
    network.course("teacher", "Algebra", id="algebra", description="Rings and fields", tags=["rings"])
    network.conn.execute("""INSERT INTO likes (id, "postId", "userId") VALUES ('l1', 'post2', 'borey')""")


async def test_damage_is_named_and_mended(
    network: Network,
    consuming: Consuming,
    verifying: Verifying,
    work: Work,
    connection: psycopg.Connection[Any],
) -> None:
    populate(network)
    async with consuming("embeddings"), verifying("embeddings") as verifier:
        waiting = await verifier.compare()
        await work()
        assert named(waiting) == {}, "texts that wait for the model are under way"
        assert named(await verifier.compare()) == {}
        with connection.transaction():
            connection.execute("DELETE FROM embeddings.vectors WHERE kind = 'post' AND id = 'post0'")
            connection.execute("""UPDATE embeddings.vectors SET embedding = (
                SELECT o.embedding FROM embeddings.vectors o WHERE o.kind = 'course' LIMIT 1)
                 WHERE kind = 'post' AND id = 'post1'""")
            connection.execute("DELETE FROM embeddings.documents WHERE kind = 'course'")
            connection.execute("UPDATE embeddings.documents SET content_hash = 'x' WHERE kind = 'profile'")
            connection.execute("INSERT INTO embeddings.documents VALUES ('post', 'ghost', 'y')")
            connection.execute("DELETE FROM embeddings.interests WHERE user_id = 'borey'")
            connection.execute("UPDATE embeddings.interests SET user_id = 'nobody' WHERE user_id = 'teacher'")
        found = await verifier.compare()
        mended = await verifier.repair(found)
        await work()
        after = await verifier.compare()
    assert named(found) == {
        "missing": {"post/post0", "course/algebra", "interests/borey", "interests/teacher"},
        "stale": {"post/post1", "profile/teacher"},
        "extra": {"interests/nobody"},
    }
    assert mended == 7
    assert named(after) == {}


async def test_a_bug_of_the_mapping_is_found(
    monkeypatch: pytest.MonkeyPatch, network: Network, consuming: Consuming, verifying: Verifying, work: Work
) -> None:
    populate(network)
    monkeypatch.setattr(text, "_plain", lambda found: found)
    async with consuming("embeddings"), verifying("embeddings") as verifier:
        found = await verifier.compare()
    assert {key.id for key in found.stale} == {"post0", "post1", "post2", "teacher"}
    assert {str(key) for key in found.extra} == {"post/picture"}
