-- Statements of store.py: what the events' keys are now, and what of it is missing.

-- name: first_checkpoint
-- While the view is filled. No row: another owner with a newer generation has written.
INSERT INTO embeddings.checkpoint AS old (generation, checkpoint, model_id)
VALUES (%(generation)s, %(checkpoint)s, %(model)s)
ON CONFLICT (single) DO UPDATE
   SET generation = EXCLUDED.generation, checkpoint = EXCLUDED.checkpoint, model_id = EXCLUDED.model_id, updated_at = now()
 WHERE old.generation <= EXCLUDED.generation

-- name: next_checkpoint
-- A live batch never makes the row, and wants the one that it follows: a view that has been dropped or put back
-- meanwhile has to catch up.
UPDATE embeddings.checkpoint SET generation = %(generation)s, checkpoint = %(checkpoint)s, updated_at = now()
 WHERE generation <= %(generation)s AND model_id IS NOT DISTINCT FROM %(model)s
   AND (%(expects)s::text IS NULL OR checkpoint IN (%(expects)s::text, %(checkpoint)s))

-- name: claim
-- Nobody else writes until the transaction ends. No row: there is none, or a newer owner has written.
UPDATE embeddings.checkpoint SET generation = %(generation)s WHERE generation <= %(generation)s

-- name: newer_owner
SELECT EXISTS (SELECT FROM embeddings.checkpoint WHERE generation > %(generation)s)

-- name: read_checkpoint
-- None for another model's fill; none either when somebody has emptied the vectors alone.
SELECT checkpoint FROM embeddings.checkpoint WHERE model_id IS NOT DISTINCT FROM %(model)s

-- name: lost_vectors
SELECT EXISTS (SELECT FROM embeddings.documents) AND NOT EXISTS (SELECT FROM embeddings.vectors WHERE model_id = %(model)s)
       AND NOT EXISTS (SELECT FROM embeddings.pending WHERE model_id = %(model)s)

-- name: hydrate
-- The texts that the keys have in the truth; what has none, or none that may be embedded, is not among the rows.
SELECT 'post' AS kind, p.id, ARRAY[p.title, left(p.content, %(chars)s), p."repostComment"] AS parts, p."topicTags" AS tags
  FROM posts p
 WHERE p.id = ANY (%(posts)s::text[]) AND p.visibility::text = ANY (%(visibilities)s::text[])
UNION ALL
SELECT 'quiz', p.id,
       ARRAY[p.title, left(p.content, %(chars)s),
             (SELECT string_agg(q ->> 'text', ' ') FROM jsonb_array_elements(
                  CASE jsonb_typeof(z.questions) WHEN 'array' THEN z.questions ELSE '[]' END) q)],
       p."topicTags"
  FROM quizzes z JOIN posts p ON p.id = z."postId"
 WHERE p.id = ANY (%(posts)s::text[]) AND p.visibility::text = ANY (%(visibilities)s::text[])
UNION ALL
SELECT 'course', k.id, ARRAY[k.title, left(k.description, %(chars)s), k.category], k.tags
  FROM courses k
 WHERE k.id = ANY (%(courses)s::text[])
UNION ALL
SELECT 'profile', u.id, ARRAY[u.headline, u."professionalTitle", u."careerGoals"], coalesce(u.interests, '{}') || u.skills
  FROM users u
 WHERE u.id = ANY (%(users)s::text[]) AND u."profileVisibility"::text = ANY (%(profiles)s::text[])

-- name: known
-- What is kept of the asked things: the text each had last, and the text that its vector is of.
SELECT d.kind, d.id, d.content_hash, v.content_hash
  FROM unnest(%(kinds)s::text[], %(ids)s::text[]) AS asked (kind, id)
  JOIN embeddings.documents d ON d.kind = asked.kind AND d.id = asked.id
  LEFT JOIN embeddings.vectors v ON v.kind = d.kind AND v.id = d.id AND v.model_id = %(model)s

-- name: lock_cached
-- Texts whose vector is in the cache, held there until the transaction ends.
SELECT content_hash FROM embeddings.cache
 WHERE model_id = %(model)s AND content_hash = ANY (%(hashes)s::bytea[])
   FOR KEY SHARE

-- name: cached
-- Texts whose vector is in the cache.
SELECT content_hash FROM embeddings.cache WHERE model_id = %(model)s AND content_hash = ANY (%(hashes)s::bytea[])

-- name: queue_texts
-- A text that waits already is touched all the same: so this waits for a worker that is just saving it, which has
-- not seen our documents, and then queues it again. Before the documents are locked, in one order: no deadlock.
INSERT INTO embeddings.pending AS old (model_id, content_hash, text, refill)
SELECT %(model)s, t.hash, t.text, %(refill)s
  FROM unnest(%(hashes)s::bytea[], %(texts)s::text[]) AS t (hash, text)
 ORDER BY t.hash
