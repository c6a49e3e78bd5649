"""One table of the network: its name, its columns, and its rows, made as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Rows = Iterator[tuple[Any, ...]]


@dataclass(frozen=True)
class Table:
    """Rows in the order in which foreign keys want them; the first column is the id."""

    name: str
    columns: tuple[str, ...]
    rows: Callable[[], Rows]
    expected: int
