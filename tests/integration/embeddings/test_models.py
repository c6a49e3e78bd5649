"""Another model takes over only when it has everything; vectors that nobody uses go after a month."""

from __future__ import annotations

import psycopg
import pytest

from consumers.embeddings.local import LocalBackend
from consumers.embeddings.queue import TextQueue
from consumers.embeddings.schema import Model
from runtime.postgres import Pool
from tests.integration.embeddings.conftest import MODEL, Api, Pipeline
from tests.support.network import Network

OTHER = Model("some/other-model", 384, "passage: ", "query: ")


def serving(conn: psycopg.Connection) -> list[str]:
    return [row[0] for row in conn.execute("SELECT name FROM embeddings.models WHERE serving")]


async def test_a_new_model_is_filled_beside_the_old_one_and_then_takes_over(
    pipeline: Pipeline,
    network: Network,
    http: Api,
    connection: psycopg.Connection,
    pool: Pool,
    local_model: LocalBackend,
) -> None:
    one, two = (network.post("teacher", f"Lakes and rivers, part {number}") for number in (1, 2))
    await pipeline.run()
    assert serving(connection) == [MODEL.name]
    successor = Pipeline(connection, pool, local_model, OTHER)
    await successor.projection.prepare()
    assert await successor.projection.read_checkpoint() is None, "another model: the view has to be filled"
    await successor.refill()
    assert serving(connection) == [MODEL.name]
    assert await http.ids("anna", f"/posts/{one}/similar") == [two]
    await successor.work()
    assert serving(connection) == [OTHER.name]
    assert sorted(successor.backend.texts) == [
        "passage: Lakes and rivers, part 1",
        "passage: Lakes and rivers, part 2",
    ]
    assert await http.ids("anna", f"/posts/{one}/similar") == [two]
    assert pipeline.count("vectors") == 2, "those of the old model are gone"
    assert pipeline.count("cache") == 4, "its cache is kept for a way back"


async def test_a_view_filled_from_the_cache_alone_is_served(
    pipeline: Pipeline, network: Network, http: Api
) -> None:
    one, two = (network.post("teacher", f"Mountains, part {number}") for number in (1, 2))
    await pipeline.run()
    pipeline.conn.execute("DELETE FROM dramatiq.queue")
    pipeline.conn.execute("SELECT embeddings.forget()")
    await pipeline.refill()
    assert serving(pipeline.conn) == []
    asked = pipeline.conn.execute("SELECT message ->> 'actor_name' FROM dramatiq.queue").fetchall()
    assert ("embeddings.embed",) in asked, "somebody has to say that it is complete"
    await pipeline.embed.run()
    assert await http.ids("anna", f"/posts/{one}/similar") == [two]


async def test_pruning_takes_what_has_had_no_use_for_a_month(
    pipeline: Pipeline, network: Network, connection: psycopg.Connection
) -> None:
    post = network.post("teacher", "First version")
    await pipeline.run()
    network.change("posts", post, content="Second version")
    await pipeline.run()
    assert pipeline.count("cache") == 2
    assert await pipeline.texts.prune() == 0
    connection.execute("UPDATE embeddings.cache SET created_at = now() - interval '31 days'")
    assert await pipeline.texts.prune() == 1
    network.change("posts", post, visibility="SCHOOL")
    await pipeline.run()
    assert len(pipeline.backend.texts) == 2


@pytest.mark.parametrize("dimension", [8, 383])
async def test_a_name_with_another_dimension_is_refused(
    pool: Pool, pipeline: Pipeline, dimension: int
) -> None:
    twin = TextQueue(pool, Model(MODEL.source, dimension))
    assert await twin.ready(), "the dimension is part of the name"
    async with pool.connection() as conn:
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            await conn.execute("SELECT embeddings.use_model(%s, %s)", (MODEL.name, dimension))


async def test_the_backlog_is_there_for_operators(pipeline: Pipeline, network: Network) -> None:
    network.post("teacher", "Waiting")
    await pipeline.sync()
    [(waiting, given_up)] = pipeline.conn.execute(
        "SELECT waiting, given_up FROM embeddings.backlog"
    ).fetchall()
    assert (waiting, given_up) == (1, 0)
