"""What a replay is asked to replay, and as what it lies in `engine.jobs`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from runtime.errors import ConfigurationError

KIND: Final = "replay"
DEFAULT_RATE: Final = 2000.0
LOWEST_ID: Final = 1
HIGHEST_ID: Final = 2**62
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
END: Final = datetime(9999, 1, 1, tzinfo=UTC)

_AGO: Final = re.compile(r"([0-9]+)([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Range:
    """Ids from `from_id` to `to_id`, both included, of rows written from `since` on and before `until`."""

    from_id: int = LOWEST_ID
    to_id: int = HIGHEST_ID
    since: datetime = BEGINNING
    until: datetime = END

    @classmethod
    def between(cls, start: str | None, end: str | None, now: datetime) -> Range:
        """The words of a command line: an id, a time (ISO 8601, UTC when it names no zone), `2h` ago, `beginning`.

        Raises:
            ConfigurationError: none of these, or an end before the start.
        """
        bounds: dict[str, Any] = {}
        if start is not None and start != "beginning":
            found = _point(start, now)
            bounds["from_id" if isinstance(found, int) else "since"] = found
        if end is not None and end != "now":
            found = _point(end, now)
            bounds["to_id" if isinstance(found, int) else "until"] = found
        made = cls(**bounds)
        if made.from_id > made.to_id or made.since >= made.until:
            raise ConfigurationError(f"nothing lies between {start} and {end}")
        return made


@dataclass(frozen=True, slots=True)
class Replay:
    """Events of the log between two points, as `upto` (taken in `epoch`) sees them.

    Attributes:
        bounds: which rows.
        topics: of these topics.
        upto: pg_snapshot; what it does not see comes to the view the usual way.
        epoch: of `upto`.
        key: only of this key.
        rate: most events per second.
    """

    bounds: Range
    topics: tuple[str, ...]
    upto: str
    epoch: int
    key: str | None = None
    rate: float = DEFAULT_RATE

    def dump(self) -> dict[str, Any]:
        """For `engine.jobs.arguments`."""
        return {
            "from_id": self.bounds.from_id,
            "to_id": self.bounds.to_id,
            "since": self.bounds.since.isoformat(),
            "until": self.bounds.until.isoformat(),
            "topics": list(self.topics),
            "upto": self.upto,
            "epoch": self.epoch,
            "key": self.key,
            "rate": self.rate,
        }

    @classmethod
    def load(cls, text: Mapping[str, Any]) -> Replay:
        """What `dump` wrote."""
        bounds = Range(
            text["from_id"],
            text["to_id"],
            datetime.fromisoformat(text["since"]),
            datetime.fromisoformat(text["until"]),
        )
        return cls(bounds, tuple(text["topics"]), text["upto"], text["epoch"], text["key"], text["rate"])

    def params(self) -> dict[str, Any]:
        """For the statements of replay.sql."""
        return {
            "from_id": self.bounds.from_id,
            "to_id": self.bounds.to_id,
            "since": self.bounds.since,
            "until": self.bounds.until,
            "topics": list(self.topics),
            "key": self.key,
            "upto": self.upto,
            "epoch": self.epoch,
        }


@dataclass(slots=True)
class Cursor:
    """How far a replay is: the day that is being read (ISO), in the archive or the table, and behind which id.

    `filed`: the day's file has been read. `skipped`: days of the range that had left the log without an archive.
    """

    day: str = ""
    table: bool = False
    after: int = 0
    filed: bool = False
    skipped: list[str] = field(default_factory=list)

    def begin(self, day: date) -> None:
        """Stand at the start of a day."""
        self.day, self.table, self.after, self.filed = day.isoformat(), False, 0, False

    def dump(self) -> dict[str, Any]:
        """For `engine.jobs.cursor`."""
        return asdict(self)

    @classmethod
    def load(cls, text: Mapping[str, Any] | None) -> Cursor:
        """What `dump` wrote; the start when there is nothing."""
        return cls(**text) if text else cls()


def _point(text: str, now: datetime) -> int | datetime:
    if text.isdecimal() and len(text) < 19:
        return int(text)
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"not a point of the log: {text!r}; write an event id, a time such as 2026-11-01T08:00Z, 2h, or beginning"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
