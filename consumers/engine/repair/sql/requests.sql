-- Requests to mend keys of a view.

-- name: ask
-- One request per event; asking twice does no harm.
INSERT INTO engine.repairs (consumer, topic, type, key, data)
SELECT %(consumer)s, r.* FROM unnest(%(topics)s::text[], %(types)s::text[], %(keys)s::text[], %(data)s::jsonb[]) AS r
RETURNING id

-- name: next
-- Oldest first; only the owner of the view reads them.
SELECT id, clock_timestamp(), topic, type, key, data FROM engine.repairs WHERE consumer = %s ORDER BY id LIMIT %s

-- name: done
-- The view has them.
DELETE FROM engine.repairs WHERE id = ANY (%s)

-- name: open
-- How many of these are still to be done.
SELECT count(*) FROM engine.repairs WHERE id = ANY (%s)

-- name: withdraw
-- Nobody does them: they must not surprise anybody later.
DELETE FROM engine.repairs WHERE id = ANY (%s)
