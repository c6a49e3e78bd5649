"""The servers that come as wheels: they start, hold what they should, and survive `kill -9`."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import psycopg
import redis

from app.stack.postgres import Postgres
from app.stack.typesense import Typesense
from app.stack.valkey import Valkey
from tests.support.servers import Running, TypesenseSettings


def test_postgres_streams_changes_and_knows_khmer(connection: psycopg.Connection) -> None:
    show = "SELECT current_setting('wal_level'), current_setting('max_connections')"
    assert connection.execute(show).fetchone() == ("logical", "200")
    connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE EXTENSION IF NOT EXISTS vector")
    trigrams = connection.execute("SELECT show_trgm('គណិតវិទ្យា')").fetchone()
    assert trigrams is not None
    assert len(trigrams[0]) >= 6


def test_valkey_keeps_everything_and_evicts_nothing(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_typesense_answers_with_its_key(typesense_settings: TypesenseSettings) -> None:
    url = f"{typesense_settings.url}/collections"
    assert httpx.get(url, headers={"X-TYPESENSE-API-KEY": typesense_settings.api_key}).json() == []
    assert httpx.get(url, headers={"X-TYPESENSE-API-KEY": "wrong"}).status_code == 401


def test_postgres_comes_back_after_kill(own_postgres: Callable[[], Running[Postgres]]) -> None:
    running = own_postgres()
    with psycopg.connect(running.server.url("postgres")) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1 AS one")
    running.kill()
    running.start()
    with psycopg.connect(running.server.url("postgres")) as conn:
        assert conn.execute("SELECT one FROM kept").fetchone() == (1,)


def test_valkey_comes_back_after_kill(own_valkey: Callable[[], Running[Valkey]]) -> None:
    running = own_valkey()
    with redis.Redis.from_url(running.server.url()) as client:
        client.set("kept", "1")
    running.stop()
    running.start()
    running.kill()
    running.start()
    with redis.Redis.from_url(running.server.url()) as client:
        assert client.get("kept") == b"1"


def test_typesense_comes_back_after_kill(own_typesense: Callable[[], Running[Typesense]]) -> None:
    running = own_typesense()
    assert "Snapshot interval configured as: 30s" in running.server.log.read_text()  # searches stay fast
    headers = {"X-TYPESENSE-API-KEY": running.server.api_key}
    schema = {"name": "kept", "fields": [{"name": "title", "type": "string"}]}
    httpx.post(f"{running.server.url()}/collections", headers=headers, json=schema).raise_for_status()
    running.kill()
    running.start()
    assert httpx.get(f"{running.server.url()}/collections/kept", headers=headers).status_code == 200
