-- Everything that is made of the views' facts, made again (recount.py).

-- name: clear
-- What was there.
TRUNCATE {schema}.post_views_hourly, {schema}.post_views_daily, {schema}.post_people

-- name: clear_people
-- Where the roll-ups are not ours.
TRUNCATE {schema}.post_people

-- name: hourly
-- One pass over the facts.
INSERT INTO {schema}.post_views_hourly
SELECT {plain_hour}, post_id, sum(weight), count(DISTINCT viewer_id), coalesce(sum(duration_s), 0), count(duration_s),
       coalesce(sum(weight) FILTER (WHERE source = 'feed'), 0), coalesce(sum(weight) FILTER (WHERE source = 'post_detail'), 0),
       coalesce(sum(weight) FILTER (WHERE source = 'search'), 0), coalesce(sum(weight) FILTER (WHERE source = 'profile'), 0),
       coalesce(sum(weight) FILTER (WHERE source = 'direct'), 0), coalesce(sum(weight) FILTER (WHERE source = 'share'), 0),
       coalesce(sum(weight) FILTER (WHERE source = 'other'), 0)
  FROM {schema}.post_views_ts GROUP BY 1, 2

-- name: daily
-- The same by days.
INSERT INTO {schema}.post_views_daily
SELECT {plain_day}, post_id, sum(weight), count(DISTINCT viewer_id), coalesce(sum(duration_s), 0), count(duration_s),
       coalesce(sum(weight) FILTER (WHERE source = 'feed'), 0), coalesce(sum(weight) FILTER (WHERE source = 'post_detail'), 0),
       coalesce(sum(weight) FILTER (WHERE source = 'search'), 0), coalesce(sum(weight) FILTER (WHERE source = 'profile'), 0),
       coalesce(sum(weight) FILTER (WHERE source = 'direct'), 0), coalesce(sum(weight) FILTER (WHERE source = 'share'), 0),
       coalesce(sum(weight) FILTER (WHERE source = 'other'), 0)
  FROM {schema}.post_views_ts GROUP BY 1, 2

-- name: enrol
-- Everybody who looked at something has a number.
INSERT INTO {schema}.people (user_id)
SELECT DISTINCT viewer_id FROM {schema}.post_views_ts WHERE viewer_id IS NOT NULL ON CONFLICT DO NOTHING

-- name: marks
-- Everybody's marks, post by post and day by day: the day, the hour of the day and the number.
SELECT post_id, extract(epoch FROM day)::bigint, array_agg(DISTINCT (hour << 27) + id)
  FROM (SELECT v.post_id, {plain_day} AS day, p.id::bigint,
               (extract(epoch FROM {plain_hour} - {plain_day}) / 3600)::bigint AS hour
          FROM {schema}.post_views_ts v JOIN {schema}.people p ON p.user_id = v.viewer_id) AS m
 GROUP BY 1, 2
