"""Whatever is sent: a problem document with a 4xx status, never a 5xx, never a stack trace, and nothing written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.producers.conftest import School

_JSON = {"Content-Type": "application/json"}

BODIES: list[tuple[str, Any]] = [
    ("unknown enum", {"content": "x", "postType": "BLOG"}),
    ("enum of another case", {"content": "x", "visibility": "public"}),
    ("unknown field", {"content": "x", "isPinned": True}),
    ("snake case", {"content": "x", "topic_tags_": ["a"]}),
    ("missing content", {}),
    ("null content", {"content": None}),
    ("blank content", {"content": " \n\t "}),
    ("number for text", {"content": 7}),
    ("NUL", {"content": "a\x00b"}),
    ("NUL in a tag", {"content": "x", "topicTags": ["a\x00"]}),
    ("lone surrogate", None),
    ("too long", {"content": "ក" * 50_001}),
    ("title too long", {"content": "x", "title": "t" * 501}),
    ("too many tags", {"content": "x", "topicTags": ["t"] * 21}),
    ("tag too long", {"content": "x", "topicTags": ["t" * 51]}),
    ("too many media", {"content": "x", "mediaUrls": ["https://a.example/"] * 21}),
    ("script as media", {"content": "x", "mediaUrls": ["javascript:alert(1)"]}),
    ("a list", [{"content": "x"}]),
    ("a string", "content"),
]


@pytest.mark.parametrize(("what", "body"), BODIES, ids=[what for what, _ in BODIES])
async def test_bad_posts(school: School, what: str, body: Any) -> None:
    if what == "lone surrogate":
        answer = await school.call("dara", "POST", "/posts", content=b'{"content": "\\ud800"}', headers=_JSON)
    else:
        answer = await school.call("dara", "POST", "/posts", body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text
    assert school.one("SELECT count(*) FROM posts") == 0


@pytest.mark.parametrize(
    ("body", "field", "counted"),
    [
        ({"content": "x", "title": "t" * 501}, "body.title", "500 characters"),
        ({"content": "x", "topicTags": ["t"] * 21}, "body.topicTags", "20 items"),
    ],
)
async def test_what_is_too_long_is_counted_in_its_own_units(
    school: School, body: Any, field: str, counted: str
) -> None:
    answer = await school.call("dara", "POST", "/posts", body)
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert counted in error["problem"]


@pytest.mark.parametrize("raw", [b"{", b"", b"\xff\xfe", b'{"content": "x"', b"nul", b"[" * 20_000])
async def test_malformed_json(school: School, raw: bytes) -> None:
    answer = await school.call("dara", "POST", "/posts", content=raw, headers=_JSON)
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_over_a_megabyte(school: School) -> None:
    answer = await school.call("dara", "POST", "/posts", {"content": "x" * 1_100_000})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_megabyte_whose_length_was_not_announced(school: School) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"content": "'
        for _ in range(1_100):
            yield b"x" * 1_000
        yield b'"}'

    answer = await school.call("dara", "POST", "/posts", content=pieces(), headers=_JSON)
    assert answer.status_code == 413


async def test_the_largest_content_is_taken(school: School) -> None:
    answer = await school.call("dara", "POST", "/posts", {"content": "ក" * 50_000})
    assert answer.status_code == 201


@pytest.mark.parametrize("duration", ["NaN", "Infinity", "1e999", '"3"', "1" * 400, "[]"])
async def test_strange_durations(school: School, duration: str) -> None:
    post = await school.post("dara")
    raw = f'{{"duration": {duration}}}'.encode()
    answer = await school.call("bopha", "POST", f"/posts/{post}/views", content=raw, headers=_JSON)
    assert answer.status_code in {400, 422}, answer.text


@pytest.mark.parametrize("rate", [0, -1, 1.5, "NaN", None])
async def test_strange_sample_rates(school: School, rate: Any) -> None:
    answer = await school.call(
        "bopha", "POST", "/views/batch", {"views": [{"postId": "p", "sampleRate": rate}]}
    )
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "strange", ["%00", "x" * 300, "'; DROP TABLE posts; --", "%25s", "%F0%9F%92%A9", "{shown}"]
)
@pytest.mark.parametrize("path", ["/posts/{}/like", "/users/{}/follow", "/users/{}/block"])
async def test_strange_ids(school: School, path: str, strange: str) -> None:
    answer = await school.call("dara", "PUT", path.format(strange))
    assert answer.status_code in {404, 422}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x", "Basic ZGFyYQ==", "Bearer a.b.c"])
async def test_without_a_valid_token(school: School, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = await school.client.post("/posts", json={"content": "x"}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_text_that_looks_like_sql_or_a_parameter_is_just_text(school: School) -> None:
    text = "'); DROP TABLE posts; -- %(viewer)s %s {shown} \\ ; $$ é"
    post = await school.post("dara", content=text, title=text, topicTags=[text[:50]])
    assert school.one("SELECT content FROM posts WHERE id = %s", post) == text
    await school.call("dara", "PATCH", f"/posts/{post}", {"title": text + "!"})
    assert school.one("SELECT title FROM posts WHERE id = %s", post) == text + "!"
