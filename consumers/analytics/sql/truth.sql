-- The same numbers, counted on the truth.

-- name: series
-- Views and unique viewers per bucket.
WITH v AS (SELECT "viewedAt" AT TIME ZONE 'UTC' AS time, "userId" AS viewer, duration,
                  CASE WHEN source = ANY (%(sources)s) THEN source ELSE 'other' END AS source
             FROM post_views WHERE "postId" = %(post)s AND "viewedAt" >= %(since)s AT TIME ZONE 'UTC')
SELECT date_trunc(%(bucket)s, time, %(zone)s), count(*), count(DISTINCT viewer) FROM v GROUP BY 1

-- name: sources
-- Views by source.
WITH v AS (SELECT "viewedAt" AT TIME ZONE 'UTC' AS time, "userId" AS viewer, duration,
                  CASE WHEN source = ANY (%(sources)s) THEN source ELSE 'other' END AS source
             FROM post_views WHERE "postId" = %(post)s AND "viewedAt" >= %(since)s AT TIME ZONE 'UTC')
SELECT source, count(*) FROM v GROUP BY 1

-- name: whole_window
-- Unique viewers and mean duration (s) over the window.
WITH v AS (SELECT "viewedAt" AT TIME ZONE 'UTC' AS time, "userId" AS viewer, duration,
                  CASE WHEN source = ANY (%(sources)s) THEN source ELSE 'other' END AS source
             FROM post_views WHERE "postId" = %(post)s AND "viewedAt" >= %(since)s AT TIME ZONE 'UTC')
SELECT count(DISTINCT viewer), round(avg(LEAST(GREATEST(duration, 0), %(max_duration)s)) FILTER (WHERE duration IS NOT NULL), 2)::float8 FROM v

-- name: engagements
-- Likes, comments and bookmarks per bucket.
SELECT date_trunc(%(bucket)s, "createdAt" AT TIME ZONE 'UTC', %(zone)s), kind, count(*) FROM (
    SELECT 'like' AS kind, "createdAt" FROM likes WHERE "postId" = %(post)s
    UNION ALL SELECT 'comment', "createdAt" FROM comments WHERE "postId" = %(post)s
    UNION ALL SELECT 'bookmark', "createdAt" FROM bookmarks WHERE "postId" = %(post)s) AS e
 WHERE "createdAt" >= %(since)s AT TIME ZONE 'UTC' GROUP BY 1, 2

-- name: activity
-- A school by kind and bucket.
WITH member AS (SELECT id FROM users WHERE "schoolId" = %(school_id)s),
a AS (SELECT kind, at AT TIME ZONE 'UTC' AS time, actor FROM (
    SELECT 'post' AS kind, "createdAt" AS at, "authorId" AS actor FROM posts WHERE "authorId" IN (SELECT id FROM member)
    UNION ALL SELECT 'like', "createdAt", "userId" FROM likes WHERE "userId" IN (SELECT id FROM member)
    UNION ALL SELECT 'comment', "createdAt", "authorId" FROM comments WHERE "authorId" IN (SELECT id FROM member)
    UNION ALL SELECT 'bookmark', "createdAt", "userId" FROM bookmarks WHERE "userId" IN (SELECT id FROM member)
    UNION ALL SELECT 'quiz', "submittedAt", "userId" FROM quiz_attempts WHERE "userId" IN (SELECT id FROM member)) AS f
   WHERE at >= %(since)s AT TIME ZONE 'UTC')
SELECT date_trunc(%(bucket)s, time, %(zone)s), kind, count(*) FROM a GROUP BY 1, 2

-- name: heat
-- A school by local weekday (Monday 1) and hour.
WITH member AS (SELECT id FROM users WHERE "schoolId" = %(school_id)s),
a AS (SELECT kind, at AT TIME ZONE 'UTC' AS time, actor FROM (
    SELECT 'post' AS kind, "createdAt" AS at, "authorId" AS actor FROM posts WHERE "authorId" IN (SELECT id FROM member)
    UNION ALL SELECT 'like', "createdAt", "userId" FROM likes WHERE "userId" IN (SELECT id FROM member)
    UNION ALL SELECT 'comment', "createdAt", "authorId" FROM comments WHERE "authorId" IN (SELECT id FROM member)
    UNION ALL SELECT 'bookmark', "createdAt", "userId" FROM bookmarks WHERE "userId" IN (SELECT id FROM member)
    UNION ALL SELECT 'quiz', "submittedAt", "userId" FROM quiz_attempts WHERE "userId" IN (SELECT id FROM member)) AS f
   WHERE at >= %(since)s AT TIME ZONE 'UTC')
SELECT extract(isodow FROM time AT TIME ZONE %(zone)s)::int,
                extract(hour FROM time AT TIME ZONE %(zone)s)::int, count(*) FROM a GROUP BY 1, 2

-- name: active
-- Distinct active members of a school.
WITH member AS (SELECT id FROM users WHERE "schoolId" = %(school_id)s),
a AS (SELECT kind, at AT TIME ZONE 'UTC' AS time, actor FROM (
    SELECT 'post' AS kind, "createdAt" AS at, "authorId" AS actor FROM posts WHERE "authorId" IN (SELECT id FROM member)
    UNION ALL SELECT 'like', "createdAt", "userId" FROM likes WHERE "userId" IN (SELECT id FROM member)
    UNION ALL SELECT 'comment', "createdAt", "authorId" FROM comments WHERE "authorId" IN (SELECT id FROM member)
    UNION ALL SELECT 'bookmark', "createdAt", "userId" FROM bookmarks WHERE "userId" IN (SELECT id FROM member)
    UNION ALL SELECT 'quiz', "submittedAt", "userId" FROM quiz_attempts WHERE "userId" IN (SELECT id FROM member)) AS f
   WHERE at >= %(since)s AT TIME ZONE 'UTC')
SELECT count(DISTINCT actor) FROM a
