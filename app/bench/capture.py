"""What writing an event adds to a post's insert and to a counter's update: triggers, `outbox.emit`, Python's `append`.

Always against the same table with capture removed. Within a round every variant runs once, in another order each
time; a ratio is the median of the rounds' ratios. No relay runs: it would take CPU from what is measured, and only
its flag (asleep: writers must NOTIFY) touches a writer. Asleep is the worst case: a real one wakes at the first NOTIFY.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

import psutil
import psycopg

from app.bench.clients import Load, pgbench, python
from outbox import capture
from runtime.postgres import connect

_POSTS: Final = 10_000
_SETUP: Final = f"""
INSERT INTO schools (id, name, email, slug, "updatedAt") VALUES ('bench-school', 'Bench', 'b@bench', 'bench', now());
INSERT INTO users (id, "firstName", "lastName", email, password, "schoolId", "updatedAt")
VALUES ('bench-author', 'A', 'B', 'a@bench', 'x', 'bench-school', now());
INSERT INTO posts (id, "authorId", "schoolId", content, "updatedAt")
SELECT 'bench-' || n, 'bench-author', 'bench-school', repeat('How rivers carry stones. ', 12), now()
  FROM generate_series(1, {_POSTS}) n;
"""  # noqa: S608 - a constant

_VALUES: Final = """
INSERT INTO posts (id, "authorId", "schoolId", title, content, "topicTags", visibility, "updatedAt")
VALUES (gen_random_uuid(), 'bench-author', 'bench-school', 'How rivers carry stones',
        repeat('How rivers carry stones, sand and mud to the sea, and what they build there. ', 4),
        '{rivers,geography}', 'SCHOOL', now())
"""
_INSERT: Final = f"{_VALUES};"
#: One statement, so that what is measured is `emit` and not two more round trips.
_EMIT: Final = f"""
WITH written AS ({_VALUES} RETURNING *)
SELECT outbox.emit('post', 'post.created', id, jsonb_build_object(
           'id', id, 'authorId', "authorId", 'schoolId', "schoolId", 'title', title, 'content', content,
           'topicTags', "topicTags", 'visibility', visibility, 'isPinned', "isPinned", 'createdAt', "createdAt"))
  FROM written;
"""  # noqa: S608 - constants
_UPDATE: Final = f"""
\\set post random(1, {_POSTS})
UPDATE posts SET "likesCount" = "likesCount" + 1, "updatedAt" = now() WHERE id = 'bench-' || :post;
"""  # noqa: S608 - a constant
_ROWS: Final = 20_000
_MANY_INSERTS: Final = f"DO $$ BEGIN FOR i IN 1..{_ROWS} LOOP {_INSERT} END LOOP; END $$"
_MANY_UPDATES: Final = f"""DO $$ BEGIN FOR i IN 1..{_ROWS} LOOP
UPDATE posts SET "likesCount" = i WHERE id = 'bench-' || (1 + i % {_POSTS}); END LOOP; END $$"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to do one thing."""

    name: str
    bare: str
    captured: bool
    asleep: bool
    run: Callable[[str, int, float], Load]


def _sql(script: str) -> Callable[[str, int, float], Load]:
    return lambda url, clients, seconds: pgbench(url, script, clients=clients, seconds=seconds)


def _python(*, with_append: bool) -> Callable[[str, int, float], Load]:
    return lambda url, clients, seconds: python(
        url, with_append=with_append, clients=clients, seconds=seconds
    )


VARIANTS: Final = (
    Variant("insert_bare", "", False, False, _sql(_INSERT)),
    Variant("insert_trigger", "insert_bare", True, False, _sql(_INSERT)),
    Variant("insert_trigger_asleep", "insert_bare", True, True, _sql(_INSERT)),
    Variant("insert_emit", "insert_bare", False, False, _sql(_EMIT)),
    Variant("insert_emit_asleep", "insert_bare", False, True, _sql(_EMIT)),
    Variant("insert_python_bare", "", False, False, _python(with_append=False)),
    Variant("insert_append", "insert_python_bare", False, False, _python(with_append=True)),
    Variant("insert_append_asleep", "insert_python_bare", False, True, _python(with_append=True)),
    Variant("update_bare", "", False, False, _sql(_UPDATE)),
    Variant("update_trigger", "update_bare", True, False, _sql(_UPDATE)),
    Variant("update_trigger_asleep", "update_bare", True, True, _sql(_UPDATE)),
)


