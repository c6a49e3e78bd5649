"""Access tokens: HS256 JWTs as upstream's auth service issues them (RFC 7519), checked on every request.

A token is good when its signature, issuer, audience and expiry are, when it has not been revoked by a logout, and
when its user is still active with the same `schoolAccessVersion`. Issuing real tokens stays upstream's business;
`issue` serves development (`stunity token`) and tests.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Annotated, Any, Final, LiteralString, Protocol

import jwt
from fastapi import Depends, Request

from runtime.access import SCOPE_SQL, Scope, Viewer
from runtime.http import Problem
from runtime.postgres import TRANSIENT, fetch_rows, reading

ISSUER: Final = "stunity-auth"
AUDIENCE: Final = "stunity-api"
ALGORITHM: Final = "HS256"
MAX_TOKEN_CHARS: Final = 4096

_USER_SQL: Final = """
SELECT role::text, "schoolId", "isActive" AND "accountSuspendedAt" IS NULL AS active, "schoolAccessVersion",
       extract(epoch FROM "passwordChangedAt") AS password_changed
  FROM users WHERE id = %(viewer)s
"""
#: In one round trip whether the token has been logged out; and for reads what the viewer may see.
_VIEWER_SQL: Final = "SELECT u.*, {revoked} FROM ({user}) u"
_SCOPE_SQL: Final = "SELECT u.*, {revoked}, s.blocked, s.classmates FROM ({user}) u, ({scope}) s"

#: Tokens whose signature was verified. Every request of a person brings the same one.
_VERIFIED: Final = 4096


class Revocations(Protocol):
    """Where logged-out tokens are remembered until they expire."""

    @property
    def condition(self) -> LiteralString:
        """For PostgreSQL: whether the token with the hash %(token)s has been logged out."""


def issue(
    secret: str, *, user: str, role: str, school_id: str | None, version: int = 0, ttl: int = 900
) -> str:
    """A signed access token for a user, valid for `ttl` seconds."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": user, "role": role, "schoolId": school_id}
    return jwt.encode(
        {**claims, "schoolAccessVersion": version, "iat": now, "exp": now + ttl}, secret, algorithm=ALGORITHM
    )


@lru_cache(maxsize=_VERIFIED)
def token_hash(token: str) -> str:
    """The name under which a token is revoked: never the token itself.

    Made of the signed part only: the last character of a signature can be written in several ways, and a logged-out
    token must not come back under another spelling.
    """
    return hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()


def bearer_token(request: Request) -> str:
    """The token of the Authorization header.

    Raises:
        Problem: 401 when there is none.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_CHARS:
        raise Problem(401, detail="A bearer token is needed.")
    return token.strip()


def decode(token: str, secret: str) -> dict[str, Any]:
    """The claims of a valid token.

    Raises:
        Problem: 401 for anything else.
    """
    claims = _verified(token, secret)
    if claims["exp"] <= time.time():  # since it was verified
        raise Problem(401, detail="The token is not valid.")
    return dict(claims)


@lru_cache(maxsize=_VERIFIED)
def _verified(token: str, secret: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": ["exp", "sub"]},
        )
    except jwt.PyJWTError as error:
        raise Problem(401, detail="The token is not valid.") from error
    if "\x00" in claims["sub"]:
        raise Problem(401, detail="The token is not valid.")
    return claims


async def viewer(request: Request) -> Viewer:
    """FastAPI dependency: the authenticated viewer of this request.

    Role and school come from the user's row, so that a moved or demoted user loses access at once.
    """
    return (await _admitted(request, _VIEWER_SQL))[0]


async def scope(request: Request) -> Scope:
    """FastAPI dependency: the same with whom they have blocked (or were blocked by), and their classmates."""
    found, (blocked, classmates) = await _admitted(request, _SCOPE_SQL)
    return Scope(found, tuple(blocked), tuple(classmates))


async def _admitted(request: Request, statement: str) -> tuple[Viewer, Sequence[Any]]:
    """Who asks, and what else the statement says of them.

    The logout is asked of PostgreSQL, with the rest: its row is there before anybody else could hear of it.
    """
    token, claims = _signed(request)
    revocations: Revocations | None = getattr(request.app.state, "revocations", None)
    query = _complete(statement, revocations.condition if revocations else "false")
    row = await _row(request, query, {"viewer": claims["sub"], "token": token_hash(token)})
    if row is None or not row[2]:
        raise Problem(401, detail="This account is not active.")
    role, school_id, _, version, password_changed, revoked, *others = row
    if revoked:
        raise Problem(401, detail="The token has been revoked.")
    if "schoolAccessVersion" in claims and claims["schoolAccessVersion"] != version:
        raise Problem(401, "SCHOOL_ACCESS_CHANGED", "School access has changed since the token was issued.")
    if password_changed is not None and "iat" in claims and claims["iat"] < int(password_changed):
        raise Problem(401, detail="The password has changed since the token was issued.")
    return Viewer(claims["sub"], role, school_id), others


@cache
def _complete(statement: str, revoked: str) -> str:
    return statement.format(revoked=revoked, user=_USER_SQL, scope=SCOPE_SQL)


def _signed(request: Request) -> tuple[str, dict[str, Any]]:
    """The token of a request and its claims."""
    secret = request.app.state.settings.jwt_secret
    if secret is None:
        raise Problem(401, detail="JWT_SECRET is not set: no token can be checked.")
    token = bearer_token(request)
    return token, decode(token, secret.get_secret_value())


async def _row(request: Request, query: str, params: Mapping[str, str]) -> Sequence[Any] | None:
    try:
        async with reading(request.app.state.pool) as conn:
            rows = await fetch_rows(conn, query, params, prepare=True)
    except TRANSIENT as error:
        raise Problem(503, detail="The database cannot be reached right now.") from error
    return rows[0] if rows else None


CurrentViewer = Annotated[Viewer, Depends(viewer)]
