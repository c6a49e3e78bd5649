"""How fast "who to follow" is among many follows: through the API, as SQL alone, and as the plan wrote that SQL.

The plan promises less than 50 ms at up to 500,000 follows (Phase 5). Its statement counts mutual follows and asks
nobody's leave; ours leaves out whom the viewer may not see, so it reads more and must still be within the bound.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, Final

import orjson

from app.bench import steady
from app.bench.percentiles import percentiles
from app.bench.servers import Servers
from app.bench.stage import Stage
from app.bench.steady import Person, Question
from consumers.embeddings.suggestions import suggest
from producers.synthetic.load import load
from producers.synthetic.network import Network
from producers.synthetic.size import Size
from runtime.access import Viewer, load_scope
from runtime.postgres import Connection, connect, fetch_rows

Say = Callable[[str], None]

BOUND_MS: Final = 50.0
_SUGGESTED: Final = 10
#: The plan's statement, on the tables as they are really called.
_PLAN_SQL: Final = """
WITH my_network AS (
    SELECT "followingId" FROM follows WHERE "followerId" = %(viewer)s
), second_degree AS (
    SELECT f."followingId" AS suggested_id, count(*) AS mutual_count
      FROM follows f JOIN my_network n ON f."followerId" = n."followingId"
     WHERE f."followingId" <> %(viewer)s AND f."followingId" NOT IN (SELECT "followingId" FROM my_network)
     GROUP BY f."followingId" ORDER BY mutual_count DESC LIMIT 10
)
SELECT u.id, u."firstName", u."profilePictureUrl", u."schoolId", s.mutual_count
  FROM second_degree s JOIN users u ON u.id = s.suggested_id
"""


@dataclass(frozen=True, slots=True)
class Load:
    """How large the network is, how many ask, and how often."""

    users: int
    follows: int
    viewers: int
    rate: float
    seconds: float


async def measure(on: Servers, size: Load, say: Say) -> dict[str, Any]:
    """All figures."""
    stage = Stage(on)
    async with connect(on.database_url, autocommit=True, name="bench-graph") as conn:
        say(f"a network of {size.users:,} people and {size.follows:,} follows …")
        network = Network(Size(users=size.users, posts=100, follows=size.follows, views=0))
        written = (await load(conn, network)).written
        await conn.execute("VACUUM (ANALYZE)")
        viewers = await steady.people(stage, conn, size.viewers)
        say(f"{size.rate:g} questions a second …")
        with stage.api(without="REDIS_") as url:
            questions = [
                Question("/users/suggestions", viewers[number % len(viewers)], {"limit": str(_SUGGESTED)})
                for number in range(int(size.rate * size.seconds))
            ]
            answers = await steady.ask(url, questions, rate=size.rate)
        told = [orjson.loads(answer.body)["data"] for answer in answers if answer is not None]
        say("our statements alone, then the plan's …")
        ours = await _times(viewers, lambda viewer: _ours(conn, viewer))
        plan = await _times(viewers, lambda viewer: fetch_rows(conn, _PLAN_SQL, {"viewer": viewer.id}))
    return {
        "api": {
            "rate": size.rate,
            **steady.figures(answers),
            "suggested_by_mutual_follows": sum(one["reason"] == "mutual" for data in told for one in data),
            "suggested": sum(len(data) for data in told),
        },
        "our_sql": ours,
        "plan_sql": plan,
        "plan_bound_ms": BOUND_MS,
        "size": {**asdict(size), "follows": written["follows"]},
    }


async def _ours(conn: Connection, viewer: Person) -> object:
    """Everything between question and cards, blocks and classmates included."""
    scope = await load_scope(conn, Viewer(viewer.id, viewer.role, viewer.school))

    async def nobody() -> list[str]:
        return []

    return await suggest(conn, scope, nobody, _SUGGESTED)


async def _times(viewers: Sequence[Person], ask: Callable[[Person], Awaitable[object]]) -> dict[str, float]:
    """Milliseconds, one viewer after the other, after one that does not count."""
    await ask(viewers[0])
    taken = []
    for viewer in viewers:
        started = perf_counter()
        await ask(viewer)
        taken.append(1000 * (perf_counter() - started))
    return percentiles(taken)
