-- Statements of fallback.py, and the mutual follows that need no vectors: the truth alone.

-- name: mutuals
-- People followed by people that the viewer follows and may see, most paths first.
WITH network AS MATERIALIZED (
    SELECT f."followingId" AS id FROM follows f JOIN users u ON u.id = f."followingId"
     WHERE f."followerId" = %(viewer)s AND {PERSON_VISIBLE}
), second AS MATERIALIZED (
    SELECT f."followingId" AS id, count(*) AS paths
      FROM network n JOIN follows f ON f."followerId" = n.id
     GROUP BY f."followingId"
)
-- In this order person by person, so that it ends when enough have passed.
SELECT s.id, s.paths
  FROM (SELECT id, paths FROM second ORDER BY paths DESC, id) AS s
 CROSS JOIN LATERAL (SELECT FROM users u WHERE u.id = s.id AND {SUGGESTABLE} OFFSET 0) AS allowed
 ORDER BY s.paths DESC, s.id
 LIMIT %(limit)s

-- name: people_alike
-- By interests and skills in common.
WITH mine AS MATERIALIZED (
    SELECT lower((coalesce(interests, '{}') || skills)::text)::text[] AS tags FROM users WHERE id = %(viewer)s
)
SELECT u.id
  FROM mine, users u
 CROSS JOIN LATERAL (SELECT count(*) AS shared
                       FROM unnest(lower((coalesce(u.interests, '{}') || u.skills)::text)::text[]) AS t
                      WHERE t = ANY (mine.tags)) AS c
 WHERE lower((coalesce(u.interests, '{}') || u.skills)::text)::text[] && mine.tags AND {SUGGESTABLE}
 ORDER BY c.shared DESC, u.id
 LIMIT 2 * %(limit)s

-- name: schoolmates
SELECT u.id FROM users u
 WHERE u."schoolId" = %(school)s::text AND {SUGGESTABLE}
 ORDER BY u."createdAt" DESC, u.id
 LIMIT 3 * %(limit)s

-- name: source_post
SELECT p.title, p.content, p."topicTags"
  FROM posts p JOIN users a ON a.id = p."authorId"
 WHERE p.id = %(post)s AND {POST_VISIBLE}

-- name: similar_posts
-- Those that share tags or uncommon words with the post, by how many; the newest of each kind are looked at.
WITH candidates AS (
    (SELECT id FROM posts WHERE "topicTags" && %(tags)s::text[] ORDER BY "createdAt" DESC LIMIT 500)
    UNION
    (SELECT id FROM posts WHERE content ILIKE ANY (%(patterns)s::text[]) OR title ILIKE ANY (%(patterns)s::text[])
      ORDER BY "createdAt" DESC LIMIT 500)
)
SELECT p.id
  FROM candidates JOIN posts p USING (id)
  JOIN users a ON a.id = p."authorId"
 CROSS JOIN LATERAL (
    SELECT 2 * (SELECT count(*) FROM unnest(%(patterns)s::text[]) AS x WHERE p.content ILIKE x OR p.title ILIKE x)
             + (SELECT count(*) FROM unnest(p."topicTags") AS t WHERE lower(t) = ANY (%(folded)s::text[])) AS score
 ) AS s
 WHERE p.id <> %(post)s AND {POST_VISIBLE}
 ORDER BY s.score DESC, p."createdAt" DESC, p.id
 LIMIT %(limit)s

-- name: topics
-- What the viewer is interested in, in words: the profile, and tags of what they lately liked, kept or commented on.
SELECT DISTINCT lower(t)
  FROM (SELECT unnest(coalesce(interests, '{}') || skills) FROM users WHERE id = %(viewer)s
        UNION ALL
        SELECT unnest(p."topicTags") FROM posts p
         WHERE p.id IN ((SELECT "postId" FROM likes WHERE "userId" = %(viewer)s ORDER BY "createdAt" DESC LIMIT 60)
                        UNION
                        (SELECT "postId" FROM bookmarks WHERE "userId" = %(viewer)s ORDER BY "createdAt" DESC LIMIT 60)
                        UNION
                        (SELECT "postId" FROM comments WHERE "authorId" = %(viewer)s ORDER BY "createdAt" DESC LIMIT 60))
       ) AS x (t)
 WHERE t IS NOT NULL
 LIMIT 500

-- name: courses
SELECT k.id
  FROM courses k
 CROSS JOIN LATERAL (SELECT count(*) AS shared FROM unnest(coalesce(k.tags, '{}') || k.category) AS t
                      WHERE lower(t) = ANY (%(topics)s::text[])) AS c
 WHERE {RECOMMENDABLE_COURSE}
 ORDER BY c.shared DESC, k."isFeatured" DESC, k."enrolledCount" DESC, k.rating DESC, k.id
 LIMIT %(limit)s

-- name: quizzes
SELECT p.id
  FROM quizzes q JOIN posts p ON p.id = q."postId"
  JOIN users a ON a.id = p."authorId"
 CROSS JOIN LATERAL (SELECT count(*) AS shared FROM unnest(p."topicTags") AS t
                      WHERE lower(t) = ANY (%(topics)s::text[])) AS c
 WHERE {RECOMMENDABLE_QUIZ}
 ORDER BY c.shared DESC, p."createdAt" DESC, p.id
 LIMIT %(limit)s
