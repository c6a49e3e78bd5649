"""Sign-in sessions: only their end is an event. Tokens themselves never are."""

from __future__ import annotations

from typing import ClassVar

from schemas.base import Payload, Time


class SessionRevoked(Payload):
    """An access token (`jti`), or every token of the user issued before `at`, is no longer good."""

    event_type: ClassVar[str] = "session.revoked.v1"

    user_id: str
    jti: str | None = None
    at: Time | None = None
    expires_at: Time | None = None
    reason: str | None = None


PAYLOADS = (SessionRevoked,)
