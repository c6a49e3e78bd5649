-- The audit record. `subject` is a hash of the id.

-- name: begin
INSERT INTO stunity.erasures AS e (subject, asked_by) VALUES (%(subject)s, %(by)s)
ON CONFLICT (subject) DO UPDATE SET attempts = e.attempts + 1
RETURNING attempts

-- name: note
-- Counts add up over the attempts.
UPDATE stunity.erasures
   SET removed = jsonb_set(removed, ARRAY[%(step)s::text],
                           to_jsonb(coalesce((removed ->> %(step)s)::bigint, 0) + %(count)s::bigint))
 WHERE subject = %(subject)s

-- name: finish
UPDATE stunity.erasures SET finished_at = clock_timestamp() WHERE subject = %(subject)s
RETURNING asked_by, asked_at, attempts, removed, finished_at

-- name: views
-- Who has to follow the deletion before its event is redacted.
SELECT DISTINCT consumer FROM engine.checkpoints ORDER BY 1
