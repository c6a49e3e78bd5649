"""One client's events: first what it missed since its Last-Event-ID, then what comes, until its token ends.

Before each batch the viewer is checked again, as for a request: a logout, a block or a move to another school holds
from that moment on. Which events are told is `audience.py`.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from sse_starlette import ServerSentEvent

from consumers.live.happenings import audience
from consumers.live.happenings.place import Place
from consumers.live.happenings.tail import MOST_EVENTS, Batch, Tail
from runtime.access import Scope, Viewer, load_scope
from runtime.errors import Retryable
from runtime.http import Problem
from runtime.postgres import TRANSIENT, Pool

#: Posts that a session remembers having told of, so that it can tell of their end.
MOST_TOLD: Final = 2_000
RETRY_MS: Final = 3_000

WhoAsks = Callable[[], Awaitable[Viewer]]


class Session:
    """The events of one connection."""

    def __init__(self, tail: Tail, pool: Pool, who: WhoAsks, last: Place | None) -> None:
        self._tail = tail
        self._pool = pool
        self._who = who
        self._last = last
        self._told: OrderedDict[str, None] = OrderedDict()

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """Until the client goes, its token ends, or PostgreSQL is away: then the client connects again."""
        try:
            async with self._tail.listen() as (start, queue):
                async for event in self._missed(start):
                    yield event
                while (batch := await queue.get()) is not None:
                    async for event in self._tell(batch):
                        yield event
        except (Retryable, *TRANSIENT, Problem):
            return

    async def _missed(self, start: Place) -> AsyncIterator[ServerSentEvent]:
        """The batches from the client's place to the tail's; `hello` gives a place to who has none yet."""
        last = self._last
        if last is None:
            yield _said("hello", start)
            return
        if not await self._tail.can_serve(last):
            yield _said("reset", start)
            return
        read = 0
        async for batch in self._tail.between(last, start):
            read += len(batch.events)
            if read > MOST_EVENTS:
                yield _said("reset", start)
                return
            async for event in self._tell(batch):
                yield event

    async def _tell(self, batch: Batch) -> AsyncIterator[ServerSentEvent]:
        if batch.reset and batch.place is not None:
            yield _said("reset", batch.place)
        if not batch.events:
            return
        scope, posts = await self._look_up(batch)
        chosen = []
        for event in batch.events:
            if audience.concerns(event, scope, posts, self._told):
                chosen.append(event)
                if event.topic == "post":
                    self._remember(event.key)
        for event in chosen:
            yield ServerSentEvent(json.dumps(audience.message(event)), event=event.type, retry=RETRY_MS)
        if chosen and batch.place is not None:
            # The place belongs to the whole batch: half a batch is told again rather than forgotten.
            yield _said("place", batch.place)

    async def _look_up(self, batch: Batch) -> tuple[Scope, audience.Posts]:
        viewer = await self._who()
        async with asyncio.timeout(5), self._pool.connection() as conn:
            scope = await load_scope(conn, viewer)
            return scope, await audience.look_up(conn, scope, batch.events)

    def _remember(self, key: str) -> None:
        self._told[key] = None
        if len(self._told) > MOST_TOLD:
            self._told.popitem(last=False)


def _said(what: str, place: Place, **data: Any) -> ServerSentEvent:
    """A word of the connection itself: `hello`, `place`, and `reset` = load afresh, too much was missed."""
    return ServerSentEvent(json.dumps(data), event=what, id=str(place), retry=RETRY_MS)
