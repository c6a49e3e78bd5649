"""Reads say who answered and how old that is, wait for positions, and fall back (I13, I15)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

import httpx
import psycopg
import pytest
from fastapi import Depends, FastAPI
from pydantic import SecretStr

from consumers.engine import reads
from consumers.engine.reads import Reader
from runtime import auth
from runtime.errors import Retryable
from runtime.http import Problem, install_error_handlers
from runtime.postgres import Connection, Pool
from runtime.settings import Settings
from tests.integration.engine.conftest import PERSON, Look
from tests.support.engine import serve
from tests.support.ledger import LedgerProjection
from tests.support.streams import StepRelay, emit
from tests.support.wait import until

SECRET = "only-for-tests-only-for-tests-only-for-tests"
Client = httpx.AsyncClient


class Behaviour:
    """What the view of the test's route does."""

    def __init__(self) -> None:
        self.view: Callable[[], Awaitable[str]] | None = self.answer
        self.calls = 0

    async def answer(self) -> str:
        """A view that is well."""
        self.calls += 1
        return "view"

    async def fail(self) -> str:
        """A store that is away."""
        self.calls += 1
        raise Retryable("away")


@pytest.fixture
def behaviour() -> Behaviour:
    """Changed by tests."""
    return Behaviour()


@pytest.fixture
async def http(
    pool: Pool, database: str, connection: psycopg.Connection, behaviour: Behaviour
) -> AsyncIterator[Client]:
    """A client with a token, of an application with one read."""
    connection.execute(PERSON, ("u1", "u1@example.test"))
    app = FastAPI()
    install_error_handlers(app)
    app.state.settings = Settings(_env_file=None, database_url=database, jwt_secret=SecretStr(SECRET))
    app.state.pool = pool

    @app.get("/thing")
    async def thing(
        reader: Annotated[Reader, Depends(reads.reader("ledger", "redis", timeout=0.2))],
    ) -> dict[str, Any]:
        async def fallback(conn: Connection) -> str:
            await conn.execute("SELECT 1")
            return "truth"

        return {
            "from": await reader.answer(behaviour.view, fallback),
            "viewer": (reader.scope).viewer.id,
        }

    token = auth.issue(SECRET, user="u1", role="STUDENT", school_id=None)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers={"Authorization": f"Bearer {token}"}
    ) as client:
        yield client


async def test_a_view_that_was_never_filled_does_not_answer(http: Client) -> None:
    answer = await http.get("/thing")
    assert answer.json() == {"from": "truth", "viewer": "u1"}
    assert answer.headers["stunity-source"] == "postgres"
    assert answer.headers["stunity-lag-ms"] == "0"


async def test_a_view_that_is_being_filled_does_not_answer(
    http: Client, database: str, connection: psycopg.Connection
) -> None:
    serve(database, "ledger")
    connection.execute("UPDATE engine.checkpoints SET state = 'filling'")
    assert (await http.get("/thing")).headers["stunity-source"] == "postgres"


async def test_a_live_view_answers_and_says_how_old_it_is(
    http: Client, database: str, connection: psycopg.Connection
) -> None:
    serve(database, "ledger")
    answer = await http.get("/thing")
    assert answer.json()["from"] == "view"
    assert answer.headers["stunity-source"] == "redis"
    assert answer.headers["stunity-lag-ms"] == "0"
    assert "stunity-applied" not in answer.headers
    emit(connection, "a")

    async def lag() -> int:
        return int((await http.get("/thing")).headers["stunity-lag-ms"])

    await until(lambda: lag())


async def test_without_a_view_postgres_answers(http: Client, behaviour: Behaviour, database: str) -> None:
    serve(database, "ledger")
    behaviour.view = None
    answer = await http.get("/thing", headers={"Stunity-After": "1.1000"})
    assert answer.headers["stunity-source"] == "postgres"
    assert answer.headers["stunity-applied"] == "true"


async def test_outages_open_the_circuit(http: Client, behaviour: Behaviour, database: str) -> None:
    serve(database, "ledger")
    behaviour.view = behaviour.fail
    for _ in range(6):
        answer = await http.get("/thing")
        assert answer.json()["from"] == "truth"
    assert behaviour.calls == 3


async def test_a_slow_view_is_not_waited_for(http: Client, behaviour: Behaviour, database: str) -> None:
    serve(database, "ledger")

    async def forever() -> str:
        behaviour.calls += 1
        await asyncio.Event().wait()
        return "never"

    behaviour.view = forever
    for _ in range(6):
        assert (await http.get("/thing")).headers["stunity-source"] == "postgres"
    assert behaviour.calls == 3, "then the circuit is open"


