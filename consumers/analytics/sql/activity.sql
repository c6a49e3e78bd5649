-- Facts and roll-ups of engagement and of what members of schools do (activity_facts.py).

-- name: insert_engagements
-- Likes, comments and bookmarks.
INSERT INTO {schema}.engagement_ts (time, fact_id, post_id, user_id, school_id, kind)
SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
ON CONFLICT (fact_id, time) DO NOTHING

-- name: insert_activities
-- What members of schools did.
INSERT INTO {schema}.school_activity_ts (time, fact_id, school_id, user_id, post_id, kind)
SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
ON CONFLICT (fact_id, time) DO NOTHING

-- name: remove_engagements
-- Taken back: gives the buckets to count again.
DELETE FROM {schema}.engagement_ts e USING unnest(%s::text[], %s::timestamptz[]) AS gone (fact_id, time)
 WHERE e.fact_id = gone.fact_id AND e.time = gone.time
RETURNING e.post_id, extract(epoch FROM date_bin(interval '1 hour', e.time, {origin}))::bigint, e.user_id

-- name: remove_activities
-- Taken back: gives the buckets to count again.
DELETE FROM {schema}.school_activity_ts a USING unnest(%s::text[], %s::timestamptz[]) AS gone (fact_id, time)
 WHERE a.fact_id = gone.fact_id AND a.time = gone.time
RETURNING a.school_id, extract(epoch FROM date_bin(interval '1 hour', a.time, {origin}))::bigint, a.user_id

-- name: forget_posts_engagements
-- A deleted post leaves nothing.
DELETE FROM {schema}.engagement_ts WHERE post_id = ANY (%s)
RETURNING post_id, extract(epoch FROM {plain_hour})::bigint, user_id

-- name: forget_posts_activities
-- A deleted post is no activity.
DELETE FROM {schema}.school_activity_ts WHERE post_id = ANY (%s)
RETURNING school_id, extract(epoch FROM {plain_hour})::bigint, user_id

-- name: forget_users_engagements
-- A deleted person's likes and comments went with them.
DELETE FROM {schema}.engagement_ts WHERE user_id = ANY (%s)
RETURNING post_id, extract(epoch FROM {plain_hour})::bigint, user_id

-- name: forget_users_activities
-- A deleted person's activity went with them.
DELETE FROM {schema}.school_activity_ts WHERE user_id = ANY (%s)
RETURNING school_id, extract(epoch FROM {plain_hour})::bigint, user_id

-- name: still_there
-- Hours of a day in which somebody of whom a fact was taken back did something else: by their place in the question.
SELECT DISTINCT t.ordinal, extract(epoch FROM {plain_hour})::bigint
  FROM unnest(%(owners)s::text[], %(days)s::bigint[], %(ends)s::bigint[], %(users)s::text[])
       WITH ORDINALITY AS t (owner, day, until, user_id, ordinal)
  JOIN {schema}.school_activity_ts a ON a.school_id = t.owner AND a.user_id = t.user_id
       AND a.time >= to_timestamp(t.day) AND a.time < to_timestamp(t.until)

-- name: recount_engagements
-- The touched buckets, from the facts; a bucket with nothing left goes. Each is looked up by itself: a join may compare
-- every hour of a school with every fact of it.
WITH touched AS MATERIALIZED (SELECT owner, to_timestamp(hour) AS hour
                    FROM unnest(%(owners)s::text[], %(hours)s::bigint[]) AS t (owner, hour)),
cleared AS (DELETE FROM {schema}.engagement_hourly h USING touched t WHERE h.post_id = t.owner AND h.hour = t.hour
    AND NOT EXISTS (SELECT FROM {schema}.engagement_ts e WHERE e.post_id = t.owner AND e.kind = h.kind
                     AND e.time >= t.hour AND e.time < t.hour + interval '1 hour'))
INSERT INTO {schema}.engagement_hourly
SELECT t.hour, t.owner, counted.kind, counted.count FROM touched t CROSS JOIN LATERAL (
    SELECT e.kind, count(*) FROM {schema}.engagement_ts e
     WHERE e.post_id = t.owner AND e.time >= t.hour AND e.time < t.hour + interval '1 hour' GROUP BY 1) AS counted
ON CONFLICT (post_id, hour, kind) DO UPDATE SET count = EXCLUDED.count

-- name: recount_activities
-- The touched buckets, from the facts; a bucket with nothing left goes. Each is looked up by itself: a join may compare
-- every hour of a school with every fact of it.
WITH touched AS MATERIALIZED (SELECT owner, to_timestamp(hour) AS hour
                    FROM unnest(%(owners)s::text[], %(hours)s::bigint[]) AS t (owner, hour)),
cleared AS (DELETE FROM {schema}.school_activity_hourly h USING touched t WHERE h.school_id = t.owner AND h.hour = t.hour
    AND NOT EXISTS (SELECT FROM {schema}.school_activity_ts a WHERE a.school_id = t.owner AND a.kind = h.kind
                     AND a.time >= t.hour AND a.time < t.hour + interval '1 hour'))
INSERT INTO {schema}.school_activity_hourly
SELECT t.hour, t.owner, counted.kind, counted.count FROM touched t CROSS JOIN LATERAL (
    SELECT a.kind, count(*) FROM {schema}.school_activity_ts a
     WHERE a.school_id = t.owner AND a.time >= t.hour AND a.time < t.hour + interval '1 hour' GROUP BY 1) AS counted
ON CONFLICT (school_id, hour, kind) DO UPDATE SET count = EXCLUDED.count
