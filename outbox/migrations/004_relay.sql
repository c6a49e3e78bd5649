-- What the relay remembers between two runs (outbox/relay/store.py). Which epochs there are is outbox.epochs.

-- One row per epoch. Positions are stream ids as text, one per partition.
CREATE TABLE outbox.relay_state (
    epoch              integer     PRIMARY KEY REFERENCES outbox.epochs,
    database_oid       oid         NOT NULL,
    -- The relay that may write: a later one has a greater number, in Redis as here.
    fence              bigint      NOT NULL DEFAULT 0,
    -- wal: the replication slot, and the publication's entry of the log (pg_publication_rel): another one means that
    -- changes may have passed unpublished.
    slot               text,
    publication_oid    oid,
    -- The fill: what the epoch's first snapshot (epochs.snapshot) sees and the last marker before it did not
    -- (fill_since, taken in fill_since_epoch; null = nothing was seen). Its positions are <fill_major>-<index>.
    fill_major         bigint      NOT NULL,
    fill_since         pg_snapshot,
    fill_since_epoch   integer     NOT NULL DEFAULT 0,
    filled             text[],
    -- What PostgreSQL has been told (wal: the LSN that the slot may give up; poll: the oldest round that is kept), and
    -- what Redis then had. A Redis that has less has lost what can't be sent again.
    confirmed          bigint      NOT NULL DEFAULT 0,
    confirmed_progress text[]      NOT NULL DEFAULT '{}',
    -- The newest marker that was stored: a new epoch fills up from here.
    marker             bigint      NOT NULL DEFAULT 0,
    marker_snapshot    pg_snapshot,
    marker_progress    text[]      NOT NULL DEFAULT '{}',
    updated_at         timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

-- poll mode: a round is what its snapshot sees and that of the round before did not. Stored before its first entry goes
-- out, so that a crash reads the same round again; kept until the round is confirmed.
CREATE TABLE outbox.relay_rounds (
    epoch    integer     NOT NULL REFERENCES outbox.epochs,
    round    bigint      NOT NULL,
    snapshot pg_snapshot NOT NULL,
    PRIMARY KEY (epoch, round)
);

-- Begin the next round if there is anything new, for the relay that holds `fence`. `snapshot` is always fresh: with
-- `opened` false, everything that it sees has been published up to `last_round`.
-- An index range of xids, whatever the statistics say; a transaction that stays open for an hour costs one lookup. Rows
-- below settled_below_id come from another life: their xids mean nothing here.
CREATE FUNCTION outbox.relay_open_round(
    epoch integer, fence bigint, OUT last_round bigint, OUT snapshot pg_snapshot, OUT opened boolean)
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    since pg_snapshot;
    floor bigint := outbox.settled_below(relay_open_round.epoch);
    top   xid8;
BEGIN
    SELECT r.round, r.snapshot INTO STRICT last_round, since
      FROM outbox.relay_rounds r WHERE r.epoch = relay_open_round.epoch ORDER BY r.round DESC LIMIT 1;
    snapshot := pg_current_snapshot();
    top := pg_snapshot_xmax(relay_open_round.snapshot);
    opened := EXISTS (
        SELECT FROM outbox.events e
         WHERE e.xid >= pg_snapshot_xmax(since) AND e.xid < top
           AND pg_visible_in_snapshot(e.xid, relay_open_round.snapshot) AND e.id >= floor)
      OR EXISTS (
        SELECT FROM outbox.events e
         WHERE e.xid = ANY (ARRAY(SELECT pg_snapshot_xip(since)))
           AND pg_visible_in_snapshot(e.xid, relay_open_round.snapshot) AND e.id >= floor);
    IF opened THEN
        PERFORM FROM outbox.relay_state s
          WHERE s.epoch = relay_open_round.epoch AND s.fence = relay_open_round.fence FOR SHARE;
        IF NOT FOUND THEN
            RAISE object_in_use USING MESSAGE = 'another relay has taken over';
        END IF;
        last_round := last_round + 1;
        INSERT INTO outbox.relay_rounds VALUES (relay_open_round.epoch, last_round, relay_open_round.snapshot);
    END IF;
END
$$;

-- An id that every row of the log so far lies below, none of them still uncommitted: for an epoch whose snapshots have
-- nothing to do with those before it. Waits for those who write now, but users wait behind us for 100 ms at most.
CREATE FUNCTION outbox.relay_floor() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    LOCK TABLE outbox.events IN SHARE MODE;
    RETURN (SELECT coalesce(max(e.id), 0) + 1 FROM outbox.events e);
END
$$;
REVOKE ALL ON FUNCTION outbox.relay_floor, outbox.relay_open_round FROM PUBLIC;
