-- The time series against the truth, for `verification.py` alone. Times are milliseconds since 1970 on both sides; a
-- digest is of all columns that the truth has (the school of an actor is that of the time, weights are the writer's).

-- name: wanted_views
SELECT p.id, hashtextextended(concat_ws('|', p."postId", coalesce(p."userId", ''),
           CASE WHEN p.source IN ('feed', 'post_detail', 'search', 'profile', 'direct', 'share') THEN p.source
                ELSE 'other' END,
           CASE WHEN p.duration IS NOT NULL THEN least(greatest(p.duration, 0), 3600)::text ELSE '' END, {TRUE_TIME}), 0) AS digest
  FROM (SELECT *, "viewedAt" AS at FROM post_views) p
 WHERE p.id > %(after)s AND {CHOSEN} AND {KEPT}
 ORDER BY p.id LIMIT %(most)s

-- name: held_views
SELECT p.id, hashtextextended(concat_ws('|', p.post_id, coalesce(p.viewer_id, ''), p.source,
           coalesce(p.duration_s::text, ''), {HELD_TIME}), 0) AS digest, p.time
  FROM (SELECT fact_id AS id, * FROM {schema}.post_views_ts WHERE weight BETWEEN 1 AND 100) p
 WHERE (p.time, p.id) > (%(at)s, %(after)s) AND {CHOSEN} AND {HELD_KEPT}
 ORDER BY p.time, p.id LIMIT %(most)s

-- name: wanted_engagement
SELECT p.id, hashtextextended(concat_ws('|', p."postId", p.who, {TRUE_TIME}), 0) AS digest
  FROM (SELECT 'like:' || id AS id, "postId", "userId" AS who, "createdAt" AS at FROM likes
        UNION ALL SELECT 'comment:' || id, "postId", "authorId", "createdAt" FROM comments
        UNION ALL SELECT 'bookmark:' || id, "postId", "userId", "createdAt" FROM bookmarks) p
 WHERE p.id > %(after)s AND {CHOSEN} AND {KEPT}
 ORDER BY p.id LIMIT %(most)s

-- name: held_engagement
SELECT p.id, hashtextextended(concat_ws('|', p.post_id, p.user_id, {HELD_TIME}), 0) AS digest, p.time
  FROM (SELECT fact_id AS id, * FROM {schema}.engagement_ts WHERE split_part(fact_id, ':', 1) = kind) p
 WHERE (p.time, p.id) > (%(at)s, %(after)s) AND {CHOSEN} AND {HELD_KEPT}
 ORDER BY p.time, p.id LIMIT %(most)s

-- name: wanted_activity
SELECT p.id, hashtextextended(concat_ws('|', p."postId", p.who, {TRUE_TIME}), 0) AS digest
  FROM (SELECT 'like:' || id AS id, "postId", "userId" AS who, "createdAt" AS at FROM likes
        UNION ALL SELECT 'comment:' || id, "postId", "authorId", "createdAt" FROM comments
        UNION ALL SELECT 'bookmark:' || id, "postId", "userId", "createdAt" FROM bookmarks
        UNION ALL SELECT 'post:' || id, id, "authorId", "createdAt" FROM posts
        UNION ALL SELECT 'quiz:' || q.id, z."postId", q."userId", q."submittedAt"
                    FROM quiz_attempts q JOIN quizzes z ON z.id = q."quizId") p
 WHERE p.id > %(after)s AND {CHOSEN} AND {KEPT}
 ORDER BY p.id LIMIT %(most)s

-- name: held_activity
SELECT p.id, hashtextextended(concat_ws('|', p.post_id, p.user_id, {HELD_TIME}), 0) AS digest, p.time
  FROM (SELECT fact_id AS id, * FROM {schema}.school_activity_ts WHERE split_part(fact_id, ':', 1) = kind) p
 WHERE (p.time, p.id) > (%(at)s, %(after)s) AND {CHOSEN} AND {HELD_KEPT}
 ORDER BY p.time, p.id LIMIT %(most)s

-- name: rollups
-- Buckets that are not what the facts beside them add up to, in one snapshot. A bucket of nothing may be there or not.
WITH wanted AS (
    SELECT 'post_views_hourly' AS part, post_id AS owner, {plain_hour} AS bucket, '' AS kind,
           ROW(sum(weight), count(DISTINCT viewer_id), coalesce(sum(duration_s), 0), count(duration_s))::text AS numbers
      FROM {schema}.post_views_ts GROUP BY 2, 3
    UNION ALL
    SELECT 'post_views_daily', post_id, {plain_day}, '',
           ROW(sum(weight), count(DISTINCT viewer_id), coalesce(sum(duration_s), 0), count(duration_s))::text
      FROM {schema}.post_views_ts GROUP BY 2, 3
    UNION ALL
    SELECT 'engagement_hourly', post_id, {plain_hour}, kind, ROW(count(*))::text
      FROM {schema}.engagement_ts GROUP BY 2, 3, 4
    UNION ALL
    SELECT 'school_activity_hourly', school_id, {plain_hour}, kind, ROW(count(*))::text
      FROM {schema}.school_activity_ts WHERE school_id IS NOT NULL GROUP BY 2, 3, 4
), held AS (
    SELECT 'post_views_hourly' AS part, post_id AS owner, hour AS bucket, '' AS kind,
           ROW(view_count, unique_viewers, duration_sum, duration_count)::text AS numbers
      FROM {schema}.post_views_hourly
    UNION ALL
    SELECT 'post_views_daily', post_id, day, '', ROW(view_count, unique_viewers, duration_sum, duration_count)::text
      FROM {schema}.post_views_daily
    UNION ALL
    SELECT 'engagement_hourly', post_id, hour, kind, ROW(count)::text FROM {schema}.engagement_hourly
    UNION ALL
    SELECT 'school_activity_hourly', school_id, hour, kind, ROW(count)::text FROM {schema}.school_activity_hourly
), compared AS (
    SELECT part, owner, bucket, kind, w.numbers AS wanted, h.numbers AS held
      FROM wanted w FULL JOIN held h USING (part, owner, bucket, kind)
), counted AS (
    SELECT count(*) AS compared FROM compared
)
SELECT n.compared, c.part, c.owner, c.bucket, c.kind, c.wanted, c.held
  FROM counted n LEFT JOIN compared c
    ON c.wanted IS DISTINCT FROM c.held AND NOT (c.wanted IS NULL AND c.held ~ '^[(]0[,)]')

-- name: settings
-- What the tables were made for.
SELECT kind, zone, retention_days FROM {schema}.made

-- name: lock
-- The owner of the view waits until this transaction ends.
SELECT FROM {schema}.checkpoint FOR UPDATE

-- name: days
-- The days (what, whose, when) that these facts and buckets lie in.
SELECT 'view' AS what, post_id AS owner, {plain_day} AS day FROM {schema}.post_views_ts WHERE fact_id = ANY (%(facts)s)
UNION SELECT 'engagement', post_id, {plain_day} FROM {schema}.engagement_ts WHERE fact_id = ANY (%(facts)s)
UNION SELECT 'activity', school_id, {plain_day} FROM {schema}.school_activity_ts WHERE fact_id = ANY (%(facts)s)
UNION SELECT what, owner, date_trunc('day', bucket, '{zone}')
        FROM unnest(%(whats)s::text[], %(owners)s::text[], %(buckets)s::timestamptz[]) AS t (what, owner, bucket)

-- name: take_days
-- Out with all facts of some days, and the sets of people made of them; gives the facts' ids.
WITH damaged AS (
    SELECT * FROM unnest(%(whats)s::text[], %(owners)s::text[], %(days)s::timestamptz[]) AS t (what, owner, day)
), views AS (
    DELETE FROM {schema}.post_views_ts USING damaged d
     WHERE d.what = 'view' AND post_id = d.owner AND {plain_day} = d.day RETURNING fact_id
), engagements AS (
    DELETE FROM {schema}.engagement_ts USING damaged d
     WHERE d.what = 'engagement' AND post_id = d.owner AND {plain_day} = d.day RETURNING fact_id
), activities AS (
    DELETE FROM {schema}.school_activity_ts USING damaged d
     WHERE d.what = 'activity' AND school_id IS NOT DISTINCT FROM d.owner AND {plain_day} = d.day RETURNING fact_id
), viewers AS (
    DELETE FROM {schema}.post_people s USING damaged d WHERE d.what = 'view' AND s.post_id = d.owner AND s.day = d.day
), members AS (
    DELETE FROM {schema}.school_people s USING damaged d
     WHERE d.what = 'activity' AND s.school_id = d.owner AND s.day = d.day
)
SELECT fact_id FROM views UNION SELECT fact_id FROM engagements UNION SELECT fact_id FROM activities

-- name: take_buckets
-- Their roll-ups, where these are tables of ours.
WITH damaged AS (
    SELECT * FROM unnest(%(whats)s::text[], %(owners)s::text[], %(days)s::timestamptz[]) AS t (what, owner, day)
), hourly AS (
    DELETE FROM {schema}.busy_hours h USING damaged d
     WHERE d.what = 'view' AND h.post_id = d.owner AND date_trunc('day', h.hour, '{zone}') = d.day
), daily AS (
    DELETE FROM {schema}.busy_days h USING damaged d
     WHERE d.what = 'view' AND h.post_id = d.owner AND h.day = d.day
), engagements AS (
    DELETE FROM {schema}.engagement_hourly h USING damaged d
     WHERE d.what = 'engagement' AND h.post_id = d.owner AND date_trunc('day', h.hour, '{zone}') = d.day
)
DELETE FROM {schema}.school_activity_hourly h USING damaged d
 WHERE d.what = 'activity' AND h.school_id = d.owner AND date_trunc('day', h.hour, '{zone}') = d.day

-- name: facts_of_truth
-- Everything about these facts that an event of theirs would say.
SELECT f.* FROM (
    SELECT p.id AS fact, 'view' AS topic, 'post.viewed.v1' AS type, p."postId" AS key,
           jsonb_build_object('id', p.id, 'postId', p."postId", 'userId', p."userId", 'source', p.source,
                              'duration', p.duration, 'weight', 1, 'at', p."viewedAt" || 'Z') AS data
      FROM post_views p WHERE p.id = ANY (%(facts)s)
    UNION ALL
    SELECT 'like:' || l.id, 'engagement', 'like.created.v1', l."postId",
           jsonb_build_object('id', l.id, 'postId', l."postId", 'userId', l."userId", 'at', l."createdAt" || 'Z')
      FROM likes l WHERE 'like:' || l.id = ANY (%(facts)s)
    UNION ALL
    SELECT 'comment:' || l.id, 'engagement', 'comment.created.v1', l."postId",
           jsonb_build_object('id', l.id, 'postId', l."postId", 'userId', l."authorId", 'at', l."createdAt" || 'Z')
      FROM comments l WHERE 'comment:' || l.id = ANY (%(facts)s)
    UNION ALL
    SELECT 'bookmark:' || l.id, 'engagement', 'bookmark.created.v1', l."postId",
           jsonb_build_object('id', l.id, 'postId', l."postId", 'userId', l."userId", 'at', l."createdAt" || 'Z')
      FROM bookmarks l WHERE 'bookmark:' || l.id = ANY (%(facts)s)
    UNION ALL
    SELECT 'post:' || p.id, 'post', 'post.updated.v1', p.id,
           jsonb_build_object('id', p.id, 'authorId', p."authorId", 'schoolId', p."schoolId",
                              'createdAt', p."createdAt" || 'Z')
      FROM posts p WHERE 'post:' || p.id = ANY (%(facts)s)
    UNION ALL
    SELECT 'quiz:' || q.id, 'quiz', 'quiz.attempted.v1', q."quizId",
           jsonb_build_object('id', q.id, 'quizId', q."quizId", 'userId', q."userId", 'postId', z."postId",
                              'at', q."submittedAt" || 'Z')
      FROM quiz_attempts q JOIN quizzes z ON z.id = q."quizId" WHERE 'quiz:' || q.id = ANY (%(facts)s)) f
