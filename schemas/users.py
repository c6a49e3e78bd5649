"""People: the public side of a profile. No e-mail, phone, secret or presence."""

from __future__ import annotations

from typing import ClassVar

from schemas.base import Payload, Time


class UserState(Payload):
    """A profile as it stood after the write."""

    id: str
    school_id: str | None = None
    username: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    english_first_name: str | None = None
    english_last_name: str | None = None
    role: str | None = None
    account_type: str | None = None
    is_active: bool | None = None
    account_suspended_at: Time | None = None
    profile_visibility: str | None = None
    social_features_enabled: bool | None = None
    profile_picture_url: str | None = None
    cover_photo_url: str | None = None
    bio: str | None = None
    headline: str | None = None
    professional_title: str | None = None
    interests: list[str] | None = None
    skills: list[str] | None = None
    languages: list[str] | None = None
    career_goals: str | None = None
    location: str | None = None
    organization_name: str | None = None
    organization_type: str | None = None
    is_verified: bool | None = None
    is_open_to_opportunities: bool | None = None
    created_at: Time | None = None


class UserCreated(UserState):
    """Somebody joined."""

    event_type: ClassVar[str] = "user.created.v1"


class UserUpdated(UserState):
    """Name, profile, school, rights or class membership changed; what shows the person is read again."""

    event_type: ClassVar[str] = "user.updated.v1"


class UserDeleted(Payload):
    """Somebody left, with their posts, likes and follows."""

    event_type: ClassVar[str] = "user.deleted.v1"

    id: str
    school_id: str | None = None


PAYLOADS = (UserCreated, UserUpdated, UserDeleted)
