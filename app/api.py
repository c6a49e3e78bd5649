"""The HTTP API: assembled from the routers of the write services and of the views, which know nothing of each other.

What a route does is in its own area; here are the process's connections, error handlers, headers and limits. Apart
from `/healthz`, `/readyz` and `/openapi.json` nothing answers without a valid token.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import structlog
from fastapi import FastAPI
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import console, health, views
from consumers.engine.freshness import FreshnessBoard
from consumers.live.api import router as live
from consumers.live.revocations import TokenRevocations
from consumers.search import wiring as search
from producers.api import router as writes
from runtime.breaker import Breakers
from runtime.http import RequestLimits, install_error_handlers
from runtime.limits import RateLimits
from runtime.openapi import Api
from runtime.postgres import open_pool
from runtime.redis import open_client
from runtime.settings import Settings

log = structlog.get_logger(__name__)

#: Reads share these with writes; a request holds one only while it talks to PostgreSQL.
POOL_SIZE: Final = 16
REDIS_TIMEOUT: Final = 1.0

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)

_CORS_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_CORS_REQUEST: Final = (
    *("Authorization", "Content-Type", "If-None-Match", "Last-Event-ID"),
    *("Stunity-After", "Stunity-Wait-Ms", "traceparent"),
)
_CORS_RESPONSE: Final = (
    *("ETag", "Retry-After", "X-Cache"),
    *("Stunity-Applied", "Stunity-Lag-Ms", "Stunity-Position", "Stunity-Source"),
)


def create_app(settings: Settings) -> FastAPI:
    """The application of one process."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await _open_connections(app, settings, stack)
            yield

    app = Api(
        title="Stunity event pipeline",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    install_error_handlers(app)
    app.add_middleware(RequestLimits)
    app.add_middleware(RateLimits)
    app.add_middleware(SecurityHeaders)
    _allow_pages(app, settings.cors_origins)
    # Reads first: they are most of the traffic, and a request is compared with one route after another.
    for router in (*views.routers(), live, writes, health.router, console.router):
        app.include_router(router)
    return app


def _allow_pages(app: FastAPI, origins: str) -> None:
    """Let pages of other origins call us (CORS). Tokens come in a header that a page sets itself: no cookies."""
    if allowed := [origin.strip() for origin in origins.split(",") if origin.strip()]:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=allowed,
            allow_methods=_CORS_METHODS,
            allow_headers=_CORS_REQUEST,
            expose_headers=_CORS_RESPONSE,
        )


async def _open_connections(app: FastAPI, settings: Settings, stack: AsyncExitStack) -> None:
    """Everything opens lazily: the API starts, and answers what it can, while stores are away."""
    state = app.state
    state.pool = await stack.enter_async_context(
        open_pool(settings.database_url, max_size=POOL_SIZE, name="stunity-api")
    )
    state.redis = None
    if settings.redis_url:
        state.redis = await stack.enter_async_context(
            open_client(settings.redis_url, timeout=REDIS_TIMEOUT, name="stunity-api")
        )
        state.redis.set_retry(Retry(NoBackoff(), 0))  # a read that fails is answered from PostgreSQL at once
    if settings.analytics_database_url:
        state.analytics_pool = await stack.enter_async_context(
            open_pool(settings.analytics_database_url, max_size=4, name="stunity-api-analytics")
        )
    state.search = await stack.enter_async_context(search.view(settings))
    state.search_keys = await stack.enter_async_context(search.client_keys(settings))
    state.freshness = FreshnessBoard(state.pool)
    state.breakers = Breakers()
    state.revocations = TokenRevocations(state.pool)


class SecurityHeaders:
    """ASGI middleware: headers that every answer has, unless the route has set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the head of the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                there = {name.lower() for name, _ in headers}
                message["headers"] = headers + [pair for pair in _HEADERS if pair[0] not in there]
            await send(message)

        await self.app(scope, receive, with_headers)
