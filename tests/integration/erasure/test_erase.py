"""A person leaves every store: afterwards no table, key, document or log entry says who or what they were."""

from __future__ import annotations

import json
from typing import Any

import httpx
import psycopg
import pytest
import redis
from psycopg import sql
from psycopg.types.json import Jsonb

from app.erasure.process import Report, erase
from runtime.errors import ConfigurationError, Retryable
from runtime.settings import Settings
from schemas.registry import REGISTRY
from tests.integration.erasure.conftest import Consuming, Relaying, Verifying
from tests.integration.verify.conftest import named
from tests.support.network import Network

PERSON = "ckperson0001zephyrine"
NAME = "Quillfeather"
TEXT = "Hippopotomonstrosesquipedalian"
SECRETS = (PERSON, NAME, TEXT, TEXT.lower())
VIEWS = ("search", "feeds", "analytics")


@pytest.fixture
def network(connection: psycopg.Connection[Any]) -> Network:
    """Two people, of whom one goes; each has touched what is the other's."""
    made = Network(connection)
    made.school("north")
    made.user("borey", "north")
    made.user(PERSON, "north", firstName="Zephyrine", lastName=NAME, headline=TEXT, interests=[TEXT])
    made.post(PERSON, f"{TEXT} and more", "north", id="hers", title=TEXT, topicTags=[TEXT])
    made.post("borey", "what I think", "north", id="his")
    made.club(PERSON, f"Club of {NAME}", "north", id="herclub")
    made.club("borey", "Chess", "north", id="hisclub")
    made.member("hisclub", PERSON)
    for number, user in enumerate((PERSON, "borey")):
        for post in ("hers", "his"):
            at = f"{number}{post}"
            for statement in (
                'INSERT INTO likes (id, "postId", "userId") VALUES (%s, %s, %s)',
                'INSERT INTO bookmarks (id, "postId", "userId") VALUES (%s, %s, %s)',
                'INSERT INTO post_views (id, "postId", "userId") VALUES (%s, %s, %s)',
                """INSERT INTO comments (id, "postId", "authorId", content, "updatedAt")
                   VALUES (%s, %s, %s, 'nice', now())""",
            ):
                connection.execute(statement, (at, post, user))
    for key, (one, other) in {"f1": (PERSON, "borey"), "f2": ("borey", PERSON)}.items():
        connection.execute(
            'INSERT INTO follows (id, "followerId", "followingId") VALUES (%s, %s, %s)', (key, one, other)
        )
    return made


def scatter(conn: psycopg.Connection[Any], raw: redis.Redis) -> None:
    """What the person leaves in our own tables and caches."""
    conn.execute(
        """INSERT INTO engine.dead_letters
                  (consumer, state, waits, event_id, xid, occurred_at, topic, type, key, data, headers, reason)
           VALUES ('search', 'dead', false, 1, '5', now(), 'post', 'post.created.v1', 'hers', %s, '{}', %s)""",
        (json.dumps({"id": "hers", "authorId": PERSON, "content": TEXT}), f"400 no good: {PERSON}"),
    )
    for state in ("queued", "rejected", "consumed"):
        message = {"actor_name": "x", "args": [PERSON, TEXT], "kwargs": {}}
        conn.execute(
            "INSERT INTO dramatiq.queue (message_id, queue_name, state, message) "
            "VALUES (gen_random_uuid(), 'q', %s, %s)",
            (state, Jsonb(message)),
        )
    conn.execute("INSERT INTO live.revoked_tokens VALUES ('hash', %s, now() + interval '1 hour')", (PERSON,))
    conn.execute("INSERT INTO live.presence VALUES (%s, now())", (PERSON,))
    conn.execute(
        """INSERT INTO live.games (code, id, quiz_id, host_id, title, questions, question_seconds, points, speed_bonus,
                                   expires_at) VALUES ('123456', 'g', 'q', %s, %s, '[]', 1, 1, 1, now())""",
        (PERSON, TEXT),
    )
    raw.set(f"stunity:feed:{{{PERSON}}}:profile", "{}")
    raw.set("stunity:feed:{borey}:session:1", json.dumps([{"author": PERSON}]))
    raw.zadd("stunity:live:online:north", {PERSON: 1, "borey": 2})
    raw.hset("stunity:some:hash", mapping={PERSON: "1", "borey": "2"})
    raw.sadd("stunity:some:set", PERSON, "borey")


def everything(settings: Settings, conn: psycopg.Connection[Any], raw: redis.Redis) -> dict[str, str]:
    """All that our stores hold, as text: every table of our schemas, every key, every document."""
    found = {}
    tables = conn.execute("""
        SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|information_schema|public)'""").fetchall()
    for schema, name in tables:
        query = sql.SQL("SELECT t::text FROM {}.{} t").format(sql.Identifier(schema), sql.Identifier(name))
        found[f"{schema}.{name}"] = "\n".join(row[0] for row in conn.execute(query))
    for key in raw.scan_iter():
        name = key.decode()
        kind = raw.type(key)
        value: Any
        if kind == b"string":
            value = raw.get(key)
        elif kind == b"hash":
            value = raw.hgetall(key)
        elif kind == b"zset":
            value = raw.zrange(key, 0, -1)
        elif kind == b"set":
            value = raw.smembers(key)
        else:
            value = raw.xrange(key)
        found[name] = f"{name} {value!r}"
    assert settings.typesense_api_key
    headers = {"X-TYPESENSE-API-KEY": settings.typesense_api_key.get_secret_value()}
    base = f"http://{settings.typesense_host}:{settings.typesense_port}/collections"
    for one in httpx.get(base, headers=headers).json():
        found[one["name"]] = httpx.get(f"{base}/{one['name']}/documents/export", headers=headers).text
    return found


