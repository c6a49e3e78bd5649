"""Where a client stands in the log: everything that a snapshot sees has been told.

Its text is the `id` of an event, which a browser sends back as `Last-Event-ID` when it connects again. The log's own
ids would not do: a transaction that commits late has the smaller one, and its events would be skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from consumers.engine.log import Head
from schemas.snapshot import Snapshot

_FORM: Final = re.compile(r"(\d{1,9})\.(\d{1,15})\.(\d{1,19}:\d{1,19}:(?:\d{1,19}(?:,\d{1,19}){0,999})?)")
#: xid8 is unsigned, Python's text form of a snapshot is read by PostgreSQL as signed.
_LARGEST: Final = 2**63 - 1


class BadPlace(ValueError):
    """Not an id that this API has given."""


@dataclass(frozen=True, slots=True)
class Place:
    """All that `snapshot`, taken at `taken_at_ms` (unix time) in `epoch`, sees."""

    epoch: int
    taken_at_ms: int
    snapshot: Snapshot

    @classmethod
    def of(cls, head: Head) -> Place:
        """Now."""
        return cls(head.epoch, head.taken_at_ms, head.snapshot)

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read an id back.

        Raises:
            BadPlace: it is none of ours.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise BadPlace
        snapshot = Snapshot.parse(match[3])
        inside = all(snapshot.xmin <= xid < snapshot.xmax for xid in snapshot.xip)
        if not (0 < snapshot.xmin <= snapshot.xmax <= _LARGEST and inside):
            raise BadPlace
        return cls(int(match[1]), int(match[2]), snapshot)

    def __str__(self) -> str:
        return f"{self.epoch}.{self.taken_at_ms}.{self.snapshot}"
