-- Statements of retention.py.

-- name: expired
-- Days past the retention, attached or in the net, and whether the limit has passed as well.
SELECT d.day, bool_or(d.net), d.day < (now() AT TIME ZONE 'UTC')::date - outbox.retention('retention_limit_days')
  FROM (SELECT outbox.expired_days() AS day, false AS net
        UNION ALL SELECT outbox.expired_net_days(), true) d
 GROUP BY d.day ORDER BY d.day

-- name: extent
-- How far the day goes.
SELECT max_id, max_xid::text FROM outbox.day_extent(%s)

-- name: needed_by
-- Whoever may lack something of the day.
SELECT n.name
  FROM unnest(%(names)s::text[], %(epochs)s::int[], %(snapshots)s::text[], %(taken)s::timestamptz[])
       AS n(name, epoch, snapshot, taken_at)
 WHERE outbox.unseen_of_day(%(day)s::date, %(max_id)s::bigint, %(max_xid)s::text::xid8, n.snapshot::pg_snapshot,
                            n.epoch, n.taken_at)
 ORDER BY n.name

-- name: own_needs
-- The log's own readers.
SELECT name, epoch, snapshot, taken_at FROM outbox.own_needs()

-- name: seen_by_all
-- Below this xid everybody has seen everything; null when somebody's snapshot is of another life of the database.
SELECT CASE WHEN bool_and(outbox.settled_below(n.epoch) = outbox.settled_below(outbox.current_epoch())) IS NOT FALSE
            THEN coalesce(min(pg_snapshot_xmin(n.snapshot::pg_snapshot)), pg_snapshot_xmin(pg_current_snapshot())) END::text
  FROM unnest(%(epochs)s::int[], %(snapshots)s::text[]) AS n(epoch, snapshot)

-- name: prune_today
-- How many rows went.
SELECT outbox.prune_today(%(seen)s::text::xid8, %(batch)s)

-- name: hold
-- For operators.
INSERT INTO outbox.held_days (day, needed_by) VALUES (%(day)s, %(needed_by)s)
ON CONFLICT (day) DO UPDATE SET needed_by = excluded.needed_by

-- name: no_longer_held
-- Days that nobody holds now.
DELETE FROM outbox.held_days WHERE day <> ALL (%(days)s::date[])

-- name: attached_events
-- Some facts of a day that is in the log.
SELECT e.id, e.xid::text::bigint, e.occurred_at, e.topic, e.type, e.key, e.data, e.headers FROM outbox.events e
 WHERE e.occurred_at >= %(day)s::date::timestamp AT TIME ZONE 'UTC'
   AND e.occurred_at < (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC'
   AND e.topic = ANY (%(topics)s::text[]) AND e.id > %(after)s
 ORDER BY e.id LIMIT %(max)s

-- name: detached_events
-- Some facts of a day that is not.
SELECT id, xid::text::bigint, occurred_at, topic, type, key, data, headers
  FROM outbox.detached_events(%(day)s::date, %(topics)s::text[], %(after)s, %(max)s)

-- name: exclusive
-- Archiving and erasing one after the other: until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('stunity.archive'))

-- name: register
-- The file is there and has been read back.
INSERT INTO outbox.archives (day, path, rows, max_id, digest)
VALUES (%(day)s, %(path)s, %(rows)s, %(max_id)s, %(digest)s)
ON CONFLICT (day) DO UPDATE SET path = excluded.path, rows = excluded.rows, max_id = excluded.max_id,
       digest = excluded.digest, archived_at = clock_timestamp()

-- name: archived
-- The file of a day.
SELECT path, rows, max_id FROM outbox.archives WHERE day = %s

-- name: all_archived
-- Every file.
SELECT day, path FROM outbox.archives ORDER BY day

-- name: late_facts
-- Facts of a detached day that its file lacks.
SELECT count(*) FROM outbox.detached_events(%(day)s::date, %(topics)s::text[], 0, 2147483647)
