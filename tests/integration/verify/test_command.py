"""`stunity verify` as it is called: exit codes, JSON, what is remembered."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import psycopg
import pytest

from app.verification import verify
from consumers.search.schema import token
from consumers.search.store import Typesense, open_typesense
from runtime.errors import Retryable
from runtime.postgres import open_pool
from runtime.settings import Settings
from tests.integration.verify.conftest import Consuming
from tests.support.network import Network


async def stunity(settings: Settings, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run the command; exit code, output, errors."""
    assert settings.typesense_api_key
    assert settings.redis_url
    ours = {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "TYPESENSE_HOST": str(settings.typesense_host),
        "TYPESENSE_PORT": str(settings.typesense_port),
        "TYPESENSE_API_KEY": settings.typesense_api_key.get_secret_value(),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "app.cli", *arguments),
        env={**os.environ, **ours, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


def remembered(conn: psycopg.Connection[Any], view: str) -> tuple[Any, ...]:
    """Compared, missing, repaired, error of the last verification."""
    row = conn.execute(
        "SELECT compared, missing, repaired, error FROM engine.verifications WHERE view = %s", (view,)
    ).fetchone()
    assert row is not None
    return tuple(row)


@pytest.fixture
async def filled(network: Network) -> None:
    """A few rows."""
    for number in range(3):
        network.post("teacher", f"post {number}", "north", id=f"post{number}")


async def test_equal_then_not_then_mended(
    filled: None, settings: Settings, consuming: Consuming, connection: psycopg.Connection[Any]
) -> None:
    async with consuming("search", "feeds"):
        code, out, errors = await stunity(settings, "verify", "search", "feeds", "--json")
        assert code == 0, errors
        assert [(one["view"], one["verdict"]) for one in json.loads(out)] == [
            ("search", "equal"),
            ("feeds", "equal"),
        ]
        async with open_typesense(settings, timeout=10) as store:
            await _lose(store, "post1")
        code, out, _ = await stunity(settings, "verify", "search")
        assert code == 1
        assert "1 missing: posts/post1" in out
        assert remembered(connection, "search") == (8, 1, 0, None)
        code, out, _ = await stunity(settings, "verify", "search", "--repair", "--json")
        assert code == 0
        assert json.loads(out)[0]["repaired"] == 1


async def _lose(store: Typesense, post: str) -> None:
    await store.delete("stunity_posts", [token(post)])


async def test_a_missing_service_is_no_difference(
    filled: None, settings: Settings, connection: psycopg.Connection[Any]
) -> None:
    code, out, errors = await stunity(settings, "verify", "search", TYPESENSE_PORT="9")
    assert (code, out) == (2, "")
    assert "Typesense cannot be reached" in errors
    assert connection.execute("SELECT FROM engine.verifications").fetchall() == [], "no news of the view"
    code, _, errors = await stunity(settings, "verify", "nothing")
    assert code == 2
    assert "no view 'nothing'" in errors
    code, _, errors = await stunity(settings, "verify", "feeds", REDIS_URL="")
    assert code == 2
    assert "REDIS_URL" in errors


async def test_a_scheduled_comparison_that_fails_is_remembered(
    filled: None, settings: Settings, connection: psycopg.Connection[Any]
) -> None:
    lost = settings.model_copy(update={"typesense_port": 9})
    async with open_pool(settings.database_url) as pool:
        with pytest.raises(Retryable):
            await verify(lost, pool, ["search"], scheduled=True)
    assert "Typesense cannot be reached" in remembered(connection, "search")[3]
