-- The write side's statements: insert facts under their unique key, take some away, count the touched buckets again.

-- name: insert_views
-- Views; a repeated one may only lengthen its duration.
INSERT INTO analytics.post_views_ts AS old
       (time, fact_id, post_id, viewer_id, school_id, source, duration_s, weight)
SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[])
ON CONFLICT (fact_id, time) DO UPDATE SET duration_s = EXCLUDED.duration_s
 WHERE COALESCE(EXCLUDED.duration_s, 0) > COALESCE(old.duration_s, 0)

-- name: insert_engagements
-- Likes, comments and bookmarks.
INSERT INTO analytics.engagement_ts (time, fact_id, post_id, user_id, school_id, kind)
SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
ON CONFLICT (fact_id, time) DO NOTHING

-- name: insert_activities
-- What members of schools did.
INSERT INTO analytics.school_activity_ts (time, fact_id, school_id, user_id, post_id, kind)
SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
ON CONFLICT (fact_id, time) DO NOTHING

-- name: remove_views
-- Taken back: gives the buckets to count again.
DELETE FROM analytics.post_views_ts USING unnest(%s::text[], %s::timestamptz[]) AS gone (fact_id, time)
 WHERE post_views_ts.fact_id = gone.fact_id AND post_views_ts.time = gone.time
RETURNING post_id, date_trunc('hour', post_views_ts.time, 'UTC')

-- name: remove_engagements
-- Taken back: gives the buckets to count again.
DELETE FROM analytics.engagement_ts USING unnest(%s::text[], %s::timestamptz[]) AS gone (fact_id, time)
 WHERE engagement_ts.fact_id = gone.fact_id AND engagement_ts.time = gone.time
RETURNING post_id, date_trunc('hour', engagement_ts.time, 'UTC')

-- name: remove_activities
-- Taken back: gives the buckets to count again.
DELETE FROM analytics.school_activity_ts USING unnest(%s::text[], %s::timestamptz[]) AS gone (fact_id, time)
 WHERE school_activity_ts.fact_id = gone.fact_id AND school_activity_ts.time = gone.time
RETURNING school_id, date_trunc('hour', school_activity_ts.time, 'UTC')

-- name: forget_post_views
-- A deleted post leaves nothing.
DELETE FROM analytics.post_views_ts WHERE post_id = ANY (%s)

-- name: forget_post_views_hourly
-- A deleted post leaves nothing.
DELETE FROM analytics.post_views_hourly WHERE post_id = ANY (%s)

-- name: forget_engagements
-- A deleted post leaves nothing.
DELETE FROM analytics.engagement_ts WHERE post_id = ANY (%s)

-- name: forget_engagements_hourly
-- A deleted post leaves nothing.
DELETE FROM analytics.engagement_hourly WHERE post_id = ANY (%s)

-- name: forget_post_activities
-- A deleted post is no activity: gives the buckets to count again.
DELETE FROM analytics.school_activity_ts WHERE post_id = ANY (%s)
RETURNING school_id, date_trunc('hour', time, 'UTC')

-- name: forget_viewers
-- A deleted person leaves the counts of people, not those of views (upstream keeps the row with a NULL user).
UPDATE analytics.post_views_ts SET viewer_id = NULL, school_id = NULL WHERE viewer_id = ANY (%s)
RETURNING post_id, date_trunc('hour', time, 'UTC')

-- name: forget_user_engagements
-- A deleted person's likes and comments went with them.
DELETE FROM analytics.engagement_ts WHERE user_id = ANY (%s)
RETURNING post_id, date_trunc('hour', time, 'UTC')

-- name: forget_user_activities
-- A deleted person's activity went with them.
DELETE FROM analytics.school_activity_ts WHERE user_id = ANY (%s)
RETURNING school_id, date_trunc('hour', time, 'UTC')

