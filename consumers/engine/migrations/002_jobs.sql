-- Long work on a view, done by whoever owns it: a process that dies leaves a row from which its successor goes on.
--
--   queued -> running -> done | failed
--   queued | running -> paused -> queued          queued | running | paused -> cancelled
CREATE TABLE engine.jobs (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text        NOT NULL,
    consumer    text        NOT NULL,
    arguments   jsonb       NOT NULL,
    state       text        NOT NULL DEFAULT 'queued'
                CHECK (state IN ('queued', 'running', 'paused', 'cancelled', 'done', 'failed')),
    cursor      jsonb,                              -- where it goes on
    done        bigint      NOT NULL DEFAULT 0,     -- of `total`, in a unit of the job's own
    total       bigint      NOT NULL DEFAULT 0,
    applied     bigint      NOT NULL DEFAULT 0,     -- events
    worked      double precision NOT NULL DEFAULT 0, -- seconds
    note        text,
    asked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at  timestamptz,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz
) WITH (fillfactor = 50);
CREATE INDEX jobs_open ON engine.jobs (consumer, id) WHERE state IN ('queued', 'running', 'paused');

-- What failed where, for whoever mends it: the Python traceback of an event that the view's code could not digest.
ALTER TABLE engine.dead_letters ADD COLUMN trace text;
