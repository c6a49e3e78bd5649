"""The benchmarks of reads on small networks: not how fast, but that they measure what they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_SMALL = ("--users", "200", "--follows", "2000", "--viewers", "10", "--rate", "20", "--seconds", "2")


def bench(folder: Path, *arguments: str) -> dict[str, Any]:
    """The one JSON document of a benchmark."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "bench", *arguments, "--json"],
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=folder,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_feed(tmp_path: Path) -> None:
    found = bench(tmp_path, "feed", *_SMALL, "--posts", "300", "--writes", "5")
    first, again, unchanged = found["first_page"], found["again"], found["not_modified"]
    assert (first["answers"], first["from_a_kept_list"]) == (10, 0)
    assert (again["answers"], again["from_a_kept_list"]) == (40, 40)
    assert unchanged["answered_304"] == unchanged["answers"] == 40
    assert found["while_writing"]["posts_written"] == 10
    assert found["while_writing"]["from_a_kept_list"] < 40
    assert found["postgres_alone"]["by"] == {"postgres": 8}
    assert found["upstream_candidates_sql"]["p50_ms"] > 0
    assert sum(part["failed"] for part in (first, again, unchanged, found["while_writing"])) == 0


def test_graph(tmp_path: Path) -> None:
    found = bench(tmp_path, "graph", *_SMALL)
    assert found["api"]["answers"] == 40
    assert found["api"]["failed"] == 0
    assert found["api"]["suggested_by_mutual_follows"] > 0
    assert 0 < found["plan_sql"]["p50_ms"] < found["our_sql"]["p50_ms"], "ours asks who may be seen as well"
