-- Statements of register.py and switch.py.

-- name: begin
INSERT INTO engine.rebuilds (view, source, keep) VALUES (%(view)s, %(source)s, %(keep)s) RETURNING id

-- name: of_view
-- The newest row of a view in one of these states.
SELECT id, view, source, state, step, done, total, sides, error, started_at, switched_at, keep_until
  FROM engine.rebuilds WHERE view = %(view)s AND state = ANY (%(states)s::text[]) ORDER BY id DESC LIMIT 1

-- name: get
SELECT id, view, source, state, step, done, total, sides, error, started_at, switched_at, keep_until
  FROM engine.rebuilds WHERE id = %(id)s

-- name: progress
UPDATE engine.rebuilds SET step = %(step)s, done = %(done)s, total = %(total)s, changed_at = clock_timestamp()
 WHERE id = %(id)s

-- name: move
-- Nothing is updated when somebody else has moved it.
UPDATE engine.rebuilds
   SET state = %(to)s, step = %(to)s, changed_at = clock_timestamp(), error = coalesce(%(error)s::text, error),
       filled_at = CASE WHEN %(to)s::text = 'following' AND state = 'filling' THEN clock_timestamp() ELSE filled_at END
 WHERE id = %(id)s AND state = ANY (%(from)s::text[])

-- name: start_switch
-- Written before the store is touched: see the table.
UPDATE engine.rebuilds SET state = 'switching', step = 'switching', sides = %(sides)s, changed_at = clock_timestamp()
 WHERE id = %(id)s AND state IN ('following', 'kept', 'switching')

-- name: finish_switch
-- Where the view was empty before there is nothing to keep.
UPDATE engine.rebuilds
   SET state = CASE WHEN %(kept)s THEN 'kept' ELSE 'dropping' END,
       step = CASE WHEN %(kept)s THEN 'kept' ELSE 'dropping' END,
       rolled_back = switched_at IS NOT NULL AND NOT rolled_back,
       switched_at = clock_timestamp(), changed_at = clock_timestamp(),
       keep_until = clock_timestamp() + keep
 WHERE id = %(id)s AND state = 'switching'

-- name: retire_kept
-- One old view is enough: what was kept before goes.
UPDATE engine.rebuilds SET state = 'dropping', step = 'dropping', changed_at = clock_timestamp()
 WHERE view = %(view)s AND state = 'kept' AND id <> %(id)s

-- name: set_apart
-- Copies and letters belong to a content and follow it to its new name, by way of a third one.
WITH copies AS (
    UPDATE engine.checkpoints SET consumer = CASE consumer WHEN %(view)s THEN %(shadow)s ELSE %(view)s END || '~'
     WHERE consumer IN (%(view)s, %(shadow)s)
)
UPDATE engine.dead_letters SET consumer = CASE consumer WHEN %(view)s THEN %(shadow)s ELSE %(view)s END || '~'
 WHERE consumer IN (%(view)s, %(shadow)s) AND state IN ('dead', 'waiting', 'retry')

-- name: settle_names
WITH copies AS (
    UPDATE engine.checkpoints SET consumer = rtrim(consumer, '~') WHERE consumer IN (%(view)s || '~', %(shadow)s || '~')
)
UPDATE engine.dead_letters SET consumer = rtrim(consumer, '~') WHERE consumer IN (%(view)s || '~', %(shadow)s || '~')

-- name: release_leases
-- Whoever owns either name next must be newer, for both contents, than whoever wrote to either before.
UPDATE engine.leases
   SET owner = NULL, expires_at = '-infinity',
       generation = (SELECT max(l.generation) + 1 FROM engine.leases l WHERE l.consumer IN (%(view)s, %(shadow)s))
 WHERE consumer IN (%(view)s, %(shadow)s)

-- name: fence_copy
-- What a former owner of the name still has to say is no longer heard.
UPDATE engine.checkpoints SET generation = %(generation)s WHERE consumer = %(consumer)s AND generation < %(generation)s

-- name: incarnation_of_copy
SELECT incarnation FROM engine.checkpoints WHERE consumer = %(consumer)s AND partition = 0

-- name: standing
-- How far a shadow is: whether it is filled, and the age of the oldest event that it does not have.
SELECT state = 'live',
       coalesce(extract(epoch FROM clock_timestamp() - outbox.oldest_unapplied(snapshot)), 0)::float8,
       extract(epoch FROM clock_timestamp() - updated_at)::float8
  FROM engine.checkpoints WHERE consumer = %(consumer)s AND partition = 0

-- name: overdue
-- Old views whose time is over.
UPDATE engine.rebuilds SET state = 'dropping', step = 'dropping', changed_at = clock_timestamp()
 WHERE state = 'kept' AND keep_until < clock_timestamp()

-- name: orphaned
-- Rebuilds that nobody runs any more, for so long that nobody will.
SELECT r.id FROM engine.rebuilds r
  LEFT JOIN engine.leases l ON l.consumer = 'rebuild:' || r.view
 WHERE r.state IN ('filling', 'following', 'switching')
   AND (l.owner IS NULL OR l.expires_at < clock_timestamp())
   AND greatest(r.changed_at, l.expires_at) < clock_timestamp() - make_interval(secs => %(seconds)s)

-- name: to_drop
SELECT id FROM engine.rebuilds WHERE state = 'dropping' ORDER BY id

-- name: forget_shadow
WITH copy AS (DELETE FROM engine.checkpoints WHERE consumer = %(shadow)s),
     lease AS (DELETE FROM engine.leases WHERE consumer = %(shadow)s)
UPDATE engine.dead_letters SET state = 'superseded', note = 'its view was dropped', changed_at = clock_timestamp()
 WHERE consumer = %(shadow)s AND state IN ('dead', 'waiting', 'retry')

-- name: report
-- For operators: what runs, what is kept, and what ended within a day.
SELECT r.id, r.view, r.source, r.state, r.step, r.done, r.total, r.error, r.started_at, r.keep_until, r.rolled_back,
       extract(epoch FROM coalesce(r.filled_at, r.changed_at) - r.started_at)::float8 AS seconds,
       coalesce(l.owner IS NOT NULL AND l.expires_at > clock_timestamp(), false) AS running
  FROM engine.rebuilds r LEFT JOIN engine.leases l ON l.consumer = 'rebuild:' || r.view
 WHERE r.state <> 'dropped' OR r.changed_at > clock_timestamp() - interval '1 day'
 ORDER BY r.id DESC LIMIT 20
