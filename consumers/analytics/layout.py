"""One generation of the view: the schema that its tables live in, and the zone whose days it keeps.

THE place where the schema's name comes from: every statement of this folder is read through `Layout.statements` or
`Layout.script`, which put it in. A second generation beside the living one (a rebuild's shadow) is the same code with
another `schema`; `schema.exchange` makes it the living one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from consumers.analytics.grid import SCHOOL_ZONE, Grid, grid_of
from runtime.statements import load

#: What readers and people with a SQL console see.
LIVING: Final = "analytics"
_SQL: Final = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class Layout:
    """Where the tables are and how their days are cut.

    Attributes:
        schema: a plain lower-case name; it is put in statements as it is.
        zone: the school's time zone.
        retention_days: facts and roll-ups older than this go; None keeps them.
        busy_from: a post's school day with so many views is kept as sums and sets; fewer are counted when asked for.
    """

    schema: str = LIVING
    zone: ZoneInfo = SCHOOL_ZONE
    retention_days: int | None = None
    busy_from: int = 16

    def __post_init__(self) -> None:
        if not (self.schema.isascii() and self.schema.isidentifier() and self.schema.islower()):
            raise ValueError(f"not a plain schema name: {self.schema!r}")

    @property
    def grid(self) -> Grid:
        """The buckets of the zone."""
        return grid_of(self.zone)

    def oldest(self) -> datetime | None:
        """What is older is dropped in time and not taken in again."""
        return (
            None if self.retention_days is None else datetime.now(UTC) - timedelta(days=self.retention_days)
        )

    def statements(self, name: str) -> dict[str, str]:
        """The named statements of `sql/<name>.sql`, for this generation."""
        return {key: self._placed(text) for key, text in _statements(name).items()}

    def script(self, name: str, **more: str) -> str:
        """The whole of `sql/<name>.sql`, for this generation."""
        text = self._placed((_SQL / f"{name}.sql").read_text(encoding="utf-8"))
        for key, value in more.items():
            text = text.replace(f"{{{key}}}", value)
        return text

    def _placed(self, text: str) -> str:
        shift = self.grid.shift // 60
        origin = f"timestamptz '2000-01-01 00:{shift:02}+00'"
        bucket = f"time_bucket(interval '1 hour', time{f', origin => {origin}' if shift else ''})"
        values = {
            "schema": self.schema,
            "zone": self.zone.key,
            "hour": bucket,
            "day": f"time_bucket(interval '1 day', time, '{self.zone.key}')",
            "origin": origin,
            "plain_hour": f"date_bin(interval '1 hour', time, {origin})",
            "plain_day": f"date_trunc('day', time, '{self.zone.key}')",
            "by_source": _by_source(),
        }
        for key, value in values.items():
            text = text.replace(f"{{{key}}}", value)
        return text


@lru_cache
def _by_source() -> str:
    """Columns that every count of views has."""
    _, _, columns = (_SQL / "by_source.sql").read_text(encoding="utf-8").partition("\n")
    return columns.rstrip()


@lru_cache
def _statements(name: str) -> dict[str, str]:
    return load(_SQL / f"{name}.sql")
