"""The API application: what answers without a token, how it starts and degrades, what operators see."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.api import create_app
from runtime import auth
from runtime.settings import Settings
from tests.integration.engine.conftest import PERSON
from tests.support.streams import StepRelay, emit

SECRET = "only-for-tests-only-for-tests-only-for-tests"
OPERATOR = "only-for-operators-of-these-tests"
AS_OPERATOR = {"Authorization": f"Bearer {OPERATOR}"}


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application on real stores."""
    made = create_app(settings.model_copy(update={"operator_token": SecretStr(OPERATOR)}))
    async with made.router.lifespan_context(made):
        yield made


def client_of(app: FastAPI) -> httpx.AsyncClient:
    """A client of the application."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def test_nothing_answers_without_a_token(app: FastAPI) -> None:
    open_to_all = {"/healthz", "/readyz"}
    async with client_of(app) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert "/feed" in paths
        assert "/search" in paths
        for path, methods in paths.items():
            for method in methods:
                answer = await client.request(method.upper(), path.replace("{", "").replace("}", ""))
                expected = 200 if path in open_to_all else 401
                assert answer.status_code == expected, f"{method} {path}"
        for path in ("/metrics", "/console"):
            assert (await client.get(path)).status_code == 401
        for path in ("/docs", "/redoc", "/nowhere"):
            assert (await client.get(path)).status_code == 404


async def test_every_answer_has_the_security_headers(app: FastAPI) -> None:
    async with client_of(app) as client:
        for path in ("/healthz", "/nowhere", "/feed"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert "content-security-policy" in headers


async def test_ready_and_what_is_missing(app: FastAPI, relay: StepRelay) -> None:
    async with client_of(app) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert body["dependencies"] == {"postgres": "up", "redis": "up", "typesense": "up"}
    assert body["status"] == "degraded"  # no consumer runs
    assert body["consumers"]["search"]["state"] == "absent"


async def test_without_stores_it_starts_and_says_so() -> None:
    nowhere = "127.0.0.1:9"
    settings = Settings(
        _env_file=None,
        database_url=f"postgresql://nobody@{nowhere}/none",
        redis_url=f"redis://{nowhere}/0",
        jwt_secret=SecretStr(SECRET),
        operator_token=SecretStr(OPERATOR),
    )
    made = create_app(settings)
    async with made.router.lifespan_context(made), client_of(made) as client:
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["dependencies"] == {"postgres": "down", "redis": "down", "typesense": "off"}
        assert (await client.get("/healthz")).status_code == 200
        assert "views" in (await client.get("/console", headers=AS_OPERATOR)).text.lower()


@pytest.mark.parametrize(
    ("auth", "status"),
    [(None, 401), (("any", "wrong"), 401), (("any", ""), 401), (("any", OPERATOR), 200)],
)
async def test_operators_have_a_password(app: FastAPI, auth: tuple[str, str] | None, status: int) -> None:
    async with client_of(app) as client:
        for path in ("/metrics", "/console"):
            answer = await client.get(path, auth=auth or httpx.USE_CLIENT_DEFAULT)
            assert answer.status_code == status
            assert answer.headers.get("www-authenticate", "").startswith("Basic") is (status == 401)


async def test_roles_at_the_console(app: FastAPI, settings: Settings, connection: psycopg.Connection) -> None:
    connection.execute(PERSON, ("u1", "u1@example.test"))
    connection.execute(PERSON, ("u2", "u2@example.test"))
    connection.execute("UPDATE users SET role = 'SUPER_ADMIN' WHERE id = 'u2'")
    assert settings.jwt_secret
    secret = settings.jwt_secret.get_secret_value()
    async with client_of(app) as client:
        for user, status in (("u1", 403), ("u2", 200)):
            token = auth.issue(secret, user=user, role="SUPER_ADMIN", school_id=None)
            answer = await client.get("/console", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == status


async def test_console_and_metrics_show_what_there_is(
    app: FastAPI, relay: StepRelay, connection: psycopg.Connection
) -> None:
    emit(connection, "<script>alert(1)</script>")
    connection.execute(
        """INSERT INTO engine.checkpoints (consumer, state, topics, incarnation, epoch, snapshot, checkpoint)
           VALUES ('search', 'live', '{post}', 'x', 1, '3:3:', '{}')"""
    )
    connection.execute(
        """INSERT INTO engine.dead_letters
               (consumer, state, waits, event_id, xid, occurred_at, topic, type, key, data, headers, reason)
           VALUES ('search', 'dead', false, 1, '7', now(), 'post', 'post.created.v1', 'k', '{}', '{}', '<b>no</b>')"""
    )
    async with client_of(app) as client:
        page = await client.get("/console", headers=AS_OPERATOR)
        metrics = await client.get("/metrics", headers=AS_OPERATOR)
    assert page.status_code == 200
    assert "<b>no</b>" not in page.text
    assert "&lt;b&gt;no" in page.text
    assert 'stunity_consumer_open_dead_letters{consumer="search"} 1.0' in metrics.text
    assert 'stunity_consumer_live{consumer="search"} 1.0' in metrics.text


async def test_large_and_malformed_bodies(app: FastAPI) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 65536

    async with client_of(app) as client:
        assert (await client.post("/posts", content=b"x" * 1_000_000)).status_code == 413
        assert (await client.post("/posts", content=chunks())).status_code in (400, 401, 413)
        assert (await client.post("/posts", content=b"{")).status_code in (400, 401)


async def test_pages_of_named_origins_alone_may_read_answers(settings: Settings) -> None:
    asked = {"Origin": "https://app.stunity.example", "Access-Control-Request-Method": "GET"}
    for origins, allowed in (("", None), ("https://app.stunity.example, https://b.example", asked["Origin"])):
        app = create_app(settings.model_copy(update={"cors_origins": origins}))
        async with app.router.lifespan_context(app), client_of(app) as client:
            preflight = await client.options("/feed", headers=asked)
            assert preflight.headers.get("access-control-allow-origin") == allowed
            answer = await client.get("/feed", headers={"Origin": asked["Origin"]})
            assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == (401, allowed)
            other = await client.get("/healthz", headers={"Origin": "https://elsewhere.example"})
            assert "access-control-allow-origin" not in other.headers
            assert "access-control-allow-credentials" not in answer.headers


async def test_a_query_that_nobody_types_is_refused(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.get("/search", params={"q": "a" * 20_000})
    assert answer.status_code == 414
    assert answer.headers["content-type"] == "application/problem+json"


async def test_405_names_every_method_of_the_path(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.patch("/users/x/follow")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, PUT")
