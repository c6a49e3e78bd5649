"""The story of the demo: two posts travel through every view, are edited, liked and deleted, and stay in their school.

Every line of the report is measured on the running stack; a line that cannot be measured makes the demo fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import redis.asyncio

from app.demo.client import Person
from app.demo.measure import Outcome, effect
from app.demo.stores import committed_at, embedded, in_stream
from runtime.postgres import Connection

ENGLISH: Final = {
    "title": "Limits, slopes and the road to calculus",
    "content": "Today we began calculus: the **derivative** tells how fast $f(x)$ changes at one point. #StudyTips",
    "topicTags": ["Mathematics", "StudyTips"],
}
#: "Pupils learn about photosynthesis of green leaves in the biology garden"; no spaces between the words.
KHMER: Final = {
    "title": "មេរៀនជីវវិទ្យាថ្នាក់ទី១០",
    "content": "សិស្សរៀនអំពីរស្មីសំយោគរបស់ស្លឹកឈើបៃតងនៅក្នុងសួនជីវវិទ្យា។ #ជីវវិទ្យា 🌱",
    "topicTags": ["ជីវវិទ្យា", "Biology"],
}
KHMER_WORD: Final = "រស្មីសំយោគ"  # photosynthesis, from the middle of the sentence
SAME_SUBJECT: Final = {
    "content": "Differentiation finds the slope of a curve at any point, how quickly a function changes there.",
    "topicTags": ["Physics"],
}
SAME_HASHTAG: Final = {
    "content": "Football training moves to Saturday morning, bring water and your shoes. #StudyTips",
    "topicTags": ["Mathematics", "StudyTips"],
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything the story needs: three people, and the stores to look behind the API."""

    author: Person
    follower: Person
    stranger: Person
    db: Connection
    redis: redis.asyncio.Redis
    streams: list[str]


async def play(stage: Stage) -> AsyncIterator[tuple[str, list[Outcome]]]:
    """The chapters of the story, each with what was seen."""
    await stage.follower.call("PUT", f"/users/{stage.author.id}/follow")
    english = await stage.author.post(**ENGLISH, visibility="SCHOOL", postType="ARTICLE")
    yield "An English post", await _travel(stage, english, "calculus")
    khmer = await stage.author.post(**KHMER, visibility="SCHOOL", postType="TUTORIAL")
    yield "A Khmer post", await _travel(stage, khmer, KHMER_WORD)
    yield "Search", await _search(stage, english, khmer)
    yield "Similar posts", await _similar(stage, english)
    yield "Nobody of another school", await _tenants(stage, english, khmer)
    yield "Like, edit, delete", await _changes(stage, english, khmer)


async def _travel(stage: Stage, post_id: str, word: str) -> list[Outcome]:
    """From commit to every view."""
    committed = await committed_at(stage.db, post_id)

    async def streamed() -> bool:
        return await in_stream(stage.redis, stage.streams, post_id)

    async def searchable() -> bool:
        return post_id in await stage.follower.search(word)

    async def vectorised() -> bool:
        return await embedded(stage.db, post_id)

    async def in_feed() -> bool:
        return post_id in await stage.follower.feed()

    seen = list(
        await asyncio.gather(
            effect("in the stream", committed, streamed),
            effect("searchable", committed, searchable),
            effect("embedded", committed, vectorised),
            effect("in a follower's feed", committed, in_feed),
        )
    )
    await stage.follower.call("POST", f"/posts/{post_id}/views", json={"source": "feed", "duration": 12})
    viewed = await _last_view(stage.db, post_id)

    async def counted() -> bool:
        return bool((await stage.author.numbers(post_id))["totalViews"] == 1)

    return [*seen, await effect("its view counted in analytics", viewed, counted)]


async def _search(stage: Stage, english: str, khmer: str) -> list[Outcome]:
    typo, word = await stage.follower.search("calculs"), await stage.follower.search(KHMER_WORD)
    return [
        Outcome('"calculs" finds the calculus post', english in typo),
        Outcome(f"{KHMER_WORD} finds its sentence", khmer in word),
    ]


async def _similar(stage: Stage, english: str) -> list[Outcome]:
    subject = await stage.author.post(**SAME_SUBJECT, visibility="SCHOOL", postType="ARTICLE")
    hashtag = await stage.author.post(**SAME_HASHTAG, visibility="SCHOOL", postType="ARTICLE")
    committed = await committed_at(stage.db, hashtag)

    async def ranked() -> bool:
        ids = await stage.follower.similar(english)
        if not await embedded(stage.db, hashtag) or subject not in ids:
            return False
        return hashtag not in ids or ids.index(subject) < ids.index(hashtag)

    return [await effect("same subject in other words beats same hashtag", committed, ranked)]


async def _tenants(stage: Stage, *posts: str) -> list[Outcome]:
    found = set(await stage.stranger.search("calculus") + await stage.stranger.search(KHMER_WORD))
    found |= set(await stage.stranger.feed("FOR_YOU") + await stage.stranger.feed("RECENT"))
    return [Outcome("finds no SCHOOL post in search or feed", not found & set(posts))]


async def _changes(stage: Stage, english: str, khmer: str) -> list[Outcome]:
    await stage.follower.call("PUT", f"/posts/{english}/like", json={"reactionType": "INSIGHTFUL"})
    liked = await _now(stage.db)

    async def like_counted() -> bool:
        return bool((await stage.author.numbers(english))["likes"] == 1)

    outcomes = [await effect("a like counted in analytics", liked, like_counted)]
    await stage.author.call(
        "PATCH", f"/posts/{english}", json={"content": "We meet the hypotenuse in trigonometry."}
    )
    edited = await committed_at(stage.db, english)

    async def new_text() -> bool:
        return english in await stage.follower.search("hypotenuse")

    async def old_text_gone() -> bool:
        return english not in await stage.follower.search("derivative")

    outcomes.append(await effect("an edit: new words found", edited, new_text))
    outcomes.append(await effect("an edit: old words gone", edited, old_text_gone))
    await stage.author.call("DELETE", f"/posts/{khmer}")
    deleted = await committed_at(stage.db, khmer)

    async def gone() -> bool:
        return khmer not in await stage.follower.search(KHMER_WORD) + await stage.follower.feed()

    async def vector_gone() -> bool:
        return not await embedded(stage.db, khmer)

    outcomes.append(await effect("a delete: gone from search and feed", deleted, gone))
    outcomes.append(await effect("a delete: its vector gone", deleted, vector_gone))
    return outcomes


async def _now(db: Connection) -> float:
    [(seconds,)] = await (await db.execute("SELECT extract(epoch FROM clock_timestamp())::float8")).fetchall()
    return float(seconds)


async def _last_view(db: Connection, post_id: str) -> float:
    query = "SELECT extract(epoch FROM max(occurred_at))::float8 FROM outbox.events WHERE topic = 'view' AND key = %s"
    [(seconds,)] = await (await db.execute(query, (post_id,))).fetchall()
    return float(seconds)
