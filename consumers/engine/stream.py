"""Reading the streams of one consumer: a Redis consumer group with one member, several streams in one call.

Keys: `<prefix>:<epoch>:<topic>:{<partition>}` (the relay writes them). Group = the consumer's name; its one member is
called `owner`, because the lease in PostgreSQL, not Redis, says which process that is. Entries stay pending until
the view has them. What an entry means is `tracker.py`; nothing here looks at a view.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis.exceptions import ResponseError

from consumers.engine.checkpoint import StreamState
from consumers.engine.positions import StreamId, format_stream_id, parse_stream_id
from consumers.engine.tracker import Lost
from runtime.redis import Client
from schemas import wire
from schemas.errors import EventError
from schemas.topics import TOPICS

_LUA: Final = Path(__file__).parent / "lua"
_MEMBER: Final = "owner"
#: How far back from the end of a stream a marker is looked for.
_MARKER_WITHIN: Final = 1000


@dataclass(frozen=True, slots=True)
class Delivered:
    """One entry as it was read, with the stream it came from."""

    stream: str
    id: StreamId
    n: int
    entry: wire.Entry
    size: int = 0


class Streams:
    """The streams of one consumer in one Redis. Errors of the client pass through: `runner.py` goes to the log."""

    def __init__(self, client: Client, prefix: str, consumer: str, topics: frozenset[str]) -> None:
        self._redis = client
        self._prefix = prefix
        self._group = consumer
        self._topics = sorted(topics)
        self._acknowledge = client.register_script((_LUA / "acknowledge.lua").read_text(encoding="utf-8"))
        self._trim = client.register_script((_LUA / "trim.lua").read_text(encoding="utf-8"))

    def keys(self, epoch: int, partitions: int) -> list[str]:
        """The streams of an epoch that this consumer reads."""
        return [
            f"{self._prefix}:{epoch}:{topic}:{{{partition}}}"
            for partition in range(partitions)
            for topic in self._topics
        ]

    async def starting_points(self, keys: Sequence[str]) -> dict[str, StreamState] | None:
        """Per stream, the `settled` position of its newest marker and the number of the entry there.

        Everything up to these points is visible in any snapshot that is taken after this call. None when a stream has
        no marker, or when entries may have been trimmed right behind the point: the log has to do a while longer.
        """
        points: dict[str, StreamState] = {}
        for key in keys:
            point = await self._starting_point(key)
            if point is None:
                return None
            points[key] = point
        return points

    async def start_from(self, points: Mapping[str, StreamState]) -> None:
        """Forget what was pending and deliver everything after these points."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for key, state in points.items():
                pipe.xgroup_destroy(key, self._group)
                pipe.xgroup_create(key, self._group, format_stream_id(state.id), mkstream=False)
            await pipe.execute()

    async def resume(self, states: Mapping[str, StreamState]) -> bool:
        """Deliver again what the checkpoint does not have; False when the streams are not those it came from."""
        for key, state in states.items():
            newest = await self._range(key, newest_first=True, count=1)
            if not newest:
                return False
            n, position = wire.number(newest[0][1]), parse_stream_id(newest[0][0])
            if n < state.n or (n == state.n) != (position == state.id):
                return False
            try:
                await self._redis.xgroup_setid(key, self._group, format_stream_id(state.id))
            except ResponseError:  # no such group
                return False
        return True

    async def read_pending(self, after: Mapping[str, StreamId], count: int) -> list[Delivered]:
        """Entries that were delivered but never acknowledged, after these positions.

        Raises:
            Lost: one of them is no longer in the stream.
        """
        return await self._read({key: format_stream_id(position) for key, position in after.items()}, count)

    async def read_new(self, keys: Iterable[str], count: int, block_seconds: float) -> list[Delivered]:
        """Entries that were never delivered, in stream order over all streams; waits when there are none.

        Raises:
            Lost: a stream or its group is gone.
        """
        return await self._read(dict.fromkeys(keys, ">"), count, max(int(block_seconds * 1000), 1))

    async def acknowledge(self, delivered: Iterable[Delivered]) -> None:
        """The view has these, or they are set aside safely. One command per partition."""
        by_partition: dict[int, dict[str, list[str]]] = {}
        for one in delivered:
            streams = by_partition.setdefault(partition_of(one.stream), {})
            streams.setdefault(one.stream, []).append(format_stream_id(one.id))
        for streams in by_partition.values():
            counted = [word for ids in streams.values() for word in (str(len(ids)), *ids)]
            await self._acknowledge(keys=list(streams), args=[self._group, *counted])

    async def trim(self, epoch: int, upto: Mapping[int, StreamId], cap: int) -> int:
        """Drop what lies before these positions (by partition) from every topic's stream; how many entries."""
        removed = 0
        for partition, position in upto.items():
            keys = [f"{self._prefix}:{epoch}:{topic}:{{{partition}}}" for topic in TOPICS]
            removed += int(await self._trim(keys=keys, args=[format_stream_id(position), cap]))
        return removed

    async def _read(self, wanted: dict[str, str], count: int, block: int | None = None) -> list[Delivered]:
        try:
            reply = await self._redis.xreadgroup(self._group, _MEMBER, wanted, count=count, block=block)  # type: ignore[arg-type]
        except ResponseError as error:
            if "NOGROUP" in str(error) or "no longer exists" in str(error) or "UNBLOCKED" in str(error):
                raise Lost(f"a stream or its group is gone: {error}") from error
            raise
        read = [_decode(key, *raw) for key, entries in _pairs(reply) for raw in entries]
        read.sort(key=lambda one: (one.id, one.stream))
        return read

    async def _starting_point(self, key: str) -> StreamState | None:
        marker = await self._newest_marker(key)
        if marker is None:
            return None
        settled = parse_stream_id(marker.settled)
        before = await self._range(key, upper=marker.settled, newest_first=True, count=1)
        if before:
            return StreamState(settled, wire.number(before[0][1]))
        after = await self._range(key, lower=f"({marker.settled}", count=1)
        if not after:
            return None
        n, position = wire.number(after[0][1]), parse_stream_id(after[0][0])
        nothing_between = n == 1 or position == (settled[0], settled[1] + 1)
        return StreamState(settled, n - 1) if nothing_between else None

    async def _range(
        self, key: str, *, lower: str = "-", upper: str = "+", newest_first: bool = False, count: int
    ) -> list[tuple[bytes, wire.Fields]]:
        if newest_first:
            reply: Any = await self._redis.xrevrange(key, max=upper, min=lower, count=count)
        else:
            reply = await self._redis.xrange(key, min=lower, max=upper, count=count)
        entries: list[tuple[bytes, wire.Fields]] = reply
        return entries

    async def _newest_marker(self, key: str) -> wire.Marker | None:
        upper, seen = "+", 0
        while seen < _MARKER_WITHIN:
            page = await self._range(key, upper=upper, newest_first=True, count=5 if seen == 0 else 200)
            for _, fields in page:
                if fields.get(b"c") == b"marker":
                    entry = wire.decode(fields)
                    return entry if isinstance(entry, wire.Marker) else None
            if not page:
                return None
            seen += len(page)
            upper = f"({page[-1][0].decode()}"
        return None