async def test_a_bug_in_a_view_falls_back_and_leaves_the_circuit_closed(
    http: Client, behaviour: Behaviour, database: str
) -> None:
    serve(database, "ledger")

    async def bug() -> str:
        behaviour.calls += 1
        raise KeyError("oops")

    behaviour.view = bug
    for _ in range(6):
        assert (await http.get("/thing")).headers["stunity-source"] == "postgres"
    assert behaviour.calls == 6


async def test_a_problem_is_an_answer(http: Client, behaviour: Behaviour, database: str) -> None:
    serve(database, "ledger")

    async def not_found() -> str:
        raise Problem(404)

    behaviour.view = not_found
    assert (await http.get("/thing")).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Stunity-After": "nonsense"},
        {"Stunity-After": "1.0"},
        {"Stunity-After": "1." + "9" * 20},
        {"Stunity-After": "-1.5"},
        {"Stunity-Wait-Ms": "soon"},
        {"Stunity-Wait-Ms": "-1"},
        {"Stunity-Wait-Ms": "10000000"},
    ],
)
async def test_bad_freshness_headers(http: Client, headers: dict[str, str]) -> None:
    answer = await http.get("/thing", headers=headers)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_position_from_the_future_is_not_waited_for_beyond_the_limit(
    http: Client, database: str
) -> None:
    serve(database, "ledger")
    headers = {"Stunity-After": "99.4294967295", "Stunity-Wait-Ms": "100"}
    assert (await http.get("/thing", headers=headers)).headers["stunity-applied"] == "false"


async def test_a_write_without_events_counts_as_applied_at_once(
    http: Client, database: str, connection: psycopg.Connection
) -> None:
    serve(database, "ledger")
    with connection.transaction():
        position = connection.execute("SELECT outbox.position()").fetchone()
    assert position
    headers = {"Stunity-After": position[0], "Stunity-Wait-Ms": "5000"}
    async with asyncio.timeout(2):
        answer = await http.get("/thing", headers=headers)
    assert answer.headers["stunity-applied"] == "true"


async def test_read_your_writes(
    http: Client, following: LedgerProjection, relay: StepRelay, connection: psycopg.Connection, look: Look
) -> None:
    with connection.transaction():
        event = emit(connection, "a")
        position = connection.execute("SELECT outbox.position()").fetchone()
    assert position
    headers = {"Stunity-After": position[0], "Stunity-Wait-Ms": "50"}
    assert (await http.get("/thing", headers=headers)).headers["stunity-applied"] == "false"
    waiting = asyncio.create_task(http.get("/thing", headers=headers | {"Stunity-Wait-Ms": "5000"}))
    await asyncio.sleep(0)
    relay.publish()
    answer = await waiting
    assert answer.headers["stunity-applied"] == "true"
    assert look.has(event)()


async def test_the_last_position_stands_for_the_writes_before_it(
    http: Client, following: LedgerProjection, relay: StepRelay, connection: psycopg.Connection, look: Look
) -> None:
    """A client keeps one position; its last write may have made no event for this view."""
    event = emit(connection, "a")
    [(position,)] = connection.execute("SELECT outbox.position()").fetchall()
    headers = {"Stunity-After": position, "Stunity-Wait-Ms": "50"}
    assert (await http.get("/thing", headers=headers)).headers["stunity-applied"] == "false"
    waiting = asyncio.create_task(http.get("/thing", headers=headers | {"Stunity-Wait-Ms": "5000"}))
    relay.publish()
    assert (await waiting).headers["stunity-applied"] == "true"
    assert look.has(event)()


async def test_a_write_whose_event_was_set_aside_is_answered_at_once(
    http: Client, following: LedgerProjection, relay: StepRelay, connection: psycopg.Connection, look: Look
) -> None:
    with connection.transaction():
        emit(connection, "a", poison=True)
        position = connection.execute("SELECT outbox.position()").fetchone()
    assert position
    relay.publish(marker=False)
    await until(lambda: look.letters() == [("a", "dead")])
    headers = {"Stunity-After": position[0], "Stunity-Wait-Ms": "5000"}
    async with asyncio.timeout(2):
        answer = await http.get("/thing", headers=headers)
    assert answer.headers["stunity-applied"] == "false"


async def test_no_token_no_answer(http: Client) -> None:
    answer = await http.get("/thing", headers={"Authorization": ""})
    assert answer.status_code == 401
