"""Rate limits: per user on what users do, per address on requests whose token is no good.

A middleware, because a request over its limit should cost neither a database connection nor the parsing of its body.
Who asks is read from the token's signature alone; whether the token is still good is checked by `auth.py`, behind.

Limits that are a promise to people (30 posts a minute) are counted in Redis for all processes, over a moving window,
and in memory for this one without it. Those that only protect a process from one client are counted in its memory: a
read should not cost a round trip to be counted.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from typing import Any, Final

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.auth import bearer_token, decode
from runtime.breaker import Breakers
from runtime.errors import Retryable
from runtime.http import Problem, problem_response
from runtime.redis import Client
from runtime.settings import Settings

Strategy = FixedWindowRateLimiter | MovingWindowRateLimiter

#: What Redis may take to count; after that this process counts for itself.
TIMEOUT_SECONDS: Final = 0.25

log = structlog.get_logger(__name__)


READS: Final = frozenset({"GET", "HEAD"})
WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ANY: Final = re.compile(r".*", re.DOTALL)
#: Requests of one address that were answered with 401.
FAILURES: Final = "failures"


@dataclass(frozen=True, slots=True)
class Rule:
    """How often one user may call what matches, per minute. `shared` = by all processes together."""

    name: str
    methods: frozenset[str]
    path: re.Pattern[str]
    per_minute: int
    shared: bool = False

    def matches(self, method: str, path: str) -> bool:
        """Whether a request counts."""
        return method in self.methods and self.path.fullmatch(path) is not None


def rules(settings: Settings) -> tuple[Rule, ...]:
    """The rules in force. The plan: the 31st post within a minute is refused."""
    wanted = (
        Rule("posts", frozenset({"POST"}), re.compile(r"/posts/?"), 30, shared=True),
        Rule("writes", WRITES, ANY, settings.rate_limit_writes),
        Rule("reads", READS, ANY, settings.rate_limit_reads),
    )
    return tuple(rule for rule in wanted if rule.per_minute)


class RateLimiter:
    """Counts hits. Made once per process."""

    def __init__(
        self, settings: Settings, client: Client | None = None, breakers: Breakers | None = None
    ) -> None:
        prefix = settings.stream_prefix
        self._rules = rules(settings)
        self._failures = RateLimitItemPerMinute(max(1, settings.rate_limit_failures))
        self._counts_failures = settings.rate_limit_failures > 0
        self._memory = MovingWindowRateLimiter(MemoryStorage())
        self._coarse = FixedWindowRateLimiter(MemoryStorage())
        self._shared = MovingWindowRateLimiter(_redis_storage(client, prefix)) if client else None
        self._breakers = breakers or Breakers()

    async def hit(self, method: str, path: str, user: str) -> int | None:
        """Count one call of a user; the seconds to wait when it is one too many, else None."""
        for rule in self._rules:
            if rule.matches(method, path) and (wait := await self._hit(rule, user)) is not None:
                return wait
        return None

    async def has_failed_too_often(self, address: str) -> int | None:
        """The seconds to wait when this address was refused too often, else None."""
        if not self._counts_failures or await self._coarse.test(self._failures, FAILURES, address):
            return None
        return await _wait(self._coarse, self._failures, FAILURES, address)

    async def failed(self, address: str) -> None:
        """This address was refused."""
        await self._coarse.hit(self._failures, FAILURES, address)

    async def _hit(self, rule: Rule, user: str) -> int | None:
        item = RateLimitItemPerMinute(rule.per_minute)
        if not rule.shared:
            return await _count(self._coarse, item, rule.name, user)
        if self._shared is not None:
            shared = self._shared
            try:
                return await self._breakers.call(
                    "redis-limits", lambda: _count(shared, item, rule.name, user), TIMEOUT_SECONDS
                )
            except Retryable as error:
                log.warning("limits_counted_in_memory", error=str(error))
        return await _count(self._memory, item, rule.name, user)


async def _count(limiter: Strategy, item: RateLimitItem, name: str, who: str) -> int | None:
    return None if await limiter.hit(item, name, who) else await _wait(limiter, item, name, who)


async def _wait(limiter: Strategy, item: RateLimitItem, name: str, who: str) -> int:
    reset_at, _ = await limiter.get_window_stats(item, name, who)
    return max(1, math.ceil(reset_at - time.time()))


def _redis_storage(client: Client, prefix: str) -> Storage:
    options: dict[str, Any] = {"connection_pool": client.connection_pool}
    key_prefix = f"{prefix}:limit"
    return RedisStorage("async+redis://", implementation="redispy", key_prefix=key_prefix, **options)


class RateLimits:
    """ASGI middleware that answers 429 to calls over their limit.

    The application gives it `state.settings`, and `state.redis` when there is one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a request, and pass it on when it is within its limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limiter, user, address = rate_limiter(scope["app"].state), _user(Request(scope)), _address(scope)
        if user is not None:
            wait = await limiter.hit(scope["method"], scope["path"], user)
        else:
            wait = await limiter.has_failed_too_often(address)
        if wait is not None:
            problem = Problem(429, detail="Too many requests; try again later.")
            await problem_response(problem, {"Retry-After": str(wait)})(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 401:
                await limiter.failed(address)
            await send(message)

        await self._app(scope, receive, watched)


def rate_limiter(state: Any) -> RateLimiter:
    """The limiter of this process, made at its first use."""
    if not hasattr(state, "rate_limiter"):
        client, breakers = getattr(state, "redis", None), getattr(state, "breakers", None)
        state.rate_limiter = RateLimiter(state.settings, client, breakers)
    limiter: RateLimiter = state.rate_limiter
    return limiter


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _user(request: Request) -> str | None:
    """The subject of a token that we signed; None leaves the answer to `auth.py`."""
    secret = request.app.state.settings.jwt_secret
    if secret is None:
        return None
    try:
        return str(decode(bearer_token(request), secret.get_secret_value())["sub"])
    except Problem:
        return None
