-- The durable log. Lives in a schema of its own, so that an upstream migration tool never proposes to drop it.
-- Insert-only; the one UPDATE is erasure, which leaves a redacted tombstone. Upkeep of partitions: outbox/partitions.py.
CREATE SCHEMA IF NOT EXISTS outbox;

CREATE TABLE outbox.events (
    -- CACHE 1: allocated after the row write and under its lock, so a larger id of one key is the newer state.
    id          bigint      GENERATED ALWAYS AS IDENTITY (CACHE 1),
    -- With snapshots this makes polling, checkpoints and positions exact.
    xid         xid8        NOT NULL DEFAULT pg_current_xact_id(),
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    topic       text        NOT NULL,
    type        text        NOT NULL,
    key         text        NOT NULL,
    data        jsonb       NOT NULL,
    headers     jsonb       NOT NULL DEFAULT '{}',
    PRIMARY KEY (id, occurred_at)
) PARTITION BY RANGE (occurred_at);

CREATE INDEX events_xid ON outbox.events (xid);

COMMENT ON TABLE outbox.events IS 'Every event, written in the transaction of the change it tells of. The durable log.';
COMMENT ON COLUMN outbox.events.key IS 'Aggregate id (of an engagement or a view: the post id): order and partition are per key.';

-- The net under the partitions that are made ahead: a write never fails because a day is missing.
CREATE TABLE outbox.events_default PARTITION OF outbox.events DEFAULT;

-- Nobody else can hold a lock on a table that was born in this transaction, so these may be made the plain way.
DO $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    day   date;
BEGIN
    FOR ahead IN 0..7 LOOP
        day := today + ahead;
        EXECUTE format(
            'CREATE TABLE outbox.%I PARTITION OF outbox.events FOR VALUES FROM (%L) TO (%L)',
            'events_' || to_char(day, 'YYYYMMDD'), day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
    END LOOP;
END
$$;

-- One row per epoch; the relay starts them. Epoch 0 stands for "no relay has ever run".
CREATE TABLE outbox.epochs (
    epoch             integer     PRIMARY KEY CHECK (epoch > 0),
    mode              text        NOT NULL CHECK (mode IN ('wal', 'poll')),
    partitions        integer     NOT NULL CHECK (partitions > 0),
    reason            text        NOT NULL,
    started_at        timestamptz NOT NULL DEFAULT now(),
    system_identifier text,
    timeline          integer,
    -- An epoch begun by a restore: rows below this id carry xids of another life and count as committed.
    settled_below_id  bigint      NOT NULL DEFAULT 0,
    snapshot          pg_snapshot
);

-- A zombie relay is told by its old number.
CREATE SEQUENCE outbox.relay_fence;

-- A flag that a writer reads without a query: `is_called` says that the relay sleeps and wants to be woken.
-- A sequence, because its state is seen at once by all, whatever their snapshot; unlogged, because after a crash
-- of the server there is no sleeping relay.
CREATE UNLOGGED SEQUENCE outbox.relay_asleep MAXVALUE 2;

-- wal mode reads this publication. Insert-only: erasure and retention never reach a stream.
DO $$
BEGIN
    CREATE PUBLICATION stunity_outbox FOR TABLE outbox.events
        WITH (publish = 'insert', publish_via_partition_root = true);
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'publication stunity_outbox could not be made (%): the relay will poll', SQLERRM;
END
$$;
