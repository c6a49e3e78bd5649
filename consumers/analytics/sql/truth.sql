-- The same numbers, counted on the truth.

-- name: series
-- Views and unique viewers per bucket.
WITH v AS (SELECT "viewedAt" AT TIME ZONE 'UTC' AS time, "userId" AS viewer FROM post_views
            WHERE "postId" = %(post)s AND "viewedAt" >= %(since)s AT TIME ZONE 'UTC'
              AND "viewedAt" < %(until)s AT TIME ZONE 'UTC')
SELECT CASE WHEN %(hourly)s THEN date_bin(interval '1 hour', time, %(origin)s) ELSE date_trunc('day', time, %(zone)s) END,
       count(*), count(DISTINCT viewer)
  FROM v GROUP BY 1

-- name: sources
-- Views by source.
SELECT CASE WHEN source = ANY (%(sources)s) THEN source ELSE 'other' END, count(*) FROM post_views
 WHERE "postId" = %(post)s AND "viewedAt" >= %(since)s AT TIME ZONE 'UTC' AND "viewedAt" < %(until)s AT TIME ZONE 'UTC'
 GROUP BY 1

-- name: whole_window
-- Unique viewers and mean duration (s) over the window.
SELECT count(DISTINCT "userId"),
       round(avg(LEAST(GREATEST(duration, 0), %(max_duration)s)) FILTER (WHERE duration IS NOT NULL), 2)::float8
  FROM post_views
 WHERE "postId" = %(post)s AND "viewedAt" >= %(since)s AT TIME ZONE 'UTC' AND "viewedAt" < %(until)s AT TIME ZONE 'UTC'

-- name: engagements
-- Likes, comments and bookmarks per bucket.
SELECT CASE WHEN %(hourly)s THEN date_bin(interval '1 hour', "createdAt" AT TIME ZONE 'UTC', %(origin)s)
            ELSE date_trunc('day', "createdAt" AT TIME ZONE 'UTC', %(zone)s) END, kind, count(*)
  FROM (SELECT 'like' AS kind, "createdAt" FROM likes WHERE "postId" = %(post)s
        UNION ALL SELECT 'comment', "createdAt" FROM comments WHERE "postId" = %(post)s
        UNION ALL SELECT 'bookmark', "createdAt" FROM bookmarks WHERE "postId" = %(post)s) AS e
 WHERE "createdAt" >= %(since)s AT TIME ZONE 'UTC' AND "createdAt" < %(until)s AT TIME ZONE 'UTC' GROUP BY 1, 2

-- name: activity
-- A school by kind and bucket.
WITH a AS ({activity})
SELECT CASE WHEN %(hourly)s THEN date_bin(interval '1 hour', time, %(origin)s) ELSE date_trunc('day', time, %(zone)s) END,
       kind, count(*)
  FROM a GROUP BY 1, 2

-- name: heat
-- A school by local weekday (Monday 1) and hour.
WITH a AS ({activity})
SELECT extract(isodow FROM time AT TIME ZONE %(zone)s)::int, extract(hour FROM time AT TIME ZONE %(zone)s)::int, count(*)
  FROM a GROUP BY 1, 2

-- name: active
-- Distinct active members of a school.
WITH a AS ({activity})
SELECT count(DISTINCT actor) FROM a

-- name: activity_rows
-- What {activity} stands for: what a school's members did in the window.
SELECT kind, at AT TIME ZONE 'UTC' AS time, actor FROM (
    SELECT 'post' AS kind, "createdAt" AS at, "authorId" AS actor FROM posts
    UNION ALL SELECT 'like', "createdAt", "userId" FROM likes
    UNION ALL SELECT 'comment', "createdAt", "authorId" FROM comments
    UNION ALL SELECT 'bookmark', "createdAt", "userId" FROM bookmarks
    UNION ALL SELECT 'quiz', "submittedAt", "userId" FROM quiz_attempts) AS f
 WHERE actor IN (SELECT id FROM users WHERE "schoolId" = %(school_id)s)
   AND at >= %(since)s AT TIME ZONE 'UTC' AND at < %(until)s AT TIME ZONE 'UTC'

