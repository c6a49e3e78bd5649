"""Old events come out in the newest version, whatever the chain; every known type is one of the contract's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.base import Payload
from schemas.envelope import Event
from schemas.errors import MalformedEvent, UnknownEvent
from schemas.registry import REGISTRY, Registry
from schemas.topics import TOPICS, topic_of

CONTRACT = """
post.created post.updated post.deleted post.counters_changed user.created user.updated user.deleted follow.created
follow.deleted block.created block.deleted like.created like.updated like.deleted comment.created comment.deleted
bookmark.created bookmark.deleted post.viewed club.created club.updated club.deleted club_member.changed
course.created course.updated course.deleted enrollment.changed quiz.attempted session.revoked
""".split()  # noqa: SIM905 (thirty names read better without quotes)


class NoteV1(Payload):
    """A name in one piece, a length in minutes."""

    event_type: ClassVar[str] = "post.noted.v1"
    name: str
    minutes: int


class NoteV2(Payload):
    """The name in two pieces."""

    event_type: ClassVar[str] = "post.noted.v2"
    first: str
    last: str
    minutes: int


class NoteV3(Payload):
    """The length in seconds."""

    event_type: ClassVar[str] = "post.noted.v3"
    first: str
    last: str
    seconds: int


def to_v2(data: dict[str, Any]) -> dict[str, Any]:
    first, _, last = data["name"].partition(" ")
    return {"first": first, "last": last, "minutes": data["minutes"]}


def to_v3(data: dict[str, Any]) -> dict[str, Any]:
    return {"first": data["first"], "last": data["last"], "seconds": data["minutes"] * 60}


NOTES = Registry([NoteV1, NoteV2, NoteV3], {"post.noted.v1": to_v2, "post.noted.v2": to_v3})

names, minutes = st.text(), st.integers(-(10**6), 10**6)
v1 = st.fixed_dictionaries({"name": names, "minutes": minutes})
v2 = st.fixed_dictionaries({"first": names, "last": names, "minutes": minutes})
v3 = st.fixed_dictionaries({"first": names, "last": names, "seconds": minutes})
versions = st.one_of(
    *(st.tuples(st.just(f"post.noted.v{number}"), data) for number, data in enumerate((v1, v2, v3), start=1))
)


def event(event_type: str, data: dict[str, Any]) -> Event:
    return Event(1, 2, datetime(2026, 8, 1, tzinfo=UTC), "post", event_type, "p1", data, {"actor": "u1"})


@given(versions)
def test_every_version_becomes_a_valid_event_of_the_newest(version: tuple[str, dict[str, Any]]) -> None:
    new = NOTES.upcast(event(*version))
    assert new.type == "post.noted.v3"
    NOTES.parse(new.type, new.data)
    assert (new.id, new.key, new.headers) == (1, "p1", {"actor": "u1"})


@given(versions)
def test_upcasting_again_changes_nothing(version: tuple[str, dict[str, Any]]) -> None:
    once = NOTES.upcast(event(*version))
    assert NOTES.upcast(once) == once


@given(v1)
def test_going_in_one_go_is_going_step_by_step(data: dict[str, Any]) -> None:
    assert NOTES.upcast(event("post.noted.v1", data)) == NOTES.upcast(event("post.noted.v2", to_v2(data)))


def test_an_unknown_version_of_tomorrow_is_left_alone() -> None:
    tomorrow = event("post.noted.v4", {"x": 1})
    assert NOTES.upcast(tomorrow) is tomorrow


@pytest.mark.parametrize(
    ("models", "upcasters"),
    [
        ([NoteV1, NoteV2], {}),
        ([NoteV1, NoteV3], {"post.noted.v1": to_v2}),
        ([NoteV1], {"post.gone.v1": to_v2}),
    ],
)
def test_a_missing_step_is_found_when_the_process_starts(
    models: list[type[Payload]], upcasters: dict[str, Callable[[dict[str, Any]], dict[str, Any]]]
) -> None:
    with pytest.raises(ValueError):
        Registry(models, upcasters)


@pytest.mark.parametrize("name", CONTRACT)
def test_every_type_of_the_contract_has_a_model_and_a_topic(name: str) -> None:
    newest = REGISTRY.newest(name)
    assert REGISTRY.model(newest).event_type == newest
    assert topic_of(newest) in TOPICS


def test_every_type_that_we_know_has_a_topic() -> None:
    assert {topic_of(model.event_type) for model in REGISTRY} == set(TOPICS)


def test_views_have_a_stream_of_their_own() -> None:
    assert topic_of("post.viewed.v1") == topic_of("view.deleted.v1") == "view"
    assert topic_of("post.created.v1") == "post"


def test_what_is_not_known_says_so() -> None:
    with pytest.raises(UnknownEvent):
        REGISTRY.newest("teapot.boiled")
    with pytest.raises(UnknownEvent):
        REGISTRY.parse("post.created.v99", {})
    with pytest.raises(MalformedEvent, match="postId"):
        REGISTRY.parse("like.created.v1", {"id": "l1", "userId": "u1"})


def test_a_newer_writer_may_add_fields_and_enum_values() -> None:
    post = REGISTRY.parse(
        "post.created.v1", {"id": "p", "authorId": "u", "postType": "HOLOGRAM", "mood": "sunny"}
    )
    assert post.model_dump(by_alias=True)["postType"] == "HOLOGRAM"
