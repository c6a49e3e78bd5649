-- Letters are open while they are dead, waiting or to be retried; the rest is history.

-- name: parked
-- Keys with open letters.
SELECT topic, key FROM engine.parked_keys WHERE consumer = %s

-- name: insert
-- The same event twice (a redelivery) is one letter.
INSERT INTO engine.dead_letters
       (consumer, state, waits, event_id, xid, occurred_at, topic, type, key, data, headers, reason, trace)
VALUES (%(consumer)s, %(state)s, %(waits)s, %(event_id)s, %(xid)s::text::xid8, %(occurred_at)s, %(topic)s, %(type)s,
        %(key)s, %(data)s, %(headers)s, %(reason)s, %(trace)s)
ON CONFLICT DO NOTHING

-- name: supersede
-- A later event of the key has gone through, or is the letter from now on.
UPDATE engine.dead_letters d SET state = 'superseded', changed_at = clock_timestamp()
  FROM unnest(%(topics)s::text[], %(keys)s::text[]) AS k(topic, key)
 WHERE d.consumer = %(consumer)s AND d.topic = k.topic AND d.key = k.key AND NOT d.waits
   AND d.state IN ('dead', 'waiting', 'retry')
   AND (%(below)s::bigint IS NULL OR d.event_id < %(below)s::bigint)

-- name: next_retry
-- In the order of the log.
SELECT id, event_id, xid::text::bigint, occurred_at, topic, type, key, data, headers
  FROM engine.dead_letters WHERE consumer = %s AND state = 'retry' ORDER BY id LIMIT 1

-- name: retry_applied
-- The view has taken it.
UPDATE engine.dead_letters SET state = 'applied', changed_at = clock_timestamp() WHERE id = %(id)s

-- name: retry_failed
-- Still no; the newest reason counts.
UPDATE engine.dead_letters
   SET state = 'dead', reason = %(reason)s, attempts = attempts + 1, changed_at = clock_timestamp()
 WHERE id = %(id)s

-- name: free_behind
-- What waits behind the last dead letter of a key goes next.
UPDATE engine.dead_letters w SET state = 'retry', changed_at = clock_timestamp()
 WHERE w.consumer = %(consumer)s AND w.topic = %(topic)s AND w.key = %(key)s AND w.state = 'waiting'
   AND NOT EXISTS (SELECT FROM engine.dead_letters d
                    WHERE d.consumer = w.consumer AND d.topic = w.topic AND d.key = w.key AND d.state = 'dead'
                      AND d.id < w.id)

-- name: hold_behind
-- A letter that failed again keeps those behind it waiting.
UPDATE engine.dead_letters w SET state = 'waiting', changed_at = clock_timestamp()
 WHERE w.consumer = %(consumer)s AND w.topic = %(topic)s AND w.key = %(key)s AND w.waits AND w.state = 'retry'
   AND w.id > %(id)s

-- name: list
-- For operators.
SELECT id, consumer, state, topic, type, key, event_id, reason, note, attempts, created_at, changed_at
  FROM engine.dead_letters
 WHERE (%(consumer)s::text IS NULL OR consumer = %(consumer)s)
   AND (%(closed)s OR state IN ('dead', 'waiting', 'retry'))
 ORDER BY id DESC LIMIT %(limit)s

-- name: get
-- For operators.
SELECT id, consumer, state, topic, type, key, event_id, xid::text AS xid, occurred_at, data::json AS data,
       headers::json AS headers, headers::json ->> 'traceparent' AS traceparent, reason, trace, note, attempts, created_at, changed_at
  FROM engine.dead_letters WHERE id = %s

-- name: ask_retry
-- A fact's letter is retried together with the earlier ones of its key: order first.
WITH asked AS (
    SELECT consumer, topic, key, max(id) AS upto FROM engine.dead_letters
     WHERE (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s::bigint[]))
       AND (%(consumer)s::text IS NULL OR consumer = %(consumer)s)
       AND state IN ('dead', 'waiting', 'retry')
     GROUP BY consumer, topic, key
)
UPDATE engine.dead_letters d SET state = 'retry', changed_at = clock_timestamp()
  FROM asked a
 WHERE d.consumer = a.consumer AND d.topic = a.topic AND d.key = a.key AND d.id <= a.upto
   AND d.state IN ('dead', 'waiting', 'retry')
RETURNING d.id

-- name: discard
-- With a note, so that it can be told later why.
UPDATE engine.dead_letters SET state = 'discarded', note = %(note)s, changed_at = clock_timestamp()
 WHERE id = %(id)s AND state IN ('dead', 'waiting', 'retry')
RETURNING consumer, topic, key
