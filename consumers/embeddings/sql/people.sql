-- Statements of people.py: what people are interested in.

-- name: take_people
DELETE FROM embeddings.stale_interests
 WHERE user_id IN (SELECT user_id FROM embeddings.stale_interests WHERE due_at <= clock_timestamp()
                    ORDER BY due_at LIMIT %(count)s FOR UPDATE SKIP LOCKED)
RETURNING user_id

-- name: signals
-- What each person has lately written, liked, said, kept and looked at, newest first, with the vectors of those posts
-- and of what the profile says. The weights are what an act tells of an interest.
SELECT u.id, s.weight, s.at, halfvec_send(v.embedding)
  FROM unnest(%(users)s::text[]) AS u (id)
 CROSS JOIN LATERAL (
    (SELECT "postId" AS post, 3.0::float8 AS weight, "createdAt" AS at FROM likes
      WHERE "userId" = u.id ORDER BY "createdAt" DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT "postId", 5.0, "createdAt" FROM comments
      WHERE "authorId" = u.id ORDER BY "createdAt" DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT "postId", 6.0, "createdAt" FROM bookmarks
      WHERE "userId" = u.id ORDER BY "createdAt" DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT "postId", CASE WHEN duration >= 15 THEN 2.0 ELSE 0.75 END, "viewedAt" FROM post_views
      WHERE "userId" = u.id ORDER BY "viewedAt" DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT id, 3.0, "createdAt" FROM posts
      WHERE "authorId" = u.id ORDER BY "createdAt" DESC LIMIT %(limit)s)
 ) AS s
  JOIN embeddings.vectors v ON v.kind = 'post' AND v.id = s.post AND v.model_id = %(model)s AND v.readable
UNION ALL
SELECT u.id, 2.0, NULL, halfvec_send(v.embedding)
  FROM unnest(%(users)s::text[]) AS u (id)
  JOIN embeddings.vectors v ON v.kind = 'profile' AND v.id = u.id AND v.model_id = %(model)s AND v.readable

-- name: save_interests
INSERT INTO embeddings.interests (user_id, model_id, embedding, signals)
SELECT t.id, %(model)s, t.embedding::halfvec, t.signals
  FROM unnest(%(users)s::text[], %(vectors)s::text[], %(signals)s::int[]) AS t (id, embedding, signals)
  JOIN users u ON u.id = t.id
 ORDER BY t.id
ON CONFLICT (user_id, model_id) DO UPDATE
   SET embedding = EXCLUDED.embedding, signals = EXCLUDED.signals, built_at = clock_timestamp()

-- name: drop_interests
DELETE FROM embeddings.interests WHERE model_id = %(model)s AND user_id = ANY (%(without)s::text[])

-- name: next_person
SELECT CASE WHEN min(due_at) IS NOT NULL -- greatest() passes over NULL
            THEN greatest(0, extract(epoch FROM min(due_at) - clock_timestamp()))::float8 END FROM embeddings.stale_interests

-- name: next_people
SELECT id FROM users WHERE id > %(after)s ORDER BY id LIMIT %(count)s
