"""The profile for stores that are paid by the command: what an idle day asks of Redis, and what an event costs.

Commands are counted by Redis itself, on the whole running stack. A window of seconds sees whatever polls; what is due
less often than that is added from the profile's own numbers. The relay sends scripts and nothing else; commands
inside a script are Redis's, not ours, so what an event costs there is the number of scripts.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from app.status import _REDIS_TRUSTED
from app.views import CONSUMERS
from consumers.engine.options import Options
from outbox.relay.settings import RelaySettings
from runtime.settings import Profile
from tests.acceptance.conftest import Stack, start
from tests.support.wait import until

DAY = 86_400
WINDOW = 20.0
QUIET = 4.0
IDLE_PER_DAY = 5_000
EVENTS = 20_000
RELAY_PER_EVENT = 0.02
_OF_CONSUMERS = ("stunity-consumer", "stunity-feeds")

_PEOPLE = """
INSERT INTO schools (id, name, email, slug, "updatedAt") VALUES ('s1', 'School', 's1@example.org', 's1', now());
INSERT INTO users (id, "firstName", "lastName", email, password, "schoolId", "updatedAt")
VALUES ('u1', 'Sok', 'Dara', 'u1@example.org', 'x', 's1', now());
INSERT INTO posts (id, "authorId", "schoolId", content, "updatedAt")
SELECT 'p' || n, 'u1', 's1', 'Lesson ' || n, now() FROM generate_series(1, 100) n;
"""
_VIEWS = """
INSERT INTO post_views (id, "postId", "userId")
SELECT %(run)s || n, 'p' || 1 + n %% 100, 'u1' FROM generate_series(1, %(count)s) n
"""


@pytest.fixture(scope="module")
def economy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own with STUNITY_PROFILE=economy, its views filled and in sync."""
    home = tmp_path_factory.mktemp("economy")
    home.parent.chmod(0o755)  # PostgreSQL runs as another user when the tests run as root
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUNITY_PROFILE", "economy")
        patch.setenv(
            "VERIFY_EVERY_MINUTES", "0"
        )  # once a day, and what it costs depends on the school's size
        try:
            yield start(home)
        finally:
            _down(home)


def _down(home: Path) -> None:
    command = [sys.executable, "-m", "app.cli", "down"]
    subprocess.run(
        command, env={**os.environ, "STUNITY_HOME": str(home)}, check=False, timeout=60, capture_output=True
    )


class Meter:
    """What Redis says it has been asked."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, client_name="meter")
        self._seen: tuple[dict[str, int], float] = {}, 0.0

    def commands(self) -> dict[str, int]:
        """By name, since the server's start, without the meter's own; those inside scripts too."""
        found: dict[str, Any] = self._client.info("commandstats")
        mine = {"info", "client|list", "client|setname", "client|setinfo", "auth", "hello"}
        calls = {name.removeprefix("cmdstat_"): entry["calls"] for name, entry in found.items()}
        return {name: count for name, count in calls.items() if name not in mine}

    def quiet(self) -> bool:
        """Whether nobody has asked anything for a while; to be called again and again."""
        found, now = self.commands(), time.monotonic()
        if found != self._seen[0]:
            self._seen = found, now
        return now > self._seen[1] + QUIET

    def sent(self, *names: str) -> dict[str, int]:
        """Commands of the connections with these names, by connection id."""
        clients: list[dict[str, str]] = self._client.client_list()
        return {client["id"]: int(client["tot-cmds"]) for client in clients if client["name"] in names}

    def waiting(self) -> int:
        """How many connections are inside a blocking read."""
        clients: list[dict[str, str]] = self._client.client_list()
        return sum(1 for client in clients if "b" in client["flags"] and client["cmd"] == "xreadgroup")


def _difference(before: dict[str, int], after: dict[str, int]) -> int:
    return sum(count - before.get(name, 0) for name, count in after.items())


def _due_less_often() -> dict[str, float]:
    """Commands a day whose period is longer than the window, by what sends them."""
    engine = Options.of(Profile.ECONOMY)
    relay = RelaySettings(database_url="", replication_url="", redis_url="").economical()
    return {
        "blocking reads": len(CONSUMERS) * DAY / engine.block,
        "the feeds' store is looked at": DAY / engine.store_check,
        "the relay looks whether Redis stands where it left it": DAY / relay.idle_check_interval,
        "streams are trimmed": len(CONSUMERS) * DAY / engine.trim,
        "readiness probes": DAY / _REDIS_TRUSTED[Profile.ECONOMY],
    }


@pytest.mark.timeout(240)
async def test_an_idle_day_fits_a_free_tier(economy: Stack) -> None:
    meter = Meter(economy.environment["REDIS_URL"])
    await until(lambda: meter.waiting() == len(CONSUMERS), timeout=60, what="all consumers wait for entries")
    await until(meter.quiet, timeout=90, what="the start is over")
    due = _due_less_often()
    assert all(DAY / count > WINDOW for count in due.values()), "the window would count these once more"
    before, begun = meter.commands(), time.monotonic()
    async with httpx.AsyncClient(base_url=economy.environment["API_URL"]) as probe:
        while (seconds := time.monotonic() - begun) < WINDOW:
            answer = await probe.get("/readyz")  # as often as load balancers ask
            assert answer.json()["dependencies"]["redis"] == "up"
            await asyncio.sleep(0.5)
    polled = _difference(before, after := meter.commands())
    per_day = polled * DAY / seconds + sum(due.values())
    sys.stdout.write(f"idle: {per_day:,.0f} commands a day\n")  # pytest -rP shows it
    assert per_day <= IDLE_PER_DAY, {name: count - before.get(name, 0) for name, count in after.items()}


@pytest.mark.timeout(240)
async def test_an_event_costs_next_to_nothing(economy: Stack) -> None:
    meter = Meter(economy.environment["REDIS_URL"])
    with economy.connect() as conn:
        conn.execute(_PEOPLE)
        await until(lambda: _is_everywhere(economy), timeout=60, what="the posts are in every view")
        before, before_consumers = meter.commands(), meter.sent(*_OF_CONSUMERS)
        for batch in range(20):
            conn.execute(_VIEWS, {"run": f"v{batch}-", "count": EVENTS // 20})
        counted = "SELECT count(*) FROM analytics.post_views_ts"
        await until(lambda: conn.execute(counted).fetchone() == (EVENTS,), timeout=90, what="all are told")
    after = meter.commands()
    # The consumers' scripts are among these: an upper bound for the relay's.
    relay = (after["evalsha"] - before["evalsha"]) / EVENTS
    consumers = _difference(before_consumers, meter.sent(*_OF_CONSUMERS)) / EVENTS
    sys.stdout.write(f"commands per event: relay {relay:.4f} at most, all consumers {consumers:.4f}\n")
    assert 0 < relay <= RELAY_PER_EVENT
    assert 0 < consumers <= RELAY_PER_EVENT
    appended = after["xadd"] - before["xadd"]
    assert appended >= EVENTS, "they did go through Redis"


def _is_everywhere(stack: Stack) -> bool:
    answer = httpx.get(f"{stack.environment['API_URL']}/readyz").json()
    with stack.connect() as conn:
        told = conn.execute("SELECT count(*) FROM outbox.events WHERE topic = 'post'").fetchone()
    views = answer["consumers"].values()
    return told is not None and told[0] >= 100 and all(view["lagMs"] == 0 for view in views)
