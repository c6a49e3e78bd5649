"""The made-up network: the same for the same seed, with everything in it that the pipeline has to cope with."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from functools import cache
from typing import Any

import pytest

from producers.bodies import NewComment, NewPost
from producers.synthetic.network import Network, small
from producers.synthetic.size import Size
from runtime.errors import ConfigurationError

AS_OF = datetime.fromisoformat("2026-11-01")


def network(**sizes: Any) -> Network:
    return Network(
        Size(**{"users": 200, "posts": 600, "follows": 2_000, "views": 4_000, "as_of": AS_OF, **sizes})
    )


@cache
def rows(table: str) -> list[dict[str, Any]]:
    """A table of the network that most tests look at."""
    return network().rows(table)


@pytest.fixture
def posts() -> list[dict[str, Any]]:
    return rows("posts")


def as_text(made: Network) -> dict[str, list[str]]:
    return {table.name: [repr(_plain(row)) for row in table.rows()] for table in made.tables()}


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(getattr(value, "obj", value) for value in row)


def test_the_same_seed_gives_the_same_rows() -> None:
    assert as_text(network(posts=80)) == as_text(network(posts=80))


def test_another_seed_or_size_gives_another_network_with_ids_of_its_own() -> None:
    ids = [
        row["id"]
        for sizes in ({"posts": 80}, {"posts": 81}, {"posts": 80, "seed": 2})
        for row in network(**sizes).rows("users")
    ]
    assert len(set(ids)) == 600


def test_the_clock_moves_times_and_nothing_else() -> None:
    early, late = (
        network(posts=80, as_of=moment).rows("posts")
        for moment in (AS_OF, datetime.fromisoformat("2026-11-02"))
    )
    for one, other in zip(early, late, strict=True):
        assert (one["id"], one["content"], one["likesCount"]) == (
            other["id"],
            other["content"],
            other["likesCount"],
        )
        assert (other["createdAt"] - one["createdAt"]).days == 1


@pytest.mark.parametrize("sizes", [{"users": 3}, {"posts": 0}, {"schools": 0}, {"views": -1}])
def test_impossible_sizes_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        network(**sizes)


@pytest.mark.parametrize(
    ("table", "column", "values"),
    [
        ("posts", "postType", 17),
        ("posts", "visibility", 4),
        ("users", "role", 8),
        ("users", "profileVisibility", 4),
        ("study_clubs", "mode", 3),
        ("study_clubs", "clubType", 4),
        ("courses", "level", 4),
        ("courses", "isPublished", 2),
        ("likes", "reactionType", 4),
        ("post_views", "source", 4),
        ("club_members", "isActive", 2),
    ],
)
def test_everything_that_there_may_be_is_there(table: str, column: str, values: int) -> None:
    assert len({row[column] for row in rows(table)}) == values


def test_even_fifty_posts_have_every_type() -> None:
    assert len({row["postType"] for row in small().rows("posts")}) == 17


def test_posts_are_such_as_the_api_would_take(posts: list[dict[str, Any]]) -> None:
    for post in posts:
        NewPost(
            content=post["content"],
            title=post["title"],
            post_type=post["postType"],
            visibility=post["visibility"],
            topic_tags=post["topicTags"] or [],
            media_urls=post["mediaUrls"] or [],
        )
    for comment in rows("comments"):
        NewComment(content=comment["content"])


@pytest.mark.parametrize(
    ("what", "least"),
    [
        ("[\u1780-\u17ff]", 0.5),
        ("[a-z]{3}", 0.6),
        ("[\u1780-\u17ff].*[a-z]{3}|[a-z]{3}.*[\u1780-\u17ff]", 0.3),
        ("[\u1780-\u17ff]{25}", 0.3),
        ("\u200b", 0.03),
        ("[០-៩]", 0.1),
        ("។", 0.3),
        (r"\$.+\$", 0.05),
        (r"\*\*.+\*\*", 0.1),
        (r"#\w*[a-zA-Z]", 0.3),
        ("#[\u1780-\u17ff]", 0.1),
        ("[\U0001f300-\U0001faff✏⭐]", 0.2),
        (r"\n(1\.|-) ", 0.05),
    ],
)
def test_texts_are_as_mixed_as_real_ones(posts: list[dict[str, Any]], what: str, least: float) -> None:
    share = sum(bool(re.search(what, post["content"], re.DOTALL)) for post in posts) / len(posts)
    assert share >= least


def test_no_place_in_a_phrase_stays_empty() -> None:
    made = network(posts=800)
    texts = [
        str(row[name])
        for table in ("posts", "comments", "study_clubs", "courses", "users", "club_materials")
        for row in made.rows(table)
        for name in ("title", "content", "name", "description", "bio", "headline")
        if name in row
    ]
    assert not [text for text in texts if re.search(r"\{(n|m|grade|topic|subject)\}|\|(?! វិទ្យាល័យ)", text)]


def test_tags_come_in_every_spelling(posts: list[dict[str, Any]]) -> None:
    tags = {tag for post in posts for tag in post["topicTags"] or []}
    for spelling in ("[A-Z][a-z]+[A-Z][a-z]+$", "[a-z]+(-[a-z0-9]+)+$", "[a-z]+$", "[\u1780-\u17ff]+$"):
        assert any(re.match(spelling, tag) for tag in tags), spelling
    assert any(post["topicTags"] is None for post in posts)


def test_most_texts_are_different(posts: list[dict[str, Any]]) -> None:
    assert len({post["content"] for post in posts}) > 0.98 * len(posts)


def test_a_few_have_most_followers_and_most_views() -> None:
    made = network(users=300, posts=1_000, follows=3_000, views=10_000)
    followers = sorted(Counter(row["followingId"] for row in made.rows("follows")).values(), reverse=True)
    views = sorted(Counter(row["postId"] for row in made.rows("post_views")).values(), reverse=True)
    assert sum(followers[:30]) > 0.25 * 3_000
    assert sum(views[:10]) > 0.2 * len(made.rows("post_views"))
    assert len(made.rows("follows")) == 3_000
    assert len(made.rows("post_views")) == 10_000


def test_counters_are_those_of_the_rows(posts: list[dict[str, Any]]) -> None:
    for table, counter in (("likes", "likesCount"), ("comments", "commentsCount")):
        counted = Counter(row["postId"] for row in rows(table))
        assert all(post[counter] == counted[post["id"]] for post in posts)
    views = Counter(row["postId"] for row in rows("post_views"))
    assert all(post["viewsCount"] >= views[post["id"]] for post in posts)


def test_nothing_happens_twice_or_too_early(posts: list[dict[str, Any]]) -> None:
    born = {post["id"]: post["createdAt"] for post in posts}
    likes, views = rows("likes"), rows("post_views")
    assert len({(row["postId"], row["userId"]) for row in likes}) == len(likes)
    hours = {(row["postId"], row["userId"], row["viewedAt"].replace(minute=0, second=0)) for row in views}
    assert len(hours) == len(views)
    assert all(born[row["postId"]] <= row["viewedAt"] <= AS_OF for row in views)
    assert all(born[row["postId"]] <= row["createdAt"] <= AS_OF for row in likes)
    assert min(born.values()) < datetime.fromisoformat("2026-08-20")
    assert max(born.values()) > datetime.fromisoformat("2026-10-31")


def test_answers_hang_on_first_level_comments_of_the_same_post() -> None:
    comments = {row["id"]: row for row in network(posts=100, users=400).rows("comments")}
    answers = [row for row in comments.values() if row["parentId"]]
    assert answers
    for answer in answers:
        parent = comments[answer["parentId"]]
        assert parent["parentId"] is None
        assert parent["postId"] == answer["postId"]


@pytest.mark.parametrize("seed", range(5))
def test_the_core_of_every_network_can_be_relied_on(seed: int) -> None:
    made = small(seed)
    core = {made.people.user_id(number) for number in range(made.size.core)}
    people = [row for row in made.rows("users") if row["id"] in core]
    assert {"SUPER_ADMIN", "PRINCIPAL", "TEACHER", "STUDENT"} <= {row["role"] for row in people}
    for row in people:
        assert row["isActive"]
        assert row["socialFeaturesEnabled"]
        assert row["profileVisibility"] in {"PUBLIC", "SCHOOL"}
    assert not core & {row[end] for row in made.rows("user_blocks") for end in ("blockerId", "blockedId")}


def test_the_smallest_network_there_may_be() -> None:
    made = network(users=6, posts=1, follows=0, views=0, schools=1)
    assert {len(made.rows(table)) for table in ("posts", "schools")} == {1}
    assert made.rows("user_blocks") == made.rows("follows") == made.rows("post_views") == []
