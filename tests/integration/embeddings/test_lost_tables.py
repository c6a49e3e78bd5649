"""Somebody drops tables, or all of them: the consumer makes them again, and the view comes back."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest

from app import wiring
from tests.integration.embeddings.conftest import Api, Pipeline
from tests.support.network import Network

_DROPS: tuple[LiteralString, ...] = (
    "DROP SCHEMA embeddings CASCADE",
    "DROP TABLE embeddings.models CASCADE",
    "DROP TABLE embeddings.documents CASCADE",
    "DROP TABLE embeddings.checkpoint",
    "DROP TABLE embeddings.vectors CASCADE",
    "DROP FUNCTION embeddings.install()",
)


@pytest.mark.parametrize("drop", _DROPS)
async def test_the_consumer_makes_them_again(
    pipeline: Pipeline, network: Network, http: Api, connection: psycopg.Connection, drop: LiteralString
) -> None:
    one, two = (network.post("teacher", f"Lakes and rivers, part {number}") for number in (1, 2))
    await pipeline.run()
    connection.execute(drop)
    await (
        pipeline.projection.read_checkpoint()
    )  # which is how a running consumer looks; it does not die of it
    await pipeline.projection.prepare()
    assert await pipeline.projection.read_checkpoint() is None
    await pipeline.refill()
    await pipeline.work()
    assert await http.ids("anna", f"/posts/{one}/similar") == [two]


def test_so_does_migrate(database: str, connection: psycopg.Connection) -> None:
    connection.execute("DROP SCHEMA embeddings CASCADE")
    for _ in range(2):
        wiring.migrate(database)
    assert connection.execute("SELECT count(*) FROM embeddings.documents").fetchone() == (0,)
