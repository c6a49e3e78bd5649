"""The write side of search: keeps the four collections equal to what PostgreSQL holds.

An event only says which rows to read again. One query per collection reads all rows of a batch; a row that is gone,
or that nobody may find, becomes a delete. So applying a batch twice, in another order, or after a crash in the
middle ends in the same index, and a stale event can't bring back a deleted thing. A change of a person reaches
their posts and courses, in bounded portions. Mapping is `mapping.py`, HTTP is `store.py`, guarding against late
requests is `checkpoint.py`; delivery, retries and dead letters are `consumers/engine/runner.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import islice
from time import monotonic
from typing import ClassVar, Final

from consumers.engine.hydration import wait_until_visible
from consumers.engine.projection import Batch, Rejection, StoreForgot
from consumers.search import schema, truth
from consumers.search.checkpoint import Checkpoint, Keys
from consumers.search.mapping import document
from consumers.search.schema import KINDS, Document, Kind, token
from consumers.search.store import NotThere, Refused, Typesense
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Pool
from schemas.envelope import Event

#: Rows read and documents written at a time.
PORTION: Final = 500
_KIND_OF_TOPIC: Final[dict[str, Kind]] = {
    "post": "posts",
    "user": "users",
    "club": "clubs",
    "course": "courses",
}
_WORKS: Final[tuple[Kind, ...]] = ("posts", "courses")
_TOPIC_OF_KIND: Final = {kind: topic for topic, kind in _KIND_OF_TOPIC.items()}


class SearchProjection:
    """Fills `<prefix>_posts`, `_users`, `_clubs` and `_courses` from the truth in `pool`."""

    name: ClassVar[str] = "search"
    topics: ClassVar[frozenset[str]] = frozenset(_KIND_OF_TOPIC)

    def __init__(
        self, store: Typesense, pool: Pool, prefix: str, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._store = store
        self._pool = pool
        self._prefix = prefix
        self._checkpoint = Checkpoint(store, prefix, clock)

    async def prepare(self) -> None:
        """Make the collections and aliases that are missing, and drop those with the fields of before.

        A new collection starts from nothing; until the engine has filled it, reads go to PostgreSQL.
        """
        present = await self._store.collections()
        if self._checkpoint.collection not in present:
            await self._checkpoint.create()
        missing = [kind for kind in KINDS if schema.collection(self._prefix, kind) not in present]
        if missing:  # before they are made: a crash in between must not leave a checkpoint on an empty index
            await self._checkpoint.forget()
        for kind in missing:
            await self._store.create(schema.definition(self._prefix, kind))
        aliases = await self._store.aliases()
        for kind in KINDS:
            name, target = schema.alias(self._prefix, kind), schema.collection(self._prefix, kind)
            if aliases.get(name) != target:
                await self._store.point(name, target)
        for outdated in schema.outdated(self._prefix, present):
            await self._store.drop(outdated)

    async def read_checkpoint(self) -> str | None:
        """The engine's checkpoint as the index has it."""
        return await self._checkpoint.read()

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
            refused = await self._write(work, batch.generation)
            if not batch.refill:  # in a refill the works come by themselves
                refused += await self._write_works(_changed_people(batch, work), batch.generation)
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error
        return refused

    async def _write(self, keys: Keys, generation: int) -> list[tuple[Kind, Refused]]:
        refused: list[tuple[Kind, Refused]] = []
        for kind, wanted in keys.items():
            for portion in _portions(wanted):
                refused += [(kind, one) for one in await self._write_portion(kind, portion, generation)]
        return refused

    async def _write_portion(self, kind: Kind, keys: Sequence[str], generation: int) -> list[Refused]:
        """Make the documents of these keys what their rows say."""
        async with self._pool.connection() as conn:
            rows = await truth.rows(conn, kind, keys)
        documents = [one for row in rows if (one := document(kind, row)) is not None]
        kept: set[str] = {one["key"] for one in documents}
        target = schema.collection(self._prefix, kind)
        refused = await self._store.upsert(target, [_stamped(one, generation) for one in documents])
        await self._store.delete(target, [token(key) for key in keys if key not in kept])
        return refused

    async def _write_works(self, people: Sequence[str], generation: int) -> list[tuple[Kind, Refused]]:
        """Write what these people made again: their names, and whether it may be found, have changed."""
        refused: list[tuple[Kind, Refused]] = []
        for kind in _WORKS:
            for person in await self._gone(people):
                await self._store.delete_where(
                    schema.collection(self._prefix, kind), f"owner:={token(person)}"
                )
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


def _stamped(one: Document, generation: int) -> Document:
    """Who wrote it, for whoever has to find out later."""
    return {**one, "_gen": generation}


def _rejections(events: Sequence[Event], refused: Sequence[tuple[Kind, Refused]]) -> list[Rejection]:
    """The last event of each key whose own document was refused."""
    reasons = {(_TOPIC_OF_KIND[kind], one.document["key"]): one.reason for kind, one in refused}
    last = {(event.topic, event.key): event for event in events}
    return [Rejection(last[key], reason) for key, reason in reasons.items() if key in last]
