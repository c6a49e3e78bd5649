-- The read side: sums and sets of busy days. {hours} and {days} are the continuous aggregates where there are some, which
-- have the quiet days too; else the sums of busy days. What is quiet is read by quiet.sql.

-- name: made
-- Whose days the roll-ups keep, and who keeps them.
SELECT zone, kind FROM {schema}.made

-- name: views_hour
-- The hours of a window and their sums, as a single row: thousands of rows cost more than what is in them. Days that
-- are %(quiet)s may have become busy a moment ago, but are counted from their facts.
SELECT array_agg(hour), array_agg(view_count), array_agg(unique_viewers), sum(duration_sum)::bigint, sum(duration_count),
       sum(from_feed), sum(from_post_detail), sum(from_search), sum(from_profile), sum(from_direct), sum(from_share),
       sum(from_other)
  FROM {schema}.{hours} WHERE post_id = %(post)s AND hour >= %(since)s AND hour < %(until)s
       AND NOT hour <@ %(quiet)s::tstzmultirange

-- name: views_day
-- The days of a window and their sums, as a single row: thousands of rows cost more than what is in them. Days that
-- are %(quiet)s may have become busy a moment ago, but are counted from their facts.
SELECT array_agg(day), array_agg(view_count), array_agg(unique_viewers), sum(duration_sum)::bigint, sum(duration_count),
       sum(from_feed), sum(from_post_detail), sum(from_search), sum(from_profile), sum(from_direct), sum(from_share),
       sum(from_other)
  FROM {schema}.{days} WHERE post_id = %(post)s AND day >= %(since)s AND day < %(until)s
       AND NOT day <@ %(quiet)s::tstzmultirange

-- name: post_people
-- The sets of the days that a window touches; where it begins or ends inside a day, the set that knows the hours.
SELECT extract(epoch FROM day)::bigint, CASE WHEN day = ANY (%(edges)s) THEN NULL ELSE people END,
       CASE WHEN day = ANY (%(edges)s) THEN by_hour END
  FROM {schema}.post_people WHERE post_id = %(owner)s AND day >= %(first)s AND day < %(until)s

-- name: school_people
-- The same of a school.
SELECT extract(epoch FROM day)::bigint, CASE WHEN day = ANY (%(edges)s) THEN NULL ELSE people END,
       CASE WHEN day = ANY (%(edges)s) THEN by_hour END
  FROM {schema}.school_people WHERE school_id = %(owner)s AND day >= %(first)s AND day < %(until)s

-- name: engagements
-- Likes, comments and bookmarks per bucket.
SELECT CASE WHEN %(hourly)s THEN hour ELSE date_trunc('day', hour, %(zone)s) END, kind, sum(count)::bigint
  FROM {schema}.engagement_hourly WHERE post_id = %(post)s AND hour >= %(since)s AND hour < %(until)s GROUP BY 1, 2

-- name: activity
-- A school by kind and bucket.
SELECT CASE WHEN %(hourly)s THEN hour ELSE date_trunc('day', hour, %(zone)s) END, kind, sum(count)::bigint
  FROM {schema}.school_activity_hourly WHERE school_id = %(school_id)s AND hour >= %(since)s AND hour < %(until)s
 GROUP BY 1, 2

-- name: heat
-- A school by local weekday (Monday 1) and hour.
SELECT extract(isodow FROM hour AT TIME ZONE %(zone)s)::int, extract(hour FROM hour AT TIME ZONE %(zone)s)::int,
       sum(count)::bigint
  FROM {schema}.school_activity_hourly WHERE school_id = %(school_id)s AND hour >= %(since)s AND hour < %(until)s
 GROUP BY 1, 2

-- name: views_of_posts
-- The days of several posts.
SELECT day, post_id, view_count FROM {schema}.{days}
 WHERE post_id = ANY (%(posts)s) AND day >= %(since)s AND day < %(until)s

-- name: engagements_of_posts
-- Likes, comments and bookmarks of several posts per day.
SELECT date_trunc('day', hour, %(zone)s), post_id, kind, sum(count)::bigint FROM {schema}.engagement_hourly
 WHERE post_id = ANY (%(posts)s) AND hour >= %(since)s AND hour < %(until)s GROUP BY 1, 2, 3

-- name: people_of_posts
-- The sets of several posts.
SELECT day, post_id, people FROM {schema}.post_people
 WHERE post_id = ANY (%(posts)s) AND day >= %(since)s AND day < %(until)s

-- name: trending_hour
-- What is looked at and reacted to most, by the hours of a window.
WITH v AS (SELECT post_id, sum(view_count)::bigint AS views FROM {schema}.post_views_hourly
            WHERE hour >= %(since)s AND hour < %(until)s GROUP BY 1)
{trending}

-- name: trending_day
-- The same by days.
WITH v AS (SELECT post_id, sum(view_count)::bigint AS views FROM {schema}.post_views_daily
            WHERE day >= %(since)s AND day < %(until)s GROUP BY 1)
{trending}

-- name: trending_kept
-- The same where most days are quiet: from the facts.
WITH v AS (SELECT post_id, sum(weight)::bigint AS views FROM {schema}.post_views_ts
            WHERE time >= %(since)s AND time < %(until)s GROUP BY 1)
{trending}

-- name: trending_tail
-- What {trending} stands for: the score, best first.
, e AS (SELECT post_id, coalesce(sum(count) FILTER (WHERE kind = 'like'), 0)::bigint AS likes,
               coalesce(sum(count) FILTER (WHERE kind = 'comment'), 0)::bigint AS comments,
               coalesce(sum(count) FILTER (WHERE kind = 'bookmark'), 0)::bigint AS bookmarks
          FROM {schema}.engagement_hourly WHERE hour >= %(since)s AND hour < %(until)s GROUP BY 1),
all_of_them AS (SELECT post_id, coalesce(views, 0) AS views, coalesce(likes, 0) AS likes,
                       coalesce(comments, 0) AS comments, coalesce(bookmarks, 0) AS bookmarks
                  FROM v FULL JOIN e USING (post_id))
SELECT post_id, views, likes, comments, bookmarks, views + 3 * likes + 5 * comments + 2 * bookmarks AS score
  FROM all_of_them ORDER BY score DESC, post_id COLLATE "C" LIMIT %(most)s
