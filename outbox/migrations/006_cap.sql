-- A cap in bytes (outbox/retention.py). What it lets go is never what somebody needs: whole days that are over, oldest
-- first, and of a day that is larger than the cap by itself, the rows that everybody has seen.

ALTER TABLE outbox.settings DROP CONSTRAINT known_setting;
ALTER TABLE outbox.settings ADD CONSTRAINT known_setting CHECK (CASE name
    WHEN 'capture_policy' THEN value IN ('abort', 'warn')
    WHEN 'retention_days' THEN value ~ '^[1-9][0-9]{0,3}$'
    WHEN 'retention_limit_days' THEN value ~ '^[1-9][0-9]{0,3}$'
    WHEN 'retention_bytes' THEN value ~ '^[0-9]{1,15}$'
    ELSE false END);
INSERT INTO outbox.settings VALUES ('retention_bytes', '0'); -- none

CREATE FUNCTION outbox.log_cap() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT nullif(s.value::bigint, 0) FROM outbox.settings s WHERE s.name = 'retention_bytes'
$$;

-- The days that have a partition, and what each takes on disk with its indexes.
CREATE FUNCTION outbox.day_sizes() RETURNS TABLE (day date, bytes bigint) LANGUAGE sql STABLE AS $$
    SELECT to_date(substr(c.relname, 8), 'YYYYMMDD'), pg_total_relation_size(c.oid)
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'outbox.events'::regclass AND c.relname ~ '^events_[0-9]{8}$'
$$;

-- Days whose partition is still attached and older than the retention; or over, and with the newer ones above the cap.
CREATE OR REPLACE FUNCTION outbox.expired_days() RETURNS SETOF date LANGUAGE sql STABLE AS $$
    SELECT d.day
      FROM (SELECT s.day, sum(s.bytes) OVER (ORDER BY s.day DESC) AS up_to_here FROM outbox.day_sizes() s) d
     WHERE d.day < (now() AT TIME ZONE 'UTC')::date - outbox.retention('retention_days')
        OR d.day < (now() AT TIME ZONE 'UTC')::date AND d.up_to_here > outbox.log_cap()
     ORDER BY d.day
$$;

-- What the log's own readers have not seen yet: the relay that polls, and who counts.
CREATE FUNCTION outbox.own_needs() RETURNS TABLE (name text, epoch integer, snapshot text, taken_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    (SELECT 'relay', r.epoch, r.snapshot::text, now() FROM outbox.relay_rounds r
      WHERE r.epoch = outbox.current_epoch() ORDER BY r.round DESC LIMIT 1)
    UNION ALL
    SELECT 'counters of ' || c.topic, c.epoch, c.snapshot::text, now() FROM outbox.counter_runs c
$$;

-- Delete the oldest rows of today that everybody has seen (their xids lie below `seen`), if today is above the cap by
-- itself; how many went. Some minutes stay: for whoever is being started just now.
CREATE FUNCTION outbox.prune_today(seen xid8, batch integer DEFAULT 10000) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    gone  bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM outbox.day_sizes() s WHERE s.day = today AND s.bytes > outbox.log_cap()) THEN
        RETURN 0;
    END IF;
    WITH picked AS MATERIALIZED (
        SELECT e.id, e.occurred_at FROM outbox.events e
         WHERE e.occurred_at >= today::timestamp AT TIME ZONE 'UTC' AND e.occurred_at < now() - interval '15 minutes'
           AND e.id >= outbox.settled_below(outbox.current_epoch()) AND e.xid < seen
         ORDER BY e.id LIMIT batch),
    deleted AS (
        DELETE FROM outbox.events e USING picked p WHERE (e.id, e.occurred_at) = (p.id, p.occurred_at)
        RETURNING e.id, e.xid),
    told AS (
        INSERT INTO outbox.retired_days AS r (day, max_id, max_xid)
        SELECT today, max(id), max(xid) FROM deleted HAVING count(*) > 0
        ON CONFLICT ON CONSTRAINT retired_days_pkey DO UPDATE
           SET max_id = greatest(r.max_id, excluded.max_id), max_xid = greatest(r.max_xid, excluded.max_xid),
               retired_at = excluded.retired_at)
    SELECT count(*) INTO gone FROM deleted;
    RETURN gone;
END
$$;

REVOKE ALL ON FUNCTION outbox.log_cap, outbox.day_sizes, outbox.own_needs, outbox.prune_today FROM PUBLIC;
