"""Whatever is sent: problem details with a 4xx, never a 5xx, never a stack trace, nothing of it stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runtime.auth import issue
from tests.acceptance.conftest import Stack

POST = {"content": "text", "postType": "ARTICLE", "visibility": "SCHOOL"}
NASTY = [
    "' OR 1=1 --",
    "`) || id:=*",
    "schoolId:=* && x",
    "*",
    "\\",
    "%_%",
    "$(id)",
    "\u200b",
    "😀" * 40,
    "a" * 200,
    '"',
]


@pytest.fixture(scope="module")
def member(stack: Stack) -> Iterator[httpx.Client]:
    """Anybody of the network."""
    with stack.connect() as conn:
        [(user,)] = conn.execute(
            'SELECT id FROM users WHERE "isActive" AND "accountSuspendedAt" IS NULL ORDER BY id LIMIT 1'
        ).fetchall()
    with stack.person(user) as client:
        yield client


def assert_problem(response: httpx.Response, *statuses: int) -> None:
    assert response.status_code in statuses, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code
    assert "Traceback" not in response.text


def test_malformed_json(member: httpx.Client) -> None:
    answer = member.post("/posts", content=b'{"content": ', headers={"Content-Type": "application/json"})
    assert_problem(answer, 400, 422)


@pytest.mark.parametrize(
    "change",
    [
        {"postType": "POEM"},
        {"visibility": "EVERYBODY"},
        {"content": "nul \x00 here"},
        {"content": ""},
        {"content": 7},
        {"content": "x" * 50_001},
        {"topicTags": ["t"] * 21},
        {"unknown": True},
        {"title": "\ud800"},
    ],
    ids=lambda change: str(next(iter(change))),
)
def test_bodies_that_are_not_posts(member: httpx.Client, change: dict[str, Any]) -> None:
    body = json.dumps(POST | change)
    assert_problem(
        member.post("/posts", content=body, headers={"Content-Type": "application/json"}), 400, 422
    )


def test_a_body_of_a_megabyte(member: httpx.Client) -> None:
    assert_problem(member.post("/posts", json=POST | {"content": "x" * 1_048_576}), 413)


@pytest.mark.parametrize("query", NASTY)
@pytest.mark.parametrize(
    "path",
    [
        "/posts?search=",
        "/search?q=",
        "/search/suggest?q=",
        "/posts?schoolId=",
        "/posts?postType=",
        "/feed?cursor=",
    ],
)
def test_injection_is_just_text(member: httpx.Client, path: str, query: str) -> None:
    target, _, name = path.partition("?")
    answer = member.get(target, params={name.rstrip("="): query})
    if answer.status_code != 200:
        assert_problem(answer, 400, 404, 422)


@pytest.mark.parametrize(
    "path",
    [
        "/posts?limit=0",
        "/posts?limit=100000",
        "/posts?limit=x",
        "/posts?cursor=%00",
        "/posts?search=%00",
        "/search?q=%00",
        "/feed?mode=EVERYTHING",
        "/feed?cursor=v1.garbage",
    ],
)
def test_parameters_out_of_range(member: httpx.Client, path: str) -> None:
    assert_problem(member.get(path), 400, 422)


@pytest.mark.parametrize(
    "path", ["/posts/%00/analytics", "/posts/nobody/analytics", "/posts/nobody/similar", "/posts/nobody"]
)
def test_things_that_are_not(member: httpx.Client, path: str) -> None:
    assert_problem(member.get(path), 400, 404, 422)


@pytest.mark.parametrize("path", ["/posts", "/search?q=a", "/feed", "/users/suggestions", "/console"])
def test_nothing_without_a_valid_token(stack: Stack, path: str) -> None:
    secret, url = stack.environment["JWT_SECRET"], stack.environment["API_URL"]
    claims: dict[str, Any] = {"user": "nobody", "role": "SUPER_ADMIN", "school_id": None}
    tokens = [
        None,
        "garbage",
        issue("another secret, just as long as the right one", **claims),
        issue(secret, **claims, ttl=-10),
        issue(secret, **claims),
    ]
    for token in tokens:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        assert_problem(httpx.get(url + path, headers=headers), 401, 403)


def test_nothing_of_it_was_stored(stack: Stack, member: httpx.Client) -> None:
    with stack.connect() as conn:
        before = conn.execute("SELECT count(*) FROM posts").fetchone()
        test_malformed_json(member)
        test_a_body_of_a_megabyte(member)
        assert conn.execute("SELECT count(*) FROM posts").fetchone() == before
