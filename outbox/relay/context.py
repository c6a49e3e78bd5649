"""What one relay process hands to each of its sessions."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from outbox.relay.backoff import Backoff
from outbox.relay.failpoints import OnStep, no_step
from outbox.relay.link import RedisLink
from outbox.relay.position import Position
from outbox.relay.publisher import Publisher
from outbox.relay.sender import Sender
from outbox.relay.settings import RelaySettings
from outbox.relay.silence import Silence
from outbox.relay.wakeup import Wakeup


@dataclass(frozen=True, slots=True)
class Context:
    """`stop` ends everything, `wakeup` ends the main thread's waiting; set both, in this order."""

    settings: RelaySettings
    stop: threading.Event
    wakeup: Wakeup
    #: Called with the name of each step, a few times per batch: where tests let a relay die (`failpoints.py`).
    on_step: OnStep = no_step
    #: What was seen of another relay, while it is waited for.
    silence: Silence = field(default_factory=Silence)
    #: Slots whose WAL can't be decoded, found out by trying.
    unusable_slots: set[str] = field(default_factory=set)

    def backoff(self) -> Backoff:
        """Waiting between attempts."""
        return Backoff(self.stop, self.settings.longest_backoff)

    def open_link(self) -> RedisLink:
        """A connection to Redis."""
        settings = self.settings
        return RedisLink(settings.redis_url, settings.redis_timeout, self.stop, settings.longest_backoff)

    def start_sender(
        self, publisher: Publisher, link: RedisLink, settled: Position, *, mass_is_lsn: bool
    ) -> Sender:
        """The thread that publishes."""
        sender = Sender(
            publisher,
            link,
            settled,
            queue_batches=self.settings.queue_batches,
            check_seconds=self.settings.idle_check_interval,
            mass_is_lsn=mass_is_lsn,
            wake=self.wakeup.set,
            on_step=self.on_step,
        )
        sender.start()
        return sender
