"""Who follows and who blocks whom. The key is the person who acts."""

from __future__ import annotations

from typing import ClassVar

from schemas.base import Fact


class _Follow(Fact):
    follower_id: str
    following_id: str


class FollowCreated(_Follow):
    """Somebody follows somebody."""

    event_type: ClassVar[str] = "follow.created.v1"


class FollowDeleted(_Follow):
    """Somebody no longer follows somebody."""

    event_type: ClassVar[str] = "follow.deleted.v1"


class _Block(Fact):
    blocker_id: str
    blocked_id: str


class BlockCreated(_Block):
    """Neither sees the other from now on."""

    event_type: ClassVar[str] = "block.created.v1"


class BlockDeleted(_Block):
    """A block was lifted."""

    event_type: ClassVar[str] = "block.deleted.v1"


PAYLOADS = (FollowCreated, FollowDeleted, BlockCreated, BlockDeleted)
