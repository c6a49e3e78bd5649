"""The doctor on real servers: nothing to complain about, then one thing wrong at a time."""

from __future__ import annotations

import psycopg
import redis
from pydantic import SecretStr

from app.commands.doctor import examine
from app.doctor.finding import Finding, Verdict, exit_code
from runtime.settings import Settings
from tests.support.servers import TypesenseSettings


def _by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def _patched(settings: Settings, **changes: object) -> dict[str, Finding]:
    return _by_name(examine(settings.model_copy(update=changes)))


def test_a_healthy_installation(settings: Settings) -> None:
    findings = examine(settings)
    assert [finding for finding in findings if finding.verdict is not Verdict.OK] == []
    assert {"vector", "pg_trgm", "timescaledb", "wal_level", "replication", "redis durability"} <= set(
        _by_name(findings)
    )
    assert exit_code(findings) == 0


def test_an_empty_database_wants_migrations(settings: Settings, empty_database: str) -> None:
    found = _patched(settings, database_url=empty_database)
    assert found["schemas"].verdict is Verdict.FAIL
    assert found["schemas"].mend == "`stunity migrate`"
    assert exit_code(list(found.values())) == 1


def test_a_lost_schema_is_found(settings: Settings, connection: psycopg.Connection) -> None:
    connection.execute("DROP SCHEMA embeddings CASCADE")
    found = _patched(settings)["schemas"]
    assert (found.verdict, found.detail) == (Verdict.FAIL, "lost: embeddings")


def test_what_upstream_lacks_for_the_rules_of_visibility_is_named(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute(
        'ALTER TABLE users DROP COLUMN "profileVisibility" CASCADE; DROP TABLE user_blocks CASCADE'
    )
    found = _patched(settings)["upstream"]
    assert found.verdict is Verdict.FAIL
    assert "people: column u.profileVisibility does not exist" in found.detail
    assert 'blocks and classmates: relation "user_blocks" does not exist' in found.detail
    assert "posts:" not in found.detail


def test_eviction_and_volatile_redis_are_found(settings: Settings) -> None:
    assert settings.redis_url
    with redis.Redis.from_url(settings.redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("appendonly", "no")
        try:
            found = _patched(settings)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("appendonly", "yes")
    assert found["redis eviction"].verdict is Verdict.FAIL
    assert found["redis durability"].verdict is Verdict.WARN


def test_a_refused_key_is_found(settings: Settings, typesense_settings: TypesenseSettings) -> None:
    found = _patched(settings, typesense_api_key=SecretStr("wrong"))
    assert found["typesense"].verdict is Verdict.FAIL


def test_services_that_do_not_answer_are_missing(settings: Settings) -> None:
    nowhere = "127.0.0.1:1"
    found = _patched(
        settings, database_url=f"postgresql://{nowhere}/x", redis_url=f"redis://{nowhere}/0", typesense_port=1
    )
    for name in ("postgres", "redis", "typesense"):
        assert found[name].verdict is Verdict.MISSING
        assert "\n" not in found[name].detail
    assert exit_code(list(found.values())) == 2


def test_weak_and_missing_settings_are_told(settings: Settings) -> None:
    assert _patched(settings, jwt_secret=SecretStr("short"))["jwt secret"].verdict is Verdict.WARN
    without = _patched(settings, jwt_secret=None, redis_url=None, typesense_host=None)
    assert without["jwt secret"].verdict is Verdict.FAIL
    assert without["redis"].verdict is Verdict.WARN
    assert without["typesense"].verdict is Verdict.WARN
    assert _patched(settings, embedding_backend="huggingface")["embeddings"].verdict is Verdict.FAIL
