-- Keys that the running consumer of a view is asked to make what the truth says. Rows go when that is done.
CREATE TABLE engine.repairs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer    text        NOT NULL,
    topic       text        NOT NULL,
    type        text        NOT NULL,
    key         text        NOT NULL,
    data        jsonb       NOT NULL DEFAULT '{}',
    asked_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX repairs_order ON engine.repairs (consumer, id);

-- What the last comparison of each view with the truth has found. Keys are not kept: they may name people.
CREATE TABLE engine.verifications (
    view        text        PRIMARY KEY,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    compared    bigint      NOT NULL DEFAULT 0,
    missing     bigint      NOT NULL DEFAULT 0,
    extra       bigint      NOT NULL DEFAULT 0,
    stale       bigint      NOT NULL DEFAULT 0,
    unsettled   bigint      NOT NULL DEFAULT 0,
    repaired    bigint      NOT NULL DEFAULT 0,
    error       text
);
