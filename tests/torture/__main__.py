"""`make torture`: rounds until each mode has had its kills; prints every round, and at the end what died where.

A failing round prints its seed; `--once --mode … --seed …` repeats its plan alone.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import redis

from app import wiring
from app.stack.postgres import Postgres
from app.stack.valkey import Valkey
from tests.support.servers import Running, fresh_database, make_postgres, make_valkey, running
from tests.torture.relays import Nursery, nursery
from tests.torture.rounds import INSTANT, Kills, Round, Torturer, steps_of

TEMPLATE = "torture"
_SWITCHING_EVERY = 4


@dataclass(slots=True)
class Session:
    """The stores, and what has happened so far."""

    postgres: Running[Postgres]
    valkey: Running[Valkey]
    nursery: Nursery
    counts: Kills = field(default_factory=Kills)
    events: int = 0
    epochs: int = 0

    def round(self, plan: Round) -> None:
        """One round, on stores that are as new."""
        url = self.valkey.server.url()
        with redis.Redis.from_url(url) as client:
            client.flushall()
        with fresh_database(self.postgres.server, TEMPLATE) as database:
            verdict = Torturer(plan, self.nursery, database, url, self.counts).run()
        self.events += verdict.events
        self.epochs += verdict.epochs


@contextmanager
def session() -> Iterator[Session]:
    """Servers of our own."""
    with ExitStack() as stack:
        postgres = stack.enter_context(running(make_postgres))
        valkey = stack.enter_context(running(make_valkey))
        postgres.server.create_database(TEMPLATE)
        wiring.migrate(postgres.server.url(TEMPLATE))
        yield Session(postgres, valkey, stack.enter_context(nursery()))


def plans(at: Session, modes: list[str], kills: int, per_round: int, seed: int) -> Iterator[Round]:
    """Rounds in turn for each mode until it has had its kills; every fourth one switches."""
    dice = random.Random(seed)
    for number in itertools.count(1):
        open_modes = [mode for mode in modes if at.counts.by_mode[mode] < kills]
        for mode in open_modes:
            yield Round(mode, dice.randrange(1 << 31), per_round, number % _SWITCHING_EVERY == 0)
        if not open_modes:
            return


def main() -> int:
    """Torture; exit code 1 when a promise is broken."""
    given = _arguments()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}", flush=True)
    modes = [given.mode] if given.mode else ["wal", "poll"]
    began = time.monotonic()
    with session() as at:
        for number, plan in enumerate(_planned(at, given, modes, seed), 1):
            try:
                at.round(plan)
            except AssertionError as broken:
                print(f"BROKEN in round {number} ({plan}): {broken}", flush=True)
                return 1
            _report(at, number, plan, time.monotonic() - began)
        _summary(at, modes, time.monotonic() - began)
    return 0


def _planned(at: Session, given: argparse.Namespace, modes: list[str], seed: int) -> Iterator[Round]:
    if given.once:
        return iter([Round(mode, seed, given.per_round, given.switching) for mode in modes])
    return plans(at, modes, given.kills, given.per_round, seed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="per mode (default 500)")
    parser.add_argument("--per-round", type=int, default=40, help="kills per database (default 40)")
    parser.add_argument("--mode", choices=["wal", "poll"], help="only this one")
    parser.add_argument("--seed", type=int, help="by default another one every time")
    parser.add_argument("--once", action="store_true", help="one round, with the seed that a failure printed")
    parser.add_argument("--switching", action="store_true", help="with --once: change mode and partitions")
    return parser.parse_args()


def _report(at: Session, number: int, plan: Round, seconds: float) -> None:
    total = sum(at.counts.by_mode.values())
    kills = ", ".join(f"{mode} {count}" for mode, count in sorted(at.counts.by_mode.items()))
    rate = 60 * total / seconds
    print(
        f"round {number} held ({plan}): kills {kills}; {at.events} events; {rate:.0f} kills/min", flush=True
    )


def _summary(at: Session, modes: list[str], seconds: float) -> None:
    print(f"\n{'died at':20}" + "".join(f"{mode:>8}" for mode in modes))
    names = dict.fromkeys([step for mode in modes for step in steps_of(mode, switching=True)] + [INSTANT])
    for name in names:
        print(f"{name:20}" + "".join(f"{at.counts.by_step[mode, name]:8}" for mode in modes))
    print(f"{'in all':20}" + "".join(f"{at.counts.by_mode[mode]:8}" for mode in modes))
    print(f"{at.events} events in {at.epochs} epochs, every promise held; {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
