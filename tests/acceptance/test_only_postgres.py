"""With only DATABASE_URL set, every read answers from PostgreSQL, with what the views would give.

Two APIs look at the same truth: the stack's own, which reads all views, and one that knows nothing but PostgreSQL
(and so still reads the views that are kept there).
Tolerance: what is counted or ordered by time is equal; what is ranked by text or meaning shares its best answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import Stack

WORDS = ["derivative", "chemistry", "គណិតវិទ្យា", "history", "geography"]
IN_POSTGRES = {"postgres", "pgvector", "timescale"}
VIEWS = {"typesense", "redis", "pgvector", "timescale"}


@pytest.fixture(scope="module")
def teacher(stack: Stack) -> str:
    """A teacher with posts."""
    with stack.connect() as conn:
        [(user,)] = conn.execute(
            "SELECT u.id FROM users u JOIN posts p ON p.\"authorId\" = u.id WHERE u.role = 'TEACHER'"
            ' AND u."isActive" AND u."accountSuspendedAt" IS NULL GROUP BY u.id ORDER BY count(*) DESC, u.id LIMIT 1'
        ).fetchall()
    return str(user)


@pytest.fixture
def both(stack: Stack, lonely: str, teacher: str) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """The teacher at the stack's API and at the lonely one."""
    with (
        stack.person(teacher) as full,
        httpx.Client(base_url=lonely, headers=full.headers, timeout=20) as alone,
    ):
        yield full, alone


def ask(both: tuple[httpx.Client, httpx.Client], path: str, **params: Any) -> tuple[Any, Any]:
    """The bodies of both answers, after a look at who gave them."""
    full, alone = (client.get(path, params=params) for client in both)
    assert full.status_code == alone.status_code == 200, (path, full.text[:300], alone.text[:300])
    assert full.headers["Stunity-Source"] in VIEWS, (path, full.headers["Stunity-Source"])
    assert alone.headers["Stunity-Source"] in IN_POSTGRES
    return full.json(), alone.json()


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["data"]["id"] if "data" in item else item["id"] for item in items]


async def test_time_ordered_feeds_are_the_same(both: tuple[httpx.Client, httpx.Client]) -> None:
    for mode in ("RECENT", "FOLLOWING"):
        view, truth = ask(both, "/feed", mode=mode, limit=20)
        assert set(ids(view["data"])) == set(ids(truth["data"])) != set(), mode


async def test_the_ranked_feed_shares_its_posts(both: tuple[httpx.Client, httpx.Client]) -> None:
    view, truth = ask(both, "/feed", mode="FOR_YOU", limit=20)
    assert len(set(ids(view["data"])) & set(ids(truth["data"]))) >= 12


@pytest.mark.parametrize("word", WORDS)
async def test_search_shares_its_best_answers(both: tuple[httpx.Client, httpx.Client], word: str) -> None:
    view, truth = ask(both, "/posts", search=word, limit=10)
    best = ids(view["data"])[:5]
    wider = ids(both[1].get("/posts", params={"search": word, "limit": 50}).json()["data"])
    assert set(best) <= set(wider), word
    assert bool(truth["data"]) == bool(view["data"])


async def test_multi_search_and_suggestions_answer(both: tuple[httpx.Client, httpx.Client]) -> None:
    view, truth = ask(both, "/search", q="math", limit=5)
    assert view["data"].keys() == truth["data"].keys()
    ask(both, "/search/suggest", q="ma")


async def test_numbers_are_the_same(
    both: tuple[httpx.Client, httpx.Client], stack: Stack, teacher: str
) -> None:
    with stack.connect() as conn:
        posts = [
            row[0] for row in conn.execute('SELECT id FROM posts WHERE "authorId" = %s LIMIT 5', (teacher,))
        ]
        [(school,)] = conn.execute('SELECT "schoolId" FROM users WHERE id = %s', (teacher,)).fetchall()
    for post in posts:
        for period in ("24h", "90d"):
            view, truth = ask(both, f"/posts/{post}/analytics", period=period)
            assert view == truth
    view, truth = ask(both, f"/schools/{school}/activity", period="30d")
    assert view == truth


async def test_recommendations_answer(both: tuple[httpx.Client, httpx.Client], stack: Stack) -> None:
    with stack.connect() as conn:
        [(post,)] = conn.execute(
            "SELECT id FROM posts WHERE visibility = 'PUBLIC' ORDER BY id LIMIT 1"
        ).fetchall()
    for path in (
        f"/posts/{post}/similar",
        "/users/suggestions",
        "/recommendations/courses",
        "/recommendations/quizzes",
    ):
        answer = both[1].get(path)
        assert answer.status_code == 200, (path, answer.text[:300])
        assert answer.headers["Stunity-Source"] in IN_POSTGRES


async def test_writes_and_presence_work(both: tuple[httpx.Client, httpx.Client]) -> None:
    alone = both[1]
    written = alone.post(
        "/posts", json={"content": "Written without Redis", "visibility": "SCHOOL", "postType": "ARTICLE"}
    )
    assert written.status_code == 201
    assert written.headers["Stunity-Position"]
    assert alone.post("/users/heartbeat").status_code < 300
