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

_ONCE: Final = uuid.UUID("6f1c2f0e-5c0b-5f7c-9a53-0c6f9c2f7a11")

# A message that runs right now is queued again: what it was asked for may have come after it looked.
_ENQUEUE: Final = f"""
INSERT INTO {SCHEMA}.queue AS old (message_id, queue_name, state, message, available_at)
VALUES (%(id)s, %(queue)s, 'queued', %(message)s, clock_timestamp() + make_interval(secs => %(delay)s))
ON CONFLICT (message_id) DO UPDATE
   SET state = 'queued', message = EXCLUDED.message, worker_id = NULL, consumed_at = NULL, mtime = now(),
       available_at = CASE old.state WHEN 'queued' THEN least(old.available_at, EXCLUDED.available_at)
                                     ELSE EXCLUDED.available_at END
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
    once: str | None = None,
    **kwargs: Any,
) -> str:
    """Ask for a job in the caller's transaction; gives the message id.

    Args:
        conn: commits or rolls back as the caller decides.
        actor: name of the actor.
        args: JSON-encodable arguments of the actor.
        queue: the actor's queue.
        delay: seconds that it may not run yet; a delayed job starts at a worker's next look, not by a notification.
        once: two requests with the same word that have not started yet are one, at the earlier time.
        kwargs: likewise by name.
    """
    message_id = str(uuid.uuid5(_ONCE, f"{actor}:{once}")) if once else str(uuid.uuid4())
    message: Message[Any] = Message(queue, actor, args, kwargs, {}, message_id)
    params = {"id": message_id, "queue": queue, "message": Jsonb(message.asdict()), "delay": delay}
    await conn.execute(_ENQUEUE, params)
    if delay <= 0:
        await conn.execute(_WAKE, (f"dramatiq.{queue}.enqueue",))
    return message_id
