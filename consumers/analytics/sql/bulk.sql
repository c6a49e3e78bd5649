-- Facts of whole stretches of the truth, for a fill (bulk.py): what `facts.py` and `truth.py` make of the same rows one
-- by one. A page comes as columns, each an array in text form, that are handed on as they are.
-- {time}, {columns} and {again} are put in by bulk.py.

-- name: as_the_owner_sees
-- Times without a zone are UTC; row security that would hide rows is an error, not a shorter answer.
SELECT set_config('TimeZone', 'UTC', true), set_config('row_security', 'off', true)

-- name: read_views
-- A viewer who is gone is nobody.
WITH page AS MATERIALIZED (
    SELECT id, "postId", "userId", source, duration, "viewedAt" AS at FROM post_views
     WHERE id > %(after)s ORDER BY id LIMIT %(most)s
), facts AS (
    SELECT {time} AS time, r.id AS fact_id, r."postId" AS post_id, u.id AS user_id, u."schoolId" AS school_id,
           CASE WHEN r.source = ANY (%(sources)s) THEN r.source ELSE 'other' END AS source,
           CASE WHEN r.duration IS NOT NULL THEN trunc(least(greatest(r.duration, 0), %(longest)s))::int END AS duration_s
      FROM page r JOIN posts p ON p.id = r."postId" LEFT JOIN users u ON u.id = r."userId"
)
SELECT (SELECT count(*) FROM page), (SELECT max(id) FROM page), {columns}, array_agg(source)::text, array_agg(duration_s)::text
  FROM facts WHERE %(since)s::timestamptz IS NULL OR time >= %(since)s

-- name: read_engagements
-- What somebody who is gone has done is gone.
WITH page AS MATERIALIZED (
    SELECT id, "postId", "{actor}" AS actor, "createdAt" AS at FROM {table}
     WHERE id > %(after)s ORDER BY id LIMIT %(most)s
), facts AS (
    SELECT {time} AS time, %(kind)s || ':' || r.id AS fact_id, r."postId" AS post_id, u.id AS user_id,
           u."schoolId" AS school_id
      FROM page r JOIN posts p ON p.id = r."postId" JOIN users u ON u.id = r.actor
)
SELECT (SELECT count(*) FROM page), (SELECT max(id) FROM page), {columns}
  FROM facts WHERE %(since)s::timestamptz IS NULL OR time >= %(since)s

-- name: read_posts
-- A post is of the school that it names, else of its author's.
WITH page AS MATERIALIZED (
    SELECT id, "authorId" AS actor, "schoolId", "createdAt" AS at FROM posts
     WHERE id > %(after)s ORDER BY id LIMIT %(most)s
), facts AS (
    SELECT {time} AS time, %(kind)s || ':' || r.id AS fact_id, r.id AS post_id, u.id AS user_id,
           coalesce(nullif(r."schoolId", ''), u."schoolId") AS school_id
      FROM page r JOIN users u ON u.id = r.actor
)
SELECT (SELECT count(*) FROM page), (SELECT max(id) FROM page), {columns}
  FROM facts WHERE %(since)s::timestamptz IS NULL OR time >= %(since)s

-- name: read_attempts
-- An attempt at a quiz that is in no post counts as well.
WITH page AS MATERIALIZED (
    SELECT id, "quizId", "userId" AS actor, "submittedAt" AS at FROM quiz_attempts
     WHERE id > %(after)s ORDER BY id LIMIT %(most)s
), facts AS (
    SELECT {time} AS time, %(kind)s || ':' || r.id AS fact_id, q."postId" AS post_id, u.id AS user_id,
           u."schoolId" AS school_id
      FROM page r JOIN users u ON u.id = r.actor LEFT JOIN quizzes q ON q.id = r."quizId"
     WHERE q."postId" IS NULL OR EXISTS (SELECT FROM posts p WHERE p.id = q."postId")
)
SELECT (SELECT count(*) FROM page), (SELECT max(id) FROM page), {columns}
  FROM facts WHERE %(since)s::timestamptz IS NULL OR time >= %(since)s

-- name: write_views
INSERT INTO {schema}.post_views_ts (time, fact_id, post_id, viewer_id, school_id, source, duration_s)
SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[])
{again}

-- name: write_engagements
-- Each is an activity as well.
WITH facts AS MATERIALIZED (
    SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[])
        AS t (time, fact_id, post_id, user_id, school_id)
), engagements AS (
    INSERT INTO {schema}.engagement_ts (time, fact_id, post_id, user_id, school_id, kind)
    SELECT *, split_part(fact_id, ':', 1) FROM facts {again}
)
INSERT INTO {schema}.school_activity_ts (time, fact_id, post_id, user_id, school_id, kind)
SELECT *, split_part(fact_id, ':', 1) FROM facts {again}

-- name: write_activities
INSERT INTO {schema}.school_activity_ts (time, fact_id, post_id, user_id, school_id, kind)
SELECT *, split_part(fact_id, ':', 1)
  FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[])
    AS t (time, fact_id, post_id, user_id, school_id)
{again}
