-- Who owns a consumer.

-- name: look
-- The owner of record.
SELECT owner FROM engine.leases WHERE consumer = %s AND partition = %s

-- name: acquire
-- The generation is never below the clock's milliseconds: it grows even when this table went back in time.
INSERT INTO engine.leases AS l (consumer, partition, owner, generation, expires_at)
VALUES (%(consumer)s, %(partition)s, %(owner)s, (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
        clock_timestamp() + make_interval(secs => %(ttl)s))
ON CONFLICT (consumer, partition) DO UPDATE
   SET owner = excluded.owner, expires_at = excluded.expires_at,
       generation = greatest(l.generation + 1, excluded.generation)
 WHERE l.owner IS NULL OR l.expires_at < clock_timestamp() OR l.owner = %(dead)s::text
RETURNING l.generation

-- name: seize
-- Whoever owns it.
INSERT INTO engine.leases AS l (consumer, partition, owner, generation, expires_at)
VALUES (%(consumer)s, %(partition)s, %(owner)s, (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
        clock_timestamp() + make_interval(secs => %(ttl)s))
ON CONFLICT (consumer, partition) DO UPDATE
   SET owner = excluded.owner, expires_at = excluded.expires_at,
       generation = greatest(l.generation + 1, excluded.generation)
RETURNING l.generation

-- name: renew
-- Nothing is updated when somebody else has taken over.
UPDATE engine.leases SET expires_at = clock_timestamp() + make_interval(secs => %(ttl)s)
 WHERE consumer = %(consumer)s AND partition = %(partition)s AND generation = %(generation)s AND owner IS NOT NULL

-- name: release
-- The generation stays: late writes of ours are refused by it.
UPDATE engine.leases SET owner = NULL, expires_at = '-infinity'
 WHERE consumer = %(consumer)s AND partition = %(partition)s AND generation = %(generation)s

-- name: check_generation
-- Shared with other checks, but a takeover waits.
SELECT generation FROM engine.leases WHERE consumer = %s AND partition = %s FOR SHARE
