"""One round of torture: a fresh database and an empty Redis, writers at work, one relay after the other killed.

Most die at a named step (outbox/relay/failpoints.py), the n-th time they pass it; the others at a random instant. Every
relay may have other batch sizes than the one before; in a round that switches, another mode or another number of
partitions as well, which begins a new epoch. The last relay lives, publishes what is left, and stops when asked to.
"""

from __future__ import annotations

import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from outbox.relay.failpoints import STEPS, Step
from tests.support.relay import Streams
from tests.torture import workload
from tests.torture.relays import Nursery, Victim, start_cold
from tests.torture.verdict import Verdict, judge

INSTANT: Final = "any instant"
_COLD_START: Final = 3.0

#: Passed once per epoch, in this order; so they are what the first relays of a round die of.
_ONCE: Final[tuple[Step, ...]] = (
    "before_epoch",
    "slot_created",
    "epoch_begun",
    "before_fill",
    "after_fill",
    "fill_noted",
)
_ONCE_PER_RELAY: Final[frozenset[Step]] = frozenset(
    (*_ONCE, "fence_claimed", "streams_seized", "epoch_ended", "started", "stopping", "stopped")
)
_ASKED_TO_STOP: Final[frozenset[Step]] = frozenset(("stopping", "stopped"))
_PATIENCE: Final = 1.5
#: Never passed here: only after Redis has lost what was confirmed, or when nothing is written for a while. These have
#: their own tests (tests/integration/relay/test_crashes.py).
_OTHER_TESTS: Final[frozenset[Step]] = frozenset(("gap_told", "before_sleep"))
_NOT_IN: Final[dict[str, frozenset[Step]]] = {
    "wal": frozenset(("before_round", "round_stored")),
    "poll": frozenset(("slot_created",)),
}


def steps_of(mode: str, *, switching: bool) -> list[Step]:
    """The steps that a relay in this mode can die at."""
    unreachable = _OTHER_TESTS | _NOT_IN[mode] | (frozenset() if switching else {"epoch_ended"})
    return [step for step in STEPS if step not in unreachable]


@dataclass(slots=True)
class Kills:
    """How the relays died: by mode, and by step."""

    by_mode: Counter[str] = field(default_factory=Counter)
    by_step: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, mode: str, step: str) -> None:
        """One more."""
        self.by_mode[mode] += 1
        self.by_step[mode, step] += 1


@dataclass(frozen=True, slots=True)
class Round:
    """What a round is made of; the same seed gives the same plan (not the same instants)."""

    mode: str
    seed: int
    kills: int
    switching: bool = False

    def __str__(self) -> str:
        return f"{self.mode} seed={self.seed} kills={self.kills}{' switching' if self.switching else ''}"


class Torturer:
    """Carries out one round on the stores at `database` and `redis_url`."""

    def __init__(self, plan: Round, nursery: Nursery, database: str, redis_url: str, counts: Kills) -> None:
        self._plan = plan
        self._nursery = nursery
        self._database = database
        self._redis_url = redis_url
        self._counts = counts
        self._dice = random.Random(f"kills {plan.seed}")
        self._mode = plan.mode
        self._killed = 0
        self._partitions = self._dice.choice([1, 1, 2, 3])

    def run(self) -> Verdict:
        """Kill, then judge.

        Raises:
            AssertionError: a promise is broken; says which.
        """
        workload.prepare(self._database)
        with psycopg.connect(self._database, autocommit=True) as conn:
            streams = Streams(self._redis_url, conn)
            with streams.client, workload.at_work(self._database, self._plan.seed):
                while self._killed < self._plan.kills:
                    self._kill_one()
            with streams.client:
                self._let_one_live(streams)
                return judge(streams)

    def _kill_one(self) -> None:
        switches = self._plan.switching and self._dice.random() < 0.2
        if switches:
            self._switch()
        step = self._choose_step(switches=switches)
        if step is None or self._dice.random() < 0.03:
            self._kill_at_an_instant(cold=self._dice.random() < 0.15)
            return
        passes = 1 if step in _ONCE_PER_RELAY else self._dice.choice([1, 1, 2, 3, 5, 8])
        relay = self._start(f"{step}:{passes}")
        if step in _ASKED_TO_STOP:
            relay.ends_within(self._dice.uniform(0.3, 0.6))
            relay.send(signal.SIGTERM)
        if relay.ends_within(_PATIENCE):
            self._count(relay, step)
        else:
            relay.send(signal.SIGKILL)
            self._count(relay, INSTANT)

    def _kill_at_an_instant(self, *, cold: bool) -> None:
        relay = start_cold(self._mode, self._environment()) if cold else self._start("")
        relay.ends_within(self._dice.uniform(0, 0.6) + (_COLD_START if cold else 0))
        relay.send(signal.SIGKILL)
        self._count(relay, INSTANT)

    def _count(self, relay: Victim, step: str) -> None:
        code = relay.bury()
        if code == 0 and step in _ASKED_TO_STOP:
            return  # it was not far enough yet to pass there
        assert code == -signal.SIGKILL, f"a relay ended by itself, with {code}, on its way to {step}"
        self._killed += 1
        self._counts.add(self._mode, step)

    def _choose_step(self, *, switches: bool) -> Step | None:
        steps = steps_of(self._mode, switching=self._plan.switching)
        first = [step for step in _ONCE if step in steps]
        if self._killed < len(first):
            return first[self._killed]
        if switches and self._dice.random() < 0.5:
            return "epoch_ended"
        return self._dice.choice(steps) if self._dice.random() < 0.75 else None

    def _switch(self) -> None:
        if self._dice.random() < 0.5:
            self._mode = "poll" if self._mode == "wal" else "wal"
        else:
            self._partitions = self._dice.randint(1, 3)

    def _let_one_live(self, streams: Streams) -> None:
        relay = self._start("")
        try:
            streams.wait_for_all(timeout=60)
        finally:
            relay.send(signal.SIGTERM)
        assert relay.bury() == 0, "the last relay did not stop in peace"

    def _start(self, failpoint: str) -> Victim:
        return self._nursery.start(self._mode, self._environment(), failpoint, **self._changes())

    def _changes(self) -> dict[str, Any]:
        """Small batches, so that there is something between two deaths, and times that suit short lives."""
        return {
            "batch_events": self._dice.choice([3, 50, 4000]),
            "batch_bytes": self._dice.choice([5_000, 4 << 20]),
            "linger": self._dice.choice([0.0, 0.0, 0.05]),
            "marker_interval": 0.02,
            "trail_seconds": self._dice.choice([0.1, 1.0]),
            "trail_bytes": 0,
            "state_interval": 0.05,
            "dead_after": 1.0,
            "standby_interval": 0.02,
            "longest_backoff": 0.1,
            "poll_idle_interval": 0.05,
        }

    def _environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self._database,
            "REDIS_URL": self._redis_url,
            "STREAM_PARTITIONS": str(self._partitions),
            "LOG_LEVEL": "CRITICAL",
        }
