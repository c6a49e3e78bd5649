-- Statements of rebuild.py.

-- name: rows
SELECT (SELECT count(*) FROM posts) + (SELECT count(*) FROM courses) + (SELECT count(*) FROM users)

-- name: next_posts
SELECT id FROM posts WHERE id > %(after)s ORDER BY id LIMIT %(most)s

-- name: next_courses
SELECT id FROM courses WHERE id > %(after)s ORDER BY id LIMIT %(most)s

-- name: next_users
SELECT id FROM users WHERE id > %(after)s ORDER BY id LIMIT %(most)s

-- name: work_memory
-- An index of nearness is built many times faster when its graph fits.
SELECT set_config('maintenance_work_mem', '512MB', true)

-- name: waiting
SELECT count(*) FROM embeddings.pending WHERE due_at < 'infinity'

-- name: with_vector
SELECT count(*) FROM embeddings.vectors

-- name: with_text
SELECT (SELECT count(*) FROM embeddings.documents)
     - (SELECT count(*) FROM embeddings.documents d JOIN embeddings.pending p ON p.content_hash = d.content_hash
         WHERE p.due_at = 'infinity')

-- name: sides
SELECT to_regclass('embeddings.documents')::oid::text, to_regclass(%(shadow)s)::oid::text

-- name: serving_model
SELECT m.name FROM embeddings.checkpoint c JOIN embeddings.models m ON m.id = c.model_id

-- name: fence
UPDATE embeddings.checkpoint SET generation = greatest(generation, %(generation)s)
