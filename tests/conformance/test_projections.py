"""Every projection, on its real store: however events arrive, the view ends the same (I7), and only for its owner."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import psycopg
import pytest

from app import views
from consumers.engine.log import Log
from consumers.engine.projection import Batch, Projection, StaleOwner
from runtime.postgres import open_pool
from runtime.settings import Settings
from schemas.envelope import Event
from tests.conformance.harness import Content, Harness, Stores
from tests.conformance.harness_analytics import AnalyticsHarness
from tests.conformance.harness_embeddings import EmbeddingsHarness
from tests.conformance.harness_feeds import FeedsHarness
from tests.conformance.harness_search import SearchHarness
from tests.conformance.scenario import History

HARNESSES: tuple[Harness, ...] = (SearchHarness(), EmbeddingsHarness(), FeedsHarness(), AnalyticsHarness())


def test_every_consumer_has_a_harness() -> None:
    assert {harness.name for harness in HARNESSES} == set(views.CONSUMERS)


@pytest.fixture(params=HARNESSES, ids=lambda harness: harness.name)
def harness(request: pytest.FixtureRequest) -> Harness:
    """Each view in turn."""
    made: Harness = request.param
    return made


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Stores]:
    """Real ones."""
    async with open_pool(settings.database_url) as pool:
        yield Stores(settings, pool)


@pytest.fixture
def history(connection: psycopg.Connection) -> History:
    """Not yet begun."""
    return History(connection)


class Process:
    """One process that owns the view under a generation."""

    def __init__(self, projection: Projection, generation: int) -> None:
        self.projection = projection
        self.generation = generation
        self.batches = 0

    async def apply(self, events: list[Event], *, refill: bool = False, replayed: bool = False) -> None:
        """Apply a batch; nothing in these histories is refused."""
        self.batches += 1
        checkpoint = f"{self.generation}/{self.batches}"
        batch = Batch(events, checkpoint, self.generation, refill, replayed=replayed)
        assert not await self.projection.apply(batch)
        assert await self.projection.read_checkpoint() == checkpoint


@asynccontextmanager
async def process(harness: Harness, stores: Stores, generation: int) -> AsyncIterator[Process]:
    """A process that has just started."""
    async with views.projection(harness.name, stores.settings, stores.pool) as projection:
        await projection.prepare()
        yield Process(projection, generation)


@asynccontextmanager
async def fresh(harness: Harness, stores: Stores, generation: int) -> AsyncIterator[Process]:
    """A process that finds nothing, and has stored its first checkpoint."""
    await harness.wipe(stores)
    async with process(harness, stores, generation) as started:
        assert await started.projection.read_checkpoint() is None
        await started.apply([], refill=True)
        yield started


async def live(harness: Harness, stores: Stores, history: History) -> tuple[list[Event], Content]:
    """Apply events while things happen."""
    events: list[Event] = []
    async with fresh(harness, stores, 1) as owner:
        for step in history.steps():
            step()
            new = history.new_events(owner.projection.topics)
            await owner.apply(new)
            events += new
        return events, await harness.content(stores)


def at_once(events: list[Event]) -> Iterable[list[Event]]:
    """One large batch."""
    yield events


def one_by_one(events: list[Event]) -> Iterable[list[Event]]:
    """As small as can be."""
    for event in events:
        yield [event]


def twice(events: list[Event]) -> Iterable[list[Event]]:
    """Every batch is delivered again."""
    for start in range(0, len(events), 7):
        yield events[start : start + 7]
        yield events[start : start + 7]


def from_the_beginning_again(events: list[Event]) -> Iterable[list[Event]]:
    """The whole log a second time, as after a lost acknowledgement of everything."""
    yield events
    yield events


def shuffled_across_keys(events: list[Event]) -> Iterable[list[Event]]:
    """Only the order within a key is kept."""
    chance = random.Random(7)
    by_key: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        by_key.setdefault((event.topic, event.key), []).append(event)
    queues = list(by_key.values())
    mixed: list[Event] = []
    while queues:
        queue = chance.choice(queues)
        mixed.append(queue.pop(0))
        queues = [one for one in queues if one]
    for start in range(0, len(mixed), 5):
        yield mixed[start : start + 5]


async def from_the_truth(owner: Process, stores: Stores) -> None:
    """Fill as the engine does when there is nothing."""
    log = Log(stores.pool, owner.projection.topics)
    for source in await log.truth_sources():
        cursor = None
        while True:
            events, cursor = await log.truth_page(source, cursor, 3)
            if not events:
                break
            await owner.apply(events, refill=True)


async def test_any_delivery_ends_in_the_same_view(harness: Harness, stores: Stores, history: History) -> None:
    events, expected = await live(harness, stores, history)
    assert any(expected.values())
    for delivery in (at_once, one_by_one, twice, from_the_beginning_again, shuffled_across_keys):
        async with fresh(harness, stores, 2) as owner:
            for batch in delivery(events):
                await owner.apply(batch)
            assert await harness.content(stores) == expected, delivery.__doc__
    async with fresh(harness, stores, 2) as owner:
        await from_the_truth(owner, stores)
        assert await harness.content(stores) == expected, "filled from the truth"


async def test_owners_that_die_and_owners_that_are_late(
    harness: Harness, stores: Stores, history: History
) -> None:
    events, expected = await live(harness, stores, history)
    middle = len(events) // 2
    async with fresh(harness, stores, 5) as killed:
        await killed.apply(events[:middle])
    async with process(harness, stores, 6) as former, process(harness, stores, 7) as owner:
        assert await former.projection.read_checkpoint() == f"5/{killed.batches}"
        await former.apply(events[middle - 5 : middle])  # what was not acknowledged comes again
        await owner.apply(events[middle - 5 :])
        kept = await owner.projection.read_checkpoint()
        for late in (events[:5], []):
            with pytest.raises(StaleOwner):
                await former.apply(late)
        assert await owner.projection.read_checkpoint() == kept
        assert await harness.content(stores) == expected


async def test_clearing_is_the_owners_and_a_fill_makes_it_good(
    harness: Harness, stores: Stores, history: History
) -> None:
    _, expected = await live(harness, stores, history)
    async with process(harness, stores, 2) as former, process(harness, stores, 3) as owner:
        await owner.apply([])
        kept = await owner.projection.read_checkpoint()
        with pytest.raises(StaleOwner):
            await former.projection.clear(2)
        assert await harness.content(stores) == expected
        for _ in range(2):  # killed after the first time
            await owner.projection.clear(3)
        assert await owner.projection.read_checkpoint() == kept
        await from_the_truth(owner, stores)
        assert await harness.content(stores) == expected


async def test_a_replay_of_any_part_leaves_the_view_as_it_was(
    harness: Harness, stores: Stores, history: History
) -> None:
    """Also one that ends before the events that took back what it tells of."""
    events, expected = await live(harness, stores, history)
    async with process(harness, stores, 2) as owner:
        for end in (len(events) // 3, 2 * len(events) // 3, len(events)):
            for start in range(0, end, 5):
                await owner.apply(events[start : min(start + 5, end)], replayed=True)
            assert await harness.content(stores) == expected
