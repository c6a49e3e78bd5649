"""A Node program that knows nothing of the pipeline writes the captured tables; all its effects arrive."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import Stack
from tests.support.wait import until

PROGRAM = Path(__file__).parent / "node"


@pytest.fixture(scope="module")
def written(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """The stack after the program has run."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.fail("Node.js and npm are needed for this test: apt-get install nodejs npm")
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(PROGRAM, folder, dirs_exist_ok=True)
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True, timeout=120)
    environment = os.environ | {"DATABASE_URL": stack.environment["DATABASE_URL"]}
    subprocess.run(["node", "writer.js"], cwd=folder, env=environment, check=True, timeout=60)
    return stack


async def test_every_effect_arrives(written: Stack) -> None:
    with written.person("node-u1") as reader:

        def found(query: str) -> list[str]:
            answer = reader.get("/posts", params={"search": query})
            assert answer.headers["Stunity-Source"] == "typesense"
            return [card["id"] for card in answer.json()["data"]]

        await until(
            lambda: "node-p1" in found("earthquakes"), what="the edited post is found by its new words"
        )
        await until(lambda: "node-p1" not in found("volcanoes"), what="its old words are gone")
        await until(lambda: found("glaciers") == [], what="the deleted person's post is gone")
        assert found("phantom comets") == []

        def numbers() -> dict[str, int]:
            answer = reader.get("/posts/node-p1/analytics", params={"period": "24h"})
            assert answer.headers["Stunity-Source"] == "timescale"
            data: dict[str, int] = answer.json()["data"]
            return data

        await until(lambda: numbers()["totalViews"] == 1, what="the view is counted")
        await until(lambda: numbers()["uniqueViewers"] == 0, what="the deleted viewer is no person any more")
        await until(lambda: numbers()["likes"] == 0, what="the deleted person's like is gone")
        recent = reader.get("/feed", params={"mode": "RECENT"}).json()["data"]
        assert "node-p1" in [item["data"]["id"] for item in recent if item["type"] == "POST"]


async def test_a_counter_makes_no_event(written: Stack) -> None:
    with written.connect() as conn:
        types = conn.execute(
            "SELECT type FROM outbox.events WHERE topic = 'post' AND key = 'node-p1' AND type NOT LIKE %s ORDER BY id",
            ("post.counters_changed%",),
        ).fetchall()
    assert [kind for (kind,) in types] == ["post.created.v1", "post.updated.v1"]
