"""What people do with a post: likes, comments, bookmarks, views. Facts; the key is the post."""

from __future__ import annotations

from typing import ClassVar

from schemas.base import Fact


class _Engagement(Fact):
    post_id: str
    user_id: str
    school_id: str | None = None


class _Like(_Engagement):
    reaction_type: str | None = None


class LikeCreated(_Like):
    """Somebody reacted to a post."""

    event_type: ClassVar[str] = "like.created.v1"


class LikeUpdated(_Like):
    """The reaction became another one."""

    event_type: ClassVar[str] = "like.updated.v1"


class LikeDeleted(_Like):
    """The reaction was taken back, or its post or author is gone."""

    event_type: ClassVar[str] = "like.deleted.v1"


class _Comment(_Engagement):
    parent_id: str | None = None


class CommentCreated(_Comment):
    """Somebody commented; the text stays in the truth."""

    event_type: ClassVar[str] = "comment.created.v1"


class CommentDeleted(_Comment):
    """A comment is gone."""

    event_type: ClassVar[str] = "comment.deleted.v1"


class BookmarkCreated(_Engagement):
    """Somebody kept a post."""

    event_type: ClassVar[str] = "bookmark.created.v1"


class BookmarkDeleted(_Engagement):
    """A bookmark is gone."""

    event_type: ClassVar[str] = "bookmark.deleted.v1"


class _View(Fact):
    post_id: str
    user_id: str | None = None
    school_id: str | None = None
    source: str | None = None
    duration: int | None = None


class PostViewed(_View):
    """Somebody looked at a post; told again, with the same id and time, when the dwell time grows.

    `weight` is how many views the row stands for: clients sample.
    """

    event_type: ClassVar[str] = "post.viewed.v1"

    weight: int = 1


class ViewDeleted(_View):
    """The row of a view is gone."""

    event_type: ClassVar[str] = "view.deleted.v1"


PAYLOADS = (
    LikeCreated,
    LikeUpdated,
    LikeDeleted,
    CommentCreated,
    CommentDeleted,
    BookmarkCreated,
    BookmarkDeleted,
    PostViewed,
    ViewDeleted,
)
