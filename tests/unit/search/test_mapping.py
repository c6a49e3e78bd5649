"""Documents: every row gives a whole, valid document or none, and never more than a card would show."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.search.mapping import document, plain
from consumers.search.schema import KINDS, Kind, definition, token
from consumers.search.tags import canonical

MOMENTS = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001
WORDS = st.text(max_size=40)
MAYBE = st.none() | WORDS
IDS = st.text(min_size=1, max_size=30)
TAGS = st.none() | st.lists(WORDS, max_size=4)
COUNTS = st.integers(0, 10**6)
NAMES = {"firstName": WORDS, "lastName": WORDS, "englishFirstName": MAYBE, "englishLastName": MAYBE}
VISIBILITIES = st.sampled_from(["PUBLIC", "SCHOOL", "CLASS", "PRIVATE", "FRIENDS"])
TRANSLATIONS = st.none() | st.dictionaries(st.sampled_from(["en", "km"]), WORDS | st.none(), max_size=2)

ROWS: dict[Kind, st.SearchStrategy[dict[str, Any]]] = {
    "posts": st.fixed_dictionaries(
        {
            **NAMES,
            "id": IDS,
            "title": MAYBE,
            "content": WORDS,
            "repostComment": MAYBE,
            "topicTags": TAGS,
            "postType": st.sampled_from(["ARTICLE", "QUIZ", "SOMETHING_NEW"]),
            "visibility": VISIBILITIES,
            "schoolId": st.none() | IDS,
            "authorId": IDS,
            "createdAt": MOMENTS,
            "authorActive": st.booleans(),
            "likes": COUNTS,
            "comments": COUNTS,
        }
    ),
    "users": st.fixed_dictionaries(
        {
            **NAMES,
            "id": IDS,
            "username": MAYBE,
            "headline": MAYBE,
            "professionalTitle": MAYBE,
            "interests": TAGS,
            "skills": TAGS,
            "role": st.sampled_from(["TEACHER", "STUDENT"]),
            "schoolId": st.none() | IDS,
            "profileVisibility": VISIBILITIES,
            "isVerified": st.booleans(),
            "createdAt": MOMENTS,
            "active": st.booleans(),
        }
    ),
    "clubs": st.fixed_dictionaries(
        {
            "id": IDS,
            "name": WORDS,
            "description": MAYBE,
            "category": MAYBE,
            "subject": MAYBE,
            "tags": TAGS,
            "clubType": st.sampled_from(["EXAM_PREP", "PROJECT_GROUP"]),
            "mode": st.sampled_from(["PUBLIC", "INVITE_ONLY", "APPROVAL_REQUIRED", "NEW_MODE"]),
            "schoolId": st.none() | IDS,
            "isActive": st.booleans(),
            "createdAt": MOMENTS,
            "members": COUNTS,
        }
    ),
    "courses": st.fixed_dictionaries(
        {
            **NAMES,
            "id": IDS,
            "title": WORDS,
            "description": WORDS,
            "titleTranslations": TRANSLATIONS | st.lists(WORDS, max_size=2),
            "descriptionTranslations": TRANSLATIONS,
            "category": WORDS,
            "tags": TAGS,
            "level": st.sampled_from(["BEGINNER", "ALL_LEVELS"]),
            "isPublished": st.booleans(),
            "instructorId": IDS,
            "createdAt": MOMENTS,
            "enrolled": COUNTS,
        }
    ),
}
_TYPES: dict[str, type] = {"string": str, "string[]": list, "int32": int, "int64": int}


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_has_every_field_of_its_collection_in_its_type(kind: Kind) -> None:
    @given(ROWS[kind])
    def check(row: dict[str, Any]) -> None:
        made = document(kind, row)
        if made is None:
            return
        assert made["id"] == token(row["id"])
        assert made["key"] == row["id"]
        for field in definition("test", kind)["fields"]:
            assert isinstance(made[field["name"]], _TYPES[field["type"]]), field

    check()


@given(ROWS["posts"])
def test_who_may_find_a_post(row: dict[str, Any]) -> None:
    made = document("posts", row)
    if not row["authorActive"]:
        assert made is None
        return
    assert made is not None
    own = f"u{token(row['authorId'])}"
    expected = {
        "PUBLIC": {"public", own},
        "SCHOOL": {own} if row["schoolId"] is None else {f"s{token(row['schoolId'])}", own},
        "CLASS": {f"c{token(row['authorId'])}", own},
    }.get(row["visibility"], {own})
    assert set(made["audience"]) == expected


@given(ROWS["users"])
def test_private_and_inactive_people_are_not_in_the_index(row: dict[str, Any]) -> None:
    made = document("users", row)
    hidden = not row["active"] or row["profileVisibility"] not in ("PUBLIC", "SCHOOL", "CLASS")
    assert (made is None) == hidden


@given(ROWS["clubs"])
def test_invite_only_clubs_have_no_audience(row: dict[str, Any]) -> None:
    made = document("clubs", row)
    assert (made is None) == (not row["isActive"])
    if made is not None:
        assert (made["audience"] == []) == (row["mode"] == "INVITE_ONLY")


@given(st.lists(st.text(max_size=20), min_size=2, max_size=2, unique=True))
def test_different_ids_have_different_tokens(ids: list[str]) -> None:
    assert token(ids[0]) != token(ids[1])
    assert all(one.isalnum() and one.isascii() and one.islower() for one in map(token, ids))


@pytest.mark.parametrize("tag", ["math", "Math", "MATHS", "Mathematics", "គណិតវិទ្យា", "គណិត​វិទ្យា"])
def test_tags_of_one_meaning_are_one_tag(tag: str) -> None:
    assert canonical(tag) == "mathematics"


def test_a_tag_is_found_by_the_other_words_for_it() -> None:
    row = {
        **dict.fromkeys(("title", "repostComment", "schoolId", "englishFirstName", "englishLastName")),
        "id": "p",
        "content": "x",
        "topicTags": ["Math", "ComputerScience"],
        "postType": "ARTICLE",
        "visibility": "PUBLIC",
        "authorId": "u",
        "firstName": "",
        "lastName": "",
        "createdAt": datetime(2026, 1, 1),  # noqa: DTZ001
        "authorActive": True,
        "likes": 0,
        "comments": 0,
    }
    made = document("posts", row)
    assert made is not None
    assert {"mathematics", "គណិ", "computer", "science", "computerscience"} <= set(made["tagWords"].split())
    assert made["tags"] == ["mathematics", "computerscience"]


def test_markdown_leaves_its_words() -> None:
    text = "**Limits** and [the notes](https://example.org/secret-path) <br/> ![graph](x.png)"
    assert plain(text).split() == ["**Limits**", "and", "the", "notes", "graph"]


@given(st.text(alphabet="[]()<>/a!` ", max_size=2000))
def test_markdown_of_any_shape_takes_little_time(text: str) -> None:
    plain(text * 20)
