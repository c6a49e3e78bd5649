"""Builds search's two sides from settings. Called by `app/wiring.py` only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Final

from consumers.search.projection import SearchProjection
from consumers.search.rebuild import SearchShadows
from consumers.search.searches import open_searches
from consumers.search.store import open_typesense
from consumers.search.view import SearchView
from runtime.errors import ConfigurationError
from runtime.postgres import Pool
from runtime.settings import Settings

if TYPE_CHECKING:
    from consumers.search.keys import ClientKeys

#: An import of a thousand documents may wait behind others; Typesense answers 503 when it can't keep up.
WRITE_TIMEOUT: Final = 30.0
READ_TIMEOUT: Final = 1.0


@asynccontextmanager
async def projection(settings: Settings, pool: Pool) -> AsyncIterator[SearchProjection]:
    """The write side; `pool` is the truth that documents are read from.

    Raises:
        ConfigurationError: Typesense is not configured.
    """
    if not settings.typesense_enabled:
        raise ConfigurationError(
            "search needs TYPESENSE_HOST and TYPESENSE_API_KEY; reads use PostgreSQL until then"
        )
    async with open_typesense(settings, timeout=WRITE_TIMEOUT) as store:
        with closing(SearchProjection(store, pool, settings.stream_prefix)) as opened:
            yield opened


@asynccontextmanager
async def shadows(settings: Settings, pool: Pool) -> AsyncIterator[SearchShadows]:
    """What a rebuild asks of this view.

    Raises:
        ConfigurationError: Typesense is not configured.
    """
    if not settings.typesense_enabled:
        raise ConfigurationError("search needs TYPESENSE_HOST and TYPESENSE_API_KEY")
    async with open_typesense(settings, timeout=WRITE_TIMEOUT) as store:
        yield SearchShadows(store, pool, settings.stream_prefix)


@asynccontextmanager
async def view(settings: Settings) -> AsyncIterator[SearchView | None]:
    """The read side, which the API keeps as `app.state.search`; None when Typesense is not configured."""
    if not settings.typesense_enabled:
        yield None
        return
    async with open_searches(settings, timeout=READ_TIMEOUT) as searches:
        yield SearchView(searches, settings.stream_prefix)


@asynccontextmanager
async def client_keys(settings: Settings) -> AsyncIterator[ClientKeys | None]:
    """What makes scoped keys, which the API keeps as `app.state.search_keys`; None unless they are switched on."""
    if not (settings.typesense_enabled and settings.search_client_keys):
        yield None
        return
    from consumers.search.keys import open_keys  # most have no use for the client library

    async with open_keys(settings, timeout=READ_TIMEOUT) as keys:
        yield keys
