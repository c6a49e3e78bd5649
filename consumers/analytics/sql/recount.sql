-- What is counted of facts, made anew for a stretch of school days (recount.py): from `since` to before `until`.

-- name: next_stretch
-- When there have been so many facts of one kind since then; and when the last one was.
SELECT least((SELECT time FROM {schema}.post_views_ts WHERE time >= to_timestamp(%(since)s)
               ORDER BY time OFFSET %(most)s LIMIT 1),
             (SELECT time FROM {schema}.engagement_ts WHERE time >= to_timestamp(%(since)s)
               ORDER BY time OFFSET %(most)s LIMIT 1),
             (SELECT time FROM {schema}.school_activity_ts WHERE time >= to_timestamp(%(since)s)
               ORDER BY time OFFSET %(most)s LIMIT 1)),
       greatest((SELECT max(time) FROM {schema}.post_views_ts WHERE time >= to_timestamp(%(since)s)),
                (SELECT max(time) FROM {schema}.engagement_ts WHERE time >= to_timestamp(%(since)s)),
                (SELECT max(time) FROM {schema}.school_activity_ts WHERE time >= to_timestamp(%(since)s)))

-- name: clear
-- Roll-ups that are tables of ours.
WITH hours AS (DELETE FROM {schema}.busy_hours WHERE hour >= to_timestamp(%(since)s)),
     days AS (DELETE FROM {schema}.busy_days WHERE day >= to_timestamp(%(since)s)),
     engagements AS (DELETE FROM {schema}.engagement_hourly WHERE hour >= to_timestamp(%(since)s))
DELETE FROM {schema}.school_activity_hourly WHERE hour >= to_timestamp(%(since)s)

-- name: clear_people
-- Sets of people; people keep their numbers.
WITH posts AS (DELETE FROM {schema}.post_people WHERE day >= to_timestamp(%(since)s))
DELETE FROM {schema}.school_people WHERE day >= to_timestamp(%(since)s)

-- name: engagements
INSERT INTO {schema}.engagement_hourly (hour, post_id, kind, count)
SELECT {plain_hour}, post_id, kind, count(*) FROM {schema}.engagement_ts
 WHERE time >= to_timestamp(%(since)s) AND time < to_timestamp(%(until)s) GROUP BY 1, 2, 3

-- name: activities
INSERT INTO {schema}.school_activity_hourly (hour, school_id, kind, count)
SELECT {plain_hour}, school_id, kind, count(*) FROM {schema}.school_activity_ts
 WHERE school_id IS NOT NULL AND time >= to_timestamp(%(since)s) AND time < to_timestamp(%(until)s) GROUP BY 1, 2, 3

-- name: enrol
-- Everybody who did something at a school has a number.
INSERT INTO {schema}.people (user_id)
SELECT DISTINCT a.user_id FROM {schema}.school_activity_ts a
 WHERE a.school_id IS NOT NULL AND a.user_id IS NOT NULL AND a.time >= to_timestamp(%(since)s)
   AND a.time < to_timestamp(%(until)s) AND NOT EXISTS (SELECT FROM {schema}.people p WHERE p.user_id = a.user_id)

-- name: members
-- The marks (hour of the day << 27 | person) of a school's day.
SELECT school_id, extract(epoch FROM day)::bigint,
       array_agg(DISTINCT (extract(epoch FROM hour - day)::bigint / 3600 << 27) + person)
  FROM (SELECT a.school_id, {plain_day} AS day, {plain_hour} AS hour, p.id AS person
          FROM {schema}.school_activity_ts a JOIN {schema}.people p ON p.user_id = a.user_id
         WHERE a.school_id IS NOT NULL AND a.time >= to_timestamp(%(since)s) AND a.time < to_timestamp(%(until)s)) AS marks
 GROUP BY school_id, day

-- name: busy
-- Days of posts with so many views.
SELECT post_id, extract(epoch FROM {plain_day})::bigint FROM {schema}.post_views_ts
 WHERE time >= to_timestamp(%(since)s) AND time < to_timestamp(%(until)s)
 GROUP BY 1, 2 HAVING count(*) >= %(most)s
