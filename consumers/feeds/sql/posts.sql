-- name: of_batch
-- The posts behind a batch: those named, and the newest of the authors named; inactive authors' posts are left out.
WITH wanted AS (
    SELECT unnest(%(posts)s::text[]) AS id
    UNION
    SELECT newest.id
      FROM unnest(%(authors)s::text[]) AS author (id)
     CROSS JOIN LATERAL (SELECT p.id FROM posts p WHERE p."authorId" = author.id
                          ORDER BY p."createdAt" DESC LIMIT %(most)s) newest
)
SELECT {COLUMNS}, a."isActive" AND a."accountSuspendedAt" IS NULL AS active
  FROM wanted JOIN posts p ON p.id = wanted.id JOIN users a ON a.id = p."authorId"

-- name: by_id
-- The same columns for candidates that the fallback has chosen.
SELECT {COLUMNS}
  FROM posts p JOIN users a ON a.id = p."authorId"
 WHERE p.id = ANY (%(ids)s::text[])

-- name: next
SELECT id FROM posts WHERE id > %(after)s ORDER BY id LIMIT %(most)s

-- name: how_many
-- All posts, and those that the pool of public ones is chosen from: a gate of a rebuild.
SELECT count(*), count(*) FILTER (WHERE p.visibility::text = 'PUBLIC' AND a."isActive" AND a."accountSuspendedAt" IS NULL)
  FROM posts p JOIN users a ON a.id = p."authorId"

-- name: columns
-- What mapping.py takes. Counting stops where one more would move no factor, and of the people only the newest count.
p.id, p."authorId" AS author, p."schoolId" AS school, p.visibility::text AS visibility, p."postType"::text AS type,
CASE WHEN isfinite(p."createdAt") THEN (extract(epoch FROM p."createdAt") * 1000)::bigint ELSE 0 END AS created_ms,
p."isPinned" AS pinned, coalesce(cardinality(p."mediaUrls"), 0) > 0 AS media, length(p.content) AS length,
coalesce(p.title, '') <> '' AS titled, a."isVerified" AS verified, p."questionBounty" AS bounty,
p."edScore" AS rating, p."edScoreCount" AS ratings, p."topicTags" AS tags,
p."sharesCount" AS shares, p."viewsCount" AS views,
(SELECT count(*) FROM (SELECT FROM likes l WHERE l."postId" = p.id LIMIT %(counted)s) x) AS likes,
(SELECT count(*) FROM (SELECT FROM comments m WHERE m."postId" = p.id LIMIT %(counted)s) x) AS comments,
ARRAY(SELECT x."userId" FROM (SELECT l."userId", l."createdAt" FROM likes l
                               WHERE l."postId" = p.id LIMIT %(counted)s) x
       ORDER BY x."createdAt" DESC, x."userId" LIMIT %(people)s) AS likers,
ARRAY(SELECT m."authorId" FROM comments m WHERE m."postId" = p.id
       ORDER BY m."createdAt" DESC, m."authorId" LIMIT %(people)s) AS commenters
