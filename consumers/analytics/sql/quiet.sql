-- Facts of days that are not busy (quiet.py), in spans of time without a busy day in them.

-- name: by_hour
-- Sums and people by post and hour.
SELECT v.post_id, {plain_hour}, sum(weight)::int, coalesce(sum(duration_s), 0)::bigint, count(duration_s)::int,
       array_agg(viewer_id) FILTER (WHERE viewer_id IS NOT NULL),
       {by_source}
  FROM unnest(%(posts)s::text[], %(begins)s::bigint[], %(ends)s::bigint[]) AS quiet (post_id, since, until)
  JOIN {schema}.post_views_ts v
    ON v.post_id = quiet.post_id AND v.time >= to_timestamp(quiet.since) AND v.time < to_timestamp(quiet.until)
 GROUP BY 1, 2

-- name: by_day
-- The same by day.
SELECT v.post_id, {plain_day}, sum(weight)::int, coalesce(sum(duration_s), 0)::bigint, count(duration_s)::int,
       array_agg(viewer_id) FILTER (WHERE viewer_id IS NOT NULL),
       {by_source}
  FROM unnest(%(posts)s::text[], %(begins)s::bigint[], %(ends)s::bigint[]) AS quiet (post_id, since, until)
  JOIN {schema}.post_views_ts v
    ON v.post_id = quiet.post_id AND v.time >= to_timestamp(quiet.since) AND v.time < to_timestamp(quiet.until)
 GROUP BY 1, 2

-- name: numbers
-- Of people who have one.
SELECT user_id, id FROM {schema}.people WHERE user_id = ANY (%(users)s::text[])
