"""Mapping on several processes: the same documents, and nobody is left behind when the parent is killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from consumers.search import bulk

_ROOT = Path(__file__).resolve().parents[3]
_PARENT = """
import asyncio, os
from consumers.search import bulk

async def main():
    bulk._has_begun = lambda _: True
    mapper = bulk.Mapper()
    mapper.expect(bulk.WORTH_PROCESSES)
    await mapper.lines("clubs", [], 1)
    print("ready", flush=True)
    await asyncio.sleep(60)

if __name__ == "__main__":
    asyncio.run(main())
"""


def club(number: int) -> dict[str, Any]:
    texts = dict.fromkeys(("description", "category", "subject"), "fern")
    return {
        **texts,
        "id": f"c{number}",
        "name": f"Club {number}",
        "tags": ["ferns"],
        "clubType": "STUDY",
        "mode": "PUBLIC",
        "schoolId": None,
        "isActive": number % 2 == 0,
        "createdAt": datetime(2026, 1, 1, tzinfo=UTC),
        "members": number,
    }


@pytest.mark.parametrize(
    ("rows", "begun"), [(0, False), (bulk.WORTH_PROCESSES, False), (bulk.WORTH_PROCESSES, True)]
)
async def test_documents_as_lines(monkeypatch: pytest.MonkeyPatch, rows: int, begun: bool) -> None:
    """Made here, made here until there are processes, made by them."""
    monkeypatch.setattr(bulk, "_has_begun", lambda _: begun)
    with closing(bulk.Mapper()) as mapper:
        mapper.expect(rows)
        lines = await mapper.lines("clubs", [club(number) for number in range(10)], 7)
    documents = [line and orjson.loads(line) for line in lines]
    assert [one and one["key"] for one in documents] == [
        "c0", None, "c2", None, "c4", None, "c6", None, "c8", None
    ]  # fmt: skip
    assert {one["_gen"] for one in documents if one} == {7}


async def test_processes_end_when_few_rows_are_expected() -> None:
    with closing(bulk.Mapper()) as mapper:
        mapper.expect(bulk.WORTH_PROCESSES)
        begun = await asyncio.gather(*map(asyncio.wrap_future, mapper._started))
        there = [psutil.Process(pid) for pid in begun]
        mapper.expect(bulk.WORTH_PROCESSES - 1)
        _, alive = await asyncio.to_thread(psutil.wait_procs, there, timeout=20)
    assert there
    assert not alive


def test_a_killed_parent_leaves_nobody_behind(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PARENT, encoding="utf-8")
    environment = {"PYTHONPATH": str(_ROOT)}
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        children = psutil.Process(parent.pid).children(recursive=True)
        parent.kill()
    assert children
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
