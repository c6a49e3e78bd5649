"""The write side of search: keeps the four collections equal to what PostgreSQL holds.

An event only says which rows to read again. One query per collection reads all rows of a batch; a row that is gone,
or that nobody may find, becomes a delete. So applying a batch twice, in another order, or after a crash in the
middle ends in the same index, and a stale event can't bring back a deleted thing. A change of a person reaches
their posts and courses, in bounded portions. Mapping is `mapping.py`, HTTP is `store.py`, guarding against late
requests is `checkpoint.py`; delivery, retries and dead letters are `consumers/engine/runner.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from itertools import islice
from time import monotonic
from typing import ClassVar, Final

from consumers.engine.hydration import wait_until_visible
from consumers.engine.projection import Batch, Rejection, StoreForgot
from consumers.engine.rebuild.shadow import shadow_name
from consumers.search import schema, truth
from consumers.search.bulk import Mapper
from consumers.search.checkpoint import Checkpoint, Keys
from consumers.search.connection import NotThere
from consumers.search.schema import KINDS, Kind, token
from consumers.search.store import Refused, Typesense
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Pool
from schemas.envelope import Event

VIEW: Final = "search"
#: Rows read and documents written at a time, and how many portions are being read, mapped or written at once.
PORTION: Final = 1000
_SIDE_BY_SIDE: Final = 4
_KIND_OF_TOPIC: Final[dict[str, Kind]] = {
    "post": "posts",
    "user": "users",
    "club": "clubs",
    "course": "courses",
}
_WORKS: Final[tuple[Kind, ...]] = ("posts", "courses")
TOPIC_OF_KIND: Final = {kind: topic for topic, kind in _KIND_OF_TOPIC.items()}


class SearchProjection:
    """Fills `<prefix>_posts`, `_users`, `_clubs` and `_courses` from the truth in `pool`."""

    topics: ClassVar[frozenset[str]] = frozenset(_KIND_OF_TOPIC)
    #: Each batch costs a few requests more; Typesense takes many documents in hardly more time than few.
    batch_events: ClassVar[int] = 2000
    #: Between two batches Typesense has nothing to do for a moment: a fill of 2,000 at a time takes a third longer.
    fill_batches: ClassVar[int] = 20
    #: So a steady trickle comes as four batches a second and not as fifty, because each batch makes every search a
    #: little slower until the next snapshot (`app/stack/typesense.py`). A post on its own waits for nothing. Seconds.
    gather: ClassVar[float] = 0.25
    #: Members and enrolments are counted with the rows of their clubs and courses.
    filled_from: ClassVar[frozenset[str]] = frozenset({"posts", "users", "study_clubs", "courses"})

    def __init__(
        self,
        store: Typesense,
        pool: Pool,
        prefix: str,
        *,
        number: int | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`number`: of a shadow, which stands beside the index that serves."""
        self.name = VIEW if number is None else shadow_name(VIEW, number)
        self._store = store
        self._pool = pool
        self._prefix = prefix
        self._number = number
        self._suffix = ""
        self._checkpoint = Checkpoint(store, prefix, clock)
        self._mapper = Mapper()

    def close(self) -> None:
        """End what a fill has started."""
        self._mapper.close()

    async def prepare(self) -> None:
        """Make the collections and aliases that are missing, and drop those with the fields of before.

        A new collection starts from nothing; until the engine has filled it, reads go to PostgreSQL.
        """
        aliases = await self._store.aliases()
        present = await self._store.collections()
        self._find(aliases)
        if self._checkpoint.collection not in present:
            await self._checkpoint.create()
        missing = [kind for kind in KINDS if self._collection(kind) not in present]
        if missing:  # before they are made: a crash in between must not leave a checkpoint on an empty index
            await self._checkpoint.forget()
        for kind in missing:
            await self._store.create(schema.definition(self._prefix, kind, self._suffix))
        for name, target in self._aliases().items():
            if aliases.get(name) != target:
                await self._store.point(name, target)
        for outdated in schema.outdated(self._prefix, present, self._suffix):
            await self._store.drop(outdated)
        self._checkpoint.made = await self._made()

    async def _made(self) -> dict[Kind, int]:
        """When the collections that are there were made."""
        present = await self._store.collections()
        return {kind: present[name] for kind in KINDS if (name := self._collection(kind)) in present}

    def _find(self, aliases: Mapping[str, str]) -> None:
        """Learn which index stands under our name: a switch may have exchanged it."""
        suffix = index_of(aliases, self._prefix, self._number)
        if suffix != self._suffix:
            self._suffix = suffix
            self._checkpoint = Checkpoint(self._store, self._prefix, self._checkpoint.clock, suffix)

    def _aliases(self) -> dict[str, str]:
        names = self._prefix if self._number is None else schema.shadow_names(self._prefix, self._number)
        found = {schema.alias(names, kind): self._collection(kind) for kind in KINDS}
        return {**found, schema.state_alias(names): self._checkpoint.collection}

    def _collection(self, kind: Kind) -> str:
        return schema.collection(self._prefix, kind, self._suffix)

    async def read_checkpoint(self) -> str | None:
        """The engine's checkpoint as the index has it."""
        return await self._checkpoint.read(await self._made())

    async def clear(self, generation: int) -> None:
        """Make the collections anew; the checkpoint and the journal stand in one of their own."""
        try:
            for kind in KINDS:
                await self._checkpoint.check(generation)  # each time: what a successor has filled must not go
                await self._store.drop(self._collection(kind))
                await self._store.create(schema.definition(self._prefix, kind, self._suffix))
            await self._checkpoint.remade(generation, await self._made())
        except NotThere as error:
            raise StoreForgot(f"a collection is gone: {error}") from error

    async def apply(self, batch: Batch) -> Sequence[Rejection]:
        """Write what the truth has for the batch's keys, then the checkpoint."""
        keys = {kind: named for topic, kind in _KIND_OF_TOPIC.items() if (named := batch.keys(topic))}
        try:
            work = await self._checkpoint.open(batch, keys)
            refused = await self._apply(batch, work) if work else []
            await self._checkpoint.close(batch.generation, batch.checkpoint)
        except NotThere as error:
            raise StoreForgot(f"a collection is gone: {error}") from error
        return _rejections(batch.events, refused)

    async def _apply(self, batch: Batch, work: Keys) -> list[tuple[Kind, Refused]]:
        try:
            async with self._pool.connection() as conn:
                await wait_until_visible(conn, batch.events)
            self._mapper.expect(len(batch.events) if batch.refill else 0)
            refused = await self._write(work, batch.generation)
            if not batch.refill:  # in a refill the works come by themselves
                refused += await self._write_works(_changed_people(batch, work), batch.generation)
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error
        return refused

    async def _write(self, keys: Keys, generation: int) -> list[tuple[Kind, Refused]]:
        """Write portions side by side: one is being read or mapped while Typesense takes another."""
        limit = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def write(kind: Kind, portion: Sequence[str]) -> list[tuple[Kind, Refused]]:
            async with limit:
                return [(kind, one) for one in await self._write_portion(kind, portion, generation)]

        writes = [write(kind, portion) for kind, wanted in keys.items() for portion in _portions(wanted)]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)  # none may run on behind a failure
        refused: list[tuple[Kind, Refused]] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            refused += outcome
        return refused

    async def _write_portion(self, kind: Kind, keys: Sequence[str], generation: int) -> list[Refused]:
        """Make the documents of these keys what their rows say."""
        async with self._pool.connection() as conn:
            rows = await truth.rows(conn, kind, keys)
        lines = await self._mapper.lines(kind, rows, generation)
        kept = {row["id"] for row, line in zip(rows, lines, strict=True) if line is not None}
        target = self._collection(kind)
        refused = await self._store.load(target, list(filter(None, lines)))
        await self._store.delete(target, [token(key) for key in keys if key not in kept])
        return refused

    async def _write_works(self, people: Sequence[str], generation: int) -> list[tuple[Kind, Refused]]:
        """Write what these people made again: their names, and whether it may be found, have changed."""
        refused: list[tuple[Kind, Refused]] = []
        for kind in _WORKS:
            for person in await self._gone(people):
                await self._store.delete_where(self._collection(kind), f"owner:={token(person)}")
            async for portion in self._works(kind, people):
                refused += [(kind, one) for one in await self._write_portion(kind, portion, generation)]
        return refused

    async def _gone(self, people: Sequence[str]) -> list[str]:
        async with self._pool.connection() as conn:
            return await truth.gone(conn, people)

    async def _works(self, kind: Kind, people: Sequence[str]) -> AsyncIterator[list[str]]:
        """Ids of what these people made, in portions."""
        after: str | None = ""
        while people and after is not None:
            async with self._pool.connection() as conn:
                portion = await truth.works(conn, kind, people, after, PORTION)
            if portion:
                yield portion
            after = portion[-1] if len(portion) == PORTION else None


