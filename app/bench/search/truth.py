"""The truth of a search benchmark: a network of so many posts, ordinary or short ones, and what people ask for."""

from __future__ import annotations

from random import Random
from typing import Final

from producers import bulk
from producers.synthetic.lexicon import lexicon
from producers.synthetic.load import load
from producers.synthetic.network import Network
from producers.synthetic.size import Size
from runtime.postgres import Connection, fetch_rows

#: Users of the network, and posts of it when most are short ones.
USERS: Final = 2_000
_LONG_POSTS: Final = 2_000
_AT_A_TIME: Final = 5_000

_POST: Final = ("id", "authorId", "schoolId", "content", "visibility", "createdAt", "updatedAt")


async def fill(conn: Connection, posts: int, *, short: bool) -> None:
    """A network of so many posts; short ones are a sentence each, beside a small network of ordinary ones."""
    await load(
        conn,
        Network(Size(users=USERS, posts=min(posts, _LONG_POSTS) if short else posts, follows=0, views=0)),
    )
    if short:
        await _short_posts(conn, posts - _LONG_POSTS)
    await conn.execute("VACUUM (ANALYZE) posts, users, likes, comments")


async def _short_posts(conn: Connection, count: int) -> None:
    rng = Random(1)  # noqa: S311 - reproducible on purpose
    texts = sentences()
    authors = await fetch_rows(
        conn, 'SELECT id, "schoolId" FROM users WHERE "isActive" AND "accountSuspendedAt" IS NULL ORDER BY id'
    )
    for start in range(0, count, _AT_A_TIME):
        rows = []
        for number in range(start, min(start + _AT_A_TIME, count)):
            author, school = rng.choice(authors)
            visibility = "SCHOOL" if school is not None and rng.random() < 0.5 else "PUBLIC"
            when = f"2026-{1 + number % 9:02}-{1 + number % 28:02}"
            text = f"{rng.choice(texts)} {rng.choice(texts)}"
            rows.append((f"short{number}", author, school, text, visibility, when, when))
        await bulk.insert(conn, "posts", _POST, rows)


def sentences() -> list[str]:
    """Every sentence of the lexicon, in both languages."""
    topics = [topic for subject in lexicon().subjects for topic in subject.topics]
    return [
        text.replace("|", "").replace("{m}", "40").replace("{n}", "7")
        for topic in topics
        for text in (*topic.sentences_en, *topic.sentences_km)
    ]


def words() -> list[str]:
    """What people ask for: names of topics in both languages, single words, beginnings and misspelt ones."""
    rng = Random(2)  # noqa: S311 - reproducible on purpose
    topics = [topic for subject in lexicon().subjects for topic in subject.topics]
    english = [word for topic in topics for word in topic.en.split() if len(word) > 5]
    families = [name for pair in lexicon().people["family"] for name in pair]
    return [
        *(topic.km for topic in topics),
        *(topic.en for topic in topics),
        *english,
        *(word[:5] for word in rng.sample(english, 30)),
        *(_misspelt(rng, word) for word in rng.sample(english, 30)),
        *rng.sample(families, 20),
    ]


def _misspelt(rng: Random, word: str) -> str:
    at = rng.randrange(1, len(word) - 1)
    return word[:at] + word[at + 1 :]
