"""Posts: their state, their end, their counted counters."""

from __future__ import annotations

from typing import ClassVar

from schemas.base import Payload, Time


class PostState(Payload):
    """A post as it stood after the write. No counters: they are counted, see `PostCountersChanged`."""

    id: str
    author_id: str
    school_id: str | None = None
    title: str | None = None
    content: str | None = None
    topic_tags: list[str] | None = None
    media_urls: list[str] | None = None
    media_display_mode: str | None = None
    media_aspect_ratio: float | None = None
    post_type: str | None = None
    visibility: str | None = None
    is_edited: bool | None = None
    is_pinned: bool | None = None
    created_at: Time | None = None
    study_club_id: str | None = None
    repost_of_id: str | None = None
    repost_comment: str | None = None
    teacher_verified: bool | None = None
    verified_by_teacher_id: str | None = None
    verified_at: Time | None = None
    question_bounty: int | None = None
    poll_expires_at: Time | None = None
    poll_allow_multiple: bool | None = None
    poll_max_choices: int | None = None
    poll_is_anonymous: bool | None = None
    assignment_due_date: Time | None = None
    assignment_points: int | None = None
    assignment_submission_type: str | None = None
    course_code: str | None = None
    course_level: str | None = None
    course_duration: str | None = None
    announcement_urgency: str | None = None
    announcement_expiry_date: Time | None = None
    tutorial_difficulty: str | None = None
    tutorial_estimated_time: str | None = None
    tutorial_prerequisites: str | None = None
    exam_date: Time | None = None
    exam_duration: int | None = None
    exam_total_points: int | None = None
    exam_passing_score: int | None = None
    resource_type: str | None = None
    resource_url: str | None = None
    research_field: str | None = None
    research_collaborators: str | None = None
    project_status: str | None = None
    project_deadline: Time | None = None
    project_team_size: int | None = None


class PostCreated(PostState):
    """A post was written."""

    event_type: ClassVar[str] = "post.created.v1"


class PostUpdated(PostState):
    """The content of a post, or who may see it, changed."""

    event_type: ClassVar[str] = "post.updated.v1"


class PostDeleted(Payload):
    """A post is gone, with everything that hung on it."""

    event_type: ClassVar[str] = "post.deleted.v1"

    id: str
    author_id: str | None = None
    school_id: str | None = None


class PostCountersChanged(Payload):
    """Counted from the rows, exact at one moment. `shares` alone is upstream's own counter: it has no rows."""

    event_type: ClassVar[str] = "post.counters_changed.v1"

    id: str
    likes: int
    comments: int
    bookmarks: int
    shares: int
    views: int


PAYLOADS = (PostCreated, PostUpdated, PostDeleted, PostCountersChanged)
