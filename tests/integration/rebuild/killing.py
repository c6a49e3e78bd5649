"""What tests of killed rebuilds share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg

from consumers.engine.rebuild.steps import Step
from consumers.search import schema
from runtime.settings import Settings
from tests.integration.rebuild.conftest import Open
from tests.support.network import Network
from tests.support.wait import until

_ROOT = Path(__file__).resolve().parents[3]


def rebuild_dying_at(step: Step, view: str, settings: Settings) -> int:
    """Run `stunity rebuild` until it kills itself; the exit code."""
    assert settings.typesense_api_key is not None
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": str(settings.redis_url),
        "TYPESENSE_HOST": str(settings.typesense_host),
        "TYPESENSE_PORT": str(settings.typesense_port),
        "TYPESENSE_API_KEY": settings.typesense_api_key.get_secret_value(),
        "EMBEDDING_BACKEND": "none" if view != "embeddings" else "local",
        "STUNITY_FAILPOINT": step,
    }
    command = [sys.executable, "-m", "app.cli", "rebuild", view]
    done = subprocess.run(command, env=environment, cwd=_ROOT, timeout=60, check=False, capture_output=True)
    return done.returncode


def serves_on(conn: psycopg.Connection, view: str) -> bool:
    """Whether the view is live and has everything."""
    row = conn.execute(
        "SELECT state, outbox.oldest_unapplied(snapshot) FROM engine.checkpoints WHERE consumer = %s", (view,)
    ).fetchone()
    return row == ("live", None)


def collections(settings: Settings) -> set[str]:
    """What there is in Typesense."""
    with _typesense(settings) as client:
        return {one["name"] for one in client.get("/collections").json()}


def is_indexed(settings: Settings, post: str) -> bool:
    """Whether the index that serves has a post."""
    name = schema.alias(settings.stream_prefix, "posts")
    with _typesense(settings) as client:
        return client.get(f"/collections/{name}/documents/{schema.token(post)}").is_success


def _typesense(settings: Settings) -> httpx.Client:
    assert settings.typesense_api_key is not None
    return httpx.Client(
        base_url=f"http://{settings.typesense_host}:{settings.typesense_port}",
        headers={"X-TYPESENSE-API-KEY": settings.typesense_api_key.get_secret_value()},
    )


async def kill_and_go_on(step: Step, world: Open, network: Network, settings: Settings) -> None:
    """Kill a rebuild of search at a step; the view serves on, the next rebuild ends well, nothing is left over."""
    async with world("search") as search:
        async with search.consumed():
            await until(lambda: serves_on(network.conn, "search"), 20)
            assert rebuild_dying_at(step, "search", settings) == -signal.SIGKILL
            network.post("teacher", "written after the kill", id="after")
            network.delete("posts", "post0001")
            await until(lambda: serves_on(network.conn, "search"), 20)
            assert (await search.differences()).equal

            row = await (await search.rebuilding()).rebuild("truth")
            assert row.state == "kept"
            assert (await search.differences()).equal
        await search.sweep()  # the one before it, if the killed one had switched
        assert len(collections(settings)) == 10
        network.conn.execute("UPDATE engine.rebuilds SET keep_until = now() WHERE state = 'kept'")
        await search.sweep()
        assert len(collections(settings)) == 5
        assert network.conn.execute("SELECT count(*) FROM engine.checkpoints").fetchone() == (1,)
