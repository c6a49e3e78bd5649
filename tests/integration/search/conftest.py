"""Search on real stores: a network in PostgreSQL, its index in Typesense, and clients that ask over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI

from app.stack.postgres import Postgres
from consumers.engine.projection import Batch, Rejection
from consumers.search import api, narrowing, wiring
from consumers.search.projection import SearchProjection
from consumers.search.schema import KINDS
from consumers.search.store import Typesense, open_typesense
from runtime.auth import issue
from runtime.http import install_error_handlers
from runtime.postgres import Pool, open_pool
from runtime.settings import Settings
from schemas.envelope import Event
from tests.support.engine import serve
from tests.support.network import Network
from tests.support.servers import Running, fresh_database

_TOPICS = {"posts": "post", "users": "user", "study_clubs": "club", "courses": "course"}


@pytest.fixture(scope="module")
def shared_database(postgres_server: Running[Postgres], _template_database: str) -> Iterator[str]:
    """One database for the tests of a file: making one takes longer than most of them."""
    with fresh_database(postgres_server.server, _template_database) as url:
        yield url


@pytest.fixture
def database(shared_database: str) -> str:
    """The file's database without anybody in it."""
    with psycopg.connect(shared_database, autocommit=True) as conn:
        for table in ("courses", "study_clubs", "users", "schools", "engine.checkpoints"):
            conn.execute(f"DELETE FROM {table}")
    return shared_database


@pytest.fixture
def network(connection: psycopg.Connection) -> Network:
    """Two schools with a teacher, students and a stranger without a school."""
    made = Network(connection)
    made.school("north")
    made.school("south")
    made.user("teacher", "north", role="TEACHER", firstName="ចិន្តា", lastName="សុខ", englishFirstName="Chenda")
    for key in ("anna", "borey"):
        made.user(key, "north")
    made.user("sophea", "south")
    made.user("guest", None)
    return made


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    """The truth."""
    async with open_pool(settings.database_url) as opened:
        yield opened


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Typesense]:
    """Typesense as the write side sees it."""
    async with open_typesense(settings, timeout=10) as opened:
        yield opened


class Index:
    """The write side, told which rows to read again."""

    def __init__(
        self, projection: SearchProjection, conn: psycopg.Connection[Any], settings: Settings
    ) -> None:
        self.projection = projection
        self._conn = conn
        self._settings = settings
        self.generation = 1

    async def apply(self, *events: Event, **batch: Any) -> list[Rejection]:
        """Apply these events as one batch."""
        options = {"checkpoint": "c1", "generation": self.generation, **batch}
        rejections = await self.projection.apply(Batch(events, **options))
        serve(self._settings.database_url, "search")
        return list(rejections)

    async def fill(self) -> None:
        """Index everything that the truth has."""
        await self.projection.prepare()
        events = [
            event(f"{topic}.created", row[0])
            for table, topic in _TOPICS.items()
            for row in self._conn.execute(f"SELECT id FROM {table}")
        ]
        await self.apply(*events, refill=True)


def event(kind: str, key: str) -> Event:
    """An event of the log that names a key; the search projection looks at nothing else."""
    topic = {"club_member": "club", "enrollment": "course"}.get(kind.split(".")[0], kind.split(".")[0])
    return Event(1, 3, datetime.now(UTC), topic, f"{kind}.v1", key, {})


@pytest.fixture
async def index(
    settings: Settings, pool: Pool, connection: psycopg.Connection, network: Network
) -> AsyncIterator[Index]:
    """The write side on empty, prepared collections."""
    async with wiring.projection(settings, pool) as projection:
        await projection.prepare()
        yield Index(projection, connection, settings)


class Api:
    """Clients of the search routes, each with a viewer's token."""

    def __init__(self, http: httpx.AsyncClient, settings: Settings) -> None:
        self._http = http
        assert settings.jwt_secret is not None
        self._secret = settings.jwt_secret.get_secret_value()

    async def get(self, viewer: str, path: str, /, **params: Any) -> httpx.Response:
        """A GET as this user."""
        token = issue(self._secret, user=viewer, role="STUDENT", school_id=None)
        return await self._http.get(path, params=params or None, headers={"Authorization": f"Bearer {token}"})

    async def anonymous(self, path: str) -> httpx.Response:
        """A GET without a token."""
        return await self._http.get(path)

    async def posts(self, viewer: str, search: str, **params: Any) -> list[str]:
        """Ids of the posts that a search finds."""
        return ids((await self.get(viewer, "/posts", search=search, **params)).json()["data"])

    async def search(self, viewer: str, q: str, **params: Any) -> dict[str, list[str]]:
        """Ids by kind."""
        answer = (await self.get(viewer, "/search", q=q, **params)).json()["data"]
        return {kind: ids(cards) for kind, cards in answer.items()}


def ids(cards: Iterable[dict[str, Any]]) -> list[str]:
    """The ids of cards, in order."""
    return [card["id"] for card in cards]


async def open_api(settings: Settings, pool: Pool, view: Any) -> AsyncIterator[Api]:
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(api.router)
    app.state.settings, app.state.pool, app.state.search = settings, pool, view
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=30) as http:
        yield Api(http, settings)


@pytest.fixture(params=["filtered", "wide"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches as of a small collection, and as of a large one."""
    if request.param == "wide":
        monkeypatch.setattr(narrowing, "LARGE", 0)


@pytest.fixture
async def http(settings: Settings, pool: Pool) -> AsyncIterator[Api]:
    """The routes with Typesense behind them."""
    async with wiring.view(settings) as view:
        async for opened in open_api(settings, pool, view):
            yield opened


@pytest.fixture
async def bare(settings: Settings, pool: Pool) -> AsyncIterator[Api]:
    """The routes with PostgreSQL alone, as with only DATABASE_URL set."""
    async for opened in open_api(settings, pool, None):
        yield opened


async def everything(store: Typesense, settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """All documents by kind."""
    return {kind: await store.everything(f"{settings.stream_prefix}_{kind}") or [] for kind in KINDS}