ON CONFLICT (model_id, content_hash) DO UPDATE SET refill = old.refill AND EXCLUDED.refill

-- name: save_documents
INSERT INTO embeddings.documents AS old (kind, id, content_hash)
SELECT * FROM unnest(%(kinds)s::text[], %(ids)s::text[], %(hashes)s::bytea[]) AS t (kind, id, hash)
 ORDER BY t.kind, t.id
ON CONFLICT (kind, id) DO UPDATE SET content_hash = EXCLUDED.content_hash WHERE old.content_hash <> EXCLUDED.content_hash

-- name: copy_cached
INSERT INTO embeddings.vectors (kind, id, model_id, content_hash, embedding, readable)
SELECT d.kind, d.id, c.model_id, c.content_hash, c.embedding, c.readable
  FROM unnest(%(kinds)s::text[], %(ids)s::text[]) AS asked (kind, id)
  JOIN embeddings.documents d ON d.kind = asked.kind AND d.id = asked.id
  JOIN embeddings.cache c ON c.model_id = %(model)s AND c.content_hash = d.content_hash
 ORDER BY d.kind, d.id
ON CONFLICT (kind, id, model_id) DO UPDATE
   SET content_hash = EXCLUDED.content_hash, embedding = EXCLUDED.embedding, readable = EXCLUDED.readable,
       embedded_at = clock_timestamp()

-- name: drop_documents
-- Vectors go with them. The text is gone from the truth, so its vector leaves the cache as well, unless another thing
-- has the same text.
WITH gone AS (
    DELETE FROM embeddings.documents d USING unnest(%(kinds)s::text[], %(ids)s::text[]) AS asked (kind, id)
     WHERE d.kind = asked.kind AND d.id = asked.id
    RETURNING d.kind, d.id, d.content_hash
), given_up AS (
    DELETE FROM embeddings.pending p USING gone WHERE p.content_hash = gone.content_hash AND p.due_at = 'infinity'
)
DELETE FROM embeddings.cache c USING gone
 WHERE c.content_hash = gone.content_hash
   AND NOT EXISTS (SELECT FROM embeddings.documents d WHERE d.content_hash = c.content_hash
                      AND NOT EXISTS (SELECT FROM gone g WHERE g.kind = d.kind AND g.id = d.id))

-- name: outlived_documents
-- Of things that are gone from the truth. Of a quiz whose post is there still, the fill takes care.
SELECT d.kind, d.id FROM embeddings.documents d
 WHERE CASE d.kind WHEN 'course' THEN NOT EXISTS (SELECT FROM courses c WHERE c.id = d.id)
                   WHEN 'profile' THEN NOT EXISTS (SELECT FROM users u WHERE u.id = d.id)
                   ELSE NOT EXISTS (SELECT FROM posts p WHERE p.id = d.id) END
 ORDER BY d.kind, d.id

-- name: drop_outlived_marks
DELETE FROM embeddings.stale_interests s WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = s.user_id)

-- name: drop_outlived_interests
DELETE FROM embeddings.interests i WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = i.user_id)

-- name: drop_marks
-- First: it waits for a worker that is just building them.
DELETE FROM embeddings.stale_interests WHERE user_id = ANY (%(users)s::text[])

-- name: drop_interests
DELETE FROM embeddings.interests WHERE user_id = ANY (%(users)s::text[])

-- name: existing_people
SELECT id FROM users WHERE id = ANY (%(users)s::text[])

-- name: mark_interests
INSERT INTO embeddings.stale_interests (user_id, due_at)
SELECT u, clock_timestamp() + make_interval(secs => %(delay)s) FROM unnest(%(users)s::text[]) AS u ORDER BY u
ON CONFLICT (user_id) DO NOTHING

-- name: other_model
-- The model of these vectors when it is another one, and whether a rebuild has put them here.
SELECT m.name, c.pinned FROM embeddings.checkpoint c JOIN embeddings.models m ON m.id = c.model_id
 WHERE c.model_id <> %(model)s

-- name: take_embedded
-- A shadow's texts are embedded for the set that serves; their vectors come from the cache.
WITH ready AS (
    DELETE FROM embeddings.pending p USING embeddings.cache c
     WHERE p.model_id = %(model)s AND c.model_id = p.model_id AND c.content_hash = p.content_hash
    RETURNING p.content_hash
)
INSERT INTO embeddings.vectors (kind, id, model_id, content_hash, embedding, readable)
SELECT d.kind, d.id, c.model_id, c.content_hash, c.embedding, c.readable
  FROM embeddings.documents d
  JOIN embeddings.cache c ON c.model_id = %(model)s AND c.content_hash = d.content_hash
 WHERE d.content_hash IN (SELECT content_hash FROM ready)
ON CONFLICT (kind, id, model_id) DO UPDATE
   SET content_hash = EXCLUDED.content_hash, embedding = EXCLUDED.embedding, readable = EXCLUDED.readable,
       embedded_at = clock_timestamp()
