"""Sign-in sessions: only their end is an event. Tokens themselves never are."""

from __future__ import annotations

from typing import ClassVar

from schemas.base import Payload, Time


class SessionRevoked(Payload):
    """Told by a logout: one access token of the user is no longer good (`jti` where it has one), since `at`."""

    event_type: ClassVar[str] = "session.revoked.v1"

    user_id: str
    jti: str | None = None
    at: Time | None = None
    expires_at: Time | None = None
    reason: str | None = None


PAYLOADS = (SessionRevoked,)
