"""The course catalogue and who takes a course."""

from __future__ import annotations

from typing import ClassVar

from schemas.base import Fact, Payload, Time


class CourseState(Payload):
    """A course as it stood after the write. Translations map a locale to a text."""

    id: str
    title: str | None = None
    description: str | None = None
    title_translations: dict[str, str] | None = None
    description_translations: dict[str, str] | None = None
    source_locale: str | None = None
    supported_locales: list[str] | None = None
    thumbnail: str | None = None
    category: str | None = None
    level: str | None = None
    status: str | None = None
    duration: int | None = None
    lessons_count: int | None = None
    price: float | None = None
    is_free: bool | None = None
    is_featured: bool | None = None
    is_published: bool | None = None
    instructor_id: str | None = None
    tags: list[str] | None = None
    created_at: Time | None = None


class CourseCreated(CourseState):
    """A course was made."""

    event_type: ClassVar[str] = "course.created.v1"


class CourseUpdated(CourseState):
    """A course's content, publication or reviews changed."""

    event_type: ClassVar[str] = "course.updated.v1"


class CourseDeleted(Payload):
    """A course is gone."""

    event_type: ClassVar[str] = "course.deleted.v1"

    id: str


class EnrollmentChanged(Fact):
    """Somebody began, completed or left (`removed`) a course; progress is not told."""

    event_type: ClassVar[str] = "enrollment.changed.v1"

    course_id: str
    user_id: str
    completed_at: Time | None = None
    removed: bool = False


PAYLOADS = (CourseCreated, CourseUpdated, CourseDeleted, EnrollmentChanged)
