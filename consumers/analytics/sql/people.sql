-- Sets of people (people.py). {owner} is `post` or `school`.

-- name: load
-- The sets of some days, by their place in the question.
SELECT t.ordinal, p.people, p.by_hour
  FROM unnest(%(owners)s::text[], %(days)s::bigint[]) WITH ORDINALITY AS t (owner, day, ordinal)
  JOIN {schema}.{owner}_people p ON p.{owner}_id = t.owner AND p.day = to_timestamp(t.day)

-- name: save
-- All bitmaps come as one value; `ends` tells where each pair ends in it.
INSERT INTO {schema}.{owner}_people ({owner}_id, day, people, by_hour)
SELECT t.owner, to_timestamp(t.day),
       substring(%(blob)b FROM (t.ends - t.by_hour - t.people + 1)::int FOR t.people::int),
       substring(%(blob)b FROM (t.ends - t.by_hour + 1)::int FOR t.by_hour::int)
  FROM unnest(%(owners)s::text[], %(days)s::bigint[], %(people)s::bigint[], %(by_hour)s::bigint[], %(ends)s::bigint[])
       AS t (owner, day, people, by_hour, ends)
ON CONFLICT ({owner}_id, day) DO UPDATE SET people = EXCLUDED.people, by_hour = EXCLUDED.by_hour

-- name: clear
-- Nobody is left.
DELETE FROM {schema}.{owner}_people p USING unnest(%(owners)s::text[], %(days)s::bigint[]) AS t (owner, day)
 WHERE p.{owner}_id = t.owner AND p.day = to_timestamp(t.day)

-- name: numbers
-- Of people who have one.
SELECT user_id, id FROM {schema}.people WHERE user_id = ANY (%(users)s::text[])

-- name: enrol
-- Of people who have none yet.
INSERT INTO {schema}.people (user_id) SELECT unnest(%(users)s::text[]) RETURNING user_id, id
