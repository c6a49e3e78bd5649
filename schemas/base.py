"""What all payloads have in common: camelCase on the wire, tolerant of what a newer writer adds.

Capture leaves a column out where the database does not have it, and leaves NULLs out always, so that only the
columns that identify a thing are required.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

Time = AwareDatetime


class Payload(BaseModel):
    """The `data` of one version of one event type. Enum-like fields are plain text: upstream's enums grow."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    event_type: ClassVar[str]


class Fact(Payload):
    """Something that happened once: `id` is its row's, `at` its immutable time."""

    id: str
    at: Time | None = None
