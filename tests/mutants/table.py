"""Every mutant: which promise its patch breaks, how, and the tests that must notice.

A patch is small on purpose: one thing that somebody might well write. Tests are the cheapest that kill it; others may.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
_RELAY: Final = "tests/integration/relay/"
_ENGINE: Final = "tests/integration/engine/"
_SEARCH: Final = "tests/integration/search/"
_VERIFY: Final = "tests/integration/verify/"


@dataclass(frozen=True, slots=True)
class Mutant:
    """`name`.patch breaks `invariant`; each of `killers` must turn red, and with `machine` the random machine too.

    To the machine some make no difference, because another guard holds as well: the checkpoint that a batch expects
    stops a former owner even where generations are not compared.
    """

    name: str
    breaks: str
    killers: tuple[str, ...]
    machine: bool = False

    @property
    def patch(self) -> Path:
        """What it changes."""
        return FOLDER / f"{self.name}.patch"

    @property
    def invariant(self) -> str:
        """I1 … I12."""
        return self.name.partition("-")[0]


MUTANTS: Final = (
    Mutant(
        "I1-any-progress",
        "a batch is taken wherever Redis stands",
        (
            f"{_RELAY}test_redis_restarts.py::test_redis_restarts[wal-its last second]",
            f"{_RELAY}test_redis_restarts.py::test_redis_restarts[poll-its last second]",
        ),
    ),
    Mutant(
        "I1-id-is-proof",
        "an id at or below the top counts as published",
        (f"{_RELAY}test_redis_faults.py::test_an_entry_that_vanished_from_the_middle_is_told_as_a_gap",),
    ),
    Mutant(
        "I2-wal-row-lsn",
        "entries are placed by their row's LSN, not by their commit's",
        (f"{_RELAY}test_order.py::test_an_open_transaction_delays_nobody_else[wal]",),
    ),
    Mutant(
        "I2-poll-xid-order",
        "a round is in the order of xids",
        (f"{_RELAY}test_order.py::test_one_that_waited_comes_second_within_a_round_as_well[poll]",),
    ),
    Mutant(
        "I3-confirms-what-was-read",
        "what was decoded is confirmed, acknowledged or not",
        (f"{_RELAY}test_redis_faults.py::test_what_redis_refuses_is_not_confirmed[wal]",),
    ),
    Mutant(
        "I3-counts-a-refusal",
        "OOM is taken for an answer",
        (
            f"{_RELAY}test_redis_faults.py::test_what_redis_refuses_is_not_confirmed[wal]",
            f"{_RELAY}test_redis_faults.py::test_what_redis_refuses_is_not_confirmed[poll]",
        ),
    ),
    Mutant(
        "I4-idle-slot-stays",
        "unrelated WAL does not move the confirmed position",
        (f"{_RELAY}test_retained_wal.py::test_an_idle_slot_follows_a_busy_database",),
    ),
    Mutant(
        "I5-no-fence",
        "the scripts do not look at the fence",
        (f"{_RELAY}test_two_relays.py::test_the_fence",),
    ),
    Mutant(
        "I5-no-lock",
        "poll mode takes the leader's lock as given",
        (f"{_RELAY}test_two_relays.py::test_leadership_ends_with_its_server_process",),
    ),
    Mutant(
        "I6-marker-at-once",
        "a marker does not wait until what it sees has been decoded",
        (f"{_RELAY}test_markers.py::test_no_marker_counts_what_the_walsender_has_not_sent",),
    ),
    Mutant(
        "I6-settles-the-unseen",
        "what was sent counts as visible",
        (f"{_RELAY}test_postgres_faults.py::test_a_synchronous_standby_that_does_not_answer",),
    ),
    Mutant(
        "I6b-another-cluster-is-the-same",
        "a restored database goes on in the old epoch",
        (
            f"{_RELAY}test_epochs.py::test_a_dump_restored_into_another_cluster[wal]",
            f"{_RELAY}test_epochs.py::test_a_dump_restored_into_another_cluster[poll]",
        ),
    ),
    Mutant(
        "I6b-no-fill",
        "a new epoch begins with what comes, not with what is there",
        (
            f"{_RELAY}test_order.py::test_everything_that_was_there_and_everything_that_comes[wal]",
            f"{_RELAY}test_order.py::test_everything_that_was_there_and_everything_that_comes[poll]",
        ),
    ),
    Mutant(
        "I6b-old-epoch-stays-open",
        "nobody tells the readers of an old epoch where it goes on",
        (f"{_RELAY}test_epochs.py::test_a_change_of_the_number_of_partitions[wal]",),
    ),
    Mutant(
        "I7-no-generation",
        "a paused former owner writes over its successor",
        ("tests/integration/feeds/test_store.py::test_a_paused_former_owner_has_no_effect",),
    ),
    Mutant(
        "I7-late-writes-stay",
        "keys of a write whose fate is not known are not written again",
        (f"{_SEARCH}test_projection.py::test_a_late_write_of_a_former_owner_is_mended_by_the_new_one",),
        machine=True,
    ),
    Mutant(
        "I8-facts-do-not-wait",
        "facts overtake a dead letter of their key",
        (f"{_ENGINE}test_poison.py::test_facts_wait_behind_a_letter_and_follow_it_in_order",),
        machine=True,
    ),
    Mutant(
        "I9-an-outage-is-poison",
        "events are set aside because the store is away",
        (f"{_ENGINE}test_poison.py::test_an_outage_is_waited_for",),
        machine=True,
    ),
    Mutant(
        "I10-a-hole-is-passed-over",
        "a number that is missing in a stream goes unnoticed",
        (f"{_ENGINE}test_losses.py::test_hole",),
        machine=True,
    ),
    Mutant(
        "I10b-clears-nothing",
        "a fill leaves in the view what the truth no longer has",
        ("tests/conformance/test_losses.py::test_what_nobody_tells_of_any_more[search-retire_the_log]",),
        machine=True,
    ),
    Mutant(
        "I12-one-look",
        "a change on its way is reported as a difference",
        (f"{_VERIFY}test_search.py::test_changes_under_way_are_no_differences",),
    ),
    Mutant(
        "I12-mapping-shows-to-all",
        "posts of a school are found by everybody, and verify says so",
        (f"{_VERIFY}test_search.py::test_a_view_that_follows_is_equal",),
        machine=True,
    ),
    Mutant(
        "I12-mapping-drops-a-comment",
        "a comment counts as much as a like, and verify says so",
        (f"{_VERIFY}test_search.py::test_a_view_that_follows_is_equal",),
        machine=True,
    ),
    Mutant(
        "I12-mapping-keeps-markup",
        "addresses are embedded, and verify says so",
        (f"{_VERIFY}test_embeddings.py::test_damage_is_named_and_mended",),
        machine=True,
    ),
)
