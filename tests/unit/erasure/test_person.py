"""What mentions a person, and what an event becomes without them."""

from __future__ import annotations

from typing import Any

import pytest

from app.erasure.person import Entry, Person
from schemas.registry import REGISTRY

ANNA = Person("anna")


@pytest.mark.parametrize("text", ["anna", '"anna"', "x/anna.png", "u:anna:v", b"\x00anna", "by anna, today"])
def test_an_id_by_itself_mentions_the_person(text: str | bytes) -> None:
    assert ANNA.is_in(text)


@pytest.mark.parametrize("text", ["savanna", "anna2", "anna-lena", "hannah", "", b"ann"])
def test_an_id_inside_a_word_does_not(text: str | bytes) -> None:
    assert not ANNA.is_in(text)


@pytest.mark.parametrize("key", ["a.b", "ā+*", 'quo"te', "ក"])
def test_ids_are_opaque(key: str) -> None:
    person = Person(key)
    assert person.is_in(f"[{key}]")
    assert Entry("user", "user.created.v1", "x", {"by": key}, {}).mentions(person)
    assert not person.is_in("axb")


def entry(kind: str, key: str, **data: Any) -> Entry:
    topic = {"like": "engagement", "club_member": "club", "live_quiz": "quiz"}.get(
        kind.split(".")[0], kind.split(".")[0]
    )
    return Entry(topic, f"{kind}.v1", key, {"id": key, **data}, {"actor": "anna", "traceparent": "00-ab"})


@pytest.mark.parametrize(
    "before",
    [
        entry("user.created", "anna", firstName="Anna", headline="Reads"),
        entry("post.updated", "p1", authorId="anna", content="my words", schoolId="north"),
        entry("post.updated", "p2", authorId="borey", content="ask anna about it"),
        entry("club.created", "c1", creatorId="anna", name="Anna's club"),
        entry("course.created", "k1", instructorId="anna", title="By Anna"),
        entry("like.created", "l1", postId="p2", userId="anna", at="2026-01-01T00:00:00Z"),
        entry("follow.created", "anna", followerId="anna", followingId="borey"),
        entry("follow.created", "borey", followerId="borey", followingId="anna"),
        entry("club_member.changed", "c2", clubId="c2", userId="anna", role="STUDENT", isActive=True),
        entry(
            "live_quiz.completed",
            "q1",
            sessionCode="1",
            quizId="q1",
            ranking=[{"userId": "anna", "score": 1, "rank": 1}, {"userId": "borey", "score": 0, "rank": 2}],
        ),
    ],
)
def test_a_redacted_event_is_valid_and_says_nothing(before: Entry) -> None:
    after = before.without(ANNA)
    REGISTRY.parse(after.type, after.data)
    assert not after.mentions(ANNA)
    assert "Anna" not in str(after)
    assert "my words" not in str(after)
    assert after.headers["traceparent"] == "00-ab"
    assert after.without(ANNA) == after


def test_facts_keep_their_identity_and_their_kind() -> None:
    after = entry("like.created", "l1", postId="p2", userId="anna", at="2026-01-01T00:00:00Z").without(ANNA)
    assert after.type == "like.created.v1"
    assert after.data == {"id": "l1", "postId": "p2", "userId": "erased", "at": "2026-01-01T00:00:00Z"}


def test_what_was_theirs_becomes_its_own_deletion() -> None:
    after = entry("post.created", "p1", authorId="anna", content="my words", schoolId="north").without(ANNA)
    assert (after.topic, after.type, after.key) == ("post", "post.deleted.v1", "p1")
    assert after.data == {"id": "p1", "schoolId": "north"}
