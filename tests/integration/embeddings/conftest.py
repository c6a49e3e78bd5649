"""Embeddings on PostgreSQL and the real model: a small network, the projection, the jobs, and the routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI

from consumers.embeddings import api
from consumers.embeddings.backend import Backend
from consumers.embeddings.jobs import EmbedJob, InterestJob
from consumers.embeddings.local import BUNDLED, LocalBackend
from consumers.embeddings.people import InterestQueue
from consumers.embeddings.projection import EmbeddingsProjection
from consumers.embeddings.queue import TextQueue
from consumers.embeddings.schema import Embedding, Model, Policy
from consumers.embeddings.store import EmbeddingStore
from consumers.engine.projection import Batch
from runtime.auth import issue
from runtime.http import install_error_handlers
from runtime.postgres import Pool, open_pool
from runtime.settings import Settings
from schemas.envelope import Event
from tests.support.engine import serve
from tests.support.network import Network

MODEL = Model(BUNDLED, 384)

_EVENTS = """
SELECT id, xid::text::bigint, occurred_at, topic, type, key, data, headers FROM outbox.events
 WHERE id > %s AND topic = ANY (%s) ORDER BY id
"""


class Counted:
    """The real backend, and what it was asked for."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.batch = backend.batch
        self.texts: list[str] = []

    async def embed(self, texts: Sequence[str]) -> Sequence[Embedding]:
        self.texts += texts
        return await self._backend.embed(texts)


@pytest.fixture(scope="session")
def local_model() -> Iterator[LocalBackend]:
    """The bundled model, loaded once."""
    backend = LocalBackend(MODEL)
    backend.load()
    yield backend
    backend.close()


class Pipeline:
    """The write side, driven by hand: `sync` is the runner, `work` the worker."""

    def __init__(
        self, conn: psycopg.Connection[Any], pool: Pool, backend: Backend, model: Model = MODEL
    ) -> None:
        self.conn = conn
        self.pool = pool
        self.backend = Counted(backend)
        self.projection = EmbeddingsProjection(EmbeddingStore(pool, model, Policy.inside()))
        self.stop = asyncio.Event()
        self.texts = TextQueue(pool, model)
        self.embed = EmbedJob(self.texts, self.backend, self.stop)
        self.interests = InterestJob(InterestQueue(pool, model), self.stop)
        self._seen = 0

    async def start(self) -> None:
        await self.projection.prepare()
        await self.projection.apply(Batch((), "start", 1, refill=True))

    async def sync(self, **options: Any) -> None:
        """Apply what the log holds since the last call."""
        topics = sorted(EmbeddingsProjection.topics)
        rows = self.conn.execute(_EVENTS, (self._seen, topics)).fetchall()
        events = [Event(*row) for row in rows]
        self._seen = max([self._seen, *(event.id for event in events)])
        batch = {"checkpoint": f"c{self._seen}", "generation": 1, **options}
        await self.projection.apply(Batch(events, **batch))
        serve(self.conn.info.dsn + f" password={self.conn.info.password}", "embeddings")

    async def refill(self) -> None:
        """Apply everything again, as the engine does with a view that has been dropped."""
        self._seen = 0
        await self.sync(refill=True)

    async def work(self) -> None:
        """Embed what waits and build the interests of everybody who is marked, however fresh the mark."""
        await self.embed.run()
        self.conn.execute("UPDATE embeddings.stale_interests SET due_at = now()")
        await self.interests.run()

    async def run(self) -> None:
        """From the log to vectors."""
        await self.sync()
        await self.work()

    def vectors(self, kind: str = "post") -> dict[str, bytes]:
        """Hash of the text that each vector is of, by id."""
        rows = self.conn.execute("SELECT id, content_hash FROM embeddings.vectors WHERE kind = %s", (kind,))
        return {key: bytes(digest) for key, digest in rows}

    def count(self, table: str) -> int:
        [(number,)] = self.conn.execute(f"SELECT count(*) FROM embeddings.{table}").fetchall()
        return int(number)


@pytest.fixture
def network(connection: psycopg.Connection) -> Network:
    """Two schools with a teacher and students, and somebody without a school."""
    made = Network(connection)
    made.school("north")
    made.school("south")
    made.user("teacher", "north", role="TEACHER")
    for student in ("anna", "borey", "chan"):
        made.user(student, "north")
    made.user("sophea", "south")
    made.user("master", "south", role="TEACHER", profileVisibility="PUBLIC")
    return made


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with open_pool(database, max_size=6) as opened:
        yield opened


@pytest.fixture
async def pipeline(
    connection: psycopg.Connection, pool: Pool, network: Network, local_model: LocalBackend
) -> Pipeline:
    made = Pipeline(connection, pool, local_model)
    await made.start()
    return made


class Api:
    """The routes, asked by a viewer."""

    def __init__(self, http: httpx.AsyncClient, secret: str) -> None:
        self._http = http
        self._secret = secret

    async def get(
        self, viewer: str, path: str, headers: dict[str, str] | None = None, **params: Any
    ) -> httpx.Response:
        token = issue(self._secret, user=viewer, role="STUDENT", school_id=None)
        return await self._http.get(
            path, params=params, headers={"Authorization": f"Bearer {token}", **(headers or {})}
        )

    async def ids(self, viewer: str, path: str, source: str = "pgvector", **params: Any) -> list[str]:
        """Ids of a good answer that came from `source`."""
        response = await self.get(viewer, path, **params)
        assert response.status_code == 200, response.text
        assert response.headers["stunity-source"] == source
        return [card["id"] for card in response.json()["data"]]


async def _open(settings: Settings, pool: Pool) -> AsyncIterator[Api]:
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(api.router)
    app.state.settings, app.state.pool = settings, pool
    assert settings.jwt_secret is not None
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test", timeout=30
    ) as http:
        yield Api(http, settings.jwt_secret.get_secret_value())


@pytest.fixture
def database_settings(database: str) -> Settings:
    """With only DATABASE_URL and a secret set."""
    return Settings(
        _env_file=None, database_url=database, jwt_secret="for-tests-for-tests-for-tests-for-tests"
    )


@pytest.fixture
async def http(database_settings: Settings, pool: Pool) -> AsyncIterator[Api]:
    """The routes."""
    async for opened in _open(database_settings, pool):
        yield opened


@pytest.fixture
async def bare(database_settings: Settings, pool: Pool) -> AsyncIterator[Api]:
    """The routes with semantic features switched off."""
    async for opened in _open(database_settings.model_copy(update={"embedding_backend": "none"}), pool):
        yield opened
