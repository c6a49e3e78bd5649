-- Our own tables, apart from the log and the views.

-- name: jobs
-- Messages of the job queue. One that is just being done ends by itself; its arguments go.
WITH gone AS (
    DELETE FROM dramatiq.queue WHERE state <> 'consumed' AND strpos(message::text, %(id)s) > 0
       AND message::text ~ %(pattern)s
    RETURNING 1
), blanked AS (
    UPDATE dramatiq.queue SET message = message || '{"args": [], "kwargs": {}}'
     WHERE state = 'consumed' AND strpos(message::text, %(id)s) > 0 AND message::text ~ %(pattern)s
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM blanked)

-- name: engine_jobs
-- Long work that names the person (a replay of one key) is finished, its arguments go.
UPDATE engine.jobs SET state = CASE WHEN state IN ('queued', 'running', 'paused') THEN 'cancelled' ELSE state END,
       arguments = '{}', cursor = NULL, note = NULL, changed_at = clock_timestamp()
 WHERE concat_ws(' ', arguments::text, cursor::text, note) ~ %(pattern)s

-- name: repairs
DELETE FROM engine.repairs WHERE key = %(id)s OR data::text ~ %(pattern)s

-- name: gaps
DELETE FROM outbox.capture_gaps WHERE key = %(id)s OR error ~ %(pattern)s

-- name: texts
-- Texts that wait for the model and belong to nothing any more, and vectors of such texts.
DELETE FROM embeddings.pending p
 WHERE NOT EXISTS (SELECT FROM embeddings.documents d WHERE d.content_hash = p.content_hash)

-- name: vectors
DELETE FROM embeddings.cache c
 WHERE NOT EXISTS (SELECT FROM embeddings.documents d WHERE d.content_hash = c.content_hash)

-- name: marks
DELETE FROM embeddings.stale_interests WHERE user_id = %(id)s

-- name: interests
DELETE FROM embeddings.interests WHERE user_id = %(id)s

-- name: tokens
-- A token that was logged out stays so; whose it was goes.
UPDATE live.revoked_tokens SET user_id = 'erased' WHERE user_id = %(id)s

-- name: presence
DELETE FROM live.presence WHERE user_id = %(id)s

-- name: games
-- Games that the person hosted, and copies of quizzes that went with the person.
DELETE FROM live.games g WHERE g.host_id = %(id)s OR NOT EXISTS (SELECT FROM public.quizzes q WHERE q.id = g.quiz_id)

-- name: players
DELETE FROM live.players WHERE user_id = %(id)s

-- name: ours
-- Every table of our schemas that a statement can read; partitions are read through their parents.
SELECT n.nspname AS schema, c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND (n.nspname IN ('outbox', 'engine', 'embeddings', 'live', 'dramatiq', 'stunity')
        OR n.nspname ~ '^analytics(_|$)')
   AND has_table_privilege(c.oid, 'SELECT')
 ORDER BY 1, 2
