"""What may leave the database: every captured column of every table, held against what must stay inside."""

from __future__ import annotations

import re

import pytest

from outbox.capture.columns import Table
from outbox.capture.sources import SOURCES, Source
from outbox.capture.statements import Unusable, build
from schemas.registry import REGISTRY
from schemas.topics import topic_of

#: Secrets of upstream's users, contact data, private state, and answers; written down here once more on purpose.
MUST_STAY = {
    "password",
    "lastPasswordHashes",
    "passwordResetToken",
    "passwordResetExpiry",
    "passwordChangedAt",
    "passwordExpiresAt",
    "emailVerificationToken",
    "emailVerificationExpiry",
    "ssoAccessToken",
    "ssoId",
    "ssoProvider",
    "permissions",
    "pendingLinkData",
    "email",
    "phone",
    "ipAddress",
    "privacySettings",
    "socialLinks",
    "suspensionReason",
    "withdrawalReason",
    "failedAttempts",
    "lockedUntil",
    "lastLogin",
    "resumeUrl",
    "resumeKey",
    "answers",
    "questions",
    "refreshTokenHash",
    "userAgent",
}
SUSPICIOUS = re.compile(
    r"password|token|secret|e-?mail|phone|hash|permission|ip_?address|^sso|answer", re.IGNORECASE
)

#: Written all the time, by counters, jobs and heartbeats: a change of these alone is not an event.
NOISE = {
    "posts": {
        "likesCount",
        "commentsCount",
        "sharesCount",
        "viewsCount",
        "trendingScore",
        "difficultyLevel",
        "edScore",
        "edScoreCount",
        "updatedAt",
    },
    "users": {
        "privacySettings",
        "updatedAt",
        "lastLogin",
        "loginCount",
        "failedAttempts",
        "profileCompleteness",
        "totalLearningHours",
        "currentStreak",
        "longestStreak",
        "totalPoints",
        "level",
        "reelCombo",
        "highestReelCombo",
    },
    "courses": {"enrolledCount", "updatedAt"},
    "enrollments": {"progress", "lastAccessedAt"},
    "comments": {"content", "updatedAt", "isVerifiedAnswer"},
    "study_clubs": {"updatedAt"},
}

every_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())


@every_source
def test_no_captured_column_is_a_secret(source: Source) -> None:
    captured = {*source.payload.values()} | {lookup.column for lookup in source.lookups.values()}
    assert not captured & MUST_STAY
    assert not [column for column in captured if SUSPICIOUS.search(column)]


@every_source
def test_the_statements_name_no_other_column(source: Source) -> None:
    every_column = dict.fromkeys(MUST_STAY | {*source.payload.values()} | {*source.watched}, "text")
    table = Table(source.table, every_column, owned=True)
    statements = build(source, table, "warn", {})
    text = "\n".join(part.as_string(None) for part in (*statements.functions, statements.triggers))
    assert not [column for column in MUST_STAY if f'"{column}"' in text]
    assert set(statements.columns) == {*source.payload.values()}


def test_a_secret_cannot_be_listed_by_mistake() -> None:
    with pytest.raises(ValueError, match="password must not be captured"):
        Source("t", "user", "id", "a.b.v1", None, "a.c.v1", {"id": "id", "secret": "password"}, "createdAt")


@every_source
def test_noise_is_neither_told_nor_watched(source: Source) -> None:
    noise = NOISE.get(source.table, set())
    assert not noise & ({*source.payload.values()} | {*source.watched})


@every_source
def test_payload_and_model_know_the_same_fields(source: Source) -> None:
    told = {*source.payload, *source.constants, *source.lookups}
    for event_type in {source.created, source.updated or source.created}:
        fields = {field.alias: field for field in REGISTRY.model(event_type).model_fields.values()}
        assert told - fields.keys() == set(), f"{event_type} has no field for these"
        required = {alias for alias, field in fields.items() if field.is_required()}
        assert required <= told, f"{event_type} requires what is not captured"
        assert fields.keys() - told <= {"schoolId", "removed"}, f"{event_type} has fields that nobody fills"
        assert topic_of(event_type) == source.topic


@every_source
def test_what_is_told_of_a_deletion_fits_its_model(source: Source) -> None:
    model = REGISTRY.model(source.deleted)
    told = {*(source.in_deleted or source.payload), *source.deleted_constants}
    fields = {field.alias: field for field in model.model_fields.values()}
    assert told <= fields.keys()
    assert {alias for alias, field in fields.items() if field.is_required()} <= told
    assert topic_of(source.deleted) == source.topic


def test_missing_columns_are_left_out_and_unknown_ones_ignored() -> None:
    table = Table("posts", {"id": "text", "content": "text", "hologram": "bytea"}, owned=False)
    statements = build(SOURCES["posts"], table, "abort", {})
    text = "\n".join(part.as_string(None) for part in (*statements.functions, statements.triggers))
    assert statements.columns == ("content", "id")
    assert "hologram" not in text
    assert "title" not in text
    assert "ENABLE ALWAYS" not in text, "only the owner of a table can do that"


def test_without_its_key_a_table_is_unusable() -> None:
    with pytest.raises(Unusable, match="postId"):
        build(SOURCES["likes"], Table("likes", {"id": "text"}, owned=True), "abort", {})
