"""The truth read as events tells exactly what the triggers told: same keys, same payloads, every captured table."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from outbox.capture.sources import SOURCES
from schemas.registry import REGISTRY
from tests.support.outbox import Connection, add_post, like, log, view

ROWS = """
INSERT INTO follows (id, "followerId", "followingId") VALUES ('f1', 'u2', 'u1');
INSERT INTO user_blocks (id, "blockerId", "blockedId") VALUES ('b1', 'u1', 'u2');
INSERT INTO comments (id, "postId", "authorId", content, "updatedAt") VALUES ('c1', 'p1', 'u2', 'No!', now());
INSERT INTO bookmarks (id, "postId", "userId") VALUES ('k1', 'p1', 'u2');
INSERT INTO study_clubs (id, name, "creatorId", tags, "startDate", "updatedAt")
    VALUES ('g1', 'Chess', 'u1', '{a,b}', '2026-09-01 08:00', now());
INSERT INTO club_members (id, "clubId", "userId") VALUES ('m1', 'g1', 'u2');
INSERT INTO courses (id, title, description, category, "titleTranslations", "instructorId", "updatedAt")
    VALUES ('e1', 'Khmer', 'All of it', 'Languages', '{"km": "ភាសាខ្មែរ"}', 'u1', now());
INSERT INTO enrollments (id, "userId", "courseId") VALUES ('n1', 'u2', 'e1');
INSERT INTO quizzes (id, "postId", questions, "timeLimit", "passingScore", "totalPoints", "updatedAt")
    VALUES ('q1', 'p1', '[]', 60, 50, 10, now());
INSERT INTO quiz_attempts (id, "quizId", "userId", answers, score, "pointsEarned", passed)
    VALUES ('a1', 'q1', 'u2', '[]', 80, 8, true);
UPDATE posts SET title = 'ការបង្រៀន 🎓', "examDate" = '2026-09-01 08:00:00.25', "mediaAspectRatio" = 1.5;
UPDATE users SET bio = 'Hi', skills = '{x}' WHERE id = 'u2';
UPDATE courses SET rating = 4.5;
"""


def truth(conn: Connection, source: str, after: str | None = None, most: int = 100) -> list[dict[str, Any]]:
    cursor = conn.execute("SELECT * FROM outbox.truth_events(%s, %s, %s)", (source, after, most))
    names = [column.name for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor]


@pytest.fixture
def full(school: Connection) -> Connection:
    """At least one row in every captured table."""
    like(school, "p1", "u2")
    view(school, "v1", "p1", "u2")
    school.execute(ROWS)
    return school


def test_the_truth_tells_what_the_last_trigger_told(full: Connection) -> None:
    latest = {(event.topic, event.data["id"]): event for event in log(full)}
    sources = full.execute("SELECT source, topic FROM outbox.truth_sources()").fetchall()
    assert dict(sources) == {name: s.topic for name, s in SOURCES.items()}
    for source, topic in sources:
        events = truth(full, source)
        assert events, source
        for event in events:
            told = latest[topic, event["data"]["id"]]
            assert event["data"] == told.data, source
            assert (event["key"], event["topic"], event["cursor"]) == (told.key, topic, event["data"]["id"])
            assert event["type"] == SOURCES[source].created
            REGISTRY.parse(event["type"], event["data"])


def test_every_event_in_the_log_fits_its_model(full: Connection) -> None:
    full.execute("DELETE FROM courses; DELETE FROM users")
    for event in log(full):
        REGISTRY.parse(event.type, event.data)


def test_pages_follow_the_primary_key(full: Connection) -> None:
    for number in range(10):
        add_post(full, f"x{number}", "u1")
    seen: list[str] = []
    cursor = None
    while page := truth(full, "posts", cursor, 4):
        assert len(page) <= 4
        seen += [event["key"] for event in page]
        cursor = page[-1]["cursor"]
    assert seen == sorted(["p1", *(f"x{number}" for number in range(10))])


def test_a_fact_happened_when_its_row_says(full: Connection) -> None:
    full.execute("UPDATE likes SET \"createdAt\" = '2026-08-01 02:30:05.12'")
    (event,) = truth(full, "likes")
    assert event["occurred_at"].isoformat().startswith("2026-08-01T02:30:05.12")
    assert event["data"]["at"] == "2026-08-01T02:30:05.120Z"


def test_times_are_utc_whatever_the_session_says(full: Connection) -> None:
    before = truth(full, "posts")
    full.execute("SET timezone = 'Asia/Phnom_Penh'")
    assert truth(full, "posts") == before


def test_an_unknown_source_is_named(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="unknown source 'auth_sessions'"):
        truth(connection, "auth_sessions")