def index_of(aliases: Mapping[str, str], prefix: str, number: int | None) -> str:
    """The suffix of the index that stands under a name; of one that has yet to be made, what it will be."""
    serving = aliases.get(schema.state_alias(prefix), schema.checkpoint_collection(prefix))
    if number is None:
        return serving.removeprefix(schema.checkpoint_collection(prefix))
    fresh = schema.checkpoint_collection(prefix, f"_r{number}")
    if fresh == serving:  # switched, and nothing was there before that could be kept
        fresh += "x"
    found = aliases.get(schema.state_alias(schema.shadow_names(prefix, number)), fresh)
    return found.removeprefix(schema.checkpoint_collection(prefix))


def _changed_people(batch: Batch, work: Keys) -> list[str]:
    """People whose works may have to change: all but those who were only just created."""
    created = {event.key for event in batch.events if event.type.startswith("user.created")}
    changed = {event.key for event in batch.events if event.topic == "user" and event.key not in created}
    changed |= {event.key for event in batch.events if event.type.startswith("user.updated")}
    named = set(batch.keys("user"))
    return [key for key in work.get("users", ()) if key in changed or key not in named]


def _portions(keys: Sequence[str]) -> Iterable[list[str]]:
    rest = iter(keys)
    while portion := list(islice(rest, PORTION)):
        yield portion


def _rejections(events: Sequence[Event], refused: Sequence[tuple[Kind, Refused]]) -> list[Rejection]:
    """The last event of each key whose own document was refused."""
    reasons = {(TOPIC_OF_KIND[kind], one.document["key"]): one.told() for kind, one in refused}
    last = {(event.topic, event.key): event for event in events}
    return [Rejection(last[key], reason) for key, reason in reasons.items() if key in last]
