"""Answering a read: from the view when it can, from PostgreSQL when it cannot, and saying which and how old.

A router asks for `Depends(reader("search", "typesense"))` and returns `await reader.answer(view, fallback)`:
`view` asks the store, `fallback` gets a PostgreSQL connection and gives the same ids or numbers. Who may see what
is `runtime/access.py` (both apply it); the age of a view is `freshness.py`; the runner fills the view.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import structlog
from fastapi import Depends, Request, Response

from consumers.engine.freshness import FreshnessBoard
from consumers.engine.positions import Position
from runtime import telemetry
from runtime.access import Scope
from runtime.auth import scope as current_scope
from runtime.breaker import Breakers
from runtime.errors import Retryable
from runtime.http import Problem
from runtime.postgres import TRANSIENT, Connection, Pool

T = TypeVar("T")
View = Callable[[], Awaitable[T]]
Fallback = Callable[[Connection], Awaitable[T]]

DEFAULT_WAIT_MS: Final = 1000
MAX_WAIT_MS: Final = 5000
FALLBACK_TIMEOUT_MS: Final = 5000

log = structlog.get_logger(__name__)


class Unanswered(Exception):
    """The view is well and cannot answer this one (it has nothing on it yet): PostgreSQL does, without a warning."""


class Reader:
    """One read request: its viewer with what they may see, and where the answer comes from.

    FastAPI copies the headers to what a route returns, unless it returns a `Response` of its own: such a route
    passes `headers=reader.headers` (plus its own) itself.
    """

    def __init__(
        self,
        scope: Scope,
        pool: Pool,
        request: Request,
        response: Response,
        consumer: str,
        source: str,
        timeout: float,
    ) -> None:
        self.scope = scope
        self.viewer = scope.viewer
        self.pool = pool
        self._after, self._wait_ms = _wanted_position(request)
        self._response = response
        self._consumer = consumer
        self._source = source
        self._timeout = timeout
        self._board = freshness_board(request)
        self._breakers = breakers(request)

    @property
    def headers(self) -> dict[str, str]:
        """The headers said so far, for routes that build their own response."""
        return dict(self._response.headers)

    @property
    def waits(self) -> bool:
        """Whether the request names a write that the answer must show: nothing kept from before will do."""
        return self._after is not None

    async def answer(self, view: View[T] | None, fallback: Fallback[T]) -> T:
        """The view's answer, or PostgreSQL's when the view is missing, being filled, down or slow.

        Args:
            view: asks the store; None when it is not configured. A `Problem` that it raises is the answer,
                `Unanswered` hands over to the fallback.
            fallback: asks PostgreSQL, in a transaction with a statement timeout.

        Raises:
            Retryable: PostgreSQL itself is away.
        """
        if view is not None:
            state = await self._board.state(self._consumer)
            if state.live:
                applied = await self._wait()
                try:
                    result = await self._breakers.call(self._source, view, self._timeout)
                except Problem:
                    raise
                except Unanswered as reason:
                    log.debug("view_has_no_answer", consumer=self._consumer, reason=str(reason))
                except Retryable as error:
                    telemetry.READ_FALLBACKS.labels(self._consumer, "away").inc()
                    log.warning(
                        "view_unavailable", consumer=self._consumer, source=self._source, error=str(error)
                    )
                except Exception:
                    telemetry.READ_FALLBACKS.labels(self._consumer, "bug").inc()
                    log.exception("view_failed", consumer=self._consumer, source=self._source)
                else:
                    self._say(self._source, (await self._board.state(self._consumer)).lag_ms, applied)
                    return result
        return await self._from_postgres(fallback)

    async def _wait(self) -> bool:
        if self._after is None:
            return True
        return await self._board.wait_for(self._consumer, self._after, self._wait_ms / 1000)

    async def _from_postgres(self, fallback: Fallback[T]) -> T:
        try:
            async with self.pool.connection() as conn, conn.transaction():
                await conn.execute(
                    "SELECT set_config('statement_timeout', %s, true)", (str(FALLBACK_TIMEOUT_MS),)
                )
                result = await fallback(conn)
        except TRANSIENT as error:
            raise Retryable(f"PostgreSQL is away or too slow: {error}") from error
        self._say("postgres", 0, applied=True)
        return result

    def _say(self, source: str, lag_ms: int, applied: bool) -> None:
        telemetry.READS.labels(self._consumer, source).inc()
        self._response.headers["Stunity-Source"] = source
        self._response.headers["Stunity-Lag-Ms"] = str(lag_ms)
        if self._after is not None:
            self._response.headers["Stunity-Applied"] = "true" if applied else "false"


def reader(consumer: str, source: str, *, timeout: float = 1.0) -> Callable[..., Awaitable[Reader]]:
    """The FastAPI dependency that makes the `Reader` of a consumer's view.

    Args:
        consumer: the consumer that fills the view (`search`, `embeddings`, `feeds`, `analytics`).
        source: the store's name in `Stunity-Source`: typesense, redis, pgvector or timescale.
        timeout: seconds that the view may take before PostgreSQL answers instead.
    """

    async def dependency(
        request: Request, response: Response, scope: Annotated[Scope, Depends(current_scope)]
    ) -> Reader:
        return Reader(scope, request.app.state.pool, request, response, consumer, source, timeout)

    return dependency


def freshness_board(request: Request) -> FreshnessBoard:
    """The board of this process, made at its first use."""
    state = request.app.state
    if not hasattr(state, "freshness"):
        state.freshness = FreshnessBoard(state.pool)
    board: FreshnessBoard = state.freshness
    return board


def breakers(request: Request) -> Breakers:
    """The circuit breakers of this process, made at their first use."""
    state = request.app.state
    if not hasattr(state, "breakers"):
        state.breakers = Breakers()
    made: Breakers = state.breakers
    return made


def _wanted_position(request: Request) -> tuple[Position | None, int]:
    """What `Stunity-After` and `Stunity-Wait-Ms` ask for.

    Raises:
        Problem: 400 when one of them cannot be read.
    """
    wait = request.headers.get("stunity-wait-ms", str(DEFAULT_WAIT_MS))
    if not (wait.isascii() and wait.isdigit() and len(wait) <= 6):
        raise Problem(400, detail=f"Stunity-Wait-Ms must be a number of milliseconds, at most {MAX_WAIT_MS}.")
    after = request.headers.get("stunity-after")
    try:
        position = Position.parse(after) if after else None
    except ValueError as error:
        raise Problem(400, detail="Stunity-After must be a position: <epoch>.<xid8>.") from error
    return position, min(int(wait), MAX_WAIT_MS)
