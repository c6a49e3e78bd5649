"""Jobs: heavy or long work, asked for inside the caller's transaction and done by `stunity worker`.

A job is a message of dramatiq in PostgreSQL, so it exists exactly when the transaction that asked for it commits.
The process that runs jobs, with its broker and retries, is `app/jobs.py`; what a job does is its area's (an area
lists its `Actor`s in its own `wiring.py`).
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from dramatiq import Message
from psycopg.types.json import Jsonb

from runtime.postgres import Connection

SCHEMA: Final = "dramatiq"
DEFAULT_QUEUE: Final = "default"

_ENQUEUE: Final = f"""
INSERT INTO {SCHEMA}.queue (message_id, queue_name, state, message, available_at)
VALUES (%(id)s, %(queue)s, 'queued', %(message)s, clock_timestamp() + make_interval(secs => %(delay)s))
"""  # noqa: S608 - a constant

# The one that waits stays locked until this transaction ends, so it cannot start before what it is for is there.
_JOIN: Final = f"""
WITH waiting AS (
    SELECT message_id FROM {SCHEMA}.queue
     WHERE queue_name = %(queue)s AND state = 'queued' AND message ->> 'actor_name' = %(actor)s
       AND message -> 'args' = %(message)s::jsonb -> 'args' AND message -> 'kwargs' = %(message)s::jsonb -> 'kwargs'
     ORDER BY available_at LIMIT 1
       FOR UPDATE SKIP LOCKED
)
UPDATE {SCHEMA}.queue AS q
   SET available_at = least(q.available_at, clock_timestamp() + make_interval(secs => %(delay)s))
  FROM waiting WHERE q.message_id = waiting.message_id
"""  # noqa: S608 - a constant

_WAKE: Final = "SELECT pg_notify(%s, '')"


@dataclass(frozen=True, slots=True)
class Actor:
    """A kind of job: its name, and the coroutine function that does it.

    Attributes:
        name: what `enqueue` calls it, `<area>.<verb>`.
        run: does the job; raising means "later again", with a growing pause.
        queue: workers can be told to serve some queues only.
        priority: smaller goes first.
        max_retries: None retries for ever.
        time_limit: seconds after which one run is cancelled.
        at_start: asked for, without arguments, whenever a worker starts: it finds what a killed one has left.
    """

    name: str
    run: Callable[..., Awaitable[None]]
    queue: str = DEFAULT_QUEUE
    priority: int = 50
    max_retries: int | None = 20
    time_limit: float = 3600.0
    at_start: bool = False


async def enqueue(
    conn: Connection,
    actor: str,
    *args: Any,
    queue: str = DEFAULT_QUEUE,
    delay: float = 0.0,
    once: bool = False,
    **kwargs: Any,
) -> None:
    """Ask for a job in the caller's transaction.

    Args:
        conn: commits or rolls back as the caller decides.
        actor: name of the actor.
        args: JSON-encodable arguments of the actor.
        queue: the actor's queue.
        delay: seconds that it may not run yet; a delayed job starts at a worker's next look, not by a notification.
        once: join an equal request that has not started, at the earlier time; so they do not pile up without a worker.
        kwargs: likewise by name.
    """
    message: Message[Any] = Message(queue, actor, args, kwargs, {}, str(uuid.uuid4()))
    params = {
        "id": message.message_id,
        "queue": queue,
        "actor": actor,
        "message": Jsonb(message.asdict()),
        "delay": delay,
    }
    if not once or (await conn.execute(_JOIN, params)).rowcount == 0:
        await conn.execute(_ENQUEUE, params)
    if delay <= 0:
        await conn.execute(_WAKE, (f"dramatiq.{queue}.enqueue",))
