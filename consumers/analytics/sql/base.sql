-- What is the same on every kind of server: schema, settings, checkpoint, roll-ups.
CREATE SCHEMA IF NOT EXISTS analytics;

-- One row: the engine's checkpoint and the newest lease generation that wrote here.
CREATE TABLE IF NOT EXISTS analytics.checkpoint (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    generation bigint NOT NULL DEFAULT 0,
    checkpoint text,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS analytics.post_views_hourly (
    hour timestamptz NOT NULL,
    post_id text NOT NULL,
    view_count bigint NOT NULL,
    unique_viewers bigint NOT NULL,
    duration_sum bigint NOT NULL,
    duration_count bigint NOT NULL,
    PRIMARY KEY (post_id, hour)
);
CREATE TABLE IF NOT EXISTS analytics.engagement_hourly (
    hour timestamptz NOT NULL,
    post_id text NOT NULL,
    kind text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (post_id, hour, kind)
);
CREATE TABLE IF NOT EXISTS analytics.school_activity_hourly (
    hour timestamptz NOT NULL,
    school_id text NOT NULL,
    kind text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (school_id, hour, kind)
);

-- A fact table that is emptied is a view that is lost: without a checkpoint the engine fills it from the truth.
CREATE OR REPLACE FUNCTION analytics.forget() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE analytics.checkpoint, analytics.post_views_hourly, analytics.engagement_hourly,
             analytics.school_activity_hourly;
    RETURN NULL;
END $$;
