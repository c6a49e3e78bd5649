"""The live API over real stores: two schools, a few people, tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import psycopg
import pytest
from fastapi import Depends, FastAPI
from pydantic import SecretStr

from consumers.live.api import router
from consumers.live.revocations import TokenRevocations
from runtime.access import Scope
from runtime.auth import issue, scope
from runtime.http import install_error_handlers
from runtime.limits import RateLimits
from runtime.postgres import Pool, open_pool
from runtime.redis import Client, open_client
from runtime.settings import Settings

SECRET = "live-tests-live-tests-live-tests-live-tests"
NOWHERE = "redis://127.0.0.1:1"


@pytest.fixture
def people(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """Ada, bo and cy in s1, zoe in s2, guest in none."""
    for school in ("s1", "s2"):
        connection.execute(
            'INSERT INTO schools (id, name, slug, email, "updatedAt") VALUES (%s, %s, %s, %s, now())',
            (school, school, school, f"{school}@example.org"),
        )
    for user, home in (("ada", "s1"), ("bo", "s1"), ("cy", "s1"), ("zoe", "s2"), ("guest", None)):
        connection.execute(
            'INSERT INTO users (id, "schoolId", role, password, "firstName", "lastName", "updatedAt")'
            " VALUES (%s, %s, 'STUDENT', 'x', %s, 'T', now())",
            (user, home, user),
        )
    return connection


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with open_pool(database, max_size=4) as opened:
        yield opened


@pytest.fixture(params=["redis", "nothing", "away"])
async def client(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Client | None]:
    """Redis, none configured, or one that does not answer."""
    if request.param == "nothing":
        yield None
        return
    async with open_client(redis_url if request.param == "redis" else NOWHERE, timeout=0.2) as opened:
        yield opened


def make_app(database: str, pool: Pool, client: Client | None, **limits: int) -> FastAPI:
    app = FastAPI()
    given = Settings(_env_file=None, database_url=database, jwt_secret=SecretStr(SECRET))
    app.state.settings = given.model_copy(update=limits)
    app.state.pool = pool
    app.state.redis = client
    app.state.revocations = TokenRevocations(pool)
    install_error_handlers(app)
    app.add_middleware(RateLimits)
    app.include_router(router)

    @app.post("/posts", status_code=201)
    async def create_post() -> dict[str, bool]:
        return {"ok": True}

    @app.get("/scoped")
    async def scoped(_: Annotated[Scope, Depends(scope)]) -> dict[str, bool]:
        return {"ok": True}

    return app


@pytest.fixture
async def api(
    database: str, pool: Pool, client: Client | None, people: psycopg.Connection[Any]
) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make_app(database, pool, client))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


def signed_in(user: str, **claims: Any) -> dict[str, str]:
    """Request headers of a user; each call is another sign-in."""
    token = issue(SECRET, user=user, role="STUDENT", school_id=None, ttl=claims.pop("ttl", 900), **claims)
    return {"Authorization": f"Bearer {token}"}
