"""The read side: what is near in meaning, by pgvector, under the visibility rules in the same statement.

The index scan goes on until enough rows have passed the rules (iterative scan), so a filter never starves a page. What
has no vector yet, or one that means nothing, is `Unanswered`: `fallback.py` answers from the truth's words.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from consumers.embeddings import cards
from consumers.embeddings.queries import VIEW
from consumers.embeddings.suggestions import suggest
from consumers.engine.cards import hydrate_posts
from consumers.engine.reads import Unanswered
from runtime.access import Scope
from runtime.http import Problem
from runtime.postgres import Connection, Pool, fetch_rows

#: A scan that has looked at so many vectors and found too few gives up; the page is then shorter.
_MAX_SCANNED: Final = "60000"
_POLL_SECONDS: Final = 0.03
_SETTINGS: Final = """
SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.max_scan_tuples', %s, true),
       set_config('hnsw.ef_search', '80', true), set_config('statement_timeout', '2000', true)
"""


@dataclass(frozen=True, slots=True)
class _Serving:
    """The model that reads use."""

    id: int
    dimension: int

    def sql(self, name: str) -> str:
        """A statement for vectors of this length, which is an integer of the database and no parameter's place."""
        return VIEW[name].replace("{DIMENSION}", str(self.dimension))


class EmbeddingsView:
    """What pgvector knows, for one viewer."""

    def __init__(self, pool: Pool, scope: Scope) -> None:
        self._pool = pool
        self._scope = scope

    async def similar(self, post_id: str, limit: int, *, wait: float = 0.0) -> list[cards.Card]:
        """Posts near in meaning to one that the viewer may see, nearest first.

        Args:
            post_id: the post.
            limit: how many at most.
            wait: seconds to wait for its vector when it is just being embedded.

        Raises:
            Problem: 404, there is no such post for this viewer.
            Unanswered: it has no vector that means anything.
        """
        async with self._reading() as (conn, model):
            vector = await self._post_vector(conn, model, post_id, wait)
            ids = await self._nearest(conn, model, "similar_posts", vector, limit, post=post_id)
            return await hydrate_posts(conn, self._scope, ids)

    async def suggestions(self, limit: int) -> list[cards.Card]:
        """People to follow.

        Raises:
            Unanswered: nothing is known of the viewer's interests.
        """
        async with self._reading() as (conn, model):
            interests = await self._interests(conn, model)
            return await suggest(
                conn,
                self._scope,
                lambda: self._nearest(conn, model, "people_alike", interests, limit),
                limit,
            )

    async def courses(self, limit: int) -> list[cards.Card]:
        """Courses near to the viewer's interests; raises as `suggestions` does."""
        async with self._reading() as (conn, model):
            ids = await self._nearest(conn, model, "courses", await self._interests(conn, model), limit)
            return await cards.courses(conn, self._scope, ids)

    async def quizzes(self, limit: int) -> list[cards.Card]:
        """Quizzes near to the viewer's interests; raises as `suggestions` does."""
        async with self._reading() as (conn, model):
            ids = await self._nearest(conn, model, "quizzes", await self._interests(conn, model), limit)
            return await cards.quizzes(conn, self._scope, ids)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[tuple[Connection, _Serving]]:
        async with self._pool.connection() as conn, conn.transaction():
            rows = await fetch_rows(conn, VIEW["serving"])
            if not rows:
                raise Unanswered("no model is serving")
            await conn.execute(_SETTINGS, (_MAX_SCANNED,))
            yield conn, _Serving(*rows[0])

    async def _post_vector(self, conn: Connection, model: _Serving, post_id: str, wait: float) -> str:
        deadline = monotonic() + wait
        params = {**self._scope.params(), "post": post_id, "model": model.id}
        while True:
            rows = await fetch_rows(conn, VIEW["post_vector"], params)
            if not rows:
                raise Problem(404, detail="There is no such post.")
            vector, waits = rows[0]
            if vector is not None:
                return str(vector)
            if not waits or monotonic() > deadline:
                raise Unanswered("the post has no vector")
            await asyncio.sleep(_POLL_SECONDS)

    async def _interests(self, conn: Connection, model: _Serving) -> str:
        params = {"viewer": self._scope.viewer.id, "model": model.id}
        rows = await fetch_rows(conn, VIEW["interests"], params)
        if not rows:
            raise Unanswered("nothing is known of the viewer's interests")
        return str(rows[0][0])

    async def _nearest(
        self, conn: Connection, model: _Serving, name: str, vector: str, limit: int, **params: Any
    ) -> list[str]:
        values = {**self._scope.params(), "model": model.id, "vector": vector, "limit": limit, **params}
        return [row[0] for row in await fetch_rows(conn, model.sql(name), values)]
