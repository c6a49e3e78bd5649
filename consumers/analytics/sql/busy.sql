-- Days of posts that are busy (busy.py): by post, start and end of the day.

-- name: count
-- How many views quiet days have, up to as many as matter; in the order of the question.
SELECT (SELECT count(*) FROM (SELECT FROM {schema}.post_views_ts v WHERE v.post_id = t.owner
                                 AND v.time >= to_timestamp(t.day) AND v.time < to_timestamp(t.until) LIMIT %(most)s) AS few)
  FROM unnest(%(owners)s::text[], %(days)s::bigint[], %(ends)s::bigint[]) WITH ORDINALITY AS t (owner, day, until, ordinal)
 ORDER BY t.ordinal

-- name: hours
-- Their sums by hour, from the facts. How many people there are is counted once, here; afterwards their set knows.
INSERT INTO {schema}.busy_hours
SELECT {plain_hour}, post_id, sum(weight), count(DISTINCT viewer_id), coalesce(sum(duration_s), 0), count(duration_s),
       {by_source}
  FROM unnest(%(owners)s::text[], %(days)s::bigint[], %(ends)s::bigint[]) AS t (owner, day, until)
  JOIN {schema}.post_views_ts v
    ON v.post_id = t.owner AND v.time >= to_timestamp(t.day) AND v.time < to_timestamp(t.until)
 GROUP BY 1, 2

-- name: days
-- The same by day.
INSERT INTO {schema}.busy_days
SELECT to_timestamp(t.day), post_id, sum(weight), count(DISTINCT viewer_id), coalesce(sum(duration_s), 0), count(duration_s),
       {by_source}
  FROM unnest(%(owners)s::text[], %(days)s::bigint[], %(ends)s::bigint[]) AS t (owner, day, until)
  JOIN {schema}.post_views_ts v
    ON v.post_id = t.owner AND v.time >= to_timestamp(t.day) AND v.time < to_timestamp(t.until)
 GROUP BY 1, 2

-- name: enrol
-- Everybody who looked has a number.
INSERT INTO {schema}.people (user_id)
SELECT DISTINCT v.viewer_id FROM unnest(%(owners)s::text[], %(days)s::bigint[], %(ends)s::bigint[]) AS t (owner, day, until)
  JOIN {schema}.post_views_ts v
    ON v.post_id = t.owner AND v.time >= to_timestamp(t.day) AND v.time < to_timestamp(t.until)
 WHERE v.viewer_id IS NOT NULL AND NOT EXISTS (SELECT FROM {schema}.people p WHERE p.user_id = v.viewer_id)

-- name: marks
-- Everybody's marks (hour of the day << 27 | person), by the day's place in the question; none where nobody has a name.
SELECT t.ordinal, array_agg(((extract(epoch FROM {plain_hour})::bigint - t.day) / 3600 << 27) + p.id)
                  FILTER (WHERE p.id IS NOT NULL)
  FROM unnest(%(owners)s::text[], %(days)s::bigint[], %(ends)s::bigint[]) WITH ORDINALITY AS t (owner, day, until, ordinal)
  JOIN {schema}.post_views_ts v
    ON v.post_id = t.owner AND v.time >= to_timestamp(t.day) AND v.time < to_timestamp(t.until)
  LEFT JOIN {schema}.people p ON p.user_id = v.viewer_id
 GROUP BY 1
