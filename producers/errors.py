"""Why a write was refused, named for what the caller should do; `write_api.py` turns them into HTTP answers."""

from __future__ import annotations

from runtime.errors import StunityError


class WriteRefused(StunityError):
    """The rows are as they were; the message may be shown to the user."""


class NotFound(WriteRefused):
    """There is no such object, or this viewer may not know of it."""


class Forbidden(WriteRefused):
    """The viewer may see the object but not change it."""


class Invalid(WriteRefused):
    """The request contradicts itself or the rows that it refers to."""
