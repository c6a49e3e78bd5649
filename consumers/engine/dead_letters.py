"""Events that a view would not take (I8): kept for ever until somebody retries or discards them.

Two kinds of key park differently. A *fact* (a like, a view) is one of many under its key, and a later one may undo
it: later events of a parked key wait behind the letter, in order. Any other event says only "look at this key
again": a later one of the same key supersedes the letter when the view takes it. Which topics are facts is for the
view to say: to one that takes its numbers from the events, whatever it reads is.
`applier.py` sets aside and retries; operators use `stunity dlq` (`app/commands/dlq.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from consumers.engine.projection import Rejection
from runtime.postgres import Connection, fetch_dicts
from runtime.statements import load
from schemas.envelope import Event
from schemas.registry import REGISTRY
from schemas.topics import FACT_TOPICS

_SQL: Final = load(Path(__file__).parent / "sql" / "dead_letters.sql")
_REASON_CHARS: Final = 2000
_TRACE_CHARS: Final = 8000

#: Where events wait for each other.
Key = tuple[str, str]


def key_of(event: Event) -> Key:
    """Topic and key: the unit in which order is kept."""
    return event.topic, event.key


def waits(event: Event, facts: Collection[str] = FACT_TOPICS) -> bool:
    """Whether later events of a parked key must wait (facts) instead of superseding."""
    return event.topic in facts


@dataclass(frozen=True, slots=True)
class Letter:
    """One event that was set aside."""

    id: int
    event: Event


class ParkedKeys:
    """The keys of one consumer that have open letters, as far as this process knows."""

    def __init__(self, facts: Collection[str] = FACT_TOPICS) -> None:
        self._facts = facts
        self._parked: set[Key] = set()

    async def refresh(self, conn: Connection, consumer: str) -> None:
        """Read them again: an operator may have discarded some."""
        rows = await (await conn.execute(_SQL["parked"], (consumer,))).fetchall()
        self._parked = {(topic, key) for topic, key in rows}

    def split(self, events: Iterable[Event]) -> tuple[list[Event], list[Event]]:
        """Events to apply, and events that must wait behind a letter."""
        ready: list[Event] = []
        waiting: list[Event] = []
        for event in events:
            (waiting if waits(event, self._facts) and key_of(event) in self._parked else ready).append(event)
        return ready, waiting

    def superseded_by(self, applied: Iterable[Event]) -> list[Key]:
        """Parked keys whose letters are settled because a later event of theirs went through."""
        if not self._parked:
            return []
        return [
            key for key in {key_of(e) for e in applied if not waits(e, self._facts)} if key in self._parked
        ]

    def park(self, events: Iterable[Event]) -> None:
        """Later events of these keys meet a letter."""
        self._parked.update(key_of(event) for event in events)

    def __len__(self) -> int:
        return len(self._parked)


def behind(
    rejections: Iterable[Rejection], events: Sequence[Event], facts: Collection[str] = FACT_TOPICS
) -> list[Event]:
    """Facts of the same keys that stand behind the rejected ones in a batch."""
    rejected = {id(rejection.event) for rejection in rejections}
    parked: set[Key] = set()
    found: list[Event] = []
    for event in events:
        if id(event) in rejected:
            parked.add(key_of(event))
        elif waits(event, facts) and key_of(event) in parked:
            found.append(event)
    return found


async def set_aside(
    conn: Connection, consumer: str, rejections: Sequence[Rejection], facts: Collection[str] = FACT_TOPICS
) -> None:
    """Record rejected events; a letter that an event supersedes is closed. Recording twice changes nothing."""
    for rejection in rejections:
        fact = waits(rejection.event, facts)
        if not fact:
            await supersede(conn, consumer, [key_of(rejection.event)], below=rejection.event.id or None)
        await conn.execute(_SQL["insert"], _row(consumer, "dead", rejection, waits=fact))


async def keep_waiting(conn: Connection, consumer: str, events: Sequence[Event]) -> None:
    """Record events that wait behind a letter of their key."""
    for event in events:
        behind = Rejection(event, "waits behind an earlier letter")
        await conn.execute(_SQL["insert"], _row(consumer, "waiting", behind, waits=True))


async def supersede(
    conn: Connection, consumer: str, keys: Sequence[Key], *, below: int | None = None
) -> None:
    """Close the letters of keys of which a later event (with an id above `below`) says the same anew."""
    params = {
        "consumer": consumer,
        "topics": [topic for topic, _ in keys],
        "keys": [key for _, key in keys],
        "below": below,
    }
    await conn.execute(_SQL["supersede"], params)


async def next_retry(conn: Connection, consumer: str) -> Letter | None:
    """The oldest letter that an operator wants to see retried, or that became free by that."""
    row = await (await conn.execute(_SQL["next_retry"], (consumer,))).fetchone()
    if row is None:
        return None
    letter_id, event_id, xid, occurred_at, topic, kind, key, data, headers = row
    event = Event(event_id, xid, occurred_at, topic, kind, key, orjson.loads(data), orjson.loads(headers))
    return Letter(letter_id, REGISTRY.upcast(event))


async def retried(conn: Connection, consumer: str, letter: Letter, failure: str | None) -> None:
    """Close a letter, or put it back; what waits behind it is freed or goes on waiting."""
    event = letter.event
    params = {
        "consumer": consumer,
        "id": letter.id,
        "topic": event.topic,
        "key": event.key,
        "reason": failure and failure[:_REASON_CHARS],
    }
    await conn.execute(_SQL["retry_failed" if failure else "retry_applied"], params)
    await conn.execute(_SQL["hold_behind" if failure else "free_behind"], params)


async def list_letters(
    conn: Connection, consumer: str | None, *, closed: bool, limit: int
) -> list[dict[str, Any]]:
    """Letters, newest first: open ones, or all."""
    params = {"consumer": consumer, "closed": closed, "limit": limit}
    return await fetch_dicts(conn, _SQL["list"], params)


async def get_letter(conn: Connection, letter_id: int) -> dict[str, Any] | None:
    """One letter with its event."""
    rows = await fetch_dicts(conn, _SQL["get"], (letter_id,))
    return rows[0] if rows else None


async def ask_retry(conn: Connection, ids: Sequence[int] | None, consumer: str | None = None) -> list[int]:
    """Have the running consumer apply open letters again (all of them when `ids` is None); their ids."""
    rows = await (
        await conn.execute(
            _SQL["ask_retry"], {"ids": None if ids is None else list(ids), "consumer": consumer}
        )
    ).fetchall()
    return [row[0] for row in rows]


async def discard(conn: Connection, letter_id: int, why: str) -> bool:
    """Close a letter unapplied, with a note; what waited behind it is retried. False when there is no open one."""
    row = await (await conn.execute(_SQL["discard"], {"id": letter_id, "note": why})).fetchone()
    if row is None:
        return False
    consumer, topic, key = row
    await conn.execute(_SQL["free_behind"], {"consumer": consumer, "topic": topic, "key": key})
    return True


def _row(consumer: str, state: str, rejection: Rejection, *, waits: bool) -> dict[str, Any]:
    event = rejection.event
    return {
        "consumer": consumer,
        "state": state,
        "waits": waits,
        "event_id": event.id,
        "xid": str(event.xid),
        "occurred_at": event.occurred_at,
        "topic": event.topic,
        "type": event.type,
        "key": event.key,
        "data": orjson.dumps(event.data, option=orjson.OPT_SORT_KEYS).decode(),
        "headers": orjson.dumps(event.headers).decode(),
        "reason": _storable(rejection.reason, _REASON_CHARS),
        "trace": _storable(rejection.trace, _TRACE_CHARS) if rejection.trace else None,
    }


def _storable(text: str, most: int) -> str:
    return text.replace("\x00", "")[:most]
