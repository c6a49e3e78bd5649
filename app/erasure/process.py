"""Erasing somebody from beginning to end. Every step may be done again, so a run that was killed is simply repeated.

The order matters: the person's row goes first, so that nothing new of theirs comes; then every view follows that
deletion; only then is the log redacted, because a view that had not heard of it would not hear of it any more. In the
end every store is searched for what is left. The audit record is written as the steps are done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Final

import structlog

from app import wiring
from app.erasure import archive as archives
from app.erasure import log as events
from app.erasure import tables, truth
from app.erasure.index import Index
from app.erasure.keys import Keys
from app.erasure.person import Person
from consumers.analytics import erasure as analytics
from consumers.engine.passing import Passing
from consumers.search.store import open_typesense
from runtime.errors import Retryable
from runtime.postgres import TRANSIENT, Connection, Pool, connect, fetch_dicts, fetch_rows, open_pool
from runtime.redis import TRANSIENT as REDIS_AWAY
from runtime.redis import open_client
from runtime.settings import Settings
from runtime.statements import load

log = structlog.get_logger(__name__)

_SQL: Final = load(Path(__file__).parent / "sql" / "audit.sql")
#: What is in a consumer's hands (a journal, a job that runs) is over after so long.
_LINGERING_SECONDS: Final = 30.0
_TYPESENSE_TIMEOUT: Final = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Report:
    """What an erasure has removed, step by step, and what is left of the person (nothing, when it is complete)."""

    removed: Mapping[str, int]
    traces: Mapping[str, int] = field(default_factory=dict)
    attempts: int = 1


class Erasure:
    """One person, one run."""

    def __init__(
        self, settings: Settings, pool: Pool, person: Person, by: str, *, patience: float = 60.0
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._person = person
        self._by = by
        self._patience = patience
        self._keys: Keys | None = None
        self._index: Index | None = None

    async def run(self, say: Say) -> Report:
        """Do it, or go on with it.

        Raises:
            ConfigurationError: the truth cannot let the person go.
            Retryable: a store, a consumer or the relay is away; what is done is done, run it again.
        """
        async with AsyncExitStack() as stack:
            await self._open(stack)
            try:
                attempts = await self._begin()
                for step, what, work in self._steps():
                    say(what)
                    await self._note(step, await work())
                say("searching every store for what is left")
                traces = await self._left()
                removed = await self._finish(traces)
            except REDIS_AWAY as error:
                raise Retryable(f"Redis is away: {error}") from error
            except TRANSIENT as error:
                raise Retryable(f"PostgreSQL is away: {error}") from error
        log.info("erased", removed=removed, traces=sum(traces.values()))
        return Report(removed, traces, attempts)

    def _steps(self) -> list[tuple[str, str, Callable[[], Awaitable[int]]]]:
        return [
            ("truth", "the person's row", lambda: self._with(truth.leave)),
            ("views", "every view follows", self._wait_for_views),
            ("analytics", "time series", self._forget_series),
            ("log", "the log's payloads", lambda: self._with(events.redact_events)),
            ("archives", "archived days", self._redact_archives),
            ("letters", "dead letters", lambda: self._with(events.redact_letters)),
            ("tables", "jobs, live state, texts", lambda: self._with(tables.forget)),
            ("streams", "streams", self._cut_streams),
            ("keys", "caches", self._forget_keys),
            ("index", "the index", self._forget_documents),
        ]

    async def _open(self, stack: AsyncExitStack) -> None:
        settings, prefix = self._settings, self._settings.stream_prefix
        if settings.redis_url is not None:
            client = await stack.enter_async_context(open_client(settings.redis_url, timeout=30.0))
            self._keys = Keys(client, prefix, self._person)
        if settings.typesense_enabled:
            store = await stack.enter_async_context(open_typesense(settings, timeout=_TYPESENSE_TIMEOUT))
            self._index = Index(store, prefix, self._person)

    async def _with(self, work: Callable[[Connection, Person], Awaitable[int]]) -> int:
        """On a connection that is not inside a transaction."""
        async with connect(self._settings.database_url, autocommit=True, name="stunity-erase") as conn:
            return await work(conn, self._person)

    async def _wait_for_views(self) -> int:
        async with self._pool.connection() as conn:
            names = [row[0] for row in await fetch_rows(conn, _SQL["views"])]
        for name in names:
            if not await Passing(self._pool, name, patience=self._patience, counted=True)():
                raise Retryable(
                    f"{name} has not followed the deletion: run `stunity consume {name}`, then this again"
                )
        return len(names)

    async def _redact_archives(self) -> int:
        """After the log, so that a day that is archived meanwhile is redacted in one or the other."""
        archive = wiring.archive(self._settings)
        if archive is None:
            return 0
        return await self._with(lambda conn, person: archives.redact(conn, archive, person))

    async def _forget_series(self) -> int:
        async with connect(self._settings.analytics_url, autocommit=True, name="stunity-erase") as conn:
            return int(await analytics.forget(conn, self._person.id))

    async def _cut_streams(self) -> int:
        return await self._keys.cut_streams(self._pool, self._patience) if self._keys else 0

    async def _forget_keys(self) -> int:
        return await self._keys.forget() if self._keys else 0

    async def _forget_documents(self) -> int:
        return await self._index.forget() if self._index else 0

    async def _left(self) -> dict[str, int]:
        """What is left when what was in somebody's hands has been put down."""
        deadline = monotonic() + _LINGERING_SECONDS
        while (found := await self._traces()) and monotonic() < deadline:
            await asyncio.sleep(1.0)
            await self._forget_keys()
        return found

    async def _traces(self) -> dict[str, int]:
        found: dict[str, int] = {}
        urls = dict.fromkeys((self._settings.database_url, self._settings.analytics_url))
        for url in urls:
            async with connect(url, autocommit=True, name="stunity-erase") as conn:
                found |= await tables.traces(conn, self._person)
        found |= await self._keys.traces() if self._keys else {}
        return found | (await self._index.traces() if self._index else {})

    async def _begin(self) -> int:
        async with self._pool.connection() as conn:
            params = {"subject": self._person.subject, "by": self._by}
            [(attempts,)] = await fetch_rows(conn, _SQL["begin"], params)
        return int(attempts)

    async def _note(self, step: str, count: int) -> None:
        async with self._pool.connection() as conn:
            await conn.execute(_SQL["note"], {"subject": self._person.subject, "step": step, "count": count})

    async def _finish(self, traces: Mapping[str, int]) -> dict[str, int]:
        async with self._pool.connection() as conn:
            params = {"subject": self._person.subject}
            if traces:
                [row] = await fetch_dicts(
                    conn, "SELECT removed FROM stunity.erasures WHERE subject = %(subject)s", params
                )
            else:
                [row] = await fetch_dicts(conn, _SQL["finish"], params)
        removed: dict[str, Any] = row["removed"]
        return {step: int(count) for step, count in removed.items()}


async def erase(settings: Settings, user: str, by: str, *, say: Say, patience: float = 60.0) -> Report:
    """Erase a person from every store of these settings; see `Erasure.run`."""
    async with open_pool(settings.database_url, max_size=4, name="stunity-erase") as pool:
        return await Erasure(settings, pool, Person(user), by, patience=patience).run(say)