def saying(stores: dict[str, str]) -> set[str]:
    """The stores that say something of the person."""
    return {name for name, text in stores.items() if any(secret in text for secret in SECRETS)}


async def test_nothing_says_who_they_were(
    settings: Settings,
    network: Network,
    connection: psycopg.Connection[Any],
    raw: redis.Redis,
    consuming: Consuming,
    relaying: Relaying,
    verifying: Verifying,
) -> None:
    async with relaying() as relay, consuming(*VIEWS):
        async with verifying("analytics") as verifier:
            assert named(await verifier.compare()) == {}
        views_before = _views_of(connection, "his")
        scatter(connection, raw)
        before = saying(everything(settings, connection, raw))
        report = await erase(settings, PERSON, "an operator", say=lambda step: None)
        after = everything(settings, connection, raw)
        again = await erase(settings, PERSON, "an operator", say=lambda step: None)
        for name in VIEWS:
            async with verifying(name) as verifier:
                assert named(await verifier.compare()) == {}, name
        assert relay.epoch == 1
    assert {
        "outbox.events",
        "engine.dead_letters",
        "dramatiq.queue",
        "live.games",
        "stunity:1:post:{0}",
    } <= before
    assert any(name.startswith("stunity_posts") for name in before)
    assert report.traces == {}
    assert saying(after) == set()
    assert report.removed["log"] > 10
    assert report.removed["letters"] == 1
    assert (again.attempts, again.traces) == (2, {})
    assert _views_of(connection, "his") == views_before, "views are not the person's to take away"
    _assert_redacted_log_is_valid(connection)
    _assert_audit(connection, report)
    assert "borey" in after["live.presence"] or raw.zscore("stunity:live:online:north", "borey") == 2
    assert raw.hgetall("stunity:some:hash") == {b"borey": b"2"}


def _views_of(conn: psycopg.Connection[Any], post: str) -> int:
    row = conn.execute(
        "SELECT sum(weight) FROM analytics.post_views_ts WHERE post_id = %s", (post,)
    ).fetchone()
    assert row is not None
    return int(row[0])


def _assert_redacted_log_is_valid(conn: psycopg.Connection[Any]) -> None:
    for kind, data in conn.execute("SELECT type, data FROM outbox.events"):
        REGISTRY.parse(kind, data)


def _assert_audit(conn: psycopg.Connection[Any], report: Report) -> None:
    [(by, attempts, removed, finished)] = conn.execute(
        "SELECT asked_by, attempts, removed, finished_at FROM stunity.erasures"
    ).fetchall()
    assert (by, attempts) == ("an operator", 2)
    assert removed["log"] == report.removed["log"]
    assert finished is not None


async def test_a_run_that_was_killed_is_repeated(
    settings: Settings,
    network: Network,
    connection: psycopg.Connection[Any],
    raw: redis.Redis,
    consuming: Consuming,
    relaying: Relaying,
) -> None:
    scatter(connection, raw)
    steps: list[str] = []

    def dies_at(place: int) -> Any:
        done = 0

        def say(step: str) -> None:
            nonlocal done
            steps.append(step)
            done += 1
            if done == place:
                raise KeyError("killed")

        return say

    async with relaying(), consuming(*VIEWS):
        for place in (2, 4, 6, 8, 10):
            with pytest.raises(KeyError):
                await erase(settings, PERSON, "an operator", say=dies_at(place))
        report = await erase(settings, PERSON, "an operator", say=lambda step: None)
        after = everything(settings, connection, raw)
    assert report.traces == {}
    assert report.attempts == 6
    assert saying(after) == set()


async def test_what_rests_on_the_person_is_said_and_nothing_is_erased(
    settings: Settings, network: Network, connection: psycopg.Connection[Any]
) -> None:
    network.course(PERSON, "By her")
    with pytest.raises(ConfigurationError, match="courses"):
        await erase(settings, PERSON, "an operator", say=lambda step: None)
    assert connection.execute("SELECT count(*) FROM users WHERE id = %s", (PERSON,)).fetchone() == (1,)
    assert TEXT in everything_logged(connection)


async def test_the_log_waits_for_views_that_have_not_heard(
    settings: Settings,
    network: Network,
    connection: psycopg.Connection[Any],
    consuming: Consuming,
    verifying: Verifying,
) -> None:
    async with consuming("feeds"), verifying("feeds") as verifier:
        assert named(await verifier.compare()) == {}
    with pytest.raises(Retryable, match="feeds has not followed"):
        await erase(settings, PERSON, "an operator", say=lambda step: None, patience=0.5)
    assert PERSON in everything_logged(connection), "the view would not hear of the deletion any more"


def everything_logged(conn: psycopg.Connection[Any]) -> str:
    return "\n".join(row[0] for row in conn.execute("SELECT e::text FROM outbox.events e"))
