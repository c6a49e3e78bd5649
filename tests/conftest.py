"""Fixtures of all tests: real servers once per run, a fresh database, an empty Redis, an empty Typesense per test.

A server that can't be started fails the tests that need it; nothing is skipped.
Servers of one's own, to stop and kill, come from `own_postgres`, `own_valkey` and `own_typesense`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest
import redis
from pydantic import SecretStr
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from app import wiring
from app.stack.postgres import Postgres
from app.stack.typesense import Typesense
from app.stack.valkey import Valkey
from runtime.settings import Settings
from tests.support.servers import (
    Running,
    TypesenseSettings,
    empty_typesense,
    fresh_database,
    make_postgres,
    make_typesense,
    make_valkey,
    running,
    typesense_settings_of,
)

JWT_SECRET = "only-for-tests-only-for-tests-only-for-tests"
_TEMPLATE = "stunity_template"


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # the library has no types
    """With several workers (`make test`) a file stays with one of them, and all that share the running stack too."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "the running stack" if file.startswith("tests/acceptance/test_") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Tell pytest-xdist how tests are spread."""
    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> None:
    """A developer's own environment must not reach the tests."""
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)
    os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Running[Postgres]]:
    """PostgreSQL with wal_level=logical; `.server.url(database)` is its address."""
    with running(make_postgres) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Running[Valkey]]:
    """Valkey; `.server.url()` is its address."""
    with running(make_valkey) as server:
        yield server


@pytest.fixture(scope="session")
def typesense_server() -> Iterator[Running[Typesense]]:
    """Typesense; `.server.url()` is its address, `.server.api_key` its key."""
    with running(make_typesense) as server:
        yield server


@pytest.fixture(scope="session")
def _template_database(postgres_server: Running[Postgres]) -> str:
    """Migrated once; each test copies it."""
    server = postgres_server.server
    server.create_database(_TEMPLATE)
    wiring.migrate(server.url(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def empty_database(postgres_server: Running[Postgres]) -> Iterator[str]:
    """URL of a database with nothing in it."""
    with fresh_database(postgres_server.server) as url:
        yield url


@pytest.fixture
def database(postgres_server: Running[Postgres], _template_database: str) -> Iterator[str]:
    """URL of a migrated database of this test's own."""
    with fresh_database(postgres_server.server, _template_database) as url:
        yield url


@pytest.fixture
def redis_url(valkey_server: Running[Valkey]) -> str:
    """URL of an empty Valkey."""
    url = valkey_server.server.url()
    with redis.Redis.from_url(url) as client:
        client.flushall()
        client.script_flush()
    return url


@pytest.fixture
def typesense_settings(typesense_server: Running[Typesense]) -> TypesenseSettings:
    """How to reach an empty Typesense."""
    settings = typesense_settings_of(typesense_server.server)
    empty_typesense(settings)
    return settings


@pytest.fixture
def settings(database: str, redis_url: str, typesense_settings: TypesenseSettings) -> Settings:
    """The settings of a process that works on this test's stores."""
    return Settings(
        _env_file=None,
        database_url=database,
        redis_url=redis_url,
        typesense_host=typesense_settings.host,
        typesense_port=typesense_settings.port,
        typesense_api_key=SecretStr(typesense_settings.api_key),
        jwt_secret=SecretStr(JWT_SECRET),
    )


@pytest.fixture
def own_postgres() -> Iterator[Callable[[], Running[Postgres]]]:
    """Starts PostgreSQL servers for this test alone."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(running(make_postgres))


@pytest.fixture
def own_valkey() -> Iterator[Callable[[], Running[Valkey]]]:
    """Starts Valkey servers for this test alone."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(running(make_valkey))


@pytest.fixture
def own_typesense() -> Iterator[Callable[[], Running[Typesense]]]:
    """Starts Typesense servers for this test alone."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(running(make_typesense))


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    """A plain connection to the test's database, for looking at things."""
    with psycopg.connect(database, autocommit=True) as conn:
        yield conn
