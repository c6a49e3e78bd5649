-- Who may still need the log.

-- name: needs
-- Every view that is known, also one whose process is off, or that is being rebuilt; and replays that are not over.
SELECT c.consumer, c.epoch, c.snapshot::text, c.updated_at FROM engine.checkpoints c
UNION ALL
SELECT 'replay ' || j.id, (j.arguments ->> 'epoch')::int, '3:3:', greatest(j.asked_at, nullif(j.cursor ->> 'day', '')::timestamptz)
  FROM engine.jobs j
 WHERE j.kind = 'replay' AND j.state IN ('queued', 'running', 'paused')
