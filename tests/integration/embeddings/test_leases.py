"""Who holds a text: one worker as long as it lives, the next one soon after."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest

from consumers.embeddings import jobs
from consumers.embeddings.jobs import EmbedJob, OneAtATime
from consumers.embeddings.schema import Embedding
from tests.integration.embeddings.conftest import Counted, Pipeline
from tests.support.network import Network
from tests.support.wait import until


class Slow(Counted):
    """The real backend, behind a door."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline.backend)
        self.reached, self.door = asyncio.Event(), asyncio.Event()

    async def embed(self, texts: Sequence[str]) -> Sequence[Embedding]:
        self.reached.set()
        await self.door.wait()
        return await super().embed(texts)


def due(pipeline: Pipeline) -> datetime:
    [(at,)] = pipeline.conn.execute("SELECT min(due_at) FROM embeddings.pending").fetchall()
    assert isinstance(at, datetime)
    return at


async def test_a_slow_worker_keeps_its_texts(
    pipeline: Pipeline, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LEASE", 0.3)
    posts = [network.post("teacher", f"Slowly, slowly, {number}") for number in range(3)]
    await pipeline.sync()
    slow = Slow(pipeline)
    run = asyncio.create_task(EmbedJob(pipeline.texts, slow, pipeline.stop).run())
    await asyncio.wait_for(slow.reached.wait(), 10)
    seen = {due(pipeline)}
    while len(seen) < 4:  # three prolongations take longer than one lease
        await until(lambda: due(pipeline) not in seen)
        seen.add(due(pipeline))
    await pipeline.embed.run()
    assert pipeline.vectors() == {}, "somebody else finds nothing to do"
    slow.door.set()
    await asyncio.wait_for(run, 20)
    assert sorted(pipeline.vectors()) == sorted(posts)
    assert len(pipeline.backend.texts) == 3


async def test_the_texts_of_a_dead_worker_are_soon_due_again(pipeline: Pipeline, network: Network) -> None:
    post = network.post("teacher", "Taken by somebody who died")
    await pipeline.sync()
    await pipeline.texts.ready()
    assert len(await pipeline.texts.take(10, lease=0.2)) == 1
    assert await pipeline.texts.take(10, lease=0.2) == []
    await pipeline.embed.run()
    asked = (
        "SELECT available_at > now() - interval '1 s' FROM dramatiq.queue WHERE message ->> 'actor_name' = %s"
    )
    assert (True,) in pipeline.conn.execute(asked, ("embeddings.embed",)).fetchall(), (
        "a look at the right time"
    )

    async def embedded() -> bool:
        await pipeline.embed.run()
        return post in pipeline.vectors()

    await until(embedded)


async def test_a_call_during_a_run_looks_again_and_does_not_wait() -> None:
    runs, go_on = 0, asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        await go_on.wait()

    job = OneAtATime(work)
    first = asyncio.create_task(job())
    await until(lambda: runs == 1)
    await asyncio.wait_for(job(), 1)
    await asyncio.wait_for(job(), 1)
    go_on.set()
    await asyncio.wait_for(first, 5)
    assert runs == 2


async def test_an_idle_worker_asks_for_nothing(pipeline: Pipeline, network: Network) -> None:
    network.post("teacher", "Rivers carry sand to the sea")
    await pipeline.run()
    pipeline.conn.execute("DELETE FROM dramatiq.queue")
    await pipeline.work()
    assert pipeline.conn.execute("SELECT count(*) FROM dramatiq.queue").fetchone() == (0,)
