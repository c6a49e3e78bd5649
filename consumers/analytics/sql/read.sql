-- The read side: counts from the hourly roll-ups, people from the facts.

-- name: hourly_views
-- Views and unique viewers per hour.
SELECT hour, view_count, unique_viewers FROM analytics.post_views_hourly
 WHERE post_id = %(post)s AND hour >= %(since)s AND view_count > 0

-- name: daily_views
-- Views and unique viewers per local day.
SELECT date_trunc('day', time, %(zone)s), sum(weight)::bigint, count(DISTINCT viewer_id)
  FROM analytics.post_views_ts WHERE post_id = %(post)s AND time >= %(since)s GROUP BY 1

-- name: whole_window
-- Unique viewers and mean duration (s) over the window.
SELECT count(DISTINCT viewer_id), round(avg(duration_s), 2)::float8
  FROM analytics.post_views_ts WHERE post_id = %(post)s AND time >= %(since)s

-- name: sources
-- Views by source.
SELECT source, sum(weight)::bigint
  FROM analytics.post_views_ts WHERE post_id = %(post)s AND time >= %(since)s GROUP BY 1

-- name: engagements
-- Likes, comments and bookmarks per bucket.
SELECT date_trunc(%(bucket)s, hour, %(zone)s), kind, sum(count)::bigint FROM analytics.engagement_hourly
 WHERE post_id = %(post)s AND hour >= %(since)s GROUP BY 1, 2

-- name: activity
-- A school by kind and bucket.
SELECT date_trunc(%(bucket)s, hour, %(zone)s), kind, sum(count)::bigint FROM analytics.school_activity_hourly
 WHERE school_id = %(school_id)s AND hour >= %(since)s GROUP BY 1, 2

-- name: heat
-- A school by local weekday (Monday 1) and hour.
SELECT extract(isodow FROM hour AT TIME ZONE %(zone)s)::int, extract(hour FROM hour AT TIME ZONE %(zone)s)::int,
       sum(count)::bigint
  FROM analytics.school_activity_hourly WHERE school_id = %(school_id)s AND hour >= %(since)s GROUP BY 1, 2

-- name: active
-- Distinct active members of a school.
SELECT count(DISTINCT user_id) FROM analytics.school_activity_ts
 WHERE school_id = %(school_id)s AND time >= %(since)s
