-- Retention (outbox/retention.py): a day leaves the log when it is old enough, its facts are archived, and nobody
-- needs it any more. Past `retention_limit_days` it goes although somebody does.

ALTER TABLE outbox.settings DROP CONSTRAINT known_setting;
ALTER TABLE outbox.settings ADD CONSTRAINT known_setting CHECK (CASE name
    WHEN 'capture_policy' THEN value IN ('abort', 'warn')
    WHEN 'retention_days' THEN value ~ '^[1-9][0-9]{0,3}$'
    WHEN 'retention_limit_days' THEN value ~ '^[1-9][0-9]{0,3}$'
    ELSE false END);
INSERT INTO outbox.settings VALUES ('retention_limit_days', '90');

-- Days that have left the log. The highest id and xid say which snapshots had seen all of it.
CREATE TABLE outbox.retired_days (
    day        date        PRIMARY KEY,
    max_id     bigint      NOT NULL,
    max_xid    xid8,                             -- null: every row came from before a restore
    needed_by  text[]      NOT NULL DEFAULT '{}', -- who had to do without
    retired_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Days that would have gone, and who keeps them: for `stunity status`.
CREATE TABLE outbox.held_days (
    day       date        PRIMARY KEY,
    needed_by text[]      NOT NULL,
    since     timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Files of facts, relative to ARCHIVE_URL, with what they were compared with after they had been written.
CREATE TABLE outbox.archives (
    day         date        PRIMARY KEY,
    path        text        NOT NULL,
    rows        bigint      NOT NULL,
    max_id      bigint      NOT NULL,
    digest      text        NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION outbox.retention(name text) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT s.value::integer FROM outbox.settings s WHERE s.name = retention.name
$$;

-- Whether a view with this snapshot may lack events of a day that ends at these ids. Never wrong about a day that it
-- has in full: below a snapshot's xmin everything is seen. Over a restore xids say nothing, but time does.
CREATE FUNCTION outbox.unseen_of_day(
    day date, max_id bigint, max_xid xid8, since pg_snapshot, epoch integer, taken_at timestamptz)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN outbox.settled_below(epoch) = outbox.settled_below(outbox.current_epoch())
                THEN coalesce(max_id >= outbox.settled_below(epoch) AND max_xid >= pg_snapshot_xmin(since), false)
                ELSE day + 2 > (taken_at AT TIME ZONE 'UTC')::date END
$$;

-- Whether the log still holds everything that a snapshot (taken in `epoch`, then) does not see.
CREATE FUNCTION outbox.log_reaches(since pg_snapshot, epoch integer, taken_at timestamptz) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT EXISTS (SELECT FROM outbox.retired_days r
                        WHERE outbox.unseen_of_day(r.day, r.max_id, r.max_xid, log_reaches.since, log_reaches.epoch,
                                                   log_reaches.taken_at))
$$;

-- The highest id of a day, and the highest xid of those of its rows that were written in this life of the database.
CREATE FUNCTION outbox.day_extent(day date, OUT max_id bigint, OUT max_xid xid8) LANGUAGE sql STABLE AS $$
    SELECT max(e.id), max(e.xid) FILTER (WHERE e.id >= outbox.settled_below(outbox.current_epoch()))
      FROM outbox.events e
     WHERE e.occurred_at >= day::timestamp AT TIME ZONE 'UTC' AND e.occurred_at < (day + 1)::timestamp AT TIME ZONE 'UTC'
$$;

-- Days in the net that are older than the retention.
CREATE FUNCTION outbox.expired_net_days() RETURNS SETOF date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT (d.occurred_at AT TIME ZONE 'UTC')::date FROM ONLY outbox.events_default d
     WHERE d.occurred_at < date_trunc('day', now(), 'UTC') - outbox.retention('retention_days') * interval '1 day'
     ORDER BY 1
$$;

-- Take an expired day out of the log and remember how far it went, in one transaction. Its table stays, under its
-- name, until drop_detached. PostgreSQL has no concurrent detach beside a default partition; this one asks for its
-- lock briefly, so an insert waits 100 ms at most.
CREATE FUNCTION outbox.retire_day(day date, max_id bigint, max_xid xid8, needed_by text[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    IF day NOT IN (SELECT outbox.expired_days()) THEN
        RAISE invalid_parameter_value USING MESSAGE = format('%s is within the retention, or not a partition', day);
    END IF;
    EXECUTE format('ALTER TABLE outbox.events DETACH PARTITION outbox.%I', 'events_' || to_char(day, 'YYYYMMDD'));
    IF retire_day.max_id IS NOT NULL THEN
        INSERT INTO outbox.retired_days AS r (day, max_id, max_xid, needed_by)
        VALUES (retire_day.day, retire_day.max_id, retire_day.max_xid, retire_day.needed_by)
        ON CONFLICT ON CONSTRAINT retired_days_pkey DO UPDATE
           SET max_id = greatest(r.max_id, excluded.max_id), max_xid = greatest(r.max_xid, excluded.max_xid),
               needed_by = excluded.needed_by, retired_at = excluded.retired_at;
    END IF;
    DELETE FROM outbox.held_days h WHERE h.day = retire_day.day;
    RETURN true;
END
$$;
DROP FUNCTION outbox.detach_partition(date);

-- Rows of an expired day that fell into the net go the same way, some at a time; how many went.
DROP FUNCTION outbox.prune_default(integer);
CREATE FUNCTION outbox.prune_net(day date, max_id bigint, max_xid xid8, needed_by text[], batch integer DEFAULT 10000)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone bigint;
BEGIN
    IF day NOT IN (SELECT outbox.expired_net_days()) THEN
        RETURN 0;
    END IF;
    INSERT INTO outbox.retired_days AS r (day, max_id, max_xid, needed_by)
    VALUES (prune_net.day, prune_net.max_id, prune_net.max_xid, prune_net.needed_by)
    ON CONFLICT ON CONSTRAINT retired_days_pkey DO UPDATE
       SET max_id = greatest(r.max_id, excluded.max_id), max_xid = greatest(r.max_xid, excluded.max_xid),
           needed_by = excluded.needed_by, retired_at = excluded.retired_at;
    WITH expired AS (
        SELECT d.ctid FROM ONLY outbox.events_default d
         WHERE d.occurred_at >= prune_net.day::timestamp AT TIME ZONE 'UTC'
           AND d.occurred_at < (prune_net.day + 1)::timestamp AT TIME ZONE 'UTC'
         LIMIT prune_net.batch),
    deleted AS (DELETE FROM ONLY outbox.events_default d USING expired WHERE d.ctid = expired.ctid RETURNING 1)
    SELECT count(*) INTO gone FROM deleted;
    RETURN gone;
END
$$;

-- What an expired day that has been detached holds of some topics: for an archive that is not there yet.
CREATE FUNCTION outbox.detached_events(day date, topics text[], after_id bigint, max integer)
RETURNS TABLE (id bigint, xid xid8, occurred_at timestamptz, topic text, type text, key text, data jsonb, headers jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF day NOT IN (SELECT outbox.detached_days()) THEN
        RAISE invalid_parameter_value USING MESSAGE = format('%s is not a detached partition', day);
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT id, xid, occurred_at, topic, type, key, data, headers FROM outbox.%I
          WHERE topic = ANY ($1) AND id > $2 ORDER BY id LIMIT $3', 'events_' || to_char(day, 'YYYYMMDD'))
        USING topics, after_id, max;
END
$$;

-- The days of the log: whether they are in the table, and where their facts are when they have left it.
CREATE FUNCTION outbox.log_days() RETURNS TABLE (day date, attached boolean, path text, rows bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH attached AS (
        SELECT to_date(substr(c.relname, 8), 'YYYYMMDD') AS day
          FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'outbox.events'::regclass AND c.relname ~ '^events_[0-9]{8}$'
        UNION
        SELECT DISTINCT (d.occurred_at AT TIME ZONE 'UTC')::date FROM ONLY outbox.events_default d)
    SELECT day, a.day IS NOT NULL, r.path, r.rows
      FROM attached a FULL JOIN (SELECT d.day, f.path, f.rows FROM outbox.retired_days d LEFT JOIN outbox.archives f USING (day)) r
     USING (day)
$$;

REVOKE ALL ON FUNCTION outbox.log_reaches, outbox.day_extent, outbox.expired_net_days, outbox.retire_day,
    outbox.prune_net, outbox.detached_events, outbox.log_days, outbox.unseen_of_day, outbox.retention FROM PUBLIC;