def advance(after: Mapping[str, StreamId], delivered: Iterable[Delivered]) -> dict[str, StreamId]:
    """Where reading pending entries goes on after these."""
    moved = dict(after)
    for one in delivered:
        moved[one.stream] = max(moved[one.stream], one.id)
    return moved


def _decode(stream: str, position: bytes, fields: Mapping[bytes, bytes]) -> Delivered:
    if not fields:
        raise Lost(f"{stream}: pending entry {position.decode()} has been trimmed")
    try:
        size = len(fields.get(b"d", b""))
        return Delivered(stream, parse_stream_id(position), wire.number(fields), wire.decode(fields), size)
    except EventError as error:  # written by a newer relay, or by somebody else: the log has it in full
        raise Lost(f"{stream}: entry {position.decode()}: {error}") from error


def _pairs(reply: Any) -> list[tuple[str, list[Any]]]:
    """The reply of XREADGROUP as (stream, entries), whichever protocol version it came in."""
    if isinstance(reply, dict):
        return [(key.decode(), [entry for part in parts for entry in part]) for key, parts in reply.items()]
    return [(key.decode(), entries) for key, entries in reply or []]


def partition_of(key: str) -> int:
    """The partition in a stream's key."""
    return int(key.rpartition("{")[2].rstrip("}"))
