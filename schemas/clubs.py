"""Study clubs and who belongs to them."""

from __future__ import annotations

from typing import ClassVar

from schemas.base import Fact, Payload, Time


class ClubState(Payload):
    """A club as it stood after the write."""

    id: str
    name: str | None = None
    description: str | None = None
    club_type: str | None = None
    category: str | None = None
    cover_image: str | None = None
    creator_id: str | None = None
    school_id: str | None = None
    max_members: int | None = None
    capacity: int | None = None
    is_active: bool | None = None
    mode: str | None = None
    language: str | None = None
    level: str | None = None
    subject: str | None = None
    objectives: str | None = None
    prerequisites: str | None = None
    tags: list[str] | None = None
    term: str | None = None
    start_date: Time | None = None
    end_date: Time | None = None
    created_at: Time | None = None


class ClubCreated(ClubState):
    """A club was founded."""

    event_type: ClassVar[str] = "club.created.v1"


class ClubUpdated(ClubState):
    """What a club says of itself, or who may join, changed."""

    event_type: ClassVar[str] = "club.updated.v1"


class ClubDeleted(Payload):
    """A club is gone."""

    event_type: ClassVar[str] = "club.deleted.v1"

    id: str
    school_id: str | None = None


class ClubMemberChanged(Fact):
    """A membership began, changed or ended (`removed`); how many there are is read from the truth."""

    event_type: ClassVar[str] = "club_member.changed.v1"

    club_id: str
    user_id: str
    role: str | None = None
    is_active: bool | None = None
    removed: bool = False


PAYLOADS = (ClubCreated, ClubUpdated, ClubDeleted, ClubMemberChanged)
