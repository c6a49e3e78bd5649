-- What the vectors should be of, and what they are; for `verification.py` alone. {BUCKET} is the bucket of an id.

-- name: model
-- The model that the consumer keeps. 0: the view is lost, or there never was one. None: the
-- consumer has found that the feature is off.
SELECT CASE WHEN EXISTS (SELECT FROM embeddings.checkpoint) THEN (SELECT model_id FROM embeddings.checkpoint)
            ELSE coalesce((SELECT id FROM embeddings.models ORDER BY serving DESC, id DESC LIMIT 1), 0) END AS id

-- name: post
SELECT p.id, ARRAY[p.title, left(p.content, 4000), p."repostComment"] AS texts, p."topicTags" AS tags
  FROM posts p
 WHERE p.id > %(after)s AND p.visibility::text = ANY (%(posts)s::text[])
   AND (%(ids)s::text[] IS NULL OR p.id = ANY (%(ids)s::text[]))
   AND (%(buckets)s::int[] IS NULL OR {BUCKET} = ANY (%(buckets)s::int[]))
 ORDER BY p.id LIMIT %(most)s

-- name: quiz
SELECT p.id,
       ARRAY[p.title, left(p.content, 4000),
             CASE jsonb_typeof(z.questions) WHEN 'array' THEN
                 (SELECT string_agg(q ->> 'text', ' ') FROM jsonb_array_elements(z.questions) q) END] AS texts,
       p."topicTags" AS tags
  FROM quizzes z JOIN posts p ON p.id = z."postId"
 WHERE p.id > %(after)s AND p.visibility::text = ANY (%(posts)s::text[])
   AND (%(ids)s::text[] IS NULL OR p.id = ANY (%(ids)s::text[]))
   AND (%(buckets)s::int[] IS NULL OR {BUCKET} = ANY (%(buckets)s::int[]))
 ORDER BY p.id LIMIT %(most)s

-- name: course
SELECT p.id, ARRAY[p.title, left(p.description, 4000), p.category] AS texts, p.tags AS tags
  FROM courses p
 WHERE p.id > %(after)s
   AND (%(ids)s::text[] IS NULL OR p.id = ANY (%(ids)s::text[]))
   AND (%(buckets)s::int[] IS NULL OR {BUCKET} = ANY (%(buckets)s::int[]))
 ORDER BY p.id LIMIT %(most)s

-- name: profile
SELECT p.id, ARRAY[p.headline, p."professionalTitle", p."careerGoals"] AS texts,
       coalesce(p.interests, '{}') || coalesce(p.skills, '{}') AS tags
  FROM users p
 WHERE p.id > %(after)s AND p."profileVisibility"::text = ANY (%(profiles)s::text[])
   AND (%(ids)s::text[] IS NULL OR p.id = ANY (%(ids)s::text[]))
   AND (%(buckets)s::int[] IS NULL OR {BUCKET} = ANY (%(buckets)s::int[]))
 ORDER BY p.id LIMIT %(most)s

-- name: held
-- Per document the text it has and how its vector stands to it: `there`, `waiting` for the model, `lost`, or `damaged`
-- (of another text, or not the one that the model gave for this).
SELECT p.id, p.content_hash,
       CASE WHEN v.content_hash = p.content_hash AND (c.embedding IS NULL OR c.embedding = v.embedding) THEN 'there'
            WHEN EXISTS (SELECT FROM embeddings.pending w
                          WHERE w.model_id = %(model)s AND w.content_hash = p.content_hash AND w.due_at < 'infinity')
                THEN 'waiting'
            WHEN v.id IS NULL THEN 'lost' ELSE 'damaged' END AS vector
  FROM embeddings.documents p
  LEFT JOIN embeddings.vectors v ON v.kind = p.kind AND v.id = p.id AND v.model_id = %(model)s
  LEFT JOIN embeddings.cache c ON c.model_id = %(model)s AND c.content_hash = v.content_hash
 WHERE p.id > %(after)s AND p.kind = %(kind)s
   AND (%(ids)s::text[] IS NULL OR p.id = ANY (%(ids)s::text[]))
   AND (%(buckets)s::int[] IS NULL OR {BUCKET} = ANY (%(buckets)s::int[]))
 ORDER BY p.id LIMIT %(most)s

-- name: wanted_interests
-- People of whom something is known: they acted on a post that has a vector, or say something of themselves. Who only
-- wrote posts may have none: a vector that comes from the cache tells nobody.
SELECT p.id FROM users p
 WHERE p.id > %(after)s
   AND (%(ids)s::text[] IS NULL OR p.id = ANY (%(ids)s::text[]))
   AND (%(buckets)s::int[] IS NULL OR {BUCKET} = ANY (%(buckets)s::int[]))
   AND (EXISTS (SELECT FROM embeddings.vectors v
                 WHERE v.model_id = %(model)s AND v.kind = 'profile' AND v.id = p.id AND v.readable)
        OR EXISTS (SELECT FROM embeddings.vectors v
                    WHERE v.model_id = %(model)s AND v.kind = 'post' AND v.readable
                      AND v.id IN (SELECT "postId" FROM likes WHERE "userId" = p.id
                                   UNION ALL SELECT "postId" FROM comments WHERE "authorId" = p.id
                                   UNION ALL SELECT "postId" FROM bookmarks WHERE "userId" = p.id
                                   UNION ALL SELECT "postId" FROM post_views WHERE "userId" = p.id)))
 ORDER BY p.id LIMIT %(most)s

-- name: held_interests
-- Whoever has a vector of interests, or waits for one. Whose acts are all gone keeps the last one: no difference.
SELECT p.id FROM (
    SELECT i.user_id AS id FROM embeddings.interests i WHERE i.model_id = %(model)s
    UNION SELECT s.user_id FROM embeddings.stale_interests s JOIN users u ON u.id = s.user_id) p
 WHERE p.id > %(after)s
   AND (%(ids)s::text[] IS NULL OR p.id = ANY (%(ids)s::text[]))
   AND (%(buckets)s::int[] IS NULL OR {BUCKET} = ANY (%(buckets)s::int[]))
 ORDER BY p.id LIMIT %(most)s

-- name: existing
SELECT id FROM users WHERE id = ANY (%s)

-- name: drop_vectors
-- The consumer makes them again from the cache, or asks the model.
DELETE FROM embeddings.vectors v USING unnest(%(kinds)s::text[], %(ids)s::text[]) AS t (kind, id)
 WHERE v.kind = t.kind AND v.id = t.id AND v.model_id = %(model)s

-- name: mark_interests
INSERT INTO embeddings.stale_interests (user_id, due_at)
SELECT u, clock_timestamp() FROM unnest(%s::text[]) AS u ORDER BY u ON CONFLICT (user_id) DO NOTHING
