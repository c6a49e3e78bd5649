-- Facts and roll-ups of views (view_facts.py).

-- name: copy
-- The fastest way in; it fails as a whole when one of the facts is there already.
COPY {schema}.post_views_ts (time, fact_id, post_id, viewer_id, school_id, source, duration_s, weight)
     FROM STDIN (NULL '')

-- name: insert
-- Where COPY cannot be had.
INSERT INTO {schema}.post_views_ts (time, fact_id, post_id, viewer_id, school_id, source, duration_s, weight)
SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[])

-- name: known
-- Which of these facts are there already, and as what.
SELECT v.fact_id, v.time, v.viewer_id, v.duration_s
  FROM unnest(%(facts)s::text[], %(times)s::timestamptz[]) AS t (fact_id, time)
  JOIN {schema}.post_views_ts v ON v.fact_id = t.fact_id AND v.time = t.time

-- name: lengthen
-- Somebody went on reading.
UPDATE {schema}.post_views_ts v SET duration_s = t.duration_s
  FROM unnest(%(facts)s::text[], %(times)s::timestamptz[], %(durations)s::int[]) AS t (fact_id, time, duration_s)
 WHERE v.fact_id = t.fact_id AND v.time = t.time

-- name: orphan
-- The viewer is gone, the view stays.
UPDATE {schema}.post_views_ts v SET viewer_id = NULL, school_id = NULL
  FROM unnest(%(facts)s::text[], %(times)s::timestamptz[]) AS t (fact_id, time)
 WHERE v.fact_id = t.fact_id AND v.time = t.time

-- name: forget_viewers
-- The same for all that people ever looked at.
UPDATE {schema}.post_views_ts SET viewer_id = NULL, school_id = NULL WHERE viewer_id = ANY (%(users)s)
RETURNING time, post_id

-- name: viewed_by
-- What people looked at, before it is forgotten.
SELECT DISTINCT viewer_id, post_id, extract(epoch FROM {plain_hour})::bigint
  FROM {schema}.post_views_ts WHERE viewer_id = ANY (%(users)s)

-- name: remove
-- Taken back.
DELETE FROM {schema}.post_views_ts v USING unnest(%(facts)s::text[], %(times)s::timestamptz[]) AS t (fact_id, time)
 WHERE v.fact_id = t.fact_id AND v.time = t.time
RETURNING v.time, v.fact_id, v.post_id, v.viewer_id, v.school_id, v.source, v.duration_s, v.weight

-- name: remove_posts
-- A deleted post leaves nothing; gives the hours in which it had views.
WITH gone AS (DELETE FROM {schema}.post_views_ts WHERE post_id = ANY (%(posts)s) RETURNING time)
SELECT DISTINCT extract(epoch FROM {plain_hour})::bigint FROM gone

-- name: remove_posts_people
-- A deleted post leaves nothing.
DELETE FROM {schema}.post_people WHERE post_id = ANY (%(posts)s)

-- name: remove_posts_hourly
-- A deleted post leaves nothing.
DELETE FROM {schema}.busy_hours WHERE post_id = ANY (%(posts)s)

-- name: remove_posts_daily
-- A deleted post leaves nothing.
DELETE FROM {schema}.busy_days WHERE post_id = ANY (%(posts)s)

-- name: still_there
-- Hours of a day in which somebody who lost a view has others: by their place in the question.
SELECT DISTINCT t.ordinal, extract(epoch FROM {plain_hour})::bigint
  FROM unnest(%(owners)s::text[], %(days)s::bigint[], %(ends)s::bigint[], %(users)s::text[])
       WITH ORDINALITY AS t (owner, day, until, user_id, ordinal)
  JOIN {schema}.post_views_ts v ON v.post_id = t.owner AND v.time >= to_timestamp(t.day)
       AND v.time < to_timestamp(t.until) AND v.viewer_id = t.user_id

-- name: count_hours
-- What was inserted and deleted, hour by hour; the number of people is what their set has now.
INSERT INTO {schema}.busy_hours AS old
SELECT to_timestamp(t.bucket), t.post_id, views, people, durations, timed, feed, detail, search, profile, direct, share, other
  FROM unnest(%(posts)s::text[], %(buckets)s::bigint[], %(people)s::int[], %(views)s::int[], %(durations)s::bigint[],
              %(timed)s::int[], %(feed)s::int[], %(detail)s::int[], %(search)s::int[], %(profile)s::int[],
              %(direct)s::int[], %(share)s::int[], %(other)s::int[])
       AS t (post_id, bucket, people, views, durations, timed, feed, detail, search, profile, direct, share, other)
ON CONFLICT (post_id, hour) DO UPDATE
   SET view_count = old.view_count + EXCLUDED.view_count, unique_viewers = EXCLUDED.unique_viewers,
       duration_sum = old.duration_sum + EXCLUDED.duration_sum,
       duration_count = old.duration_count + EXCLUDED.duration_count,
       from_feed = old.from_feed + EXCLUDED.from_feed,
       from_post_detail = old.from_post_detail + EXCLUDED.from_post_detail,
       from_search = old.from_search + EXCLUDED.from_search, from_profile = old.from_profile + EXCLUDED.from_profile,
       from_direct = old.from_direct + EXCLUDED.from_direct, from_share = old.from_share + EXCLUDED.from_share,
       from_other = old.from_other + EXCLUDED.from_other

-- name: count_days
-- The same, day by day.
INSERT INTO {schema}.busy_days AS old
SELECT to_timestamp(t.bucket), t.post_id, views, people, durations, timed, feed, detail, search, profile, direct, share, other
  FROM unnest(%(posts)s::text[], %(buckets)s::bigint[], %(people)s::int[], %(views)s::int[], %(durations)s::bigint[],
              %(timed)s::int[], %(feed)s::int[], %(detail)s::int[], %(search)s::int[], %(profile)s::int[],
              %(direct)s::int[], %(share)s::int[], %(other)s::int[])
       AS t (post_id, bucket, people, views, durations, timed, feed, detail, search, profile, direct, share, other)
ON CONFLICT (post_id, day) DO UPDATE
   SET view_count = old.view_count + EXCLUDED.view_count, unique_viewers = EXCLUDED.unique_viewers,
       duration_sum = old.duration_sum + EXCLUDED.duration_sum,
       duration_count = old.duration_count + EXCLUDED.duration_count,
       from_feed = old.from_feed + EXCLUDED.from_feed,
       from_post_detail = old.from_post_detail + EXCLUDED.from_post_detail,
       from_search = old.from_search + EXCLUDED.from_search, from_profile = old.from_profile + EXCLUDED.from_profile,
       from_direct = old.from_direct + EXCLUDED.from_direct, from_share = old.from_share + EXCLUDED.from_share,
       from_other = old.from_other + EXCLUDED.from_other

-- name: clear_hours
-- An hour of which every view was taken back is no bucket.
DELETE FROM {schema}.busy_hours h USING unnest(%(posts)s::text[], %(buckets)s::bigint[]) AS t (post_id, bucket)
 WHERE h.post_id = t.post_id AND h.hour = to_timestamp(t.bucket) AND h.view_count = 0

-- name: clear_days
-- Nor is such a day.
DELETE FROM {schema}.busy_days d USING unnest(%(posts)s::text[], %(buckets)s::bigint[]) AS t (post_id, bucket)
 WHERE d.post_id = t.post_id AND d.day = to_timestamp(t.bucket) AND d.view_count = 0