def measure(
    url: str, *, clients: list[int], seconds: float, rounds: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run the rounds on a fresh, migrated database."""
    with psycopg.connect(url, autocommit=True) as conn, _listening(url):
        conn.execute(_SETUP)
        loads: dict[tuple[str, int], list[Load]] = {}
        chance = random.Random(1)  # noqa: S311 - the order of the variants
        for number in range(1, rounds + 1):
            for count in clients:
                say(f"round {number} of {rounds}, clients {count}")
                for variant in chance.sample(VARIANTS, len(VARIANTS)):
                    _prepare(conn, url, captured=variant.captured, asleep=variant.asleep)
                    loads.setdefault((variant.name, count), []).append(variant.run(url, count, seconds))
        cost = _row_costs(conn, url, rounds)
    return {**_ratios(loads, clients), "added_cpu_us_per_row": cost, **_figures(loads, clients)}


def _prepare(conn: psycopg.Connection, url: str, *, captured: bool, asleep: bool) -> None:
    asyncio.run(_capture(url, captured))
    conn.execute("SELECT outbox.relay_sleeps()" if asleep else "SELECT outbox.relay_wakes()")


async def _capture(url: str, installed: bool) -> None:
    async with connect(url, name="bench-capture") as conn:
        await (capture.install(conn, ["posts"]) if installed else capture.remove(conn, ["posts"]))


def _row_costs(conn: psycopg.Connection, url: str, rounds: int) -> dict[str, float]:
    """CPU time of the server alone that the triggers add to one row: free of commits, network and other processes."""
    spent: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, statement in (("insert", _MANY_INSERTS), ("counter_update", _MANY_UPDATES)):
            seconds = [_cpu(conn, url, statement, captured=captured) for captured in (False, True)]
            spent.setdefault(name, []).append(1e6 * (seconds[1] - seconds[0]) / _ROWS)
    return {name: round(median(values), 1) for name, values in spent.items()}


def _cpu(conn: psycopg.Connection, url: str, statement: str, *, captured: bool) -> float:
    _prepare(conn, url, captured=captured, asleep=False)
    backend = psutil.Process(conn.info.backend_pid)
    before = backend.cpu_times()
    conn.execute(statement.encode())
    after = backend.cpu_times()
    return float(after.user + after.system - before.user - before.system)


@contextmanager
def _listening(url: str) -> Iterator[None]:
    """Somebody hears the notifications, as the relay would."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("LISTEN stunity_outbox")
        stop = threading.Event()

        def drain() -> None:
            while not stop.is_set():
                for _ in conn.notifies(timeout=0.2):
                    pass

        thread = threading.Thread(target=drain, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(5)


def _ratios(loads: dict[tuple[str, int], list[Load]], clients: list[int]) -> dict[str, float]:
    """`tps_ratio_<variant>_<clients>`: 1 is as fast as the bare table."""
    found = {}
    for variant in (one for one in VARIANTS if one.bare):
        for count in clients:
            pairs = zip(loads[variant.name, count], loads[variant.bare, count], strict=True)
            ratio = median(mine.tps / bare.tps for mine, bare in pairs)
            name, asleep = variant.name.removesuffix("_asleep"), "_asleep" if variant.asleep else ""
            found[f"tps_ratio_{name}_{count}{asleep}"] = round(ratio, 3)
    return found


def _figures(loads: dict[tuple[str, int], list[Load]], clients: list[int]) -> dict[str, Any]:
    """Medians of every variant."""
    return {
        f"clients_{count}": {
            variant.name: {
                "tps": round(median(load.tps for load in loads[variant.name, count])),
                "p50_ms": round(median(load.p50_ms for load in loads[variant.name, count]), 3),
                "p99_ms": round(median(load.p99_ms for load in loads[variant.name, count]), 3),
            }
            for variant in VARIANTS
        }
        for count in clients
    }
