-- Statements of view.py. {DIMENSION} is the serving model's: a type's length cannot be a parameter.

-- name: serving
SELECT id, dimension FROM embeddings.models WHERE serving

-- name: post_vector
-- Of a visible post; the vector is NULL while it has none, or one that means nothing. No row: not to be seen.
SELECT v.embedding::text,
       EXISTS (SELECT FROM embeddings.documents d JOIN embeddings.pending w ON w.content_hash = d.content_hash
                WHERE d.kind = 'post' AND d.id = p.id AND w.model_id = %(model)s AND w.due_at < 'infinity') AS waits
  FROM posts p JOIN users a ON a.id = p."authorId"
  LEFT JOIN embeddings.vectors v ON v.kind = 'post' AND v.id = p.id AND v.model_id = %(model)s AND v.readable
 WHERE p.id = %(post)s AND {POST_VISIBLE}

-- name: interests
SELECT embedding::text FROM embeddings.interests WHERE user_id = %(viewer)s AND model_id = %(model)s

-- name: similar_posts
SELECT p.id
  FROM embeddings.vectors v
  JOIN posts p ON p.id = v.id
  JOIN users a ON a.id = p."authorId"
 WHERE v.kind = 'post' AND v.model_id = %(model)s AND v.readable AND p.id <> %(post)s AND {POST_VISIBLE}
 ORDER BY v.embedding::halfvec({DIMENSION}) <=> %(vector)s::halfvec({DIMENSION})
 LIMIT %(limit)s

-- name: people_alike
SELECT u.id
  FROM embeddings.interests i
  JOIN users u ON u.id = i.user_id
 WHERE i.model_id = %(model)s AND {SUGGESTABLE}
 ORDER BY i.embedding::halfvec({DIMENSION}) <=> %(vector)s::halfvec({DIMENSION})
 LIMIT 2 * %(limit)s

-- name: courses
SELECT k.id
  FROM embeddings.vectors v
  JOIN courses k ON k.id = v.id
 WHERE v.kind = 'course' AND v.model_id = %(model)s AND v.readable AND {RECOMMENDABLE_COURSE}
 ORDER BY v.embedding::halfvec({DIMENSION}) <=> %(vector)s::halfvec({DIMENSION})
 LIMIT %(limit)s

-- name: quizzes
SELECT p.id
  FROM embeddings.vectors v
  JOIN posts p ON p.id = v.id
  JOIN users a ON a.id = p."authorId"
 WHERE v.kind = 'quiz' AND v.model_id = %(model)s AND v.readable AND {RECOMMENDABLE_QUIZ}
 ORDER BY v.embedding::halfvec({DIMENSION}) <=> %(vector)s::halfvec({DIMENSION})
 LIMIT %(limit)s
