"""Rebuilding the index: four new collections beside those that serve, exchanged by their aliases.

A fill reads pages of whole rows by key, makes documents of them (`bulk.py`) and imports them, all three at once: while
one page is being indexed the next are mapped, and the one after them is read. What becomes of a row is `mapping.py`, as
for every other write; the order of a rebuild is `consumers/engine/rebuild/`.

Which index stands under a name is said by one alias (`schema.state_alias`): pointing it elsewhere is the exchange. The
aliases that readers use follow in the same breath; a crash in between is completed by whoever prepares the index next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from consumers.engine.checkpoint import Refill
from consumers.engine.projection import StoreForgot
from consumers.engine.rebuild.fence import fence
from consumers.engine.rebuild.shadow import Filled, Moved, Need, Sides
from consumers.engine.tasks import ahead
from consumers.search import schema, truth
from consumers.search.bulk import Mapper
from consumers.search.connection import NotThere
from consumers.search.projection import TOPIC_OF_KIND, VIEW, SearchProjection, index_of
from consumers.search.schema import KINDS, Kind
from consumers.search.store import Refused, Typesense
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Pool, fetch_dicts
from schemas.envelope import Event

#: Rows of a page, and pages that are being mapped or imported at once.
PAGE: Final = 2000
PAGES_UNDER_WAY: Final = 4
#: What a document takes when nothing is indexed yet that could tell. Bytes.
_GUESS: Final = 2048
_COUNTS_SQL: Final = (Path(__file__).parent / "sql" / "counts.sql").read_text(encoding="utf-8")
_ROWS_SQL: Final = """
SELECT (SELECT count(*) FROM posts) + (SELECT count(*) FROM users)
     + (SELECT count(*) FROM study_clubs) + (SELECT count(*) FROM courses) AS rows
