-- The last result of verifying each view.

-- name: now
-- The truth's clock.
SELECT clock_timestamp() AS now

-- name: remember
-- One row per view.
INSERT INTO engine.verifications AS v
       (view, started_at, finished_at, compared, missing, extra, stale, unsettled, repaired, error)
VALUES (%(view)s, %(started_at)s, clock_timestamp(), %(compared)s, %(missing)s, %(extra)s, %(stale)s, %(unsettled)s,
        %(repaired)s, %(error)s)
ON CONFLICT (view) DO UPDATE
   SET started_at = excluded.started_at, finished_at = excluded.finished_at, compared = excluded.compared,
       missing = excluded.missing, extra = excluded.extra, stale = excluded.stale, unsettled = excluded.unsettled,
       repaired = excluded.repaired, error = excluded.error

-- name: last
-- Age in seconds, so that clocks do not matter.
SELECT view, CASE WHEN error IS NOT NULL THEN 'failed' WHEN missing + extra + stale > 0 THEN 'differs'
                  WHEN unsettled > 0 THEN 'unsettled' ELSE 'equal' END AS verdict,
       compared, missing, extra, stale, unsettled, repaired, error,
       extract(epoch FROM clock_timestamp() - finished_at)::int AS seconds_ago,
       extract(epoch FROM finished_at - started_at)::float8 AS seconds
  FROM engine.verifications ORDER BY view
