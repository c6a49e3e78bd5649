"""A write needs PostgreSQL and nothing else: Redis and Typesense may hang, which is worse than being away."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from app.api import create_app
from app.stack.typesense import Typesense
from app.stack.valkey import Valkey
from runtime.settings import Settings
from tests.integration.producers.conftest import SECRET, School
from tests.support.servers import Running, typesense_settings_of


@pytest.fixture
async def school(
    module_database: str,
    people: psycopg.Connection[Any],
    own_valkey: Callable[[], Running[Valkey]],
    own_typesense: Callable[[], Running[Typesense]],
) -> AsyncIterator[School]:
    """The whole API, with servers that accept and never answer."""
    valkey, typesense = own_valkey(), own_typesense()
    reached = typesense_settings_of(typesense.server)
    settings = Settings(
        _env_file=None,
        database_url=module_database,
        redis_url=valkey.server.url(),
        typesense_host=reached.host,
        typesense_port=reached.port,
        typesense_api_key=SecretStr(reached.api_key),
        jwt_secret=SecretStr(SECRET),
    )
    for server in (valkey, typesense):
        assert server.pid is not None
        os.kill(server.pid, signal.SIGSTOP)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            yield School(client, people)


async def test_no_write_waits_for_them(school: School) -> None:
    """Who counts posts is asked in vain a few times; then its circuit is open."""
    started = monotonic()
    posts = [await school.post("dara") for _ in range(15)]
    writes = [
        ("dara", "PATCH", f"/posts/{posts[0]}", {"content": "changed"}),
        ("bopha", "PUT", f"/posts/{posts[0]}/like", None),
        ("bopha", "POST", f"/posts/{posts[0]}/comments", {"content": "why?"}),
        ("bopha", "PUT", "/users/dara/follow", None),
        ("bopha", "POST", "/users/heartbeat", None),
        ("dara", "DELETE", f"/posts/{posts[1]}", None),
        ("bopha", "POST", "/auth/logout", None),
    ]
    for who, method, path, body in writes:
        answer = await school.call(who, method, path, body)
        assert answer.is_success, f"{method} {path}: {answer.text}"
    assert monotonic() - started < 10  # a second for each, if each waited for an answer: 22