-- name: views_of_author
-- An author's posts per day.
SELECT date_trunc('day', v."viewedAt" AT TIME ZONE 'UTC', %(zone)s), p.id, count(*)
  FROM posts p JOIN post_views v ON v."postId" = p.id
 WHERE p."authorId" = %(author)s AND v."viewedAt" >= %(since)s AT TIME ZONE 'UTC'
   AND v."viewedAt" < %(until)s AT TIME ZONE 'UTC' GROUP BY 1, 2

-- name: engagements_of_author
-- Likes, comments and bookmarks of an author's posts per day.
SELECT date_trunc('day', "createdAt" AT TIME ZONE 'UTC', %(zone)s), "postId", kind, count(*)
  FROM (SELECT 'like' AS kind, "postId", "createdAt" FROM likes
        UNION ALL SELECT 'comment', "postId", "createdAt" FROM comments
        UNION ALL SELECT 'bookmark', "postId", "createdAt" FROM bookmarks) AS e
 WHERE "postId" IN (SELECT id FROM posts WHERE "authorId" = %(author)s)
   AND "createdAt" >= %(since)s AT TIME ZONE 'UTC' AND "createdAt" < %(until)s AT TIME ZONE 'UTC' GROUP BY 1, 2, 3

-- name: people_of_author
-- Distinct viewers: per day (post null), per post (day null), and of all (both null).
WITH v AS (SELECT date_trunc('day', v."viewedAt" AT TIME ZONE 'UTC', %(zone)s) AS day, p.id AS post, v."userId" AS viewer
             FROM posts p JOIN post_views v ON v."postId" = p.id
            WHERE p."authorId" = %(author)s AND v."viewedAt" >= %(since)s AT TIME ZONE 'UTC'
              AND v."viewedAt" < %(until)s AT TIME ZONE 'UTC')
SELECT day, post, count(DISTINCT viewer) FROM v GROUP BY GROUPING SETS ((day), (post), ())

-- name: posts_of_author
-- What an author has written.
SELECT id, title, "postType"::text FROM posts WHERE "authorId" = %(author)s

-- name: trending
-- The score over rows, of posts that the viewer may see, best first.
WITH e AS (SELECT "postId" AS post, count(*) FILTER (WHERE kind = 'view') AS views,
                  count(*) FILTER (WHERE kind = 'like') AS likes, count(*) FILTER (WHERE kind = 'comment') AS comments,
                  count(*) FILTER (WHERE kind = 'bookmark') AS bookmarks
             FROM (SELECT 'view' AS kind, "postId", "viewedAt" AS at FROM post_views
                   UNION ALL SELECT 'like', "postId", "createdAt" FROM likes
                   UNION ALL SELECT 'comment', "postId", "createdAt" FROM comments
                   UNION ALL SELECT 'bookmark', "postId", "createdAt" FROM bookmarks) AS f
            WHERE at >= %(since)s AT TIME ZONE 'UTC' AND at < %(until)s AT TIME ZONE 'UTC' GROUP BY 1)
SELECT p.id, views, likes, comments, bookmarks, views + 3 * likes + 5 * comments + 2 * bookmarks AS score,
       p.title, p."postType"::text, p."authorId"
  FROM e JOIN posts p ON p.id = e.post JOIN users a ON a.id = p."authorId"
 WHERE {visible} ORDER BY score DESC, p.id COLLATE "C" LIMIT %(limit)s

-- name: visible_posts
-- Which of these posts the viewer may see, and what they are called.
SELECT p.id, p.title, p."postType"::text, p."authorId" FROM posts p JOIN users a ON a.id = p."authorId"
 WHERE p.id = ANY (%(posts)s) AND {visible}
