"""How fast a feed is: a first page, the same again, one that the client has already, and while others write.

Against them, in the same run: the API without Redis, and the three queries by which upstream's ranker chooses its
candidates at every refresh, before it has scored one of them. The plan names no bound in milliseconds; it wants the
second load of the same feed to be a 304 (Phase 1, checklist), so those are counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any, Final

from app.bench import steady
from app.bench.percentiles import percentiles
from app.bench.search.truth import sentences
from app.bench.servers import Servers
from app.bench.stage import Stage, live, relay_idle
from app.bench.steady import Answers, Person, Question
from producers.synthetic.load import load
from producers.synthetic.network import Network
from producers.synthetic.size import Size
from runtime.access import POST_VISIBLE, Scope, Viewer, load_scope
from runtime.postgres import Connection, connect, fetch_rows

Say = Callable[[str], None]

#: PostgreSQL alone is asked at this part of the rate: it ranks from rows, every time.
_PART_FOR_THE_TRUTH: Final = 5
_NOT_MODIFIED: Final = 304

_FOLLOWS_SQL: Final = 'SELECT "followingId" FROM follows WHERE "followerId" = %s'
_CARD: Final = 'p.id, p.content, p."authorId", p."postType", p."topicTags", p."likesCount", p."createdAt"'
_POOL: Final = f'SELECT {_CARD} FROM posts p JOIN users a ON a.id = p."authorId" WHERE {POST_VISIBLE}'  # noqa: S608
#: Upstream's pools: relevance, trending, exploration. Its clock is the newest post's, for the network has its own time.
_UPSTREAM: Final = (
    f"""{_POOL} AND p."createdAt" > %(now)s - interval '14 days'
        ORDER BY p."isPinned" DESC, p."trendingScore" DESC, p."createdAt" DESC LIMIT 120""",
    f"""{_POOL} AND p."createdAt" > %(now)s - interval '24 hours' AND p."trendingScore" > 0.1
        ORDER BY p."trendingScore" DESC LIMIT 100""",
    f"""{_POOL} AND p."createdAt" > %(now)s - interval '7 days' AND p."authorId" <> ALL (%(known)s)
        ORDER BY p."likesCount" DESC LIMIT 60""",
)


@dataclass(frozen=True, slots=True)
class Load:
    """How large the network is, how many read it, and how often."""

    users: int
    posts: int
    follows: int
    viewers: int
    rate: float
    seconds: float
    writes: float


async def measure(on: Servers, size: Load, say: Say) -> dict[str, Any]:
    """All figures."""
    stage = Stage(on)
    async with connect(on.database_url, autocommit=True, name="bench-feed") as conn:
        say(f"a network of {size.users:,} people, {size.posts:,} posts and {size.follows:,} follows …")
        await load(conn, Network(Size(users=size.users, posts=size.posts, follows=size.follows, views=0)))
        await conn.execute("VACUUM (ANALYZE)")
        viewers = await steady.people(stage, conn, size.viewers)
        with stage.process("relay"), stage.process("consume", "feeds"):
            say("the pools are filled …")
            await relay_idle(conn)
            await live(conn, "feeds")
            with stage.api() as url:
                from_view = await _from_view(stage, url, viewers, size, say)
        say("PostgreSQL alone …")
        with stage.api(without="REDIS_") as url:
            few = int(size.rate * size.seconds / _PART_FOR_THE_TRUTH)
            alone = await steady.ask(url, _pages(viewers, few), rate=size.rate / _PART_FOR_THE_TRUTH)
        say("upstream's three queries …")
        upstream = await _upstream(conn, viewers)
    return {
        **from_view,
        "postgres_alone": {"rate": size.rate / _PART_FOR_THE_TRUTH, **_figures(alone)},
        "upstream_candidates_sql": upstream,
        "size": asdict(size),
    }


async def _from_view(
    stage: Stage, url: str, viewers: Sequence[Person], size: Load, say: Say
) -> dict[str, Any]:
    count = int(size.rate * size.seconds)
    say(f"first pages of {len(viewers)} viewers, {size.rate:g} a second …")
    first = await steady.ask(url, _pages(viewers, len(viewers)), rate=size.rate, warm_up=0)
    etags = [answer.headers.get("ETag") if answer else None for answer in first]
    say("the same again …")
    again = await steady.ask(url, _pages(viewers, count), rate=size.rate)
    say("by clients that have it already …")
    known = [
        replace(page, etag=etags[number % len(viewers)]) for number, page in enumerate(_pages(viewers, count))
    ]
    unchanged = await steady.ask(url, known, rate=size.rate)
    say(f"while {size.writes:g} posts a second are written …")
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(
            steady.write(
                stage, viewers, sentences(), rate=size.writes, seconds=size.seconds if size.writes else 0
            )
        )
        moving = await steady.ask(url, _pages(viewers, count), rate=size.rate)
    return {
        "first_page": _figures(first),
        "again": _figures(again),
        "not_modified": {
            **_figures(unchanged),
            "answered_304": sum(
                answer is not None and answer.status == _NOT_MODIFIED for answer in unchanged
            ),
        },
        "while_writing": {**_figures(moving), "posts_written": writing.result()},
    }


def _pages(viewers: Sequence[Person], count: int) -> list[Question]:
    return [Question("/feed", viewers[number % len(viewers)]) for number in range(count)]


def _figures(answers: Answers) -> dict[str, Any]:
    kept = sum(answer is not None and answer.headers.get("X-Cache") == "HIT" for answer in answers)
    return {**steady.figures(answers), "from_a_kept_list": kept}


async def _upstream(conn: Connection, viewers: Sequence[Person]) -> dict[str, float]:
    """Milliseconds of all three, one viewer after the other."""
    [(now,)] = await fetch_rows(conn, 'SELECT max("createdAt") FROM posts')
    taken = []
    for viewer in viewers:
        scope: Scope = await load_scope(conn, Viewer(viewer.id, viewer.role, viewer.school))
        follows = [row[0] for row in await fetch_rows(conn, _FOLLOWS_SQL, (viewer.id,))]
        params = {**scope.params(), "now": now, "known": [viewer.id, *follows]}
        started = perf_counter()
        for query in _UPSTREAM:
            await fetch_rows(conn, query, params)
        taken.append(1000 * (perf_counter() - started))
    return percentiles(taken)
