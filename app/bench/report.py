"""Printing a benchmark: one JSON document, or a table for people; and keeping it as a file."""

from __future__ import annotations

import json
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil
from rich.console import Console
from rich.table import Table

RESULTS: Final = Path("bench-results")


def publish(name: str, result: dict[str, Any], *, as_json: bool) -> None:
    """Write bench-results/<name>.json and print."""
    document = {
        "benchmark": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": psutil.cpu_count(), "python": platform.python_version()},
        **result,
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(document, indent=2)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    if as_json:
        sys.stdout.write(text + "\n")
        return
    table = Table(title=f"stunity bench {name}", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for figure, value in _flat(result):
        table.add_row(figure, f"{value:,}" if isinstance(value, int | float) else str(value))
    Console().print(table)


def _flat(result: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in result.items():
        rows += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return rows
