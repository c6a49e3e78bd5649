"""Redis or Valkey: version, eviction, and how much it may lose against how late the relay confirms."""

from __future__ import annotations

from collections.abc import Iterator

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.doctor.finding import Finding, fail, missing, ok, warn

_OLDEST = (6, 2)
#: appendfsync everysec may lose a second, and one more when the disk is slow.
_EVERYSEC_LOSS = 2.0


def check(url: str, confirm_lag: float) -> Iterator[Finding]:
    """Everything about one server. `confirm_lag`: seconds by which the relay confirms late (invariant I3)."""
    client = redis.Redis.from_url(
        url, socket_timeout=5, socket_connect_timeout=3, decode_responses=True, retry=Retry(NoBackoff(), 0)
    )
    with client:
        try:
            info = client.info()
        except (redis.RedisError, OSError) as error:
            yield missing("redis", f"does not answer: {error}", "start it, or correct REDIS_URL")
            return
        yield _version(info)
        yield _eviction(_setting(client, "maxmemory-policy"))
        yield _durability(_setting(client, "appendonly"), _setting(client, "appendfsync"), confirm_lag)


def _version(info: dict[str, str]) -> Finding:
    name = info.get("server_name", "redis")
    text = info.get("valkey_version") or info.get("redis_version", "0")
    parts = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
    if parts < _OLDEST:
        return fail("redis version", f"{name} {text}", "6.2 or newer is needed")
    return ok("redis version", f"{name} {text}")


def _setting(client: redis.Redis, name: str) -> str | None:
    """A server setting; None where the provider does not show it."""
    try:
        return client.config_get(name).get(name)
    except redis.RedisError:
        return None


def _eviction(policy: str | None) -> Finding:
    if policy is None:
        return warn("redis eviction", "the provider hides CONFIG", "make sure that eviction is switched off")
    if policy != "noeviction":
        mend = "`CONFIG SET maxmemory-policy noeviction`: an evicted stream or feed has to be rebuilt"
        return fail("redis eviction", policy, mend)
    return ok("redis eviction", policy)


def _durability(appendonly: str | None, fsync: str | None, confirm_lag: float) -> Finding:
    """Entries lost with Redis are sent again only if PostgreSQL has not been told to forget them."""
    name = "redis durability"
    if appendonly is None:
        return warn(name, "the provider hides CONFIG", f"its loss window must stay below {confirm_lag:g} s")
    if appendonly != "yes":
        mend = "`CONFIG SET appendonly yes`: what a restart loses is then served from the log, slowly"
        return warn(name, "no append-only file: a restart loses everything since the last dump", mend)
    loss = {"always": 0.0, "everysec": _EVERYSEC_LOSS}.get(fsync or "", float("inf"))
    detail = f"append-only file, fsync {fsync}; the relay confirms {confirm_lag:g} s late"
    if loss >= confirm_lag:
        return warn(name, detail, "`CONFIG SET appendfsync everysec`, or let the relay confirm later")
    return ok(name, detail)
