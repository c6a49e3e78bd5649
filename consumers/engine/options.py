"""The engine's numbers, in one frozen object per profile: how prompt, how patient, how large a batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runtime.settings import Profile


@dataclass(frozen=True, slots=True)
class Options:
    """Times are in seconds.

    Attributes:
        batch_events: most events in one `apply`.
        fill_batches: how many times as many a fill from the truth takes at once.
        batch_bytes: rough size of their payloads at which a batch is closed.
        read_count: most entries per stream and read.
        block: how long a read waits for new entries; an idle consumer sends one command per `block`.
        gather: pause after a read that brought few events, so that the next one brings more.
        acknowledge: entries that the view has stay pending for so long, so that one command settles many.
        log_poll: pause between two looks at the log while there is no stream to read.
        rejoin: pause between two attempts to go back from the log to the streams.
        upkeep: how often fills, epochs and retries are looked at, in PostgreSQL.
        store_check: how often, at most, the view's store is asked whether it still is the one we filled.
        checkpoint: how long the view's store may do without a checkpoint while no events come.
        lease: after this long without a sign of life another process takes over.
        trim: how often the streams are trimmed; what has been applied stays for about as long.
        stream_cap: entries per stream above which the slowest consumer is sent to the log.
        backoff_first, backoff_most: pause after a failure, doubling, with jitter.
    """

    batch_events: int = 500
    fill_batches: int = 1
    batch_bytes: int = 1_000_000
    read_count: int = 500
    block: float = 2.0
    gather: float = 0.0
    acknowledge: float = 0.0
    log_poll: float = 0.25
    rejoin: float = 1.0
    upkeep: float = 3.0
    store_check: float = 0.0
    checkpoint: float = 5.0
    lease: float = 10.0
    trim: float = 60.0
    stream_cap: int = 200_000
    backoff_first: float = 0.1
    backoff_most: float = 10.0

    def suiting(self, view: object) -> Options:
        """The same for a view that asks for batches of another size, in a fill too, or for a pause (`gather`)."""
        gather = max(self.gather, getattr(view, "gather", 0.0))
        suited = replace(self, gather=gather, fill_batches=getattr(view, "fill_batches", self.fill_batches))
        size = getattr(view, "batch_events", None)
        return suited if size is None else replace(suited, batch_events=size, read_count=size)

    @property
    def fill_events(self) -> int:
        """Most events in one `apply` of a fill."""
        return self.batch_events * self.fill_batches

    @classmethod
    def of(cls, profile: Profile) -> Options:
        """The numbers of a profile: `economy` asks an idle Redis about 1,500 things a day, all consumers together."""
        if profile is Profile.ECONOMY:
            return cls(
                block=300.0,
                gather=0.5,
                acknowledge=60.0,
                log_poll=5.0,
                rejoin=15.0,
                upkeep=30.0,
                store_check=900.0,
                checkpoint=120.0,
                lease=90.0,
                trim=3600.0,
                stream_cap=20_000,
                backoff_most=60.0,
            )
        return cls()
