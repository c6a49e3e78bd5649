"""Rate limits per user, counted over a moving window: in Redis for all processes, in memory for this one without it.

A middleware, because a request over its limit should cost neither a database connection nor the parsing of its body.
Who asks is read from the token's signature alone; whether the token is still good is checked by `auth.py`, behind.
Nothing here is about attacks from outside: those belong to the proxy in front.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.auth import bearer_token, decode
from runtime.breaker import Breakers
from runtime.errors import Retryable
from runtime.http import Problem, problem_response
from runtime.redis import Client

#: What Redis may take to count; after that this process counts for itself.
TIMEOUT_SECONDS: Final = 0.25

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rule:
    """How often one user may call what matches. `rate` as in "30/minute"."""

    name: str
    method: str
    path: re.Pattern[str]
    rate: str


#: The plan: the 31st post within a minute is refused.
RULES: Final = (Rule("posts", "POST", re.compile(r"/posts/?"), "30/minute"),)


class RateLimiter:
    """Counts hits. Made once per process."""

    def __init__(self, client: Client | None, prefix: str, breakers: Breakers | None = None) -> None:
        self._memory = MovingWindowRateLimiter(MemoryStorage())
        self._shared = MovingWindowRateLimiter(_redis_storage(client, prefix)) if client else None
        self._breakers = breakers or Breakers()

    async def hit(self, rule: Rule, user: str) -> int | None:
        """Count one call; the seconds to wait when it is one too many, else None."""
        item = parse(rule.rate)
        if self._shared is not None:
            shared = self._shared
            try:
                return await self._breakers.call(
                    "redis-limits", lambda: _hit(shared, item, rule.name, user), TIMEOUT_SECONDS
                )
            except Retryable as error:
                log.warning("limits_counted_in_memory", error=str(error))
        return await _hit(self._memory, item, rule.name, user)


async def _hit(limiter: MovingWindowRateLimiter, item: RateLimitItem, name: str, user: str) -> int | None:
    if await limiter.hit(item, name, user):
        return None
    reset_at, _ = await limiter.get_window_stats(item, name, user)
    return max(1, math.ceil(reset_at - time.time()))


def _redis_storage(client: Client, prefix: str) -> Storage:
    options: dict[str, Any] = {"connection_pool": client.connection_pool}
    key_prefix = f"{prefix}:limit"
    return RedisStorage("async+redis://", implementation="redispy", key_prefix=key_prefix, **options)


class RateLimits:
    """ASGI middleware that answers 429 to calls over their limit.

    The application gives it `state.settings`, and `state.redis` when there is one.
    """

    def __init__(self, app: ASGIApp, rules: Sequence[Rule] = RULES) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what matches a rule, and pass on what is within it."""
        wait = await self._wait(scope) if scope["type"] == "http" else None
        if wait is None:
            await self._app(scope, receive, send)
            return
        problem = Problem(429, detail="Too many requests; try again later.")
        await problem_response(problem, {"Retry-After": str(wait)})(scope, receive, send)

    async def _wait(self, scope: Scope) -> int | None:
        rule = next((one for one in self._rules if _matches(one, scope)), None)
        user = _user(Request(scope)) if rule else None
        if rule is None or user is None:
            return None
        return await rate_limiter(scope["app"].state).hit(rule, user)


def rate_limiter(state: Any) -> RateLimiter:
    """The limiter of this process, made at its first use."""
    if not hasattr(state, "rate_limiter"):
        client, breakers = getattr(state, "redis", None), getattr(state, "breakers", None)
        state.rate_limiter = RateLimiter(client, state.settings.stream_prefix, breakers)
    limiter: RateLimiter = state.rate_limiter
    return limiter


def _matches(rule: Rule, scope: Scope) -> bool:
    return rule.method == scope["method"] and rule.path.fullmatch(scope["path"]) is not None


def _user(request: Request) -> str | None:
    """The subject of a token that we signed; None leaves the answer to `auth.py`."""
    secret = request.app.state.settings.jwt_secret
    if secret is None:
        return None
    try:
        return str(decode(bearer_token(request), secret.get_secret_value())["sub"])
    except Problem:
        return None
