-- Rows that pass the rule and have every term, weighed among the newest of them.
-- name: posts
WITH found AS MATERIALIZED (
    SELECT p.*
      FROM posts p
      JOIN users a ON a.id = p."authorId"
     WHERE {VISIBLE}
       AND (%(wanted_school)s::text IS NULL OR p."schoolId" = %(wanted_school)s)
       AND (%(wanted_type)s::text IS NULL OR p."postType"::text = %(wanted_type)s)
       AND (%(wanted_tags)s::text[] IS NULL OR p."topicTags" && %(wanted_tags)s::text[])
       AND (%(until)s::timestamp IS NULL OR p."createdAt" <= %(until)s)
       AND (%(since)s::timestamp IS NULL OR p."createdAt" > %(since)s)
       AND ({MATCHES})
     ORDER BY p."createdAt" DESC, p.id
     LIMIT %(candidates)s
)
SELECT p.id
  FROM found p
 ORDER BY {WEIGHT} DESC, p."likesCount" DESC, p."createdAt" DESC, p.id
 LIMIT %(count)s OFFSET %(first)s

-- name: users
WITH found AS MATERIALIZED (
    SELECT u.* FROM users u WHERE {VISIBLE} AND ({MATCHES}) ORDER BY u."createdAt" DESC, u.id LIMIT %(candidates)s
)
SELECT u.id
  FROM found u
 ORDER BY {WEIGHT} DESC, u."isVerified" DESC, u."createdAt" DESC, u.id
 LIMIT %(count)s OFFSET %(first)s

-- name: clubs
WITH found AS MATERIALIZED (
    SELECT c.* FROM study_clubs c WHERE {VISIBLE} AND ({MATCHES}) ORDER BY c."createdAt" DESC, c.id LIMIT %(candidates)s
)
SELECT c.id
  FROM found c
 ORDER BY {WEIGHT} DESC,
          (SELECT count(*) FROM club_members m WHERE m."clubId" = c.id AND m."isActive") DESC, c."createdAt" DESC, c.id
 LIMIT %(count)s OFFSET %(first)s

-- name: courses
WITH found AS MATERIALIZED (
    SELECT k.* FROM courses k WHERE {VISIBLE} AND ({MATCHES}) ORDER BY k."createdAt" DESC, k.id LIMIT %(candidates)s
)
SELECT k.id
  FROM found k
 ORDER BY {WEIGHT} DESC, k."enrolledCount" DESC, k."createdAt" DESC, k.id
 LIMIT %(count)s OFFSET %(first)s

-- name: tagged
-- Posts among the newest that have a tag like this, for suggestions; && above compares whole tags.
SELECT p.id
  FROM (SELECT p.id, p."topicTags", p."createdAt"
          FROM posts p
          JOIN users a ON a.id = p."authorId"
         WHERE {VISIBLE}
         ORDER BY p."createdAt" DESC
         LIMIT 2000) AS p
 WHERE EXISTS (SELECT FROM unnest(p."topicTags") AS tag WHERE {MATCHES})
 ORDER BY p."createdAt" DESC
 LIMIT %(count)s

-- name: authors
-- People whose names have a term, for posts by them; the posts themselves pass the rule later.
SELECT u.id FROM users u WHERE {MATCHES} LIMIT 300
