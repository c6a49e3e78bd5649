-- Statements of rebuild.py.

-- name: rows
-- Of which facts are made.
SELECT (SELECT count(*) FROM post_views) + (SELECT count(*) FROM likes) + (SELECT count(*) FROM comments)
     + (SELECT count(*) FROM bookmarks) + (SELECT count(*) FROM posts) + (SELECT count(*) FROM quiz_attempts)

-- name: held
SELECT 'views', count(*) FROM {schema}.post_views_ts
UNION ALL SELECT 'engagements', count(*) FROM {schema}.engagement_ts
UNION ALL SELECT 'activities', count(*) FROM {schema}.school_activity_ts

-- name: wanted
WITH since AS (SELECT %(since)s::timestamptz AT TIME ZONE 'UTC' AS at),
     views AS (SELECT count(*) AS n FROM post_views, since WHERE "viewedAt" >= since.at),
     engaged AS (SELECT (SELECT count(*) FROM likes WHERE "createdAt" >= since.at)
                      + (SELECT count(*) FROM comments WHERE "createdAt" >= since.at)
                      + (SELECT count(*) FROM bookmarks WHERE "createdAt" >= since.at) AS n FROM since),
     others AS (SELECT (SELECT count(*) FROM posts WHERE "createdAt" >= since.at)
                     + (SELECT count(*) FROM quiz_attempts WHERE "submittedAt" >= since.at) AS n FROM since)
SELECT 'views', n FROM views UNION ALL SELECT 'engagements', n FROM engaged
UNION ALL SELECT 'activities', engaged.n + others.n FROM engaged, others

-- name: fence
UPDATE {schema}.checkpoint SET generation = greatest(generation, %(generation)s)

-- name: keep_readers_out
LOCK TABLE {schema}.made IN ACCESS EXCLUSIVE MODE
