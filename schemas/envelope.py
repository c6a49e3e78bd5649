"""One event as it stands in the outbox: who, what, when, about which key.

The payload (`data`) is a plain dictionary here; `registry` knows its model. How an event travels is in `wire`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SOURCE = "urn:stunity:outbox"


def dataschema(event_type: str) -> str:
    """The URI that names the JSON Schema of a type's payload (its `$id` in schemas/generated/)."""
    return f"urn:stunity:event:{event_type}"


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the log. Within an epoch, a larger id of the same key is newer."""

    id: int
    xid: int
    occurred_at: datetime
    topic: str
    type: str
    key: str
    data: dict[str, Any]
    headers: dict[str, Any] = field(default_factory=dict)

    def to_cloudevent(self) -> dict[str, Any]:
        """The event in CloudEvents 1.0 JSON form; optional attributes that are unknown are left out."""
        attributes = {
            "specversion": "1.0",
            "id": str(self.id),
            "source": SOURCE,
            "type": self.type,
            "subject": self.key,
            "time": self.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "dataschema": dataschema(self.type),
            "datacontenttype": "application/json",
            "traceparent": self.headers.get("traceparent"),
            "school": self.headers.get("school") or self.data.get("schoolId"),
            "data": self.data,
        }
        return {name: value for name, value in attributes.items() if value is not None}


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that is not in the log yet: the database adds id, xid and time, and the transaction's context."""

    type: str
    key: str
    data: dict[str, Any]
    headers: dict[str, Any] = field(default_factory=dict)
