-- The log and the truth, through the functions that outbox/ offers.

-- name: head
-- One statement, so that epoch and snapshot belong together. Of today some rows may have left: `reaches` knows which.
SELECT outbox.current_epoch(),
       coalesce((SELECT e.partitions FROM outbox.epochs e ORDER BY e.epoch DESC LIMIT 1), 1),
       pg_current_snapshot()::text,
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
       coalesce((SELECT max(f.id) FROM outbox.fills f), 0),
       coalesce((SELECT extract(epoch FROM (max(r.day) + 1)::timestamp AT TIME ZONE 'UTC') * 1000
                   FROM outbox.retired_days r WHERE r.day < (now() AT TIME ZONE 'UTC')::date), 0)::bigint

-- name: reaches
-- Whether nothing that a snapshot does not see has left the log.
SELECT outbox.log_reaches(%(snapshot)s::text::pg_snapshot, %(epoch)s::int, to_timestamp(%(taken_at_ms)s / 1000.0))

-- name: page
-- Oldest first.
SELECT id, xid::text::bigint, occurred_at, topic, type, key, data, headers
  FROM outbox.log_events(%(since)s::text::pg_snapshot, %(epoch)s::int, %(upto)s::text::pg_snapshot,
                         %(topics)s::text[], %(after)s::bigint, %(max)s::int)

-- name: truth_sources
-- In a fixed order, so that an interrupted fill goes on where it stopped.
SELECT source FROM outbox.truth_sources() WHERE topic = ANY (%(topics)s::text[]) ORDER BY source

-- name: truth_page
-- In primary-key order.
SELECT cursor, topic, type, key, CASE WHEN %(bare)s THEN '{}' ELSE data END, headers, occurred_at
  FROM outbox.truth_events(%(source)s, %(after)s::text, %(max)s::int)
