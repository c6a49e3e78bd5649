"""Asks every question in every way and counts: recall among ten, mean reciprocal rank, by part and kind of question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Any, Final

from app.bench.quality.cases import Case, plant, questions
from app.bench.quality.ways import TOP, Fallback, Found, Index, Way, candidates, shown
from app.bench.servers import SearchServers
from consumers.engine.projection import Batch
from consumers.search import truth, wiring
from consumers.search.schema import KINDS
from consumers.search.searches import open_searches
from consumers.search.store import open_typesense
from producers.synthetic.load import load
from producers.synthetic.network import Network
from producers.synthetic.size import Size
from runtime.access import Viewer, load_scope
from runtime.postgres import Connection, connect, fetch_rows, open_pool
from schemas.envelope import Event

#: What the product has to reach, by part.
BARS: Final = {"khmer": 0.95, "english": 0.95, "latin_typos": 0.9}
_TABLES: Final = {"posts": "posts", "users": "users", "clubs": "study_clubs", "courses": "courses"}
_TOPICS: Final = {"posts": "post", "users": "user", "clubs": "club", "courses": "course"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way made of one question."""

    case: Case
    recall: float
    reciprocal_rank: float


async def measure(on: SearchServers, *, posts: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Figures of all ways, and the questions on which the product falls short."""
    settings = on.settings
    async with AsyncExitStack() as stack:
        conn = await stack.enter_async_context(
            connect(settings.database_url, autocommit=True, name="bench-search")
        )
        pool = await stack.enter_async_context(open_pool(settings.database_url, name="bench-search"))
        store = await stack.enter_async_context(open_typesense(settings, timeout=30))
        searches = await stack.enter_async_context(open_searches(settings, timeout=30))
        view = await stack.enter_async_context(wiring.view(settings))
        assert view is not None
        network = Network(Size(users=200, posts=posts, follows=0, views=0))
        say(f"writing a network of {posts:,} posts …")
        await load(conn, network)
        await plant(conn, network.user_id("TEACHER", 0))
        await conn.execute("ANALYZE")
        async with wiring.projection(settings, pool) as projection:
            await projection.prepare()
            for batch in await _everything(conn):
                await projection.apply(batch)
        scope = await load_scope(conn, Viewer(*await _viewer(conn, network)))
        cases = await questions(conn, scope)
        rows = {kind: await truth.rows(conn, kind, await _keys(conn, kind)) for kind in KINDS}
        outcomes: dict[str, list[Outcome]] = {}
        ways: list[Way] = [Index(view, scope), Fallback(conn, scope), *candidates(store, searches)]
        for way in ways:
            say(f"{way.name}: {len(cases)} questions …")
            await way.fill(rows)
            outcomes[way.name] = [
                _judged(case, await shown(conn, scope, await way.ask(case.question))) for case in cases
            ]
    return _report(outcomes)


async def _everything(conn: Connection) -> Iterable[Batch]:
    now = datetime.now(UTC)
    events = [
        Event(1, 3, now, topic, f"{topic}.created.v1", key, {})
        for kind, topic in _TOPICS.items()
        for key in await _keys(conn, kind)
    ]
    return [Batch(events[at : at + 2000], "", 1, refill=True) for at in range(0, len(events), 2000)]


async def _keys(conn: Connection, kind: str) -> list[str]:
    return [row[0] for row in await fetch_rows(conn, f"SELECT id FROM {_TABLES[kind]} ORDER BY id")]  # noqa: S608


async def _viewer(conn: Connection, network: Network) -> tuple[str, str, str | None]:
    [(key, role, school)] = await fetch_rows(
        conn, 'SELECT id, role::text, "schoolId" FROM users WHERE id = %s', (network.user_id("STUDENT", 0),)
    )
    return key, role, school


def _judged(case: Case, found: Found) -> Outcome:
    hits = min(TOP, sum(answer[1] in found.get(answer[0], ()) for answer in case.answers))
    ranks = [found[kind].index(key) + 1 for kind, key in case.answers if key in found.get(kind, ())]
    return Outcome(case, hits / min(TOP, len(case.answers)), 1 / min(ranks) if ranks else 0.0)


def _report(outcomes: dict[str, list[Outcome]]) -> dict[str, Any]:
    product = {way: _by(outcomes[way], lambda one: one.case.part) for way in ("index", "fallback")}
    return {
        "questions": len(outcomes["index"]),
        "ways": {way: _by(found, lambda one: one.case.part) for way, found in outcomes.items()},
        "kinds": {
            way: _by(outcomes[way], lambda one: f"{one.case.part}.{one.case.sort}")
            for way in ("index", "fallback")
        },
        "bars": {part: product["index"][part]["recall"] >= bar for part, bar in BARS.items()},
        "missed": {
            way: [one.case.question for one in outcomes[way] if one.recall < 1]
            for way in ("index", "fallback")
        },
    }


def _by(outcomes: Sequence[Outcome], key: Callable[[Outcome], str]) -> dict[str, dict[str, float]]:
    groups: defaultdict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        groups[key(one)].append(one)
    return {
        name: {
            "recall": round(fmean(one.recall for one in group), 3),
            "mrr": round(fmean(one.reciprocal_rank for one in group), 3),
        }
        for name, group in groups.items()
    }