-- name: recount_views
-- The touched buckets of views, from the facts.
WITH touched AS MATERIALIZED (SELECT DISTINCT * FROM unnest(%(posts)s::text[], %(hours)s::timestamptz[]) AS t (post_id, hour))
INSERT INTO analytics.post_views_hourly AS old
SELECT t.hour, t.post_id, c.* FROM touched t CROSS JOIN LATERAL (
    SELECT COALESCE(sum(weight), 0), count(DISTINCT viewer_id), COALESCE(sum(duration_s), 0), count(duration_s)
      FROM analytics.post_views_ts v
     WHERE v.post_id = t.post_id AND v.time >= t.hour AND v.time < t.hour + interval '1 hour') AS c
ON CONFLICT (post_id, hour) DO UPDATE
   SET view_count = EXCLUDED.view_count, unique_viewers = EXCLUDED.unique_viewers,
       duration_sum = EXCLUDED.duration_sum, duration_count = EXCLUDED.duration_count

-- name: recount_engagements
-- The touched buckets of engagement, from the facts; a bucket with nothing left goes.
WITH touched AS MATERIALIZED (SELECT DISTINCT * FROM unnest(%(posts)s::text[], %(hours)s::timestamptz[]) AS t (post_id, hour)),
cleared AS (DELETE FROM analytics.engagement_hourly h USING touched t WHERE h.post_id = t.post_id AND h.hour = t.hour
    AND NOT EXISTS (SELECT FROM analytics.engagement_ts e WHERE e.post_id = t.post_id AND e.kind = h.kind
                     AND e.time >= t.hour AND e.time < t.hour + interval '1 hour'))
INSERT INTO analytics.engagement_hourly
SELECT t.hour, t.post_id, e.kind, count(*) FROM touched t JOIN analytics.engagement_ts e
    ON e.post_id = t.post_id AND e.time >= t.hour AND e.time < t.hour + interval '1 hour'
 GROUP BY 1, 2, 3
ON CONFLICT (post_id, hour, kind) DO UPDATE SET count = EXCLUDED.count

-- name: recount_activities
-- The touched buckets of school activity, from the facts; a bucket with nothing left goes.
WITH touched AS MATERIALIZED (SELECT DISTINCT * FROM unnest(%(schools)s::text[], %(hours)s::timestamptz[]) AS t (school_id, hour)
                  WHERE school_id IS NOT NULL),
cleared AS (DELETE FROM analytics.school_activity_hourly h USING touched t WHERE h.school_id = t.school_id AND h.hour = t.hour
    AND NOT EXISTS (SELECT FROM analytics.school_activity_ts a WHERE a.school_id = t.school_id AND a.kind = h.kind
                     AND a.time >= t.hour AND a.time < t.hour + interval '1 hour'))
INSERT INTO analytics.school_activity_hourly
SELECT t.hour, t.school_id, a.kind, count(*) FROM touched t JOIN analytics.school_activity_ts a
    ON a.school_id = t.school_id AND a.time >= t.hour AND a.time < t.hour + interval '1 hour'
 GROUP BY 1, 2, 3
ON CONFLICT (school_id, hour, kind) DO UPDATE SET count = EXCLUDED.count

-- name: first_checkpoint
-- While the view is filled: made where there is none, refused (no row) when a newer owner has written here.
INSERT INTO analytics.checkpoint AS old (generation, checkpoint) VALUES (%(generation)s, %(checkpoint)s)
ON CONFLICT (single) DO UPDATE
   SET generation = EXCLUDED.generation, checkpoint = EXCLUDED.checkpoint, updated_at = now()
 WHERE old.generation <= EXCLUDED.generation

-- name: next_checkpoint
-- Refused (no row) when there is none, or another than expected, or when a newer owner has written here.
UPDATE analytics.checkpoint SET generation = %(generation)s, checkpoint = %(checkpoint)s, updated_at = now()
 WHERE generation <= %(generation)s
   AND (%(expects)s::text IS NULL OR checkpoint IN (%(expects)s::text, %(checkpoint)s))

-- name: newer_owner
-- A row when there is one.
SELECT FROM analytics.checkpoint WHERE generation > %(generation)s

-- name: truth
-- Which of these posts still are, and the school of each of these people.
SELECT ARRAY(SELECT id FROM posts WHERE id = ANY (%(posts)s)),
       (SELECT jsonb_object_agg(id, "schoolId") FROM users WHERE id = ANY (%(users)s))
