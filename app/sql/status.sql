-- What operators look at. Index look-ups and small tables only.

-- name: consumers
-- One row per view; several partitions count as their worst.
SELECT c.consumer AS name,
       CASE WHEN bool_and(c.state = 'live') THEN 'live' ELSE 'filling' END AS state,
       coalesce(bool_and(l.owner IS NOT NULL AND l.expires_at > clock_timestamp()), false) AS owned,
       max(c.epoch) AS epoch,
       max(greatest(coalesce(1000 * extract(epoch FROM clock_timestamp() - outbox.oldest_unapplied(c.snapshot)), 0), 0))::bigint
           AS lag_ms,
       max(extract(epoch FROM clock_timestamp() - c.updated_at))::int AS seconds_silent,
       coalesce(max(p.letters), 0)::int AS dead_letters,
       coalesce(max(p.keys), 0)::int AS parked_keys
  FROM engine.checkpoints c
  LEFT JOIN engine.leases l USING (consumer, partition)
  LEFT JOIN (SELECT consumer, sum(letters) AS letters, count(*) AS keys FROM engine.parked_keys GROUP BY consumer) p
       USING (consumer)
 WHERE c.consumer NOT LIKE '%@%' -- shadows: see the rebuilds
 GROUP BY c.consumer

-- name: log
-- Days past the retention that are held for somebody, and those of a week that went although they were needed.
SELECT coalesce((SELECT json_agg(json_build_object('day', h.day, 'neededBy', h.needed_by) ORDER BY h.day)
                   FROM outbox.held_days h), '[]') AS held,
       coalesce((SELECT json_agg(json_build_object('day', r.day, 'neededBy', r.needed_by) ORDER BY r.day)
                   FROM outbox.retired_days r
                  WHERE r.needed_by <> '{}' AND r.retired_at > clock_timestamp() - interval '7 days'), '[]') AS forced

-- name: chores
-- The scheduler's recurring work: when it last ended, and how.
SELECT name, finished_at, leased_until > clock_timestamp() AS running, result, error, failures
  FROM outbox.jobs ORDER BY name

-- name: work
-- Jobs of views that are not over.
SELECT id, kind, consumer, state, done, total FROM engine.jobs
 WHERE state IN ('queued', 'running', 'paused') ORDER BY id

-- name: epochs
-- The newest few.
SELECT epoch, mode, partitions, reason, started_at FROM outbox.epochs ORDER BY epoch DESC LIMIT 3

-- name: topics
-- Traffic of the newest thousand events.
SELECT topic, count(*) AS events, max(occurred_at) AS newest
  FROM (SELECT topic, occurred_at FROM outbox.events ORDER BY id DESC LIMIT 1000) recent
 GROUP BY topic ORDER BY events DESC, topic

-- name: letters
-- Open letters, newest first; never the event itself.
SELECT id, consumer, state, type, reason, attempts, created_at FROM engine.dead_letters
 WHERE state IN ('dead', 'waiting', 'retry') ORDER BY id DESC LIMIT 20

-- name: has_jobs
-- Whether there is a job queue.
SELECT to_regclass('dramatiq.queue') IS NOT NULL AS there

-- name: jobs
-- What runs, waits, or was given up.
SELECT q.queue_name AS queue, coalesce(q.message ->> 'actor_name', '?') AS actor, q.state::text AS state,
       count(*) AS jobs, max(q.mtime) AS changed
  FROM dramatiq.queue q GROUP BY 1, 2, 3 ORDER BY changed DESC NULLS LAST LIMIT 20
