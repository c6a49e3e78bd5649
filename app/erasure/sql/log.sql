-- Walks over everything that holds events, and rewrites those that mention a person.

-- name: tables
-- The log, and days that have left it and are not dropped yet.
SELECT 'events' AS name UNION ALL SELECT 'events_' || to_char(d, 'YYYYMMDD') FROM outbox.detached_days() d

-- name: page_events
-- In portions of ids; the check here is rough, person.py decides.
SELECT id, occurred_at, topic, type, key, data, headers FROM outbox.{TABLE}
 WHERE id > %(after)s AND id <= %(upto)s
   AND (key = %(id)s OR strpos(data::text, %(id)s) > 0 OR strpos(headers::text, %(id)s) > 0)
 ORDER BY id

-- name: rewrite_event
-- The one UPDATE of the log.
UPDATE outbox.{TABLE} SET type = %(type)s, key = %(key)s, data = %(data)s, headers = %(headers)s
 WHERE id = %(id)s AND occurred_at = %(occurred_at)s

-- name: bounds
SELECT coalesce(min(id), 1) - 1, coalesce(max(id), 0) FROM outbox.{TABLE}

-- name: page_letters
SELECT id, topic, type, key, data::jsonb AS data, headers::jsonb AS headers, reason, coalesce(note, '') AS note,
       coalesce(trace, '') AS trace
  FROM engine.dead_letters
 WHERE strpos(key || data || headers || reason || coalesce(note, '') || coalesce(trace, ''), %(id)s) > 0

-- name: rewrite_letter
UPDATE engine.dead_letters
   SET type = %(type)s, key = %(key)s, data = %(data)s::jsonb::text, headers = %(headers)s::jsonb::text,
       reason = %(reason)s, note = nullif(%(note)s, ''), trace = nullif(%(trace)s, '')
 WHERE id = %(id)s
