-- Rows of engine.jobs; the states are told in migration 002.

-- name: ask
-- A new job.
INSERT INTO engine.jobs (kind, consumer, arguments, total) VALUES (%(kind)s, %(consumer)s, %(arguments)s, %(total)s)
RETURNING id

-- name: get
-- One job, with the seconds that the rest takes at the speed so far.
SELECT id, kind, consumer, arguments, state, cursor, done, total, applied, worked, note, asked_at, started_at,
       changed_at, finished_at,
       CASE WHEN state = 'running' AND done > 0 THEN worked / done * greatest(total - done, 0) END AS eta
  FROM engine.jobs WHERE id = %(id)s

-- name: list
-- Newest first: open ones, or all.
SELECT id, kind, consumer, arguments, state, cursor, done, total, applied, worked, note, asked_at, started_at,
       changed_at, finished_at,
       CASE WHEN state = 'running' AND done > 0 THEN worked / done * greatest(total - done, 0) END AS eta
  FROM engine.jobs
 WHERE %(closed)s OR state IN ('queued', 'running', 'paused')
 ORDER BY id DESC LIMIT 200

-- name: take
-- The oldest job of a kind that its view's owner should work on: a former owner may have left it running.
UPDATE engine.jobs SET state = 'running', started_at = coalesce(started_at, clock_timestamp()),
       changed_at = clock_timestamp()
 WHERE id = (SELECT j.id FROM engine.jobs j
              WHERE j.consumer = %(consumer)s AND j.kind = %(kind)s AND j.state IN ('queued', 'running')
              ORDER BY j.id LIMIT 1)
RETURNING id, arguments, cursor, done, total

-- name: progress
-- No row: somebody has paused or cancelled it.
UPDATE engine.jobs
   SET cursor = %(cursor)s, done = %(done)s, applied = applied + %(applied)s, worked = worked + %(worked)s,
       note = coalesce(%(note)s, note), changed_at = clock_timestamp()
 WHERE id = %(id)s AND state = 'running'
RETURNING id

-- name: finish
-- The end, good or bad.
UPDATE engine.jobs
   SET state = %(state)s, note = coalesce(%(note)s, note), done = CASE WHEN %(state)s = 'done' THEN total ELSE done END,
       changed_at = clock_timestamp(), finished_at = clock_timestamp()
 WHERE id = %(id)s AND state = 'running'

-- name: move
-- An operator's wish; no row when the job is in none of the states from which that can be.
UPDATE engine.jobs
   SET state = %(to)s, changed_at = clock_timestamp(),
       finished_at = CASE WHEN %(to)s = 'cancelled' THEN clock_timestamp() END
 WHERE id = %(id)s AND state = ANY (%(from)s)
RETURNING id

-- name: owned
-- Whether a process keeps the view in sync now.
SELECT EXISTS (SELECT FROM engine.leases
                WHERE consumer = %(consumer)s AND owner IS NOT NULL AND expires_at > clock_timestamp())
