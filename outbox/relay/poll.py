"""poll mode, one session: rounds of rows instead of the WAL; works through any pooler, transaction pooling included.

A round is the difference of two snapshots: the rows that S(n) sees and S(n-1) did not, in id order. S(n) is stored
before the round's first entry goes out, so that a crash reads the same round again. A transaction that waited for
another one's row can only be in the same or a later round, and then has the larger id: order per key is commit order.
Nothing rests on session state: each step is one short transaction, leadership is a transaction of its own.
"""

from __future__ import annotations

from contextlib import ExitStack, closing, suppress

import psycopg
import structlog

from outbox.relay import slot as slots
from outbox.relay.context import Context
from outbox.relay.ears import MARKER, OUTBOX, Ears, is_direct
from outbox.relay.epoch import Reason, Situation, next_epoch, reason_for_new_epoch
from outbox.relay.errors import Stopping
from outbox.relay.keyspace import Keyspace
from outbox.relay.leader import Leadership
from outbox.relay.link import RedisLink
from outbox.relay.opening import fill, look_in_redis, needs_fill, take_over
from outbox.relay.rounds import Rounds
from outbox.relay.slot import SlotState
from outbox.relay.store import Epoch, NewEpoch, Store, connect, translated
from runtime import telemetry
from runtime.errors import Retryable

log = structlog.get_logger(__name__)

_FIRST_ROUND = 1


class PollRelay:
    """One session."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settings = context.settings

    def run(self) -> None:
        """Publish until told to stop.

        Raises:
            StandBy: another relay is at work.
            Retryable: a store went away, or Redis is not where it was.
        """
        with ExitStack() as stack, translated():
            link = stack.enter_context(closing(self._context.open_link()))
            store = Store(stack.enter_context(connect(self._settings.database_url, "stunity-relay")))
            lead = Leadership(
                self._settings.database_url, self._settings.dead_after, self._context.wakeup.set
            )
            stack.callback(lead.release)
            ears = self._listen(stack)
            rounds = self._take_over(store, link, lead, ears, self._find_epoch(store, link))
            self._context.on_step("started")
            telemetry.RELAY_ACTIVE.set(1)
            stack.callback(telemetry.RELAY_ACTIVE.set, 0)
            rounds.run()

    def _listen(self, stack: ExitStack) -> Ears | None:
        """Ears where there is a direct connection; None where only looking helps."""
        try:
            conn = connect(self._settings.replication_url, "stunity-relay-ears")
        except Retryable:
            return None
        if not is_direct(conn):
            conn.close()
            return None
        stack.callback(conn.close)
        return Ears(conn, MARKER, OUTBOX)

    def _find_epoch(self, store: Store, link: RedisLink) -> Epoch:
        now = self._look(store, link)
        reason = reason_for_new_epoch(now)
        epoch = now.current
        if epoch is None or reason is not None:
            epoch = self._begin_epoch(store, now, reason or Reason.FIRST)
        elif epoch.timeline != now.server.timeline:
            store.set_timeline(epoch.epoch, now.server.timeline)
        slots.drop_leftovers(store.conn, epoch.database_oid, None)
        return epoch

    def _look(self, store: Store, link: RedisLink) -> Situation:
        """What there is. A slot that somebody reads means that a relay in wal mode is at work."""
        current, server = store.current(), store.server()
        info = slots.inspect(store.conn, current.slot if current else None)
        if current and current.slot and info.state is SlotState.ACTIVE:
            silence, dead_after = self._context.silence, self._settings.dead_after
            raise slots.stand_by(store.conn, current.slot, info, silence, dead_after)
        keyspace = Keyspace(self._settings.prefix, current.epoch if current else 0, self._settings.topics)
        redis = look_in_redis(link, keyspace, current.partitions if current else 0)
        kept = store.rounds(current.epoch) if current else []
        # Without a replication connection there is no timeline history: what wal mode published may be gone.
        left = current is not None and current.mode == "wal" and current.timeline != server.timeline
        return Situation(
            current,
            server,
            "poll",
            self._settings.partitions,
            redis.published,
            redis.newest_epoch,
            last_round=kept[-1][0] if kept else 0,
            switched_at=0 if left else None,
        )

    def _begin_epoch(self, store: Store, now: Situation, reason: Reason) -> Epoch:
        """A new epoch that begins with what is visible now."""
        number = next_epoch(now)
        log.warning("epoch_begins", epoch=number, reason=reason.value, mode="poll")
        new = NewEpoch(
            number,
            "poll",
            self._settings.partitions,
            reason.value,
            now.server,
            floor=0,
            snapshot=None,
            slot=None,
            publication_oid=None,
            fill_major=_FIRST_ROUND,
            confirmed=_FIRST_ROUND,
        )
        backoff = self._context.backoff()
        self._context.on_step("before_epoch")
        while True:
            try:
                store.begin(new, find_floor=reason.breaks_snapshots)
                break
            except psycopg.errors.LockNotAvailable:
                backoff.wait()
        self._context.on_step("epoch_begun")
        telemetry.RELAY_EPOCHS.labels(reason.value).inc()
        epoch = store.current()
        assert epoch is not None
        return epoch

    def _take_over(
        self, store: Store, link: RedisLink, lead: Leadership, ears: Ears | None, epoch: Epoch
    ) -> Rounds:
        store.wake_writers()
        taken = take_over(self._settings, store, link, epoch, self._context.on_step)
        sender = self._context.start_sender(taken.publisher, link, taken.settled, mass_is_lsn=False)
        with suppress(Stopping):
            if needs_fill(epoch, taken.publisher):
                self._context.on_step("before_fill")
                fill(self._settings, store, epoch, sender, lead.check)
                sender.await_idle(lead.check)
                self._context.on_step("after_fill")
                store.set_filled(epoch.epoch, taken.fence, sender.progress)
                self._context.on_step("fill_noted")
        log.info(
            "relay_started", mode="poll", epoch=epoch.epoch, fence=taken.fence, wakeable=ears is not None
        )
        return Rounds(self._context, store, sender, lead, ears, epoch, taken.fence)
