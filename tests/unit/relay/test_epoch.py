"""When an epoch begins: one row per situation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outbox.relay.epoch import Reason, Situation, next_epoch, reason_for_new_epoch
from outbox.relay.keeper import end_of_last_record
from outbox.relay.position import START, Position
from outbox.relay.slot import SlotState
from outbox.relay.store import Epoch, Server

WAL = Epoch(3, "wal", 1, "cluster", 1, "9:9:", 77, "slot", 5, 100, None, 0, [], 0, [], 0, None, [])
POLL = replace(WAL, mode="poll", slot=None, publication_oid=None, fill_major=1)
SERVER = Server(False, 180000, 77, 1, 5000, 3, "cluster")
FINE = Situation(WAL, SERVER, "wal", 1, Position(4000, 2), 3, publication=5)
FINE_POLL = Situation(POLL, SERVER, "poll", 1, Position(40, 2), 3, last_round=40)


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        (FINE, None),
        (FINE_POLL, None),
        (replace(FINE, published=START, newest_in_redis=0), None),
        (replace(FINE, current=None), Reason.FIRST),
        (replace(FINE, server=replace(SERVER, system_identifier="other")), Reason.CLUSTER),
        (replace(FINE, server=replace(SERVER, system_identifier=None)), None),
        (replace(FINE, server=replace(SERVER, database_oid=78)), Reason.CLUSTER),
        (replace(FINE, newest_in_redis=4), Reason.ROLLED_BACK),
        (replace(FINE, published=Position(5001, 1)), Reason.ROLLED_BACK),
        (replace(FINE_POLL, published=Position(41, 1)), Reason.ROLLED_BACK),
        (replace(FINE, switched_at=4000), Reason.TIMELINE),
        (replace(FINE, switched_at=4001), None),
        (replace(FINE, mode="poll"), Reason.MODE),
        (replace(FINE_POLL, mode="wal"), Reason.MODE),
        (replace(FINE, partitions=2), Reason.PARTITIONS),
        (replace(FINE, slot=SlotState.MISSING), Reason.SLOT_LOST),
        (replace(FINE, slot=SlotState.LOST), Reason.SLOT_LOST),
        (replace(FINE_POLL, slot=SlotState.MISSING), None),
        (replace(FINE, publication=6), Reason.PUBLICATION),
        # The gravest reason counts: it decides whether snapshots still mean anything.
        (replace(FINE, slot=SlotState.MISSING, switched_at=0), Reason.TIMELINE),
        (replace(FINE, mode="poll", newest_in_redis=9), Reason.ROLLED_BACK),
    ],
)
def test_reasons(situation: Situation, reason: Reason | None) -> None:
    assert reason_for_new_epoch(situation) is reason


def test_the_number_is_new_to_both_stores() -> None:
    assert next_epoch(FINE) == 4
    assert next_epoch(replace(FINE, newest_in_redis=9)) == 10
    assert (
        next_epoch(replace(FINE, current=None, newest_in_redis=0, server=replace(SERVER, newest_epoch=0)))
        == 1
    )


@pytest.mark.parametrize(
    ("insert", "end"),
    [(8192 * 3 + 24, 8192 * 3), (8192 * 3 + 40, 8192 * 3), (8192 * 3 + 100, 8192 * 3 + 100), (64, 64)],
)
def test_a_fresh_page_has_no_record_yet(insert: int, end: int) -> None:
    assert end_of_last_record(insert, 8192) == end
