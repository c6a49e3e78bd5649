"""wal mode, one session: find or make the epoch and its slot, take over the streams, then read until something fails.

Nothing has to be undone after a failure: the next session starts at the confirmed position and skips what Redis has.
The loop itself is `stream.py`; what is the same in poll mode is `opening.py`; beginning again is `service.py`.
"""

from __future__ import annotations

import math
from contextlib import ExitStack, closing

import structlog

from outbox.relay import slot as slots
from outbox.relay.context import Context
from outbox.relay.epoch import Reason, Situation, next_epoch, reason_for_new_epoch
from outbox.relay.keeper import Keeper
from outbox.relay.keyspace import Keyspace
from outbox.relay.leader import Leadership
from outbox.relay.link import RedisLink
from outbox.relay.opening import fill, find_floor, look_in_redis, needs_fill, take_over
from outbox.relay.pgoutput import parse_lsn
from outbox.relay.session import CommandFailed, ReplicationSession
from outbox.relay.slot import SlotInfo, SlotState
from outbox.relay.store import Connection, Epoch, NewEpoch, Server, Store, connect, translated
from outbox.relay.stream import WalStream
from runtime import telemetry

log = structlog.get_logger(__name__)


class WalRelay:
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
            store = Store(stack.enter_context(self._connect_keeper()))
            session = stack.enter_context(closing(self._open_session()))
            epoch, confirmed = self._begin_stream(store, link, session)
            stream = self._take_over(store, link, session, epoch, confirmed)
            self._context.on_step("started")
            telemetry.RELAY_ACTIVE.set(1)
            stack.callback(telemetry.RELAY_ACTIVE.set, 0)
            stream.run()

    def _connect_keeper(self) -> Connection:
        """A synchronous standby that is away holds up the users' commits; markers must go on saying so."""
        return connect(self._settings.replication_url, "stunity-relay-keeper", synchronous_commit="local")

    def _open_session(self) -> ReplicationSession:
        return ReplicationSession(
            self._settings.replication_url,
            self._settings.dead_after,
            self._context.wakeup,
            self._context.stop,
        )

    def _begin_stream(self, store: Store, link: RedisLink, session: ReplicationSession) -> tuple[Epoch, int]:
        """The epoch whose slot we read from now on, and its confirmed position."""
        lead = Leadership(self._settings.replication_url, self._settings.dead_after, self._context.wakeup.set)
        try:
            now, info = self._look(store, link, session)
            reason = reason_for_new_epoch(now)
            epoch = now.current
            if epoch is None or reason is not None:
                epoch = self._begin_epoch(store, session, now, reason or Reason.FIRST)
            elif epoch.timeline != now.server.timeline:
                store.set_timeline(epoch.epoch, now.server.timeline)
            lead.check()
            assert epoch.slot is not None
            info = slots.inspect(store.conn, epoch.slot)
            self._start(session, store, epoch.slot, info)
            slots.drop_leftovers(store.conn, epoch.database_oid, epoch.slot)
            return epoch, info.confirmed
        finally:
            lead.release()

    def _look(self, store: Store, link: RedisLink, session: ReplicationSession) -> tuple[Situation, SlotInfo]:
        """What there is. A slot that somebody reads means that we stand by, whatever else has changed."""
        current, server = store.current(), store.server()
        info = slots.inspect(store.conn, current.slot if current else None)
        if current and current.slot and info.state is SlotState.ACTIVE:
            raise slots.stand_by(
                store.conn, current.slot, info, self._context.silence, self._settings.dead_after
            )
        keyspace = Keyspace(self._settings.prefix, current.epoch if current else 0, self._settings.topics)
        redis = look_in_redis(link, keyspace, current.partitions if current else 0)
        rounds = store.rounds(current.epoch) if current and current.mode == "poll" else []
        state = info.state
        if current and current.slot in self._context.unusable_slots:
            state = SlotState.LOST
        situation = Situation(
            current,
            server,
            "wal",
            self._settings.partitions,
            redis.published,
            redis.newest_epoch,
            state,
            last_round=rounds[-1][0] if rounds else 0,
            publication=store.publication(self._settings.publication),
            switched_at=_switched_at(session, current, server),
        )
        return situation, info

    def _begin_epoch(
        self, store: Store, session: ReplicationSession, now: Situation, reason: Reason
    ) -> Epoch:
        """A new slot, and with it a new epoch that begins where the slot does."""
        number, server = next_epoch(now), now.server
        name = slots.slot_name(server.database_oid, number)
        log.warning("epoch_begins", epoch=number, reason=reason.value, mode="wal")
        floor = find_floor(store, reason, self._context.backoff())
        self._context.on_step("before_epoch")
        slots.drop(store.conn, name)  # left by a relay that died before it wrote the epoch down
        patience = self._settings.slot_patience if self._settings.mode == "auto" else math.inf
        created = slots.create(session, name, server.version, patience)
        snapshot = store.exported_snapshot(created.snapshot_name)
        self._context.on_step("slot_created")
        store.begin(
            NewEpoch(
                number,
                "wal",
                self._settings.partitions,
                reason.value,
                server,
                floor,
                snapshot,
                name,
                now.publication,
                # Commits are decoded from the consistent point on: what was there before stands just below it.
                fill_major=created.consistent_point - 1,
                confirmed=0,
            )
        )
        self._context.on_step("epoch_begun")
        telemetry.RELAY_EPOCHS.labels(reason.value).inc()
        epoch = store.current()
        assert epoch is not None
        return epoch

    def _start(self, session: ReplicationSession, store: Store, slot: str, info: SlotInfo) -> None:
        try:
            session.start(slot, self._settings.publication)
        except CommandFailed as error:
            if error.sqlstate == slots.IN_USE:
                raise slots.stand_by(
                    store.conn, slot, info, self._context.silence, self._settings.dead_after
                ) from error
            if error.sqlstate in slots.GONE:
                self._context.unusable_slots.add(slot)
            raise

    def _take_over(
        self, store: Store, link: RedisLink, session: ReplicationSession, epoch: Epoch, confirmed: int
    ) -> WalStream:
        store.wake_writers()
        taken = take_over(self._settings, store, link, epoch, self._context.on_step)
        sender = self._context.start_sender(taken.publisher, link, taken.settled, mass_is_lsn=True)
        if needs_fill(epoch, taken.publisher):
            self._context.on_step("before_fill")
            fill(self._settings, store, epoch, sender, lambda: session.confirm(confirmed))
            sender.await_idle(lambda: session.confirm(confirmed))
            self._context.on_step("after_fill")
            store.set_filled(epoch.epoch, taken.fence, sender.progress)
            self._context.on_step("fill_noted")
        keeper = Keeper(self._context, store, epoch, taken.fence, sender, confirmed)
        log.info("relay_started", mode="wal", epoch=epoch.epoch, fence=taken.fence, slot=epoch.slot)
        return WalStream(self._context, session, sender, keeper, epoch)


def _switched_at(session: ReplicationSession, current: Epoch | None, server: Server) -> int | None:
    """Where the server's history left the timeline of the epoch; None when it is still on it."""
    if current is None or current.mode != "wal" or current.timeline == server.timeline:
        return None
    (row,) = session.command(f"TIMELINE_HISTORY {server.timeline}")
    for line in (row["content"] or "").splitlines():
        fields = line.split("\t")
        if fields[0].strip() == str(current.timeline):
            return parse_lsn(fields[1])
    return 0  # not one of its ancestors: nothing of ours is in it
