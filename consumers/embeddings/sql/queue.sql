-- Statements of queue.py: the embedding job's side of the tables.

-- name: take_texts
-- Texts that are due, live ones before those of a fill; nobody else gets them until the lease ends.
WITH due AS (
    SELECT model_id, content_hash FROM embeddings.pending
     WHERE model_id = %(model)s AND due_at <= clock_timestamp()
     ORDER BY refill, queued_at
     LIMIT %(count)s
       FOR UPDATE SKIP LOCKED
)
UPDATE embeddings.pending p
   SET due_at = clock_timestamp() + make_interval(secs => %(lease)s), attempts = attempts + 1
  FROM due
 WHERE p.model_id = due.model_id AND p.content_hash = due.content_hash
RETURNING p.content_hash, p.text, p.attempts,
          EXISTS (SELECT FROM embeddings.cache c WHERE c.model_id = p.model_id AND c.content_hash = p.content_hash)

-- name: lock_texts
-- Waits for a projection that just queues one of them again; what it wrote is then seen by the next statements.
SELECT content_hash FROM embeddings.pending
 WHERE model_id = %(model)s AND content_hash = ANY (%(hashes)s::bytea[])
 ORDER BY content_hash
   FOR UPDATE

-- name: save_cache
INSERT INTO embeddings.cache (model_id, content_hash, embedding, readable)
SELECT %(model)s, t.hash, t.embedding::halfvec, t.readable
  FROM unnest(%(hashes)s::bytea[], %(vectors)s::text[], %(readable)s::bool[]) AS t (hash, embedding, readable)
 ORDER BY t.hash
ON CONFLICT DO NOTHING

-- name: save_vectors
-- For the things that have the text at this moment: an edit or a delete that was faster is not undone (FOR SHARE).
WITH holders AS (
    SELECT d.kind, d.id, d.content_hash FROM embeddings.documents d
     WHERE d.content_hash = ANY (%(hashes)s::bytea[])
     ORDER BY d.kind, d.id
       FOR SHARE
)
INSERT INTO embeddings.vectors (kind, id, model_id, content_hash, embedding, readable)
SELECT h.kind, h.id, c.model_id, c.content_hash, c.embedding, c.readable
  FROM holders h JOIN embeddings.cache c ON c.model_id = %(model)s AND c.content_hash = h.content_hash
ON CONFLICT (kind, id, model_id) DO UPDATE
   SET content_hash = EXCLUDED.content_hash, embedding = EXCLUDED.embedding, readable = EXCLUDED.readable,
       embedded_at = clock_timestamp()
RETURNING kind, id, (xmax = 0) AS is_new

-- name: drop_texts
DELETE FROM embeddings.pending WHERE model_id = %(model)s AND content_hash = ANY (%(hashes)s::bytea[])

-- name: drop_stray_cache
-- Nobody has these texts any more: the thing was deleted while its text was being embedded.
DELETE FROM embeddings.cache c
 WHERE c.model_id = %(model)s AND c.content_hash = ANY (%(hashes)s::bytea[])
   AND NOT EXISTS (SELECT FROM embeddings.documents d WHERE d.content_hash = c.content_hash)

-- name: keep_texts
-- Prolong the lease of texts that are still being embedded.
UPDATE embeddings.pending SET due_at = clock_timestamp() + make_interval(secs => %(lease)s)
 WHERE model_id = %(model)s AND content_hash = ANY (%(hashes)s::bytea[]) AND due_at < 'infinity'

-- name: postpone_texts
UPDATE embeddings.pending
   SET due_at = CASE WHEN %(give_up)s AND attempts >= %(attempts)s THEN 'infinity'
                     ELSE clock_timestamp() + make_interval(secs => %(delay)s) END,
       error = %(error)s
 WHERE model_id = %(model)s AND content_hash = ANY (%(hashes)s::bytea[])

-- name: next_due
-- Seconds until the next text may be taken; NULL when none waits.
SELECT CASE WHEN min(due_at) IS NOT NULL -- greatest() passes over NULL
            THEN greatest(0, extract(epoch FROM min(due_at) - clock_timestamp()))::float8 END
  FROM embeddings.pending WHERE model_id = %(model)s AND due_at < 'infinity'

-- name: engaged_people
-- Whose interests rest on these posts: people who acted before there was a vector.
SELECT "userId" FROM likes WHERE "postId" = ANY (%(posts)s::text[])
UNION SELECT "authorId" FROM comments WHERE "postId" = ANY (%(posts)s::text[])
UNION SELECT "userId" FROM bookmarks WHERE "postId" = ANY (%(posts)s::text[])
UNION SELECT "userId" FROM post_views WHERE "postId" = ANY (%(posts)s::text[]) AND "userId" IS NOT NULL
UNION SELECT "authorId" FROM posts WHERE id = ANY (%(posts)s::text[])

-- name: is_complete
-- Whether this model has everything that a fill queued, and is not yet the one that reads use.
SELECT NOT m.serving
       AND EXISTS (SELECT FROM embeddings.checkpoint WHERE model_id = m.id)
       AND NOT EXISTS (SELECT FROM embeddings.pending p WHERE p.model_id = m.id AND p.refill AND p.due_at < 'infinity')
  FROM embeddings.models m WHERE m.id = %(model)s

-- name: retire_others
UPDATE embeddings.models SET serving = false WHERE id <> %(model)s AND serving

-- name: serve
UPDATE embeddings.models SET serving = true WHERE id = %(model)s

-- name: drop_retired_vectors
DELETE FROM embeddings.vectors WHERE model_id <> %(model)s

-- name: drop_retired_texts
DELETE FROM embeddings.pending WHERE model_id <> %(model)s

-- name: drop_retired_interests
DELETE FROM embeddings.interests WHERE model_id <> %(model)s

-- name: use_quota
INSERT INTO embeddings.quota AS old (backend, month, used)
SELECT %(backend)s, date_trunc('month', now() AT TIME ZONE 'UTC')::date, 1 WHERE %(limit)s > 0
ON CONFLICT (backend, month) DO UPDATE SET used = old.used + 1 WHERE old.used < %(limit)s

-- name: quota_reset
SELECT extract(epoch FROM date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month' - now() AT TIME ZONE 'UTC')::float8

-- name: prune
-- Cached vectors that have had no use for a month (no thing has the text, or the model is retired), and texts that were
-- given up and belong to nothing.
WITH strays AS (
    DELETE FROM embeddings.pending p
     WHERE p.due_at = 'infinity' AND NOT EXISTS (SELECT FROM embeddings.documents d WHERE d.content_hash = p.content_hash)
)
DELETE FROM embeddings.cache c
 WHERE c.created_at < now() - interval '30 days'
   AND (NOT EXISTS (SELECT FROM embeddings.documents d WHERE d.content_hash = c.content_hash)
        OR NOT EXISTS (SELECT FROM embeddings.models m WHERE m.id = c.model_id
                          AND (m.serving OR m.id = (SELECT model_id FROM embeddings.checkpoint))))