"""

Page = Sequence[Mapping[str, Any]]
Write = Callable[[Page], Coroutine[Any, Any, list[Refused]]]


class SearchShadows:
    """See `Shadows`."""

    view: Final = VIEW

    def __init__(self, store: Typesense, pool: Pool, prefix: str) -> None:
        self._store = store
        self._pool = pool
        self._prefix = prefix

    def projection(self, number: int) -> SearchProjection:
        """The write side of a shadow."""
        return SearchProjection(self._store, self._pool, self._prefix, number=number)

    async def fence(self, generation: int) -> None:
        """By the checkpoint beside the index; what is still on its way is in its journal."""
        await fence(SearchProjection(self._store, self._pool, self._prefix), generation)

    async def target(self, number: int) -> str:
        """What the aliases of the shadow begin with."""
        return self._names(number)

    async def needs(self) -> Sequence[Need]:
        """As much memory and disk again as the server's index has now."""
        found = await self._store.metrics()
        used = int(found["typesense_memory_active_bytes"])
        expected = sum((await self._query(_COUNTS_SQL)).values()) * _GUESS
        size = max(expected, min(used, expected * 10))
        free = {
            kind: int(found[f"system_{kind}_total_bytes"]) - int(found[f"system_{kind}_used_bytes"])
            for kind in ("memory", "disk")
        }
        return [Need(f"Typesense's {kind}", size, left) for kind, left in free.items()]

    async def rows(self) -> int:
        """All rows of the four tables."""
        return int((await self._query(_ROWS_SQL))["rows"])

    async def fill(self, number: int, generation: int, after: Refill | None) -> AsyncIterator[Filled]:
        """See `Shadows`: the four kinds one after the other.

        Raises:
            StoreForgot: a collection is gone.
        """
        try:
            async for step in self._fill_kinds(number, generation, after):
                yield step
        except NotThere as error:
            raise StoreForgot(f"a collection is gone: {error}") from error

    async def _fill_kinds(self, number: int, generation: int, after: Refill | None) -> AsyncIterator[Filled]:
        suffix = index_of(await self._store.aliases(), self._prefix, number)
        started = KINDS.index(_kind(after.source)) if after else 0
        with closing(Mapper()) as mapper:
            mapper.expect(await self.rows())
            for kind in KINDS[started:]:
                cursor = after.cursor if after and after.source == kind and after.cursor else ""
                target = schema.collection(self._prefix, kind, suffix)

                async def write(rows: Page, kind: Kind = kind, target: str = target) -> list[Refused]:
                    made = await mapper.lines(kind, rows, generation)
                    return await self._store.load(target, list(filter(None, made)))

                async for step in self._fill(kind, cursor, write):
                    yield step

    async def complete(self, number: int) -> None:
        """Nothing: Typesense indexes as it imports."""

    async def accompany(self, number: int, stop: asyncio.Event) -> None:
        """Nothing."""

    async def finish_off(self, number: int) -> bool:
        """Nothing."""
        return False

    async def counts(self, number: int) -> Mapping[str, int]:
        """Documents by kind."""
        suffix = index_of(await self._store.aliases(), self._prefix, number)
        sizes = await self._store.sizes()
        return {kind: sizes.get(schema.collection(self._prefix, kind, suffix), 0) for kind in KINDS}

    async def expected(self, number: int) -> Mapping[str, int]:
        """Rows that somebody may find."""
        return await self._query(_COUNTS_SQL)

    async def sides(self, number: int) -> Sides | None:
        """The checkpoints' collections."""
        aliases, present = await self._store.aliases(), await self._store.collections()
        serving = aliases.get(schema.state_alias(self._prefix), schema.checkpoint_collection(self._prefix))
        shadow = aliases.get(schema.state_alias(self._names(number)))
        if shadow is None or shadow not in present:
            return None
        return Sides(serving if serving in present else None, shadow)

    async def exchange(self, number: int, sides: Sides) -> None:
        """Point the aliases; the first of them decides."""
        found = await self.sides(number)
        if found is not None and found.serving not in (sides.serving, sides.shadow):
            raise Moved(f"{found.serving} serves, neither {sides.serving} nor {sides.shadow}")
        await self._point(self._prefix, sides.shadow)
        if sides.serving is not None:
            await self._point(self._names(number), sides.serving)
            return
        for name in _alias_names(self._names(number)):
            await self._store.unpoint(name)

    async def drop(self, number: int) -> None:
        """Aliases first: what a crash leaves has no name, and is found by its number."""
        aliases, present = await self._store.aliases(), await self._store.collections()
        suffix = index_of(aliases, self._prefix, number)
        if suffix != index_of(aliases, self._prefix, None):
            for name in schema.of_index(self._prefix, present, suffix):
                await self._store.drop(name)
            await self._store.drop(schema.checkpoint_collection(self._prefix, suffix))
        for name in _alias_names(self._names(number)):
            await self._store.unpoint(name)

    def _names(self, number: int) -> str:
        return schema.shadow_names(self._prefix, number)

    async def _point(self, names: str, checkpoint: str) -> None:
        suffix = checkpoint.removeprefix(schema.checkpoint_collection(self._prefix))
        await self._store.point(schema.state_alias(names), checkpoint)
        for kind in KINDS:
            await self._store.point(schema.alias(names, kind), schema.collection(self._prefix, kind, suffix))

    async def _fill(self, kind: Kind, after: str, write: Write) -> AsyncIterator[Filled]:
        under_way: deque[tuple[asyncio.Task[list[Refused]], str, int]] = deque()
        try:
            async with ahead(self._pages(kind, after)) as pages:
                async for rows in pages:
                    task = asyncio.create_task(write(rows))
                    under_way.append((task, rows[-1]["id"], len(rows)))
                    if len(under_way) > PAGES_UNDER_WAY:
                        yield await _written(kind, *under_way.popleft())
            while under_way:
                yield await _written(kind, *under_way.popleft())
        finally:
            for task, _, _ in under_way:
                task.cancel()
            await asyncio.gather(*(task for task, _, _ in under_way), return_exceptions=True)

    async def _pages(self, kind: Kind, after: str) -> AsyncIterator[Page]:
        """In order of the keys."""
        while rows := await self._page(kind, after):
            yield rows
            after = rows[-1]["id"]

    async def _page(self, kind: Kind, after: str) -> Page:
        try:
            async with self._pool.connection() as conn:
                return await truth.page(conn, kind, after, PAGE)
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error

    async def _query(self, query: str) -> dict[str, int]:
        try:
            async with self._pool.connection() as conn:
                [row] = await fetch_dicts(conn, query)
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away: {error}") from error
        return row


async def _written(kind: Kind, task: asyncio.Task[list[Refused]], reached: str, rows: int) -> Filled:
    topic = TOPIC_OF_KIND[kind]
    refused = [
        Event(0, 0, datetime.now(UTC), topic, f"{topic}.updated.v1", one.document["key"], {})
        for one in await task
    ]
    return Filled(Refill(kind, reached), rows, refused)


def _kind(source: str) -> Kind:
    return next(kind for kind in KINDS if kind == source)


def _alias_names(names: str) -> list[str]:
    return [schema.state_alias(names), *(schema.alias(names, kind) for kind in KINDS)]
