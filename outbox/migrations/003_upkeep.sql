-- Upkeep: partitions, the counters that are counted, and who ran what when (outbox/partitions.py, outbox/counters.py,
-- app/scheduler.py).

-- Make the partition of one UTC day; false when it is there. A table of its own is attached, because that leaves
-- inserts alone, while CREATE … PARTITION OF would make them queue behind any long reader. The default partition is
-- locked while PostgreSQL looks for rows that belong to the new one: hence a short lock_timeout, and the caller's retries.
-- Raises check_violation when the default partition already holds rows of that day: they stay there.
CREATE FUNCTION outbox.add_partition(day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    name text := 'events_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass(format('outbox.%I', name)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE outbox.%I (LIKE outbox.events INCLUDING DEFAULTS INCLUDING INDEXES)', name);
    EXECUTE format('ALTER TABLE outbox.events ATTACH PARTITION outbox.%I FOR VALUES FROM (%L) TO (%L)',
                   name, day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
    RETURN true;
END
$$;

-- Days whose partition is older than the retention and still attached, oldest first.
CREATE FUNCTION outbox.expired_days() RETURNS SETOF date LANGUAGE sql STABLE AS $$
    SELECT to_date(substr(c.relname, 8), 'YYYYMMDD') AS day
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'outbox.events'::regclass AND c.relname ~ '^events_[0-9]{8}$'
       AND to_date(substr(c.relname, 8), 'YYYYMMDD') < (now() AT TIME ZONE 'UTC')::date
           - (SELECT s.value::integer FROM outbox.settings s WHERE s.name = 'retention_days')
     ORDER BY day
$$;

-- Take an expired day out of the log. Its table stays, under its name, until drop_detached. PostgreSQL has no
-- concurrent detach beside a default partition; this one asks for its lock briefly, so an insert waits 100 ms at most.
CREATE FUNCTION outbox.detach_partition(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    IF day NOT IN (SELECT outbox.expired_days()) THEN
        RAISE invalid_parameter_value USING MESSAGE = format('%s is within the retention, or not a partition', day);
    END IF;
    EXECUTE format('ALTER TABLE outbox.events DETACH PARTITION outbox.%I', 'events_' || to_char(day, 'YYYYMMDD'));
END
$$;

-- Tables of days that have been detached.
CREATE FUNCTION outbox.detached_days() RETURNS SETOF date LANGUAGE sql STABLE AS $$
    SELECT to_date(substr(c.relname, 8), 'YYYYMMDD') AS day
      FROM pg_class c
     WHERE c.relnamespace = 'outbox'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
       AND c.relname ~ '^events_[0-9]{8}$'
     ORDER BY day
$$;

CREATE FUNCTION outbox.drop_detached(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    IF day NOT IN (SELECT outbox.detached_days()) THEN
        RAISE invalid_parameter_value USING MESSAGE = format('%s is not a detached partition', day);
    END IF;
    EXECUTE format('DROP TABLE outbox.%I', 'events_' || to_char(day, 'YYYYMMDD'));
END
$$;

-- Rows that fell into the net and are older than the retention; returns how many went.
CREATE FUNCTION outbox.prune_default(batch integer DEFAULT 10000) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH expired AS (
        SELECT d.ctid FROM ONLY outbox.events_default d
         WHERE d.occurred_at < date_trunc('day', now(), 'UTC')
               - (SELECT s.value::integer FROM outbox.settings s WHERE s.name = 'retention_days') * interval '1 day'
         LIMIT batch),
    gone AS (DELETE FROM ONLY outbox.events_default d USING expired WHERE d.ctid = expired.ctid RETURNING 1)
    SELECT count(*) FROM gone
$$;

-- The counts last told to the consumers, and up to where engagement events have been looked at.
CREATE TABLE outbox.post_counters (
    post_id   text    PRIMARY KEY,
    likes     bigint  NOT NULL,
    comments  bigint  NOT NULL,
    bookmarks bigint  NOT NULL,
    shares    bigint  NOT NULL,
    views     bigint  NOT NULL
);
CREATE TABLE outbox.counter_runs (
    topic    text        PRIMARY KEY,
    epoch    integer     NOT NULL,
    snapshot pg_snapshot NOT NULL
);

-- Keys of events that `since` (taken in `epoch`) does not see yet: what was touched between two runs.
CREATE FUNCTION outbox.touched_keys(since pg_snapshot, epoch integer, topic text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    settled_then bigint := outbox.settled_below(touched_keys.epoch);
    settled_now  bigint := outbox.settled_below(outbox.current_epoch());
BEGIN
    IF settled_then = settled_now THEN
        RETURN QUERY
            SELECT e.key FROM outbox.events e WHERE e.xid >= pg_snapshot_xmax(since) AND e.topic = touched_keys.topic
            UNION
            SELECT e.key FROM outbox.events e
             WHERE e.xid = ANY (ARRAY(SELECT pg_snapshot_xip(since))) AND e.topic = touched_keys.topic;
    ELSE -- A restore lies between: xids of two lives cannot be compared, ids can.
        RETURN QUERY SELECT DISTINCT e.key FROM outbox.events e
         WHERE e.id >= settled_now AND e.topic = touched_keys.topic;
    END IF;
END
$$;

-- The scheduler's jobs: a row is claimed by whoever runs it, for `lease` at most.
CREATE TABLE outbox.jobs (
    name          text        PRIMARY KEY,
    due_at        timestamptz NOT NULL DEFAULT now(),
    leased_until  timestamptz,
    started_at    timestamptz,
    finished_at   timestamptz,
    runs          bigint      NOT NULL DEFAULT 0,
    failures      bigint      NOT NULL DEFAULT 0,
    result        text,
    error         text
);

REVOKE ALL ON FUNCTION outbox.add_partition, outbox.expired_days, outbox.detach_partition, outbox.detached_days,
    outbox.drop_detached, outbox.prune_default, outbox.touched_keys FROM PUBLIC;
