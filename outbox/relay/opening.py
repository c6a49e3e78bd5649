"""Taking over the streams: find out where PostgreSQL and Redis stand, close what is over, fill what is missing.

Shared by both modes, in this order: `look` (decide in `epoch.py`), begin an epoch if need be (`wal.py` or `poll.py`
make its row), `take_over`, `fill`. Every step may be repeated after a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import structlog

from outbox.relay.backoff import Backoff
from outbox.relay.epoch import Reason
from outbox.relay.errors import Moved
from outbox.relay.failpoints import OnStep
from outbox.relay.keyspace import Keyspace
from outbox.relay.link import RedisLink
from outbox.relay.position import START, Position
from outbox.relay.publisher import Publisher
from outbox.relay.rows import RowAssembler
from outbox.relay.sender import Sender
from outbox.relay.settings import RelaySettings
from outbox.relay.store import Epoch, Store, positions
from runtime import telemetry

log = structlog.get_logger(__name__)

_SLICE = 20_000


@dataclass(frozen=True, slots=True)
class InRedis:
    """How far the streams are, as far as Redis knows."""

    published: Position
    newest_epoch: int


def look_in_redis(link: RedisLink, keyspace: Keyspace, partitions: int) -> InRedis:
    """Where an epoch stands, and which is the newest that was ever registered."""
    progress = [link.command("HGET", keyspace.state(p), "progress") for p in range(partitions)]
    registered = _registry(link, keyspace)
    return InRedis(
        max((Position.parse(text or b"") for text in progress), default=START), max(registered, default=0)
    )


def find_floor(store: Store, reason: Reason, backoff: Backoff) -> int:
    """The id below which rows count as committed: 0 unless xids and snapshots from before mean nothing any more.

    Waits until nobody is writing for a moment, without keeping users waiting for longer than that.
    """
    while reason.breaks_snapshots:
        try:
            return store.floor()
        except psycopg.errors.LockNotAvailable:
            backoff.wait()
    return 0


@dataclass(frozen=True, slots=True)
class TakenOver:
    """The epoch's streams are ours."""

    publisher: Publisher
    fence: int
    #: Up to here every entry is visible to all.
    settled: Position


def take_over(
    settings: RelaySettings, store: Store, link: RedisLink, epoch: Epoch, on_step: OnStep
) -> TakenOver:
    """Become the only writer of the epoch's streams.

    Raises:
        Fenced: a later relay was faster.
        Moved: the epoch is over already.
    """
    keyspace = Keyspace(settings.prefix, epoch.epoch, settings.topics)
    fence = store.claim(epoch.epoch)
    on_step("fence_claimed")
    base = Position(epoch.fill_major, 0)
    publisher = Publisher(link, keyspace, epoch.partitions, fence, base, on_step)
    if not publisher.seize():
        raise Moved(f"epoch {epoch.epoch} has been closed")
    on_step("streams_seized")
    link.command("HSET", keyspace.registry, epoch.epoch, epoch.partitions)
    confirmed = positions(epoch.confirmed_progress, epoch.partitions)
    settled = max(confirmed)
    if any(there < told for there, told in zip(publisher.progress, confirmed, strict=True)):
        log.warning("redis_lost_confirmed_entries", stands_at=list(map(str, publisher.progress)))
        publisher.gap(max(confirmed))
        on_step("gap_told")
        settled = publisher.published
    _close_before(settings, link, keyspace, fence, on_step)
    telemetry.RELAY_EPOCH.set(epoch.epoch)
    return TakenOver(publisher, fence, settled)


def needs_fill(epoch: Epoch, publisher: Publisher) -> bool:
    """Whether entries from before the epoch's start are not all in Redis."""
    if epoch.filled is None:
        return True
    filled = positions(epoch.filled, epoch.partitions)
    return any(there < end for there, end in zip(publisher.progress, filled, strict=True))


def fill(
    settings: RelaySettings, store: Store, epoch: Epoch, sender: Sender, alive: Callable[[], None]
) -> None:
    """Publish what the epoch's first snapshot sees and the last marker before it did not.

    `alive` is called while Redis is waited for, and between slices.
    """
    rows = RowAssembler(epoch.fill_major, epoch.partitions, settings.batch_events, settings.batch_bytes)
    after, full = 0, False
    while True:
        before = rows.index
        rows.begin()
        for data in store.copy_fill(epoch, after, _SLICE):
            if full:
                sender.put_patiently(rows.take(complete=False), alive, settings.stall_seconds)
            full = rows.feed(data)
        alive()
        if rows.index - before < _SLICE:
            break
        after = rows.last_id
    sender.put_patiently(rows.take(complete=True), alive, settings.stall_seconds)
    log.info("epoch_filled", epoch=epoch.epoch, events=rows.index)


def _close_before(
    settings: RelaySettings, link: RedisLink, keyspace: Keyspace, fence: int, on_step: OnStep
) -> None:
    """End the streams of earlier epochs; whoever reads them goes on with this one. They go away by themselves."""
    for old, partitions in _registry(link, keyspace).items():
        if old >= keyspace.epoch:
            continue
        names = keyspace.of(old)
        publisher = Publisher(link, names, partitions, fence)
        publisher.seize()
        publisher.end(keyspace.epoch)
        on_step("epoch_ended")
        for p in range(partitions):
            for key in names.keys(p):
                link.command("EXPIRE", key, settings.old_epoch_seconds)
        link.command("HDEL", keyspace.registry, old)
        log.info("epoch_closed", epoch=old, next_epoch=keyspace.epoch)


def _registry(link: RedisLink, keyspace: Keyspace) -> dict[int, int]:
    known = link.command("HGETALL", keyspace.registry)
    return {int(epoch): int(partitions) for epoch, partitions in known.items()}
