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
_REBUILD: Final = "tests/integration/rebuild/"


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
        """I1 … I16."""
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
        "I11-the-third-look-opens",
        "a shadow that verify finds wrong serves after three looks",
        (f"{_REBUILD}test_gates.py::test_one_wrong_document",),
    ),
    Mutant(
        "I11-switches-from-afar",
        "what the view got while the leases were being seized is missing after the switch",
        (f"{_REBUILD}test_search.py::test_what_was_found_before_the_switch_is_found_after_it",),
    ),
    Mutant(
        "I11-the-old-one-is-not-fenced",
        "an owner that was paused writes to what was the view until a moment ago",
        (f"{_REBUILD}test_former_owner.py::test_it_changes_nothing[feeds]",),
    ),
    Mutant(
        "I11-a-late-checkpoint-is-heard",
        "readers are told of the new view what an owner that was paused says of the old one",
        (f"{_REBUILD}test_former_owner.py::test_it_changes_nothing[feeds]",),
    ),
    Mutant(
        "I11-leaves-the-old-one-behind",
        "nobody feeds the view of before: going back waits for all that it has not read, if the log still has it",
        (f"{_REBUILD}test_kept.py::test_the_view_of_before_is_kept_in_sync[feeds]",),
    ),
    Mutant(
        "I11-cleared-before-told",
        "a view is emptied while readers are still sent to it",
        (f"{_ENGINE}test_follow.py::test_readers_are_sent_away_before_a_view_that_serves_is_cleared",),
    ),
    Mutant(
        "I11-half-filled-answers",
        "reads are answered from a view that is being filled",
        (f"{_ENGINE}test_reads.py::test_a_view_that_is_being_filled_does_not_answer",),
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
    Mutant(
        "I13-an-outage-is-the-answer",
        "a store that is away is what the reader hears of",
        (f"{_ENGINE}test_reads.py::test_outages_open_the_circuit",),
    ),
    Mutant(
        "I13-a-timeout-opens-nothing",
        "every read waits for a store that hangs, since the circuit does not count timeouts",
        (f"{_ENGINE}test_reads.py::test_a_slow_view_is_not_waited_for",),
    ),
    Mutant(
        "I13-fallback-ranks-without-meaning",
        "the feed from PostgreSQL has another order than the one from Redis",
        ("tests/integration/feeds/test_reads.py::test_semantic_scores_count_where_there_are_vectors",),
    ),
    Mutant(
        "I14-cards-of-all-that-was-found",
        "PostgreSQL does not ask again who may see what an index has found",
        (
            f"{_SEARCH}test_visibility.py::test_a_stale_index_shows_nothing_that_has_gone[filtered-visibility]",
        ),
    ),
    Mutant(
        "I14-index-knows-no-blocks",
        "the index gives away posts of people who are blocked, and PostgreSQL alone holds them back",
        (f"{_SEARCH}test_visibility.py::test_the_index_itself_filters[filtered]",),
    ),
    Mutant(
        "I14-fallback-finds-for-everybody",
        "the keys that PostgreSQL alone finds are not only the viewer's",
        (f"{_SEARCH}test_visibility.py::test_the_fallback_itself_filters[filtered]",),
    ),
    Mutant(
        "I14-facets-of-all-that-was-found",
        "posts that the viewer may not see are counted",
        (f"{_SEARCH}test_answers.py::test_facets_count_what_the_viewer_may_see",),
    ),
    Mutant(
        "I15-looks-for-its-own-events",
        "a write without events counts as applied when the one before it is still on its way",
        (f"{_ENGINE}test_reads.py::test_the_last_position_stands_for_the_writes_before_it",),
    ),
    Mutant(
        "I15-says-no-age",
        "a view that lags says that it does not",
        (f"{_ENGINE}test_reads.py::test_a_live_view_answers_and_says_how_old_it_is",),
    ),
    Mutant(
        "I16-a-write-tells-redis",
        "a write waits for Redis, and fails without it",
        ("tests/integration/producers/test_hanging_stores.py::test_no_write_waits_for_them",),
    ),
    Mutant(
        "I16-limits-know-no-circuit",
        "a post is refused because Redis, which counts them, is away",
        ("tests/integration/live/test_limits.py::test_the_thirty_first_post_in_a_minute_is_refused[away]",),
    ),
)
