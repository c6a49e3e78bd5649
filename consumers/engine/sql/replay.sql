-- The log for replays: day by day, by id within a day, only what was committed when the replay was asked for.

-- name: extent
-- The lowest and the highest id of the range that the table has.
SELECT min(e.id), max(e.id) FROM outbox.events e
 WHERE e.id BETWEEN %(from_id)s AND %(to_id)s AND e.occurred_at >= %(since)s AND e.occurred_at < %(until)s

-- name: days
-- The days of the log, oldest first, and where those stand that have left the table (null: nowhere).
SELECT d.day, d.attached, d.path, d.rows FROM outbox.log_days() d ORDER BY d.day

-- name: top
-- The highest id of a day.
SELECT coalesce(max(e.id), 0) FROM outbox.events e WHERE e.occurred_at >= %(day)s AND e.occurred_at < %(next)s

-- name: bottom
-- The lowest id of a day.
SELECT coalesce(min(e.id), 0) FROM outbox.events e WHERE e.occurred_at >= %(day)s AND e.occurred_at < %(next)s

-- name: page
-- Some events of a day behind an id, and not behind another. A restore's rows count as committed.
SELECT e.id, e.xid::text::bigint, e.occurred_at, e.topic, e.type, e.key, e.data, e.headers
  FROM outbox.events e
 WHERE e.id > %(after)s AND e.id <= %(window)s AND e.id BETWEEN %(from_id)s AND %(to_id)s
   AND e.occurred_at >= %(day)s AND e.occurred_at < %(next)s
   AND e.occurred_at >= %(since)s AND e.occurred_at < %(until)s
   AND e.topic = ANY (%(topics)s) AND (%(key)s::text IS NULL OR e.key = %(key)s::text)
   AND (e.id < outbox.settled_below(%(epoch)s) OR pg_visible_in_snapshot(e.xid, %(upto)s::text::pg_snapshot))
 ORDER BY e.id LIMIT %(max)s

-- name: counts
-- For a dry run.
SELECT e.topic, e.type, count(*), min(e.id), max(e.id), min(e.occurred_at), max(e.occurred_at)
  FROM outbox.events e
 WHERE e.id BETWEEN %(from_id)s AND %(to_id)s
   AND e.occurred_at >= %(since)s AND e.occurred_at < %(until)s
   AND e.topic = ANY (%(topics)s) AND (%(key)s::text IS NULL OR e.key = %(key)s::text)
   AND (e.id < outbox.settled_below(%(epoch)s) OR pg_visible_in_snapshot(e.xid, %(upto)s::text::pg_snapshot))
 GROUP BY e.topic, e.type ORDER BY e.topic, e.type

-- name: now
-- What "until now" means.
SELECT pg_current_snapshot()::text, outbox.current_epoch(),
       greatest((SELECT coalesce(max(e.id), 0) FROM outbox.events e), 0)
