-- One row per rebuild; its number is in the name of the shadow, `<view>@<id>`.
--
--   filling -> following -> switching -> kept -> dropping -> dropped
--   filling | following | switching -> dropping (given up: `error` says why)
--
-- While a row is `switching`, `sides` says which contents are being exchanged, so that whoever finds the row after a
-- crash can see in the store whether that has happened. `kept`: the view serves, and what it served before stands
-- under the shadow's name.
CREATE TABLE engine.rebuilds (
    id          integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    view        text        NOT NULL,
    source      text        NOT NULL CHECK (source IN ('truth', 'log')),
    keep        interval    NOT NULL,
    state       text        NOT NULL DEFAULT 'filling'
                CHECK (state IN ('filling', 'following', 'switching', 'kept', 'dropping', 'dropped')),
    step        text        NOT NULL DEFAULT 'beginning',
    done        bigint      NOT NULL DEFAULT 0,
    total       bigint      NOT NULL DEFAULT 0,
    sides       jsonb,
    error       text,
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    filled_at   timestamptz,
    switched_at timestamptz,
    keep_until  timestamptz
);
-- One at a time per view, and one old view to go back to.
CREATE UNIQUE INDEX rebuilds_running ON engine.rebuilds (view) WHERE state IN ('filling', 'following', 'switching');
CREATE UNIQUE INDEX rebuilds_kept ON engine.rebuilds (view) WHERE state = 'kept';
