"""One request, one transaction: what every write of the HTTP contract has in common.

The answer carries `Stunity-Position`, taken inside the transaction, so that a read may wait for it. Nothing here, nor
in the services, waits for Redis, Typesense or a model: a write needs PostgreSQL and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import orjson
import psycopg
from fastapi import Path, Request
from fastapi.responses import Response
from pydantic import Field

from producers.errors import Forbidden, Invalid, NotFound, WriteRefused
from runtime.access import Viewer
from runtime.http import Problem, Text
from runtime.postgres import TRANSIENT, Connection

T = TypeVar("T")

POSITION: Final = "Stunity-Position"
ObjectId = Annotated[Text, Path(), Field(min_length=1, max_length=200)]

_ATTEMPTS: Final = 3
_COLLISIONS: Final = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_TRACEPARENT: Final = re.compile(r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
_STATUS: Final[dict[type[WriteRefused], int]] = {NotFound: 404, Forbidden: 403, Invalid: 422}

# The context of the events that the captured rows become, and where in the log they will be.
_BEGIN: Final = """
    SELECT outbox.position(), set_config('stunity.actor', %s, true), set_config('stunity.traceparent', %s, true)"""


async def created(request: Request, viewer: Viewer, work: Callable[[Connection], Awaitable[T]]) -> Response:
    """Run `work` in a transaction and answer 201 with what it returned."""
    return _answer(201, *await commit(request, viewer, work))


async def changed(request: Request, viewer: Viewer, work: Callable[[Connection], Awaitable[T]]) -> Response:
    """Run `work` in a transaction and answer 200 with what it returned."""
    return _answer(200, *await commit(request, viewer, work))


async def done(request: Request, viewer: Viewer, work: Callable[[Connection], Awaitable[None]]) -> Response:
    """Run `work` in a transaction and answer 204."""
    _, position = await commit(request, viewer, work)
    return Response(status_code=204, headers={POSITION: position})


async def commit(
    request: Request, viewer: Viewer, work: Callable[[Connection], Awaitable[T]]
) -> tuple[T, str]:
    """Run `work` in one transaction of its own and return its result with the position of the commit.

    Raises:
        Problem: the write was refused, or PostgreSQL is away.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return await _once(request, viewer, work)
        except _COLLISIONS as error:
            if attempt == _ATTEMPTS:
                raise Problem(409, detail="Too many writers at once; try again.") from error
        except WriteRefused as refusal:
            raise Problem(_STATUS[type(refusal)], detail=str(refusal)) from refusal
        except psycopg.errors.ForeignKeyViolation as error:
            raise Problem(404, detail="Something that this refers to is gone.") from error
        except TRANSIENT as error:
            raise Problem(503, detail="The database cannot be reached right now.") from error
    raise AssertionError("unreachable")


async def _once(
    request: Request, viewer: Viewer, work: Callable[[Connection], Awaitable[T]]
) -> tuple[T, str]:
    async with request.app.state.pool.connection() as conn, conn.transaction():
        cursor = await conn.execute(_BEGIN, (viewer.id, _traceparent(request)))
        [(position, _, _)] = await cursor.fetchall()
        return await work(conn), position


def _answer(status: int, data: object, position: str) -> Response:
    return Response(orjson.dumps({"data": data}), status, {POSITION: position}, "application/json")


def _traceparent(request: Request) -> str:
    header: str = request.headers.get("traceparent", "")
    return header if _TRACEPARENT.match(header) else ""
